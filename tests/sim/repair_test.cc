// Losses on a path and what two connections agree to do about them: RED for sound, FEC for video
// (RFC 8854), through negotiation, SRTP and the codecs.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"
#include "support/encoded_camera.h"

namespace parley {
namespace {

using testing::EncodedCamera;
using testing::Pair;
using testing::PairOptions;

PairOptions lossy(double loss, Duration roundTrip) {
  PairOptions options;
  options.aToB.delay = roundTrip / 2;
  options.bToA = options.aToB;
  options.aToB.loss = sim::LossModel::bernoulli(loss);
  return options;
}

/// The first statistics object of a type.
Stats statsOf(Pair& pair, PeerConnection& pc, const std::string& type) {
  Stats out;
  pc.getStats([&](Result<StatsReport> report) {
    if (!report) return;
    for (const Stats& object : report->all()) {
      if (object.type == type && out.type.empty()) out = object;
    }
  });
  pair.run(Duration::millis(1));
  return out;
}

double number(const Stats& stats, const std::string& key) {
  return stats.has(key) ? stats.number(key) : -1;
}

PARLEY_SIM_TEST(RepairSim, SoundSurvives20PercentOfLoss) {
  Pair pair(world, lossy(0.2, Duration::millis(60)));
  ASSERT_TRUE(
      pair.a().addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"}));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(8));
  const auto before = statsOf(pair, pair.b(), "inbound-rtp");
  pair.run(Duration::seconds(30));
  const auto after = statsOf(pair, pair.b(), "inbound-rtp");
  const auto grown = [&](const char* key) { return number(after, key) - number(before, key); };
  EXPECT_GT(grown("packetsLost"), 200);
  EXPECT_GT(grown("fecPacketsReceived"), 1000);
  EXPECT_LT(grown("concealedSamples"), 0.01 * grown("totalSamplesReceived"));
}

/// Leaves only the codecs of these names.
void keepCodecs(PeerConnection& pc, const std::vector<std::string>& names) {
  std::vector<RtpCodec> codecs;
  for (const RtpCodec& codec : RtpSender::getCapabilities(MediaKind::Video).codecs) {
    if (std::find(names.begin(), names.end(), codec.mimeType.substr(6)) != names.end())
      codecs.push_back(codec);
  }
  ASSERT_TRUE(pc.getTransceivers().front().setCodecPreferences(codecs));
}

struct VideoCall {
  VideoCall(sim::World& world, PairOptions options, const std::vector<std::string>& codecs)
      : pair(world, std::move(options)), camera(pair, DataRate::kbps(1000)) {
    EXPECT_TRUE(pair.a().addTrack(camera.track, {"s"}));
    keepCodecs(pair.a(), codecs);
    EXPECT_TRUE(pair.connect());
    pair.run(Duration::seconds(30));
    sent = statsOf(pair, pair.a(), "outbound-rtp");
    received = statsOf(pair, pair.b(), "inbound-rtp");
    answer = pair.a().remoteDescription()->sdp;
    offer = pair.b().remoteDescription()->sdp;
  }

  Pair pair;
  EncodedCamera camera;
  Stats sent, received;
  std::string offer, answer;
};

void expectRepaired(const VideoCall& call) {
  EXPECT_GT(number(call.received, "packetsLost"), 50);
  EXPECT_GT(number(call.sent, "parleyFecPacketsSent"), 100);
  EXPECT_GT(number(call.received, "fecPacketsReceived"), 100);
  EXPECT_GT(number(call.received, "parleyRestoredPackets"),
            0.5 * number(call.received, "packetsLost"));
  EXPECT_GT(number(call.received, "framesReceived"), 0.99 * (number(call.sent, "framesSent") - 15));
}

PARLEY_SIM_TEST(RepairSim, FlexfecOverALongPath) {
  const VideoCall call(world, lossy(0.05, Duration::millis(300)), {"VP8", "rtx", "flexfec-03"});
  expectRepaired(call);
  EXPECT_NE(call.offer.find("a=ssrc-group:FEC-FR "), std::string::npos);
  EXPECT_EQ(std::to_string(static_cast<uint32_t>(number(call.received, "fecSsrc"))), [&] {
    const size_t at = call.offer.find("a=ssrc-group:FEC-FR ");
    const size_t second = call.offer.find(' ', at + 20) + 1;
    return call.offer.substr(second, call.offer.find('\r', second) - second);
  }());
}

PARLEY_SIM_TEST(RepairSim, FlexfecOfRfc8627OverALongPath) {
  expectRepaired(VideoCall(world, lossy(0.05, Duration::millis(300)), {"VP8", "rtx", "flexfec"}));
}

PARLEY_SIM_TEST(RepairSim, UlpfecOverALongPath) {
  const VideoCall call(world, lossy(0.05, Duration::millis(300)), {"VP8", "rtx", "red", "ulpfec"});
  expectRepaired(call);
  EXPECT_EQ(call.offer.find("FEC-FR"), std::string::npos);
}

PARLEY_SIM_TEST(RepairSim, NothingThatOneSideRefuses) {
  PairOptions options = lossy(0.05, Duration::millis(300));
  options.configurationB.videoFec = false;
  const VideoCall call(world, std::move(options), {"VP8", "rtx", "red", "ulpfec", "flexfec-03"});
  EXPECT_NE(call.offer.find(" flexfec-03/90000"), std::string::npos);
  EXPECT_EQ(call.answer.find("fec"), std::string::npos);
  EXPECT_EQ(call.answer.find(" red/"), std::string::npos);
  EXPECT_EQ(number(call.sent, "parleyFecPacketsSent"), 0);
}

}  // namespace
}  // namespace parley
