#include "parley/codec/comfort_noise.h"

#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "parley/codec/audio_frame.h"

namespace parley::codec {
namespace {

TEST(ComfortNoise, IsAsLoudAsThePacketSays) {
  for (const uint8_t level : {30, 45, 60, 70}) {
    ComfortNoise noise;
    const uint8_t payload[] = {level, 100, 120};
    noise.describe(payload);
    std::vector<int16_t> settle(4800), sound(48'000);
    noise.generate(settle);
    noise.generate(sound);
    EXPECT_NEAR(audioLevel(sound), level, 1.5);
  }
}

TEST(ComfortNoise, IsSilenceUntilItIsDescribed) {
  ComfortNoise noise;
  noise.describe({});
  std::array<int16_t, 480> sound;
  noise.generate(sound);
  for (const int16_t sample : sound) EXPECT_EQ(sample, 0);
  // The loudest there is stays within 16 bits; the level moves without a click.
  const uint8_t loudest[] = {0};
  noise.describe(loudest);
  noise.generate(sound);
  EXPECT_LT(std::abs(sound[0]), 200);
}

}  // namespace
}  // namespace parley::codec
