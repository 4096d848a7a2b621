#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "parley/media/time_stretch.h"

#include "media/arrival_delay.h"
#include "media/av_sync.h"
#include "media/key_frame_requester.h"

namespace parley::media {
namespace {

Timestamp ms(int64_t t) {
  return Timestamp::millis(t);
}

TEST(ArrivalDelay, MeasuresAgainstTheEarliestArrival) {
  ArrivalDelay delay(8000);
  EXPECT_EQ(delay.quantile(0.9), Duration::zero());
  for (int i = 0; i < 100; ++i) {
    delay.update(i * 160, ms(5000 + i * 20 + (i % 10 == 9 ? 50 : 7)));
  }
  EXPECT_EQ(delay.quantile(0.5), Duration::zero());
  EXPECT_EQ(delay.quantile(0.95), Duration::millis(43));
  EXPECT_EQ(delay.idealArrival(1600), ms(5207));
}

TEST(ArrivalDelay, FollowsAPathThatGetsLonger) {
  ArrivalDelay delay(90'000);
  for (int i = 0; i < 50; ++i) delay.update(i * 3000, ms(i * 33));
  for (int i = 50; i < 300; ++i) delay.update(i * 2970, ms(i * 33 + 100));
  EXPECT_EQ(delay.quantile(0.95), Duration::zero());
  EXPECT_EQ(delay.idealArrival(300 * 2970), ms(300 * 33 + 100));
}

TEST(ArrivalDelay, NegativeTimestampsAreTimestamps) {
  ArrivalDelay delay(48'000);
  delay.update(-960, ms(0));
  delay.update(0, ms(20));
  EXPECT_EQ(delay.quantile(1.0), Duration::zero());
}

TEST(AvSync, DelaysWhicheverIsEarlier) {
  AvSync sync;
  AvSync::Delays d;
  for (int i = 0; i < 30; ++i) d = sync.update(Duration::millis(100), Duration::millis(300));
  EXPECT_NEAR(static_cast<double>(d.audio.millis()), 200, 16);
  EXPECT_EQ(d.video, Duration::zero());
  for (int i = 0; i < 60; ++i) d = sync.update(Duration::millis(400), Duration::millis(300));
  EXPECT_EQ(d.audio, Duration::zero());
  EXPECT_NEAR(static_cast<double>(d.video.millis()), 100, 16);
}

TEST(AvSync, SmallDifferencesAndNonsenseAreLeftAlone) {
  AvSync sync;
  auto d = sync.update(Duration::millis(100), Duration::millis(110));
  EXPECT_EQ(d.audio, Duration::zero());
  d = sync.update(Duration::millis(100), Duration::seconds(3600));
  EXPECT_EQ(d.audio, Duration::zero());
  d = sync.update(std::nullopt, Duration::millis(500));
  EXPECT_EQ(d.audio, Duration::zero());
}

TEST(KeyFrameRequester, AsksAtOnceThenAtIntervals) {
  KeyFrameRequester r;
  r.setRtt(Duration::millis(100));
  EXPECT_FALSE(r.take(ms(0)));
  EXPECT_EQ(r.nextDeadline(), Timestamp::never());
  r.want();
  EXPECT_TRUE(r.take(ms(1000)));
  EXPECT_FALSE(r.take(ms(1399)));
  EXPECT_EQ(r.nextDeadline(), ms(1400));
  EXPECT_TRUE(r.take(ms(1400)));
  r.satisfied();
  r.want();
  EXPECT_FALSE(r.take(ms(1500))) << "the limit holds across reasons";
}

std::vector<int16_t> sine(size_t frames, size_t channels, double hertz) {
  std::vector<int16_t> out(frames * channels);
  for (size_t i = 0; i < frames; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      out[i * channels + c] = static_cast<int16_t>(
          10'000 * std::sin(2 * M_PI * hertz * static_cast<double>(i) / 48'000));
    }
  }
  return out;
}

// The largest step between neighbouring samples of one channel.
int largestStep(const std::vector<int16_t>& x, size_t channels) {
  int step = 0;
  for (size_t i = channels; i < x.size(); ++i)
    step = std::max(step, std::abs(x[i] - x[i - channels]));
  return step;
}

TEST(TimeStretch, ChangesTheLengthWithoutClicks) {
  for (size_t channels : {1u, 2u}) {
    for (double hertz : {110.0, 400.0, 1234.0}) {
      const auto in = sine(960, channels, hertz);
      for (size_t frames : {720u, 1200u, 900u}) {
        std::vector<int16_t> out(frames * channels, 12345);
        timeStretch(in, channels, frames, out);
        EXPECT_LE(largestStep(out, channels), largestStep(in, channels) * 3 / 2)
            << hertz << " Hz, " << frames;
        EXPECT_EQ(out[0], in[0]);
        EXPECT_EQ(out.back(), in.back()) << "joins what follows";
      }
    }
  }
}

TEST(TimeStretch, SameLengthAndImpossibleLengthsCopy) {
  const auto in = sine(100, 1, 440);
  std::vector<int16_t> out(100);
  timeStretch(in, 1, 100, out);
  EXPECT_EQ(out, in);
  std::vector<int16_t> longer(300, 7);
  timeStretch(in, 1, 300, longer);
  EXPECT_EQ(longer[99], in[99]);
  EXPECT_EQ(longer[299], 0);
  timeStretch({}, 2, 50, longer);
  EXPECT_EQ(longer[0], 0);
  std::vector<int16_t> small(10);
  timeStretch(in, 1, 1000, small);
  EXPECT_EQ(small[9], in[9]);
}

}  // namespace
}  // namespace parley::media
