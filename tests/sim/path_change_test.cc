// A call whose path changes under it.

#include <algorithm>
#include <cstdint>
#include <utility>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

/// A camera with an encoder of its own, which makes what the estimate allows. Its pictures are
/// noise behind a VP8 header.
class Camera {
 public:
  explicit Camera(Pair& pair)
      : pair_(pair), track(MediaStreamTrack::createEncodedVideo(pair.loopA(), "VP8")) {
    track.onTargetBitrate([this](DataRate rate) {
      target = rate;
      highest = std::max(highest, rate);
      // Zero is a pause: while there is no path.
      if (!rate.isZero()) lowest = std::min(lowest, rate);
    });
    track.onKeyFrameNeeded([this] { keyFrame_ = true; });
    shoot();
  }
  void shoot() {
    codec::EncodedVideoFrame frame;
    frame.keyFrame = std::exchange(keyFrame_, false);
    frame.data.assign(std::max<size_t>(static_cast<size_t>(target.bps()) / 8 / 30, 20), 0x33);
    frame.data[0] = frame.keyFrame ? 0x10 : 0x11;
    if (frame.keyFrame) {
      const uint8_t header[] = {0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0x68, 1};
      std::copy(std::begin(header), std::end(header), frame.data.begin());
    }
    frame.rtpTimestamp = timestamp_ += 3000;
    frame.capture = pair_.world().now();
    frame.width = 640;
    frame.height = 360;
    EXPECT_TRUE(track.push(frame));
    pair_.world().after(Duration::micros(33'333), [this] { shoot(); });
  }

 private:
  Pair& pair_;
  bool keyFrame_ = false;
  uint32_t timestamp_ = 0;

 public:
  MediaStreamTrack track;
  DataRate target = DataRate::kbps(300);
  DataRate highest;
  DataRate lowest = DataRate::infinite();
};

TEST(PathChangeSim, TheEstimateOfTheOldPathDoesNotFloodTheNewOne) {
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  options.aToB.queue.rate = DataRate::kbps(10'000);
  Pair pair(options);
  sim::LinkConfig slow;
  slow.delay = Duration::millis(80);
  slow.queue.rate = DataRate::kbps(500);
  pair.world().connect(pair.hostA(), pair.hostB(), slow);
  Camera camera(pair);
  ASSERT_TRUE(pair.a().addTrack(camera.track, {"s"}));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(15));
  ASSERT_GT(camera.target, DataRate::kbps(1500)) << "the fast path is in use";
  pair.hostA().setUp(pair.hostA().port(0), false);
  camera.highest = DataRate::zero();
  pair.run(Duration::seconds(8));
  EXPECT_LT(camera.highest, DataRate::kbps(1000));
  EXPECT_GT(camera.lowest, DataRate::kbps(100)) << "no queue was built that would have to drain";
  EXPECT_GT(camera.target, DataRate::kbps(200));
}

TEST(PathChangeSim, DataGoesOnWhereThereIsNoMedia) {
  Pair pair;
  pair.world().connect(pair.hostA(), pair.hostB());
  DataChannel channel = pair.a().createDataChannel("c").value();
  int received = 0;
  pair.b().onDataChannel(
      [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++received; }); });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  pair.hostA().setUp(pair.hostA().port(0), false);
  pair.run(Duration::seconds(3));
  ASSERT_TRUE(channel.send("after"));
  pair.run(Duration::seconds(3));
  EXPECT_EQ(received, 1);
}

// Another port of the same two addresses (a NAT that forgot, an ICE restart) is the same way.
TEST(PathChangeSim, AnIceRestartOnTheSameWayKeepsTheEstimate) {
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  options.aToB.queue.rate = DataRate::kbps(10'000);
  Pair pair(options);
  Camera camera(pair);
  ASSERT_TRUE(pair.a().addTrack(camera.track, {"s"}));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(15));
  ASSERT_GT(camera.target, DataRate::kbps(1500));
  pair.a().restartIce();
  pair.negotiate();
  for (int i = 0; i < 50; ++i) {
    pair.run(Duration::millis(100));
    ASSERT_GT(camera.target, DataRate::kbps(1200));
  }
}

}  // namespace
}  // namespace parley
