// Large and many: messages in parts, backpressure, priorities, and what the network does meanwhile,
// through the whole stack.

#include <algorithm>
#include <coroutine>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/api/awaitable.h"
#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

Bytes numbered(size_t size) {
  Bytes out(size);
  uint32_t x = 7;
  for (uint8_t& byte : out) byte = static_cast<uint8_t>((x = x * 1664525u + 1013904223u) >> 24);
  return out;
}

/// A connected pair with one open channel, and B's end of it.
struct Connected {
  explicit Connected(PairOptions options, DataChannelInit init = {}) : pair(std::move(options)) {
    pair.b().onDataChannel([this](DataChannel incoming) {
      incoming.setPartSize(64 * 1024);
      incoming.onMessage([this](const DataMessage& m) {
        received.insert(received.end(), m.data.begin(), m.data.end());
        parts.push_back(m.data.size());
        if (m.last) ++messages;
      });
      if (!far) far = incoming;
    });
    near = pair.a().createDataChannel("bulk", init).value();
    EXPECT_TRUE(pair.connect());
    EXPECT_TRUE(pair.runUntil([this] { return near.readyState() == DataChannelState::Open && far; },
                              Duration::seconds(30)));
  }
  /// Sends `data` as one message in parts as the channel takes them.
  void stream(const Bytes& data) {
    ASSERT_TRUE(near.beginMessage(data.size()));
    near.onWritable([this, &data] { feed(data); });
    feed(data);
  }
  void feed(const Bytes& data) {
    while (sent < data.size()) {
      const size_t n = std::min<size_t>(32 * 1024, data.size() - sent);
      if (!near.sendPart(ByteSpan(data).subspan(sent, n))) return;
      sent += n;
    }
  }

  Pair pair;
  DataChannel near, far;
  size_t sent = 0;
  size_t messages = 0;
  Bytes received;
  std::vector<size_t> parts;
};

PairOptions withLimits() {
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  options.aToB.queue.rate = DataRate::kbps(100 * 1000);
  options.limits.maxMessageSize = 64u << 20;
  options.limits.maxBufferedAmount = 512 * 1024;
  return options;
}

TEST(DataChannelStreamSim, AMessageLargerThanAllBuffersTravelsInParts) {
  Connected c(withLimits());
  const Bytes data = numbered(5u << 20);
  c.stream(data);
  size_t highest = 0;
  ASSERT_TRUE(c.pair.runUntil(
      [&] {
        highest = std::max<size_t>(highest, c.near.bufferedAmount());
        return c.messages == 1;
      },
      Duration::seconds(30)));
  EXPECT_TRUE(c.received == data);
  EXPECT_GT(c.parts.size(), 50u);
  EXPECT_LE(highest, 512u * 1024);
}

TEST(DataChannelStreamSim, RateChangesOutagesAndSmallerMtusLoseNothing) {
  Connected c(withLimits());
  const Bytes data = numbered(6u << 20);
  c.stream(data);
  sim::Link& link = c.pair.hostA().port(0).up;
  sim::LinkConfig config = link.config();
  const auto during = [&](Duration d) { c.pair.runUntil([&] { return c.messages == 1; }, d); };
  during(Duration::millis(200));
  config.queue.rate = DataRate::kbps(2 * 1000);
  link.setConfig(config);
  during(Duration::millis(1500));
  config.queue.rate = DataRate::kbps(50 * 1000);
  config.mtu = 1280;  // what IPv6 guarantees
  config.delay = Duration::millis(150);
  link.setConfig(config);
  during(Duration::millis(500));
  link.setUp(false);
  during(Duration::seconds(2));
  link.setUp(true);
  config.delay = Duration::millis(5);
  link.setConfig(config);
  ASSERT_TRUE(c.pair.runUntil([&] { return c.messages == 1; }, Duration::seconds(60)));
  EXPECT_TRUE(c.received == data);
}

