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
#include "parley/api/priority.h"
#include "parley/api/rtp_packets.h"
#include "parley/api/stats_report.h"
#include "parley/api/telephone_event.h"
#include "parley/api/transports.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/jsep/types.h"

namespace parley {

struct Configuration;
namespace api_internal {
class PeerConnectionCore;
struct TransceiverSlots;
}  // namespace api_internal

/// RTCRtpTransceiverDirection (webrtc-pc section 5.4).
using TransceiverDirection = jsep::TransceiverDirection;

/// RTCRtpCodec (webrtc-pc section 5.2). Equal to another if all is, letter by letter.
struct RtpCodec {
  std::string mimeType;                ///< "video/VP8"
  uint32_t clockRate = 0;              ///< of RTP timestamps, hertz
  std::optional<uint16_t> channels{};  ///< audio only
  /// What a=fmtp has behind the payload type; an empty one counts as none.
  std::optional<std::string> sdpFmtpLine{};
  bool operator==(const RtpCodec&) const = default;
};

/// RTCRtpCodecParameters (webrtc-pc section 5.2).
struct RtpCodecParameters : RtpCodec {
  uint8_t payloadType = 0;  ///< in RTP packets, 0 to 127
  bool operator==(const RtpCodecParameters&) const = default;
};

/// RTCRtpHeaderExtensionParameters (webrtc-pc section 5.2): a negotiated header extension.
struct RtpHeaderExtensionParameters {
  std::string uri;         ///< says which
  uint16_t id = 0;         ///< in RTP packets (RFC 8285)
  bool encrypted = false;  ///< by itself (RFC 6904)
  bool operator==(const RtpHeaderExtensionParameters&) const = default;
};

/// RTCRtpHeaderExtensionCapability (webrtc-extensions): `Stopped` means not offered.
struct RtpHeaderExtensionCapability {
  std::string uri;                                                  ///< says which
  TransceiverDirection direction = TransceiverDirection::SendRecv;  ///< offered, or negotiated
  bool operator==(const RtpHeaderExtensionCapability&) const = default;
};

/// RTCRtpCapabilities (webrtc-pc section 5.2).
struct RtpCapabilities {
  std::vector<RtpCodec> codecs;  ///< best first; rtx, red, FEC and telephone-event among them
  std::vector<RtpHeaderExtensionCapability> headerExtensions;  ///< with their default direction
  /// scalabilityModes (webrtc-svc) of a sender's codecs: what
  /// RtpEncodingParameters::scalabilityMode may be with which. "L2T3_KEY" is two sizes, three frame
  /// rates, the larger size built on the smaller one in key frames only.
  struct Scalability {
    std::string mimeType;            ///< of the codec
    std::vector<std::string> modes;  ///< spelled as in webrtc-svc
  };
  std::vector<Scalability> scalability{};  ///< empty for receivers, who take whatever comes
};

/// RTCRtcpParameters (webrtc-pc section 5.2).
struct RtcpParameters {
  /// Of this end, the same for all senders of a connection (RFC 7022); nothing with a receiver.
  std::optional<std::string> cname{};
  std::optional<bool> reducedSize{};  ///< RTCP packets may come alone (RFC 5506)
  bool operator==(const RtcpParameters&) const = default;
};

/// RTCDegradationPreference (mst-content-hint): what may be given up of raw pictures when there is
/// too little bitrate or time to encode them well. None of it touches frames that are compressed
/// already, nor the layers of simulcast and of spatial scalability, which are switched off instead.
enum class DegradationPreference {
  /// Pictures get smaller: 3/4, 1/2, 3/8, ... as wide, down to 320x180.
  MaintainFramerate,
  /// Pictures get rarer.
  MaintainResolution,
  /// Smaller pictures get rarer too.
  Balanced,
  /// Neither: single pictures are left out.
  MaintainFramerateAndResolution,
};
/// The W3C spelling: "maintain-framerate".
PARLEY_EXPORT const char* toString(DegradationPreference preference);

/// RTCResolutionRestriction (webrtc-extensions): bounds in pixels, for pictures either way up. Both
/// are above zero.
struct ResolutionRestriction {
  uint32_t maxWidth = 0;   ///< of one side; of which follows from how the picture lies
  uint32_t maxHeight = 0;  ///< of the other one
  bool operator==(const ResolutionRestriction&) const = default;
};

/// RTCRtpEncodingParameters and RTCRtpCodingParameters (webrtc-pc section 5.2), of one layer of
/// simulcast or of all that is sent.
struct RtpEncodingParameters {
  /// The name of the layer (RFC 8851), 1 to 16 letters and digits. Fixed once it is made.
  std::optional<std::string> rid{};
  bool active = true;  ///< false: nothing of it is sent
  /// Out of what is negotiated; nothing: the first (webrtc-extensions).
  std::optional<RtpCodec> codec{};
  /// At most, without headers; nothing: what the network carries.
  std::optional<DataRate> maxBitrate{};
  /// Pictures per second at most, not below 0; video only. Nothing: as many as come.
  std::optional<double> maxFramerate{};
  /// By what width and height are divided, at least 1. Video only, where it always has a value: 1
  /// for the last of several layers, twice that for each before it.
  std::optional<double> scaleResolutionDownBy{};
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
  /// Audio only, with codecs that know several lengths (Opus): packets get up to 60 ms long while
  /// there is little bitrate, and never longer than the peer's maxptime (webrtc-extensions).
  bool adaptivePtime = false;
  bool operator==(const RtpEncodingParameters&) const = default;
};

/// RTCRtpSendParameters and RTCRtpParameters (webrtc-pc section 5.2). What setParameters may change
/// are `encodings` and `degradationPreference`; the rest says what is negotiated.
struct RtpSendParameters {
  std::string transactionId;                     ///< names the getParameters that these are from
  std::vector<RtpEncodingParameters> encodings;  ///< as many, and in the order, as they were made
  /// Nothing: as the track's contentHint says. "motion" is MaintainFramerate, "detail" and "text"
  /// are MaintainResolution, none is Balanced.
  std::optional<DegradationPreference> degradationPreference{};
  std::vector<RtpHeaderExtensionParameters> headerExtensions;  ///< those that are sent
  RtcpParameters rtcp;                                         ///< what RTCP says and may do
  std::vector<RtpCodecParameters> codecs;  ///< those that may be sent, best first
  bool operator==(const RtpSendParameters&) const = default;
};

/// RTCRtpReceiveParameters (webrtc-pc section 5.3): what is negotiated, empty before.
struct RtpReceiveParameters {
  std::vector<RtpHeaderExtensionParameters> headerExtensions;  ///< those that may come
  RtcpParameters rtcp;                                         ///< its `cname` is empty
  std::vector<RtpCodecParameters> codecs;                      ///< those that may come, best first
};

/// RTCRtpContributingSource, and RTCRtpSynchronizationSource, which has the same members
/// (webrtc-pc section 5.3, webrtc-extensions).
struct RtpContributingSource {
  double timestampMs = 0;            ///< when it was last heard, milliseconds since 1970
  uint32_t source = 0;               ///< CSRC or SSRC
  std::optional<double> audioLevel;  ///< 0..1 linear
  uint32_t rtpTimestamp = 0;         ///< of the packet that was played then
  /// captureTimestamp: when what was heard or seen last was captured, by the clock of the system
  /// that captured it; milliseconds since 1900. Where abs-capture-time is agreed.
  std::optional<double> captureTimestampMs{};
  /// senderCaptureTimeOffset: how much that clock is ahead of the sender's, by the sender's
  /// estimate; milliseconds. Nothing if the sender does not tell.
  std::optional<double> senderCaptureTimeOffsetMs{};
};

/// How long pictures should wait at the receiver for a smooth playout, from the arrival of those
/// that came fastest. Both zero: each picture is to be shown as soon as it has come.
struct PlayoutDelay {
  Duration min;  ///< at least so long
  Duration max;  ///< at most so long
  bool operator==(const PlayoutDelay&) const = default;
};

/// RTCRtpTransceiverInit (webrtc-pc section 5.1).
struct TransceiverInit {
  TransceiverDirection direction = TransceiverDirection::SendRecv;  ///< any but Stopped
  std::vector<std::string> streams{};  ///< ids of those that the sender's track belongs to
  /// Several: layers of simulcast, at most three, further ones are left out; each with a rid, or
  /// none ("0", "1", "2" then). Of sound the first one alone counts. Empty: one, with defaults.
  std::vector<RtpEncodingParameters> sendEncodings{};
  /// Beyond the W3C: the layers of simulcast that our offers ask the peer to send (RFC 8853,
  /// a=simulcast:recv), as servers do; their rids, at most three, for video that is received. The
  /// peer may send fewer. Received as with Configuration::receiveSimulcast.
  std::vector<std::string> receiveRids{};
  /// Beyond the W3C: the layers of simulcast are told to the peer by their SSRCs (a=ssrc-group:SIM,
  /// in the order of `sendEncodings`: the smallest first), as servers from before RFC 8853 want it.
  /// Such a peer is not asked whether it takes them. The encodings' rids name them here only.
  bool layersBySsrc = false;
};

/// RTCEncodingOptions (webrtc-extensions).
struct EncodingOptions {
  bool keyFrame = false;  ///< the next picture is to be a key frame
};

/// RTCSetParameterOptions (webrtc-extensions): one entry for each encoding, or none at all.
struct SetParameterOptions {
  std::vector<EncodingOptions> encodingOptions{};  ///< in the order of the encodings
};

/// RTCRtpSender (webrtc-pc section 5.2): a handle. Valid after its transceiver has stopped and
/// after the connection has closed: getters go on to show what was. Thread rules: those of the
/// Loop.
class PARLEY_EXPORT RtpSender {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  RtpSender() = default;
  /// Whether it refers to a sender, stopped ones included.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const RtpSender&) const = default;

