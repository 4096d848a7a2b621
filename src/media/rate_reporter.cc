#include "media/rate_reporter.h"

#include <utility>

#include "parley/rtp/extensions/abs_send_time.h"
#include "parley/rtp/extensions/transmission_offset.h"

namespace parley::media {

void RateReporter::setActive(bool active) {
  if (active == this->active()) return;
  estimator_ = active ? std::make_unique<congestion::ArrivalEstimator>() : nullptr;
  lastTold_.reset();
  heard_ = false;
}

void RateReporter::setRtt(Duration rtt) {
  if (estimator_) estimator_->setRtt(rtt);
}

void RateReporter::onPacket(const rtp::PacketView& view, const ReceiveConfig& config,
                            const ReceiveCodec* codec, ArrivalFeedback others, Timestamp now) {
  // The path is one, but beside sections with feedback of arrivals only these count.
  if (!estimator_ || (!config.reportsRate && others != ArrivalFeedback::None)) return;
  congestion::ArrivedPacket packet;
  packet.arrival = now;
  packet.size = static_cast<uint32_t>(view.size());
  packet.ssrc = view.ssrc();
  packet.absSendTime = rtp::getExtension<rtp::AbsSendTime>(view, config.extensions);
  packet.transmissionOffset = rtp::getExtension<rtp::TransmissionOffset>(view, config.extensions);
  // Sound may be sent with gaps in its times, and by a clock of its own rate.
  if (codec && config.kind == MediaKind::Video) {
    packet.rtpTimestamp = view.timestamp();
    packet.clockRate = codec->clockRate;
  }
  estimator_->onPacket(packet);
  heard_ = true;
}

std::optional<DataRate> RateReporter::poll(Timestamp now) {
  if (!std::exchange(heard_, false)) return std::nullopt;
  const auto rate = estimator_->rate();
  if (!rate) return std::nullopt;
  const bool due = !lastTold_ || now - *lastTold_ >= kInterval || *rate < told_ * kFall;
  if (!due) return std::nullopt;
  lastTold_ = now;
  told_ = *rate;
  return rate;
}

}  // namespace parley::media
