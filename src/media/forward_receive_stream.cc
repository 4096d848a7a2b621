#include "media/forward_receive_stream.h"

#include <utility>

#include "parley/rtp/packet_writer.h"

namespace parley::media {

namespace {
// What is older does not help: receivers have had to go on without it.
constexpr Duration kRepairLimit = Duration::seconds(1);
}  // namespace

void ForwardReceiveStream::receive(PacketBuf packet, const rtp::PacketView& view,
                                   const ReceiveConfig&, const ReceiveCodec& codec,
                                   int64_t sequence, int64_t, Arrival arrival, Timestamp now) {
  const bool recovered = arrival != Arrival::Direct;
  if (rtp::fecSchemeOf(codec.name)) {
    // Its number is one of the source's; nothing else of it is for anybody else.
    packet.resize(view.headerSize());
    packet.data()[0] &= static_cast<uint8_t>(~0x20u);
    rtp::setPayloadType(packet.mutableSpan(), counters_.payloadType);
  } else {
    pli_ = codec.pli;
    fir_ = codec.fir;
  }
  nack_.handlePacket(sequence, false, recovered, now);
  if (!ready_.push({std::move(packet), now, recovered})) ++counters_.packetsDiscarded;
  noteHeld(ready_.size(), 0);
  advance(now);
}

bool ForwardReceiveStream::pollPacket(ReceivedPacket& out) {
  if (ready_.empty()) return false;
  Waiting waiting = ready_.pop();
  noteHeld(ready_.size(), 0);
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
  noteHeld(0, 0);
}

void ForwardReceiveStream::setRtt(Duration rtt) {
  ReceiveStream::setRtt(rtt);
  requester_.setRtt(rtt);
}

void ForwardReceiveStream::advance(Timestamp now) {
  nack_.forgetMissedBefore(now - kRepairLimit);
  collectNacks(now);
  (void)nack_.takeGaveUp();
  if (!(pli_ || fir_) || feedback_.full() || !requester_.take(now)) return;
  // Whether a key frame came is known to those who look into packets; they ask again.
  requester_.satisfied();
  pushKeyFrameRequest();
}

Timestamp ForwardReceiveStream::nextDeadline() const {
  if (!(pli_ || fir_) || feedback_.full()) return nackDeadline();
  return earliest(nackDeadline(), requester_.nextDeadline());
}

}  // namespace parley::media
