#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/api/dtmf_sender.h"
#include "parley/api/encoded_transform.h"
#include "parley/api/media_track.h"
#include "parley/api/stats_report.h"
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

/// RTCRtpCodecParameters.
struct RtpCodecParameters : RtpCodec {
  uint8_t payloadType = 0;
  bool operator==(const RtpCodecParameters&) const = default;
};

/// RTCRtpHeaderExtensionParameters.
struct RtpHeaderExtensionParameters {
  std::string uri;
  uint16_t id = 0;
  bool encrypted = false;
  bool operator==(const RtpHeaderExtensionParameters&) const = default;
};

/// RTCRtpHeaderExtensionCapability (webrtc-extensions): `Stopped` means not offered.
struct RtpHeaderExtensionCapability {
  std::string uri;
  TransceiverDirection direction = TransceiverDirection::SendRecv;
  bool operator==(const RtpHeaderExtensionCapability&) const = default;
};

/// RTCRtpCapabilities.
struct RtpCapabilities {
  std::vector<RtpCodec> codecs;
  std::vector<RtpHeaderExtensionCapability> headerExtensions;
  /// Of a sender: what RtpEncodingParameters::scalabilityMode may be with which codec. "L2T3_KEY"
  /// is two sizes, three frame rates, the larger size built on the smaller one in key frames only.
  struct Scalability {
    std::string mimeType;
    std::vector<std::string> modes;
  };
  std::vector<Scalability> scalability{};
};

/// RTCRtcpParameters.
struct RtcpParameters {
  std::string cname;
  bool reducedSize = false;
  bool operator==(const RtcpParameters&) const = default;
};

/// RTCPriorityType (webrtc-priority).
enum class PriorityType { VeryLow, Low, Medium, High };
/// RTCDegradationPreference (mst-content-hint).
enum class DegradationPreference { MaintainFramerate, MaintainResolution, Balanced };
/// The W3C spelling: "very-low".
PARLEY_EXPORT const char* toString(PriorityType priority);
/// The W3C spelling: "maintain-framerate".
PARLEY_EXPORT const char* toString(DegradationPreference preference);

/// RTCResolutionRestriction (webrtc-extensions): bounds in pixels, for pictures either way up. Both
/// are above zero.
struct ResolutionRestriction {
  uint32_t maxWidth = 0;
  uint32_t maxHeight = 0;
  bool operator==(const ResolutionRestriction&) const = default;
};

/// RTCRtpEncodingParameters.
struct RtpEncodingParameters {
  std::optional<std::string> rid{};
  bool active = true;
  /// Out of what is negotiated; nothing: the first (webrtc-extensions).
  std::optional<RtpCodec> codec{};
  std::optional<DataRate> maxBitrate{};
  std::optional<double> maxFramerate{};           ///< video only
  std::optional<double> scaleResolutionDownBy{};  ///< video only, where it always has a value
  /// Pictures are made as small as this, their proportions kept; takes the place of
  /// scaleResolutionDownBy. All active encodings have it, or none (webrtc-extensions).
  std::optional<ResolutionRestriction> scaleResolutionDownTo{};
  /// webrtc-svc, see RtpCapabilities::scalability; nothing, or a mode that the codec does not have
  /// in the end: "L1T1".
  std::optional<std::string> scalabilityMode{};
  /// Its share of the bitrate: each level gets twice what the one below gets.
  PriorityType priority = PriorityType::Low;
  /// Marks its packets for the network (RFC 8837 section 5, table 1); Low: unmarked.
  PriorityType networkPriority = PriorityType::Low;
  bool adaptivePtime = false;
  bool operator==(const RtpEncodingParameters&) const = default;
};

/// RTCRtpSendParameters.
struct RtpSendParameters {
  std::string transactionId;
  std::vector<RtpEncodingParameters> encodings;
  std::optional<DegradationPreference> degradationPreference{};
  std::vector<RtpHeaderExtensionParameters> headerExtensions;
  RtcpParameters rtcp;
  std::vector<RtpCodecParameters> codecs;
  bool operator==(const RtpSendParameters&) const = default;
};

/// RTCRtpReceiveParameters.
struct RtpReceiveParameters {
  std::vector<RtpHeaderExtensionParameters> headerExtensions;
  RtcpParameters rtcp;
  std::vector<RtpCodecParameters> codecs;
};

/// RTCRtpContributingSource, and RTCRtpSynchronizationSource, which has the same members.
struct RtpContributingSource {
  double timestampMs = 0;            ///< when it was last heard, milliseconds since 1970
  uint32_t source = 0;               ///< CSRC or SSRC
  std::optional<double> audioLevel;  ///< 0..1 linear
  uint32_t rtpTimestamp = 0;
};

/// RTCRtpTransceiverInit.
struct TransceiverInit {
  TransceiverDirection direction = TransceiverDirection::SendRecv;
  std::vector<std::string> streams;
  std::vector<RtpEncodingParameters> sendEncodings;
  /// Beyond the W3C: the layers of simulcast that our offers ask the peer to send (RFC 8853,
  /// a=simulcast:recv), as servers do; their rids, at most three, for video that is received. The
  /// peer may send fewer. Received as with Configuration::receiveSimulcast.
  std::vector<std::string> receiveRids;
};

