#include <algorithm>

#include "support/alloc_guard.h"
#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using namespace test;
using Kind = FeedbackRequest::Kind;

class VideoReceiveTest : public HubTest {
 protected:
  VideoReceiveTest() {
    hub_->setReceiver(videoConfig(1, "v"));
    hub_->setRtt(Duration::millis(40));
    sender_.mid = "v";
  }
  void deliverAll(const std::vector<Bytes>& packets) {
    for (const Bytes& p : packets) deliver(p);
  }
  /// One frame every 33 ms.
  void play(bool key, size_t packets = 3) {
    deliverAll(sender_.vp8(key, packets));
    run(Duration::micros(33'333));
  }
  Sender sender_;
};

TEST_F(VideoReceiveTest, FramesComeOutInOrderWithTheirMetadata) {
  sender_.orientation = rtp::VideoOrientationValue{90, false, false};
  play(true);
  sender_.orientation.reset();
  for (int i = 0; i < 10; ++i) play(false);
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 11u);
  EXPECT_TRUE(frames_[0].keyFrame);
  EXPECT_EQ(frames_[0].receiver, ReceiverId(1));
  EXPECT_EQ(frames_[0].ssrc, 0x1111u);
  EXPECT_EQ(frames_[0].codecName, "VP8");
  EXPECT_EQ(frames_[0].payloadType, kVp8);
  EXPECT_EQ(frames_[0].size, (rtp::VideoSize{640, 360}));
  EXPECT_EQ(frames_[0].payload.size(), 300u);
  EXPECT_EQ(frames_[5].orientation.rotation, 90) << "holds until another one comes";
  for (size_t i = 1; i < frames_.size(); ++i) {
    EXPECT_EQ(frames_[i].rtpTimestamp - frames_[i - 1].rtpTimestamp, 3000u);
    EXPECT_GT(frames_[i].playoutTime, frames_[i - 1].playoutTime);
  }
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].kind, SourceEvent::Kind::Started);
  EXPECT_TRUE(requests_.empty());
  const InboundStats s = statsOf(0x1111);
  EXPECT_EQ(s.mid, "v");
  EXPECT_EQ(s.packetsReceived, 33u);
  EXPECT_EQ(s.framesReceived, 11u);
  EXPECT_EQ(s.keyFramesReceived, 1u);
  EXPECT_EQ(s.framesAssembledFromMultiplePackets, 11u);
  EXPECT_EQ(s.jitterBufferEmittedCount, 11u);
  EXPECT_EQ(s.packetsLost, 0);
}

TEST_F(VideoReceiveTest, ALossIsRepairedByRetransmission) {
  play(true);
  auto packets = sender_.vp8(false, 3);
  deliver(packets[0]);
  deliver(packets[2]);
  ASSERT_EQ(requests_.size(), 1u);
  EXPECT_EQ(requests_[0].kind, Kind::Nack);
  EXPECT_EQ(requests_[0].mediaSsrc, 0x1111u);
  ASSERT_EQ(requests_[0].sequences.size(), 1u);
  EXPECT_EQ(requests_[0].sequences[0], loadU16(&packets[1][2]));
  run(Duration::millis(40));
  const auto next = sender_.vp8(false, 3);
  deliverAll(next);
  run(Duration::millis(5));
  EXPECT_EQ(frames_.size(), 1u) << "the later frame waits for the earlier one";
  deliver(sender_.rtx(packets[1], kVp8Rtx));
  run(Duration::millis(200));
  ASSERT_EQ(frames_.size(), 3u);
  EXPECT_LT(frames_[1].rtpTimestamp, frames_[2].rtpTimestamp);
  EXPECT_EQ(count(Kind::Pli), 0u);
  const InboundStats s = statsOf(0x1111);
  EXPECT_EQ(s.retransmittedPacketsReceived, 1u);
  EXPECT_EQ(s.rtxSsrc, 0x2222u);
  EXPECT_EQ(s.nackCount, count(Kind::Nack));
  EXPECT_EQ(s.packetsLost, 1);
}

TEST_F(VideoReceiveTest, WithoutRetransmissionALossAsksForAKeyFrame) {
  play(true);
  const auto lost = sender_.vp8(false, 3);
  deliver(lost[0]);
  for (int i = 0; i < 30; ++i) play(false);
  EXPECT_EQ(frames_.size(), 1u);
  ASSERT_GE(count(Kind::Pli), 1u);
  EXPECT_LE(count(Kind::Pli), 4u) << "at most one per 300 ms and round trip";
  play(true);
  play(false);
  run(Duration::millis(500));
  EXPECT_EQ(frames_.size(), 3u);
  const size_t plis = count(Kind::Pli);
  for (int i = 0; i < 60; ++i) play(false);
  EXPECT_EQ(count(Kind::Pli), plis) << "satisfied";
  EXPECT_EQ(statsOf(0x1111).pliCount, plis);
  EXPECT_GT(statsOf(0x1111).framesDropped, 20u);
}

