// Hostile datagrams thrown at running calls: nothing that is not authentic may end one.

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

// A peer that opens and closes channels without end, while the application is busy elsewhere.
TEST(HostileSim, FloodOfChannelsWaitsAtThePeerWhileTheApplicationIsSlow) {
  std::deque<std::function<void()>> waiting;
  bool busy = false;
  PairOptions options;
  options.executorB = [&](std::function<void()> task) {
    if (busy) {
      waiting.push_back(std::move(task));
    } else {
      task();
    }
  };
  Pair pair(options);
  int opened = 0, seen = 0, ended = 0;
  pair.b().onDataChannel([&](DataChannel channel) {
    ++seen;
    channel.onClose([&] { ++ended; });
  });
  const auto open = [&] {
    auto channel = pair.a().createDataChannel("c");
    if (!channel) return;
    ++opened;
    channel->onOpen([c = *channel]() mutable { c.close(); });
  };
  open();
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  ASSERT_EQ(ended, 1);
  busy = true;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 20; ++i) open();
    pair.run(Duration::millis(50));
  }
  EXPECT_GT(opened, 500);
  EXPECT_LT(waiting.size(), 600u);
  busy = false;
  while (!waiting.empty()) {
    std::exchange(waiting.front(), {})();
    waiting.pop_front();
  }
  pair.runUntil([&] { return ended == opened; }, Duration::seconds(60));
  EXPECT_EQ(seen, opened);
  EXPECT_EQ(ended, opened);
}

