#include "api/media_stats.h"

#include <string>
#include <utility>
#include <vector>

#include "api/media_runtime.h"
#include "api/peer_connection_core.h"

namespace parley::api_internal {
namespace {

std::string codecId(const char* direction, const std::string& mid, uint8_t payloadType) {
  return std::string("C") + direction + mid + "_" + std::to_string(payloadType);
}

class MediaStatsBuilder {
 public:
  MediaStatsBuilder(StatsReport& report, PeerConnectionCore& pc, double timestamp)
      : report_(report), pc_(pc), timestamp_(timestamp) {}

  void addAll() {
    const media::RtpSession* rtp = pc_.session()->rtp();
    if (!rtp) return;
    std::vector<media::SendStreamStats> sent;
    rtp->sendStats(sent);
    const media::BandwidthStats bandwidth = rtp->bandwidth();
    for (const media::SendStreamStats& stream : sent) addSent(stream, bandwidth);
    std::vector<media::InboundStats> received;
    rtp->receiveStats(received);
    for (const media::InboundStats& stream : received) addReceived(stream);
  }

 private:
  Stats make(std::string id, const char* type) const {
    return {std::move(id), type, timestamp_, {}};
  }

  void addCodec(const std::string& id, const std::vector<sdp::CodecParams>& codecs,
                uint8_t payloadType, media::MediaKind kind) {
    if (report_.find(id)) return;
    for (const sdp::CodecParams& codec : codecs) {
      if (codec.payloadType != payloadType) continue;
      Stats stats = make(id, "codec");
      stats.members["mimeType"] = std::string(media::toString(kind)) + "/" + codec.name;
      stats.members["payloadType"] = uint64_t{payloadType};
      stats.members["clockRate"] = uint64_t{codec.clockRate};
      stats.members["transportId"] = std::string("T0");
      if (kind == media::MediaKind::Audio) stats.members["channels"] = uint64_t{codec.channels};
      const std::string fmtp = sdp::writeFmtp(codec.fmtp);
      if (!fmtp.empty()) stats.members["sdpFmtpLine"] = fmtp;
      report_.add(std::move(stats));
    }
  }

  void addSent(const media::SendStreamStats& stream, const media::BandwidthStats& bandwidth) {
    const auto id = pc_.session()->transceiverOf(stream.id);
    const jsep::TransceiverState* transceiver = id ? pc_.transceiver(*id) : nullptr;
    if (!transceiver) return;
    const std::string kind = media::toString(stream.kind);
    Stats out = make("OT" + std::to_string(stream.ssrc), "outbound-rtp");
    auto& m = out.members;
    m["ssrc"] = uint64_t{stream.ssrc};
    m["kind"] = kind;
    m["transportId"] = std::string("T0");
    m["mid"] = stream.mid;
    if (!stream.rid.empty()) m["rid"] = stream.rid;
    if (stream.rtxSsrc) m["rtxSsrc"] = uint64_t{*stream.rtxSsrc};
    m["active"] = stream.active;
    m["packetsSent"] = stream.packetsSent;
    m["bytesSent"] = stream.bytesSent;
    m["headerBytesSent"] = stream.headerBytesSent;
    m["retransmittedPacketsSent"] = stream.retransmittedPacketsSent;
    m["retransmittedBytesSent"] = stream.retransmittedBytesSent;
    m["totalPacketSendDelay"] = stream.totalPacketSendDelay.seconds();
    m["targetBitrate"] = static_cast<double>(stream.targetBitrate.bps());
    m["nackCount"] = uint64_t{stream.nackCount};
    const std::string codec = codecId("O", stream.mid, stream.payloadType);
    addCodec(codec, transceiver->negotiated.media.sendCodecs, stream.payloadType, stream.kind);
    if (report_.find(codec)) m["codecId"] = codec;
    const auto encoded = pc_.loop().media().encodeStats(pc_, *id);
    if (stream.kind == media::MediaKind::Video) {
      m["framesSent"] = stream.framesSent;
      m["pliCount"] = uint64_t{stream.pliCount};
      m["firCount"] = uint64_t{stream.firCount};
      if (stream.frameWidth > 0) m["frameWidth"] = int64_t{stream.frameWidth};
      if (stream.frameHeight > 0) m["frameHeight"] = int64_t{stream.frameHeight};
      if (encoded) {
        m["framesEncoded"] = encoded->framesEncoded;
        m["keyFramesEncoded"] = encoded->keyFramesEncoded;
        m["totalEncodeTime"] = encoded->totalEncodeTime.seconds();
        if (!encoded->implementation.empty()) m["encoderImplementation"] = encoded->implementation;
      }
    }
    addSource(*id, kind, encoded, m);
    if (stream.remote) {
      m["remoteId"] = addRemoteInbound(stream, out.id, codec);
    }
    // Ours: what the estimator thinks of the whole transport.
    m["parleyEstimateBps"] = bandwidth.estimate.bps();
    report_.add(std::move(out));
  }

