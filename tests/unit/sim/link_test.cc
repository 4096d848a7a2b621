#include "parley/sim/link.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "unit/sim/udp_probe.h"

namespace parley::sim {
namespace {

/// Two hosts, and `config` on the way from a to b.
class LinkTest : public ::testing::Test {
 protected:
  void build(const LinkConfig& config) {
    world.connect(hostA, hostB, config, {});
    a = std::make_unique<UdpProbe>(world, hostA);
    b = std::make_unique<UdpProbe>(world, hostB);
  }
  Link& link() { return hostA.port(0).up; }
  /// IPv4 and UDP headers make 28 bytes.
  static std::string payloadForWire(size_t wireSize) { return std::string(wireSize - 28, '\x80'); }
  void sendMany(int count, Duration gap, const std::string& text) {
    for (int i = 0; i < count; ++i) {
      a->send(b->address(), text);
      world.run(gap);
    }
  }

  World world{11};
  Host& hostA = world.addHost("a");
  Host& hostB = world.addHost("b");
  std::unique_ptr<UdpProbe> a, b;
};

TEST_F(LinkTest, DelaysExactly) {
  build({.delay = Duration::millis(35)});
  a->send(b->address(), "x");
  world.run(Duration::seconds(1));
  ASSERT_EQ(b->arrived.size(), 1u);
  EXPECT_EQ(b->arrived[0].time, Timestamp::millis(35));
  EXPECT_EQ(b->arrived[0].from, a->address());
  EXPECT_EQ(b->arrived[0].to, b->address());
  EXPECT_EQ(b->arrived[0].text, "x");
}

TEST_F(LinkTest, SerializesAtItsRate) {
  build({.delay = Duration::millis(10), .queue = {.rate = DataRate::kbps(1000)}});
  for (int i = 0; i < 4; ++i) a->send(b->address(), payloadForWire(1250));
  world.run(Duration::seconds(1));
  ASSERT_EQ(b->arrived.size(), 4u);
  // 1250 bytes at 1 Mbit/s take 10 ms each.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(b->arrived[i].time, Timestamp::millis(20 + 10 * i));
}

TEST_F(LinkTest, QueueDropsItsTail) {
  build({.queue = {.rate = DataRate::kbps(1000), .limitBytes = 3000}});
  for (int i = 0; i < 10; ++i) a->send(b->address(), payloadForWire(1000));
  world.run(Duration::seconds(1));
  // One is on the wire, three wait.
  EXPECT_EQ(b->arrived.size(), 4u);
  EXPECT_EQ(link().counters().lostInQueue, 6u);
  EXPECT_EQ(link().counters().maxQueueBytes, 3000u);
}

TEST_F(LinkTest, RateChangeTakesEffectForWaitingPackets) {
  build({.queue = {.rate = DataRate::kbps(1000)}});
  for (int i = 0; i < 3; ++i) a->send(b->address(), payloadForWire(1250));
  world.at(Timestamp::millis(5), [&] {
    LinkConfig faster = link().config();
    faster.queue.rate = DataRate::kbps(10'000);
    link().setConfig(faster);
  });
  world.run(Duration::seconds(1));
  ASSERT_EQ(b->arrived.size(), 3u);
  EXPECT_EQ(b->arrived[0].time, Timestamp::millis(10));
  EXPECT_EQ(b->arrived[1].time, Timestamp::millis(11));
  EXPECT_EQ(b->arrived[2].time, Timestamp::millis(12));
}

TEST_F(LinkTest, RateZeroHoldsUntilChanged) {
  build({.queue = {.rate = DataRate::zero()}});
  a->send(b->address(), "x");
  world.run(Duration::seconds(5));
  EXPECT_TRUE(b->arrived.empty());
  link().setConfig({});
  world.run(Duration::millis(1));
  EXPECT_EQ(b->arrived.size(), 1u);
}

TEST_F(LinkTest, LosesAtRandomWithItsProbability) {
  build({.loss = LossModel::bernoulli(0.2)});
  sendMany(5000, Duration::millis(1), "x");
  EXPECT_NEAR(static_cast<double>(b->arrived.size()), 4000, 120);
  EXPECT_EQ(link().counters().lostRandomly, 5000 - b->arrived.size());
}

TEST_F(LinkTest, GilbertElliottLosesInBursts) {
  build({.loss = LossModel::bursts(0.1, 8)});
  int bursts = 0;
  size_t before = 0;
  bool inLoss = false;
  constexpr int kPackets = 20'000;
  for (int i = 0; i < kPackets; ++i) {
    a->send(b->address(), "x");
    world.run(Duration::micros(10));
    const bool lost = b->arrived.size() == before;
    before = b->arrived.size();
    if (lost && !inLoss) ++bursts;
    inLoss = lost;
  }
  const double lost = static_cast<double>(link().counters().lostRandomly);
  EXPECT_NEAR(lost / kPackets, 0.1, 0.025);
  EXPECT_NEAR(lost / bursts, 8.0, 1.5);
}

TEST_F(LinkTest, ScriptDropsTheNthMatch) {
  build({});
  link().dropNth(2, ofClass(PacketClass::Dtls));
  for (const char* text : {"\x16one", "\x01stun", "\x16two", "\x16three"}) {
    a->send(b->address(), text);
  }
  world.run(Duration::millis(1));
  ASSERT_EQ(b->arrived.size(), 3u);
  EXPECT_EQ(b->arrived[0].text, "\x16one");
  EXPECT_EQ(b->arrived[2].text, "\x16three");
  EXPECT_EQ(link().counters().lostByScript, 1u);
}

TEST_F(LinkTest, ScriptsDropRunsAndClear) {
  build({});
  link().dropNext(2, [](const Packet&) { return true; });
  sendMany(3, Duration::millis(1), "x");
  EXPECT_EQ(b->arrived.size(), 1u);
  link().dropAll([](const Packet&) { return true; });
  sendMany(3, Duration::millis(1), "x");
  EXPECT_EQ(b->arrived.size(), 1u);
  link().clearScript();
  sendMany(3, Duration::millis(1), "x");
  EXPECT_EQ(b->arrived.size(), 4u);
}

TEST_F(LinkTest, ScriptVerdictsDuplicateAndCorrupt) {
  build({});
  link().script([](const Packet& packet) {
    const char first = static_cast<char>(packet.data.data()[0]);
    return first == 'd' ? Verdict::Duplicate : first == 'c' ? Verdict::Corrupt : Verdict::Pass;
  });
  a->send(b->address(), "duplicated");
  a->send(b->address(), "corrupted");
  world.run(Duration::millis(1));
  ASSERT_EQ(b->arrived.size(), 3u);
  EXPECT_EQ(b->arrived[0].text, "duplicated");
  EXPECT_EQ(b->arrived[1].text, "duplicated");
  EXPECT_NE(b->arrived[2].text, "corrupted");
  EXPECT_EQ(b->arrived[2].text.size(), 9u);
}

TEST_F(LinkTest, DuplicatesCorruptsAndReordersAtRandom) {
  build({.keepOrder = false, .duplicate = 0.1, .reorder = 0.1, .corrupt = 0.1});
  sendMany(2000, Duration::millis(1), std::string("steady"));
  world.run(Duration::seconds(1));
  const LinkCounters counters = link().counters();
  EXPECT_NEAR(static_cast<double>(counters.duplicated), 200, 50);
  EXPECT_NEAR(static_cast<double>(counters.corrupted), 200, 50);
  EXPECT_NEAR(static_cast<double>(counters.reordered), 220, 55);
  EXPECT_EQ(b->arrived.size(), 2000 + counters.duplicated);
}

TEST_F(LinkTest, JitterKeepsOrderUnlessToldOtherwise) {
  build({.delay = Duration::millis(5), .jitter = Duration::millis(20)});
  const auto overtakes = [&] {
    int count = 0;
    for (size_t i = 1; i < b->arrived.size(); ++i) {
      if (b->arrived[i].text < b->arrived[i - 1].text) ++count;
    }
    return count;
  };
  for (char c = 'a'; c <= 'z'; ++c) {
    a->send(b->address(), std::string(1, c));
    world.run(Duration::millis(1));
  }
  world.run(Duration::seconds(1));
  EXPECT_EQ(b->arrived.size(), 26u);
  EXPECT_EQ(overtakes(), 0);
  b->arrived.clear();
  LinkConfig config = link().config();
  config.keepOrder = false;
  link().setConfig(config);
  for (char c = 'a'; c <= 'z'; ++c) {
    a->send(b->address(), std::string(1, c));
    world.run(Duration::millis(1));
  }
  world.run(Duration::seconds(1));
  EXPECT_EQ(b->arrived.size(), 26u);
  EXPECT_GT(overtakes(), 3);
}

TEST_F(LinkTest, SwallowsWhatExceedsItsMtu) {
  build({.mtu = 1280});
  a->send(b->address(), payloadForWire(1280));
  a->send(b->address(), payloadForWire(1281));
  world.run(Duration::millis(1));
  EXPECT_EQ(b->arrived.size(), 1u);
  EXPECT_EQ(link().counters().lostTooBig, 1u);
}

TEST_F(LinkTest, DownLosesEverythingInFlight) {
  build({.delay = Duration::millis(50), .queue = {.rate = DataRate::kbps(100)}});
  for (int i = 0; i < 5; ++i) a->send(b->address(), payloadForWire(1000));
  world.run(Duration::millis(100));
  link().setUp(false);
  a->send(b->address(), "x");
  world.run(Duration::seconds(10));
  EXPECT_TRUE(b->arrived.empty());
  EXPECT_EQ(link().counters().lostDown, 6u);
  link().setUp(true);
  a->send(b->address(), "y");
  world.run(Duration::seconds(1));
  EXPECT_EQ(b->arrived.size(), 1u);
}

class CodelTest : public LinkTest {
 protected:
  /// 2 Mbit/s offered to a 1 Mbit/s link for ten seconds; the longest wait of the second half.
  Duration offerTwice(Ecn ecn) {
    Timestamp sent[2000];
    for (int i = 0; i < 2000; ++i) {
      world.at(Timestamp::millis(5 * i), [this, i, ecn, &sent] {
        sent[i] = world.now();
        a->send(b->address(), std::to_string(10'000 + i) + std::string(1217, '.'), ecn);
      });
    }
    world.run(Duration::seconds(20));
    Duration longest;
    for (const auto& arrived : b->arrived) {
      const int i = std::stoi(arrived.text.substr(0, 5)) - 10'000;
      if (i >= 1000) longest = std::max(longest, arrived.time - sent[i]);
    }
    return longest;
  }
};

TEST_F(CodelTest, DropTailLetsTheQueueStand) {
  build({.queue = {.rate = DataRate::kbps(1000), .limitBytes = 125'000}});
  EXPECT_GT(offerTwice(Ecn::NotEct), Duration::millis(900));
}

TEST_F(CodelTest, CoDelDropsToKeepTheQueueShort) {
  build({.queue = {.rate = DataRate::kbps(1000),
                   .limitBytes = 1'000'000,
                   .discipline = QueueDiscipline::CoDel}});
  // Twice the rate without any reaction of the sender is harsh: the drop rate needs seconds to
  // rise.
  const Duration longest = offerTwice(Ecn::NotEct);
  EXPECT_LT(longest, Duration::millis(4000));
  EXPECT_GT(link().counters().lostInQueue, 300u);
}

TEST_F(CodelTest, CoDelMarksInsteadIfPacketsAreEcnCapable) {
  build({.queue = {.rate = DataRate::kbps(1000),
                   .limitBytes = 10'000'000,
                   .discipline = QueueDiscipline::CoDel,
                   .ecn = true}});
  offerTwice(Ecn::Ect0);
  EXPECT_EQ(link().counters().lostInQueue, 0u);
  const auto marked = std::count_if(b->arrived.begin(), b->arrived.end(),
                                    [](const auto& arrived) { return arrived.ecn == Ecn::Ce; });
  EXPECT_GT(marked, 100);
  EXPECT_EQ(static_cast<uint64_t>(marked), link().counters().ecnMarked);
}

TEST_F(CodelTest, ABleachingLinkTakesMarksOff) {
  build({.queue = {.rate = DataRate::kbps(1000),
                   .limitBytes = 10'000'000,
                   .markAbove = Duration::millis(1)},
         .bleachEcn = true});
  for (int i = 0; i < 3; ++i) a->send(b->address(), payloadForWire(1250), Ecn::Ect1);
  world.run(Duration::seconds(1));
  ASSERT_EQ(b->arrived.size(), 3u);
  for (const auto& arrived : b->arrived) EXPECT_EQ(arrived.ecn, Ecn::NotEct);
}

TEST_F(CodelTest, StepMarkingMarksAllThatWaitedTooLong) {
  build({.queue = {.rate = DataRate::kbps(1000),
                   .limitBytes = 10'000'000,
                   .markAbove = Duration::millis(1)}});
  for (int i = 0; i < 3; ++i) a->send(b->address(), payloadForWire(1250), Ecn::Ect1);
  world.run(Duration::seconds(1));
  ASSERT_EQ(b->arrived.size(), 3u);
  EXPECT_EQ(b->arrived[0].ecn, Ecn::Ect1);
  EXPECT_EQ(b->arrived[1].ecn, Ecn::Ce);
  EXPECT_EQ(b->arrived[2].ecn, Ecn::Ce);
}

}  // namespace
}  // namespace parley::sim
