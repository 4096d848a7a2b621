#include "parley/codec/generators.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace parley::codec {
namespace {

constexpr int kColumns = 16;
constexpr int kRows = 2;
constexpr uint32_t kNumberMask = 0xffffff;

int cellHeight(int height) {
  return std::max(4, height / 12);
}

/// 24 bits of number and 8 bits of check, so that a picture without the field is not misread.
uint32_t protect(uint32_t number) {
  uint32_t check = 0xa5;
  for (int shift = 0; shift < 24; shift += 8) check = ((check * 31) ^ (number >> shift)) & 0xff;
  return number << 8 | check;
}

int triangle(int value, int range) {
  if (range <= 0) return 0;
  const int phase = value % (2 * range);
  return phase < range ? phase : 2 * range - phase;
}

}  // namespace

TestPattern::TestPattern(int width, int height) : width_(width), height_(height) {}

void TestPattern::resize(int width, int height) {
  width_ = width;
  height_ = height;
}

VideoFrame TestPattern::next(Timestamp capture) {
  auto picture = pool_.acquire(width_, height_);
  if (!picture) picture = I420Buffer::create(width_, height_);
  const int shift = static_cast<int>(number_ % 512) * 2;
  for (int y = 0; y < height_; ++y) {
    uint8_t* row = picture->mutableY() + static_cast<ptrdiff_t>(y) * picture->strideY();
    for (int x = 0; x < width_; ++x)
      row[x] = static_cast<uint8_t>(64 + triangle(x + y + shift, 128));
  }
  for (int y = 0; y < picture->chromaHeight(); ++y) {
    uint8_t* u = picture->mutableU() + static_cast<ptrdiff_t>(y) * picture->strideU();
    uint8_t* v = picture->mutableV() + static_cast<ptrdiff_t>(y) * picture->strideV();
    for (int x = 0; x < picture->chromaWidth(); ++x) {
      u[x] = static_cast<uint8_t>(96 + triangle(x + shift, 64));
      v[x] = static_cast<uint8_t>(96 + triangle(y + shift, 64));
    }
  }
  const int side = std::max(2, std::min(width_, height_) / 6);
  const int step = static_cast<int>(number_ % 100'000) * 3;
  const int left = triangle(step, std::max(1, width_ - side));
  const int top = triangle(step * 2 / 3, std::max(1, height_ - side));
  for (int y = top; y < std::min(top + side, height_); ++y)
    std::fill_n(picture->mutableY() + static_cast<ptrdiff_t>(y) * picture->strideY() + left,
                std::min(side, width_ - left), uint8_t{235});
  const uint32_t field = protect(number_);
  const int tall = cellHeight(height_);
  for (int y = 0; y < std::min(kRows * tall, height_); ++y) {
    uint8_t* row = picture->mutableY() + static_cast<ptrdiff_t>(y) * picture->strideY();
    for (int x = 0; x < width_; ++x) {
      const int cell = (y / tall) * kColumns + x * kColumns / width_;
      row[x] = (field >> (31 - cell)) & 1 ? 235 : 16;
    }
  }
  VideoFrame frame;
  frame.buffer = std::move(picture);
  frame.capture = capture;
  frame.rtpTimestamp = videoRtpTimestamp(capture);
  number_ = (number_ + 1) & kNumberMask;
  return frame;
}

std::optional<uint32_t> TestPattern::readFrameNumber(const I420Buffer& picture) {
  const int tall = cellHeight(picture.height());
  if (picture.width() < kColumns * 2 || picture.height() < kRows * tall) return std::nullopt;
  uint32_t field = 0;
  for (int cell = 0; cell < kRows * kColumns; ++cell) {
    const int left = (cell % kColumns) * picture.width() / kColumns;
    const int right = (cell % kColumns + 1) * picture.width() / kColumns;
    const int top = cell / kColumns * tall;
    // The middle of the cell: its borders are blurred by compression and scaling.
    const int marginX = (right - left) / 4;
    const int marginY = tall / 4;
    int sum = 0;
    int count = 0;
    for (int y = top + marginY; y < top + tall - marginY; ++y) {
      for (int x = left + marginX; x < right - marginX; ++x) {
        sum += picture.dataY()[static_cast<ptrdiff_t>(y) * picture.strideY() + x];
        ++count;
      }
    }
    field = field << 1 | (count > 0 && sum / count >= 126 ? 1u : 0u);
  }
  const uint32_t number = field >> 8;
  if (protect(number) != field) return std::nullopt;
  return number;
}

ToneSource::ToneSource(double frequency, double amplitude, int sampleRate, size_t channels)
    : frequency_(frequency), amplitude_(amplitude), sampleRate_(sampleRate), channels_(channels) {}

AudioFrame ToneSource::next(Timestamp capture) {
  AudioFrame frame;
  frame.sampleRate = sampleRate_;
  frame.channels = channels_;
  frame.capture = capture;
  frame.rtpTimestamp = static_cast<int64_t>(position_);
  for (size_t i = 0; i < frame.samplesPerChannel(); ++i, ++position_) {
    // The phase is reduced first, so hours of tone stay pure.
    const double cycles = std::fmod(static_cast<double>(position_) * frequency_ / sampleRate_, 1.0);
    const double value = amplitude_ * 32767 * std::sin(2 * std::numbers::pi * cycles);
    for (size_t c = 0; c < channels_; ++c)
      frame.data[i * channels_ + c] = static_cast<int16_t>(value);
  }
  return frame;
}

SpeechNoiseSource::SpeechNoiseSource(uint32_t seed, int sampleRate, size_t channels)
    : state_(seed * 2 + 1), sampleRate_(sampleRate), channels_(channels) {}

AudioFrame SpeechNoiseSource::next(Timestamp capture) {
  AudioFrame frame;
  frame.sampleRate = sampleRate_;
  frame.channels = channels_;
  frame.capture = capture;
  frame.rtpTimestamp = static_cast<int64_t>(position_);
  constexpr double kSyllablesPerSecond = 4;
  constexpr double kPhraseSeconds = 3;
  constexpr double kSpokenShare = 0.7;
  for (size_t i = 0; i < frame.samplesPerChannel(); ++i, ++position_) {
    const double t = static_cast<double>(position_) / sampleRate_;
    const bool spoken = std::fmod(t, kPhraseSeconds) < kPhraseSeconds * kSpokenShare;
    const double swell = std::sin(std::numbers::pi * std::fmod(t * kSyllablesPerSecond, 1.0));
    state_ = state_ * 1664525u + 1013904223u;
    const double white = static_cast<double>(static_cast<int32_t>(state_)) / 2147483648.0;
    low_ += 0.15 * (white - low_);
    const double value = spoken ? low_ * swell * 20'000 : 0;
    for (size_t c = 0; c < channels_; ++c)
      frame.data[i * channels_ + c] = static_cast<int16_t>(value);
  }
  return frame;
}

double tonePower(std::span<const int16_t> mono, double frequency, int sampleRate) {
  const double omega = 2 * std::numbers::pi * frequency / sampleRate;
  double s1 = 0;
  double s2 = 0;
  double total = 0;
  for (const int16_t sample : mono) {
    const double s0 = sample + 2 * std::cos(omega) * s1 - s2;
    s2 = s1;
    s1 = s0;
    total += static_cast<double>(sample) * sample;
  }
  if (total == 0) return 0;
  const double power = s1 * s1 + s2 * s2 - 2 * std::cos(omega) * s1 * s2;
  return std::min(1.0, 2 * power / (static_cast<double>(mono.size()) * total));
}

}  // namespace parley::codec
