#include "media/fec_masks.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

namespace parley::media {
namespace {

std::vector<rtp::FecMask> masksOf(size_t packets, size_t repairs, LossPattern pattern) {
  std::vector<rtp::FecMask> out(repairs);
  makeFecMasks(packets, pattern, out);
  return out;
}

/// Undoes one loss at a time, as receivers do. `lost` counts packets, then repair packets.
bool repairs(const std::vector<rtp::FecMask>& masks, size_t packets, std::vector<bool> lost) {
  for (bool progress = true; progress;) {
    progress = false;
    for (size_t r = 0; r < masks.size(); ++r) {
      if (lost[packets + r]) continue;
      size_t missing = 0;
      size_t which = 0;
      for (size_t i = 0; i < packets; ++i) {
        if (!masks[r].test(i) || !lost[i]) continue;
        ++missing;
        which = i;
      }
      if (missing != 1) continue;
      lost[which] = false;
      progress = true;
    }
  }
  for (size_t i = 0; i < packets; ++i) {
    if (lost[i]) return false;
  }
  return true;
}

TEST(FecMasks, EachPacketIsCoveredAndEachRepairPacketUseful) {
  for (const LossPattern pattern : {LossPattern::Single, LossPattern::Bursts}) {
    for (size_t n = 1; n <= 48; ++n) {
      for (size_t k = 1; k <= n && k <= 24; ++k) {
        const auto masks = masksOf(n, k, pattern);
        for (size_t i = 0; i < n; ++i) {
          bool covered = false;
          for (const rtp::FecMask& mask : masks) covered = covered || mask.test(i);
          EXPECT_TRUE(covered) << n << ' ' << k << ' ' << i;
        }
        for (const rtp::FecMask& mask : masks) {
          EXPECT_FALSE(mask.empty()) << n << ' ' << k;
          EXPECT_LE(mask.span(), n);
        }
      }
    }
  }
}

TEST(FecMasks, ARunNoLongerThanTheRepairPacketsIsUndone) {
  for (size_t n = 1; n <= 48; ++n) {
    for (size_t k = 1; k <= n && k <= 8; ++k) {
      const auto masks = masksOf(n, k, LossPattern::Bursts);
      for (size_t start = 0; start + k <= n + k; ++start) {
        std::vector<bool> lost(n + k);
        for (size_t i = start; i < start + k && i < n + k; ++i) lost[i] = true;
        EXPECT_TRUE(repairs(masks, n, lost)) << n << ' ' << k << ' ' << start;
      }
    }
  }
}

TEST(FecMasks, AnyTwoLossesAreUndoneWhilePacketsCanBeToldApart) {
  for (size_t k = 2; k <= 8; ++k) {
    const size_t different = k * (k + 1) / 2;
    for (size_t n = k; n <= different; ++n) {
      const auto masks = masksOf(n, k, LossPattern::Single);
      for (size_t a = 0; a < n; ++a) {
        for (size_t b = a + 1; b < n; ++b) {
          std::vector<bool> lost(n + k);
          lost[a] = lost[b] = true;
          EXPECT_TRUE(repairs(masks, n, lost)) << n << ' ' << k << ' ' << a << ' ' << b;
        }
      }
    }
  }
}

}  // namespace
}  // namespace parley::media
