// Lost packets and what two sessions do about them together: NACK with RTX, FEC, RED.

#include <tuple>

#include <gtest/gtest.h>

#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

using Scheme = rtp::FecScheme;

/// Runs of packets are lost, together this share of them.
std::function<bool(bool, const OutgoingPacket&)> bursts(int length, double share,
                                                        uint64_t seed = 5) {
  return [random = SeededRandom(seed), left = 0, length, share](bool fromA,
                                                                const OutgoingPacket&) mutable {
    if (!fromA) return true;
    if (left == 0 && random.unit() < share / length) left = length;
    return left == 0 || left-- == 0;
  };
}

/// A minute of video, and what became of it.
struct Minute {
  double undecodable = 0;  ///< share of the frames
  Duration delay;          ///< mean of the jitter buffer's
  InboundStats received;
  SendStreamStats sent;
};

Minute videoOver(SessionPair& pair, Duration roundTrip) {
  pair.link.delay = pair.backLink.delay = roundTrip / 2;
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(5));
  const int sent = pair.framesOfVideo;
  const int decoded = pair.decoded;
  pair.run(Duration::seconds(60));
  Minute out;
  out.undecodable = 1 - static_cast<double>(pair.decoded - decoded) / (pair.framesOfVideo - sent);
  out.received = pair.received();
  out.sent = pair.sent();
  out.delay = Duration::seconds(1) * (out.received.jitterBufferDelay /
                                      static_cast<double>(out.received.jitterBufferEmittedCount));
  return out;
}

/// Of the packets that were lost. With ULPFEC the lost FEC packets count among them.
double restoredShare(const Minute& minute) {
  return static_cast<double>(minute.received.restoredPackets) /
         static_cast<double>(minute.received.packetsLost);
}

SessionPair::Options with(std::optional<Scheme> fec, uint64_t seed = 1) {
  SessionPair::Options options;
  options.fec = fec;
  options.seed = seed;
  return options;
}

/// A seed, and whether what the receiver says is lost as well.
class RepairSeeds : public testing::TestWithParam<std::tuple<uint64_t, bool>> {
 protected:
  /// Less than one frame in a hundred is lost for good of 5 %, single packets or three at a time.
  void expectRepaired(std::optional<Scheme> fec, Duration roundTrip) {
    const auto [seed, both] = GetParam();
    for (const bool runs : {false, true}) {
      SessionPair pair(with(fec, seed));
      if (runs) {
        pair.filter = bursts(3, kLoss, seed);
      } else {
        pair.link.loss = kLoss;
      }
      if (both) pair.backLink.loss = kLoss;
      const Minute minute = videoOver(pair, roundTrip);
      EXPECT_LT(minute.undecodable, 0.01) << (runs ? "runs" : "single packets");
      // What repairs is sent as well, and mostly lost under other sources.
      EXPECT_GT(static_cast<double>(minute.received.packetsLost),
                0.4 * kLoss * static_cast<double>(minute.sent.packetsSent));
    }
  }

 private:
  static constexpr double kLoss = 0.05;
};
INSTANTIATE_TEST_SUITE_P(Ways, RepairSeeds,
                         testing::Combine(testing::Range(uint64_t{1}, uint64_t{6}),
                                          testing::Bool()));

TEST_P(RepairSeeds, RepetitionsAreEnoughAt100Ms) {
  expectRepaired(std::nullopt, Duration::millis(100));
}

TEST_P(RepairSeeds, FlexfecIsEnoughAt300Ms) {
  for (const Scheme scheme : {Scheme::Flexfec03, Scheme::Flexfec})
    expectRepaired(scheme, Duration::millis(300));
}

TEST(Repair, FecBringsBackMostOf5PercentAt300Ms) {
  SessionPair plain({});
  plain.link.loss = 0.05;
  const Minute without = videoOver(plain, Duration::millis(300));
  for (const Scheme scheme : {Scheme::Ulpfec, Scheme::Flexfec03, Scheme::Flexfec}) {
    SessionPair pair(with(scheme));
    pair.link.loss = 0.05;
    const Minute minute = videoOver(pair, Duration::millis(300));
    EXPECT_LT(minute.undecodable, 0.01);
    EXPECT_GT(restoredShare(minute), 0.6);
    EXPECT_LT(minute.delay, without.delay / 2) << "pictures do not wait for repetitions";
    EXPECT_EQ(minute.received.malformedPackets, 0u);
    EXPECT_EQ(minute.received.fecSsrc.has_value(), scheme != Scheme::Ulpfec);
  }
}

