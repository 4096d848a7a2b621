// Two facade connections over the simulated network: set-up and data channels.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

TEST(DataChannelSim, ConnectsAndCarriesMessagesBothWays) {
  Pair pair;
  DataChannel channel = pair.a().createDataChannel("chat").value();
  std::vector<std::string> atA, atB;
  channel.onMessage([&](const DataMessage& m) { atA.emplace_back(m.text()); });
  channel.onOpen([&] { EXPECT_TRUE(channel.send("hello")); });
  DataChannel other;
  pair.b().onDataChannel([&](DataChannel incoming) {
    other = incoming;
    other.onMessage([&](const DataMessage& m) {
      atB.emplace_back(m.text());
      EXPECT_TRUE(other.send("echo " + std::string(m.text())));
    });
  });
  ASSERT_TRUE(pair.connect());
  EXPECT_TRUE(pair.runUntil([&] { return !atA.empty(); }, Duration::seconds(5)));
  EXPECT_EQ(atB, std::vector<std::string>{"hello"});
  EXPECT_EQ(atA, std::vector<std::string>{"echo hello"});
  EXPECT_EQ(other.label(), "chat");
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
}

TEST(DataChannelSim, SetUpTakesTheRoundTripsItMust) {
  // 50 ms each way: ICE check, DTLS 1.2 (two round trips) and SCTP end within the table of
  // "classic" DTLS 1.2, 5.5 round trips after the answer, whatever paces the checks.
  PairOptions options;
  options.aToB.delay = Duration::millis(50);
  Pair pair(options);
  DataChannel channel = pair.a().createDataChannel("c").value();
  const Timestamp begin = pair.world().now();
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                            Duration::seconds(5)));
  EXPECT_LT(pair.world().now() - begin, Duration::millis(650));
}

// Not at the next tick of the SCTP engine: neither the message nor the echo to it.
TEST(DataChannelSim, AMessageLeavesAtOnce) {
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  Pair pair(options);
  DataChannel channel = pair.a().createDataChannel("c").value();
  int echoes = 0;
  channel.onMessage([&](const DataMessage&) { ++echoes; });
  pair.b().onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([incoming](const DataMessage& m) mutable { (void)incoming.send(m.data); });
  });
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                            Duration::seconds(5)));
  pair.run(Duration::seconds(1));
  for (int i = 0; i < 5; ++i) {
    const Timestamp begin = pair.world().now();
    ASSERT_TRUE(channel.send("ping"));
    ASSERT_TRUE(pair.runUntil([&] { return echoes == i + 1; }, Duration::seconds(1)));
    EXPECT_LT(pair.world().now() - begin, Duration::micros(20'500));
    pair.run(Duration::micros(70'300));
  }
}

TEST(DataChannelSim, CloseIsSeenByTheOtherSide) {
  Pair pair;
  DataChannel channel = pair.a().createDataChannel("c").value();
  bool closedAtB = false;
  std::string last;
  pair.b().onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([&](const DataMessage& m) { last = m.text(); });
    incoming.onClose([&] { closedAtB = true; });
  });
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                            Duration::seconds(5)));
  ASSERT_TRUE(channel.send("last words"));
  channel.close();
  EXPECT_EQ(channel.readyState(), DataChannelState::Closing);
  EXPECT_TRUE(
      pair.runUntil([&] { return closedAtB && channel.readyState() == DataChannelState::Closed; },
                    Duration::seconds(5)));
  EXPECT_EQ(last, "last words");
}

TEST(DataChannelSim, ClosingTheConnectionClosesTheChannelsOfThePeer) {
  Pair pair;
  DataChannel channel = pair.a().createDataChannel("c").value();
  DataChannel other;
  pair.b().onDataChannel([&](DataChannel incoming) { other = incoming; });
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return static_cast<bool>(other); }, Duration::seconds(5)));
  pair.a().close();
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Closed);
  EXPECT_EQ(channel.readyState(), DataChannelState::Closed);
  EXPECT_TRUE(pair.runUntil([&] { return other.readyState() == DataChannelState::Closed; },
                            Duration::seconds(5)));
}

struct TransferCase {
  int lossPercent;
  int rttMillis;
};

class DataTransferSim : public ::testing::TestWithParam<TransferCase> {};

TEST_P(DataTransferSim, EveryReliableMessageArrivesOnceAndInOrder) {
  PairOptions options;
  options.aToB.loss = sim::LossModel::bernoulli(GetParam().lossPercent / 100.0);
  options.aToB.delay = Duration::millis(GetParam().rttMillis / 2);
  options.aToB.reorder = 0.05;
  Pair pair(options);
  DataChannel channel = pair.a().createDataChannel("c").value();
  std::vector<size_t> sizes;
  bool intact = true;
  pair.b().onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([&](const DataMessage& m) {
      for (size_t i = 0; i < m.data.size(); ++i)
        intact = intact && m.data[i] == static_cast<uint8_t>(i + sizes.size());
      sizes.push_back(m.data.size());
    });
  });
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                            Duration::seconds(60)));
  std::vector<size_t> expected;
  for (size_t n = 0; n < 40; ++n) {
    const size_t size = n * n * 40;  // 0 to 60 KiB
    Bytes message(size);
    for (size_t i = 0; i < size; ++i) message[i] = static_cast<uint8_t>(i + n);
    ASSERT_TRUE(channel.send(ByteSpan(message)));
    expected.push_back(size);
  }
  EXPECT_TRUE(
      pair.runUntil([&] { return sizes.size() == expected.size(); }, Duration::seconds(600)));
  EXPECT_EQ(sizes, expected);
  EXPECT_TRUE(intact);
}

INSTANTIATE_TEST_SUITE_P(Paths, DataTransferSim,
                         ::testing::Values(TransferCase{0, 0}, TransferCase{1, 50},
                                           TransferCase{5, 50}, TransferCase{10, 200}),
                         [](const auto& which) {
                           return "loss" + std::to_string(which.param.lossPercent) + "rtt" +
                                  std::to_string(which.param.rttMillis);
                         });

}  // namespace
}  // namespace parley
