#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "parley/base/export.h"
#include "parley/base/strong_id.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/congestion/controller.h"
#include "parley/media/types.h"
#include "parley/rtp/extension_map.h"
#include "parley/rtp/extensions/playout_delay.h"
#include "parley/rtp/fec/fec_packet.h"
#include "parley/rtp/payload_format/payload_format.h"

namespace parley::media {

/// Names one outgoing encoding of an RtpSession. Never reused within a session.
using SendStreamId = StrongId<struct SendStreamIdTag>;

/// What makes an encoding a layer of simulcast: others show the same source in other sizes, and all
/// of them share one part of the bitrate.
struct SimulcastLayer {
  uint32_t sender = 0;     ///< layers with the same number belong together; not 0
  double scaleDownBy = 1;  ///< how much smaller than the source; the smallest is the lowest layer
  bool ownLimit = false;   ///< maxBitrate is the application's: else the picture's size bounds it
  bool operator==(const SimulcastLayer&) const = default;
};

/// What was agreed for the repair of lost video packets without asking (RFC 8854). Used as far as
/// losses and the round trip call for it.
struct FecSendConfig {
  rtp::FecScheme scheme = rtp::FecScheme::Flexfec03;
  uint8_t payloadType = 0;
  uint32_t ssrc = 0;           ///< 0 = drawn; ULPFEC goes under the stream's own
  uint8_t redPayloadType = 0;  ///< ULPFEC only
  std::optional<uint8_t> redRtxPayloadType{};
};

/// What was agreed for sending sound more than once (RED, RFC 2198).
struct AudioRedConfig {
  uint8_t payloadType = 0;
  bool always = false;  ///< also while nothing is lost
  bool operator==(const AudioRedConfig&) const = default;
};

/// One outgoing RTP stream: an encoding of a sender.
struct SendStreamConfig {
  MediaKind kind = MediaKind::Video;
  std::string mid;
  std::string rid;                  ///< of a simulcast encoding; empty otherwise
  uint32_t ssrc = 0;                ///< 0 = drawn at random
  std::optional<uint32_t> rtxSsrc;  ///< 0 = drawn; nullopt = no RTX
  uint8_t payloadType = 0;
  std::optional<uint8_t> rtxPayloadType;
  /// Of telephone events with this stream's clock rate; nullopt = none can be sent.
  std::optional<uint8_t> eventPayloadType;
  std::string codec;  ///< encoding name of SDP; keys the payload format
  int clockRate = 90'000;
  rtp::PayloadFormatParameters payloadFormat;
  rtp::ExtensionMap extensions;
  /// Both forms of header extensions may be mixed (RFC 8285 section 6): those that need the
  /// two-byte form can be sent.
  bool mixedForms = false;
  bool nack = false;   ///< `a=rtcp-fb nack`: keep packets to repeat them
  bool active = true;  ///< an inactive encoding gets no bitrate
  DataRate minBitrate = DataRate::kbps(30);
  DataRate maxBitrate = DataRate::kbps(2500);
  double priority = 1;  ///< share of what is left after all minima
  uint8_t dscp = 0;     ///< of its packets, 6 bits (dscpOf)
  std::optional<SimulcastLayer> layer{};
  /// It sends packets that were made elsewhere (RtpSession::sendPackets) instead of frames. They
  /// are not kept: who made them is told what the peer misses (RtpSession::pollMissing).
  bool takesPackets = false;
  std::optional<FecSendConfig> fec{};   ///< video only
  std::optional<AudioRedConfig> red{};  ///< audio only
  /// How long pictures should wait at the receiver; told where playout-delay is agreed.
  std::optional<rtp::PlayoutDelayValue> playoutDelay{};
};

/// A packet that the peer of a stream with `takesPackets` asks for again.
struct MissingPacket {
  SendStreamId stream{};
  uint16_t sequence = 0;
};

/// An RTP packet of somebody else's, to be sent as one of a stream's own: with its SSRC, payload
/// type, numbers and extension ids. Borrows all it refers to.
struct ForeignPacket {
  rtp::PacketView packet;
  /// What the ids of its header extensions mean; null: none is carried over. Those that say who
  /// sends what and when (mid, rid, send times, transport-wide numbers) are the stream's in any
  /// case.
  const rtp::ExtensionMap* extensions = nullptr;
  bool telephoneEvent = false;  ///< its payload is of RFC 4733, not of the stream's codec
};

/// Where a stream is: a packet after these numbers goes on from them.
struct SentPosition {
  uint16_t sequence = 0;   ///< of the newest packet
  uint32_t timestamp = 0;  ///< of now
};

/// What the peer's reports of RFC 8888 say of one SSRC (webrtc-stats RTCReceivedRtpStreamStats and
/// RTCRemoteInboundRtpStreamStats): packets, each counted once however often it is reported.
struct CongestionReportStats {
  uint64_t packetsReceivedWithEct1 = 0;
  uint64_t packetsReceivedWithCe = 0;
  uint64_t packetsReportedAsLost = 0;              ///< "with a zero R bit"
  uint64_t packetsReportedAsLostButRecovered = 0;  ///< of them, those that a later report has
  uint64_t packetsWithBleachedEct1Marking = 0;     ///< sent as ECT(1), received as not-ECT

