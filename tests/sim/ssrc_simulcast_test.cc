// Simulcast told by SSRCs (a=ssrc-group:SIM), as Chromium did before rids and servers still do.

#include <string>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;

TransceiverInit threeLayers() {
  TransceiverInit init;
  init.direction = TransceiverDirection::SendOnly;
  init.layersBySsrc = true;
  for (const char* rid : {"l", "m", "h"}) {
    RtpEncodingParameters encoding;
    encoding.rid = rid;
    init.sendEncodings.push_back(encoding);
  }
  return init;
}

struct Shown {
  int frames = 0;
  int width = 0;
  int changes = 0;
  void watch(PeerConnection& pc) {
    pc.onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      track.setVideoSink([this](const codec::VideoFrame& frame) {
        ++frames;
        const int now = frame.width();
        if (now != width) ++changes;
        width = now;
      });
    });
  }
};

/// Objects of a type, with what is asked of them summed up.
std::pair<int, double> sumOf(Pair& pair, PeerConnection& pc, const std::string& type,
                             const std::string& key) {
  std::pair<int, double> out{};
  pc.getStats([&](Result<StatsReport> report) {
    if (!report) return;
    for (const Stats& object : report->all()) {
      if (object.type != type) continue;
      ++out.first;
      if (object.has(key)) out.second += object.number(key);
    }
  });
  pair.run(Duration::millis(1));
  return out;
}

size_t count(const std::string& text, const std::string& word) {
  size_t n = 0;
  for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

PARLEY_SIM_TEST(SsrcSimulcastSim, ThreeLayersOneDecoder) {
  Pair pair(world, {});
  Shown shown;
  shown.watch(pair.b());
  ASSERT_TRUE(pair.a().addTransceiver(
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(320, 180, 30)),
      threeLayers()));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(5));
  const std::string offer = pair.a().localDescription()->sdp;
  EXPECT_EQ(count(offer, "a=ssrc-group:SIM "), 1u);
  EXPECT_EQ(count(offer, "a=ssrc-group:FID "), 3u);
  EXPECT_EQ(count(offer, " cname:"), 6u);
  EXPECT_EQ(count(offer, "a=rid:"), 0u);
  EXPECT_EQ(count(offer, "a=simulcast:"), 0u);

  EXPECT_EQ(sumOf(pair, pair.a(), "outbound-rtp", "framesSent").first, 3);
  EXPECT_EQ(sumOf(pair, pair.b(), "inbound-rtp", "framesReceived").first, 3);
  EXPECT_EQ(shown.width, 320);
  const int changes = shown.changes;
  shown.frames = 0;
  const double decodedBefore = sumOf(pair, pair.b(), "inbound-rtp", "framesDecoded").second;
  pair.run(Duration::seconds(3));
  EXPECT_EQ(shown.changes, changes) << "sizes do not take turns";
  EXPECT_GT(shown.frames, 85);
  EXPECT_LT(shown.frames, 95);
  const double decoded = sumOf(pair, pair.b(), "inbound-rtp", "framesDecoded").second;
  EXPECT_NEAR(decoded - decodedBefore, shown.frames, 5) << "one of three is decoded";
  EXPECT_EQ(sumOf(pair, pair.b(), "inbound-rtp", "framesDropped").second, 0);
}

// A server's offer that does not say that they are layers.
PARLEY_SIM_TEST(SsrcSimulcastSim, WithoutTheGroupOneIsDecodedToo) {
  Pair pair(world, {});
  Shown shown;
  shown.watch(pair.b());
  ASSERT_TRUE(pair.a().addTransceiver(
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(320, 180, 30)),
      threeLayers()));
  pair.a().setLocalDescription([](Result<void> r) { EXPECT_TRUE(r); });
  pair.run(Duration::millis(10));
  SessionDescription offer = pair.a().localDescription().value();
  const size_t group = offer.sdp.find("a=ssrc-group:SIM ");
  ASSERT_NE(group, std::string::npos);
  offer.sdp.erase(group, offer.sdp.find('\n', group) + 1 - group);
  pair.b().setRemoteDescription(offer, [](Result<void> r) { EXPECT_TRUE(r); });
  pair.b().setLocalDescription([](Result<void> r) { EXPECT_TRUE(r); });
  pair.run(Duration::millis(10));
  pair.a().setRemoteDescription(pair.b().localDescription().value(),
                                [](Result<void> r) { EXPECT_TRUE(r); });
  pair.run(Duration::seconds(6));
  const int changes = shown.changes;
  shown.frames = 0;
  pair.run(Duration::seconds(3));
  EXPECT_LE(shown.changes - changes, 1);
  EXPECT_GT(shown.frames, 85);
  EXPECT_LT(shown.frames, 95);
}

}  // namespace
}  // namespace parley
