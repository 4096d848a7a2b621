// Statistics of what is sent: media sources, outbound-rtp, and what the peer reports of it.

#include "api/media_stats.h"

#include <string>
#include <utility>
#include <vector>

#include "api/media_runtime.h"
#include "api/peer_connection_core.h"

namespace parley::api_internal {

std::string addCodecStats(StatsContext& context, const CodecUse& use,
                          const std::vector<sdp::CodecParams>& codecs) {
  const std::string id = std::string("C") + (use.sending ? "O" : "I") + use.mid + '_' +
                         std::to_string(use.payloadType);
  if (context.has(id)) return id;
  for (const sdp::CodecParams& codec : codecs) {
    if (codec.payloadType != use.payloadType) continue;
    Stats stats = context.make(id, "codec");
    stats.members["mimeType"] = std::string(media::toString(use.kind)) + "/" + codec.name;
    stats.members["payloadType"] = uint64_t{use.payloadType};
    stats.members["clockRate"] = uint64_t{codec.clockRate};
    stats.members["transportId"] = use.transportId;
    if (use.kind == media::MediaKind::Audio)
      stats.members["channels"] = uint64_t{codec.channels == 0 ? 1u : codec.channels};
    const std::string fmtp = sdp::writeFmtp(codec.fmtp);
    if (!fmtp.empty()) stats.members["sdpFmtpLine"] = fmtp;
    context.report.add(std::move(stats));
    return id;
  }
  return {};
}

namespace {

const char* toString(QualityLimitation reason) {
  constexpr const char* kNames[] = {"none", "cpu", "bandwidth", "other"};
  return kNames[static_cast<size_t>(reason)];
}

class SenderStatsBuilder {
 public:
  explicit SenderStatsBuilder(StatsContext& context) : context_(context), pc_(context.pc) {}

  void addAll() {
    for (uint32_t id : pc_.transceiverIds()) addSource(id);
    for (const uint32_t transport : pc_.session()->transports()) {
      const media::RtpSession* rtp = pc_.session()->rtp(transport);
      if (!rtp) continue;
      transport_ = transport;
      std::vector<media::SendStreamStats> sent;
      rtp->sendStats(sent);
      const media::BandwidthStats bandwidth = rtp->bandwidth();
      for (const media::SendStreamStats& stream : sent) addSent(stream, bandwidth);
    }
  }

 private:
  std::string sourceId(const TrackCore& track) {
    return context_.ids().of(track.kind == MediaKind::Audio ? "SA" : "SV", track.id);
  }

  // There from the moment the track is attached; once, however many senders have it.
  void addSource(uint32_t transceiver) {
    const auto track = pc_.senderTrack(transceiver);
    if (!track || context_.has(sourceId(*track))) return;
    const SourceStats counted = track->sourceStats();
    Stats source = context_.make(sourceId(*track), "media-source");
    auto& m = source.members;
    m["trackIdentifier"] = track->id;
    m["kind"] = std::string(media::toString(track->kind));
    if (track->kind == MediaKind::Audio) {
      m["audioLevel"] = counted.audioLevel;
      m["totalAudioEnergy"] = counted.totalAudioEnergy;
      m["totalSamplesDuration"] = counted.totalSamplesDuration;
    } else {
      m["frames"] = counted.frames;
      m["framesPerSecond"] = counted.framesPerSecond;
      if (counted.frames > 0) {
        m["width"] = int64_t{counted.width};
        m["height"] = int64_t{counted.height};
      }
    }
    context_.report.add(std::move(source));
  }