  /// What it sends; empty if nothing.
  MediaStreamTrack track() const;
  /// Swaps the track without renegotiation; an empty one stops sending. Waits its turn in the
  /// operations chain (webrtc-pc section 4.4.1.2). Type for another kind; InvalidState once stopped
  /// or closed, and for a track of packets while there is a transform. `done` is called as a
  /// Completion.
  void replaceTrack(MediaStreamTrack track, std::function<void(Result<void>)> done);
  /// Calls in one turn of the loop's thread give the same parameters, with the same transaction id;
  /// they can be used for `setParameters` in that turn only (webrtc-pc section 5.2). Callers on
  /// other threads than the one that runs the loop may use them until they ask again.
  RtpSendParameters getParameters() const;
  /// Takes effect with `done`, which is called as a Completion, without negotiation.
  /// InvalidState if the transceiver has stopped or the parameters are not of this turn;
  /// InvalidModification if anything differs but degradationPreference and members of `encodings`
  /// other than rid, if a codec is not negotiated, or if scaleResolutionDownTo is 0 or given to
  /// some active encodings only; Range for scaleResolutionDownBy < 1 or maxFramerate < 0; Operation
  /// for a scalabilityMode that no codec in question has. `options` may ask for key frames;
  /// InvalidModification unless it names all encodings or none.
  void setParameters(RtpSendParameters parameters, std::function<void(Result<void>)> done,
                     const SetParameterOptions& options = {});
  /// Ids of the streams that the track belongs to, doubled ones once; told to the peer with the
  /// next negotiation. InvalidState on a closed connection; Type for what PeerConnection::addTrack
  /// refuses.
  Result<void> setStreams(std::vector<std::string> streams);
  /// What can be sent with the built-in codecs; PeerConnection::capabilities knows the app's own.
  /// Any thread.
  static RtpCapabilities getCapabilities(MediaKind kind);
  /// The same for connections with this configuration: with the codecs it brings
  /// (devices::useFfmpegCodecs, its own factories, encodedVideoFormats).
  static RtpCapabilities getCapabilities(MediaKind kind, const Configuration& configuration);
  /// Empty until a description has given the transceiver a section.
  DtlsTransport transport() const;
  /// Empty for video.
  DtmfSender dtmf() const;
  /// Runs on each compressed frame before it is sent (webrtc-encoded-transform); an empty function
  /// removes it. After a dropped picture a key frame comes next. InvalidState once stopped or
  /// closed, and where packets are sent (MediaStreamTrack::createRtp, Forwarder), which would pass
  /// by it.
  Result<void> setTransform(FrameTransform transform);
  /// Encrypts what is sent. Type for one that decrypts; InvalidAccess where its keys would give
  /// plaintexts away (SframeTransform::setKey); NotSupported where a codec is negotiated that it
  /// cannot treat; InvalidState as above.
  Result<void> setTransform(const SframeTransform& transform);
  /// As setTransform(FrameTransform), for an app that takes its time; each replaces the other.
  Result<void> setReader(FrameReader reader);
  /// The next picture will be a key frame: of the encodings with these rids, or of all.
  /// (webrtc-encoded-transform.) InvalidState once stopped or closed, and for audio; NotFound for a
  /// rid that the sender does not have, which is any if it has one encoding.
  Result<void> generateKeyFrame(const std::vector<std::string>& rids = {});
  /// Beyond the W3C: tells the peer's jitter buffer what to keep to, where the header extension
  /// playout-delay is agreed (video; libwebrtc takes it). Nothing: no more wish is told; what the
  /// peer has learnt holds. In steps of 10 ms. Range unless 0 <= min <= max <= 40.95 s;
  /// InvalidState once stopped or closed, and for audio.
  Result<void> setPlayoutDelay(std::optional<PlayoutDelay> delay);
  /// outbound-rtp of this sender and what it refers to (webrtc-pc section 8.5).
  void getStats(std::function<void(Result<StatsReport>)> done) const;