// A peer whose application takes nothing: what is sent to it waits, up to the bound, and what it
// sends itself arrives.
TEST(HostileSim, APeerThatNeverReadsHoldsBackOnlyWhatIsSentToIt) {
  std::deque<std::function<void()>> waiting;
  bool reads = true;
  PairOptions options;
  options.limits.maxBufferedAmount = 2u << 20;
  options.limits.maxTransferWindow = 2u << 20;
  options.aToB.delay = Duration::millis(10);
  options.executorB = [&](std::function<void()> task) {
    if (reads) {
      task();
    } else {
      waiting.push_back(std::move(task));
    }
  };
  Pair pair(options);
  DataChannel near = pair.a().createDataChannel("c").value();
  DataChannel far;
  size_t atA = 0;
  size_t atB = 0;
  near.onMessage([&](const DataMessage& m) { atA += m.data.size(); });
  pair.b().onDataChannel([&](DataChannel incoming) {
    far = incoming;
    far.onMessage([&](const DataMessage& m) { atB += m.data.size(); });
  });
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return static_cast<bool>(far); }, Duration::seconds(5)));
  reads = false;
  size_t sent = 0;
  for (int round = 0; round < 300; ++round) {
    while (near.send(ByteSpan(Bytes(10'000)))) sent += 10'000;
    EXPECT_LE(near.bufferedAmount(), 2u << 20);
    if (round % 3 == 0) EXPECT_TRUE(far.send("ping"));
    pair.run(Duration::millis(100));
  }
  // Our buffer, its window, and the messages that its loop holds for the application.
  EXPECT_LT(sent, 10u << 20);
  EXPECT_LT(waiting.size(), 600u);
  EXPECT_EQ(atB, 0u);
  EXPECT_EQ(atA, 400u) << "the other direction goes on";
  EXPECT_EQ(near.readyState(), DataChannelState::Open);
  reads = true;
  while (!waiting.empty()) {
    std::exchange(waiting.front(), {})();
    waiting.pop_front();
  }
  EXPECT_TRUE(pair.runUntil([&] { return atB == sent; }, Duration::seconds(60)));
}

// A peer that opens channels of which the application takes no notice, and fills them.
TEST(HostileSim, ChannelsWithoutCallbackKeepABoundedAmountTogether) {
  PairOptions options;
  options.aToB.delay = Duration::millis(1);
  options.limits.maxKeptDataBytes = 1u << 20;
  Pair pair(options);
  std::vector<DataChannel> ours;
  std::vector<DataChannel> ignored;
  pair.b().onDataChannel([&](DataChannel incoming) { ignored.push_back(incoming); });
  for (int i = 0; i < 20; ++i) ours.push_back(pair.a().createDataChannel("c").value());
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return ignored.size() == 20; }, Duration::seconds(5)));
  for (DataChannel& channel : ours) {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(channel.send(ByteSpan(Bytes(20'000))));
  }
  pair.run(Duration::seconds(5));
  size_t kept = 0;
  for (DataChannel& channel : ignored)
    channel.onMessage([&](const DataMessage& m) { kept += m.data.size(); });
  pair.run(Duration::millis(10));
  EXPECT_GE(kept, 900'000u);
  EXPECT_LE(kept, 1u << 20);
  // What was not kept is gone, what comes now arrives; a channel that closes frees what it kept.
  ASSERT_TRUE(ours[0].send("now"));
  const size_t before = kept;
  pair.run(Duration::millis(100));
  EXPECT_EQ(kept, before + 3);
}

/// Copies what passes, breaks most copies and sends them on: with the same addresses, so that they
/// come from tuples that ICE has authenticated, or as a stranger.
class Mutator {
 public:
  /// `pool` outlives the world, where the last packets may still be under way.
  Mutator(Pair& pair, PacketPool& pool, int copiesPerPacket,
          std::optional<SocketAddress> stranger = {})
      : random_(pair.world().randomFor("mutator")), pool_(pool), stranger_(stranger) {
    for (sim::Host* host : {&pair.hostA(), &pair.hostB()}) {
      sim::Link& link = host->port(0).up;
      link.script([this, host, copiesPerPacket](const sim::Packet& packet) {
        if (injecting_) return sim::Verdict::Pass;
        injecting_ = true;
        for (int i = 0; i < copiesPerPacket; ++i) inject(*host, packet);
        injecting_ = false;
        return sim::Verdict::Pass;
      });
    }
  }
  uint64_t injected() const { return injected_; }

 private:
  void inject(sim::Host& host, const sim::Packet& original) {
    Bytes bytes = toBytes(original.data.span());
    mutate(bytes);
    if (bytes.empty()) return;
    PacketBuf data = pool_.copyOf(bytes);
    if (!data) return;
    sim::Packet packet;
    packet.from = stranger_.value_or(original.from);
    packet.to = original.to;
    packet.packetClass = original.packetClass;
    packet.data = std::move(data);
    ++injected_;
    host.port(0).up.send(std::move(packet));
  }

  void mutate(Bytes& bytes) {
    // A stranger has no intact copies: whoever can replay a check of the peer stands on the path.
    switch (random_.below(stranger_ ? 5 : 6)) {
      case 0:  // a few bits anywhere
        for (int i = 0; i < 3; ++i)
          bytes[random_.below(bytes.size())] ^= static_cast<uint8_t>(1u << random_.below(8));
        break;
      case 1:  // cut short
        bytes.resize(random_.below(bytes.size()) + 1);
        break;
      case 2:  // longer than it says
        for (int i = 0; i < 40; ++i) bytes.push_back(static_cast<uint8_t>(random_.u32()));
        break;
      case 3:  // noise behind a plausible first byte
        random_.fill(MutableByteSpan(bytes).subspan(1));
        break;
      case 4:  // another kind of packet altogether
        bytes[0] = static_cast<uint8_t>(random_.u32());
        break;
      default:  // as it was: a replay
        break;
    }
  }

  SeededRandom random_;
  PacketPool& pool_;
  const std::optional<SocketAddress> stranger_;
  bool injecting_ = false;
  uint64_t injected_ = 0;
};

TEST(HostileSim, AHundredThousandMutatedDatagramsLeaveACallRunning) {
  PacketPool pool(1u << 16);
  PairOptions options;
  options.aToB.delay = Duration::millis(10);
  Pair pair(options);
  uint64_t sound = 0, frames = 0;
  int messages = 0;
  pair.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    if (track.kind() == MediaKind::Audio) {
      track.setAudioSink([&](const codec::AudioFrame&) { ++sound; });
    } else {
      track.setVideoSink([&](const codec::VideoFrame&) { ++frames; });
    }
  });
  pair.b().onDataChannel(
      [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++messages; }); });
  DataChannel channel = pair.a().createDataChannel("c").value();
  ASSERT_TRUE(
      pair.a().addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"}));
  ASSERT_TRUE(pair.a().addTrack(
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 30)), {"s"}));
  ASSERT_TRUE(pair.connect());
  ASSERT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                            Duration::seconds(5)));

  Mutator mutator(pair, pool, 50);
  int sent = 0;
  while (mutator.injected() < 100'000) {
    ASSERT_TRUE(channel.send("tick"));
    ++sent;
    pair.run(Duration::millis(100));
  }
  sound = frames = 0;
  pair.run(Duration::seconds(2));
  EXPECT_GT(sound, 180u);
  EXPECT_GT(frames, 45u);
  EXPECT_EQ(messages, sent);
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);
  EXPECT_EQ(pair.b().connectionState(), PeerConnectionState::Connected);

  // And the counters say what was dropped.
  std::optional<StatsReport> report;
  pair.b().getStats([&](Result<StatsReport> r) { report = *std::move(r); });
  pair.run(Duration::millis(1));
  ASSERT_TRUE(report);
  const Stats* transport = report->find("T0");
  ASSERT_TRUE(transport);
  EXPECT_GT(transport->number("parleyDroppedUnauthentic"), 1000);
  EXPECT_GT(transport->number("parleyDroppedUnknownClass"), 100);
}

TEST(HostileSim, AStrangerCannotDisturbTheSetUp) {
  // The ClientHello race: handshake packets from an address that ICE has not
  // authenticated must not reach DTLS (bad-input rule: nothing but STUN before a consenting
  // answer).
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    PacketPool pool(1u << 16);
    PairOptions options;
    options.seed = seed;
    options.aToB.delay = Duration::millis(20);
    Pair pair(options);
    (void)pair.a().createDataChannel("c");
    Mutator mutator(pair, pool, 10, SocketAddress{IpAddress::v4(10, 66, 6, 6), 6666});
    EXPECT_TRUE(pair.connect(Duration::seconds(10))) << "seed " << seed;
    EXPECT_GT(mutator.injected(), 100u);
  }
}

}  // namespace
}  // namespace parley
