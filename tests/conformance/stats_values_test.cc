// webrtc-stats: what the members say of a call of which the test knows what it was. stats_test.cc
// has what can be told exactly; here each number lies where it must.

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "stats_fixture.h"

namespace parley::conformance {
namespace {

constexpr double kAny = std::numeric_limits<double>::infinity();

struct Range {
  const char* member;
  double least;
  double most = kAny;
};

/// 20 pictures of 320 x 240 and 50 packets of sound each second, for eight seconds and what
/// connecting took, over a path without loss and delay.
class StatsValues : public StatsTest {
 protected:
  void SetUp() override {
    call();
    run(Duration::seconds(8));
    sent = stats(a);
    got = stats(b);
  }
  static void expectIn(const Stats& stats, const std::vector<Range>& ranges) {
    for (const Range& range : ranges) {
      ASSERT_TRUE(stats.has(range.member)) << stats.type << " lacks " << range.member;
      EXPECT_GE(stats.number(range.member), range.least) << stats.type << '.' << range.member;
      EXPECT_LE(stats.number(range.member), range.most) << stats.type << '.' << range.member;
    }
  }
  StatsReport sent, got;
};

TEST_F(StatsValues, Stats_NumbersAreFiniteAndTimesLieInTheCall) {
  for (const StatsReport* report : {&sent, &got}) {
    for (const Stats& stats : report->all()) {
      EXPECT_FALSE(stats.id.empty());
      for (const auto& [name, value] : stats.members) {
        if (std::holds_alternative<std::string>(value)) continue;
        const double number = stats.number(name);
        EXPECT_TRUE(std::isfinite(number)) << stats.type << '.' << name;
        EXPECT_GE(number, 0) << stats.type << '.' << name;
        if (!name.ends_with("Timestamp") || name == "estimatedPlayoutTimestamp") continue;
        EXPECT_LE(number, stats.timestampMs + 1) << stats.type << '.' << name;
        EXPECT_GE(number, stats.timestampMs - 20'000) << stats.type << '.' << name;
      }
    }
  }
}

TEST_F(StatsValues, Stats_WhatIsSentOfPictures) {
  const Stats& out = only(sent, "outbound-rtp", "video");
  expectIn(out, {{"packetsSent", 160, 8000},
                 {"packetsSentWithEct1", 0, 0},
                 {"bytesSent", 20'000, 8'000'000},
                 {"headerBytesSent", 12 * out.number("packetsSent")},
                 {"retransmittedPacketsSent", 0, 0},
                 {"retransmittedBytesSent", 0, 0},
                 {"nackCount", 0, 0},
                 {"firCount", 0, 0},
                 {"pliCount", 0, 2},
                 {"targetBitrate", 30'000, 10'000'000},
                 {"totalPacketSendDelay", 0, 10},
                 {"framesSent", 155, 175},
                 {"framesEncoded", 155, 175},
                 {"hugeFramesSent", 0, 20},
                 {"keyFramesEncoded", 1, 4},
                 {"framesPerSecond", 18, 22},
                 {"qpSum", 155, 160 * 255},
                 {"psnrMeasurements", 7, 11},
                 {"totalEncodeTime", 0, 8},
                 {"frameWidth", 320, 320},
                 {"frameHeight", 240, 240},
                 {"encodingIndex", 0, 0},
                 {"rtxSsrc", 1, 4294967295.0},
                 {"ssrc", 1, 4294967295.0},
                 {"qualityLimitationResolutionChanges", 0, 0}});
  EXPECT_NE(out.number("rtxSsrc"), out.number("ssrc"));
  EXPECT_EQ(out.text("scalabilityMode"), "L1T1");
  EXPECT_TRUE(std::get<bool>(out.members.at("active")));
  EXPECT_FALSE(std::get<bool>(out.members.at("powerEfficientEncoder")));
  EXPECT_EQ(out.text("encoderImplementation"), "libvpx");
  const auto& durations =
      std::get<std::map<std::string, double>>(out.members.at("qualityLimitationDurations"));
  double all = 0;
  for (const char* reason : {"none", "cpu", "bandwidth", "other"}) all += durations.at(reason);
  EXPECT_NEAR(all, 8, 1) << "every moment has one reason";
  const auto& psnr = std::get<std::map<std::string, double>>(out.members.at("psnrSum"));
  for (const char* plane : {"y", "u", "v"}) {
    EXPECT_GT(psnr.at(plane) / out.number("psnrMeasurements"), 25) << plane;
    EXPECT_LT(psnr.at(plane) / out.number("psnrMeasurements"), 70) << plane;
  }
  EXPECT_FALSE(only(sent, "outbound-rtp", "audio").has("psnrSum"));
}

TEST_F(StatsValues, Stats_EncodersAreAskedForWhatTheRateIs) {
  const Stats& out = only(sent, "outbound-rtp", "video");
  const double target = out.number("totalEncodedBytesTarget");
  // The rate rises from startBitrate to what the path carries, at most maxBitrate.
  EXPECT_GT(target, 300'000.0 / 8 * 4);
  EXPECT_LT(target, 8'000'000.0 / 8 * 9);
  run(Duration::seconds(2));
  const StatsReport after = stats(a);
  const Stats& later = only(after, "outbound-rtp", "video");
  const double rate = (later.number("totalEncodedBytesTarget") - target) * 8 / 2;
  EXPECT_NEAR(rate, later.number("targetBitrate"), later.number("targetBitrate") * 0.25);
}

TEST_F(StatsValues, Stats_WhatIsReceivedOfPictures) {
  // Probes of the path are repetitions, which nobody asked for and nobody needs.
  const Stats& in = only(got, "inbound-rtp", "video");
  const Stats& out = only(sent, "outbound-rtp", "video");
  expectIn(in, {{"packetsReceived", 160, out.number("packetsSent")},
                {"packetsReceivedWithEct1", 0, 0},
                {"packetsReceivedWithCe", 0, 0},
                {"packetsLost", 0, 0},
                {"packetsDiscarded", 0, 200},
                {"jitter", 0, 0.05},
                {"bytesReceived", 20'000, out.number("bytesSent")},
                {"headerBytesReceived", 12 * 160, out.number("headerBytesSent")},
                {"retransmittedPacketsReceived", 0, 200},
                {"retransmittedBytesReceived", 0, 240'000},
                {"nackCount", 0, 0},
                {"firCount", 0, 0},
                {"pliCount", 0, 2},
                {"framesReceived", 150, out.number("framesSent")},
                {"framesDecoded", 150, out.number("framesSent")},
                {"framesRendered", 150, out.number("framesSent")},
                {"framesDropped", 0, 2},
                {"keyFramesDecoded", 1, 4},
                {"framesPerSecond", 18, 22},
                {"qpSum", 150, 160 * 255},
                {"totalDecodeTime", 0, 8},
                {"totalInterFrameDelay", 7, 9},
                {"totalSquaredInterFrameDelay", 0.3, 1.5},
                {"freezeCount", 0, 0},
                {"totalFreezesDuration", 0, 0},
                {"pauseCount", 0, 0},
                {"totalPausesDuration", 0, 0},
                {"framesAssembledFromMultiplePackets", 1, 175},
                {"totalAssemblyTime", 0, 5},
                {"frameWidth", 320, 320},
                {"frameHeight", 240, 240},
                {"jitterBufferEmittedCount", 150, 175}});
  const double frames = in.number("jitterBufferEmittedCount");
  for (const char* sum : {"jitterBufferDelay", "jitterBufferTargetDelay",
                          "jitterBufferMinimumDelay", "totalProcessingDelay"})
    EXPECT_LT(in.number(sum) / frames, 0.5) << sum << ": seconds for each picture";
  EXPECT_EQ(in.text("decoderImplementation"), "libvpx");
  EXPECT_FALSE(std::get<bool>(in.members.at("powerEfficientDecoder")));
}

TEST_F(StatsValues, Stats_WhatIsSentAndReceivedOfSound) {
  const Stats& out = only(sent, "outbound-rtp", "audio");
  const Stats& in = only(got, "inbound-rtp", "audio");
  expectIn(out, {{"packetsSent", 380, 460},
                 {"bytesSent", 8'000, 200'000},
                 {"headerBytesSent", 12 * 380},
                 {"targetBitrate", 6'000, 510'000},
                 {"nackCount", 0, 0}});
  expectIn(in, {{"packetsReceived", 370, out.number("packetsSent")},
                {"packetsLost", 0, 0},
                {"jitter", 0, 0.02},
                {"totalSamplesReceived", 7 * 48'000, 10 * 48'000},
                {"concealedSamples", 0, 48'000},
                {"silentConcealedSamples", 0, in.number("concealedSamples")},
                {"concealmentEvents", 0, 5},
                {"insertedSamplesForDeceleration", 0, 48'000},
                {"removedSamplesForAcceleration", 0, 48'000},
                {"audioLevel", 0.3, 0.6},
                {"totalSamplesDuration", 7, 10},
                {"jitterBufferEmittedCount", 6 * 48'000, 10 * 48'000},
                {"fecPacketsReceived", 0, 0}});
  // A sine of half the full scale has an energy of 0.5^2 a second (webrtc-stats: level squared).
  EXPECT_NEAR(in.number("totalAudioEnergy") / in.number("totalSamplesDuration"), 0.25, 0.15);
  EXPECT_LT(in.number("jitterBufferDelay") / in.number("jitterBufferEmittedCount"), 0.3);
  expectIn(only(sent, "media-source", "audio"),
           {{"audioLevel", 0.4, 0.6}, {"totalSamplesDuration", 7, 10}, {"totalAudioEnergy", 1, 4}});
  const Stats& playout = only(got, "media-playout");
  expectIn(playout, {{"totalSamplesCount", 6 * 48'000, 10 * 48'000},
                     {"totalSamplesDuration", 6, 10},
                     {"synthesizedSamplesDuration", 0, 0},
                     {"synthesizedSamplesEvents", 0, 0}});
}

TEST_F(StatsValues, Stats_WhatThePeerReports) {
  for (const char* kind : {"audio", "video"}) {
    const Stats& out = only(sent, "outbound-rtp", kind);
    expectIn(only(sent, "remote-inbound-rtp", kind),
             {{"packetsReceived", 10, out.number("packetsSent")},
              {"packetsLost", 0, 0},
              {"fractionLost", 0, 0},
              {"jitter", 0, 0.05},
              {"roundTripTime", 0, 0.05},
              {"totalRoundTripTime", 0, 1},
              {"roundTripTimeMeasurements", 1, 40}});
    expectIn(only(got, "remote-outbound-rtp", kind),
             {{"packetsSent", 10, out.number("packetsSent")},
              {"bytesSent", 100, out.number("bytesSent")},
              {"reportsSent", 1, 40}});
  }
}

TEST_F(StatsValues, Stats_WhatOnlyOtherReportsTellIsNotThere) {
  for (const StatsReport* report : {&sent, &got}) {
    for (const Stats& stats : report->all()) {
      for (const char* name : {"packetsReportedAsLost", "packetsReportedAsLostButRecovered",
                               "packetsWithBleachedEct1Marking"})
        EXPECT_FALSE(stats.has(name)) << stats.type << '.' << name;
    }
  }
  for (const char* name : {"packetsReceivedWithEct1", "packetsReceivedWithCe"})
    EXPECT_FALSE(only(sent, "remote-inbound-rtp", "video").has(name)) << name;
  EXPECT_EQ(only(sent, "transport").number("ccfbMessagesSent"), 0);
  EXPECT_EQ(only(sent, "transport").number("ccfbMessagesReceived"), 0);
}

TEST_F(StatsValues, Stats_ThePathAndItsCandidates) {
  const Stats& transport = only(sent, "transport");
  const Stats* used = sent.find(transport.text("selectedCandidatePairId"));
  ASSERT_TRUE(used);
  expectIn(*used, {{"packetsSent", 500},
                   {"packetsReceived", 20},
                   {"bytesSent", 20'000},
                   {"totalRoundTripTime", 0, 1},
                   {"currentRoundTripTime", 0, 0.05},
                   {"availableOutgoingBitrate", 30'000},
                   {"requestsSent", 1, 100},
                   {"requestsReceived", 1, 100},
                   {"responsesReceived", 1, used->number("requestsSent")},
                   {"responsesSent", 1, used->number("requestsReceived")},
                   {"consentRequestsSent", 1, used->number("requestsSent")},
                   {"packetsDiscardedOnSend", 0, 0},
                   {"bytesDiscardedOnSend", 0, 0}});
  EXPECT_EQ(used->text("state"), "succeeded");
  EXPECT_TRUE(std::get<bool>(used->members.at("nominated")));
  EXPECT_EQ(transport.text("dtlsState"), "connected");
  EXPECT_EQ(transport.text("tlsVersion").size(), 4u) << "FEFD is DTLS 1.2";
  EXPECT_FALSE(transport.text("dtlsCipher").empty());
  EXPECT_EQ(transport.text("srtpCipher"), "AEAD_AES_128_GCM");
  EXPECT_NE(transport.text("dtlsRole"), only(got, "transport").text("dtlsRole"));
  expectIn(transport, {{"selectedCandidatePairChanges", 1, 5}});
  for (const char* side : {"localCandidateId", "remoteCandidateId"}) {
    const Stats* candidate = sent.find(used->text(side));
    ASSERT_TRUE(candidate);
    expectIn(*candidate, {{"port", 1, 65535}, {"priority", 1, 2147483647.0}});
    EXPECT_EQ(candidate->text("protocol"), "udp");
  }
}

}  // namespace
}  // namespace parley::conformance
