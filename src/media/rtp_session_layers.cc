// RtpSession: what each stream could use of the bitrate, with the sizes of simulcast layers, and
// what of it repairs losses.

#include <algorithm>

#include "media/rtp_session_impl.h"
#include "media/simulcast_rates.h"

namespace parley::media {
namespace {

/// Until a picture is seen.
constexpr double kUsualPixels = 1280.0 * 720.0;
/// Packets that wait longer than this have others before them.
constexpr Duration kFullQueue = Duration::millis(50);
/// An encoder keeps half of its rate, whatever a peer asks for.
constexpr double kMostRepeated = 0.5;

/// Of the source, as far as any of the sender's layers shows it.
double sourcePixels(const std::vector<std::unique_ptr<SendStream>>& streams, uint32_t sender) {
  double pixels = 0;
  for (const auto& stream : streams) {
    const auto& layer = stream->config().layer;
    if (!layer || layer->sender != sender) continue;
    const SendStreamStats& stats = stream->stats();
    pixels = std::max(pixels, static_cast<double>(stats.frameWidth) * stats.frameHeight *
                                  layer->scaleDownBy * layer->scaleDownBy);
  }
  return pixels > 0 ? pixels : kUsualPixels;
}

}  // namespace

void RtpSession::Impl::describeLayers() {
  for (const auto& stream : streams_) {
    const auto& own = stream->config().layer;
    if (!own || !stream->config().extensions.has(rtp::ExtensionKind::VideoLayersAllocation))
      continue;
    rtp::VideoLayersAllocationValue value;
    uint8_t index = 0;
    for (const auto& other : streams_) {
      const auto& layer = other->config().layer;
      if (!layer || layer->sender != own->sender) continue;
      if (other == stream) value.stream = index;
      const SendStreamStats& stats = other->stats();
      if (!stats.targetBitrate.isZero() && index < 4) {
        rtp::VideoLayersAllocationValue::Layer entry;
        entry.stream = index;
        entry.rates.push_back(static_cast<uint32_t>(stats.targetBitrate.bps() / 1000));
        entry.size = {static_cast<uint16_t>(stats.frameWidth),
                      static_cast<uint16_t>(stats.frameHeight)};
        value.layers.push_back(entry);
      }
      ++index;
    }
    stream->setLayersAllocation(value);
  }
}

BitrateDemand RtpSession::Impl::demandOf(const SendStream& stream) const {
  const SendStreamConfig& c = stream.config();
  BitrateDemand demand;
  demand.min = c.minBitrate;
  demand.max = stream.mostAllowed();
  demand.priority = c.priority > 0 ? c.priority : 1;
  demand.audio = c.kind == MediaKind::Audio;
  demand.active = c.active && !stream.stopped();
  if (const size_t copies = stream.copiesOfSound()) {
    // Each packet carries earlier ones again.
    demand.min = demand.min * static_cast<double>(copies + 1);
    demand.min = std::min(demand.min, demand.max);
  }
  if (!c.layer) return demand;
  const SimulcastLayer& layer = *c.layer;
  const double scale = std::max(layer.scaleDownBy, 1.0);
  const LayerRates rates = layerRates(sourcePixels(streams_, layer.sender) / (scale * scale));
  demand.max = layer.ownLimit ? demand.max : std::min(demand.max, rates.max);
  demand.min = std::min(rates.min, demand.max);
  demand.sender = layer.sender;
  demand.scaleDownBy = scale;
  demand.wasOn = !stream.stats().targetBitrate.isZero();
  return demand;
}

void RtpSession::Impl::allocate() {
  demands_.clear();
  for (const auto& stream : streams_) demands_.push_back(demandOf(*stream));
  allocateBitrate(mediaBudget(), demands_);
  allocated_ = DataRate::zero();
  for (size_t i = 0; i < streams_.size(); ++i) {
    SendStream& stream = *streams_[i];
    allocated_ = allocated_ + demands_[i].given;
    stream.setRetransmissionRate(target_.bandwidth);
    stream.given = demands_[i].given;
  }
  for (const auto& stream : streams_) giveTarget(*stream);
  describeLayers();
}

void RtpSession::Impl::tellPath(SendStream& stream, Timestamp now) {
  if (!stream.config().fec && !stream.config().red && !stream.config().nack) return;
  const Duration rtt = rtt_.smoothed().value_or(target_.rtt);
  // What a full queue drops is not to be answered with still more packets. Sound is a trickle.
  const bool congested =
      stream.config().kind == MediaKind::Video && controller_->state().queueDelay > kFullQueue;
  if (stream.setPath(congested ? LossEstimate{} : losses_.estimate(), rtt)) describeStreams(now);
  giveTarget(stream);
}

/// What an encoder gets is what its stream was given, less what repairs what it makes (RFC 8854
/// section 8: FEC counts against the estimate). Repetitions take what nobody was given first.
void RtpSession::Impl::giveTarget(SendStream& stream) {
  const double share = stream.config().kind == MediaKind::Audio
                           ? 1.0 / static_cast<double>(stream.copiesOfSound() + 1)
                           : stream.encoderShare();
  DataRate target = share < 1 ? stream.given * share : stream.given;
  if (const double repeated = stream.repetitionShare(); repeated > 0) {
    const DataRate budget = mediaBudget();
    const DataRate spare = budget > allocated_ ? budget - allocated_ : DataRate::zero();
    target = std::min(target, (target + spare) * (1 - std::min(repeated, kMostRepeated)));
  }
  if (stream.stats().targetBitrate == target) return;
  stream.stats().targetBitrate = target;
  stream.pendingTarget = target;
}

}  // namespace parley::media
