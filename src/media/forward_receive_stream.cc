#include "media/forward_receive_stream.h"

#include <algorithm>
#include <utility>

#include "parley/rtp/packet_writer.h"

namespace parley::media {

namespace {
// What is older does not help: receivers have had to go on without it.
constexpr Duration kRepairLimit = Duration::seconds(1);
// Nor are packets kept for FEC when no other has come for so long.
constexpr Duration kSilence = Duration::seconds(3);
}  // namespace

void ForwardReceiveStream::receive(PacketBuf packet, const rtp::PacketView& view,
                                   const ReceiveConfig& config, const ReceiveCodec& codec,
                                   int64_t sequence, int64_t, Arrival arrival, Timestamp now) {
  const bool recovered = arrival != Arrival::Direct;
  // A packet that was there already, sent again to probe the path.
  if (arrival == Arrival::Repeated && !nack_.isMissing(view.sequenceNumber())) return;
  repair_ = config.repair;
  if (repair_ == PacketRepair::None) nackEnabled_ = false;
  if (rtp::fecSchemeOf(codec.name)) {
    takeUlpfec(view, now);
    // Its number is one of the source's; nothing else of it is for anybody else.
    packet.resize(view.headerSize());
    packet.data()[0] &= static_cast<uint8_t>(~0x20u);
    rtp::setPayloadType(packet.mutableSpan(), counters_.payloadType);
  } else {
    pli_ = codec.pli;
    fir_ = codec.fir;
    keepForFec(view, config, sequence, arrival);
  }
  nack_.handlePacket(sequence, false, recovered, now);
  if (!ready_.push({std::move(packet), now, recovered})) ++counters_.packetsDiscarded;
  advance(now);
}

void ForwardReceiveStream::takeUlpfec(const rtp::PacketView& view, Timestamp now) {
  rtp::FecPacket fec;
  if (repair_ != PacketRepair::Full || view.payload().empty()) return;
  PacketBuf copy = environment_.pool.copyOf(view.packet());
  const auto again = copy ? rtp::PacketView::parse(copy.span()) : std::nullopt;
  if (!again) return;
  if (rtp::FecPacket::parse(rtp::FecScheme::Ulpfec, *again, fec)) {
    handleFec(std::move(copy), fec, now);
  } else {
    ++counters_.malformedPackets;
  }
}

void ForwardReceiveStream::handleFec(PacketBuf packet, const rtp::FecPacket& fec, Timestamp now) {
  if (repair_ == PacketRepair::Full) addFec(std::move(packet), fec, now);
}

bool ForwardReceiveStream::pollPacket(ReceivedPacket& out) {
  if (ready_.empty()) return false;
  Waiting waiting = ready_.pop();
  noteHeld(ready_.size() + heldForFec(), 0);
  out.receiver = receiver();
  out.ssrc = ssrc();
  out.rid = rid();
  out.data = std::move(waiting.packet);
  out.arrival = waiting.arrival;
  out.recovered = waiting.recovered;
  return true;
}

void ForwardReceiveStream::requestKeyFrame(Timestamp now) {
  requester_.want();
  advance(now);
}

void ForwardReceiveStream::shed(Timestamp) {
  counters_.packetsDiscarded += ready_.size();
  ready_.clear();
  clearFec();
  noteHeld(0, 0);
}

void ForwardReceiveStream::setRtt(Duration rtt) {
  ReceiveStream::setRtt(rtt);
  requester_.setRtt(rtt);
}

void ForwardReceiveStream::advance(Timestamp now) {
  if (now >= fecDeadline()) expireFec(true, now);
  noteHeld(ready_.size() + heldForFec(), 0);
  nack_.forgetMissedBefore(now - kRepairLimit);
  collectNacks(now);
  (void)nack_.takeGaveUp();
  if (!(pli_ || fir_) || feedback_.full() || !requester_.take(now)) return;
  // Whether a key frame came is known to those who look into packets; they ask again.
  requester_.satisfied();
  pushKeyFrameRequest();
}

// Both when no FEC has come for long and when nothing comes at all.
Timestamp ForwardReceiveStream::fecDeadline() const {
  if (lastFec().isNever()) return Timestamp::never();
  return std::min(lastFec() + kFecMemory, lastHeard_ + kSilence);
}

Timestamp ForwardReceiveStream::nextDeadline() const {
  const Timestamp repairs = earliest(nackDeadline(), fecDeadline());
  if (!(pli_ || fir_) || feedback_.full()) return repairs;
  return earliest(repairs, requester_.nextDeadline());
}

}  // namespace parley::media
