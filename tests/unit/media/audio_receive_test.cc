#include <algorithm>

#include "support/alloc_guard.h"
#include "unit/media/media_fixture.h"

namespace parley::media {
namespace {

using namespace test;
using UnitKind = AudioPlayoutUnit::Kind;

class AudioReceiveTest : public HubTest {
 protected:
  AudioReceiveTest() { hub_->setReceiver(audioConfig(1, "a")); }

  void play(int packets) {
    for (int i = 0; i < packets; ++i) {
      deliver(sender_.opus());
      run(Duration::millis(20));
    }
  }
  size_t units(UnitKind kind) const {
    size_t n = 0;
    for (const auto& u : units_) n += u.kind == kind;
    return n;
  }
  /// Playout must be gapless: each unit starts where the one before it ended.
  void expectGapless() const {
    for (size_t i = 1; i < units_.size(); ++i) {
      const auto& before = units_[i - 1];
      EXPECT_EQ(units_[i].playoutTime,
                before.playoutTime +
                    Duration::nanos(int64_t{before.playSamples} * 1'000'000'000 / before.clockRate))
          << i;
    }
  }
  Sender sender_;
};

TEST_F(AudioReceiveTest, PlaysPacketsInOrderEveryTwentyMilliseconds) {
  play(100);
  run(Duration::millis(100));
  EXPECT_EQ(units(UnitKind::Packet), 100u);
  expectGapless();
  ASSERT_GT(units_.size(), 10u);
  EXPECT_EQ(units_[0].receiver, ReceiverId(1));
  EXPECT_EQ(units_[0].codecName, "opus");
  EXPECT_EQ(units_[0].clockRate, 48'000u);
  EXPECT_EQ(units_[0].channels, 2);
  EXPECT_EQ(units_[0].samples, 960u);
  EXPECT_EQ(units_[0].payload.size(), 4u);
  EXPECT_LE((units_[0].playoutTime - Timestamp::seconds(1)).millis(), 40);
}

TEST_F(AudioReceiveTest, ALossIsConcealed) {
  play(10);
  sender_.opus();
  play(10);
  EXPECT_EQ(units(UnitKind::Packet) + units(UnitKind::Conceal), units_.size());
  EXPECT_EQ(units(UnitKind::Conceal), 1u);
  expectGapless();
  const InboundStats s = statsOf(0x1111);
  EXPECT_EQ(s.concealedSamples, 960u);
  EXPECT_EQ(s.concealmentEvents, 1u);
  EXPECT_EQ(s.packetsLost, 1);
}

TEST_F(AudioReceiveTest, ALossIsReplacedByTheCopyInTheNextPacket) {
  play(10);
  sender_.opus();
  // The sender goes on at its pace, so the slot of the lost packet passes.
  run(Duration::millis(20));
  deliver(sender_.opus(true));
  run(Duration::millis(20));
  play(5);
  ASSERT_EQ(units(UnitKind::Fec), 1u);
  EXPECT_EQ(units(UnitKind::Conceal), 0u);
  const auto fec = std::find_if(units_.begin(), units_.end(),
                                [](const auto& u) { return u.kind == UnitKind::Fec; });
  EXPECT_EQ(fec->samples, 960u);
  EXPECT_EQ(fec->payload, (fec + 1)->payload) << "the packet that holds it, played next";
  expectGapless();
  const InboundStats s = statsOf(0x1111);
  EXPECT_EQ(s.packetsLost, 1);
  EXPECT_EQ(s.concealedSamples, 0u) << "recovered is not synthesized";
  EXPECT_EQ(s.concealmentEvents, 0u);
}

TEST_F(AudioReceiveTest, ConcealmentDoesNotTickAtTheSamplingRate) {
  const uint8_t sample[] = {0x55};
  deliver(sender_.packet(kPcmu, true, sample));
  run(Duration::millis(60));
  // A gap of 100 ms, and nothing behind its end.
  sender_.timestamp += 800;
  deliver(sender_.packet(kPcmu, false, sample));
  run(Duration::millis(500));
  EXPECT_GT(units(UnitKind::Conceal), 10u);
  EXPECT_LT(units(UnitKind::Conceal), 110u) << "5 ms each";
  expectGapless();
}

TEST_F(AudioReceiveTest, ReorderingAndDuplicatesAreUndone) {
  play(30);
  for (int i = 0; i < 20; ++i) {
    const Bytes first = sender_.opus();
    const Bytes second = sender_.opus();
    run(Duration::millis(20));
    deliver(second);
    run(Duration::millis(5));
    deliver(first);
    deliver(second);
    run(Duration::millis(15));
  }
  run(Duration::millis(100));
  EXPECT_EQ(units(UnitKind::Packet), 70u);
  for (size_t i = 1, last = 0; i < units_.size(); ++i) {
    if (units_[i].kind != UnitKind::Packet) continue;
    if (last) {
      EXPECT_GT(static_cast<int32_t>(units_[i].rtpTimestamp - units_[last].rtpTimestamp), 0);
    }
    last = i;
  }
  EXPECT_GE(statsOf(0x1111).packetsDiscarded, 20u);
}

TEST_F(AudioReceiveTest, TimestampsAndSequenceNumbersWrap) {
  sender_.sequence = 65'530;
  sender_.timestamp = 0xffffffff - 5 * 960;
  play(40);
  run(Duration::millis(100));
  EXPECT_EQ(units(UnitKind::Packet), 40u);
}

TEST_F(AudioReceiveTest, DelayGrowsWithJitterAndComesDownAgain) {
  play(60);
  const auto delayOfLast = [this] {
    // Every unit carries its number in the payload; packet n was sent at 1 s + 20 ms * n.
    for (size_t i = units_.size(); i-- > 0;) {
      if (units_[i].kind != UnitKind::Packet) continue;
      const int64_t n = loadU16(&units_[i].payload[2]) - 100;
      return units_[i].playoutTime - (Timestamp::seconds(1) + Duration::millis(20) * n);
    }
    return Duration::zero();
  };
  const Duration calm = delayOfLast();
  EXPECT_LE(calm.millis(), 45);
  // Every fourth packet is 80 ms late.
  std::vector<std::pair<Timestamp, Bytes>> queue;
  for (int i = 0; i < 300; ++i) {
    queue.push_back({now_ + Duration::millis(20 * i + (i % 4 == 0 ? 80 : 0)), sender_.opus()});
  }
  std::stable_sort(queue.begin(), queue.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  size_t concealedBefore = 0;
  for (size_t i = 0; i < queue.size(); ++i) {
    runTo(queue[i].first);
    deliver(queue[i].second);
    if (i == 150) concealedBefore = statsOf(0x1111).concealedSamples;
  }
  EXPECT_GE(delayOfLast().millis(), 75);
  EXPECT_LE(delayOfLast().millis(), 160);
  EXPECT_EQ(statsOf(0x1111).concealedSamples, concealedBefore) << "no gaps once it has learnt";
  expectGapless();
  runTo(queue.back().first + Duration::millis(1));
  play(400);
  EXPECT_LE(delayOfLast().millis(), 60);
  EXPECT_GT(statsOf(0x1111).removedSamplesForAcceleration, 960u);
}

TEST_F(AudioReceiveTest, ClockDriftIsFollowed) {
  // The sender's clock runs 1 % slow: 1000 packets take 200 ms longer than their timestamps say.
  for (int i = 0; i < 1000; ++i) {
    deliver(sender_.opus());
    run(Duration::micros(20'200));
  }
  const InboundStats s = statsOf(0x1111);
  EXPECT_LT(s.concealedSamples, 960u * 3);
  EXPECT_GT(s.insertedSamplesForDeceleration, 960u * 5);
  expectGapless();
}

TEST_F(AudioReceiveTest, DiscontinuousTransmissionIsSilenceNotLoss) {
  play(30);
  const uint8_t dtx[] = {0x08};
  for (int round = 0; round < 3; ++round) {
    deliver(sender_.opusPayload(dtx));
    sender_.timestamp += 19 * 960;
    run(Duration::millis(400));
  }
  play(20);
  const InboundStats s = statsOf(0x1111);
  EXPECT_EQ(s.concealmentEvents, 0u);
  EXPECT_EQ(s.concealedSamples, s.silentConcealedSamples);
  EXPECT_GE(s.silentConcealedSamples, 3u * 18 * 960);
  EXPECT_EQ(s.packetsLost, 0);
  expectGapless();
}

TEST_F(AudioReceiveTest, PlayoutStopsWithoutPacketsAndStartsAnew) {
  play(20);
  run(Duration::seconds(5));
  const size_t before = units_.size();
  EXPECT_LE(units(UnitKind::Conceal), 12u) << "a fifth of a second";
  EXPECT_EQ(hub_->nextDeadline(), Timestamp::never()) << "an idle source costs nothing";
  // The sender's clock went on while it was muted.
  sender_.timestamp += 5 * 48'000;
  play(20);
  EXPECT_GE(units_.size(), before + 18);
  // And a sender whose clock stood still.
  run(Duration::seconds(5));
  units_.clear();
  play(30);
  EXPECT_GE(units(UnitKind::Packet), 25u);
}

TEST_F(AudioReceiveTest, ABurstAfterAnOutageIsCaughtUp) {
  play(50);
  std::vector<Bytes> held;
  for (int i = 0; i < 50; ++i) held.push_back(sender_.opus());
  run(Duration::seconds(1));
  for (const Bytes& p : held) deliver(p);
  play(300);
  const AudioPlayoutUnit& last = units_.back();
  ASSERT_EQ(last.kind, UnitKind::Packet);
  EXPECT_LT(sender_.timestamp - last.rtpTimestamp, 48'000u / 4) << "not a second behind for ever";
}

TEST_F(AudioReceiveTest, RedundantBlocksFillTheGaps) {
  const auto red = [this](bool withCopy) {
    Bytes payload;
    if (withCopy) payload = parley::test::fromHex("ef0f0004");
    payload.push_back(kOpus);
    if (withCopy) {
      const Bytes copy = parley::test::fromHex("0800aaaa");
      payload.insert(payload.end(), copy.begin(), copy.end());
    }
    const Bytes primary = parley::test::fromHex("0800bbbb");
    payload.insert(payload.end(), primary.begin(), primary.end());
    const Bytes out = sender_.packet(kRed, false, payload);
    sender_.timestamp += 960;
    return out;
  };
  for (int i = 0; i < 20; ++i) {
    const Bytes packet = red(i > 0);
    if (i != 10) deliver(packet);
    run(Duration::millis(20));
  }
  run(Duration::millis(100));
  EXPECT_EQ(units(UnitKind::Packet), 20u);
  EXPECT_EQ(statsOf(0x1111).fecPacketsReceived, 18u);
  EXPECT_EQ(statsOf(0x1111).fecBytesReceived, 18u * 4);
  EXPECT_EQ(statsOf(0x1111).fecPacketsDiscarded, 17u);
  size_t copies = 0;
  for (const auto& u : units_) copies += u.payload == parley::test::fromHex("0800aaaa");
  EXPECT_EQ(copies, 1u);
  for (const auto& u : units_) {
    if (u.kind == UnitKind::Packet) {
      EXPECT_EQ(u.payloadType, kOpus);
    }
  }
}

TEST_F(AudioReceiveTest, G711WithComfortNoise) {
  const Bytes speech(160, 0x55);
  for (int i = 0; i < 20; ++i) {
    deliver(sender_.packet(kPcmu, i == 0, speech));
    sender_.timestamp += 160;
    run(Duration::millis(20));
  }
  deliver(sender_.packet(kCn, false, parley::test::fromHex("40")));
  sender_.timestamp += 160 * 20;
  run(Duration::millis(400));
  deliver(sender_.packet(kPcmu, true, speech));
  run(Duration::millis(100));
  EXPECT_EQ(units(UnitKind::Packet), 21u);
  EXPECT_EQ(statsOf(0x1111).concealmentEvents, 1u) << "only behind the very last packet";
  EXPECT_EQ(units_[0].samples, 160u);
  EXPECT_EQ(units_[0].clockRate, 8000u);
}

TEST_F(AudioReceiveTest, ACodecChangeWithAnotherClockStartsAnew) {
  play(20);
  const Bytes speech(160, 0x55);
  for (int i = 0; i < 20; ++i) {
    deliver(sender_.packet(kPcmu, false, speech));
    sender_.timestamp += 160;
    run(Duration::millis(20));
  }
  run(Duration::millis(100));
  size_t pcmu = 0;
  for (const auto& u : units_) pcmu += u.payloadType == kPcmu && u.kind == UnitKind::Packet;
  EXPECT_EQ(pcmu, 20u);
}

TEST_F(AudioReceiveTest, HostilePayloadsAreDroppedAndTelephoneEventsAreNotPlayed) {
  deliver(sender_.packet(kOpus, false, parley::test::fromHex("4b00")));
  deliver(sender_.packet(kOpus, false, parley::test::fromHex("8331")));
  deliver(sender_.packet(kRed, false, parley::test::fromHex("ef000003")));
  deliver(sender_.packet(kRed, false, parley::test::fromHex("3faa")));
  EXPECT_EQ(statsOf(0x1111).malformedPackets, 4u) << "among them RED inside RED";
  deliver(sender_.packet(kDtmf, true, parley::test::fromHex("010a00a0")));
  // The same inside RED, as the newest block and as a copy.
  deliver(sender_.packet(kRed, false, parley::test::fromHex("7e010a00a0")));
  deliver(sender_.packet(kRed, false, parley::test::fromHex("fe0f00047e010a00a0010a00a0")));
  EXPECT_EQ(statsOf(0x1111).malformedPackets, 4u);
  run(Duration::seconds(1));
  EXPECT_TRUE(units_.empty());
}

TEST_F(AudioReceiveTest, AFloodIsBounded) {
  for (int i = 0; i < 600; ++i) deliver(sender_.opus());
  EXPECT_LT(pool_.inUse(), 300u);
  run(Duration::seconds(2));
  for (int i = 0; i < 300; ++i) {
    sender_.timestamp = random_.u32();
    sender_.sequence = static_cast<uint16_t>(random_.u32());
    deliver(sender_.opus());
    run(Duration::millis(3));
  }
  EXPECT_LT(pool_.inUse(), 300u);
}

TEST_F(AudioReceiveTest, LossesAreAskedForOnlyWhileTheyCouldStillBePlayed) {
  ReceiveConfig config = audioConfig(1, "a");
  config.codecs[0].nack = true;
  config.codecs[0].rtxPayloadType = 112;
  hub_->setReceiver(config);
  hub_->setRtt(Duration::millis(10));
  play(10);
  const Bytes lost = sender_.opus();
  deliver(sender_.opus());
  ASSERT_EQ(requests_.size(), 1u);
  deliver(sender_.rtx(lost, 112));
  run(Duration::millis(100));
  EXPECT_EQ(units(UnitKind::Packet), 12u);
  sender_.timestamp += 3 * 960;
  sender_.opus();
  play(100);
  EXPECT_LE(requests_.size(), 6u);
}

TEST_F(AudioReceiveTest, LevelAndSourcesAreReported) {
  PacketBuf buf = pool_.allocate();
  const uint32_t csrcs[] = {77, 78};
  rtp::PacketWriter writer(buf, {kOpus, false, 1, 960, 0x1111}, csrcs);
  rtp::ExtensionMap map = browserExtensions();
  writer.add<rtp::AudioLevel>(map, {true, 20});
  MutableByteSpan room = writer.beginPayload();
  room[0] = 0x08;
  room[1] = room[2] = 0;
  writer.finish(3);
  deliver(buf.span());
  buf.reset();
  ASSERT_TRUE(statsOf(0x1111).audioLevel);
  EXPECT_NEAR(*statsOf(0x1111).audioLevel, 0.1, 1e-9);
  std::vector<RtpSource> sources;
  hub_->sources(ReceiverId(1), now_, sources);
  ASSERT_EQ(sources.size(), 3u);
  EXPECT_EQ(std::count_if(sources.begin(), sources.end(),
                          [](const RtpSource& s) { return s.isContributing; }),
            2);
  hub_->sources(ReceiverId(1), now_ + Duration::seconds(11), sources);
  EXPECT_TRUE(sources.empty());
}

TEST_F(AudioReceiveTest, UnpolledUnitsLoseTheOldest) {
  for (int i = 0; i < 200; ++i) {
    const Bytes bytes = sender_.opus();
    PacketBuf buf = pool_.copyOf(bytes);
    const auto view = rtp::PacketView::parse(buf.span());
    hub_->handleRtp(std::move(buf), *view, Ecn::NotEct, now_);
    now_ += Duration::millis(20);
    hub_->advance(now_);
    ASSERT_GT(hub_->nextDeadline(), now_);
  }
  collect();
  EXPECT_EQ(units_.size(), 64u);
  EXPECT_LT(sender_.timestamp - units_.back().rtpTimestamp, 960u * 5);
}

TEST_F(AudioReceiveTest, SteadyStateDoesNotAllocate) {
  if (!parley::test::AllocGuard::isActive()) GTEST_SKIP();
  std::vector<Bytes> packets;
  for (int i = 0; i < 600; ++i) packets.push_back(sender_.opus());
  AudioPlayoutUnit unit;
  const auto feed = [&](size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) {
      if (i % 37 == 0) continue;  // some losses
      PacketBuf buf = pool_.copyOf(packets[i]);
      const auto view = rtp::PacketView::parse(buf.span());
      hub_->handleRtp(std::move(buf), *view, Ecn::NotEct, now_);
      now_ += Duration::millis(20);
      hub_->advance(now_);
      while (hub_->pollAudio(unit)) {
      }
    }
  };
  feed(0, 300);
  parley::test::AllocGuard guard;
  feed(300, 600);
  EXPECT_EQ(guard.count(), 0u);
}

}  // namespace
}  // namespace parley::media
