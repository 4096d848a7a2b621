#include "media/quality_scaler.h"

#include <cmath>

#include <gtest/gtest.h>

namespace parley::media {
namespace {

using Reason = QualityScaler::Reason;

/// A camera and an encoder whose quantizer follows from the bits that a pixel gets.
class Encoding {
 public:
  explicit Encoding(Degradation degradation, std::string_view codec = "VP8") {
    scaler.setDegradation(degradation);
    scaler.setQpRange(qpRangeOf(codec));
  }

  void run(double seconds) {
    const Timestamp end = now + Duration::seconds(1) * seconds;
    for (; now < end; now += Duration::seconds(1) * (1 / framerate)) {
      scaler.setTarget(target);
      scaler.handlePicture(width, height, now);
      const double limit = scaler.maxFramerate().value_or(framerate);
      credit_ = std::min(credit_ + limit / framerate, 1.0);
      if (credit_ < 0.999) continue;
      credit_ -= 1;
      if (busy) {
        scaler.handleDropped(Reason::Cpu, now);
        continue;
      }
      if (drops) {
        scaler.handleDropped(Reason::Bandwidth, now);
        continue;
      }
      const double rate = std::min(limit, framerate);
      const double bitsPerPixel = static_cast<double>(target.bps()) / rate / pixels();
      const int known = std::clamp(static_cast<int>(4 / bitsPerPixel), 4, 127);
      scaler.handleEncoded(tellsQp ? known : -1, took(), now);
      if (const int steps = static_cast<int>(std::lround(scaler.scale() * 100)); steps != last_) {
        last_ = steps;
        ++changes;
      }
    }
  }
  double pixels() const { return width * height / (scaler.scale() * scaler.scale()); }
  Duration took() const { return Duration::nanos(static_cast<int64_t>(nanosPerPixel * pixels())); }

  QualityScaler scaler;
  Timestamp now = Timestamp::seconds(1);
  DataRate target = DataRate::kbps(2000);
  int width = 1280;
  int height = 720;
  double framerate = 30;
  double nanosPerPixel = 0;
  bool busy = false;
  bool drops = false;
  bool tellsQp = true;
  int changes = 0;

