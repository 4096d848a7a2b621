// Statistics of what is received: inbound-rtp, what its sender says of it, and audio playout.

#include <string>
#include <utility>
#include <vector>

#include "api/media_runtime.h"
#include "api/media_stats.h"
#include "api/peer_connection_core.h"

namespace parley::api_internal {
namespace {

constexpr double kNtpUnixOffsetMs = 2'208'988'800e3;  // 1900 to 1970: 70 years, 17 leap days
constexpr const char* kPlayout = "AP";

/// Milliseconds since 1900.
double toMs(NtpTime ntp) {
  return (static_cast<double>(ntp.seconds()) + ntp.fraction() / 4294967296.0) * 1000;
}

/// In the order of libwebrtc's googTimingFrameInfo: RTP timestamp; captured, encoding begun and
/// ended, packets made, pacer left, two times of servers on the way; first and last packet,
/// decoding begun and ended, shown; by size, by timer. In milliseconds, by our clock; where the
/// capture is not known by it, the sender's times are negative, and right among themselves.
std::string timingInfo(const FrameTiming& timing) {
  const int64_t captured = timing.captured ? timing.captured->millis() : -0x10000;
  const rtp::VideoTimingValue& sender = timing.sender;
  std::string out = std::to_string(timing.rtpTimestamp) + ',' + std::to_string(captured);
  const auto add = [&](int64_t value) { out += ',' + std::to_string(value); };
  for (const uint16_t ms : {sender.encodeStart, sender.encodeFinish, sender.packetized,
                            sender.leftPacer, sender.network1, sender.network2})
    add(captured + ms);
  for (const Timestamp t : {timing.receiveStart, timing.receiveEnd, timing.decodeStart,
                            timing.decodeEnd, timing.render})
    add(t.millis());
  add((sender.flags & rtp::VideoTimingValue::kBySize) != 0);
  add((sender.flags & rtp::VideoTimingValue::kByTimer) != 0);
  return out;
}

class ReceiverStatsBuilder {
 public:
  explicit ReceiverStatsBuilder(StatsContext& context) : context_(context), pc_(context.pc) {}

  void addAll() {
    std::vector<media::InboundStats> received;
    pc_.session()->receiveStats(received);
    for (const media::InboundStats& stream : received) addReceived(stream);
    if (audioHeard_) addPlayout();
  }