  void addSent(const media::SendStreamStats& stream, const media::BandwidthStats& bandwidth) {
    const auto of = pc_.session()->encodingOf(stream.id, transport_);
    const jsep::TransceiverState* transceiver = of ? pc_.transceiver(of->transceiver) : nullptr;
    if (!transceiver) return;
    const uint32_t id = of->transceiver;
    const std::vector<RtpEncodingParameters>& encodings = pc_.encodings(id);
    const size_t index = indexOf(encodings, of->rid);
    Stats out = context_.make("OT" + std::to_string(stream.ssrc), "outbound-rtp");
    auto& m = out.members;
    m["ssrc"] = uint64_t{stream.ssrc};
    m["kind"] = std::string(media::toString(stream.kind));
    m["transportId"] = StatsContext::transportId(transport_);
    m["mid"] = stream.mid;
    if (!stream.rid.empty()) m["rid"] = stream.rid;
    if (stream.kind == media::MediaKind::Video) m["encodingIndex"] = uint64_t{index};
    if (stream.rtxSsrc) m["rtxSsrc"] = uint64_t{*stream.rtxSsrc};
    m["active"] = stream.active && encodings[index].active;
    m["packetsSent"] = stream.packetsSent;
    m["packetsSentWithEct1"] = stream.packetsSentWithEct1;
    m["bytesSent"] = stream.bytesSent;
    m["headerBytesSent"] = stream.headerBytesSent;
    m["retransmittedPacketsSent"] = stream.retransmittedPacketsSent;
    m["retransmittedBytesSent"] = stream.retransmittedBytesSent;
    m["totalPacketSendDelay"] = stream.totalPacketSendDelay.seconds();
    m["targetBitrate"] = static_cast<double>(stream.targetBitrate.bps());
    m["nackCount"] = uint64_t{stream.nackCount};
    const std::string codec = addCodecStats(
        context_,
        {true, stream.mid, stream.payloadType, stream.kind, StatsContext::transportId(transport_)},
        transceiver->negotiated.media.sendCodecs);
    if (!codec.empty()) m["codecId"] = codec;
    if (stream.kind == media::MediaKind::Video) addVideo(*of, encodings[index], stream, m);
    if (const auto track = pc_.senderTrack(id)) m["mediaSourceId"] = sourceId(*track);
    if (stream.remote) m["remoteId"] = addRemoteInbound(stream, out.id, codec);
    // Ours: what the estimator thinks of the whole transport.
    m["parleyFecPacketsSent"] = stream.fecPacketsSent;
    m["parleyFecBytesSent"] = stream.fecBytesSent;
    m["parleyEstimateBps"] = bandwidth.estimate.bps();
    m["parleyAcknowledgedBps"] = bandwidth.estimator.acknowledged.bps();
    m["parleyQueueDelay"] = bandwidth.estimator.queueDelay.seconds();
    if (!bandwidth.estimator.remote.isInfinite())
      m["parleyRemoteEstimateBps"] = bandwidth.estimator.remote.bps();
    if (stream.requestedLimit) m["parleyRequestedLimitBps"] = stream.requestedLimit->bps();
    if (stream.stopped) m["parleyStoppedBy"] = std::string(toString(*stream.stopped));
    context_.outbound.emplace(id, out.id);
    context_.report.add(std::move(out));
  }

  static size_t indexOf(const std::vector<RtpEncodingParameters>& encodings,
                        const std::string& rid) {
    for (size_t i = 0; i < encodings.size(); ++i) {
      if (encodings[i].rid.value_or("") == rid) return i;
    }
    return 0;
  }