TEST_F(VideoReceiveTest, WithoutNackALossAsksSoon) {
  ReceiveConfig config = videoConfig(1, "v");
  for (auto& c : config.codecs) c.nack = false;
  hub_->setReceiver(config);
  play(true);
  deliver(sender_.vp8(false, 3)[0]);
  for (int i = 0; i < 5; ++i) play(false);
  EXPECT_EQ(count(Kind::Nack), 0u);
  EXPECT_EQ(count(Kind::Pli), 1u);
}

TEST_F(VideoReceiveTest, FirIsUsedWithoutPliAndCountsUp) {
  ReceiveConfig config = videoConfig(1, "v");
  for (auto& c : config.codecs) c.pli = false;
  hub_->setReceiver(config);
  for (int i = 0; i < 40; ++i) play(false);
  ASSERT_GE(count(Kind::Fir), 2u);
  EXPECT_EQ(count(Kind::Pli), 0u);
  std::vector<uint8_t> numbers;
  for (const auto& r : requests_) {
    if (r.kind == Kind::Fir) numbers.push_back(r.firSequence);
  }
  for (size_t i = 1; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], numbers[i - 1] + 1);
}

TEST_F(VideoReceiveTest, AMissingFirstKeyFrameIsAskedForUntilPacketsStop) {
  for (int i = 0; i < 60; ++i) play(false);
  EXPECT_GE(count(Kind::Pli), 3u);
  EXPECT_TRUE(frames_.empty());
  run(Duration::seconds(3));
  const size_t plis = count(Kind::Pli);
  run(Duration::seconds(60));
  EXPECT_EQ(count(Kind::Pli), plis) << "nobody is there to answer";
}

TEST_F(VideoReceiveTest, AskingForAKeyFrameDoesNotStopThePicture) {
  for (const bool feedback : {true, false}) {
    SCOPED_TRACE(feedback);
    ReceiveConfig config = videoConfig(1, "v");
    for (auto& c : config.codecs) c.pli = c.fir = feedback;
    hub_->setReceiver(config);
    frames_.clear();
    play(true);
    play(false);
    hub_->requestKeyFrame(ReceiverId(1), now_);
    for (int i = 0; i < 10; ++i) play(false);
    play(true);
    run(Duration::millis(50));
    EXPECT_EQ(frames_.size(), 13u);
    EXPECT_EQ(count(Kind::Pli), 1u);
  }
}

TEST_F(VideoReceiveTest, WithoutFeedbackALostDecoderGetsWhatThereIs) {
  ReceiveConfig config = videoConfig(1, "v");
  for (auto& c : config.codecs) c.pli = c.fir = false;
  hub_->setReceiver(config);
  play(true);
  play(false);
  hub_->decoderLostState(ReceiverId(1), now_);
  for (int i = 0; i < 10; ++i) play(false);
  run(Duration::millis(50));
  EXPECT_EQ(frames_.size(), 12u) << "a key frame cannot be asked for: it could be frozen for ever";
}

TEST_F(VideoReceiveTest, ADecoderThatLostItsStateGetsAKeyFrameNext) {
  play(true);
  play(false);
  run(Duration::millis(50));
  ASSERT_EQ(frames_.size(), 2u);
  hub_->decoderLostState(ReceiverId(1), now_);
  collect();
  EXPECT_EQ(count(Kind::Pli), 1u);
  hub_->decoderLostState(ReceiverId(1), now_);
  collect();
  EXPECT_EQ(count(Kind::Pli), 1u) << "rate-limited";
  play(false);
  run(Duration::millis(50));
  EXPECT_EQ(frames_.size(), 2u) << "deltas are of no use now";
  play(true);
  run(Duration::millis(50));
  EXPECT_EQ(frames_.size(), 3u);
}

TEST_F(VideoReceiveTest, ReorderedAndDuplicatedPacketsDoNoHarm) {
  std::vector<Bytes> all;
  for (int i = 0; i < 60; ++i) {
    for (Bytes& p : sender_.vp8(i == 0, 3)) all.push_back(std::move(p));
  }
  // Swap neighbours and repeat every fifth.
  for (size_t i = 0; i + 1 < all.size(); i += 2) std::swap(all[i], all[i + 1]);
  for (size_t i = 0; i < all.size(); ++i) {
    deliver(all[i]);
    if (i % 5 == 0) deliver(all[i]);
    run(Duration::millis(11));
  }
  run(Duration::millis(500));
  EXPECT_EQ(frames_.size(), 60u);
  EXPECT_EQ(count(Kind::Pli), 0u);
  EXPECT_GT(statsOf(0x1111).packetsDiscarded, 10u);
}

