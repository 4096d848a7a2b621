#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/strong_id.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/media/types.h"
#include "parley/rtp/extension_map.h"
#include "parley/rtp/extensions/color_space.h"
#include "parley/rtp/extensions/content_type.h"
#include "parley/rtp/extensions/corruption_detection.h"
#include "parley/rtp/extensions/video_orientation.h"
#include "parley/rtp/extensions/video_timing.h"
#include "parley/rtp/payload_format/video_size.h"

namespace parley::media {

/// Names the receiving side of one media section; chosen by whoever configures it.
using ReceiverId = StrongId<struct ReceiverIdTag>;

/// One payload type that we agreed to receive.
struct ReceiveCodec {
  uint8_t payloadType = 0;
  std::string name;  ///< SDP encoding name: "VP8", "opus", "red", "telephone-event", ...
  uint32_t clockRate = 90'000;
  uint8_t channels = 1;
  std::optional<uint8_t> rtxPayloadType;  ///< whose `apt` is this payload type
  bool nack = false;
  bool pli = false;
  bool fir = false;
};

/// What a description says about a source (a=ssrc, a=ssrc-group:FID). None is needed when the peer
/// sends the mid extension. FlexFEC packets name the source that they repair themselves.
struct SignalledSource {
  uint32_t ssrc = 0;
  std::optional<uint32_t> rtxSsrc{};
  bool isLayer = false;  ///< of simulcast told by SSRCs (a=ssrc-group:SIM)
};

/// What is done about losses where packets are handed on.
enum class PacketRepair : uint8_t {
  None,      ///< nothing; a retransmission that comes all the same is handed on
  Requests,  ///< they are asked for again
  Full,      ///< and put together from FEC
};

/// The receiving side of one media section.
struct ReceiveConfig {
  ReceiverId id{};
  std::string mid;
  MediaKind kind = MediaKind::Audio;
  std::vector<ReceiveCodec> codecs;
  std::vector<SignalledSource> sources;
  rtp::ExtensionMap extensions;
  /// Receivers with the same non-empty group are played in sync: the id of their MediaStream.
  std::string syncGroup;
  /// Nothing is put together or decoded: packets are handed on as they come (pollPacket).
  bool handsOnPackets = false;
  PacketRepair repair = PacketRepair::Requests;
  /// `a=rtcp-fb:* goog-remb` without any feedback of arrivals: the sender goes by what it is told
  /// that it may send.
  bool reportsRate = false;

