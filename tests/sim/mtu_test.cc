// Paths that swallow packets above a size, without a word (ICMP filtered).

#include <array>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

struct Road {
  uint32_t mtu;
  bool v6;
};

class MtuSim : public ::testing::TestWithParam<Road> {
 protected:
  /// Two peers whose only way is one segment; what each sends is held to the MTU.
  MtuSim() {
    sim::SegmentConfig config{.name = "road"};
    if (GetParam().v6) {
      std::array<uint8_t, 16> prefix{0x20, 0x01, 0x0D, 0xB8, 0, 7};
      config.v6Base = IpAddress::v6(prefix);
    } else {
      config.v4Base = IpAddress::v4(192, 168, 7, 0);
    }
    road_ = &world_.addSegment(config);
    PairOptions options;
    pair_ = std::make_unique<Pair>(world_, options);
    for (sim::Host* host : {&pair_->hostA(), &pair_->hostB()}) {
      sim::PortConfig port;
      port.addresses = {*road_->allocate(GetParam().v6 ? AddressFamily::V6 : AddressFamily::V4)};
      port.up = port.down = {.delay = Duration::millis(10)};
      port.up.mtu = GetParam().mtu;
      host->attach(*road_, port);
      host->setUp(host->port(0), false);
    }
  }

  sim::World world_{3};
  sim::Segment* road_ = nullptr;
  std::unique_ptr<Pair> pair_;
};

TEST_P(MtuSim, ABlackHoleHangsNeitherTheHandshakeNorData) {
  DataChannel channel = pair_->a().createDataChannel("c").value();
  size_t received = 0;
  pair_->b().onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([&](const DataMessage& m) { received += m.data.size(); });
  });
  const Timestamp begin = world_.now();
  ASSERT_TRUE(pair_->connect());
  ASSERT_TRUE(pair_->runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                              Duration::seconds(10)));
  EXPECT_LT(world_.now() - begin, Duration::seconds(GetParam().mtu >= 1000 ? 3 : 6));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(channel.send(ByteSpan(Bytes(50'000))));
  EXPECT_TRUE(pair_->runUntil([&] { return received == 1'000'000; }, Duration::seconds(20)))
      << received;
  // The largest packets that are known to pass are made use of.
  uint64_t mtu = 0;
  pair_->a().getStats([&](Result<StatsReport> report) {
    mtu = std::get<uint64_t>(report->ofType("sctp-transport").at(0)->members.at("mtu"));
  });
  pair_->run(Duration::millis(10));
  EXPECT_EQ(mtu, GetParam().mtu >= 1280 ? 1148u : GetParam().mtu >= 1000 ? 896u : 508u);
}

// The path is an open one at first. What is under way when it narrows is IP's to cut; what is sent
// later, by an association that starts then, is not.
TEST_P(MtuSim, AnAssociationThatStartsLaterFindsTheSizeAnew) {
  ASSERT_TRUE(pair_->a().addTrack(
      MediaStreamTrack::createAudio(pair_->loopA(), createToneSource(440)), {"s"}));
  ASSERT_TRUE(pair_->connect());
  DataChannel channel = pair_->a().createDataChannel("c").value();
  size_t received = 0;
  pair_->b().onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([&](const DataMessage& m) { received += m.data.size(); });
  });
  channel.onOpen([channel]() mutable { (void)channel.send(ByteSpan(Bytes(100'000))); });
  pair_->negotiate();
  EXPECT_TRUE(pair_->runUntil([&] { return received == 100'000; }, Duration::seconds(15)));
}

/// Two peers that may use packets of 1440 bytes, on a way whose width changes.
class LargePacketsSim : public ::testing::Test {
 protected:
  LargePacketsSim() : pair_(options()) {}
  static PairOptions options() {
    PairOptions out;
    out.configurationA.maxPacketSize = out.configurationB.maxPacketSize = 1440;
    out.aToB.delay = Duration::millis(10);
    return out;
  }
  void narrow(uint32_t mtu) {
    for (sim::Host* host : {&pair_.hostA(), &pair_.hostB()}) {
      sim::LinkConfig config = host->port(0).up.config();
      config.mtu = mtu;
      host->port(0).up.setConfig(config);
    }
  }
  uint64_t size() {
    uint64_t mtu = 0;
    pair_.a().getStats([&](Result<StatsReport> report) {
      mtu = std::get<uint64_t>(report->ofType("sctp-transport").at(0)->members.at("mtu"));
    });
    pair_.run(Duration::millis(10));
    return mtu;
  }
  void open() {
    channel_ = *pair_.a().createDataChannel("c");
    pair_.b().onDataChannel([&](DataChannel incoming) {
      incoming.onMessage([&](const DataMessage& m) { received_ += m.data.size(); });
    });
    ASSERT_TRUE(pair_.connect());
    ASSERT_TRUE(pair_.runUntil([&] { return channel_->readyState() == DataChannelState::Open; },
                               Duration::seconds(10)));
    pair_.run(Duration::seconds(1));
  }
  void transfer(size_t messages) {
    const size_t end = received_ + messages * 50'000;
    for (size_t i = 0; i < messages; ++i) ASSERT_TRUE(channel_->send(ByteSpan(Bytes(50'000))));
    EXPECT_TRUE(pair_.runUntil([&] { return received_ == end; }, Duration::seconds(30)))
        << end - received_;
  }

  Pair pair_;
  std::optional<DataChannel> channel_;
  size_t received_ = 0;
};

TEST_F(LargePacketsSim, AreUsedWhereTheyPass) {
  narrow(1500);
  open();
  EXPECT_EQ(size(), 1400u);
  transfer(40);
}

TEST_F(LargePacketsSim, AMiddleSizeDoesWhereTheLargestDoesNotPass) {
  narrow(1400);
  open();
  EXPECT_EQ(size(), 1272u);
  transfer(40);
}

TEST_F(LargePacketsSim, APathThatNarrowsUnderATransferIsNoticedAndOneThatWidensToo) {
  narrow(1500);
  open();
  const size_t before = received_;
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(channel_->send(ByteSpan(Bytes(50'000))));
  pair_.run(Duration::millis(60));
  narrow(1280);  // without a word
  EXPECT_TRUE(
      pair_.runUntil([&] { return received_ == before + 3'000'000; }, Duration::seconds(20)))
      << received_ - before;
  EXPECT_EQ(size(), 1148u);
  narrow(1500);
  pair_.run(Duration::seconds(65));
  EXPECT_EQ(size(), 1400u);
  transfer(10);
}

TEST_F(LargePacketsSim, NothingHangsWhereOnlySmallPacketsAreLeft) {
  narrow(1500);
  open();
  narrow(1280);
  ASSERT_TRUE(channel_->send(ByteSpan(Bytes(20'000))));
  EXPECT_TRUE(pair_.runUntil([&] { return received_ == 20'000; }, Duration::seconds(5)));
}

INSTANTIATE_TEST_SUITE_P(Roads, MtuSim,
                         ::testing::Values(Road{1280, false}, Road{1280, true}, Road{1000, false},
                                           Road{1000, true}, Road{600, false}),
                         [](const auto& info) {
                           return std::string(info.param.v6 ? "v6_" : "v4_") +
                                  std::to_string(info.param.mtu);
                         });

}  // namespace
}  // namespace parley
