// The rules of the RFCs, one by one, as a peer sees them on the wire.

#include <vector>

#include <gtest/gtest.h>

#include "unit/sctp/engine/raw_peer.h"

namespace parley::sctp {
namespace {

constexpr uint8_t kFirst = 2, kLast = 1, kWhole = 3, kUnordered = 4, kImmediate = 8;
constexpr uint8_t kReflected = 1;

/// The TSNs of the data sent since `peer.chunks` was cleared, as offsets from the first of all.
std::vector<uint32_t> sentTsns(const RawPeer& peer) {
  std::vector<uint32_t> out;
  for (const RawPeer::Sent& c : peer.chunks) {
    if (c.type == chunk::kData || c.type == chunk::kIData)
      out.push_back(loadU32(c.value.data()) - peer.theirTsn);
  }
  return out;
}

/// Time until the next chunk of the type leaves, within `limit`.
std::optional<Duration> nextOf(RawPeer& peer, uint8_t type, Duration limit) {
  const Timestamp begin = peer.now;
  const size_t before = peer.count(type);
  while (peer.now - begin < limit) {
    peer.poll();
    if (peer.count(type) > before) return peer.now - begin;
    peer.now = std::max(peer.now + Duration::micros(1), peer.association->nextDeadline());
    peer.association->advance(peer.now);
  }
  return std::nullopt;
}

// ---- acknowledging (RFC 9260 section 6.2, RFC 7053)

TEST(Rules, EverySecondPacketIsAcknowledgedAndASingleOneSoon) {
  RawPeer peer;
  peer.connect();
  peer.data(peer.tsn, 0, 0, kWhole, 100);
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kSack), 0u);
  peer.data(peer.tsn + 1, 0, 1, kWhole, 100);
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kSack), 1u);
  peer.data(peer.tsn + 2, 0, 2, kWhole, 100);
  const auto delay = nextOf(peer, chunk::kSack, Duration::seconds(1));
  ASSERT_TRUE(delay);
  EXPECT_LE(*delay, Duration::millis(200));
  EXPECT_EQ(loadU32(peer.last(chunk::kSack)->data()), peer.tsn + 2);
  peer.data(peer.tsn + 3, 0, 3, kWhole | kImmediate, 100);
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kSack), 3u) << "asked for at once";
}

TEST(Rules, GapsAndDuplicatesAreToldAtOnce) {
  RawPeer peer;
  peer.connect();
  peer.data(peer.tsn + 1, 0, 1, kWhole, 100);
  peer.poll();
  const Bytes* sack = peer.last(chunk::kSack);
  ASSERT_NE(sack, nullptr);
  EXPECT_EQ(loadU32(sack->data()), peer.tsn - 1);
  ASSERT_EQ(loadU16(&(*sack)[8]), 1);
  EXPECT_EQ(loadU16(&(*sack)[12]), 2);
  EXPECT_EQ(loadU16(&(*sack)[14]), 2);
  peer.chunks.clear();
  peer.data(peer.tsn + 1, 0, 1, kWhole, 100);
  peer.poll();
  sack = peer.last(chunk::kSack);
  ASSERT_NE(sack, nullptr);
  ASSERT_EQ(loadU16(&(*sack)[10]), 1) << "one duplicate";
  EXPECT_EQ(loadU32(&(*sack)[16]), peer.tsn + 1);
  peer.chunks.clear();
  peer.data(peer.tsn, 0, 0, kWhole, 100);
  peer.poll();
  sack = peer.last(chunk::kSack);
  ASSERT_NE(sack, nullptr) << "the gap is filled";
  EXPECT_EQ(loadU32(sack->data()), peer.tsn + 1);
  EXPECT_EQ(loadU32(&(*sack)[8]), 0u);
}

