// Header extensions that tell of time, of who is heard and of how a picture should look.

#include <map>

#include <gtest/gtest.h>

#include "parley/rtp/extensions/all.h"

#include "media/send_stream_impl.h"
#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

class SendExtensions : public ::testing::Test {
 protected:
  SendExtensions() {
    pacer_.setRates({DataRate::kbps(100'000), DataRate::zero()}, now_);
    config_.codec = "VP8";
    config_.payloadType = 96;
    config_.ssrc = 7;
    config_.extensions.add(rtp::ExtensionKind::VideoTiming, 14);
    config_.extensions.add(rtp::ExtensionKind::PlayoutDelay, 5);
    config_.extensions.add(rtp::ExtensionKind::CorruptionDetection, 9);
    config_.extensions.add(rtp::ExtensionKind::CsrcAudioLevel, 8);
    open();
  }
  void open() {
    stream_ = std::make_unique<SendStream>(environment_, SendStreamId{1}, config_, 1200);
  }

  std::vector<PacketBuf> drain() {
    std::vector<PacketBuf> out;
    PacedPacket paced;
    int32_t probe = -1;
    while (pacer_.queuedBytes() > 0) {
      while (pacer_.pop(paced, probe, now_)) out.push_back(std::move(paced.data));
      now_ += Duration::millis(1);
    }
    return out;
  }
  std::vector<PacketBuf> send(const codec::EncodedVideoFrame& frame) {
    EXPECT_EQ(stream_->sendVideo(frame, pacer_, now_), SendStream::Accepted::Yes);
    return drain();
  }
  codec::EncodedVideoFrame picture(bool key, size_t size) {
    codec::EncodedVideoFrame out;
    out.data = Bytes(size, 1);
    out.keyFrame = key;
    out.capture = now_;
    return out;
  }
  template <class Ext>
  std::optional<typename Ext::Value> get(const PacketBuf& packet) {
    return rtp::getExtension<Ext>(*rtp::PacketView::parse(packet.span()), config_.extensions);
  }
  void report(uint16_t highest) {
    rtp::rtcp::ReportBlock block;
    block.ssrc = 7;
    block.extendedHighestSequence = highest;
    stream_->onReportBlock(block, std::nullopt, now_);
  }

  SeededRandom random_{1};
  PacketPool pool_;
  Environment environment_{random_, pool_};
  SendStreamConfig config_;
  Pacer pacer_{1000};
  std::unique_ptr<SendStream> stream_;
  Timestamp now_ = Timestamp::seconds(10);
};

TEST_F(SendExtensions, FiveFramesOfASecondTellTheirTimes) {
  int told = 0;
  for (int i = 0; i < 60; ++i) {
    codec::EncodedVideoFrame frame = picture(i == 0, 3000);
    frame.capture = Timestamp::seconds(10) + Duration::millis(i * 1000 / 30);
    now_ = frame.capture + Duration::millis(15);
    frame.encodeStart = frame.capture + Duration::millis(4);
    frame.encodeEnd = frame.capture + Duration::millis(12);
    const auto packets = send(frame);
    EXPECT_FALSE(get<rtp::VideoTiming>(packets.front())) << "on the last packet only";
    const auto timing = get<rtp::VideoTiming>(packets.back());
    if (!timing) continue;
    ++told;
    EXPECT_EQ(timing->flags, rtp::VideoTimingValue::kByTimer);
    EXPECT_EQ(timing->encodeStart, 4);
    EXPECT_EQ(timing->encodeFinish, 12);
    EXPECT_EQ(timing->packetized, 15);
    EXPECT_EQ(timing->leftPacer, 0) << "written when it leaves";
  }
  EXPECT_GE(told, 9);
  EXPECT_LE(told, 10);
}

// RFC 5450: of each packet its own, also of repetitions, which keep their timestamp.
TEST(TransmissionOffsetSent, TellsWhenEachPacketLeft) {
  SessionPair::Options options;
  options.sendOffsets = true;
  SessionPair pair(options);
  pair.link.loss = 0.05;
  pair.addVideo();
  pair.connect();
  rtp::ExtensionMap map;
  map.add(rtp::ExtensionKind::TransmissionOffset, 6);
  std::map<uint32_t, double> captured;  // by timestamp, in ms; the first packet leaves at once
  int late = 0, repeated = 0, all = 0;
  pair.filter = [&](bool fromA, const OutgoingPacket& packet) {
    const auto view = rtp::PacketView::parse(packet.data.span());
    if (!fromA || packet.isRtcp || !view) return true;
    const auto offset = rtp::getExtension<rtp::TransmissionOffset>(*view, map);
    EXPECT_TRUE(offset);
    if (!offset || view->payload().empty()) return true;
    const double now = static_cast<double>((pair.now() - Timestamp()).micros()) / 1000;
    const double at = now - *offset / 90.0;
    const auto [known, isNew] = captured.emplace(view->timestamp(), at);
    EXPECT_NEAR(known->second, at, 0.05);
    ++all;
    late += *offset > 2 * 90;
    repeated += view->payloadType() == 97 && !isNew;
    return true;
  };
  pair.run(Duration::seconds(5));
  EXPECT_GT(all, 300);
  EXPECT_GT(late, 20) << "some wait for the pacer";
  EXPECT_GT(repeated, 5);
}

TEST_F(SendExtensions, AFrameFarBeyondTheOthersTellsAsWell) {
  for (int i = 0; i < 3; ++i) send(picture(i == 0, 500));
  const auto packets = send(picture(false, 4000));
  const auto timing = get<rtp::VideoTiming>(packets.back());
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->flags, rtp::VideoTimingValue::kBySize);
}

TEST_F(SendExtensions, TimesBeyondTheFieldsAreToldAsTheNearest) {
  codec::EncodedVideoFrame frame = picture(true, 500);
  frame.capture = now_ - Duration::seconds(100);
  frame.encodeStart = frame.capture - Duration::millis(5);
  const auto timing = get<rtp::VideoTiming>(send(frame).back());
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->encodeStart, 0);
  EXPECT_EQ(timing->packetized, 0xffff);
}

TEST(VideoTimingSent, TellsHowLongThePacerTook) {
  SessionPair::Options options;
  options.startBitrate = DataRate::kbps(300);
  SessionPair pair(options);
  rtp::ExtensionMap map;
  map.add(rtp::ExtensionKind::VideoTiming, 14);
  SendStreamConfig config;
  config.codec = "VP8";
  config.payloadType = 96;
  config.extensions = map;
  const SendStreamId id = pair.a->addSendStream(config, pair.now()).value();
  pair.a->setNetworkAvailable(true, pair.now());
  codec::EncodedVideoFrame frame;
  frame.data = Bytes(30'000, 1);
  frame.keyFrame = true;
  frame.capture = pair.now();
  ASSERT_TRUE(pair.a->sendVideo(id, frame, pair.now()));
  Timestamp now = pair.now();
  const Timestamp end = now + Duration::seconds(3);
  std::optional<rtp::VideoTimingValue> timing;
  while (now < end) {
    OutgoingPacket packet;
    while (pair.a->pollTransmit(packet)) {
      if (packet.isRtcp) continue;
      const auto view = rtp::PacketView::parse(packet.data.span());
      if (!view->marker()) continue;
      timing = rtp::getExtension<rtp::VideoTiming>(*view, map);
      ASSERT_TRUE(timing);
      EXPECT_NEAR(timing->leftPacer, (now - frame.capture).millis(), 1);
    }
    now = std::min(end, pair.a->nextDeadline());
    pair.a->advance(now);
  }
  ASSERT_TRUE(timing);
  EXPECT_GT(timing->leftPacer, 50) << "30 kB do not leave at once";
}

TEST_F(SendExtensions, AWishForThePlayoutDelayIsToldUntilItIsReported) {
  config_.playoutDelay = {Duration::millis(20), Duration::millis(400)};
  open();
  const auto first = send(picture(true, 3000));
  for (const PacketBuf& packet : first) {
    ASSERT_TRUE(get<rtp::PlayoutDelay>(packet));
    EXPECT_EQ(get<rtp::PlayoutDelay>(packet)->max, Duration::millis(400));
  }
  const uint16_t begin = rtp::PacketView::parse(first[0].span())->sequenceNumber();
  report(static_cast<uint16_t>(begin - 1));
  EXPECT_TRUE(get<rtp::PlayoutDelay>(send(picture(false, 500))[0]));
  report(begin);
  EXPECT_FALSE(get<rtp::PlayoutDelay>(send(picture(false, 500))[0]));
  EXPECT_TRUE(get<rtp::PlayoutDelay>(send(picture(true, 500))[0])) << "for who begins there";
  stream_->begin(8, 9, 10);
  EXPECT_TRUE(get<rtp::PlayoutDelay>(send(picture(true, 500))[0]));
  EXPECT_TRUE(get<rtp::PlayoutDelay>(send(picture(false, 500))[0])) << "of another source";
  config_.playoutDelay = {Duration::zero(), Duration::zero()};
  stream_->update(config_);
  const auto next = get<rtp::PlayoutDelay>(send(picture(false, 500))[0]);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->max, Duration::zero());
  config_.playoutDelay.reset();
  stream_->update(config_);
  EXPECT_FALSE(get<rtp::PlayoutDelay>(send(picture(true, 500))[0]));
}

TEST_F(SendExtensions, SamplesOfThePictureGoWithItsLastPacket) {
  codec::EncodedVideoFrame frame = picture(true, 3000);
  frame.corruption.emplace();
  frame.corruption->upperBits = true;
  frame.corruption->index = 9;
  for (uint8_t i = 0; i < 13; ++i) frame.corruption->samples.push_back(i);
  const auto packets = send(frame);
  EXPECT_FALSE(get<rtp::CorruptionDetection>(packets.front()));
  EXPECT_EQ(get<rtp::CorruptionDetection>(packets.back()), *frame.corruption);
}

TEST_F(SendExtensions, AMixNamesWhoIsHeardInIt) {
  config_.kind = MediaKind::Audio;
  config_.codec = "opus";
  config_.clockRate = 48'000;
  open();
  codec::EncodedAudioFrame frame;
  frame.data = Bytes(40, 8);
  frame.capture = now_;
  frame.contributors.push_back({0x51, 30});
  frame.contributors.push_back({0x52, 127});
  EXPECT_EQ(stream_->sendAudio(frame, pacer_, now_), SendStream::Accepted::Yes);
  const auto packets = drain();
  ASSERT_EQ(packets.size(), 1u);
  const auto view = rtp::PacketView::parse(packets[0].span());
  ASSERT_EQ(view->csrcCount(), 2u);
  EXPECT_EQ(view->csrc(0), 0x51u);
  EXPECT_EQ(view->csrc(1), 0x52u);
  const auto levels = get<rtp::CsrcAudioLevel>(packets[0]);
  ASSERT_TRUE(levels && levels->size() == 2);
  EXPECT_EQ((*levels)[0], 30);
  EXPECT_EQ(view->payload().size(), 40u);
}

}  // namespace
}  // namespace parley::media
