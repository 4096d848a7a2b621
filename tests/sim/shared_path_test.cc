// Media and data channels of one connection on one bottleneck.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

#include "support/encoded_camera.h"

namespace parley {
namespace {

using testing::EncodedCamera;
using testing::Pair;
using testing::PairOptions;

/// Of the camera.
constexpr DataRate kMost = DataRate::kbps(1500);

struct Shares {
  double mediaKbps = 0;
  double dataKbps = 0;
  double delayP95Ms = 0;  ///< in the bottleneck's queue
};

/// What passes the bottleneck while a file is sent beside the camera, from 10 s on for 20 s.
Shares sendFileBesideCamera(Pair& pair) {
  EncodedCamera camera(pair, kMost);
  EXPECT_TRUE(pair.a().addTrack(camera.track, {"s"}));
  DataChannel file = pair.a().createDataChannel("file").value();
  const Bytes piece(16 * 1024, 0x5a);
  file.setBufferedAmountLowThreshold(256 * 1024);
  bool sending = false;
  const auto fill = [&] {
    while (sending && file.bufferedAmount() < 1024 * 1024 && file.send(ByteSpan(piece))) {
    }
  };
  file.onBufferedAmountLow(fill);
  EXPECT_TRUE(pair.connect());
  pair.run(Duration::seconds(5));
  sending = true;
  fill();
  pair.run(Duration::seconds(5));
  int64_t media = 0;
  int64_t data = 0;
  bool counting = true;
  sim::Link& link = pair.hostA().port(0).up;
  std::vector<double> waits;
  pair.world().onArrival([&](const sim::DatagramEvent& e) {
    if (!counting || &e.host != &pair.hostB()) return;
    (e.packet.packetClass == sim::PacketClass::Rtp ? media : data) += e.packet.wireSize();
  });
  const int steps = 2000;
  for (int i = 0; i < steps; ++i) {
    pair.run(Duration::millis(10));
    waits.push_back(static_cast<double>(link.queueBytes()) * 8 / link.config().queue.rate.kbps());
  }
  counting = false;
  std::sort(waits.begin(), waits.end());
  pair.a().close();
  return {static_cast<double>(media) * 8 / 20'000, static_cast<double>(data) * 8 / 20'000,
          waits[waits.size() * 95 / 100]};
}

PairOptions path(DataRate rate) {
  PairOptions options;
  options.aToB.delay = Duration::millis(50);
  options.aToB.queue.rate = rate;
  options.aToB.queue.limitBytes = static_cast<size_t>(rate.bytesIn(Duration::millis(500)));
  sim::LinkConfig back;
  back.delay = Duration::millis(50);
  options.bToA = back;
  options.configurationA.maxBitrate = DataRate::kbps(1500);
  return options;
}

TEST(SharedPathSim, AFileTakesWhatThePictureLeaves) {
  Pair pair(path(DataRate::kbps(3000)));
  const Shares seen = sendFileBesideCamera(pair);
  RecordProperty("media_kbps", static_cast<int>(seen.mediaKbps));
  RecordProperty("data_kbps", static_cast<int>(seen.dataKbps));
  RecordProperty("delay_ms_p95", static_cast<int>(seen.delayP95Ms));
  EXPECT_GT(seen.mediaKbps, 1350) << "the picture keeps its rate within a tenth";
  EXPECT_GT(seen.dataKbps, 900) << "the file gets the rest";
  EXPECT_LT(seen.delayP95Ms, 150);
}

PairOptions screamPath(DataRate rate) {
  PairOptions options = path(rate);
  options.configurationA.congestionControl = CongestionControl::Scream;
  options.configurationB.congestionControl = CongestionControl::Scream;
  return options;
}

TEST(SharedPathSim, WithScreamToo) {
  Pair pair(screamPath(DataRate::kbps(3000)));
  const Shares seen = sendFileBesideCamera(pair);
  RecordProperty("media_kbps", static_cast<int>(seen.mediaKbps));
  RecordProperty("data_kbps", static_cast<int>(seen.dataKbps));
  RecordProperty("delay_ms_p95", static_cast<int>(seen.delayP95Ms));
  EXPECT_GT(seen.mediaKbps, 1350) << "the picture keeps its rate within a tenth";
  EXPECT_GT(seen.dataKbps, 700) << "the file gets the rest";
  EXPECT_LT(seen.delayP95Ms, 150);
}

TEST(SharedPathSim, WithScreamWhereThereIsLittleTheFileStillArrives) {
  Pair pair(screamPath(DataRate::kbps(1000)));
  const Shares seen = sendFileBesideCamera(pair);
  RecordProperty("media_kbps", static_cast<int>(seen.mediaKbps));
  RecordProperty("data_kbps", static_cast<int>(seen.dataKbps));
  RecordProperty("delay_ms_p95", static_cast<int>(seen.delayP95Ms));
  EXPECT_GT(seen.mediaKbps, 500);
  EXPECT_GT(seen.dataKbps, 50);
  EXPECT_LT(seen.delayP95Ms, 200);
}

TEST(SharedPathSim, WhereThereIsLittleTheFileStillArrives) {
  Pair pair(path(DataRate::kbps(1000)));
  const Shares seen = sendFileBesideCamera(pair);
  EXPECT_GT(seen.mediaKbps, 500);
  EXPECT_GT(seen.dataKbps, 50);
  EXPECT_LT(seen.delayP95Ms, 200);
}

TEST(SharedPathSim, TheEstimateIsToldAndWritesALine) {
  Pair pair(path(DataRate::kbps(1000)));
  EncodedCamera camera(pair, kMost);
  ASSERT_TRUE(pair.a().addTrack(camera.track, {"s"}));
  std::vector<BandwidthEstimate> told;
  pair.a().onBandwidthEstimate([&](const BandwidthEstimate& e) { told.push_back(e); });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(8));
  ASSERT_GT(told.size(), 20u);
  EXPECT_LT(told.size(), 200u);
  const BandwidthEstimate& last = told.back();
  EXPECT_GT(last.estimate, DataRate::kbps(600));
  EXPECT_GT(last.acknowledged, DataRate::kbps(300));
  EXPECT_GE(last.roundTripTime, Duration::millis(90));
  const std::string row = last.csvRow();
  const std::string_view header = BandwidthEstimate::csvHeader();
  EXPECT_EQ(std::count(row.begin(), row.end(), ','), std::count(header.begin(), header.end(), ','));
  pair.a().onBandwidthEstimate({});
  told.clear();
  pair.run(Duration::seconds(2));
  EXPECT_TRUE(told.empty());
  pair.a().close();
}

// Packets leave as ECT(1), the peer reports by RFC 8888.
TEST(SharedPathSim, ScreamIsNegotiatedAndAsksForEarlyMarks) {
  PairOptions options = path(DataRate::kbps(1000));
  options.configurationA.congestionControl = CongestionControl::Scream;
  options.configurationB.congestionControl = CongestionControl::Scream;
  Pair pair(options);
  EncodedCamera camera(pair, kMost);
  ASSERT_TRUE(pair.a().addTrack(camera.track, {"s"}));
  uint64_t marked = 0;
  uint64_t media = 0;
  pair.world().onDatagram([&](const sim::DatagramEvent& e) {
    if (&e.host != &pair.hostA() || e.packet.packetClass != sim::PacketClass::Rtp) return;
    ++media;
    marked += e.packet.ecn == Ecn::Ect1;
  });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(8));
  EXPECT_GT(media, 300u);
  EXPECT_EQ(marked, media);
  EXPECT_GT(camera.target, DataRate::kbps(500));
  EXPECT_LT(camera.target, DataRate::kbps(1100));
  pair.a().close();
}

}  // namespace
}  // namespace parley