TEST(Rules, TheWindowCountsWhatIsHeldAndOpensWhenItIsRead) {
  RawPeer peer({.receiveBuffer = 256 * 1024});
  peer.connect();
  const auto window = [&] { return loadU32(&(*peer.last(chunk::kSack))[4]); };
  uint32_t n = 0;
  for (; n < 400; ++n) peer.data(peer.tsn + n, 0, n, kWhole, 1000);
  peer.poll();
  EXPECT_EQ(window(), 0u);
  const uint32_t acked = loadU32(peer.last(chunk::kSack)->data()) - peer.tsn + 1;
  EXPECT_GE(acked, 200u);
  EXPECT_LT(acked, 400u) << "what is beyond the window is not taken";
  peer.chunks.clear();
  Inbound in;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(peer.association->pollInbound(in));
  peer.poll();
  ASSERT_NE(peer.last(chunk::kSack), nullptr) << "an open window is announced";
  EXPECT_GT(window(), 60'000u);
}

// ---- sending (RFC 9260 sections 6.1 to 6.3)

TEST(Rules, AClosedWindowIsProbedWithOneChunkAtGrowingIntervals) {
  RawPeer peer;
  peer.window = 0;
  peer.connect();
  ASSERT_TRUE(peer.association->send(1, 53, Bytes(20'000), {}, peer.now));
  peer.poll();
  EXPECT_EQ(sentTsns(peer), std::vector<uint32_t>{0});
  std::vector<Duration> waits;
  for (int i = 0; i < 5; ++i) {
    peer.sack(peer.theirTsn - 1, 0);  // heard, and thrown away
    const auto wait = nextOf(peer, chunk::kData, Duration::seconds(60));
    ASSERT_TRUE(wait);
    waits.push_back(*wait);
  }
  for (const uint32_t tsn : sentTsns(peer)) EXPECT_EQ(tsn, 0u);
  for (size_t i = 2; i < waits.size(); ++i) EXPECT_GE(waits[i], waits[i - 1]);
  EXPECT_GE(waits.back(), Duration::seconds(1));
  EXPECT_EQ(peer.association->state(), AssociationState::Connected);
  peer.chunks.clear();
  peer.sack(peer.theirTsn - 1, 100'000);
  peer.poll();
  EXPECT_FALSE(sentTsns(peer).empty()) << "an opened window is used at once";
  EXPECT_EQ(sentTsns(peer).front(), 0u);
}

TEST(Rules, TheTimerDoublesUpToItsBoundAndThenThePeerIsGone) {
  RawPeer peer;
  peer.connect();
  ASSERT_TRUE(peer.association->send(1, 53, Bytes(100), {}, peer.now));
  peer.poll();
  std::vector<Duration> waits;
  while (const auto wait = nextOf(peer, chunk::kData, Duration::seconds(20)))
    waits.push_back(*wait);
  ASSERT_GE(waits.size(), 10u);
  Duration longest;
  for (size_t i = 3; i < waits.size(); ++i) {
    EXPECT_GE(waits[i] + Duration::millis(2), waits[i - 1]);
    longest = std::max(longest, waits[i]);
  }
  EXPECT_EQ(longest, Duration::seconds(5));
  EXPECT_EQ(peer.association->state(), AssociationState::Failed);
}

TEST(Rules, AnAcknowledgementOfWhatWasNeverSentChangesNoWindow) {
  RawPeer peer;
  peer.connect();
  ASSERT_TRUE(peer.association->send(1, 53, Bytes(100), {}, peer.now));
  peer.poll();
  peer.sack(peer.theirTsn + 5, 77);
  EXPECT_NE(peer.association->stats().receiverWindow, 77u);
  peer.sack(peer.theirTsn, 5000);
  EXPECT_EQ(peer.association->stats().receiverWindow, 5000u);
  peer.sack(peer.theirTsn - 1, 99);
  EXPECT_EQ(peer.association->stats().receiverWindow, 5000u) << "an older one came late";
}

TEST(Rules, NumbersOf16BitsAreNeverMoreThanHalfwayAround) {
  RawPeer peer;
  peer.window = 0x7FFF'FFFF;
  peer.connect();
  // An eager acknowledger: all but the first one, for ever.
  uint32_t sent = 0;
  for (int round = 0; round < 4000 && sent < 32'000; ++round) {
    while (peer.association->send(1, 53, Bytes(1), {}, peer.now)) {
    }
    peer.run(Duration::millis(5));
    sent = peer.association->stats().unackedChunks;
    if (sent > 1) {
      const auto end = static_cast<uint16_t>(std::min<uint32_t>(sent, 60'000));
      peer.sack(peer.theirTsn - 1, 0x7FFF'FFFF, {2, end});
    }
    peer.chunks.clear();
  }
  EXPECT_EQ(sent, 32'000u);
  peer.run(Duration::millis(50));
  EXPECT_EQ(peer.association->stats().unackedChunks, 32'000u);
}

// ---- the end (RFC 9260 sections 8.4, 8.5, 9)

TEST(Rules, ShutdownWaitsForWhatIsSentAndIsRepeated) {
  RawPeer peer;
  peer.connect();
  ASSERT_TRUE(peer.association->send(1, 53, Bytes(3000), {}, peer.now));
  peer.association->shutdown(peer.now);
  EXPECT_FALSE(peer.association->send(1, 53, Bytes(10), {}, peer.now));
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kShutdown), 0u);
  EXPECT_EQ(sentTsns(peer).size(), 3u);
  // Data of the peer is still welcome, and answered with SHUTDOWN later on.
  peer.data(peer.tsn, 0, 0, kWhole, 10);
  Inbound in;
  EXPECT_TRUE(peer.association->pollInbound(in));
  peer.sack(peer.theirTsn + 2, 100'000);
  peer.poll();
  ASSERT_EQ(peer.count(chunk::kShutdown), 1u);
  EXPECT_EQ(loadU32(peer.last(chunk::kShutdown)->data()), peer.tsn);
  EXPECT_TRUE(nextOf(peer, chunk::kShutdown, Duration::seconds(10)));
  peer.data(peer.tsn + 1, 0, 1, kWhole, 10);
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kShutdown), 3u) << "section 9.2: DATA gets SACK and SHUTDOWN at once";
  peer.send(chunk::kShutdownAck, 0, {});
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kShutdownComplete), 1u);
  EXPECT_EQ(peer.association->state(), AssociationState::Closed);
}

TEST(Rules, WhoIsAskedToShutDownSendsTheRestFirst) {
  RawPeer peer;
  peer.connect();
  ASSERT_TRUE(peer.association->send(1, 53, Bytes(3000), {}, peer.now));
  peer.poll();
  Bytes point(4);
  storeU32(point.data(), peer.theirTsn);
  peer.send(chunk::kShutdown, 0, point);
  EXPECT_FALSE(peer.association->send(1, 53, Bytes(10), {}, peer.now));
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kShutdownAck), 0u);
  EXPECT_EQ(peer.association->stats().unackedChunks, 2u) << "SHUTDOWN acknowledges";
  storeU32(point.data(), peer.theirTsn + 2);
  peer.send(chunk::kShutdown, 0, point);
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kShutdownAck), 1u);
  EXPECT_TRUE(nextOf(peer, chunk::kShutdownAck, Duration::seconds(10)));
  // Section 9.2: an INIT now is answered with SHUTDOWN ACK.
  peer.chunks.clear();
  peer.send(chunk::kInit, 0, writeInit(peer.init()));
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kInitAck), 0u);
  EXPECT_EQ(peer.count(chunk::kShutdownAck), 1u);
  peer.send(chunk::kShutdownComplete, 0, {});
  EXPECT_EQ(peer.association->state(), AssociationState::Closed);
}

