#include "forwarding/publication.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "parley/base/text.h"

namespace parley::forwarding {
namespace {

constexpr size_t kVideoCache = 1024;
constexpr size_t kAudioCache = 64;
constexpr Duration kWindow = Duration::millis(500);
/// How much the newest window counts.
constexpr double kNewest = 0.5;
constexpr Duration kKeyFrameInterval = Duration::millis(300);
/// Another layer must cost at least this much more to be a step by itself.
constexpr double kLeastStep = 1.1;

/// What comes in the midst of a codec's packets and with its numbers (RFC 4733 section 2.1, RFC
/// 3389), or around them.
bool isAuxiliary(std::string_view codec) {
  constexpr std::string_view kNames[] = {"telephone-event", "CN",      "red",       "rtx",
                                         "ulpfec",          "flexfec", "flexfec-03"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [codec](std::string_view name) { return equalsIgnoreCase(name, codec); });
}

}  // namespace

Encoding::Encoding(uint32_t ssrc, std::string_view rid, const PublicationConfig& config,
                   const PublicationConfig::Codec& codec)
    : ssrc_(ssrc),
      rid_(rid),
      codec_(codec),
      reader_(config.kind == media::MediaKind::Video ? codec.name : std::string(),
              config.extensions),
      cache_(std::make_unique<PacketCache>(config.kind == media::MediaKind::Video ? kVideoCache
                                                                                  : kAudioCache)) {}

bool Encoding::setCodec(const PublicationConfig& config, const PublicationConfig::Codec& codec) {
  const bool isAnother = !equalsIgnoreCase(codec_.name, codec.name);
  codec_ = codec;
  if (config.kind != media::MediaKind::Video || !isAnother) return false;
  reader_ = LayerReader(codec.name, config.extensions);
  return true;
}

int64_t Encoding::note(const rtp::PacketView& view, const PacketLayers& layers, bool isVideo,
                       Timestamp now) {
  if (!started_) windowStart_ = now;
  started_ = true;
  lastPacket_ = now;
  const size_t spatial = std::min<size_t>(layers.spatial, kSpatial - 1);
  const size_t temporal = std::min<size_t>(layers.temporal, kTemporal - 1);
  bytes_[spatial][temporal] += view.size();
  if (isVideo) {
    if (layers.keyFrame) {
      keyFrameWanted_ = false;
      if (layers.size.width != 0) size_ = layers.size;
      spatialLayers_ = temporalLayers_ = 1;
    }
    spatialLayers_ = std::max(spatialLayers_, spatial + 1);
    temporalLayers_ = std::max(temporalLayers_, temporal + 1);
  }
  return sequences_.unwrap(view.sequenceNumber());
}

void Encoding::measure(Timestamp now) {
  const Duration passed = now - windowStart_;
  if (!started_ || passed < kWindow) return;
  windowStart_ = now;
  isMeasured_ = true;
  for (size_t s = 0; s < kSpatial; ++s) {
    for (size_t t = 0; t < kTemporal; ++t) {
      const double newest = static_cast<double>(bytes_[s][t]) * 8 / passed.seconds();
      double& rate = rates_[s][t];
      rate = rate == 0 ? newest : rate * (1 - kNewest) + newest * kNewest;
      bytes_[s][t] = 0;
    }
  }
}

DataRate Encoding::rateOf(size_t spatial, size_t temporal) const {
  double sum = 0;
  for (size_t s = 0; s <= std::min(spatial, kSpatial - 1); ++s) {
    for (size_t t = 0; t <= std::min(temporal, kTemporal - 1); ++t) sum += rates_[s][t];
  }
  return DataRate::bps(static_cast<int64_t>(sum));
}

bool Encoding::takeKeyFrameWish(Timestamp now) {
  if (!keyFrameWanted_ || now < nextKeyFrameWish_ || !alive(now)) return false;
  nextKeyFrameWish_ = now + kKeyFrameInterval;
  return true;
}

const Encoding* Publication::find(const rtp::PacketView& packet) const {
  for (const auto& encoding : encodings_) {
    if (encoding->ssrc() == packet.ssrc() && encoding->payloadType() == packet.payloadType())
      return encoding.get();
  }
  return nullptr;
}

Encoding* Publication::encodingOf(const rtp::PacketView& packet, std::string_view rid,
                                  uint8_t& number, bool& isNew, Timestamp now) {
  isNew = false;
  size_t at = 0;
  while (at < encodings_.size() && encodings_[at]->ssrc() != packet.ssrc()) ++at;
  const bool isKnown = at < encodings_.size();
  if (!isKnown || encodings_[at]->payloadType() != packet.payloadType()) {
    const auto codec =
        std::find_if(config_.codecs.begin(), config_.codecs.end(),
                     [&](const auto& entry) { return entry.payloadType == packet.payloadType(); });
    if (codec == config_.codecs.end()) return nullptr;
    if (isKnown) {
      isNew = encodings_[at]->setCodec(config_, *codec);
    } else {
      at = freePlace(now);
      if (at == kMaxEncodings) return nullptr;
      if (at == encodings_.size()) encodings_.emplace_back();
      encodings_[at] = std::make_unique<Encoding>(packet.ssrc(), rid, config_, *codec);
      isNew = true;
    }
  }
  noteCodec(encodings_[at]->codec());
  number = static_cast<uint8_t>(at);
  return encodings_[at].get();
}

void Publication::noteCodec(const PublicationConfig::Codec& codec) {
  const bool isSame =
      codec_ && codec_->payloadType == codec.payloadType && codec_->name == codec.name;
  if (!isSame && !isAuxiliary(codec.name)) codec_ = codec;
}

bool Publication::isOfCodec(uint8_t payloadType, const PublicationConfig::Codec& codec) const {
  return payloadType == codec.payloadType ||
         std::any_of(config_.codecs.begin(), config_.codecs.end(), [&](const auto& entry) {
           return entry.payloadType == payloadType && equalsIgnoreCase(entry.name, codec.name);
         });
}

size_t Publication::freePlace(Timestamp now) const {
  if (encodings_.size() < kMaxEncodings) return encodings_.size();
  // A sender that starts anew has other SSRCs; the places of those that fell silent are theirs.
  size_t at = 0;
  while (at < kMaxEncodings && encodings_[at]->alive(now)) ++at;
  return at;
}

void Publication::measure(Timestamp now) {
  for (const auto& encoding : encodings_) {
    encoding->measure(now);
    encoding->cache().cull(now - Duration::seconds(1));
  }
}

void Publication::options(Timestamp now, const std::optional<uint32_t>& maxHeight,
                          std::vector<LayerOption>& out) const {
  out.clear();
  const bool someMeasured = std::any_of(
      encodings_.begin(), encodings_.end(),
      [now](const auto& encoding) { return encoding->alive(now) && encoding->isMeasured(); });
  for (size_t i = 0; i < encodings_.size(); ++i) {
    const Encoding& encoding = *encodings_[i];
    if (!encoding.alive(now)) continue;
    // What it costs is not known in the first half second: then the one that came first, which with
    // browsers is the smallest, is as good as any.
    if (!encoding.isMeasured() && (someMeasured || !out.empty())) continue;
    const auto number = static_cast<uint8_t>(i);
    for (size_t s = 0; s < encoding.spatialLayers(); ++s) {
      for (size_t t = 0; t < encoding.temporalLayers(); ++t) {
        out.push_back(
            {{number, static_cast<uint8_t>(s), static_cast<uint8_t>(t)}, encoding.rateOf(s, t)});
      }
    }
  }
  const auto heightOf = [&](const LayerOption& option) -> uint32_t {
    const rtp::VideoSize size = encodings_[option.layers.encoding]->size();
    return std::min(size.width, size.height);
  };
  if (maxHeight && !out.empty()) {
    uint32_t smallest = heightOf(out.front());
    for (const LayerOption& option : out) smallest = std::min(smallest, heightOf(option));
    const uint32_t most = std::max(smallest, *maxHeight);
    std::erase_if(out, [&](const LayerOption& option) { return heightOf(option) > most; });
  }
  std::sort(out.begin(), out.end(), [](const LayerOption& a, const LayerOption& b) {
    const auto key = [](const LayerOption& option) {
      const LayerChoice& layers = option.layers;
      return std::tuple(option.rate, layers.encoding, layers.spatial, layers.temporal);
    };
    return key(a) < key(b);
  });
  // A larger picture for about the same rate replaces the smaller one.
  size_t kept = 0;
  for (const LayerOption& option : out) {
    const bool isStep = kept == 0 || option.rate >= out[kept - 1].rate * kLeastStep;
    if (!isStep && option.layers.encoding != out[kept - 1].layers.encoding) continue;
    if (isStep) {
      out[kept++] = option;
    } else {
      out[kept - 1] = option;
    }
  }
  out.resize(kept);
}

}  // namespace parley::forwarding