 private:
  double credit_ = 1;
  int last_ = 0;
};

TEST(QualityScaler, KnowsTheQuantizersOfTheCodecs) {
  EXPECT_EQ(qpRangeOf("vp8"), (QpRange{29, 95}));
  EXPECT_EQ(qpRangeOf("VP9"), (QpRange{149, 205}));
  EXPECT_EQ(qpRangeOf("H264"), (QpRange{24, 37}));
  EXPECT_EQ(qpRangeOf("theora"), std::nullopt);
}

TEST(QualityScaler, LeavesPicturesAloneThatAreGoodEnough) {
  for (const Degradation degradation :
       {Degradation::Resolution, Degradation::Framerate, Degradation::Balanced}) {
    Encoding encoding(degradation);
    encoding.run(60);
    EXPECT_EQ(encoding.scaler.scale(), 1);
    EXPECT_FALSE(encoding.scaler.maxFramerate());
    EXPECT_FALSE(encoding.scaler.isLimitedBy(Reason::Bandwidth));
    EXPECT_FALSE(encoding.scaler.isLimitedBy(Reason::Cpu));
  }
}

TEST(QualityScaler, MakesPicturesSmallerAndLargerAgainWithTheRate) {
  Encoding encoding(Degradation::Resolution);
  encoding.run(5);
  encoding.target = DataRate::kbps(150);
  encoding.run(3);
  EXPECT_NEAR(encoding.scaler.scale(), 4.0 / 3, 1e-9);
  EXPECT_TRUE(encoding.scaler.isLimitedBy(Reason::Bandwidth));
  encoding.run(20);
  EXPECT_GE(encoding.scaler.scale(), 2.6);
  EXPECT_GE(encoding.pixels(), QualityScaler::kMinPixels);
  EXPECT_FALSE(encoding.scaler.maxFramerate()) << "the frame rate is to be maintained";
  encoding.target = DataRate::kbps(3000);
  encoding.run(30);
  EXPECT_EQ(encoding.scaler.scale(), 1);
  EXPECT_FALSE(encoding.scaler.isLimitedBy(Reason::Bandwidth));
}

TEST(QualityScaler, BeginsSmallAtALowRateAndGrowsWithIt) {
  Encoding encoding(Degradation::Balanced);
  encoding.target = DataRate::kbps(300);
  encoding.run(0.1);
  EXPECT_EQ(encoding.scaler.scale(), 2) << "640x360";
  encoding.target = DataRate::kbps(1500);
  encoding.run(0.1);
  EXPECT_EQ(encoding.scaler.scale(), 1);
}

TEST(QualityScaler, ASmallCameraIsNotMadeSmaller) {
  Encoding encoding(Degradation::Resolution);
  encoding.width = 320;
  encoding.height = 240;
  encoding.target = DataRate::kbps(30);
  encoding.run(60);
  EXPECT_EQ(encoding.scaler.scale(), 1);
}

TEST(QualityScaler, BalancedSmallPicturesGetRarerToo) {
  Encoding encoding(Degradation::Balanced);
  encoding.target = DataRate::kbps(60);
  encoding.run(60);
  EXPECT_GT(encoding.scaler.scale(), 1.9);
  ASSERT_TRUE(encoding.scaler.maxFramerate());
  EXPECT_GE(*encoding.scaler.maxFramerate(), 7);
  EXPECT_LE(*encoding.scaler.maxFramerate(), 20.5);
  encoding.target = DataRate::kbps(3000);
  encoding.run(90);
  EXPECT_EQ(encoding.scaler.scale(), 1);
  EXPECT_FALSE(encoding.scaler.maxFramerate());
}

TEST(QualityScaler, WhereTheResolutionStaysTheEncoderLeavesPicturesOut) {
  Encoding encoding(Degradation::Framerate);
  encoding.target = DataRate::kbps(60);
  encoding.run(60);
  EXPECT_EQ(encoding.scaler.scale(), 1);
  EXPECT_FALSE(encoding.scaler.maxFramerate());
}

TEST(QualityScaler, NothingStaysNothing) {
  Encoding encoding(Degradation::Nothing);
  encoding.target = DataRate::kbps(60);
  encoding.nanosPerPixel = 200;
  encoding.run(60);
  EXPECT_EQ(encoding.scaler.scale(), 1);
  EXPECT_FALSE(encoding.scaler.maxFramerate());
}

TEST(QualityScaler, ManyPicturesLeftOutCountLikeACoarseQuantizer) {
  Encoding encoding(Degradation::Resolution);
  encoding.run(5);
  encoding.drops = true;
  encoding.run(4);
  EXPECT_GT(encoding.scaler.scale(), 1);
}

TEST(QualityScaler, ASlowEncoderGetsSmallerPictures) {
  Encoding encoding(Degradation::Resolution);
  encoding.nanosPerPixel = 40;  // 37 ms of 33
  encoding.run(8);
  EXPECT_EQ(encoding.scaler.scale(), 1) << "one window may be another program's doing";
  encoding.run(10);
  EXPECT_GT(encoding.scaler.scale(), 1);
  EXPECT_TRUE(encoding.scaler.isLimitedBy(Reason::Cpu));
  EXPECT_FALSE(encoding.scaler.isLimitedBy(Reason::Bandwidth));
  encoding.nanosPerPixel = 5;
  encoding.run(40);
  EXPECT_EQ(encoding.scaler.scale(), 1);
}

TEST(QualityScaler, ASlowEncoderGetsFewerPicturesWhereTheResolutionStays) {
  Encoding encoding(Degradation::Framerate);
  encoding.busy = true;
  encoding.run(30);
  EXPECT_EQ(encoding.scaler.scale(), 1);
  ASSERT_TRUE(encoding.scaler.maxFramerate());
  EXPECT_LE(*encoding.scaler.maxFramerate(), 20.5);
  EXPECT_GE(*encoding.scaler.maxFramerate(), QualityScaler::kMinFramerate);
  encoding.busy = false;
  encoding.run(200);
  EXPECT_FALSE(encoding.scaler.maxFramerate());
}

TEST(QualityScaler, AStepUpThatProvedTooEarlyIsTriedMoreAndMoreRarely) {
  // Good enough to grow at 3/4, too bad at full size.
  Encoding encoding(Degradation::Resolution);
  encoding.scaler.setQpRange(QpRange{60, 62});
  encoding.target = DataRate::kbps(1600);  // 69 at full size, 38 at 3/4
  encoding.run(120);
  const int early = encoding.changes;
  encoding.run(120);
  const int later = encoding.changes - early;
  EXPECT_LT(later, 8);
  EXPECT_LE(later, early);
  // More rate is a new hope.
  encoding.target = DataRate::kbps(4000);
  encoding.run(10);
  EXPECT_EQ(encoding.scaler.scale(), 1);
}

TEST(QualityScaler, AnEncoderThatDoesNotTellItsQuantizerGrowsWithTheRate) {
  Encoding encoding(Degradation::Resolution);
  encoding.tellsQp = false;
  encoding.target = DataRate::kbps(200);
  encoding.run(30);
  EXPECT_GT(encoding.scaler.scale(), 2);
  encoding.target = DataRate::kbps(2000);
  encoding.run(30);
  EXPECT_EQ(encoding.scaler.scale(), 1);
}

TEST(QualityScaler, WithoutAKnownScaleOfQuantizersTheBandwidthLimitsNothing) {
  Encoding encoding(Degradation::Resolution, "theora");
  encoding.target = DataRate::kbps(60);
  encoding.run(60);
  EXPECT_EQ(encoding.scaler.scale(), 1);
}

TEST(QualityScaler, AnotherPreferenceLiftsTheLimits) {
  Encoding encoding(Degradation::Resolution);
  encoding.target = DataRate::kbps(100);
  encoding.run(20);
  ASSERT_GT(encoding.scaler.scale(), 1);
  encoding.scaler.setDegradation(Degradation::Framerate);
  encoding.run(1);
  EXPECT_EQ(encoding.scaler.scale(), 1);
  EXPECT_FALSE(encoding.scaler.isLimitedBy(Reason::Bandwidth));
}

TEST(QualityScaler, AnotherSourceFindsItsOwnSize) {
  Encoding encoding(Degradation::Resolution);
  encoding.target = DataRate::kbps(100);
  encoding.run(20);
  ASSERT_GT(encoding.scaler.scale(), 2);
  encoding.width = 320;
  encoding.height = 180;
  encoding.run(1);
  EXPECT_EQ(encoding.scaler.scale(), 1);
}

TEST(QualityScaler, SurvivesAnyInput) {
  QualityScaler scaler;
  scaler.setQpRange(QpRange{29, 95});
  scaler.handleEncoded(127, Duration::seconds(5), Timestamp::seconds(1));
  scaler.handleDropped(Reason::Bandwidth, Timestamp::seconds(50));
  scaler.setTarget(DataRate::bps(1));
  Timestamp now = Timestamp::seconds(60);
  for (int i = 0; i < 20'000; ++i) {
    // Times may go back, sizes change with every picture.
    now += Duration::millis(i % 5 == 0 ? -30 : 40);
    scaler.handlePicture(i % 7 == 0 ? 0 : 1 << (i / 500 % 14), 1 + i % 900, now);
    scaler.handleEncoded(i % 128, Duration::millis(i % 100), now);
    ASSERT_GE(scaler.scale(), 1);
    ASSERT_TRUE(std::isfinite(scaler.scale()));
    if (i % 3000 == 0) scaler.setTarget(DataRate::infinite());
  }
}

}  // namespace
}  // namespace parley::media
