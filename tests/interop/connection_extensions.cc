// Header extensions: asks for all there are, and tells what came of them.

#include <chrono>
#include <set>

#include "awaiting.h"
#include "connection.h"

namespace parley::interop {

/// What the frames of one receiver brought along. Its transform runs on threads of the library.
struct Connection::Brought {
  std::mutex mutex;
  uint64_t frames = 0;
  uint64_t captureTimes = 0;
  double captureAgeMs = 0;  ///< of the last frame that told when it was captured
  std::optional<rtp::ColorSpaceValue> colorSpace;
  uint64_t timings = 0;
  std::optional<rtp::VideoTimingValue> timing;
  std::set<unsigned> temporalLayers;
  std::set<unsigned> spatialLayers;

  void note(const EncodedFrame& frame) {
    const std::lock_guard lock(mutex);
    ++frames;
    temporalLayers.insert(frame.temporalIndex);
    spatialLayers.insert(frame.spatialIndex);
    if (frame.colorSpace) colorSpace = frame.colorSpace;
    if (frame.timing) {
      ++timings;
      timing = frame.timing;
    }
    if (!frame.captureTime) return;
    ++captureTimes;
    // NTP counts seconds since 1900, in steps of 2^-32.
    constexpr double kTo1970 = 2'208'988'800;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    captureAgeMs = std::chrono::duration<double, std::milli>(now).count() -
                   (static_cast<double>(frame.captureTime->value) / 4294967296.0 - kTo1970) * 1000;
  }

  Json told() {
    const std::lock_guard lock(mutex);
    Json out = {{"frames", frames},           {"captureTimes", captureTimes},
                {"timings", timings},         {"captureAgeMs", captureAgeMs},
                {"temporal", temporalLayers}, {"spatial", spatialLayers}};
    if (colorSpace) {
      out["colorSpace"] = {{"primaries", colorSpace->primaries},
                           {"transfer", colorSpace->transfer},
                           {"matrix", colorSpace->matrix},
                           {"range", colorSpace->range}};
    }
    if (timing) {
      out["timing"] = {{"encodeStart", timing->encodeStart},
                       {"encodeFinish", timing->encodeFinish},
                       {"packetized", timing->packetized},
                       {"leftPacer", timing->leftPacer}};
    }
    return out;
  }
};

void Connection::askForExtensions() {
  for (RtpTransceiver transceiver : pc_.getTransceivers()) {
    auto extensions = transceiver.getHeaderExtensionsToNegotiate();
    for (RtpHeaderExtensionCapability& extension : extensions)
      extension.direction = TransceiverDirection::SendRecv;
    need(transceiver.setHeaderExtensionsToNegotiate(extensions));
    const auto brought = std::make_shared<Brought>();
    brought_.emplace_back(transceiver, brought);
    need(transceiver.receiver().setTransform([brought](EncodedFrame& frame) {
      brought->note(frame);
      return true;
    }));
  }
}

Json Connection::extensions() const {
  Json out = Json::array();
  for (const auto& [transceiver, brought] : brought_) {
    Json told = brought->told();
    told["kind"] = toString(transceiver.kind());
    told["negotiated"] = Json::array();
    for (const auto& extension : transceiver.getNegotiatedHeaderExtensions()) {
      if (extension.direction != TransceiverDirection::Stopped)
        told["negotiated"].push_back(extension.uri);
    }
    for (const RtpContributingSource& source : transceiver.receiver().getSynchronizationSources()) {
      if (source.audioLevel) told["audioLevel"] = *source.audioLevel;
      if (source.captureTimestampMs) told["captureTimestampMs"] = *source.captureTimestampMs;
    }
    out.push_back(std::move(told));
  }
  return out;
}

void Connection::setPlayoutDelay(const Json& request) {
  const PlayoutDelay delay{Duration::millis(request.at("min").get<int64_t>()),
                           Duration::millis(request.at("max").get<int64_t>())};
  need(transceiverOf(MediaKind::Video).sender().setPlayoutDelay(delay));
}

}  // namespace parley::interop
