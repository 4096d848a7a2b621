// A call without feedback of arrivals: the sender goes by what it is told that it may send (REMB).

#include <string>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

#include "sim/support/encoded_camera.h"
#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::EncodedCamera;
using testing::Pair;
using testing::PairOptions;

/// A description from before transport-wide feedback.
SessionDescription withoutTransportCc(SessionDescription description) {
  std::string kept;
  std::string& sdp = description.sdp;
  for (size_t at = 0; at < sdp.size();) {
    const size_t end = sdp.find('\n', at) + 1;
    const std::string line = sdp.substr(at, end - at);
    const bool gone = line.find("transport-cc") != std::string::npos ||
                      line.find("transport-wide-cc") != std::string::npos ||
                      line.find(" ccfb") != std::string::npos;
    if (!gone) kept += line;
    at = end;
  }
  sdp = kept;
  return description;
}

PARLEY_SIM_TEST(RateReportSim, ASenderFindsOneMegabitAndItsHalf) {
  PairOptions options;
  options.aToB.delay = Duration::millis(25);
  options.aToB.queue.rate = DataRate::kbps(1000);
  options.aToB.queue.limitBytes = 40'000;
  options.bToA = sim::LinkConfig{};
  options.bToA->delay = Duration::millis(25);
  Pair pair(world, options);
  EncodedCamera camera(pair, DataRate::kbps(2000));
  ASSERT_TRUE(pair.a().addTrack(camera.track, {"s"}));
  pair.a().setLocalDescription([](Result<void> r) { EXPECT_TRUE(r); });
  pair.run(Duration::millis(10));
  pair.b().setRemoteDescription(withoutTransportCc(pair.a().localDescription().value()),
                                [](Result<void> r) { EXPECT_TRUE(r); });
  pair.b().setLocalDescription([](Result<void> r) { EXPECT_TRUE(r); });
  pair.run(Duration::millis(10));
  const SessionDescription answer = pair.b().localDescription().value();
  EXPECT_NE(answer.sdp.find("goog-remb"), std::string::npos);
  EXPECT_EQ(answer.sdp.find("transport-cc"), std::string::npos);
  pair.a().setRemoteDescription(answer, [](Result<void> r) { EXPECT_TRUE(r); });
  BandwidthEstimate told;
  pair.a().onBandwidthEstimate([&](const BandwidthEstimate& estimate) { told = estimate; });
  pair.run(Duration::seconds(12));

  DataRate lowest = DataRate::infinite(), highest;
  double sum = 0;
  for (int i = 0; i < 100; ++i) {
    pair.run(Duration::millis(200));
    lowest = std::min(lowest, camera.target);
    highest = std::max(highest, camera.target);
    sum += static_cast<double>(camera.target.bps());
  }
  EXPECT_GT(sum / 100, 650'000);
  EXPECT_LT(sum / 100, 1'000'000);
  EXPECT_GT(lowest, DataRate::kbps(250));
  EXPECT_LT(highest, DataRate::kbps(1500));
  // What the peer allows can be seen.
  EXPECT_GE(told.remote, told.estimate);
  EXPECT_LT(told.remote, DataRate::kbps(2000));
  EXPECT_TRUE(told.delayBased.isInfinite());
  double stated = 0;
  pair.a().getStats([&](Result<StatsReport> report) {
    ASSERT_TRUE(report);
    stated = report->ofType("outbound-rtp").at(0)->number("parleyRemoteEstimateBps");
  });
  pair.run(Duration::millis(1));
  EXPECT_NEAR(stated / 1000, told.remote.kbps(), 200);
  pair.a().onBandwidthEstimate({});
}

}  // namespace
}  // namespace parley