  /// What a payload type means here; nullptr if nothing. Not for RTX.
  const ReceiveCodec* codecOf(uint8_t payloadType) const {
    for (const ReceiveCodec& codec : codecs) {
      if (codec.payloadType == payloadType) return &codec;
    }
    return nullptr;
  }
};

/// What senders without feedback of arrivals may send together (REMB).
struct RateReport {
  DataRate rate;
  InlineVector<uint32_t, 31> ssrcs;  ///< theirs
};

/// A packet of a receiver that hands them on: in clear, with retransmission undone.
struct ReceivedPacket {
  ReceiverId receiver{};
  uint32_t ssrc = 0;
  std::string rid;  ///< simulcast only
  PacketBuf data;
  Timestamp arrival;
  bool recovered = false;  ///< came as a retransmission, or was put together from FEC
};

/// A complete encoded picture, in decodable order.
struct ReceivedFrame {
  ReceiverId receiver{};
  uint32_t ssrc = 0;
  std::string rid;       ///< simulcast by rid only
  bool isLayer = false;  ///< of simulcast: other sources of the receiver show the same
  uint8_t payloadType = 0;
  std::string codecName;
  Bytes payload;  ///< as decoders take it (H.264: Annex B)
  uint32_t rtpTimestamp = 0;
  bool keyFrame = false;
  rtp::VideoSize size;  ///< zero unless the frame itself says it
  rtp::VideoOrientationValue orientation;
  rtp::VideoContentType contentType = rtp::VideoContentType::Unspecified;
  Timestamp firstPacketArrival;
  Timestamp lastPacketArrival;
  /// When it should be on the screen. It is handed out some milliseconds before, for decoding.
  Timestamp playoutTime;
  std::optional<NtpTime> captureTime;  ///< the capturer's clock, from abs-capture-time or reports
  /// What the sender says that clock is ahead of its own; Q32.32 seconds (abs-capture-time).
  std::optional<int64_t> captureClockOffset;
  /// When it was captured by our own clock: an estimate from reports and round trips.
  std::optional<Timestamp> capturedHere;
  std::optional<rtp::VideoTimingValue> timing;     ///< of a few frames
  std::optional<rtp::ColorSpaceValue> colorSpace;  ///< as told last
  /// What the picture should look like, of a few frames.
  std::optional<rtp::CorruptionDetectionValue> corruption;
  uint8_t spatialId = 0;  ///< of the highest layer in it, where the sender tells
  uint8_t temporalId = 0;
};

/// What to play next on an audio receiver, in order and without gaps while the source is active.
struct AudioPlayoutUnit {
  enum class Kind : uint8_t {
    Packet,   ///< decode `payload`
    Fec,      ///< the packet is lost; `payload` is the one after it, which may hold a copy
    Conceal,  ///< nothing there: the decoder invents it. In discontinuous transmission with CN (RFC
              ///< 3389) it is comfort noise: codecName says so, and `payload` may bring its level
  };
  ReceiverId receiver{};
  uint32_t ssrc = 0;
  Kind kind = Kind::Conceal;
  Bytes payload;
  uint8_t payloadType = 0;
  std::string codecName;
  uint32_t clockRate = 48'000;
  uint8_t channels = 1;
  uint32_t rtpTimestamp = 0;
  /// How much sound it stands for, in units of clockRate.
  uint32_t samples = 0;
  /// How long it should play. Different from `samples` when the buffer is too long or too short:
  /// the decoded sound is to be stretched to this length (see media/time_stretch.h).
  uint32_t playSamples = 0;
  /// When it should be heard.
  Timestamp playoutTime;
  std::optional<NtpTime> captureTime;         ///< as ReceivedFrame::captureTime
  std::optional<int64_t> captureClockOffset;  ///< likewise
};

/// A telephone event (RFC 4733) of the peer's has begun, or is over.
struct ToneEvent {
  ReceiverId receiver{};
  uint32_t ssrc = 0;
  uint8_t event =
      0;  ///< 0 to 9 and *, #, A, B, C, D as 10 to 15; others in the registry of RFC 4733
  uint8_t volume = 0;  ///< -dBm0
  bool ended = false;
  uint32_t rtpTimestamp = 0;  ///< of its beginning
  Timestamp start;            ///< when the first packet of it came
  Duration duration;          ///< so far, as the peer tells; six seconds at most
};

/// A wish to tell the sender something; the session puts it into RTCP.
struct FeedbackRequest {
  enum class Kind : uint8_t { Nack, Pli, Fir };
  Kind kind = Kind::Pli;
  uint32_t mediaSsrc = 0;
  uint8_t firSequence = 0;                ///< Fir only
  InlineVector<uint16_t, 253> sequences;  ///< Nack only; ascending
};

/// A source of a receiver came or went.
struct SourceEvent {
  enum class Kind : uint8_t {
    Started,  ///< first packet of this SSRC, or the first after Ended
    Ended,    ///< RTCP BYE and nothing for two seconds after it; evicted; its receiver was removed
  };
  Kind kind = Kind::Started;
  ReceiverId receiver{};
  uint32_t ssrc = 0;
  std::optional<uint32_t> rtxSsrc;
  std::string rid;
  std::optional<uint32_t> fecSsrc{};
};

/// Counters of one source, named after the members of RTCInboundRtpStreamStats and
/// RTCReceivedRtpStreamStats (webrtc-stats). Times are sums unless said otherwise.
struct InboundStats {
  ReceiverId receiver{};
  MediaKind kind = MediaKind::Audio;
  uint32_t ssrc = 0;
  std::optional<uint32_t> rtxSsrc;
  std::optional<uint32_t> fecSsrc;  ///< of FlexFEC, if it has come
  std::string mid;
  std::string rid;
  bool isLayer = false;  ///< of simulcast
  uint8_t payloadType = 0;
  std::string codecName;

