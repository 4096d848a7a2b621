// A peer that wants to hurt costs bounded memory and only itself.

#include <set>

#include <gtest/gtest.h>

#include "support/cpu_time.h"
#include "support/heap.h"
#include "unit/sctp/engine/raw_peer.h"

namespace parley::sctp {
namespace {

constexpr uint8_t kFirst = 2, kLast = 1, kUnordered = 4;

TEST(HostilePeer, GapsForEverAreBounded) {
  for (const bool interleaving : {false, true}) {
    RawPeer peer({.receiveBuffer = 1 << 20});
    peer.interleaving = interleaving;
    peer.connect();
    // Every second chunk, far beyond any window.
    for (uint32_t i = 1; i < 40'000; i += 2) peer.data(peer.tsn + i, 0, i, kFirst | kLast, 900);
    peer.poll();
    EXPECT_LE(peer.association->stats().receivedBytesHeld, size_t{1 << 20} + 128 * 1024);
    const Bytes* sack = peer.last(chunk::kSack);
    ASSERT_NE(sack, nullptr);
    EXPECT_EQ(loadU32(&(*sack)[0]), peer.tsn - 1);
    // A well-behaved end of it is still possible.
    peer.data(peer.tsn, 0, 0, kFirst | kLast, 10);
    Inbound in;
    EXPECT_TRUE(peer.association->pollInbound(in));
    EXPECT_EQ(peer.association->state(), AssociationState::Connected);
  }
}

TEST(HostilePeer, TinyChunksWithGapsAreBoundedInNumber) {
  RawPeer peer;
  peer.connect();
  for (uint32_t i = 1; i < 60'000; i += 2) peer.data(peer.tsn + i, 0, i, kFirst | kLast, 1);
  EXPECT_LE(peer.association->stats().receivedBytesHeld, size_t{1'000'000});
  EXPECT_EQ(peer.association->state(), AssociationState::Connected);
}

TEST(HostilePeer, BeginningsOnAllStreamsAreBounded) {
  for (const bool interleaving : {false, true}) {
    RawPeer peer({.receiveBuffer = 1 << 20});
    peer.interleaving = interleaving;
    peer.connect();
    // With DATA a beginning must be followed by its rest, so unordered ones with holes between.
    for (uint32_t s = 0; s < 65'535; ++s) {
      peer.data(interleaving ? peer.tsn + s : peer.tsn + 2 * s, static_cast<uint16_t>(s), 0,
                kFirst | kUnordered, 200);
    }
    EXPECT_LE(peer.association->stats().receivedBytesHeld, size_t{1 << 20} + 128 * 1024);
    EXPECT_EQ(peer.association->state(), AssociationState::Connected);
  }
}

TEST(HostilePeer, WhatIsCountedIsWhatIsHeld) {
  struct Kind {
    const char* name;
    size_t size;
    uint32_t step;
    bool manyStreams;
  };
  for (const bool interleaving : {false, true}) {
    for (const Kind& k :
         {Kind{"large with gaps", 900, 2, false}, Kind{"tiny with gaps", 1, 2, false},
          Kind{"beginnings", 200, 2, true}, Kind{"tiny beginnings", 1, 2, true}}) {
      RawPeer peer({.receiveBuffer = 1 << 20});
      peer.interleaving = interleaving;
      peer.connect();
      const size_t before = test::heapBytes();
      for (uint32_t i = 1; i < 60'000; i += k.step) {
        peer.data(peer.tsn + i, k.manyStreams ? static_cast<uint16_t>(i) : 0, k.manyStreams ? 0 : i,
                  k.manyStreams ? kFirst : kFirst | kLast, k.size);
      }
      peer.poll();
      peer.chunks.clear();
      EXPECT_LE(test::heapBytes() - before, 5u << 20)
          << k.name << (interleaving ? " I-DATA" : " DATA");
    }
  }
}

// What a message that was read leaves behind is used again, but not for something much smaller that
// may stay.
TEST(HostilePeer, SmallThingsDoNotSitInLargeBuffers) {
  for (const bool loose : {false, true}) {
    RawPeer peer;
    peer.interleaving = true;
    peer.connect();
    const size_t before = test::heapBytes();
    uint32_t tsn = peer.tsn;
    Inbound in;
    // One message of 60 KB is read, and then something small comes that cannot be delivered.
    for (uint32_t round = 0; round < 400; ++round) {
      for (uint32_t n = 0; n < 60; ++n) {
        const auto flags = static_cast<uint8_t>((n == 0 ? kFirst : 0) | (n == 59 ? kLast : 0));
        peer.data(tsn++, 1, round, flags, 1000, n);
      }
      while (peer.association->pollInbound(in)) {
      }
      if (loose) {
        peer.data(tsn++, 2, round + 1, kLast, 1, 1);
      } else {
        peer.data(tsn++, 2, round + 1, kFirst, 1, 0);
        peer.data(tsn++, 2, round + 1, kLast, 1, 1);
      }
      peer.poll();
      peer.chunks.clear();
    }
    EXPECT_LE(test::heapBytes() - before, 3u << 20);
  }
}

TEST(HostilePeer, WhoNeverReadsIsWaitedFor) {
  RawPeer peer({}, [] {
    Limits limits;
    limits.maxBufferedAmount = 500'000;
    return limits;
  }());
  peer.window = 2000;
  peer.connect();
  size_t taken = 0;
  while (peer.association->send(1, 53, Bytes(10'000), {}, peer.now)) ++taken;
  EXPECT_LE(taken, 50u);
  // The window stays closed, but the peer says so: that is no failure, only probes.
  const size_t before = peer.bytes;
  peer.run(Duration::seconds(60), [&] { peer.sack(peer.theirTsn - 1, 0); });
  EXPECT_EQ(peer.association->state(), AssociationState::Connected);
  EXPECT_LT(peer.bytes - before, 100'000u);
  EXPECT_GE(peer.association->bufferedAmount(), 480'000u);
}

TEST(HostilePeer, AWindowOfFourGigabytesWithoutAcknowledgementsEnds) {
  RawPeer peer;
  peer.window = 0xFFFF'FFFF;
  peer.connect();
  while (peer.association->send(1, 53, Bytes(100'000), {}, peer.now)) {
  }
  peer.run(Duration::seconds(1));
  EXPECT_LE(peer.association->stats().bytesInFlight, 20'000u) << "the congestion window holds";
  peer.run(Duration::seconds(120));
  EXPECT_EQ(peer.association->state(), AssociationState::Failed);
}

TEST(HostilePeer, AcknowledgementsOfWhatWasNeverSentAreIgnored) {
  RawPeer peer;
  peer.connect();
  ASSERT_TRUE(peer.association->send(1, 53, Bytes(5000), {}, peer.now));
  peer.poll();
  const uint32_t before = peer.association->stats().unackedChunks;
  ASSERT_GT(before, 2u);
  peer.sack(peer.theirTsn + 1000, 100'000);
  peer.sack(peer.theirTsn - 1, 100'000, {1, 60'000});
  peer.sack(peer.theirTsn - 1, 100'000, {3, 2});
  peer.sack(peer.theirTsn - 1, 100'000, {0, 1});
  peer.sack(peer.theirTsn - 1, 100'000, {2, 3, 1, 2});
  EXPECT_EQ(peer.association->stats().unackedChunks, before);
  // Gaps given and taken back: the data is sent again when the timer says so.
  peer.sack(peer.theirTsn - 1, 100'000, {2, 3});
  peer.sack(peer.theirTsn - 1, 100'000);
  peer.chunks.clear();
  std::set<uint32_t> seen;
  for (int i = 0; i < 5; ++i) {
    peer.run(Duration::seconds(2));
    for (const RawPeer::Sent& c : peer.chunks) {
      if (c.type == chunk::kData) seen.insert(loadU32(c.value.data()) - peer.theirTsn);
    }
    peer.sack(peer.theirTsn, 100'000);
  }
  EXPECT_TRUE(seen.contains(1) && seen.contains(2));
  peer.sack(peer.theirTsn + before - 1, 100'000);
  EXPECT_EQ(peer.association->stats().unackedChunks, 0u);
}

TEST(HostilePeer, ForwardTsnFarAheadOrBackwardsDoesNothing) {
  RawPeer peer;
  peer.connect();
  const auto forward = [&](uint32_t point) {
    Bytes value(4);
    storeU32(&value[0], point);
    for (int i = 0; i < 200; ++i) value.insert(value.end(), {0, 7, 0x12, static_cast<uint8_t>(i)});
    peer.send(chunk::kForwardTsn, 0, value);
    peer.poll();
    return loadU32(peer.last(chunk::kSack)->data());
  };
  EXPECT_EQ(forward(peer.tsn + 0x4000'0000), peer.tsn - 1);
  EXPECT_EQ(forward(peer.tsn - 100), peer.tsn - 1);
  EXPECT_EQ(forward(peer.tsn + 5), peer.tsn + 5);
  EXPECT_EQ(forward(peer.tsn + 2), peer.tsn + 5);
  EXPECT_LE(peer.association->stats().receivedBytesHeld, 10'000u);
}

// What a FORWARD TSN costs depends on what it drops, not on what is held.
TEST(HostilePeer, ForwardTsnsThatDropNothingCostLittle) {
  for (const bool interleaving : {false, true}) {
    for (const bool unordered : {false, true}) {
      RawPeer peer;
      peer.interleaving = interleaving;
      peer.connect();
      const auto flags = static_cast<uint8_t>(kLast | (unordered ? kUnordered : 0));
      for (uint32_t i = 0; i < 12'000; i += 2)
        peer.data(peer.tsn + 20'000 + i, 7, 20'000 + i, flags, 1, 1);
      const test::CpuTime cpu;
      for (uint32_t round = 0; round < 500; ++round) {
        Bytes value(4);
        storeU32(&value[0], peer.tsn + round);
        for (uint32_t i = 0; i < 130; ++i) {
          value.insert(value.end(), {0, 7});
          if (interleaving)
            value.insert(value.end(), {0, unordered ? uint8_t{1} : uint8_t{0}, 0, 0});
          const uint32_t id = round * 10 + i % 10;
          value.insert(value.end(), {static_cast<uint8_t>(id >> 8), static_cast<uint8_t>(id)});
        }
        peer.send(interleaving ? chunk::kIForwardTsn : chunk::kForwardTsn, 0, value);
        peer.poll();
        peer.chunks.clear();
      }
      EXPECT_LT(cpu.seconds(), 0.05 * test::cpuAllowance());
      EXPECT_GT(peer.association->stats().receivedBytesHeld, 100'000u);
    }
  }
}

TEST(HostilePeer, ResetRequestsFollowTheirNumbers) {
  RawPeer peer;
  peer.connect();
  const auto ask = [&](uint32_t sequence, uint32_t lastTsn, std::vector<uint16_t> streams) {
    Bytes value(16 + 2 * streams.size());
    storeU16(&value[0], 13);
    storeU16(&value[2], static_cast<uint16_t>(value.size()));
    storeU32(&value[4], sequence);
    storeU32(&value[12], lastTsn);
    for (size_t i = 0; i < streams.size(); ++i) storeU16(&value[16 + 2 * i], streams[i]);
    peer.chunks.clear();
    peer.send(chunk::kReConfig, 0, value);
    peer.poll();
    const Bytes* answer = peer.last(chunk::kReConfig);
    if (answer == nullptr) return std::pair{0u, 99u};
    return std::pair{loadU32(&(*answer)[4]), loadU32(&(*answer)[8])};
  };
  using Answer = std::pair<uint32_t, uint32_t>;
  EXPECT_EQ(ask(peer.tsn + 3, peer.tsn - 1, {1}), (Answer{peer.tsn + 3, 5})) << "bad number";
  EXPECT_EQ(ask(peer.tsn, peer.tsn - 1, {1, 2}), (Answer{peer.tsn, 1})) << "performed";
  EXPECT_EQ(ask(peer.tsn, peer.tsn - 1, {1, 2}), (Answer{peer.tsn, 1})) << "the same answer again";
  int resets = 0;
  Inbound in;
  while (peer.association->pollInbound(in)) resets += in.kind == Inbound::Kind::StreamReset;
  EXPECT_EQ(resets, 2) << "carried out once";
  // Data is missing: no answer until it is there.
  EXPECT_EQ(ask(peer.tsn + 1, peer.tsn, {3}), (Answer{0, 99}));
  EXPECT_EQ(ask(peer.tsn + 1, peer.tsn, {3}), (Answer{0, 99}));
  peer.data(peer.tsn, 3, 0, kFirst | kLast, 10);
  peer.poll();
  ASSERT_NE(peer.last(chunk::kReConfig), nullptr);
  EXPECT_EQ(loadU32(&(*peer.last(chunk::kReConfig))[8]), 1u);
  ASSERT_TRUE(peer.association->pollInbound(in));
  EXPECT_EQ(in.kind, Inbound::Kind::Message);
  ASSERT_TRUE(peer.association->pollInbound(in));
  EXPECT_EQ(in.kind, Inbound::Kind::StreamReset);
  // A flood of them costs an answer each and no memory.
  for (uint32_t i = 0; i < 10'000; ++i) ask(peer.tsn + 2 + i, peer.tsn, {4});
  while (peer.association->pollInbound(in)) {
  }
  EXPECT_EQ(peer.association->stats().receivedBytesHeld, 0u);
}

TEST(HostilePeer, FloodsOfControlChunksAreAnsweredSparingly) {
  RawPeer peer;
  peer.connect();
  for (int i = 0; i < 1000; ++i) {
    peer.send(chunk::kHeartbeat, 0, Bytes{0, 1, 0, 8, 1, 2, 3, 4});
    peer.send(chunk::kInit, 0, writeInit(peer.init()));
    peer.send(0x7F, 0, Bytes(500));
  }
  const size_t before = peer.bytes;
  peer.poll();
  EXPECT_LE(peer.bytes - before, 2000u);
  EXPECT_LE(peer.count(chunk::kHeartbeatAck), 4u);
  EXPECT_LE(peer.count(chunk::kInitAck), 4u);
  EXPECT_EQ(peer.count(chunk::kError), 1u);
  EXPECT_EQ(peer.association->state(), AssociationState::Connected);
}

TEST(HostilePeer, UnknownChunksFollowTheirUpperBits) {
  for (const int bits : {0x3F, 0x7F, 0xBF, 0xFF}) {
    const auto type = static_cast<uint8_t>(bits);
    RawPeer peer;
    peer.connect();
    // The unknown chunk first, data behind it in the same packet.
    Bytes packet(12);
    storeU16(&packet[0], 5000);
    storeU16(&packet[2], 5000);
    storeU32(&packet[4], peer.theirTag);
    packet.insert(packet.end(), {type, 0, 0, 4, chunk::kData, 3, 0, 17});
    packet.resize(packet.size() + 12);
    storeU32(&packet[20], peer.tsn);
    packet.insert(packet.end(), {9, 0, 0, 0});
    storeChecksum(packet, packetChecksum(packet));
    peer.association->handlePacket(packet, peer.now);
    peer.poll();
    Inbound in;
    EXPECT_EQ(peer.association->pollInbound(in), (type & 0x80) != 0) << int{type};
    EXPECT_EQ(peer.count(chunk::kError) == 1, (type & 0x40) != 0) << int{type};
  }
}

TEST(HostilePeer, BrokenDataEndsOnlyItsAssociation) {
  {
    RawPeer peer;
    peer.connect();
    peer.data(peer.tsn, 0, 0, kFirst | kLast, 0);
    EXPECT_EQ(peer.association->state(), AssociationState::Failed);
    peer.poll();
    ASSERT_NE(peer.last(chunk::kAbort), nullptr);
    EXPECT_EQ(loadU16(peer.last(chunk::kAbort)->data()), 9) << "no user data";
  }
  {
    RawPeer peer;
    peer.connect();
    peer.data(peer.tsn, 0, 0, kFirst, 100);
    peer.data(peer.tsn + 1, 0, 1, kFirst, 100);
    EXPECT_EQ(peer.association->state(), AssociationState::Failed) << "a message within a message";
  }
  {
    RawPeer peer;
    peer.interleaving = true;
    peer.connect();
    peer.data(peer.tsn, 0, 7, 0, 100, 3);
    peer.data(peer.tsn + 1, 0, 7, 0, 100, 3);
    EXPECT_EQ(peer.association->state(), AssociationState::Failed) << "one fragment twice";
  }
}

TEST(HostilePeer, DataOnStreamsThatDoNotExistIsReported) {
  RawPeer peer({.streams = 10});
  peer.connect();
  peer.data(peer.tsn, 65'535, 0, kFirst | kLast, 10);
  peer.run(Duration::millis(100));
  ASSERT_EQ(peer.count(chunk::kError), 1u);
  EXPECT_EQ(loadU16(peer.last(chunk::kError)->data()), 1);
  EXPECT_EQ(loadU32(peer.last(chunk::kSack)->data()), peer.tsn) << "acknowledged all the same";
}

TEST(HostilePeer, ForgedCookiesAndTagsGetNowhere) {
  RawPeer peer;
  peer.association->connect(peer.now);
  peer.poll();
  const std::optional<InitChunk> theirs = parseInit(*peer.last(chunk::kInit));
  ASSERT_TRUE(theirs);
  peer.theirTag = theirs->tag;
  Bytes cookie(40, 0xAA);
  peer.send(chunk::kCookieEcho, 0, cookie);
  peer.send(chunk::kCookieAck, 0, {});
  peer.send(chunk::kShutdownAck, 0, {});
  peer.send(chunk::kShutdownComplete, 0, {});
  peer.send(chunk::kSack, 0, Bytes(12));
  EXPECT_EQ(peer.association->state(), AssociationState::Connecting);
  peer.send(chunk::kInitAck, 0, writeInit(peer.init()));
  EXPECT_EQ(peer.association->state(), AssociationState::Connecting) << "no cookie in it";
  const uint64_t dropped = peer.association->stats().packetsDropped;
  peer.send(chunk::kAbort, 0, {}, 0xDEADBEEF);
  EXPECT_EQ(peer.association->stats().packetsDropped, dropped + 1);
  EXPECT_EQ(peer.association->state(), AssociationState::Connecting);
}

TEST(HostilePeer, ARestartWithinTheConnectionFailsIt) {
  RawPeer peer;
  peer.connect();
  peer.tag = 0x0BAD'CAFE;
  peer.send(chunk::kInit, 0, writeInit(peer.init()));
  peer.poll();
  const std::optional<InitChunk> answer = parseInit(*peer.last(chunk::kInitAck));
  ASSERT_TRUE(answer);
  EXPECT_EQ(peer.association->state(), AssociationState::Connected) << "INIT alone ends nothing";
  peer.send(chunk::kCookieEcho, 0, answer->cookie, answer->tag);
  EXPECT_EQ(peer.association->state(), AssociationState::Failed);
}

TEST(HostilePeer, OtherPortsAreToldAtOnce) {
  RawPeer peer({.localPort = 6000});
  peer.association->connect(peer.now);
  peer.poll();
  peer.chunks.clear();
  peer.send(chunk::kInit, 0, writeInit(peer.init()));
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kAbort), 1u);
}

TEST(HostilePeer, ParametersAreCountedAndMeasured) {
  const auto parse = [](Bytes value) { return parseInit(value).has_value(); };
  RawPeer peer;
  const Bytes good = writeInit(peer.init());
  EXPECT_TRUE(parse(good));
  for (size_t n = 0; n < good.size(); ++n) {
    Bytes cut(good.begin(), good.begin() + static_cast<ptrdiff_t>(n));
    static_cast<void>(parse(cut));
    EXPECT_FALSE(n < 16 && parse(cut));
  }
  Bytes zeroTag = good;
  storeU32(&zeroTag[0], 0);
  EXPECT_FALSE(parse(zeroTag));
  Bytes noStreams = good;
  storeU16(&noStreams[8], 0);
  EXPECT_FALSE(parse(noStreams));
  Bytes many = good;
  for (int i = 0; i < 65; ++i) many.insert(many.end(), {0x80, 0x77, 0, 4});
  EXPECT_FALSE(parse(many));
  Bytes zeroLength = good;
  zeroLength.insert(zeroLength.end(), {0x80, 0x77, 0, 0});
  EXPECT_FALSE(parse(zeroLength));
  // Unknown ones by their upper bits: skip, skip and report, stop.
  Bytes unknown = good;
  unknown.insert(unknown.end(), {0xC7, 0x77, 0, 4});
  EXPECT_EQ(parseInit(unknown)->unknown.size(), 1u);
  Bytes stop(good.begin(), good.begin() + 16);
  stop.insert(stop.end(), {0x07, 0x77, 0, 4, 0xC0, 0, 0, 4});
  EXPECT_FALSE(parseInit(stop)->forwardTsn);
}

}  // namespace
}  // namespace parley::sctp
