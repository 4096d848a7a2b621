#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/api/rtp_transceiver.h"
#include "parley/base/time.h"

#include "api/track_core.h"

namespace parley::api_internal {

/// The slots of an RTCDTMFSender.
struct ToneState {
  std::string buffer;
  Duration duration;
  Duration gap;
  bool scheduled = false;  ///< a playout task
  std::function<void(const std::string&)> onChange;
};

/// What the facade knows of one transceiver beyond the session: the slots of its RTCRtpSender and
/// RTCRtpReceiver. The connection has it as long as the session has the transceiver; after that it
/// lives as long as an app's handle does.
struct TransceiverSlots {
  uint32_t id = 0;
  MediaKind kind = MediaKind::Audio;
  std::shared_ptr<TrackCore> senderTrack;
  std::shared_ptr<TrackCore> receiverTrack;
  std::vector<RtpEncodingParameters> encodings;     ///< W3C [[SendEncodings]]
  std::vector<RtpEncodingParameters> ridless;       ///< before a peer's layers
  std::optional<RtpSendParameters> lastParameters;  ///< W3C [[LastReturnedParameters]]
  std::optional<DegradationPreference> degradation;
  std::optional<double> jitterBufferTarget;
  std::optional<PlayoutDelay> playoutDelay;  ///< that the sender wishes of the peer
  ToneState tones;

  // As the connection was when it closed.
  std::optional<std::string> mid;
  bool hadTransport = false;
  std::optional<size_t> transportOwnOf;  ///< DtlsTransport::ownOf
};

}  // namespace parley::api_internal