  // For the library's own objects, with the loop's lock held.
  RtpSender(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver);
  RtpSender(std::shared_ptr<api_internal::PeerConnectionCore> core,
            std::shared_ptr<api_internal::TransceiverSlots> slots);
  uint32_t transceiverId() const { return transceiver_; }
  const std::shared_ptr<api_internal::PeerConnectionCore>& core() const { return core_; }

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  std::shared_ptr<api_internal::TransceiverSlots> slots_;
  uint32_t transceiver_ = 0;
};

/// RTCRtpReceiver (webrtc-pc section 5.3): a handle, as RtpSender.
class PARLEY_EXPORT RtpReceiver {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  RtpReceiver() = default;
  /// Whether it refers to a receiver, stopped ones included.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const RtpReceiver&) const = default;

  /// The same from the start, muted while nothing comes, ended once stopped or closed.
  MediaStreamTrack track() const;
  /// What is negotiated for receiving.
  RtpReceiveParameters getParameters() const;
  /// As RtpSender::transport.
  DtlsTransport transport() const;
  /// What can be received with the built-in codecs. Any thread.
  static RtpCapabilities getCapabilities(MediaKind kind);
  /// As RtpSender::getCapabilities.
  static RtpCapabilities getCapabilities(MediaKind kind, const Configuration& configuration);
  /// The CSRCs of packets of the last 10 seconds, newest first; empty once closed.
  std::vector<RtpContributingSource> getContributingSources() const;
  /// The SSRCs of packets of the last 10 seconds, newest first; empty once closed.
  std::vector<RtpContributingSource> getSynchronizationSources() const;
  /// How long media should wait in the jitter buffer at least, milliseconds; nothing = whatever
  /// suits the network (webrtc-extensions).
  std::optional<double> jitterBufferTarget() const;
  /// Range outside 0 to 4000.
  Result<void> setJitterBufferTarget(std::optional<double> milliseconds);
  /// inbound-rtp of this receiver and what it refers to (webrtc-pc section 8.5).
  void getStats(std::function<void(Result<StatsReport>)> done) const;
  /// Runs on each compressed frame before it is decoded (webrtc-encoded-transform); an empty
  /// function removes it. A dropped packet of sound is concealed; after a dropped picture a key
  /// frame is asked for and awaited. A packet of sound that may repair the one lost before it is
  /// shown for that as well.
  /// InvalidState once stopped or closed.
  Result<void> setTransform(FrameTransform transform);
  /// Decrypts what is received. Errors as RtpSender::setTransform; Type for one that encrypts.
  Result<void> setTransform(const SframeTransform& transform);
  /// As RtpSender::setReader.
  Result<void> setReader(FrameReader reader);
  /// Asks the peer for a key frame (PLI, or FIR where that alone is agreed). At most one request
  /// leaves per 300 ms and a round trip, a second at most; senders answer no more. Nothing happens
  /// once closed.
  void requestKeyFrame();
  /// Called when a key of the peer's telephone is pressed, and when it is let go (RFC 4733): once
  /// each, however many packets say so, and 200 ms after the last of them where the end is lost. An
  /// empty function removes it. One tone at a time; of more than 16 that wait some are not told.
  void onTelephoneEvent(std::function<void(const TelephoneEvent&)> callback);
  /// Takes the packets themselves, before anything is put together: all that arrive, in order of
  /// arrival within each source, after SRTP and with losses repaired as `repair` says, which makes
  /// repaired ones late. The track stays silent meanwhile; an empty sink makes it play again.
  /// Reception is counted and reported, and congestion is fed back, as ever. The sink runs on the
  /// loop's thread as other callbacks do; at most 1024 packets wait for it, the newest beyond that
  /// are dropped. Key frames are up to the app (requestKeyFrame).
  /// InvalidState once stopped or closed, and while the receiver is published in a Forwarder.
  Result<void> setPacketSink(RtpPacketSink sink, PacketRepair repair = PacketRepair::Full);