  void addSource(uint32_t transceiver, const std::string& kind,
                 const std::optional<EncodeStats>& encoded,
                 std::map<std::string, StatsValue, std::less<>>& outbound) {
    const auto track = pc_.senderTrack(transceiver);
    if (!track) return;
    Stats source = make("S" + track->id, "media-source");
    source.members["trackIdentifier"] = track->id;
    source.members["kind"] = kind;
    if (encoded && kind == "video") source.members["frames"] = encoded->framesIn;
    outbound["mediaSourceId"] = source.id;
    report_.add(std::move(source));
  }

  std::string addRemoteInbound(const media::SendStreamStats& stream, const std::string& localId,
                               const std::string& codec) {
    const media::RemoteInboundStats& remote = *stream.remote;
    Stats out = make("RI" + std::to_string(stream.ssrc), "remote-inbound-rtp");
    out.members["ssrc"] = uint64_t{stream.ssrc};
    out.members["kind"] = std::string(media::toString(stream.kind));
    out.members["transportId"] = std::string("T0");
    out.members["localId"] = localId;
    if (report_.find(codec)) out.members["codecId"] = codec;
    out.members["packetsLost"] = remote.packetsLost;
    out.members["fractionLost"] = remote.fractionLost;
    out.members["jitter"] = remote.jitterSeconds;
    out.members["totalRoundTripTime"] = remote.totalRoundTripTime.seconds();
    out.members["roundTripTimeMeasurements"] = remote.roundTripTimeMeasurements;
    if (remote.roundTripTime) out.members["roundTripTime"] = remote.roundTripTime->seconds();
    const std::string id = out.id;
    report_.add(std::move(out));
    return id;
  }

  void addReceived(const media::InboundStats& stream) {
    const uint32_t id = stream.receiver.value;
    const jsep::TransceiverState* transceiver = pc_.transceiver(id);
    if (!transceiver) return;
    Stats out = make("IT" + std::to_string(stream.ssrc), "inbound-rtp");
    auto& m = out.members;
    m["ssrc"] = uint64_t{stream.ssrc};
    m["kind"] = std::string(media::toString(stream.kind));
    m["transportId"] = std::string("T0");
    m["mid"] = stream.mid;
    if (const auto track = pc_.receiverTrack(id)) m["trackIdentifier"] = track->id;
    if (stream.rtxSsrc) m["rtxSsrc"] = uint64_t{*stream.rtxSsrc};
    m["packetsReceived"] = stream.packetsReceived;
    m["packetsLost"] = stream.packetsLost;
    m["packetsDiscarded"] = stream.packetsDiscarded;
    m["jitter"] = stream.jitter;
    m["bytesReceived"] = stream.bytesReceived;
    m["headerBytesReceived"] = stream.headerBytesReceived;
    m["retransmittedPacketsReceived"] = stream.retransmittedPacketsReceived;
    m["retransmittedBytesReceived"] = stream.retransmittedBytesReceived;
    m["nackCount"] = uint64_t{stream.nackCount};
    m["jitterBufferDelay"] = stream.jitterBufferDelay.seconds();
    m["jitterBufferTargetDelay"] = stream.jitterBufferTargetDelay.seconds();
    m["jitterBufferMinimumDelay"] = stream.jitterBufferMinimumDelay.seconds();
    m["jitterBufferEmittedCount"] = stream.jitterBufferEmittedCount;
    const std::string codec = codecId("I", stream.mid, stream.payloadType);
    addCodec(codec, transceiver->negotiated.media.receiveCodecs, stream.payloadType, stream.kind);
    if (report_.find(codec)) m["codecId"] = codec;
    const auto decoded = pc_.loop().media().decodeStats(pc_, id);
    if (stream.kind == media::MediaKind::Video) {
      addVideo(stream, decoded, m);
    } else {
      addAudio(stream, decoded, m);
    }
    if (stream.reportsReceived > 0) m["remoteId"] = addRemoteOutbound(stream, out.id);
    report_.add(std::move(out));
  }