 private:
  void addReceived(const media::InboundStats& stream) {
    const uint32_t id = stream.receiver.value;
    const jsep::TransceiverState* transceiver = pc_.transceiver(id);
    const auto track = pc_.receiverTrack(id);
    if (!transceiver || !track) return;
    Stats out = context_.make("IT" + std::to_string(stream.ssrc), "inbound-rtp");
    if (context_.has(out.id)) return;
    auto& m = out.members;
    m["ssrc"] = uint64_t{stream.ssrc};
    m["kind"] = std::string(media::toString(stream.kind));
    m["transportId"] = context_.transportIdOf(stream.receiver.value);
    m["mid"] = stream.mid;
    m["trackIdentifier"] = track->id;
    if (stream.rtxSsrc) m["rtxSsrc"] = uint64_t{*stream.rtxSsrc};
    m["packetsReceived"] = stream.packetsReceived;
    m["packetsReceivedWithEct1"] = stream.packetsReceivedWithEct1;
    m["packetsReceivedWithCe"] = stream.packetsReceivedWithCe;
    if (stream.packetsReportedAsLost) m["packetsReportedAsLost"] = *stream.packetsReportedAsLost;
    if (stream.packetsReportedAsLostButRecovered)
      m["packetsReportedAsLostButRecovered"] = *stream.packetsReportedAsLostButRecovered;
    m["packetsLost"] = stream.packetsLost;
    m["packetsDiscarded"] = stream.packetsDiscarded;
    m["jitter"] = stream.jitter;
    m["bytesReceived"] = stream.bytesReceived;
    m["headerBytesReceived"] = stream.headerBytesReceived;
    m["retransmittedPacketsReceived"] = stream.retransmittedPacketsReceived;
    m["retransmittedBytesReceived"] = stream.retransmittedBytesReceived;
    m["nackCount"] = uint64_t{stream.nackCount};
    if (stream.fecSsrc) m["fecSsrc"] = uint64_t{*stream.fecSsrc};
    m["fecPacketsReceived"] = stream.fecPacketsReceived;
    m["fecBytesReceived"] = stream.fecBytesReceived;
    m["fecPacketsDiscarded"] = stream.fecPacketsDiscarded;
    if (stream.lastPacketReceived)
      m["lastPacketReceivedTimestamp"] = context_.toUnixMs(*stream.lastPacketReceived);
    m["jitterBufferDelay"] = stream.jitterBufferDelay;
    m["jitterBufferTargetDelay"] = stream.jitterBufferTargetDelay;
    m["jitterBufferMinimumDelay"] = stream.jitterBufferMinimumDelay;
    m["jitterBufferEmittedCount"] = stream.jitterBufferEmittedCount;
    const std::string codec = addCodecStats(
        context_, {false, stream.mid, stream.payloadType, stream.kind, context_.transportIdOf(id)},
        transceiver->negotiated.media.receiveCodecs);
    if (!codec.empty()) m["codecId"] = codec;
    DecodeStats decoded = pc_.loop().media().decodeStats(pc_, id).value_or(DecodeStats{});
    if (!stream.rid.empty()) m["parleyRid"] = stream.rid;
    if (stream.isLayer) {
      // Of the layers of simulcast one is decoded.
      if (decoded.shownSsrc != stream.ssrc) decoded = {};
      decoded.width = stream.frameSize.width;
      decoded.height = stream.frameSize.height;
    }
    if (decoded.captured) {
      m["estimatedPlayoutTimestamp"] =
          toMs(*decoded.captured) + (context_.now - decoded.playedAt).seconds() * 1000;
    }
    if (stream.kind == media::MediaKind::Video) {
      addVideo(stream, decoded, m);
    } else {
      addAudio(stream, decoded, m);
    }
    if (stream.reportsReceived > 0) m["remoteId"] = addRemoteOutbound(stream, out.id, codec);
    context_.inbound.emplace(id, out.id);
    context_.report.add(std::move(out));
  }

  static void addVideo(const media::InboundStats& stream, const DecodeStats& decoded,
                       StatsContext::Members& m) {
    m["framesReceived"] = stream.framesReceived;
    m["parleyRestoredPackets"] = stream.restoredPackets;  // ours: lost ones, back by FEC
    m["framesAssembledFromMultiplePackets"] = stream.framesAssembledFromMultiplePackets;
    m["totalAssemblyTime"] = stream.totalAssemblyTime.seconds();
    m["pliCount"] = uint64_t{stream.pliCount};
    m["firCount"] = uint64_t{stream.firCount};
    m["framesDropped"] = stream.framesDropped + decoded.framesDropped;
    m["framesDecoded"] = decoded.framesDecoded;
    m["keyFramesDecoded"] = decoded.keyFramesDecoded;
    m["framesPerSecond"] = decoded.framesPerSecond;
    if (decoded.qpSum) m["qpSum"] = *decoded.qpSum;
    m["totalDecodeTime"] = decoded.totalDecodeTime.seconds();
    m["totalProcessingDelay"] = decoded.processingDelay;
    m["framesRendered"] = decoded.rendering.framesRendered;
    m["totalInterFrameDelay"] = decoded.rendering.interFrameDelay;
    m["totalSquaredInterFrameDelay"] = decoded.rendering.squaredInterFrameDelay;
    m["freezeCount"] = decoded.rendering.freezes;
    m["totalFreezesDuration"] = decoded.rendering.freezesDuration;
    m["pauseCount"] = decoded.rendering.pauses;
    m["totalPausesDuration"] = decoded.rendering.pausesDuration;
    if (decoded.corruptionMeasurements > 0) {
      m["corruptionMeasurements"] = decoded.corruptionMeasurements;
      m["totalCorruptionProbability"] = decoded.corruptionProbability;
      m["totalSquaredCorruptionProbability"] = decoded.squaredCorruptionProbability;
    }
    if (decoded.timing) m["parleyTimingFrameInfo"] = timingInfo(*decoded.timing);
    if (decoded.width > 0) m["frameWidth"] = int64_t{decoded.width};
    if (decoded.height > 0) m["frameHeight"] = int64_t{decoded.height};
    if (!decoded.implementation.empty()) {
      m["decoderImplementation"] = decoded.implementation;
      m["powerEfficientDecoder"] = decoded.powerEfficient;
    }
  }

