// Two connections whose senders have drawn the same SSRC (RFC 3550 section 8.2), through SRTP,
// descriptions and statistics.

#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "parley/base/bytes.h"
#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

/// Draws what it is told to, if it is told.
class LoadedDice final : public Random {
 public:
  explicit LoadedDice(SeededRandom random) : random_(std::move(random)) {}
  void fill(MutableByteSpan out) override {
    random_.fill(out);
    if (next && out.size() == sizeof(uint32_t)) {
      std::copy_n(reinterpret_cast<const uint8_t*>(&*next), sizeof(uint32_t), out.begin());
      next.reset();
    }
  }
  std::optional<uint32_t> next;

 private:
  SeededRandom random_;
};

struct End {
  End(sim::World& world, const char* name)
      : world_(world), host(world.addHost(name)), dice(world.randomFor(name)) {
    LoopOptions options;
    options.threading = Threading::Unlocked;
    options.mediaThreads = MediaThreads::Inline;
    options.random = &dice;
    options.clock = [this] { return world_.now(); };
    options.wallClock = [this] { return world_.wallClock(); };
    loop = Loop::create(std::move(options));
    node = &world.addNode(host, loop->driven());
    pc = PeerConnection::create(loop, {}).value();
    pc.onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      track.setVideoSink([this](const codec::VideoFrame&) { ++frames; });
    });
  }
  ~End() {
    pc.close();
    world_.removeNode(*node);
  }
  void addPicture(uint32_t ssrc) {
    const MediaStreamTrack track =
        MediaStreamTrack::createVideo(loop, createTestPatternSource(160, 120, 30));
    dice.next = ssrc;
    ASSERT_TRUE(pc.addTrack(track, {"s"}));
    ASSERT_FALSE(dice.next) << "nothing was drawn";
  }
  std::string localSdp() { return pc.localDescription()->sdp; }
  /// SSRCs of the outbound statistics.
  std::set<uint32_t> sent() {
    std::set<uint32_t> out;
    pc.getStats([&](Result<StatsReport> report) {
      if (!report) return;
      for (const Stats& object : report->all()) {
        if (object.type == "outbound-rtp") out.insert(static_cast<uint32_t>(object.number("ssrc")));
      }
    });
    world_.run(Duration::millis(1));
    return out;
  }

  sim::World& world_;
  sim::Host& host;
  LoadedDice dice;
  std::shared_ptr<Loop> loop;
  sim::Node* node = nullptr;
  PeerConnection pc;
  uint64_t frames = 0;
};

void trickle(End& from, End& to) {
  from.pc.onIceCandidate([&to](const std::optional<IceCandidate>& candidate) {
    if (candidate) to.pc.addIceCandidate(*candidate, [](Result<void>) {});
  });
}

void negotiate(sim::World& world, End& offerer, End& answerer) {
  offerer.pc.setLocalDescription([](Result<void> r) { EXPECT_TRUE(r); });
  world.run(Duration::millis(10));
  answerer.pc.setRemoteDescription(offerer.pc.localDescription().value(),
                                   [](Result<void> r) { EXPECT_TRUE(r); });
  answerer.pc.setLocalDescription([](Result<void> r) { EXPECT_TRUE(r); });
  world.run(Duration::millis(10));
  offerer.pc.setRemoteDescription(answerer.pc.localDescription().value(),
                                  [](Result<void> r) { EXPECT_TRUE(r); });
  world.run(Duration::millis(10));
}

PARLEY_SIM_TEST(CollisionSim, BothPicturesFlowAndTheNextDescriptionsSaySo) {
  constexpr uint32_t kBoth = 0x5e77775e;  // the same from either end
  const std::string line = "a=ssrc:" + std::to_string(kBoth) + " ";
  End a(world, "a"), b(world, "b");
  world.connect(a.host, b.host, {});
  trickle(a, b);
  trickle(b, a);
  a.addPicture(kBoth);
  b.addPicture(kBoth);
  negotiate(world, a, b);
  EXPECT_NE(a.localSdp().find(line), std::string::npos);
  EXPECT_NE(b.localSdp().find(line), std::string::npos);
  world.run(Duration::seconds(3));
  a.frames = b.frames = 0;
  world.run(Duration::seconds(5));
  EXPECT_GT(a.frames, 130u);
  EXPECT_GT(b.frames, 130u);

  const std::set<uint32_t> ofA = a.sent(), ofB = b.sent();
  ASSERT_EQ(ofA.size(), 1u);
  ASSERT_EQ(ofB.size(), 1u);
  EXPECT_NE(*ofA.begin(), kBoth);
  EXPECT_NE(*ofB.begin(), kBoth);
  EXPECT_NE(*ofA.begin(), *ofB.begin());

  negotiate(world, b, a);
  EXPECT_EQ(a.localSdp().find(line), std::string::npos);
  EXPECT_NE(a.localSdp().find("a=ssrc:" + std::to_string(*ofA.begin()) + " "), std::string::npos);
  EXPECT_NE(b.localSdp().find("a=ssrc:" + std::to_string(*ofB.begin()) + " "), std::string::npos);
  a.frames = b.frames = 0;
  world.run(Duration::seconds(2));
  EXPECT_GT(a.frames, 50u);
  EXPECT_GT(b.frames, 50u);
}

}  // namespace
}  // namespace parley
