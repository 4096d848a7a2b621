// What header extensions tell the receiver of frames and of sources.

#include <algorithm>
#include <functional>

#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using namespace test;

class FrameTraitsTest : public HubTest {
 protected:
  FrameTraitsTest() {
    ReceiveConfig video = videoConfig(1, "v");
    video.extensions.add(rtp::ExtensionKind::CorruptionDetection, 14);
    map_ = video.extensions;
    hub_->setReceiver(video);
    ReceiveConfig audio = audioConfig(2, "a");
    audio.extensions.add(rtp::ExtensionKind::CsrcAudioLevel, 12);
    hub_->setReceiver(audio);
    audioMap_ = audio.extensions;
  }

  /// One VP8 frame in as many packets, the extensions of the first and of the last as given.
  using Write = std::function<void(rtp::PacketWriter&)>;
  void frame(bool key, const Write& first, const Write& last, size_t packets = 3) {
    for (size_t i = 0; i < packets; ++i) {
      PacketBuf buf = pool_.allocate();
      rtp::PacketWriter writer(buf, {kVp8, i + 1 == packets, sequence_++, timestamp_, 0x1111});
      writer.add<rtp::Mid>(map_, "v");
      if (i == 0 && first) first(writer);
      if (i + 1 == packets && last) last(writer);
      Bytes payload = parley::test::fromHex(i > 0 ? "00" : "10");
      const Bytes body = parley::test::fromHex(key ? "50f7009d012a80026801" : "51f700");
      payload.insert(payload.end(), body.begin(), body.end());
      MutableByteSpan room = writer.beginPayload();
      std::copy(payload.begin(), payload.end(), room.begin());
      writer.finish(payload.size());
      const Bytes bytes = toBytes(buf.span());
      buf.reset();
      deliver(bytes);
    }
    timestamp_ += 3000;
    run(Duration::micros(33'333));
  }
  void sound(const Write& write, std::span<const uint32_t> csrcs = {}) {
    PacketBuf buf = pool_.allocate();
    rtp::PacketWriter writer(buf, {kOpus, false, soundSequence_++, soundTimestamp_, 0x3333}, csrcs);
    writer.add<rtp::Mid>(audioMap_, "a");
    if (write) write(writer);
    MutableByteSpan room = writer.beginPayload();
    std::fill_n(room.begin(), 4, uint8_t{0x08});
    writer.finish(4);
    const Bytes bytes = toBytes(buf.span());
    buf.reset();
    deliver(bytes);
    soundTimestamp_ += 960;
    run(Duration::millis(20));
  }
  std::vector<RtpSource> sources(uint32_t receiver) {
    std::vector<RtpSource> out;
    hub_->sources(ReceiverId(receiver), now_, out);
    return out;
  }

  rtp::ExtensionMap map_;
  rtp::ExtensionMap audioMap_;
  uint16_t sequence_ = 500;
  uint32_t timestamp_ = 90'000;
  uint16_t soundSequence_ = 900;
  uint32_t soundTimestamp_ = 48'000;
};

TEST_F(FrameTraitsTest, ContentTypeHoldsUntilAnotherOneComes) {
  frame(true, {}, [&](auto& w) {
    w.template add<rtp::ContentType>(map_, rtp::VideoContentType::Screenshare);
  });
  frame(false, {}, {});
  frame(true, {}, [&](auto& w) {
    w.template add<rtp::ContentType>(map_, rtp::VideoContentType::Unspecified);
  });
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 3u);
  EXPECT_EQ(frames_[0].contentType, rtp::VideoContentType::Screenshare);
  EXPECT_EQ(frames_[1].contentType, rtp::VideoContentType::Screenshare);
  EXPECT_EQ(frames_[2].contentType, rtp::VideoContentType::Unspecified);
}

TEST_F(FrameTraitsTest, ColorSpaceIsThatOfTheLastKeyFrame) {
  frame(true, {}, [&](auto& w) { w.template add<rtp::ColorSpace>(map_, {9, 16, 9, 1, 0, 0}); });
  frame(false, {}, {});
  frame(true, {}, {});
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 3u);
  ASSERT_TRUE(frames_[1].colorSpace);
  EXPECT_EQ(frames_[1].colorSpace->transfer, 16);
  EXPECT_FALSE(frames_[2].colorSpace);
}