  uint64_t packetsReceived = 0;
  uint64_t packetsReceivedWithEct1 = 0;  ///< RFC 3168 codepoint 01
  uint64_t packetsReceivedWithCe = 0;    ///< congestion experienced
  /// By our reports of RFC 8888 (section 3.1: "with a zero R bit"); there only where such are
  /// agreed. The second: those of the first that a later report has as received.
  std::optional<uint64_t> packetsReportedAsLost{};
  std::optional<uint64_t> packetsReportedAsLostButRecovered{};
  int64_t packetsLost = 0;
  double jitter = 0;  ///< seconds
  uint64_t bytesReceived = 0;
  uint64_t headerBytesReceived = 0;
  uint64_t packetsDiscarded = 0;
  uint64_t retransmittedPacketsReceived = 0;
  uint64_t retransmittedBytesReceived = 0;
  std::optional<Timestamp> lastPacketReceived;
  uint32_t nackCount = 0;
  uint64_t malformedPackets = 0;     ///< ours: payloads that did not parse
  uint64_t fecPacketsReceived = 0;   ///< FEC packets; for sound, redundant blocks (RED)
  uint64_t fecBytesReceived = 0;     ///< in them
  uint64_t fecPacketsDiscarded = 0;  ///< those that were not needed or came too late
  uint64_t restoredPackets = 0;      ///< ours: lost ones that FEC has brought back

  // Seconds, summed over frames, or over samples for audio: 48000 of them in every second would
  // overflow a Duration within days.
  double jitterBufferDelay = 0;
  double jitterBufferTargetDelay = 0;
  double jitterBufferMinimumDelay = 0;
  uint64_t jitterBufferEmittedCount = 0;  ///< frames, or samples for audio

  // Video
  uint32_t pliCount = 0;
  uint32_t firCount = 0;
  uint64_t framesReceived = 0;
  uint64_t framesAssembledFromMultiplePackets = 0;
  Duration totalAssemblyTime;
  uint64_t keyFramesReceived = 0;
  uint64_t framesDropped = 0;
  rtp::VideoSize frameSize;  ///< of the last key frame that said so

  // Audio
  uint64_t totalSamplesReceived = 0;
  uint64_t concealedSamples = 0;  ///< synthesized; not what in-band FEC or RED recovered
  uint64_t silentConcealedSamples = 0;
  uint64_t concealmentEvents = 0;
  uint64_t insertedSamplesForDeceleration = 0;
  uint64_t removedSamplesForAcceleration = 0;
  std::optional<double> audioLevel;  ///< 0..1 linear, from the audio level extension

  // What the sender says of itself (remote-outbound-rtp)
  uint64_t reportsReceived = 0;
  uint32_t remotePacketsSent = 0;
  uint32_t remoteBytesSent = 0;
  std::optional<NtpTime> remoteTimestamp;
  Timestamp remoteReportArrival;  ///< of the newest report
  std::optional<Duration> roundTripTime;
  Duration totalRoundTripTime;
  uint64_t roundTripTimeMeasurements = 0;

  /// Adds what an earlier stream of the same source has counted.
  PARLEY_EXPORT InboundStats& operator+=(const InboundStats& earlier);
};

/// One entry of getSynchronizationSources() or getContributingSources() (webrtc-pc section 5.3).
struct RtpSource {
  uint32_t source = 0;
  bool isContributing = false;
  Timestamp lastHeard;
  uint32_t rtpTimestamp = 0;
  std::optional<uint8_t> audioLevel;  ///< -dBov
  /// From abs-capture-time, carried on by the RTP clock.
  std::optional<NtpTime> captureTime;
  std::optional<int64_t> captureClockOffset;  ///< as ReceivedFrame::captureClockOffset
};

}  // namespace parley::media