  void addAudio(const media::InboundStats& stream, const DecodeStats& decoded,
                StatsContext::Members& m) {
    m["concealedSamples"] = stream.concealedSamples;
    m["silentConcealedSamples"] = stream.silentConcealedSamples;
    m["concealmentEvents"] = stream.concealmentEvents;
    m["insertedSamplesForDeceleration"] = stream.insertedSamplesForDeceleration;
    m["removedSamplesForAcceleration"] = stream.removedSamplesForAcceleration;
    m["totalSamplesReceived"] = stream.totalSamplesReceived;
    m["totalAudioEnergy"] = decoded.totalAudioEnergy;
    m["totalSamplesDuration"] = decoded.totalSamplesSeconds;
    m["audioLevel"] = decoded.audioLevel;
    m["totalProcessingDelay"] = stream.jitterBufferDelay + decoded.processingDelay;
    m["playoutId"] = std::string(kPlayout);
    audioHeard_ = true;
    playedSamples_ += decoded.playedSamples;
    playoutDelay_ += decoded.playoutDelay;
  }

  std::string addRemoteOutbound(const media::InboundStats& stream, const std::string& localId,
                                const std::string& codec) {
    Stats out = context_.make("RO" + std::to_string(stream.ssrc), "remote-outbound-rtp");
    out.timestampMs = context_.toUnixMs(stream.remoteReportArrival);
    auto& m = out.members;
    m["ssrc"] = uint64_t{stream.ssrc};
    m["kind"] = std::string(media::toString(stream.kind));
    m["transportId"] = context_.transportIdOf(stream.receiver.value);
    m["localId"] = localId;
    if (!codec.empty()) m["codecId"] = codec;
    m["packetsSent"] = uint64_t{stream.remotePacketsSent};
    m["bytesSent"] = uint64_t{stream.remoteBytesSent};
    m["reportsSent"] = stream.reportsReceived;
    if (stream.remoteTimestamp && stream.remoteTimestamp->value != 0)
      m["remoteTimestamp"] = toMs(*stream.remoteTimestamp) - kNtpUnixOffsetMs;
    if (stream.roundTripTime) m["roundTripTime"] = stream.roundTripTime->seconds();
    m["totalRoundTripTime"] = stream.totalRoundTripTime.seconds();
    m["roundTripTimeMeasurements"] = stream.roundTripTimeMeasurements;
    std::string id = out.id;
    context_.report.add(std::move(out));
    return id;
  }

  // What leaves the library for a loudspeaker, of all receivers together. It is never short of
  // samples: gaps are filled before, where inbound-rtp counts them as concealed.
  void addPlayout() {
    Stats out = context_.make(kPlayout, "media-playout");
    auto& m = out.members;
    m["kind"] = std::string("audio");
    m["synthesizedSamplesDuration"] = 0.0;
    m["synthesizedSamplesEvents"] = uint64_t{0};
    m["totalSamplesCount"] = playedSamples_;
    m["totalSamplesDuration"] =
        static_cast<double>(playedSamples_) / codec::AudioDecoder::kSampleRate;
    m["totalPlayoutDelay"] = playoutDelay_;
    context_.report.add(std::move(out));
  }

  StatsContext& context_;
  PeerConnectionCore& pc_;
  bool audioHeard_ = false;
  uint64_t playedSamples_ = 0;
  double playoutDelay_ = 0;
};

}  // namespace

void addReceiverStats(StatsContext& context) {
  ReceiverStatsBuilder(context).addAll();
}

}  // namespace parley::api_internal
