#include "congestion/foreign_queue.h"

#include <gtest/gtest.h>

namespace parley::congestion {
namespace {

class Foreign : public testing::Test {
 protected:
  /// Reports every 100 ms of a queue that stays.
  void stand(int queueMs, Duration time, bool lost = false, bool ownBacklog = false) {
    for (const Timestamp end = now_ + time; now_ < end; now_ += Duration::millis(100))
      queue_.update(Duration::millis(queueMs), lost, ownBacklog, now_);
  }
  bool present() const { return queue_.present(now_); }

  Timestamp now_ = Timestamp::seconds(50);
  ForeignQueue queue_;
};

TEST_F(Foreign, AQueueThatGoesAfterACutIsOurOwn) {
  stand(120, Duration::seconds(1));
  queue_.onCut(Duration::millis(120), now_);
  stand(150, Duration::seconds(1));
  stand(60, Duration::seconds(1));
  stand(10, Duration::seconds(10));
  EXPECT_FALSE(present());
}

TEST_F(Foreign, OneThatStaysIsNot) {
  queue_.onCut(Duration::millis(200), now_);
  stand(220, Duration::seconds(2));
  EXPECT_FALSE(present());
  stand(210, Duration::seconds(1));
  EXPECT_TRUE(present());
}

TEST_F(Foreign, WithoutACutNothingIsKnown) {
  stand(300, Duration::seconds(30));
  EXPECT_FALSE(present());
}

TEST_F(Foreign, WhileOurOwnBacklogGoesOutNothingIsKnown) {
  queue_.onCut(Duration::millis(200), now_);
  stand(280, Duration::seconds(6), false, true);
  EXPECT_FALSE(present());
  stand(280, Duration::seconds(3));
  EXPECT_TRUE(present());
}

// A report a second is what a path that stands still lets through.
TEST_F(Foreign, APathThatStandsStillHasNoQueueOfOthers) {
  queue_.onCut(Duration::millis(900), now_);
  for (int i = 0; i < 5; ++i) {
    now_ += Duration::millis(900);
    stand(1000 + 900 * i, Duration::millis(100));
  }
  EXPECT_FALSE(present());
  stand(4000, Duration::seconds(3));
  EXPECT_TRUE(present()) << "it moves, and the queue stays";
}

TEST_F(Foreign, LossesOfAFullQueueProlongItAndThenItIsTestedAgain) {
  queue_.onCut(Duration::millis(280), now_);
  stand(280, Duration::seconds(3));
  ASSERT_TRUE(present());
  stand(280, Duration::seconds(12), true);
  EXPECT_TRUE(present());
  stand(280, Duration::seconds(8), true);
  EXPECT_FALSE(present());
  queue_.onCut(Duration::millis(280), now_);
  stand(280, Duration::seconds(3));
  EXPECT_TRUE(present());
}

TEST_F(Foreign, WithoutLossesItEndsSoon) {
  queue_.onCut(Duration::millis(150), now_);
  stand(150, Duration::seconds(3));
  ASSERT_TRUE(present());
  stand(150, Duration::seconds(6));
  EXPECT_FALSE(present());
}

TEST_F(Foreign, AMomentWithoutQueueDoesNotEndItButTwoSecondsDo) {
  queue_.onCut(Duration::millis(200), now_);
  stand(200, Duration::seconds(3));
  stand(10, Duration::seconds(1));
  EXPECT_TRUE(present());
  stand(200, Duration::seconds(1));
  stand(10, Duration::millis(2500));
  EXPECT_FALSE(present());
}

}  // namespace
}  // namespace parley::congestion
