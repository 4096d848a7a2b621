// Every kind of channel on every kind of path, while the path changes, through the whole stack.

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/crypto/hash.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

constexpr size_t kMessages = 40;

enum Kind : size_t { Ordered, Unordered, OrderedLifetime, UnorderedRetransmits, kKinds };

DataChannelInit initOf(Kind kind) {
  DataChannelInit init;
  init.ordered = kind == Ordered || kind == OrderedLifetime;
  if (kind == OrderedLifetime) init.maxPacketLifeTime = uint16_t{250};
  if (kind == UnorderedRetransmits) init.maxRetransmits = uint16_t{1};
  init.negotiated = true;
  init.id = static_cast<uint16_t>(kind);
  return init;
}

/// A message that begins with its number; the rest depends on the number and the channel.
Bytes messageOf(Kind kind, size_t number) {
  SeededRandom random(number * kKinds + kind + 1);
  const size_t most = number % 10 == 9 ? 60'000 : 4'000;
  Bytes out(8 + random.below(most));
  random.fill(out);
  storeU64(out.data(), number);
  return out;
}

/// One direction of one channel: what was sent, and what has arrived.
struct Flow {
  std::vector<crypto::Sha256Digest> sent;
  std::vector<size_t> arrived;
  size_t broken = 0;

  void receive(ByteSpan data) {
    const uint64_t number = data.size() < 8 ? sent.size() : loadU64(data.data());
    if (number >= sent.size() || crypto::sha256(data) != sent[number]) {
      ++broken;
      return;
    }
    arrived.push_back(number);
  }
  bool isAscending() const { return std::is_sorted(arrived.begin(), arrived.end()); }
  bool isOnce() const { return std::set(arrived.begin(), arrived.end()).size() == arrived.size(); }
};

struct PathCase {
  int lossPercent;
  int rttMillis;
};

class DataChannelMatrixSim : public ::testing::TestWithParam<PathCase> {
 protected:
  /// `disturbed`: packets are duplicated and overtake each other as well.
  void transfer(bool disturbed) {
    PairOptions options;
    options.seed = static_cast<uint64_t>(GetParam().lossPercent * 1000 + GetParam().rttMillis);
    sim::LinkConfig& link = options.aToB;
    link.delay = Duration::millis(GetParam().rttMillis) / 2;
    link.loss = sim::LossModel::bernoulli(GetParam().lossPercent / 100.0);
    link.queue.rate = DataRate::kbps(20'000);
    if (disturbed) {
      link.duplicate = 0.1;
      link.reorder = 0.1;
      link.reorderBy = link.delay / 2 + Duration::millis(2);
      link.jitter = link.delay / 4;
      link.keepOrder = false;
    }
    Pair pair(options);
    std::array<Flow, kKinds> flows[2];
    std::array<DataChannel, kKinds> ends[2];
    for (size_t kind = 0; kind < kKinds; ++kind) {
      for (const size_t side : {0u, 1u}) {
        ends[side][kind] = (side == 0 ? pair.a() : pair.b())
                               .createDataChannel("c", initOf(static_cast<Kind>(kind)))
                               .value();
        ends[side][kind].onMessage(
            [&flow = flows[1 - side][kind]](const DataMessage& m) { flow.receive(m.data); });
      }
    }
    ASSERT_TRUE(pair.connect(Duration::seconds(300)));
    ASSERT_TRUE(pair.runUntil(
        [&] {
          return ends[0][Ordered].readyState() == DataChannelState::Open &&
                 ends[1][Ordered].readyState() == DataChannelState::Open;
        },
        Duration::seconds(60)));
    for (size_t number = 0; number < kMessages; ++number) {
      change(pair, number, link);
      for (const size_t side : {0u, 1u}) {
        for (size_t kind = 0; kind < kKinds; ++kind) {
          const Bytes message = messageOf(static_cast<Kind>(kind), number);
          flows[side][kind].sent.push_back(crypto::sha256(message));
          ASSERT_TRUE(ends[side][kind].send(ByteSpan(message)));
        }
      }
      pair.run(Duration::millis(25));
    }
    const auto done = [&] {
      for (const auto& side : flows) {
        if (side[Ordered].arrived.size() < kMessages || side[Unordered].arrived.size() < kMessages)
          return false;
      }
      return true;
    };
    EXPECT_TRUE(pair.runUntil(done, Duration::seconds(600)));
    pair.run(Duration::seconds(30));  // what comes twice comes late
    for (const auto& side : flows) check(side);
  }

  /// The path does not stay as it was: rate, delay, MTU, and whether it is there at all.
  static void change(Pair& pair, size_t number, const sim::LinkConfig& original) {
    for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) {
      sim::Link& way = host->port(0).up;
      sim::LinkConfig config = way.config();
      if (number == 10) config.queue.rate = DataRate::kbps(1500);
      if (number == 18) config.queue.rate = DataRate::kbps(50'000), config.mtu = 1280;
      if (number == 22) config.delay = original.delay * 2;
      if (number == 26) way.setUp(false);
      if (number == 30) way.setUp(true);
      if (number == 34) config.delay = original.delay, config.queue.rate = original.queue.rate;
      way.setConfig(config);
    }
  }

  void check(const std::array<Flow, kKinds>& flows) const {
    for (const Flow& flow : flows) {
      EXPECT_EQ(flow.broken, 0u);
      EXPECT_TRUE(flow.isOnce());
    }
    EXPECT_EQ(flows[Ordered].arrived.size(), kMessages);
    EXPECT_TRUE(flows[Ordered].isAscending());
    EXPECT_EQ(flows[Unordered].arrived.size(), kMessages);
    EXPECT_TRUE(flows[OrderedLifetime].isAscending());
    EXPECT_GE(flows[UnorderedRetransmits].arrived.size(), kMessages / 4);
    // On long paths the congestion window opens too slowly for what must arrive within 250 ms.
    if (GetParam().rttMillis <= 100) {
      EXPECT_GE(flows[OrderedLifetime].arrived.size(), 1u);
    }
  }
};

TEST_P(DataChannelMatrixSim, WhatIsReliableArrivesOnceInOrderAndWhole) {
  transfer(false);
}

TEST_P(DataChannelMatrixSim, DuplicatesAndReorderingChangeNothing) {
  transfer(true);
}

std::vector<PathCase> paths() {
  std::vector<PathCase> out;
  for (const int loss : {0, 1, 5, 10, 20}) {
    for (const int rtt : {1, 20, 100, 300, 600}) out.push_back({loss, rtt});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Paths, DataChannelMatrixSim, ::testing::ValuesIn(paths()),
                         [](const auto& which) {
                           return "loss" + std::to_string(which.param.lossPercent) + "rtt" +
                                  std::to_string(which.param.rttMillis);
                         });

}  // namespace
}  // namespace parley