/// RTCEncodingOptions (webrtc-extensions).
struct EncodingOptions {
  bool keyFrame = false;  ///< the next picture is to be a key frame
};

/// RTCSetParameterOptions (webrtc-extensions): one entry for each encoding, or none at all.
struct SetParameterOptions {
  std::vector<EncodingOptions> encodingOptions;
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
  /// Calls in one turn of the loop's thread give the same parameters, with the same transaction id;
  /// they can be used for `setParameters` in that turn only (webrtc-pc section 5.2). Callers on
  /// other threads than the one that runs the loop may use them until they ask again.
  RtpSendParameters getParameters() const;
  /// InvalidState if the transceiver has stopped or the parameters are not of this turn;
  /// InvalidModification if anything but the changeable part of `encodings` differs, or a codec is
  /// not negotiated; Range for scaleResolutionDownBy < 1 or maxFramerate < 0; Operation for a
  /// scalabilityMode that no codec in question has.
  /// `options` may ask for key frames; InvalidModification unless it names all encodings or none.
  void setParameters(RtpSendParameters parameters, std::function<void(Result<void>)> done,
                     const SetParameterOptions& options = {});
  /// InvalidState on a closed connection.
  Result<void> setStreams(std::vector<std::string> streams);
  /// RTCRtpSender.getCapabilities, for the built-in codecs.
  static RtpCapabilities getCapabilities(MediaKind kind);
  /// Empty until a description has given the transceiver a section.
  DtlsTransport transport() const;
  /// Empty for video.
  DtmfSender dtmf() const;
  /// Runs on each compressed frame before it is sent (webrtc-encoded-transform); an empty function
  /// removes it. After a dropped picture a key frame comes next. InvalidState once stopped or
  /// closed.
  Result<void> setTransform(FrameTransform transform);
  /// The same for an app that takes its time; replaces the former one, as that replaces this.
  Result<void> setReader(FrameReader reader);
  /// The next picture will be a key frame: of the encodings with these rids, or of all.
  /// InvalidState once stopped or closed, and for audio; NotFound for a rid that the sender does
  /// not have.
  Result<void> generateKeyFrame(const std::vector<std::string>& rids = {});
  /// outbound-rtp of this sender and what it refers to (webrtc-pc section 8.3).
  void getStats(std::function<void(Result<StatsReport>)> done) const;

  RtpSender(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver)
      : core_(std::move(core)), transceiver_(transceiver) {}
  uint32_t transceiverId() const { return transceiver_; }
  const std::shared_ptr<api_internal::PeerConnectionCore>& core() const { return core_; }

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
  /// RTCRtpReceiver.getCapabilities, for the built-in codecs.
  static RtpCapabilities getCapabilities(MediaKind kind);
  /// Of the last 10 seconds, newest first.
  std::vector<RtpContributingSource> getContributingSources() const;
  std::vector<RtpContributingSource> getSynchronizationSources() const;
  /// How long media should wait in the jitter buffer at least, milliseconds; nothing = whatever
  /// suits the network (webrtc-extensions).
  std::optional<double> jitterBufferTarget() const;
  /// Range outside 0 to 4000.
  Result<void> setJitterBufferTarget(std::optional<double> milliseconds);
  /// inbound-rtp of this receiver and what it refers to (webrtc-pc section 8.3).
  void getStats(std::function<void(Result<StatsReport>)> done) const;
  /// Runs on each compressed frame before it is decoded; an empty function removes it. A dropped
  /// packet of sound is concealed; after a dropped picture the next key frame is awaited.
  /// InvalidState once stopped or closed.
  Result<void> setTransform(FrameTransform transform);
  /// As RtpSender::setReader.
  Result<void> setReader(FrameReader reader);
  /// Asks the peer for a key frame (PLI); at most one per 300 ms leaves.
  void requestKeyFrame();

  RtpReceiver(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver)
      : core_(std::move(core)), transceiver_(transceiver) {}
  uint32_t transceiverId() const { return transceiver_; }
  const std::shared_ptr<api_internal::PeerConnectionCore>& core() const { return core_; }

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
  /// Header extensions that the next offer or answer may negotiate (webrtc-extensions).
  std::vector<RtpHeaderExtensionCapability> getHeaderExtensionsToNegotiate() const;
  /// InvalidModification unless it is the same list with other directions, or if it would stop one
  /// that bundled media cannot do without.
  Result<void> setHeaderExtensionsToNegotiate(
      const std::vector<RtpHeaderExtensionCapability>& extensions);
  /// The same list with what was negotiated; all `Stopped` before.
  std::vector<RtpHeaderExtensionCapability> getNegotiatedHeaderExtensions() const;

  RtpTransceiver(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver)
      : core_(std::move(core)), transceiver_(transceiver) {}

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  uint32_t transceiver_ = 0;
};

}  // namespace parley