  void addVideo(const jsep::SenderEncoding& of, const RtpEncodingParameters& encoding,
                const media::SendStreamStats& stream, StatsContext::Members& m) {
    m["framesSent"] = stream.framesSent;
    m["hugeFramesSent"] = stream.hugeFramesSent;
    m["pliCount"] = uint64_t{stream.pliCount};
    m["firCount"] = uint64_t{stream.firCount};
    if (stream.frameWidth > 0) m["frameWidth"] = int64_t{stream.frameWidth};
    if (stream.frameHeight > 0) m["frameHeight"] = int64_t{stream.frameHeight};
    m["scalabilityMode"] = encoding.scalabilityMode.value_or("L1T1");
    const auto encoded = pc_.loop().media().encodeStats(pc_, of.transceiver, of.rid);
    if (!encoded) return;
    m["framesEncoded"] = encoded->framesEncoded;
    m["keyFramesEncoded"] = encoded->keyFramesEncoded;
    m["framesPerSecond"] = encoded->framesPerSecond;
    if (encoded->qpSum) m["qpSum"] = *encoded->qpSum;
    if (encoded->psnrMeasurements > 0) {
      m["psnrSum"] = std::map<std::string, double>{
          {"y", encoded->psnrSum.y}, {"u", encoded->psnrSum.u}, {"v", encoded->psnrSum.v}};
      m["psnrMeasurements"] = encoded->psnrMeasurements;
    }
    m["totalEncodeTime"] = encoded->totalEncodeTime.seconds();
    if (encoded->bytesTarget)
      m["totalEncodedBytesTarget"] = static_cast<uint64_t>(*encoded->bytesTarget);
    if (!encoded->implementation.empty()) {
      m["encoderImplementation"] = encoded->implementation;
      m["powerEfficientEncoder"] = encoded->powerEfficient;
    }
    m["qualityLimitationReason"] = std::string(toString(encoded->limitation));
    std::map<std::string, double> durations;
    for (size_t i = 0; i < encoded->limitedFor.size(); ++i)
      durations[toString(static_cast<QualityLimitation>(i))] = encoded->limitedFor[i];
    m["qualityLimitationDurations"] = std::move(durations);
    m["qualityLimitationResolutionChanges"] = encoded->sizeChanges;
  }

  std::string addRemoteInbound(const media::SendStreamStats& stream, const std::string& localId,
                               const std::string& codec) {
    const media::RemoteInboundStats& remote = *stream.remote;
    Stats out = context_.make("RI" + std::to_string(stream.ssrc), "remote-inbound-rtp");
    // webrtc-stats section 6: "the time the information arrived at the local endpoint".
    out.timestampMs = context_.toUnixMs(remote.updated);
    auto& m = out.members;
    m["ssrc"] = uint64_t{stream.ssrc};
    m["kind"] = std::string(media::toString(stream.kind));
    m["transportId"] = StatsContext::transportId(transport_);
    m["localId"] = localId;
    if (!codec.empty()) m["codecId"] = codec;
    m["packetsReceived"] = remote.packetsReceived;
    m["packetsLost"] = remote.packetsLost;
    m["fractionLost"] = remote.fractionLost;
    m["jitter"] = remote.jitterSeconds;
    m["totalRoundTripTime"] = remote.totalRoundTripTime.seconds();
    m["roundTripTimeMeasurements"] = remote.roundTripTimeMeasurements;
    if (remote.roundTripTime) m["roundTripTime"] = remote.roundTripTime->seconds();
    // webrtc-stats, RTCReceivedRtpStreamStats: "Only exists if support for the "ccfb" feedback
    // mechanism has been negotiated." Nothing else tells how packets were marked on arrival.
    if (const auto& reports = stream.congestionReports) {
      m["packetsReceivedWithEct1"] = reports->packetsReceivedWithEct1;
      m["packetsReceivedWithCe"] = reports->packetsReceivedWithCe;
      m["packetsReportedAsLost"] = reports->packetsReportedAsLost;
      m["packetsReportedAsLostButRecovered"] = reports->packetsReportedAsLostButRecovered;
      m["packetsWithBleachedEct1Marking"] = reports->packetsWithBleachedEct1Marking;
    }
    std::string id = out.id;
    context_.report.add(std::move(out));
    return id;
  }

  StatsContext& context_;
  PeerConnectionCore& pc_;
  uint32_t transport_ = 0;
};

}  // namespace

void addSenderStats(StatsContext& context) {
  SenderStatsBuilder(context).addAll();
}

}  // namespace parley::api_internal