  // For the library's own objects, with the loop's lock held.
  RtpReceiver(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver);
  RtpReceiver(std::shared_ptr<api_internal::PeerConnectionCore> core,
              std::shared_ptr<api_internal::TransceiverSlots> slots);
  uint32_t transceiverId() const { return transceiver_; }
  const std::shared_ptr<api_internal::PeerConnectionCore>& core() const { return core_; }

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  std::shared_ptr<api_internal::TransceiverSlots> slots_;
  uint32_t transceiver_ = 0;
};

/// RTCRtpTransceiver (webrtc-pc section 5.4): a handle, as RtpSender.
class PARLEY_EXPORT RtpTransceiver {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  RtpTransceiver() = default;
  /// Whether it refers to a transceiver, stopped ones included.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const RtpTransceiver&) const = default;

  /// The section of the descriptions that it is in; nothing before it has one.
  std::optional<std::string> mid() const;
  /// Of what it sends and receives alike; it never changes.
  MediaKind kind() const;
  /// The same always.
  RtpSender sender() const;
  /// The same always.
  RtpReceiver receiver() const;
  /// What the next negotiation is to ask for; Stopped once stopped or closed.
  TransceiverDirection direction() const;
  /// InvalidState once stopped or closed; Type for `Stopped`.
  Result<void> setDirection(TransceiverDirection direction);
  /// What was negotiated last; nothing before the first negotiation. Stopped once stopped for good
  /// or closed.
  std::optional<TransceiverDirection> currentDirection() const;
  /// Whether it has stopped for good: by a negotiation, or with the connection. (After stop() only
  /// `direction` says so until then.)
  bool stopped() const;
  /// Stops sending and receiving at once; the next negotiation rejects the m-section. InvalidState
  /// on a closed connection; nothing happens if it has stopped before.
  Result<void> stop();
  /// Which codecs to offer or answer, best first; empty = the defaults again. InvalidModification
  /// for one that is not among PeerConnection::capabilities, and if there are only such as
  /// accompany others (rtx, red, FEC). InvalidState when closed.
  Result<void> setCodecPreferences(std::vector<RtpCodec> codecs);
  /// Header extensions that the next offer or answer may negotiate (webrtc-extensions).
  std::vector<RtpHeaderExtensionCapability> getHeaderExtensionsToNegotiate() const;
  /// Type for an empty URI; InvalidModification unless it is the same list, in its order, with
  /// other directions, and for a mid extension (RFC 9143) that is not SendRecv: bundled media needs
  /// it; InvalidState once closed. Of no effect once stopped.
  Result<void> setHeaderExtensionsToNegotiate(
      const std::vector<RtpHeaderExtensionCapability>& extensions);
  /// Whether it was agreed that header extensions and contributing sources are encrypted with the
  /// payload (webrtc-extensions; Configuration::headerEncryption, RFC 9335). False before.
  bool rtpHeaderEncryptionNegotiated() const;
  /// The same list with what was negotiated; all `Stopped` before.
  std::vector<RtpHeaderExtensionCapability> getNegotiatedHeaderExtensions() const;

  // For the library's own objects, with the loop's lock held.
  RtpTransceiver(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver);
  RtpTransceiver(std::shared_ptr<api_internal::PeerConnectionCore> core,
                 std::shared_ptr<api_internal::TransceiverSlots> slots);

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  std::shared_ptr<api_internal::TransceiverSlots> slots_;
  uint32_t transceiver_ = 0;
};

}  // namespace parley
