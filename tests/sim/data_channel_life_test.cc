// Channels that come and go: many, at once, from both sides, with data on the way.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

PairOptions lossy() {
  PairOptions options;
  options.aToB.delay = Duration::millis(30);
  options.aToB.loss = sim::LossModel::bernoulli(0.05);
  options.aToB.queue.rate = DataRate::kbps(20'000);
  return options;
}

TEST(DataChannelLifeSim, AThousandChannelsAtOnce) {
  Pair pair;
  std::vector<DataChannel> ours;
  std::vector<DataChannel> theirs;
  size_t echoed = 0;
  const auto echo = [&](DataChannel incoming) {
    theirs.push_back(incoming);
    incoming.onMessage([incoming](const DataMessage& m) mutable {
      EXPECT_EQ(m.text(), incoming.label());
      EXPECT_TRUE(incoming.send(m.text()));
    });
  };
  pair.a().onDataChannel(echo);
  pair.b().onDataChannel(echo);
  for (int i = 0; i < 1000; ++i) {
    PeerConnection& side = i % 2 == 0 ? pair.a() : pair.b();
    DataChannel channel = side.createDataChannel(std::to_string(i)).value();
    channel.onOpen([channel]() mutable { EXPECT_TRUE(channel.send(channel.label())); });
    channel.onMessage([&, i](const DataMessage& m) { echoed += m.text() == std::to_string(i); });
    ours.push_back(channel);
  }
  ASSERT_TRUE(pair.connect());
  EXPECT_TRUE(pair.runUntil([&] { return echoed == 1000; }, Duration::seconds(30)));
  EXPECT_EQ(theirs.size(), 1000u);
  for (DataChannel& channel : ours) channel.close();
  EXPECT_TRUE(pair.runUntil(
      [&] {
        for (const auto* list : {&ours, &theirs}) {
          for (const DataChannel& c : *list) {
            if (c.readyState() != DataChannelState::Closed) return false;
          }
        }
        return true;
      },
      Duration::seconds(30)));
  EXPECT_TRUE(pair.errors().empty());
}

struct Closing {
  Closing() : pair(lossy()) {
    near = pair.a().createDataChannel("c").value();
    near.onMessage([this](const DataMessage& m) { atA += m.data.size(); });
    pair.b().onDataChannel([this](DataChannel incoming) {
      far = incoming;
      far.onMessage([this](const DataMessage& m) { atB += m.data.size(); });
    });
    EXPECT_TRUE(pair.connect(Duration::seconds(60)));
    EXPECT_TRUE(pair.runUntil([this] { return static_cast<bool>(far); }, Duration::seconds(30)));
  }
  bool untilClosed() {
    return pair.runUntil(
        [this] {
          return near.readyState() == DataChannelState::Closed &&
                 far.readyState() == DataChannelState::Closed;
        },
        Duration::seconds(60));
  }
  Pair pair;
  DataChannel near, far;
  size_t atA = 0;
  size_t atB = 0;
};

TEST(DataChannelLifeSim, ClosingDeliversWhatIsQueued) {
  Closing c;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(c.near.send(ByteSpan(Bytes(50'000))));
  c.near.close();
  EXPECT_GT(c.near.bufferedAmount(), 900'000u);
  EXPECT_TRUE(c.untilClosed());
  EXPECT_EQ(c.atB, 1'000'000u);
}

// Who has closed hears no more: "If channel.[[ReadyState]] is not "open", abort these steps and
// discard the underlying message" (W3C webrtc, receiving messages on data channels). But it ends.
TEST(DataChannelLifeSim, BothClosingWithDataQueuedEnds) {
  Closing c;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(c.near.send(ByteSpan(Bytes(50'000))));
    ASSERT_TRUE(c.far.send(ByteSpan(Bytes(50'000))));
  }
  c.near.close();
  c.far.close();
  EXPECT_TRUE(c.untilClosed());
  EXPECT_EQ(c.atA + c.atB, 0u);
}

TEST(DataChannelLifeSim, BothOpeningAtOnceShareTheIdsAndAgreedOnesAreOne) {
  Pair pair(lossy());
  DataChannelInit agreed;
  agreed.negotiated = true;
  agreed.id = uint16_t{1};  // one that the DTLS server would take next
  DataChannel agreedA = pair.a().createDataChannel("agreed", agreed).value();
  DataChannel agreedB = pair.b().createDataChannel("agreed", agreed).value();
  std::vector<std::string> atA, atB;
  std::vector<DataChannel> own;
  pair.a().onDataChannel([&](DataChannel in) { atA.push_back(in.label()); });
  pair.b().onDataChannel([&](DataChannel in) { atB.push_back(in.label()); });
  for (int i = 0; i < 20; ++i) {
    own.push_back(pair.a().createDataChannel("a" + std::to_string(i)).value());
    own.push_back(pair.b().createDataChannel("b" + std::to_string(i)).value());
  }
  std::string heardA, heardB;
  agreedA.onMessage([&](const DataMessage& m) { heardA = m.text(); });
  agreedB.onMessage([&](const DataMessage& m) { heardB = m.text(); });
  agreedA.onOpen([&] { EXPECT_TRUE(agreedA.send("from a")); });
  agreedB.onOpen([&] { EXPECT_TRUE(agreedB.send("from b")); });
  ASSERT_TRUE(pair.connect(Duration::seconds(60)));
  EXPECT_TRUE(pair.runUntil(
      [&] {
        return atA.size() == 20 && atB.size() == 20 && heardA == "from b" && heardB == "from a";
      },
      Duration::seconds(60)));
  std::vector<uint16_t> ids;
  for (const DataChannel& c : own) ids.push_back(c.id().value());
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end()) << "no id is used twice";
  EXPECT_FALSE(std::binary_search(ids.begin(), ids.end(), 1));
}

}  // namespace
}  // namespace parley