TEST(Repair, FecBringsBackRunsOf3At300Ms) {
  for (const Scheme scheme : {Scheme::Ulpfec, Scheme::Flexfec03, Scheme::Flexfec}) {
    SessionPair pair(with(scheme));
    pair.filter = bursts(3, 0.05);
    const Minute minute = videoOver(pair, Duration::millis(300));
    EXPECT_LT(minute.undecodable, 0.01);
    EXPECT_GT(restoredShare(minute), 0.6);
  }
}

TEST(Repair, NoFecWithoutLossOrOnAShortPath) {
  SessionPair quiet(with(Scheme::Flexfec03));
  EXPECT_EQ(videoOver(quiet, Duration::millis(300)).sent.fecPacketsSent, 0u);
  SessionPair near(with(Scheme::Flexfec03));
  near.link.loss = 0.05;
  EXPECT_EQ(videoOver(near, Duration::millis(20)).sent.fecPacketsSent, 0u);
}

TEST(Repair, FecEndsWhenLossEnds) {
  SessionPair pair(with(Scheme::Flexfec03));
  pair.link.loss = 0.05;
  videoOver(pair, Duration::millis(200));
  pair.link.loss = 0;
  pair.run(Duration::seconds(25));
  const auto before = pair.sent();
  EXPECT_GT(before.fecPacketsSent, 500u);
  pair.run(Duration::seconds(5));
  EXPECT_EQ(pair.sent().fecPacketsSent, before.fecPacketsSent);
  EXPECT_EQ(pair.received().fecPacketsReceived,
            pair.received().fecPacketsDiscarded + pair.received().restoredPackets);
}

TEST(Repair, FecCountsAgainstTheEstimate) {
  SessionPair pair(with(Scheme::Flexfec03));
  pair.link.loss = 0.1;
  pair.link.rate = DataRate::kbps(1000);
  const Minute minute = videoOver(pair, Duration::millis(200));
  const double share =
      static_cast<double>(minute.sent.fecBytesSent) / static_cast<double>(minute.sent.bytesSent);
  EXPECT_GT(share, 0.1);
  EXPECT_LT(minute.sent.targetBitrate, pair.a->bandwidth().estimate * 0.95);
}

TEST(Repair, AnUnprotectedPeerGetsPlainPackets) {
  SessionPair pair(with(Scheme::Ulpfec));
  int red = 0;
  pair.filter = [&red](bool fromA, const OutgoingPacket& packet) {
    red += fromA && !packet.isRtcp && (packet.data.span()[1] & 0x7f) == 118;
    return true;
  };
  videoOver(pair, Duration::millis(300));
  EXPECT_EQ(red, 0) << "RED costs nothing while nothing is lost";
}

/// The share of sound that had to be invented.
double missingSound(SessionPair& pair) {
  pair.addAudio();
  pair.connect();
  pair.run(Duration::seconds(5));
  const InboundStats before = pair.received();
  pair.run(Duration::seconds(60));
  const InboundStats after = pair.received();
  return static_cast<double>(after.concealedSamples - before.concealedSamples) /
         static_cast<double>(after.totalSamplesReceived - before.totalSamplesReceived);
}

TEST(Repair, RedundantSoundSurvives20Percent) {
  SessionPair::Options options;
  options.redundantSound = true;
  for (const uint64_t seed : {1u, 2u, 3u, 4u, 5u}) {
    options.seed = seed;
    SessionPair pair(options);
    pair.link.loss = 0.2;
    EXPECT_LT(missingSound(pair), 0.01);
    EXPECT_GT(pair.sent().fecPacketsSent, 2000u);
  }
}

TEST(Repair, SoundIsSentOnceWhileNothingIsLost) {
  SessionPair::Options options;
  options.redundantSound = true;
  SessionPair pair(options);
  EXPECT_EQ(missingSound(pair), 0);
  EXPECT_EQ(pair.sent().fecPacketsSent, 0u);
  const double delay = pair.received().jitterBufferDelay;
  EXPECT_LT(delay / static_cast<double>(pair.received().jitterBufferEmittedCount), 0.05);
}

}  // namespace
}  // namespace parley::media