  PARLEY_EXPORT void add(const congestion::PacketResult& packet);
};

/// What the peer reports about one of our streams (webrtc-stats remote-inbound-rtp).
struct RemoteInboundStats {
  Timestamp updated;
  uint64_t packetsReceived = 0;
  int64_t packetsLost = 0;
  double fractionLost = 0;
  double jitterSeconds = 0;
  std::optional<Duration> roundTripTime;
  Duration totalRoundTripTime;
  uint64_t roundTripTimeMeasurements = 0;
};

/// Why a stream had to stop (RFC 8083 section 4).
enum class CircuitBreakerReason : uint8_t {
  MediaTimeout,  ///< the peer reports that nothing of it arrives
  RtcpTimeout,   ///< the peer does not report
  Congestion,    ///< losses for which TCP would send a tenth at most
};
/// "media-timeout", "rtcp-timeout", "congestion".
PARLEY_EXPORT const char* toString(CircuitBreakerReason reason);

/// webrtc-stats outbound-rtp, as far as RTP knows it. Counts only ever grow.
struct SendStreamStats {
  SendStreamId id{};
  MediaKind kind = MediaKind::Video;
  std::string mid;
  std::string rid;
  uint32_t ssrc = 0;
  std::optional<uint32_t> rtxSsrc;
  uint8_t payloadType = 0;
  bool active = true;
  uint64_t packetsSent = 0;          ///< with retransmissions and padding
  uint64_t packetsSentWithEct1 = 0;  ///< RFC 3168 codepoint 01
  uint64_t bytesSent = 0;            ///< payload
  uint64_t headerBytesSent = 0;      ///< headers, extensions and padding
  uint64_t retransmittedPacketsSent = 0;
  uint64_t retransmittedBytesSent = 0;
  uint64_t paddingPacketsSent = 0;
  uint64_t fecPacketsSent = 0;  ///< FEC packets; for sound, copies of earlier frames (RED)
  uint64_t fecBytesSent = 0;    ///< in them
  uint64_t framesSent = 0;
  uint64_t keyFramesSent = 0;
  /// Of at least 2.5 times the mean size of the frames before.
  uint64_t hugeFramesSent = 0;
  uint64_t framesDropped = 0;  ///< did not fit in the pacer or the packet pool
  uint32_t nackCount = 0;
  uint32_t pliCount = 0;
  uint32_t firCount = 0;
  Duration totalPacketSendDelay;  ///< time spent in the pacer
  DataRate targetBitrate;
  /// What receivers ask it to stay below (TMMBR, RFC 5104 section 4.2), without their overhead.
  std::optional<DataRate> requestedLimit;
  int frameWidth = 0;
  int frameHeight = 0;
  std::optional<RemoteInboundStats> remote;
  /// There where the peer reports so.
  std::optional<CongestionReportStats> congestionReports{};
  std::optional<CircuitBreakerReason> stopped;  ///< while it is
};

/// The transport's bandwidth estimate.
struct BandwidthStats {
  DataRate target;    ///< what all encoders together may produce
  DataRate estimate;  ///< before back-pressure
  DataRate pacing;
  double lossFraction = 0;
  std::optional<Duration> roundTripTime;
  int64_t bytesInFlight = 0;
  int64_t pacerQueueBytes = 0;
  uint64_t congestionFeedbackSent = 0;  ///< messages of RFC 8888
  uint64_t congestionFeedbackReceived = 0;
  congestion::EstimatorState estimator;  ///< how it came about
};

}  // namespace parley::media
