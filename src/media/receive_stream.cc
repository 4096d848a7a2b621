#include "media/receive_stream.h"

#include <algorithm>
#include <cmath>

#include "parley/base/text.h"
#include "parley/rtp/extensions/audio_level.h"

#include "media/carried_on.h"
#include "media/send_time_extensions.h"

namespace parley::media {

namespace {
// RFC 3550 appendix A.1: a jump back by more than MAX_MISORDER or ahead by more than MAX_DROPOUT is
// a restart of the sender if two packets in sequence confirm it. We take jumps ahead as losses,
// because under SRTP a restart would not decrypt, and use a wider margin backwards for
// retransmissions.
constexpr int64_t kMaxMisorder = 3000;
// Beyond this a report and a frame are not of the same clock.
constexpr double kMaxReportSeconds = 3600;
// A lost packet that FEC may bring back is asked for a little later: FEC comes behind the frame,
// or, on a long path, behind several.
constexpr Duration kMinFecPatience = Duration::millis(20);
constexpr Duration kMaxFecPatience = Duration::millis(100);

Duration fecPatience(Duration rtt) {
  return std::clamp(rtt / 4, kMinFecPatience, kMaxFecPatience);
}
}  // namespace

ReceiveStream::ReceiveStream(const Environment& environment, const ReceiveConfig& config,
                             uint32_t ssrc, HeldTotals& held)
    : environment_(environment),
      nack_(environment.limits.maxNackList),
      receiver_(config.id),
      kind_(config.kind),
      ssrc_(ssrc),
      mid_(config.mid),
      heldPackets_(held.packets),
      heldFrameBytes_(held.frameBytes) {}

ReceiveStream::Order ReceiveStream::orderOf(uint16_t sequence) {
  if (!sequences_.last() || sequences_.peek(sequence) > *sequences_.last() - kMaxMisorder) {
    suspectSequence_.reset();
    return Order::Normal;
  }
  const bool confirmed = suspectSequence_ == sequence;
  suspectSequence_ = static_cast<uint16_t>(sequence + 1);
  return confirmed ? Order::Restart : Order::Suspect;
}

void ReceiveStream::handlePacket(PacketBuf packet, const rtp::PacketView& view,
                                 const ReceiveConfig& config, const ReceiveCodec& codec,
                                 Arrival arrival, Timestamp now) {
  lastHeard_ = now;
  endedAt.reset();
  const Order order = arrival != Arrival::Direct ? Order::Normal : orderOf(view.sequenceNumber());
  if (order == Order::Suspect) {
    ++counters_.packetsDiscarded;
    return;
  }
  if (order == Order::Restart) {
    sequences_.reset();
    timestamps_.reset();
    nack_.reset();
    statistics_.restart();
    suspectSequence_.reset();
    capture_.reset();
    restart();
  }
  const int64_t sequence = sequences_.unwrap(view.sequenceNumber());
  const int64_t rtp = timestamps_.unwrap(view.timestamp());
  // What accompanies a codec does not make another one of it.
  const bool accompanies = kind_ == MediaKind::Video && (rtp::fecSchemeOf(codec.name).has_value() ||
                                                         equalsIgnoreCase(codec.name, "red"));
  if (!accompanies) nackEnabled_ = codec.nack;
  if (arrival == Arrival::Repeated) {
    ++counters_.retransmittedPacketsReceived;
    counters_.retransmittedBytesReceived += view.payload().size();
  } else if (arrival == Arrival::Direct) {
    statistics_.handlePacket(sequence, view.timestamp(), codec.clockRate, now);
  }
  if (arrival == Arrival::Restored) {
    ++counters_.restoredPackets;
  } else {
    ++counters_.packetsReceived;
    counters_.bytesReceived += view.payload().size();
    counters_.headerBytesReceived += view.headerSize() + view.paddingSize();
    counters_.lastPacketReceived = now;
  }
  if (counters_.payloadType != codec.payloadType && !accompanies &&
      !equalsIgnoreCase(codec.name, "telephone-event")) {
    counters_.payloadType = codec.payloadType;
    counters_.codecName = codec.name;
  }
  if (const auto capture = rtp::getExtension<rtp::AbsCaptureTime>(view, config.extensions))
    capture_ = Capture{view.timestamp(), *capture, codec.clockRate};
  if (kind_ == MediaKind::Audio) {
    if (const auto level = rtp::getExtension<rtp::AudioLevel>(view, config.extensions)) {
      counters_.audioLevel = level->level == 127 ? 0 : std::pow(10.0, -level->level / 20.0);
    }
  }
  receive(std::move(packet), view, config, codec, sequence, rtp, arrival, now);
}

std::optional<Timestamp> ReceiveStream::captureBySender(uint32_t rtpTimestamp) const {
  const auto ntp = statistics_.ntpOf(rtpTimestamp);
  if (!ntp) return std::nullopt;
  const uint64_t nanos = (uint64_t{ntp->fraction()} * 1'000'000'000) >> 32;
  return Timestamp::seconds(ntp->seconds()) + Duration::nanos(static_cast<int64_t>(nanos));
}

ReceiveStream::Captured ReceiveStream::capturedAt(uint32_t rtpTimestamp) const {
  Captured out;
  const std::optional<NtpTime> bySender = statistics_.ntpOf(rtpTimestamp);
  out.time = bySender;
  if (capture_) {
    if (const auto time = carriedOn(capture_->value.captureTime, capture_->rtp, rtpTimestamp,
                                    capture_->clockRate)) {
      out.time = time;
      out.clockOffset = capture_->value.clockOffset;
    }
  }
  // A report left half a round trip before it came: that ties the sender's clock to ours.
  const auto& report = statistics_.lastSenderReport();
  if (!report || !bySender || !measuredRtt_) return out;
  // With an offset, when the capturer took it; else when it went through the sender.
  uint64_t ntp = bySender->value;
  if (out.clockOffset) ntp = out.time->value - static_cast<uint64_t>(*out.clockOffset);
  const auto since = static_cast<double>(static_cast<int64_t>(ntp - report->ntp.value)) /
                     static_cast<double>(int64_t{1} << 32);
  if (std::abs(since) > kMaxReportSeconds) return out;
  out.here =
      statistics_.lastSenderReportArrival() - *measuredRtt_ / 2 + Duration::fromSeconds(since);
  return out;
}

void ReceiveStream::setRtt(Duration rtt) {
  rtt_ = rtt;
  nack_.setRtt(rtt);
  if (fec_) nack_.setPatience(fecPatience(rtt));
}

void ReceiveStream::addFec(PacketBuf packet, const rtp::FecPacket& fec, Timestamp now) {
  ++counters_.fecPacketsReceived;
  counters_.fecBytesReceived += packet.size();
  if (!fec_) {
    fec_ = std::make_unique<FecDecoder>(environment_.pool, ssrc_);
    nack_.setPatience(fecPatience(rtt_));
  }
  // The number nearest to those that came.
  if (sequences_.last())
    fec_->addFec(std::move(packet), fec, sequences_.peek(fec.sequenceBase), now);
}

void ReceiveStream::expireFec(bool silent, Timestamp now) {
  if (!fec_ || (!silent && now - fec_->lastFec() <= kFecMemory)) return;
  fec_->clear();
  counters_.fecPacketsDiscarded += fec_->discarded();
  fec_.reset();
  nack_.setPatience(Duration::zero());
}

void ReceiveStream::keepForFec(const rtp::PacketView& view, const ReceiveConfig& config,
                               int64_t sequence, Arrival arrival) {
  // What was restored is there already.
  if (!fec_ || arrival == Arrival::Restored) return;
  if (arrival == Arrival::Repeated) return fec_->noteArrival(sequence);
  PacketBuf copy = environment_.pool.copyOf(view.packet());
  if (!copy) return fec_->noteArrival(sequence);
  clearSendTimeExtensions(copy.mutableSpan(), config.extensions);
  fec_->addMedia(sequence, std::move(copy));
}

void ReceiveStream::collectNacks(Timestamp now) {
  if (!nackEnabled_) {
    nack_.takeGaveUp();
    return;
  }
  while (!feedback_.full() && nack_.nextDeadline() <= now) {
    due_.clear();
    nack_.collect(now, due_);
    if (due_.empty()) break;
    ++counters_.nackCount;
    FeedbackRequest& request = feedback_.push();
    request.kind = FeedbackRequest::Kind::Nack;
    request.mediaSsrc = ssrc_;
    request.sequences = due_;
  }
}

void ReceiveStream::pushKeyFrameRequest() {
  FeedbackRequest& request = feedback_.push();
  request.kind = pli_ ? FeedbackRequest::Kind::Pli : FeedbackRequest::Kind::Fir;
  request.mediaSsrc = ssrc();
  request.sequences.clear();
  if (pli_) {
    ++counters_.pliCount;
  } else {
    // A command of its own each time (RFC 5104 section 4.3.1.1): by now the sender had the time to
    // obey the last one. Should its key frame be lost, it would ignore the same number.
    request.firSequence = firSequence_++;
    ++counters_.firCount;
  }
}

void ReceiveStream::fillStats(InboundStats& out) const {
  out = counters_;
  out.receiver = receiver_;
  out.kind = kind_;
  out.ssrc = ssrc_;
  out.rtxSsrc = rtxSsrc_;
  out.fecSsrc = fecSsrc_;
  out.mid = mid_;
  out.rid = rid_;
  out.isLayer = isLayer();
  if (fec_) out.fecPacketsDiscarded += fec_->discarded();
  out.packetsLost = statistics_.packetsLost();
  out.jitter = statistics_.jitterSeconds();
  out.reportsReceived = statistics_.reportsReceived();
  if (const auto& sr = statistics_.lastSenderReport()) {
    out.remotePacketsSent = sr->packetCount;
    out.remoteBytesSent = sr->octetCount;
    out.remoteTimestamp = sr->ntp;
    out.remoteReportArrival = statistics_.lastSenderReportArrival();
  }
  fillKindStats(out);
}

}  // namespace parley::media
