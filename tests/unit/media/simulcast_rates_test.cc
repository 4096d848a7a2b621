#include "media/simulcast_rates.h"

#include <vector>

#include <gtest/gtest.h>

namespace parley::media {
namespace {

BitrateDemand layer(double scale, int min, int max, uint32_t sender = 7) {
  BitrateDemand out;
  out.min = DataRate::kbps(min);
  out.max = DataRate::kbps(max);
  out.sender = sender;
  out.scaleDownBy = scale;
  return out;
}

std::vector<int64_t> share(int kbps, std::vector<BitrateDemand>& demands) {
  allocateBitrate(DataRate::kbps(kbps), demands);
  std::vector<int64_t> out;
  for (BitrateDemand& d : demands) {
    out.push_back(d.given.bps() / 1000);
    d.wasOn = !d.given.isZero();
  }
  return out;
}

using Kbps = std::vector<int64_t>;

TEST(SimulcastRates, LowestLayersAreServedFirst) {
  std::vector<BitrateDemand> three = {layer(4, 30, 200), layer(2, 150, 700), layer(1, 600, 2500)};
  EXPECT_EQ(share(20, three), (Kbps{30, 0, 0})) << "some picture is better than none";
  EXPECT_EQ(share(150, three), (Kbps{150, 0, 0}));
  EXPECT_EQ(share(500, three), (Kbps{200, 300, 0}));
  EXPECT_EQ(share(1400, three), (Kbps{200, 700, 0})) << "not enough for the largest";
  EXPECT_EQ(share(2000, three), (Kbps{200, 700, 1100}));
  EXPECT_EQ(share(9000, three), (Kbps{200, 700, 2500}));
  EXPECT_EQ(share(0, three), (Kbps{0, 0, 0}));
}

TEST(SimulcastRates, OrderFollowsTheSizesNotTheList) {
  std::vector<BitrateDemand> three = {layer(1, 600, 2500), layer(2, 150, 700), layer(4, 30, 200)};
  EXPECT_EQ(share(500, three), (Kbps{0, 300, 200}));
}

TEST(SimulcastRates, ALayerThatIsOffNeedsMoreThanItsMinimum) {
  std::vector<BitrateDemand> two = {layer(2, 100, 400), layer(1, 600, 2500)};
  EXPECT_EQ(share(1010, two), (Kbps{400, 0})) << "610 are left, which would not last";
  EXPECT_EQ(share(1100, two), (Kbps{400, 700}));
  EXPECT_EQ(share(1010, two), (Kbps{400, 610})) << "once it is on it stays";
  EXPECT_EQ(share(990, two), (Kbps{400, 0}));
}

TEST(SimulcastRates, InactiveLayersAreLeftOut) {
  std::vector<BitrateDemand> three = {layer(4, 30, 200), layer(2, 150, 700), layer(1, 600, 2500)};
  three[0].active = false;
  EXPECT_EQ(share(1500, three), (Kbps{0, 700, 800}));
  three[1].active = three[2].active = false;
  EXPECT_EQ(share(1500, three), (Kbps{0, 0, 0}));
}

TEST(SimulcastRates, ASenderCountsAsOneStreamAmongOthers) {
  std::vector<BitrateDemand> all = {layer(4, 30, 200, 1), layer(2, 150, 700, 1), BitrateDemand{},
                                    BitrateDemand{}};
  all[2].min = DataRate::kbps(30);
  all[2].max = DataRate::kbps(2500);
  all[3].audio = true;
  all[3].min = DataRate::kbps(16);
  all[3].max = DataRate::kbps(64);
  const Kbps given = share(1064, all);
  EXPECT_EQ(given[3], 64);
  EXPECT_EQ(given[0] + given[1] + given[2], 1000);
  EXPECT_NEAR(static_cast<double>(given[2]), 500, 2) << "half for each of two videos";
  EXPECT_EQ(given[0], 200);
}

TEST(SimulcastRates, SizesSayWhatALayerCanUse) {
  const LayerRates hd = layerRates(1280 * 720);
  EXPECT_EQ(hd.min, DataRate::kbps(600));
  EXPECT_EQ(hd.max, DataRate::kbps(2500));
  const LayerRates half = layerRates(640 * 360);
  EXPECT_EQ(half.min, DataRate::kbps(150));
  EXPECT_GT(half.max, DataRate::kbps(600));
  const LayerRates tiny = layerRates(0);
  EXPECT_EQ(tiny.min, DataRate::kbps(30));
  EXPECT_GE(tiny.max, DataRate::kbps(100));
  EXPECT_LE(layerRates(7680.0 * 4320).min, DataRate::kbps(800));
}

}  // namespace
}  // namespace parley::media
