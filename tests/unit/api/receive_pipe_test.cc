#include "api/receive_pipe.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/fake.h"

#include "unit/api/live_pair.h"

namespace parley::api_internal {
namespace {

using test::Latch;

/// A pipe whose worker is busy until it is let go.
class BusyVideoPipe : public testing::Test {
 protected:
  BusyVideoPipe() {
    pipe_->configure({codec::SdpVideoFormat{"VP8", {}}});
    worker_->post([this] { release_.wait(); });
  }
  ~BusyVideoPipe() override {
    release_.set();
    pipe_->stop();
    Latch idle;
    worker_->post([&idle] { idle.set(); });
    idle.wait();
  }
  bool push(bool keyFrame) {
    media::ReceivedFrame frame;
    frame.codecName = "VP8";
    frame.keyFrame = keyFrame;
    return pipe_->push(std::move(frame));
  }

  Latch release_;
  std::shared_ptr<Worker> worker_ = std::make_shared<Worker>(false);
  std::shared_ptr<TrackCore> track_ =
      std::make_shared<TrackCore>(std::weak_ptr<LoopCore>(), MediaKind::Video, "t", true);
  std::shared_ptr<VideoReceivePipe> pipe_ = std::make_shared<VideoReceivePipe>(
      codec::fakeVideoDecoders(), worker_, track_, [](bool) {},
      [] { return Timestamp::seconds(1); });
};

TEST_F(BusyVideoPipe, WhatIsSkippedLeavesNoJobs) {
  // Key frames only: each may be decoded, however many were skipped before it.
  for (int i = 0; i < 1000; ++i) (void)push(true);
  EXPECT_GT(pipe_->stats().framesDropped, 900u);
  // Every job that waits is an owner.
  EXPECT_LE(pipe_.use_count(), 3);
}

TEST_F(BusyVideoPipe, AllThatWaitsIsDecodedInOrder) {
  std::vector<uint32_t> seen;
  Latch done;
  track_->setEncodedVideoSink([&](const codec::EncodedVideoFrame& frame) {
    seen.push_back(frame.rtpTimestamp);
    if (seen.size() == 20) done.set();
  });
  std::vector<uint32_t> sent;
  for (uint32_t i = 0; i < 20; ++i) {
    media::ReceivedFrame frame;
    frame.codecName = "VP8";
    frame.keyFrame = i == 0;
    frame.rtpTimestamp = i;
    sent.push_back(i);
    EXPECT_FALSE(pipe_->push(std::move(frame)));
  }
  release_.set();
  ASSERT_TRUE(done.wait());
  EXPECT_EQ(seen, sent);
}

}  // namespace
}  // namespace parley::api_internal
