#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/api/media_track.h"
#include "parley/api/transports.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/units.h"
#include "parley/jsep/types.h"

namespace parley {

namespace api_internal {
class PeerConnectionCore;
}

/// RTCRtpTransceiverDirection.
using TransceiverDirection = jsep::TransceiverDirection;

/// RTCRtpCodec.
struct RtpCodec {
  std::string mimeType;  ///< "video/VP8"
  uint32_t clockRate = 0;
  std::optional<uint16_t> channels;
  std::string sdpFmtpLine;
  bool operator==(const RtpCodec&) const = default;
};

/// RTCRtpEncodingParameters.
struct RtpEncodingParameters {
  std::string rid;
  bool active = true;
  std::optional<DataRate> maxBitrate;
  std::optional<double> maxFramerate;
  double scaleResolutionDownBy = 1.0;
};

/// RTCRtpSendParameters.
struct RtpSendParameters {
  std::string transactionId;
  std::vector<RtpEncodingParameters> encodings;
  std::vector<RtpCodec> codecs;
  std::string cname;
};

/// RTCRtpReceiveParameters.
struct RtpReceiveParameters {
  std::vector<RtpCodec> codecs;
};

/// RTCRtpTransceiverInit.
struct TransceiverInit {
  TransceiverDirection direction = TransceiverDirection::SendRecv;
  std::vector<std::string> streams;
  std::vector<RtpEncodingParameters> sendEncodings;
};

/// RTCRtpSender: a handle. Valid after its transceiver has stopped and after the connection has
/// closed.
class PARLEY_EXPORT RtpSender {
 public:
  RtpSender() = default;
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const RtpSender&) const = default;

  MediaStreamTrack track() const;
  /// Swaps the track without renegotiation; an empty one stops sending. Type for another kind.
  void replaceTrack(MediaStreamTrack track, std::function<void(Result<void>)> done);
  RtpSendParameters getParameters() const;
  /// InvalidModification if `transactionId` is not the latest or a read-only part changed; Range
  /// for scaleResolutionDownBy < 1 or maxFramerate < 0.
  void setParameters(RtpSendParameters parameters, std::function<void(Result<void>)> done);
  void setStreams(std::vector<std::string> streams);
  /// Empty until a description has given the transceiver a section.
  DtlsTransport transport() const;

  RtpSender(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver)
      : core_(std::move(core)), transceiver_(transceiver) {}
  uint32_t transceiverId() const { return transceiver_; }

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  uint32_t transceiver_ = 0;
};

/// RTCRtpReceiver: a handle, as RtpSender.
class PARLEY_EXPORT RtpReceiver {
 public:
  RtpReceiver() = default;
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const RtpReceiver&) const = default;

  MediaStreamTrack track() const;
  RtpReceiveParameters getParameters() const;
  /// As RtpSender::transport.
  DtlsTransport transport() const;
  /// Asks the peer for a key frame (PLI); at most one per 300 ms leaves.
  void requestKeyFrame();

  RtpReceiver(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver)
      : core_(std::move(core)), transceiver_(transceiver) {}

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  uint32_t transceiver_ = 0;
};

/// RTCRtpTransceiver: a handle, as RtpSender.
class PARLEY_EXPORT RtpTransceiver {
 public:
  RtpTransceiver() = default;
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const RtpTransceiver&) const = default;

  std::optional<std::string> mid() const;
  MediaKind kind() const;
  RtpSender sender() const;
  RtpReceiver receiver() const;
  TransceiverDirection direction() const;
  /// InvalidState once stopped or closed; Type for `Stopped`.
  Result<void> setDirection(TransceiverDirection direction);
  /// What was negotiated last; nothing before the first negotiation.
  std::optional<TransceiverDirection> currentDirection() const;
  bool stopped() const;
  /// Stops sending and receiving at once; the next negotiation rejects the m-section.
  Result<void> stop();
  /// Which codecs to offer or answer, best first; empty = the defaults again. InvalidModification
  /// for one that is not supported.
  Result<void> setCodecPreferences(std::vector<RtpCodec> codecs);

  RtpTransceiver(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver)
      : core_(std::move(core)), transceiver_(transceiver) {}

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  uint32_t transceiver_ = 0;
};

}  // namespace parley
