#include "parley/forwarding/layer_allocator.h"

#include <gtest/gtest.h>

namespace parley::forwarding {
namespace {

LayerDemand demandOf(std::initializer_list<int> kbps, double priority = 1,
                     std::optional<size_t> present = {}) {
  LayerDemand demand;
  uint8_t encoding = 0;
  for (const int rate : kbps) demand.options.push_back({{encoding++, 0, 0}, DataRate::kbps(rate)});
  demand.priority = priority;
  demand.present = present;
  return demand;
}

TEST(LayerAllocator, EverybodyGetsTheCheapestBeforeAnybodyGetsMore) {
  LayerDemand demands[] = {demandOf({100, 500, 1500}), demandOf({100, 500, 1500})};
  allocateLayers(DataRate::kbps(300), demands);
  EXPECT_EQ(demands[0].given, 0u);
  EXPECT_EQ(demands[1].given, 0u);
  allocateLayers(DataRate::kbps(4000), demands);
  EXPECT_EQ(demands[0].given, 2u);
  EXPECT_EQ(demands[1].given, 2u);
}

TEST(LayerAllocator, PriorityRisesFirst) {
  LayerDemand demands[] = {demandOf({100, 500}), demandOf({100, 500}, 2)};
  allocateLayers(DataRate::kbps(700), demands);
  EXPECT_EQ(demands[0].given, 0u);
  EXPECT_EQ(demands[1].given, 1u);
}

TEST(LayerAllocator, WhatDoesNotFitIsPausedButForTheFirst) {
  LayerDemand demands[] = {demandOf({100}), demandOf({100}, 3), demandOf({100})};
  allocateLayers(DataRate::kbps(50), demands);
  EXPECT_EQ(demands[0].given, std::nullopt);
  EXPECT_EQ(demands[1].given, 0u);
  EXPECT_EQ(demands[2].given, std::nullopt);
}

TEST(LayerAllocator, WhatIsThereStaysAtTheEdgeAndWhatRisesNeedsAMargin) {
  LayerDemand present[] = {demandOf({100, 500}, 1, 1)};
  allocateLayers(DataRate::kbps(510), present);
  EXPECT_EQ(present[0].given, 1u);
  LayerDemand rising[] = {demandOf({100, 500}, 1, 0)};
  allocateLayers(DataRate::kbps(510), rising);
  EXPECT_EQ(rising[0].given, 0u);
  allocateLayers(DataRate::kbps(600), rising);
  EXPECT_EQ(rising[0].given, 1u);
  rising[0].mayRise = false;
  allocateLayers(DataRate::kbps(600), rising);
  EXPECT_EQ(rising[0].given, 0u);
}

TEST(LayerAllocator, NothingToGiveIsNoTrouble) {
  allocateLayers(DataRate::zero(), {});
  LayerDemand demands[] = {demandOf({}), demandOf({0})};
  allocateLayers(DataRate::zero(), demands);
  EXPECT_EQ(demands[0].given, std::nullopt);
  EXPECT_EQ(demands[1].given, 0u);
}

}  // namespace
}  // namespace parley::forwarding