/// A bulk transfer of a gibibyte on 20 Mb/s, handed over in parts, and an urgent channel beside it.
struct Urgent {
  explicit Urgent(Duration delay) : pair(options(delay)) {
    DataChannelInit init;
    init.negotiated = true;
    init.id = uint16_t{1};
    init.priority = PriorityType::VeryLow;
    bulk = pair.a().createDataChannel("bulk", init).value();
    DataChannel bulkFar = pair.b().createDataChannel("bulk", init).value();
    bulkFar.setPartSize(64 * 1024);
    bulkFar.onMessage([this](const DataMessage& m) { received += m.data.size(); });
    init.id = uint16_t{2};
    init.priority = PriorityType::High;
    near = pair.a().createDataChannel("urgent", init).value();
    far = pair.b().createDataChannel("urgent", init).value();
    far.onMessage([this](const DataMessage&) { delays.push_back(pair.world().now() - sentAt); });
    EXPECT_TRUE(pair.connect());
    EXPECT_TRUE(pair.runUntil([this] { return near.readyState() == DataChannelState::Open; },
                              Duration::seconds(10)));
  }
  static PairOptions options(Duration delay) {
    PairOptions out;
    out.aToB.delay = delay;
    out.aToB.queue.rate = DataRate::kbps(20 * 1000);
    out.limits.maxMessageSize = 1u << 30;
    return out;
  }
  void startBulk() {
    ASSERT_TRUE(bulk.beginMessage(1u << 30));
    bulk.onWritable([this] { feed(); });
    feed();
  }
  void feed() {
    while (bulk.sendPart(part)) {
    }
  }
  /// The 95th percentile of the delays of `count` messages of 100 bytes, sent at odd moments.
  Duration p95(int count) {
    delays.clear();
    for (int i = 0; i < count; ++i) {
      sentAt = pair.world().now();
      EXPECT_TRUE(near.send(ByteSpan(Bytes(100))));
      const size_t before = delays.size();
      pair.runUntil([&] { return delays.size() > before; }, Duration::seconds(5));
      pair.run(Duration::micros(7300 + 1100 * (i % 7)));
    }
    std::sort(delays.begin(), delays.end());
    return delays.at(delays.size() * 95 / 100);
  }

  Pair pair;
  DataChannel bulk, near, far;
  Bytes part = Bytes(32 * 1024);
  uint64_t received = 0;
  Timestamp sentAt;
  std::vector<Duration> delays;
};

TEST(DataChannelStreamSim, AMessageOfHighPriorityPassesABulkTransfer) {
  for (const int millis : {20, 40}) {
    Urgent u(Duration::millis(millis));
    EXPECT_EQ(u.near.priority(), PriorityType::High);
    const Duration idle = u.p95(20);
    u.startBulk();
    u.pair.run(Duration::millis(200));
    const uint64_t before = u.received;
    const Timestamp begin = u.pair.world().now();
    const Duration busy = u.p95(300);
    const double seconds = (u.pair.world().now() - begin).seconds();
    EXPECT_GT(static_cast<double>(u.received - before) * 8e-6 / seconds, 15) << "Mb/s of bulk";
    EXPECT_LE(busy.micros(), idle.micros() * 12 / 10) << "idle " << idle.micros() << " us";
  }
}

struct Task {
  struct promise_type {
    Task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

TEST(DataChannelStreamSim, ACoroutineSendsAsTheBufferAllows) {
  Connected c(withLimits());
  const Bytes block = numbered(100'000);
  int sent = 0;
  const auto sender = [&]() -> Task {
    for (int i = 0; i < 30; ++i) {
      const Result<void> result = co_await sendWhenWritable(c.near, block);
      EXPECT_TRUE(result);
      ++sent;
    }
    c.near.close();
  };
  sender();
  EXPECT_LT(sent, 8) << "the buffer is full";
  ASSERT_TRUE(c.pair.runUntil([&] { return c.messages == 30; }, Duration::seconds(30)));
  EXPECT_EQ(sent, 30);
  // One that waits when its channel goes away learns so.
  DataChannel other = c.pair.a().createDataChannel("other").value();
  c.pair.runUntil([&] { return other.readyState() == DataChannelState::Open; },
                  Duration::seconds(1));
  bool refused = false;
  const auto unlucky = [&]() -> Task {
    for (int i = 0; i < 8 && !refused; ++i) refused = !co_await sendWhenWritable(other, block);
  };
  unlucky();
  EXPECT_FALSE(refused);
  other.close();
  c.pair.run(Duration::seconds(5));
  EXPECT_TRUE(refused);
}

TEST(DataChannelStreamSim, StatsTellOfTheAssociation) {
  Connected c(withLimits());
  ASSERT_TRUE(c.near.send(ByteSpan(Bytes(300'000))));
  ASSERT_TRUE(c.pair.runUntil([&] { return c.messages == 1; }, Duration::seconds(5)));
  std::optional<StatsReport> report;
  c.pair.a().getStats([&](Result<StatsReport> r) { report = std::move(r).value(); });
  c.pair.run(Duration::millis(10));
  ASSERT_TRUE(report);
  ASSERT_EQ(report->ofType("sctp-transport").size(), 1u);
  const Stats* sctp = report->ofType("sctp-transport").front();
  EXPECT_NEAR(std::get<double>(sctp->members.at("smoothedRoundTripTime")), 0.02, 0.02);
  EXPECT_GT(std::get<uint64_t>(sctp->members.at("congestionWindow")), 1000u);
  EXPECT_EQ(std::get<uint64_t>(sctp->members.at("mtu")), 1148u);
  EXPECT_TRUE(std::get<bool>(sctp->members.at("parleyInterleaving")));
  EXPECT_TRUE(std::get<bool>(sctp->members.at("parleyZeroChecksum")));
}

}  // namespace
}  // namespace parley