TEST_F(VideoReceiveTest, SequenceNumberTimestampAndPictureIdWrap) {
  sender_.sequence = 65'500;
  sender_.timestamp = 0xffffffff - 30'000;
  sender_.pictureId = 0x7ff0;
  for (int i = 0; i < 60; ++i) play(i == 0);
  run(Duration::millis(200));
  EXPECT_EQ(frames_.size(), 60u);
  EXPECT_TRUE(requests_.empty());
}

TEST_F(VideoReceiveTest, PlayoutDelayFollowsTheJitter) {
  for (int i = 0; i < 60; ++i) play(i == 0);
  const InboundStats calm = statsOf(0x1111);
  EXPECT_LT(calm.jitterBufferTargetDelay / 60, 0.020);
  // Every third frame now comes 60 ms late.
  frames_.clear();
  std::vector<std::pair<Timestamp, std::vector<Bytes>>> queue;
  for (int i = 0; i < 120; ++i) {
    queue.push_back({now_ + Duration::micros(33'333 * i) +
                         (i % 3 == 0 ? Duration::millis(60) : Duration::zero()),
                     sender_.vp8(false, 3)});
  }
  std::stable_sort(queue.begin(), queue.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [when, packets] : queue) {
    runTo(when);
    deliverAll(packets);
  }
  run(Duration::millis(300));
  ASSERT_EQ(frames_.size(), 120u);
  // Once learnt, the spacing on screen is even again.
  int uneven = 0;
  for (size_t i = 60; i < frames_.size(); ++i) {
    const Duration gap = frames_[i].playoutTime - frames_[i - 1].playoutTime;
    uneven += gap < Duration::millis(25) || gap > Duration::millis(42);
  }
  EXPECT_LE(uneven, 2);
  EXPECT_TRUE(requests_.empty() || count(Kind::Pli) == 0);
}

TEST_F(VideoReceiveTest, PlayoutDelayOfZeroMeansNoWaiting) {
  sender_.playoutDelay = rtp::PlayoutDelayValue{};
  for (int i = 0; i < 20; ++i) {
    deliverAll(sender_.vp8(i == 0, 2));
    EXPECT_EQ(frames_.size(), static_cast<size_t>(i) + 1) << "at once";
    run(Duration::millis(20 + 25 * (i % 2)));
  }
}

TEST_F(VideoReceiveTest, MinimumDelayHolds) {
  hub_->setMinimumDelay(ReceiverId(1), Duration::millis(300));
  const Timestamp start = now_;
  deliverAll(sender_.vp8(true, 2));
  run(Duration::millis(280));
  EXPECT_TRUE(frames_.empty());
  run(Duration::millis(20));
  ASSERT_EQ(frames_.size(), 1u);
  EXPECT_EQ(frames_[0].playoutTime, start + Duration::millis(300));
}

TEST_F(VideoReceiveTest, ATimestampJumpDoesNotHoldFramesBack) {
  for (int i = 0; i < 10; ++i) play(i == 0);
  sender_.timestamp += 90'000u * 3600;
  for (int i = 0; i < 10; ++i) play(false);
  run(Duration::millis(100));
  EXPECT_EQ(frames_.size(), 20u);
}

TEST_F(VideoReceiveTest, NorDoesAJumpOfSeconds) {
  for (int i = 0; i < 100; ++i) play(i == 0);
  for (const uint32_t seconds : {3u, 10u, 20u}) {
    sender_.timestamp += 90'000u * seconds;
    const size_t before = frames_.size();
    for (int i = 0; i < 10; ++i) play(false);
    run(Duration::millis(100));
    EXPECT_EQ(frames_.size(), before + 10) << seconds;
  }
}

TEST_F(VideoReceiveTest, AFrameFromBeforeAJumpMayComeAfterIt) {
  for (int i = 0; i < 100; ++i) play(i == 0);
  const auto late = sender_.vp8(false, 3);
  deliver(late[0]);
  deliver(late[2]);
  run(Duration::micros(33'333));
  sender_.timestamp += 90'000u * 10;
  for (int i = 0; i < 2; ++i) play(false);
  deliver(sender_.rtx(late[1], kVp8Rtx));
  for (int i = 0; i < 10; ++i) play(false);
  run(Duration::millis(200));
  EXPECT_EQ(frames_.size(), 113u);
}

TEST_F(VideoReceiveTest, FramesThatWaitWhenTheTimestampsJumpBackAreNotHeldUp) {
  for (int i = 0; i < 100; ++i) play(i == 0);
  deliverAll(sender_.vp8(false, 3));
  sender_.timestamp -= 90'000u * 60;
  for (int i = 0; i < 10; ++i) play(false);
  run(Duration::millis(200));
  EXPECT_EQ(frames_.size(), 111u);
}

TEST_F(VideoReceiveTest, ARestartedSenderIsFollowed) {
  for (int i = 0; i < 10; ++i) play(i == 0);
  sender_.sequence = static_cast<uint16_t>(sender_.sequence - 20'000);
  sender_.pictureId = 3;
  for (int i = 0; i < 10; ++i) play(i == 0);
  run(Duration::millis(200));
  EXPECT_GE(frames_.size(), 10u);
  for (int i = 0; i < 10; ++i) play(i == 0);
  run(Duration::millis(200));
  EXPECT_GE(frames_.size(), 20u);
}

TEST_F(VideoReceiveTest, LossesStayCountedWhenTheSenderRestarts) {
  play(true);
  sender_.vp8(false, 1);
  play(true);
  EXPECT_EQ(statsOf(0x1111).packetsLost, 1);
  sender_.sequence = static_cast<uint16_t>(sender_.sequence - 20'000);
  for (int i = 0; i < 5; ++i) play(i == 0);
  EXPECT_EQ(statsOf(0x1111).packetsLost, 1);
  sender_.vp8(false, 1);
  play(true);
  EXPECT_EQ(statsOf(0x1111).packetsLost, 2);
}

TEST_F(VideoReceiveTest, AStrayOldNumberCountsForNothing) {
  for (int i = 0; i < 10; ++i) play(i == 0);
  Sender stray = {};
  stray.mid = "v";
  for (int i = 0; i < 5; ++i) {
    stray.sequence = static_cast<uint16_t>(sender_.sequence - 20'000 + 3000 * i);
    deliver(stray.vp8(true, 1)[0]);
    play(false);
  }
  run(Duration::millis(100));
  EXPECT_EQ(frames_.size(), 15u);
  EXPECT_EQ(statsOf(0x1111).packetsLost, 0);
  EXPECT_EQ(statsOf(0x1111).packetsDiscarded, 5u);
  EXPECT_TRUE(requests_.empty());
}

TEST_F(VideoReceiveTest, PaddingKeepsH264Decodable) {
  deliverAll(sender_.h264(true, 250));
  run(Duration::millis(33));
  for (int i = 0; i < 10; ++i) {
    deliver(sender_.padding(kH264));
    deliverAll(sender_.h264(false, 250));
    run(Duration::millis(33));
  }
  run(Duration::millis(100));
  EXPECT_EQ(frames_.size(), 11u);
  EXPECT_TRUE(requests_.empty());
}

TEST_F(VideoReceiveTest, ACodecChangeOnTheSameSourceWorks) {
  for (int i = 0; i < 5; ++i) play(i == 0);
  deliverAll(sender_.h264(true, 250));
  run(Duration::millis(33));
  deliverAll(sender_.h264(false, 250));
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 7u);
  EXPECT_EQ(frames_[6].codecName, "H264");
  EXPECT_EQ(frames_[4].codecName, "VP8");
}

TEST_F(VideoReceiveTest, UnpolledFramesWaitInABoundedBuffer) {
  for (int i = 0; i < 800; ++i) {
    for (const Bytes& bytes : sender_.vp8(i % 100 == 0, 1)) {
      PacketBuf buf = pool_.copyOf(bytes);
      const auto view = rtp::PacketView::parse(buf.span());
      hub_->handleRtp(std::move(buf), *view, Ecn::NotEct, now_);
    }
    now_ += Duration::millis(33);
    hub_->advance(now_);
    ASSERT_GT(hub_->nextDeadline(), now_);
  }
  EXPECT_EQ(pool_.inUse(), 0u) << "frames are held as bytes, not as packets";
  ReceivedFrame frame;
  size_t polled = 0;
  while (hub_->pollFrame(frame)) ++polled;
  EXPECT_EQ(polled, 64u);
  EXPECT_GT(statsOf(0x1111).framesDropped, 300u);
}

TEST_F(VideoReceiveTest, APictureBeyondTheLimitsIsNotHandedOut) {
  auto packets = sender_.vp8(true, 1);
  // 16383 x 16383, right behind the 4-byte descriptor and the 6 bytes in front of the size.
  const size_t at = rtp::PacketView::parse(packets[0])->headerSize() + 4 + 6;
  storeU32(&packets[0][at], 0xff3fff3f);
  deliverAll(packets);
  run(Duration::seconds(1));
  EXPECT_TRUE(frames_.empty());
  EXPECT_EQ(statsOf(0x1111).framesDropped, 1u);
}

TEST_F(VideoReceiveTest, AFrameThatNeverEndsAsksForAKeyFrame) {
  play(true);
  const auto start = sender_.vp8(false, 2);
  deliver(start[0]);
  sender_.timestamp -= 3000;
  sender_.sequence--;
  const Bytes middle = toBytes(rtp::PacketView::parse(start[1])->payload());
  for (int i = 0; i < 4200; ++i) deliver(sender_.packet(kVp8, false, middle));
  EXPECT_EQ(count(Kind::Pli), 1u);
  deliver(sender_.packet(kVp8, true, middle));
  run(Duration::millis(100));
  sender_.timestamp += 3000;
  play(true);
  run(Duration::millis(100));
  EXPECT_EQ(frames_.size(), 2u);
}

TEST_F(VideoReceiveTest, MalformedPayloadsAreCountedAndDropped) {
  deliver(sender_.packet(kVp8, true, parley::test::fromHex("80")));
  deliver(sender_.packet(kH264, true, parley::test::fromHex("780000")));
  run(Duration::millis(10));
  EXPECT_EQ(statsOf(0x1111).malformedPackets, 2u);
  EXPECT_TRUE(frames_.empty());
}

TEST_F(VideoReceiveTest, SteadyStateDoesNotAllocate) {
  if (!parley::test::AllocGuard::isActive()) GTEST_SKIP();
  std::vector<Bytes> packets;
  for (int i = 0; i < 300; ++i) {
    for (Bytes& p : sender_.vp8(i == 0, 3)) packets.push_back(std::move(p));
  }
  ReceivedFrame frame;
  size_t frames = 0;
  const auto feed = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      PacketBuf buf = pool_.copyOf(packets[i]);
      const auto view = rtp::PacketView::parse(buf.span());
      // Every 50th packet is late by a few others, so that the repair path is warm, too.
      hub_->handleRtp(std::move(buf), *view, Ecn::NotEct, now_);
      now_ += Duration::millis(11);
      hub_->advance(now_);
      while (hub_->pollFrame(frame)) ++frames;
    }
  };
  hub_->setArrivalFeedback(ArrivalFeedback::TransportWide);
  feed(0, 450);
  parley::test::AllocGuard guard;
  feed(450, 900);
  EXPECT_EQ(guard.count(), 0u);
  EXPECT_GT(frames, 280u);
}

TEST_F(VideoReceiveTest, BrowserStreamsBecomeFrames) {
  struct {
    const char* file;
    uint8_t payloadType;
    const char* codec;
    size_t videoPackets;
  } const captures[] = {
      {"chromium156-vp8", kVp8, "VP8", 14},    {"chromium156-vp9", kVp9, "VP9", 14},
      {"chromium156-h264", kH264, "H264", 14}, {"firefox153-vp8", kVp8, "VP8", 14},
      {"firefox153-vp9", kVp9, "VP9", 14},     {"chromium156-simulcast-vp8", kVp8, "VP8", 14}};
  for (const auto& c : captures) {
    SCOPED_TRACE(c.file);
    hub_.emplace(env_);
    hub_->setReceiver(videoConfig(1, "1"));
    hub_->setReceiver(audioConfig(0, "0"));
    frames_.clear();
    units_.clear();
    requests_.clear();
    const Timestamp start = now_;
    size_t video = 0;
    for (const CapturedPacket& p : loadCapture(c.file)) {
      if (rtp::classify(p.bytes) != rtp::PacketKind::Rtp) continue;
      runTo(start + p.at);
      deliver(p.bytes);
      video += rtp::PacketView::parse(p.bytes)->payloadType() == c.payloadType;
    }
    run(Duration::millis(300));
    EXPECT_EQ(video, c.videoPackets);
    ASSERT_EQ(frames_.size(), c.videoPackets) << "each of these frames fits one packet";
    EXPECT_TRUE(frames_[0].keyFrame);
    EXPECT_GT(frames_[0].size.width, 0);
    EXPECT_EQ(frames_[0].codecName, c.codec);
    EXPECT_GE(units_.size(), 10u);
    EXPECT_EQ(count(Kind::Nack), 0u);
    EXPECT_EQ(count(Kind::Pli), 0u);
  }
}

}  // namespace
}  // namespace parley::media
