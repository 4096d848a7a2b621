#include "api/layer_chooser.h"

#include <gtest/gtest.h>

namespace parley::api_internal {
namespace {

using Verdict = LayerChooser::Verdict;

class Layers : public testing::Test {
 protected:
  Verdict frame(uint32_t ssrc, bool key, uint16_t width, bool isLayer) {
    media::ReceivedFrame frame;
    frame.ssrc = ssrc;
    frame.keyFrame = key;
    if (key) frame.size = {width, static_cast<uint16_t>(width / 16 * 9)};
    frame.isLayer = isLayer;
    return chooser_.judge(frame, now_);
  }
  /// A frame of each source that goes on, 30 times a second.
  void goOn(std::initializer_list<uint32_t> sources, Duration time, bool isLayer) {
    for (const Timestamp end = now_ + time; now_ < end; now_ += Duration::millis(33)) {
      for (const uint32_t ssrc : sources) {
        const Verdict verdict = frame(ssrc, false, 0, isLayer);
        shown_[ssrc - 1] += verdict == Verdict::Show;
      }
    }
  }
  LayerChooser chooser_;
  Timestamp now_ = Timestamp::seconds(1000);
  int shown_[4] = {};
};

TEST_F(Layers, OfSimulcastTheLargestIsShown) {
  EXPECT_EQ(frame(2, true, 320, true), Verdict::Show);
  EXPECT_EQ(frame(1, true, 160, true), Verdict::Leave);
  EXPECT_EQ(frame(3, false, 0, true), Verdict::Leave);
  EXPECT_EQ(frame(3, true, 640, true), Verdict::Show);
  goOn({1, 2, 3}, Duration::seconds(2), true);
  EXPECT_EQ(shown_[0] + shown_[1], 0);
  EXPECT_GT(shown_[2], 50);
  EXPECT_EQ(chooser_.ssrc(), 3u);
}

TEST_F(Layers, ASilentOneIsLeftAtAKeyFrame) {
  EXPECT_EQ(frame(3, true, 640, true), Verdict::Show);
  goOn({1}, Duration::millis(900), true);
  EXPECT_EQ(shown_[0], 0);
  now_ += Duration::millis(200);
  EXPECT_EQ(frame(1, false, 0, true), Verdict::NeedsKeyFrame);
  EXPECT_EQ(frame(1, true, 160, true), Verdict::Show);
}

TEST_F(Layers, ASourceThatFollowsAnotherTakesOverAtOnce) {
  EXPECT_EQ(frame(1, true, 640, false), Verdict::Show);
  goOn({1}, Duration::seconds(1), false);
  EXPECT_EQ(frame(2, true, 320, false), Verdict::Show) << "even if it is smaller";
  EXPECT_EQ(frame(1, false, 0, false), Verdict::Leave) << "a straggler";
  goOn({2}, Duration::seconds(2), false);
  // And back.
  EXPECT_EQ(frame(1, true, 320, false), Verdict::Show);
  EXPECT_EQ(frame(2, false, 0, false), Verdict::Leave);
}

TEST_F(Layers, OfSourcesSideBySideTheLargestStays) {
  EXPECT_EQ(frame(3, true, 640, false), Verdict::Show);
  EXPECT_EQ(frame(1, true, 160, false), Verdict::Show);
  EXPECT_EQ(frame(2, true, 320, false), Verdict::Show);
  goOn({1, 2, 3}, Duration::seconds(1), false);
  EXPECT_EQ(shown_[0] + shown_[2], 0) << "one decoder gets one of them";
  EXPECT_EQ(frame(3, true, 640, false), Verdict::Show);
  EXPECT_EQ(frame(1, true, 160, false), Verdict::Leave);
  EXPECT_EQ(frame(2, true, 320, false), Verdict::Leave);
  shown_[1] = 0;
  goOn({1, 2, 3}, Duration::seconds(1), false);
  EXPECT_EQ(shown_[0] + shown_[1], 0);
  EXPECT_GT(shown_[2], 25);
}

TEST_F(Layers, WithoutSimulcastTheFirstFrameMayBeAnyFrame) {
  EXPECT_EQ(frame(1, false, 0, false), Verdict::Show);
}

TEST_F(Layers, ManySourcesLeaveOneShown) {
  EXPECT_EQ(frame(1, true, 640, false), Verdict::Show);
  for (uint32_t ssrc = 10; ssrc < 100; ++ssrc) frame(ssrc, true, 320, false);
  EXPECT_EQ(chooser_.ssrc(), 99u);
  EXPECT_EQ(frame(1, true, 640, false), Verdict::Show);
}

}  // namespace
}  // namespace parley::api_internal
