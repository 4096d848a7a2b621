// SendStream: what is sent more than once without being asked for: FEC of video, RED of sound.

#include <algorithm>
#include <cmath>

#include "parley/rtp/extensions/all.h"

#include "media/send_stream_impl.h"

namespace parley::media {
namespace {

/// Packets of several pictures share FEC packets, which makes few of them go further, as long as
/// that delays repair little against a repetition, and by no more than this.
constexpr Duration kMaxBlockTime = Duration::millis(100);
constexpr double kBlockTimeShare = 0.25;
constexpr size_t kEnoughPackets = 16;
/// The share of repairs is a mean over so many bytes of media, and moves in steps: each is a new
/// target for the encoder.
constexpr double kShareMemory = 60'000;
constexpr double kShareStep = 1.0 / 32;
constexpr size_t kRedHeader = 1;

}  // namespace

bool SendStream::setPath(const LossEstimate& loss, Duration rtt) {
  loss_ = loss;
  rtt_ = rtt;
  const size_t before = copies_;
  copies_ = config_.red ? std::max<size_t>(redundancyFor(loss), config_.red->always ? 1 : 0) : 0;
  return copies_ != before;
}

// --- video

/// Whether the packets of the next frame are to be protected.
bool SendStream::beginProtection(Timestamp now) {
  if (!fec_) return false;
  if (repairsFor(kEnoughPackets, loss_, rtt_) > 0) {
    if (!blockStart_) blockStart_ = now;
    return true;
  }
  fec_->clear();
  blockStart_.reset();
  noteRepairShare(static_cast<size_t>(kShareMemory) / 8, 0);
  return false;
}

/// What packets must be shorter by so that those that repair them fit as well.
size_t SendStream::protectionOverhead() const {
  const size_t header =
      rtp::fecHeaderSize(config_.fec->scheme, rtp::fecMaxSpan(config_.fec->scheme));
  // A FEC packet has its own extensions beside those that it protects.
  constexpr size_t kExtensions = 12;
  const bool ulpfec = config_.fec->scheme == rtp::FecScheme::Ulpfec;
  const size_t csrc = config_.fec->scheme == rtp::FecScheme::Flexfec ? 4 : 0;
  return header + kExtensions + csrc + (ulpfec ? 2 * kRedHeader : 0) + config_.mid.size();
}

void SendStream::protect(int64_t sequence, const PacketBuf& packet, size_t headerSize, bool red) {
  if (fec_->packets() > 0 && !fec_->hasRoom(sequence, 0)) fec_->clear();
  const ByteSpan bytes = packet.span();
  fec_->add(sequence, config_.payloadType, bytes.first(headerSize),
            bytes.subspan(headerSize + (red ? kRedHeader : 0)));
  mediaBytes_ += static_cast<double>(bytes.size());
}

void SendStream::finishFrame(const PacketPlan& plan, Pacer& pacer, Timestamp now) {
  const Duration interval = now - std::exchange(lastVideo_, now);
  const Duration most = std::min(kMaxBlockTime, rtt_ * kBlockTimeShare);
  const bool waits = fec_->packets() < kEnoughPackets && now - *blockStart_ + interval <= most;
  if (waits && fec_->hasRoom(nextSequence_, kEnoughPackets)) return;
  sendFec(plan, repairsFor(fec_->packets(), loss_, rtt_), pacer, now);
  fec_->clear();
  blockStart_.reset();
}

void SendStream::sendFec(const PacketPlan& plan, size_t repairs, Pacer& pacer, Timestamp now) {
  fec_->plan(repairs, loss_.pattern());
  const bool ulpfec = config_.fec->scheme == rtp::FecScheme::Ulpfec;
  size_t bytes = 0;
  for (size_t i = 0; i < fec_->repairs(); ++i) {
    PacketBuf packet = environment_.pool.allocate();
    if (!packet || pacer.room(PacketType::Fec) == 0 || !buildFec(i, plan, packet)) break;
    bytes += packet.size();
    const int64_t sequence = ulpfec ? nextSequence_++ : int64_t{nextFecSequence_++};
    enqueue(std::move(packet), sequence, PacketType::Fec, pacer, now);
  }
  noteRepairShare(0, bytes);
}

bool SendStream::buildFec(size_t index, const PacketPlan& plan, PacketBuf& out) {
  const FecSendConfig& fec = *config_.fec;
  const bool ulpfec = fec.scheme == rtp::FecScheme::Ulpfec;
  rtp::PacketHeader h;
  h.payloadType = ulpfec ? fec.redPayloadType : fec.payloadType;
  h.sequenceNumber = ulpfec ? static_cast<uint16_t>(nextSequence_) : nextFecSequence_;
  h.timestamp = plan.timestamp;
  h.ssrc = ulpfec ? config_.ssrc : fec.ssrc;
  // RFC 8627 section 4.2.1: the CSRCs are the sources that it protects.
  const uint32_t csrc = config_.ssrc;
  const bool names = fec.scheme == rtp::FecScheme::Flexfec;
  rtp::PacketWriter writer(out, h, std::span(&csrc, names ? 1 : 0), form_);
  const rtp::ExtensionMap& map = config_.extensions;
  writer.reserve<rtp::AbsSendTime>(map);
  writer.reserve<rtp::TransmissionOffset>(map);
  writer.reserve<rtp::TransportSequenceNumber>(map);
  if (!acknowledged_ && !config_.mid.empty()) writer.add<rtp::Mid>(map, config_.mid);
  if (!acknowledged_ && !config_.rid.empty()) {
    if (ulpfec) {
      writer.add<rtp::Rid>(map, config_.rid);
    } else {
      writer.add<rtp::RepairedRid>(map, config_.rid);
    }
  }
  MutableByteSpan room = writer.beginPayload();
  size_t red = 0;
  if (ulpfec) {
    room[0] = fec.payloadType;
    red = kRedHeader;
  }
  const size_t most =
      maxPacketSize_ > writer.headerSize() + red ? maxPacketSize_ - writer.headerSize() - red : 0;
  room = room.subspan(red);
  const size_t size = fec_->write(index, config_.ssrc, room.first(std::min(most, room.size())));
  writer.finish(size + red);
  return size > 0;
}

void SendStream::noteRepairShare(size_t media, size_t repair) {
  mediaBytes_ += static_cast<double>(media);
  repairBytes_ += static_cast<double>(repair);
  const double all = mediaBytes_ + repairBytes_;
  if (all <= 0) return;
  if (all > kShareMemory) {
    mediaBytes_ *= kShareMemory / all;
    repairBytes_ *= kShareMemory / all;
  }
  repairShare_ = std::round(repairBytes_ / (mediaBytes_ + repairBytes_) / kShareStep) * kShareStep;
}

bool SendStream::isRed(const rtp::PacketView& packet) const {
  return config_.fec && config_.fec->scheme == rtp::FecScheme::Ulpfec &&
         packet.payloadType() == config_.fec->redPayloadType && !packet.payload().empty();
}

// --- sound

size_t SendStream::writeSound(uint32_t timestamp, ByteSpan frame, MutableByteSpan room, bool red) {
  size_t size = 0;
  if (red) {
    size = earlierSound_.write(config_.payloadType, timestamp, frame, copies_, room);
    if (size > kRedHeader + frame.size()) {
      ++stats_.fecPacketsSent;
      stats_.fecBytesSent += size - kRedHeader - frame.size();
    }
  } else if (packetizer_->begin(frame, {}, room.size()) == 1) {
    size = packetizer_->next(room);
  }
  if (config_.red) earlierSound_.remember(timestamp, frame);
  return size;
}

}  // namespace parley::media