  static void addVideo(const media::InboundStats& stream, const std::optional<DecodeStats>& decoded,
                       std::map<std::string, StatsValue, std::less<>>& m) {
    m["framesReceived"] = stream.framesReceived;
    m["framesAssembledFromMultiplePackets"] = stream.framesAssembledFromMultiplePackets;
    m["totalAssemblyTime"] = stream.totalAssemblyTime.seconds();
    m["pliCount"] = uint64_t{stream.pliCount};
    m["firCount"] = uint64_t{stream.firCount};
    uint64_t dropped = stream.framesDropped;
    if (decoded) {
      dropped += decoded->framesDropped;
      m["framesDecoded"] = decoded->framesDecoded;
      m["keyFramesDecoded"] = decoded->keyFramesDecoded;
      m["totalDecodeTime"] = decoded->totalDecodeTime.seconds();
      if (decoded->width > 0) m["frameWidth"] = int64_t{decoded->width};
      if (decoded->height > 0) m["frameHeight"] = int64_t{decoded->height};
      if (!decoded->implementation.empty()) m["decoderImplementation"] = decoded->implementation;
    }
    m["framesDropped"] = dropped;
  }

  static void addAudio(const media::InboundStats& stream, const std::optional<DecodeStats>& decoded,
                       std::map<std::string, StatsValue, std::less<>>& m) {
    m["concealedSamples"] = stream.concealedSamples;
    m["silentConcealedSamples"] = stream.silentConcealedSamples;
    m["concealmentEvents"] = stream.concealmentEvents;
    m["insertedSamplesForDeceleration"] = stream.insertedSamplesForDeceleration;
    m["removedSamplesForAcceleration"] = stream.removedSamplesForAcceleration;
    m["totalSamplesReceived"] = stream.totalSamplesReceived;
    if (!decoded) return;
    m["totalAudioEnergy"] = decoded->totalAudioEnergy;
    m["totalSamplesDuration"] = decoded->totalSamplesSeconds;
    m["audioLevel"] = decoded->audioLevel;
  }

  std::string addRemoteOutbound(const media::InboundStats& stream, const std::string& localId) {
    Stats out = make("RO" + std::to_string(stream.ssrc), "remote-outbound-rtp");
    out.members["ssrc"] = uint64_t{stream.ssrc};
    out.members["kind"] = std::string(media::toString(stream.kind));
    out.members["transportId"] = std::string("T0");
    out.members["localId"] = localId;
    out.members["packetsSent"] = uint64_t{stream.remotePacketsSent};
    out.members["bytesSent"] = uint64_t{stream.remoteBytesSent};
    out.members["reportsSent"] = stream.reportsReceived;
    const std::string id = out.id;
    report_.add(std::move(out));
    return id;
  }

  StatsReport& report_;
  PeerConnectionCore& pc_;
  double timestamp_;
};

}  // namespace

void addMediaStats(StatsReport& report, PeerConnectionCore& pc, double timestamp) {
  MediaStatsBuilder(report, pc, timestamp).addAll();
}

}  // namespace parley::api_internal
