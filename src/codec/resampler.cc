#include "parley/codec/resampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "parley/base/check.h"

namespace parley::codec {
namespace {

constexpr int kTapsPerPhase = 16;
constexpr int kMaxRatio = 6;

/// A Hann-windowed sinc that passes up to 0.9 of the lower rate's Nyquist frequency; unity gain.
std::vector<float> lowPass(int ratio) {
  const int length = kTapsPerPhase * ratio;
  std::vector<float> taps(static_cast<size_t>(length));
  const double cutoff = 0.9 / ratio;
  const double centre = (length - 1) / 2.0;
  double sum = 0;
  for (int i = 0; i < length; ++i) {
    const double x = (i - centre) * cutoff;
    const double sinc = x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x);
    const double window = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * (i + 0.5) / length);
    taps[static_cast<size_t>(i)] = static_cast<float>(sinc * window);
    sum += sinc * window;
  }
  for (float& tap : taps) tap = static_cast<float>(tap / sum);
  return taps;
}

int16_t toSample(float value) {
  return static_cast<int16_t>(std::clamp(std::lround(value), -32768L, 32767L));
}

}  // namespace

Resampler::Resampler(int fromRate, int toRate)
    : up_(toRate > fromRate ? toRate / fromRate : 1),
      down_(toRate < fromRate ? fromRate / toRate : 1) {
  PARLEY_CHECK(fromRate > 0 && toRate > 0 && up_ <= kMaxRatio && down_ <= kMaxRatio);
  PARLEY_CHECK(fromRate * up_ == toRate * down_);
  const int ratio = up_ * down_;
  if (ratio > 1) taps_ = lowPass(ratio);
  // Reducing looks back over the whole filter; raising only over one input per tap of a phase.
  history_.assign(static_cast<size_t>(down_ > 1 ? kTapsPerPhase * down_ : kTapsPerPhase), 0.0f);
}

void Resampler::reset() {
  std::fill(history_.begin(), history_.end(), 0.0f);
}

size_t Resampler::process(std::span<const int16_t> in, std::span<int16_t> out) {
  if (up_ == 1 && down_ == 1) {
    std::copy(in.begin(), in.end(), out.begin());
    return in.size();
  }
  const size_t past = history_.size();
  work_.resize(past + in.size());
  std::copy(history_.begin(), history_.end(), work_.begin());
  std::copy(in.begin(), in.end(), work_.begin() + static_cast<ptrdiff_t>(past));
  size_t written = 0;
  if (down_ > 1) {
    const size_t step = static_cast<size_t>(down_);
    for (size_t at = step - 1; at < in.size(); at += step) {
      float sum = 0;
      for (size_t k = 0; k < taps_.size(); ++k) sum += taps_[k] * work_[past + at - k];
      out[written++] = toSample(sum);
    }
  } else {
    const size_t phases = static_cast<size_t>(up_);
    for (size_t at = 0; at < in.size(); ++at) {
      for (size_t phase = 0; phase < phases; ++phase) {
        float sum = 0;
        for (size_t k = 0; k < static_cast<size_t>(kTapsPerPhase); ++k)
          sum += taps_[phase + k * phases] * work_[past + at - k];
        out[written++] = toSample(sum * static_cast<float>(up_));
      }
    }
  }
  std::copy(work_.end() - static_cast<ptrdiff_t>(past), work_.end(), history_.begin());
  return written;
}

}  // namespace parley::codec
