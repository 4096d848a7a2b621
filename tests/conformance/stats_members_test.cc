// W3C webrtc-pc section 8.6 and webrtc-stats: which members each object has.

#include <map>
#include <vector>

#include "stats_fixture.h"

namespace parley::conformance {
namespace {

using Names = std::vector<const char*>;

// webrtc-pc section 8.6 "mandatory to implement", and what else webrtc-stats has for an endpoint
// with this library's codecs.
const std::map<std::string, Names>& membersOfA() {
  static const std::map<std::string, Names> kMembers = {
      {"peer-connection", {"dataChannelsOpened", "dataChannelsClosed"}},
      {"data-channel",
       {"label", "protocol", "dataChannelIdentifier", "state", "messagesSent", "bytesSent",
        "messagesReceived", "bytesReceived"}},
      {"transport",
       {"packetsSent", "packetsReceived", "bytesSent", "bytesReceived", "iceRole",
        "iceLocalUsernameFragment", "dtlsState", "iceState", "selectedCandidatePairId",
        "tlsVersion", "localCertificateId", "remoteCertificateId", "dtlsCipher", "dtlsRole",
        "srtpCipher", "ccfbMessagesSent", "ccfbMessagesReceived", "selectedCandidatePairChanges"}},
      {"candidate-pair",
       {"transportId",
        "localCandidateId",
        "remoteCandidateId",
        "state",
        "nominated",
        "packetsSent",
        "packetsReceived",
        "bytesSent",
        "bytesReceived",
        "totalRoundTripTime",
        "currentRoundTripTime",
        "availableOutgoingBitrate",
        "requestsReceived",
        "requestsSent",
        "responsesReceived",
        "responsesSent",
        "consentRequestsSent",
        "packetsDiscardedOnSend",
        "bytesDiscardedOnSend",
        "lastPacketSentTimestamp",
        "lastPacketReceivedTimestamp"}},
      {"local-candidate",
       {"transportId", "address", "port", "protocol", "candidateType", "priority", "foundation",
        "usernameFragment"}},
      {"remote-candidate",
       {"transportId", "address", "port", "protocol", "candidateType", "priority", "foundation",
        "usernameFragment"}},
      {"certificate", {"fingerprint", "fingerprintAlgorithm", "base64Certificate"}},
      {"codec", {"payloadType", "transportId", "mimeType", "clockRate"}},
      {"media-source", {"trackIdentifier", "kind"}},
      {"remote-inbound-rtp",
       {"ssrc", "kind", "transportId", "codecId", "packetsReceived", "packetsLost", "jitter",
        "localId", "roundTripTime", "totalRoundTripTime", "fractionLost",
        "roundTripTimeMeasurements"}},
      {"outbound-rtp",
       {"ssrc", "kind", "transportId", "codecId", "mid", "mediaSourceId", "remoteId", "packetsSent",
        "packetsSentWithEct1", "bytesSent", "headerBytesSent", "retransmittedPacketsSent",
        "retransmittedBytesSent", "targetBitrate", "totalPacketSendDelay", "nackCount", "active"}},
  };
  return kMembers;
}

const std::map<std::string, Names>& membersOfB() {
  static const std::map<std::string, Names> kMembers = {
      {"inbound-rtp",
       {"ssrc",
        "kind",
        "transportId",
        "codecId",
        "packetsReceived",
        "packetsReceivedWithEct1",
        "packetsReceivedWithCe",
        "packetsLost",
        "jitter",
        "trackIdentifier",
        "mid",
        "remoteId",
        "lastPacketReceivedTimestamp",
        "headerBytesReceived",
        "packetsDiscarded",
        "bytesReceived",
        "nackCount",
        "totalProcessingDelay",
        "estimatedPlayoutTimestamp",
        "jitterBufferDelay",
        "jitterBufferTargetDelay",
        "jitterBufferEmittedCount",
        "jitterBufferMinimumDelay",
        "retransmittedPacketsReceived",
        "retransmittedBytesReceived"}},
      {"remote-outbound-rtp",
       {"ssrc", "kind", "transportId", "codecId", "packetsSent", "bytesSent", "localId",
        "remoteTimestamp", "reportsSent", "roundTripTime", "totalRoundTripTime",
        "roundTripTimeMeasurements"}},
      {"media-playout",
       {"kind", "synthesizedSamplesDuration", "synthesizedSamplesEvents", "totalSamplesDuration",
        "totalPlayoutDelay", "totalSamplesCount"}},
  };
  return kMembers;
}

void expectMembers(const StatsReport& report, const std::map<std::string, Names>& wanted) {
  for (const auto& [type, names] : wanted) {
    EXPECT_FALSE(report.ofType(type).empty()) << type;
    for (const Stats* stats : report.ofType(type)) {
      // Pairs that were never used have not all of them.
      if (type == "candidate-pair" && !stats->has("availableOutgoingBitrate")) continue;
      if (type == "remote-candidate" && stats->text("candidateType") == "prflx") continue;
      for (const char* name : names)
        EXPECT_TRUE(stats->has(name)) << type << ' ' << stats->id << " lacks " << name;
    }
  }
}

TEST_F(StatsTest, S8_6_ALiveCallHasEveryMember) {
  call();
  run(Duration::seconds(8));
  const StatsReport sender = stats(a);
  const StatsReport receiver = stats(b);
  expectMembers(sender, membersOfA());
  expectMembers(receiver, membersOfB());
  expectReferencesResolve(sender);
  expectReferencesResolve(receiver);
  for (const char* name : {"framesSent",
                           "hugeFramesSent",
                           "framesEncoded",
                           "keyFramesEncoded",
                           "framesPerSecond",
                           "qpSum",
                           "psnrSum",
                           "psnrMeasurements",
                           "totalEncodeTime",
                           "frameWidth",
                           "frameHeight",
                           "qualityLimitationReason",
                           "qualityLimitationDurations",
                           "qualityLimitationResolutionChanges",
                           "firCount",
                           "pliCount",
                           "encoderImplementation",
                           "powerEfficientEncoder",
                           "scalabilityMode",
                           "rtxSsrc"}) {
    EXPECT_TRUE(only(sender, "outbound-rtp", "video").has(name)) << name;
  }
  for (const char* name : {"framesReceived",
                           "framesDecoded",
                           "keyFramesDecoded",
                           "framesRendered",
                           "framesDropped",
                           "frameWidth",
                           "frameHeight",
                           "framesPerSecond",
                           "qpSum",
                           "totalDecodeTime",
                           "totalInterFrameDelay",
                           "totalSquaredInterFrameDelay",
                           "pauseCount",
                           "totalPausesDuration",
                           "freezeCount",
                           "totalFreezesDuration",
                           "firCount",
                           "pliCount",
                           "decoderImplementation",
                           "powerEfficientDecoder",
                           "framesAssembledFromMultiplePackets",
                           "totalAssemblyTime"}) {
    EXPECT_TRUE(only(receiver, "inbound-rtp", "video").has(name)) << name;
  }
  for (const char* name :
       {"totalSamplesReceived", "concealedSamples", "silentConcealedSamples", "concealmentEvents",
        "insertedSamplesForDeceleration", "removedSamplesForAcceleration", "audioLevel",
        "totalAudioEnergy", "totalSamplesDuration", "playoutId", "fecPacketsReceived",
        "fecBytesReceived", "fecPacketsDiscarded"}) {
    EXPECT_TRUE(only(receiver, "inbound-rtp", "audio").has(name)) << name;
  }
  for (const char* name : {"audioLevel", "totalAudioEnergy", "totalSamplesDuration"})
    EXPECT_TRUE(only(sender, "media-source", "audio").has(name)) << name;
  for (const char* name : {"width", "height", "frames", "framesPerSecond"})
    EXPECT_TRUE(only(sender, "media-source", "video").has(name)) << name;
  EXPECT_EQ(sender.ofType("codec").size(), 2u);
  // A pair that is used has all, so one was looked at.
  const Stats* pair = sender.find(only(sender, "transport").text("selectedCandidatePairId"));
  ASSERT_TRUE(pair);
  EXPECT_TRUE(pair->has("availableOutgoingBitrate"));
}

}  // namespace
}  // namespace parley::conformance