TEST_F(FrameTraitsTest, TimesAndSamplesBelongToTheirFrame) {
  rtp::CorruptionDetectionValue samples;
  samples.upperBits = true;
  samples.index = 3;
  samples.samples.push_back(200);
  frame(true, {}, [&](auto& w) {
    w.template add<rtp::VideoTiming>(map_, {1, 3, 9, 10, 12, 0, 0});
    w.template add<rtp::CorruptionDetection>(map_, samples);
  });
  frame(false, {}, {});
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 2u);
  ASSERT_TRUE(frames_[0].timing);
  EXPECT_EQ(frames_[0].timing->leftPacer, 12);
  EXPECT_EQ(frames_[0].corruption, samples);
  EXPECT_FALSE(frames_[1].timing);
  EXPECT_FALSE(frames_[1].corruption);
}

TEST_F(FrameTraitsTest, CaptureTimeAndItsClockAreCarriedOn) {
  const NtpTime captured{0xe5f0000080000000};
  frame(true,
        [&](auto& w) {
          w.template add<rtp::AbsCaptureTime>(map_, {captured, 0x80000000});
        },
        {});
  frame(false, {}, {});
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 2u);
  EXPECT_EQ(frames_[0].captureTime, captured);
  EXPECT_EQ(frames_[0].captureClockOffset, 0x80000000);
  ASSERT_TRUE(frames_[1].captureTime);
  EXPECT_EQ(frames_[1].captureTime->value, captured.value + (uint64_t{3000} << 32) / 90'000);
  EXPECT_EQ(frames_[1].captureClockOffset, 0x80000000);
  EXPECT_FALSE(frames_[1].capturedHere) << "no report has tied the clocks";
  const auto heard = sources(1);
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].captureTime, frames_[1].captureTime);
  EXPECT_EQ(heard[0].captureClockOffset, 0x80000000);
}

TEST_F(FrameTraitsTest, ACaptureIsKnownByOurClockFromReportsAndRoundTrips) {
  hub_->setRtt(Duration::millis(80));
  frame(true, {}, {});
  rtp::rtcp::SenderReport report;
  report.senderSsrc = 0x1111;
  report.ntp = NtpTime{uint64_t{5000} << 32};
  report.rtpTimestamp = timestamp_;
  hub_->handleSenderReport(report, now_);
  const Timestamp reported = now_;
  frame(false, {}, {});
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 2u);
  ASSERT_TRUE(frames_[1].capturedHere);
  EXPECT_EQ(*frames_[1].capturedHere, reported - Duration::millis(40));
  // A second ahead of the sender's clock: so the sender would have read a second less.
  frame(false,
        [&](auto& w) {
          w.template add<rtp::AbsCaptureTime>(map_,
                                              {NtpTime{uint64_t{5001} << 32}, int64_t{1} << 32});
        },
        {});
  run(Duration::millis(100));
  ASSERT_EQ(frames_.size(), 3u);
  EXPECT_EQ(*frames_[2].capturedHere, reported - Duration::millis(40));
}

TEST_F(FrameTraitsTest, ContributorsHaveLevelsAndTheCaptureTimesOfTheirMix) {
  const uint32_t csrcs[] = {0x51, 0x52};
  rtp::CsrcAudioLevel::Value levels;
  levels.push_back(20);
  levels.push_back(127);
  const NtpTime captured{0xe5f0000080000000};
  sound(
      [&](auto& w) {
        w.template add<rtp::CsrcAudioLevel>(audioMap_, levels);
        w.template add<rtp::AbsCaptureTime>(audioMap_, {captured, {}});
      },
      csrcs);
  const auto heard = sources(2);
  ASSERT_EQ(heard.size(), 3u);
  for (const RtpSource& source : heard) {
    EXPECT_EQ(source.captureTime, captured);
    EXPECT_FALSE(source.captureClockOffset);
    if (!source.isContributing) continue;
    EXPECT_EQ(source.audioLevel, source.source == 0x51 ? 20 : 127);
  }
  sound({}, std::span(csrcs).first(1));
  for (const RtpSource& source : sources(2)) {
    if (source.source == 0x51) {
      EXPECT_FALSE(source.audioLevel);
      EXPECT_EQ(source.captureTime->value, captured.value + (uint64_t{960} << 32) / 48'000);
    }
  }
}

}  // namespace
}  // namespace parley::media