// RFC 9260 section 8.1: what resets the error counter is that DATA is acknowledged. Section 9.2: a
// SHUTDOWN is repeated until the ACK comes.
TEST(Rules, ShutdownsThatAcknowledgeNothingKeepNobodyAlive) {
  for (const bool weBegan : {false, true}) {
    RawPeer peer;
    peer.connect();
    ASSERT_TRUE(peer.association->send(1, 53, Bytes(3000), {}, peer.now));
    if (weBegan) peer.association->shutdown(peer.now);
    peer.poll();
    Bytes point(4);
    storeU32(point.data(), peer.theirTsn - 1);
    size_t steps = 0;
    for (int i = 0; i < 400 && peer.association->state() != AssociationState::Failed; ++i) {
      peer.send(chunk::kShutdown, 0, point);
      peer.run(Duration::seconds(2), [&] { ++steps; });
    }
    EXPECT_EQ(peer.association->state(), AssociationState::Failed);
    EXPECT_EQ(peer.count(chunk::kShutdownAck), 0u);
    EXPECT_LE(steps, 1000u) << "woken for nothing";
  }
}

TEST(Rules, ShutdownsThatAcknowledgeKeepTheAssociation) {
  RawPeer peer;
  peer.connect();
  ASSERT_TRUE(peer.association->send(1, 53, Bytes(30'000), {}, peer.now));
  peer.poll();
  Bytes point(4);
  uint32_t acknowledged = peer.theirTsn - 1;
  for (int i = 0; i < 20; ++i) {
    storeU32(point.data(), ++acknowledged);
    peer.send(chunk::kShutdown, 0, point);
    // Some expiries each time.
    peer.run(Duration::seconds(20));
    ASSERT_EQ(peer.association->state(), AssociationState::ShuttingDown);
    EXPECT_LE(peer.association->stats().unansweredTimeouts, 10u);
  }
}

TEST(Rules, WhoShutsDownIsNotWokenWhileThePeerIsSilent) {
  RawPeer peer;
  peer.connect();
  ASSERT_TRUE(peer.association->send(1, 53, Bytes(3000), {}, peer.now));
  peer.association->shutdown(peer.now);
  size_t steps = 0;
  peer.run(Duration::seconds(5), [&] { ++steps; });
  EXPECT_LE(steps, 30u);
  // But at once when there is something to say.
  peer.sack(peer.theirTsn + 2, 100'000);
  const auto delay = nextOf(peer, chunk::kShutdown, Duration::seconds(1));
  ASSERT_TRUE(delay);
  EXPECT_LE(*delay, Duration::millis(1));
}

TEST(Rules, BothShuttingDownAtOnceEnds) {
  RawPeer peer;
  peer.connect();
  peer.association->shutdown(peer.now);
  peer.poll();
  ASSERT_EQ(peer.count(chunk::kShutdown), 1u);
  Bytes point(4);
  storeU32(point.data(), peer.theirTsn - 1);
  peer.send(chunk::kShutdown, 0, point);
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kShutdownAck), 1u);
  peer.send(chunk::kShutdownAck, 0, {});
  peer.poll();
  EXPECT_EQ(peer.count(chunk::kShutdownComplete), 1u);
  EXPECT_EQ(peer.association->state(), AssociationState::Closed);
}

TEST(Rules, ALostShutdownCompleteIsSaidAgain) {
  RawPeer peer;
  peer.connect();
  peer.association->shutdown(peer.now);
  peer.poll();
  for (const size_t times : {1u, 2u}) {
    peer.send(chunk::kShutdownAck, 0, {});
    peer.poll();
    EXPECT_EQ(peer.count(chunk::kShutdownComplete), times);
  }
  // But nothing is said to anything else, nor to strangers.
  peer.chunks.clear();
  peer.send(chunk::kShutdownAck, 0, {}, 0x0BAD'0BAD);
  peer.data(peer.tsn, 0, 0, kWhole, 10);
  peer.send(chunk::kHeartbeat, 0, Bytes{0, 1, 0, 4});
  peer.poll();
  EXPECT_TRUE(peer.chunks.empty());
}

TEST(Rules, AnAbortNeedsOurTagOrItsOwnReflected) {
  for (const bool reflected : {false, true}) {
    RawPeer peer;
    peer.connect();
    const uint32_t wrong = reflected ? peer.theirTag : peer.tag;
    peer.send(chunk::kAbort, reflected ? kReflected : 0, {}, wrong);
    EXPECT_EQ(peer.association->state(), AssociationState::Connected);
    const uint32_t right = reflected ? peer.tag : peer.theirTag;
    peer.send(chunk::kAbort, reflected ? kReflected : 0, Bytes{0, 12, 0, 7, 'b', 'y', 'e', 0},
              right);
    EXPECT_EQ(peer.association->state(), AssociationState::Failed);
    AssociationEvent event;
    std::string reason;
    while (peer.association->pollEvent(event)) {
      if (const auto* change = std::get_if<AssociationStateChanged>(&event))
        reason = change->reason;
    }
    EXPECT_NE(reason.find("bye"), std::string::npos);
  }
}

TEST(Rules, NoUserDataIsNamedByItsTsn) {
  RawPeer peer;
  peer.connect();
  peer.data(peer.tsn, 0, 0, kWhole, 0);
  peer.poll();
  const Bytes* abort = peer.last(chunk::kAbort);
  ASSERT_NE(abort, nullptr);
  EXPECT_EQ(*abort, (Bytes{0, 9, 0, 8, 0xFF, 0xFF, 0xFF, 0xF0}));
}

// ---- handshake (RFC 9260 section 5)

TEST(Rules, ARepeatedCookieIsAcknowledgedAgain) {
  RawPeer peer;
  peer.association->connect(peer.now);
  peer.poll();
  const std::optional<InitChunk> theirs = parseInit(*peer.last(chunk::kInit));
  ASSERT_TRUE(theirs);
  peer.theirTag = theirs->tag;
  peer.theirTsn = theirs->initialTsn;
  // The collision: both sent INIT, and ours is the one that gets nowhere.
  peer.send(chunk::kInit, 0, writeInit(peer.init()));
  peer.poll();
  const std::optional<InitChunk> answer = parseInit(*peer.last(chunk::kInitAck));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->tag, theirs->tag) << "section 5.2.1: the parameters of the INIT already sent";
  EXPECT_EQ(answer->initialTsn, theirs->initialTsn);
  for (const size_t times : {1u, 2u}) {
    peer.send(chunk::kCookieEcho, 0, answer->cookie);
    peer.poll();
    EXPECT_EQ(peer.count(chunk::kCookieAck), times);
    EXPECT_EQ(peer.association->state(), AssociationState::Connected);
  }
  // A late INIT gets an answer that leads nowhere, and changes nothing.
  peer.send(chunk::kInit, 0, writeInit(peer.init()));
  peer.poll();
  const std::optional<InitChunk> late = parseInit(*peer.last(chunk::kInitAck));
  ASSERT_TRUE(late);
  EXPECT_NE(late->tag, theirs->tag);
  peer.data(peer.tsn, 0, 0, kWhole, 10);
  Inbound in;
  EXPECT_TRUE(peer.association->pollInbound(in));
}

TEST(Rules, ZeroChecksumsAreAnnouncedToWhoAnnouncesThem) {
  for (const bool knows : {false, true}) {
    RawPeer peer({.zeroChecksum = true});
    InitChunk init = peer.init();
    init.zeroChecksum = knows;
    peer.association->connect(peer.now);
    peer.poll();
    peer.send(chunk::kInit, 0, writeInit(init));
    peer.poll();
    ASSERT_NE(peer.last(chunk::kInitAck), nullptr);
    const std::optional<InitChunk> answer = parseInit(*peer.last(chunk::kInitAck));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->zeroChecksum, knows);
  }
}

TEST(Rules, ZeroChecksumsAreTakenOnlyWhereOffered) {
  for (const bool offered : {false, true}) {
    RawPeer peer({.zeroChecksum = offered});
    peer.connect();
    Bytes packet(12);
    storeU16(&packet[0], 5000);
    storeU16(&packet[2], 5000);
    storeU32(&packet[4], peer.theirTag);
    Bytes init = packet;
    packet.insert(packet.end(), {chunk::kHeartbeat, 0, 0, 8, 0, 1, 0, 4});
    peer.association->handlePacket(packet, peer.now);
    peer.poll();
    EXPECT_EQ(peer.count(chunk::kHeartbeatAck), offered ? 1u : 0u);
    // RFC 9653 section 5.3: never in packets with INIT.
    storeU32(&init[4], 0);
    const Bytes value = writeInit(peer.init());
    init.insert(init.end(), {chunk::kInit, 0, 0, static_cast<uint8_t>(value.size() + 4)});
    init.insert(init.end(), value.begin(), value.end());
    peer.association->handlePacket(init, peer.now);
    peer.poll();
    EXPECT_EQ(peer.count(chunk::kInitAck), 0u);
  }
}

TEST(Rules, HeartbeatsAreAnsweredAsTheyAreAndOursMustBeToo) {
  RawPeer peer;
  peer.connect();
  const Bytes info{0, 1, 0, 9, 1, 2, 3, 4, 5, 0, 0, 0};
  peer.send(chunk::kHeartbeat, 0, info);
  peer.poll();
  ASSERT_NE(peer.last(chunk::kHeartbeatAck), nullptr);
  EXPECT_EQ(*peer.last(chunk::kHeartbeatAck), info);
  const auto first = nextOf(peer, chunk::kHeartbeat, Duration::seconds(60));
  ASSERT_TRUE(first);
  EXPECT_GE(*first, Duration::seconds(25));
  const Bytes ours = *peer.last(chunk::kHeartbeat);
  peer.send(chunk::kHeartbeatAck, 0, ours);
  EXPECT_GE(nextOf(peer, chunk::kHeartbeat, Duration::seconds(60)).value(), Duration::seconds(25));
  // The answer to an older one is no answer.
  for (int i = 0; i < 12; ++i) {
    peer.send(chunk::kHeartbeatAck, 0, ours);
    peer.run(Duration::seconds(6));
  }
  EXPECT_EQ(peer.association->state(), AssociationState::Failed);
}

// ---- partial reliability (RFC 3758, RFC 8260)

TEST(Rules, AbandonedChunksAreNamedByStreamAndNumberUntilThePeerHasHeard) {
  for (const bool interleaving : {false, true}) {
    RawPeer peer({.interleaving = interleaving});
    peer.interleaving = interleaving;
    peer.connect();
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(
          peer.association->send(7, 53, Bytes(10), {.maxRetransmits = uint16_t{0}}, peer.now));
      ASSERT_TRUE(peer.association->send(
          9, 53, Bytes(10), {.unordered = true, .maxRetransmits = uint16_t{0}}, peer.now));
    }
    const uint8_t type = interleaving ? chunk::kIForwardTsn : chunk::kForwardTsn;
    ASSERT_TRUE(nextOf(peer, type, Duration::seconds(5)));
    const Bytes forward = *peer.last(type);
    EXPECT_EQ(loadU32(forward.data()), peer.theirTsn + 3);
    if (interleaving) {
      EXPECT_EQ(Bytes(forward.begin() + 4, forward.end()),
                (Bytes{0, 7, 0, 0, 0, 0, 0, 1, 0, 9, 0, 1, 0, 0, 0, 1}));
    } else {
      EXPECT_EQ(Bytes(forward.begin() + 4, forward.end()), (Bytes{0, 7, 0, 1}));
    }
    EXPECT_TRUE(nextOf(peer, type, Duration::seconds(5))) << "it may have been lost";
    peer.sack(peer.theirTsn + 3, 100'000);
    EXPECT_FALSE(nextOf(peer, type, Duration::seconds(20)));
    EXPECT_EQ(peer.association->stats().unackedChunks, 0u);
  }
}

// ---- stream resets (RFC 6525)

struct ResetCase : ::testing::Test {
  ResetCase() {
    peer.connect();
    EXPECT_TRUE(peer.association->send(3, 53, Bytes(3000), {}, peer.now));
    const uint16_t stream = 3;
    peer.association->resetStreams({&stream, 1}, peer.now);
    peer.poll();
  }
  void respond(uint32_t sequence, uint32_t result) {
    Bytes value(12);
    storeU16(&value[0], 16);
    storeU16(&value[2], 12);
    storeU32(&value[4], sequence);
    storeU32(&value[8], result);
    peer.send(chunk::kReConfig, 0, value);
  }
  uint32_t requestNumber() const { return loadU32(&(*peer.last(chunk::kReConfig))[4]); }
  bool isDone() {
    AssociationEvent event;
    while (peer.association->pollEvent(event)) {
      if (std::holds_alternative<OutgoingStreamsReset>(event)) done = true;
    }
    return done;
  }
  RawPeer peer;
  bool done = false;
};

TEST_F(ResetCase, TheRequestFollowsTheLastAcknowledgement) {
  EXPECT_EQ(peer.count(chunk::kReConfig), 0u);
  EXPECT_FALSE(peer.association->send(3, 53, Bytes(10), {}, peer.now)) << "the stream is closing";
  EXPECT_TRUE(peer.association->send(4, 53, Bytes(10), {}, peer.now));
  peer.sack(peer.theirTsn + 2, 100'000);
  peer.poll();
  ASSERT_EQ(peer.count(chunk::kReConfig), 1u);
  const Bytes request = *peer.last(chunk::kReConfig);
  EXPECT_EQ(loadU16(&request[0]), 13);
  EXPECT_EQ(loadU32(&request[4]), peer.theirTsn) << "section 5.1.1: from the initial TSN on";
  EXPECT_EQ(loadU32(&request[12]), peer.theirTsn + 2);
  EXPECT_EQ(Bytes(request.begin() + 16, request.end()), (Bytes{0, 3}));
  EXPECT_TRUE(nextOf(peer, chunk::kReConfig, Duration::seconds(5))) << "until it is answered";
  EXPECT_EQ(requestNumber(), peer.theirTsn);
  respond(peer.theirTsn + 1, 1);
  EXPECT_FALSE(isDone()) << "that was another one";
  respond(peer.theirTsn, 1);
  EXPECT_TRUE(isDone());
  // The stream begins anew.
  peer.chunks.clear();
  EXPECT_TRUE(peer.association->send(3, 53, Bytes(10), {}, peer.now));
  peer.sack(peer.theirTsn + 3, 100'000);
  peer.poll();
  ASSERT_NE(peer.last(chunk::kData), nullptr);
  EXPECT_EQ(loadU16(&(*peer.last(chunk::kData))[4]), 3);
  EXPECT_EQ(loadU16(&(*peer.last(chunk::kData))[6]), 0);
}

TEST_F(ResetCase, InProgressMeansAskAgain) {
  peer.sack(peer.theirTsn + 2, 100'000);
  peer.poll();
  respond(peer.theirTsn, 6);
  EXPECT_FALSE(isDone());
  ASSERT_TRUE(nextOf(peer, chunk::kReConfig, Duration::seconds(5)));
  EXPECT_EQ(requestNumber(), peer.theirTsn + 1);
  respond(peer.theirTsn + 1, 1);
  EXPECT_TRUE(isDone());
}

TEST_F(ResetCase, AStubbornPeerCannotKeepAStreamClosing) {
  peer.sack(peer.theirTsn + 2, 100'000);
  peer.poll();
  for (int i = 0; i < 20 && !isDone(); ++i) {
    respond(requestNumber(), 2);
    peer.run(Duration::seconds(2));
  }
  EXPECT_TRUE(isDone());
  EXPECT_EQ(peer.association->state(), AssociationState::Connected);
}

}  // namespace
}  // namespace parley::sctp
