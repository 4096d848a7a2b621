#include "parley/media/time_stretch.h"

#include <algorithm>

namespace parley::media {

namespace {

// Likeness of the two runs of `length` frames; higher is better. Every second frame is enough.
double likeness(std::span<const int16_t> in, size_t channels, size_t a, size_t b, size_t length) {
  double cross = 0;
  double energyA = 1;
  double energyB = 1;
  for (size_t i = 0; i < length; i += 2) {
    const double x = in[(a + i) * channels];
    const double y = in[(b + i) * channels];
    cross += x * y;
    energyA += x * x;
    energyB += y * y;
  }
  return cross <= 0 ? 0 : cross * cross / (energyA * energyB);
}

int16_t mix(int16_t from, int16_t to, size_t step, size_t steps) {
  const int64_t weight = static_cast<int64_t>(step);
  const int64_t all = static_cast<int64_t>(steps);
  return static_cast<int16_t>((from * (all - weight) + to * weight) / all);
}

}  // namespace

void timeStretch(std::span<const int16_t> in, size_t channels, size_t outFrames,
                 std::span<int16_t> out) {
  channels = std::max<size_t>(channels, 1);
  const size_t inFrames = in.size() / channels;
  outFrames = std::min(outFrames, out.size() / channels);
  const bool shorter = outFrames < inFrames;
  const size_t change = shorter ? inFrames - outFrames : outFrames - inFrames;
  if (change == 0 || change * 2 >= inFrames) {
    const size_t copied = std::min(inFrames, outFrames) * channels;
    std::copy_n(in.begin(), copied, out.begin());
    std::fill(out.begin() + static_cast<ptrdiff_t>(copied),
              out.begin() + static_cast<ptrdiff_t>(outFrames * channels), int16_t{0});
    return;
  }
  // The fade joins what stands at `at` with what stands `change` later. Both must be inside.
  const size_t fade = std::min<size_t>(change, inFrames - change);
  const size_t positions = inFrames - change - fade + 1;
  const size_t stride = std::max<size_t>(1, positions / 64);
  size_t at = 0;
  double best = -1;
  for (size_t p = 0; p < positions; p += stride) {
    const double v = likeness(in, channels, p, p + change, fade);
    if (v > best) {
      best = v;
      at = p;
    }
  }
  // Shorter: play up to `at`, fade over to `at + change`, go on from there.
  // Longer: play up to `at + change`, fade back to `at`, go on from there.
  const size_t before = shorter ? at : at + change;
  const size_t target = shorter ? at + change : at;
  std::copy_n(in.begin(), before * channels, out.begin());
  for (size_t i = 0; i < fade; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      out[(before + i) * channels + c] =
          mix(in[(before + i) * channels + c], in[(target + i) * channels + c], i, fade);
    }
  }
  std::copy(in.begin() + static_cast<ptrdiff_t>((target + fade) * channels),
            in.begin() + static_cast<ptrdiff_t>(inFrames * channels),
            out.begin() + static_cast<ptrdiff_t>((before + fade) * channels));
}

}  // namespace parley::media
