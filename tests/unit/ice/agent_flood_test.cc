// A million datagrams of whoever knows the port, and storms of a peer that has gone mad: a call
// goes on, and nothing grows. Fed to the machine itself, so that a million takes a second.

#include <cstdio>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/stun/integrity.h"
#include "parley/stun/message_builder.h"

#include "support/alloc_guard.h"
#include "support/heap.h"
#include "unit/ice/agent_world.h"

namespace parley::ice {
namespace {

using State = IceConnectionState;
using stun::AttributeType;

struct FloodFixture {
  FloodFixture() {
    AgentConfig controlled;
    controlled.role = Role::Controlled;
    a = &world.add("a");
    b = &world.add("b", controlled);
    a->addHost("10.0.0.1:1000");
    b->addHost("10.0.0.2:2000");
    world.introduce(*a, *b);
    world.run(Duration::seconds(10));
    world.trace.reserve(1 << 16);
  }
  bool isRunning() const {
    for (const Peer* peer : {a, b}) {
      const State state = peer->agent.state();
      if (state != State::Connected && state != State::Completed) return false;
      if (!peer->agent.sendPath()) return false;
    }
    return true;
  }

  /// What a stranger can make: of each kind a few, to be sent again and again.
  std::vector<Bytes> junk() {
    std::vector<Bytes> out;
    const std::string& ufrag = a->agent.localCredentials().ufrag;
    for (int i = 0; i < 64; ++i) {
      Bytes noise(20 + random.below(200));
      random.fill(noise);
      noise[0] &= 3;
      out.push_back(noise);
      // A header that fits, with nothing sound behind it.
      storeU16(&noise[2], static_cast<uint16_t>((noise.size() - 20) & ~size_t{3}));
      storeU32(&noise[4], 0x2112A442);
      out.push_back(noise);
      out.push_back(request("who:ever", "some password"));
      if (i % 8 == 0)
        out.push_back(request(ufrag + ":" + b->agent.localCredentials().ufrag, "guess"));
      for (const stun::Class kind : {stun::Class::Success, stun::Class::Error}) {
        uint8_t raw[256];
        stun::MessageBuilder builder(raw, kind, stun::Method::Binding,
                                     stun::newTransactionId(random));
        if (kind == stun::Class::Success) {
          builder.xorAddress(AttributeType::XorMappedAddress, *SocketAddress::parse("6.6.6.6:6"));
        } else {
          builder.error(i % 2 == 0 ? stun::StunError::RoleConflict
                                   : stun::StunError::Unauthenticated);
        }
        builder.messageIntegrity(asBytes("guess")).fingerprint();
        out.push_back(toBytes(builder.written()));
      }
    }
    return out;
  }
  Bytes request(const std::string& username, const std::string& password,
                Role role = Role::Controlled, uint64_t tieBreaker = 1) {
    uint8_t raw[256];
    stun::MessageBuilder builder(raw, stun::Class::Request, stun::Method::Binding,
                                 stun::newTransactionId(random));
    builder.text(AttributeType::Username, username)
        .u32(AttributeType::Priority, 1)
        .u64(role == Role::Controlling ? AttributeType::IceControlling
                                       : AttributeType::IceControlled,
             tieBreaker)
        .messageIntegrity(asBytes(password))
        .fingerprint();
    return toBytes(builder.written());
  }
  SocketAddress anywhere() {
    return {IpAddress::v4(random.u32() | 0x0100'0000),
            static_cast<uint16_t>(1 + random.below(60'000))};
  }
  void drop(Peer& peer) {
    TxPacket packet;
    while (peer.agent.pollTransmit(packet)) ++answers;
  }

  SeededRandom random{7};
  AgentWorld world{1};
  Peer* a;
  Peer* b;
  size_t answers = 0;
  const SocketAddress ours = *SocketAddress::parse("10.0.0.1:1000");
  const SocketAddress theirs = *SocketAddress::parse("10.0.0.2:2000");
};

TEST(AgentFloodTest, AMillionJunkDatagramsLeaveACallRunningAndHoldNothing) {
  FloodFixture f;
  ASSERT_TRUE(f.isRunning());
  const std::vector<Bytes> junk = f.junk();
  size_t heap = 0;
  size_t fed = 0;
  test::AllocGuard allocations;
  size_t allocated = 0;
  for (int round = 0; round < 20; ++round) {
    if (round == 1) heap = test::heapBytes();  // what is kept for ever is there by now
    const size_t before = allocations.count();
    for (int i = 0; i < 50'000; ++i, ++fed) {
      // Half of them as if from the peer: anybody can write its address.
      const SocketAddress from = i % 2 == 0 ? f.theirs : f.anywhere();
      f.a->agent.handleStun(SocketId(1), from, f.ours, junk[fed % junk.size()], f.world.now);
      if (i % 32 == 0) f.drop(*f.a);
    }
    allocated += allocations.count() - before;
    f.world.run(Duration::seconds(2));
    ASSERT_TRUE(f.isRunning()) << round;
  }
  EXPECT_EQ(fed, 1'000'000u);
  EXPECT_LE(test::heapBytes(), heap + (1 << 20)) << "the trace of the world alone may grow";
  EXPECT_LT(allocated, fed / 100);
  // 20 errors a second at most, and the consent that goes on.
  EXPECT_LT(f.answers, 20u * 45);
  EXPECT_EQ(f.a->agent.remoteCandidates().size(), 1u);
  EXPECT_GT(f.a->agent.counters().malformed, 100'000u);
  EXPECT_GT(f.a->agent.counters().unmatched + f.a->agent.counters().unknownUfrag, 100'000u);
}

TEST(AgentFloodTest, ARoleConflictStormOfThePeerItselfIsBounded) {
  FloodFixture f;
  const std::string username =
      f.a->agent.localCredentials().ufrag + ":" + f.b->agent.localCredentials().ufrag;
  std::vector<Bytes> storm;
  for (const Role role : {Role::Controlling, Role::Controlled}) {
    for (const uint64_t tieBreaker : {uint64_t{0}, ~uint64_t{0}})
      storm.push_back(
          f.request(username, f.a->agent.localCredentials().password, role, tieBreaker));
  }
  const size_t heap = test::heapBytes();
  for (size_t i = 0; i < 100'000; ++i) {
    f.a->agent.handleStun(SocketId(1), f.theirs, f.ours, storm[i % storm.size()], f.world.now);
    if (i % 32 == 0) f.drop(*f.a);
  }
  f.drop(*f.a);
  EXPECT_LE(f.a->roleChanges, 8u);
  EXPECT_LE(test::heapBytes(), heap + (64 << 10));
  f.world.run(Duration::seconds(60));
  EXPECT_TRUE(f.a->agent.sendPath());
  EXPECT_TRUE(f.b->agent.sendPath());
  EXPECT_NE(f.a->agent.state(), State::Failed);
}

TEST(AgentFloodTest, CandidateFloodsAreCutOffAndTheCallGoesOn) {
  FloodFixture f;
  const size_t heap = test::heapBytes();
  Candidate candidate;
  candidate.foundation = "1";
  candidate.type = CandidateType::Host;
  candidate.ufrag = f.b->agent.localCredentials().ufrag;
  size_t resolves = 0;
  for (uint32_t i = 0; i < 100'000; ++i) {
    candidate.hostname.clear();
    candidate.address = f.anywhere();
    candidate.priority = i;
    if (i % 4 == 0) {
      char name[48];
      std::snprintf(name, sizeof name, "%08x-ea17-4bcf-a596-105139dfd8bf.local", i);
      candidate.hostname = name;
    }
    f.a->agent.addRemoteCandidate(candidate, f.world.now);
    Effect effect;
    while (f.a->agent.pollEffect(effect)) ++resolves;
    f.drop(*f.a);
  }
  EXPECT_LE(f.a->agent.remoteCandidates().size(), 200u);
  EXPECT_LE(resolves, 200u);
  EXPECT_LE(test::heapBytes(), heap + (512 << 10));
  f.world.run(Duration::seconds(60));
  EXPECT_TRUE(f.isRunning());
}

// Answers that the peer's password does not cover, to requests whose transaction somebody has seen.
TEST(AgentFloodTest, SpoofedAnswersToOpenRequestsChangeNothing) {
  AgentWorld world(3);
  AgentConfig controlled;
  controlled.role = Role::Controlled;
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled);
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  // Each request of A is answered by a spoofer first, in three ways.
  world.pass = [&](const SocketAddress& from, const SocketAddress& to, ByteSpan datagram) {
    const auto message = stun::Message::parse(datagram);
    if (!message || message->messageClass() != stun::Class::Request || from.port != 1000)
      return true;
    for (int i = 0; i < 3; ++i) {
      uint8_t raw[256];
      auto builder = stun::MessageBuilder::responseTo(
          *message, i == 0 ? stun::Class::Success : stun::Class::Error, raw);
      if (i == 0) {
        builder.xorAddress(AttributeType::XorMappedAddress, *SocketAddress::parse("6.6.6.6:6"));
      } else {
        builder.error(i == 1 ? stun::StunError::RoleConflict : stun::StunError::BadRequest);
      }
      builder.messageIntegrity(asBytes("guess")).fingerprint();
      EXPECT_EQ(a.agent.handleStun(SocketId(1), to, from, builder.written(), world.now),
                HandleResult::Dropped);
    }
    return true;
  };
  world.introduce(a, b);
  world.run(Duration::seconds(60));
  EXPECT_TRUE(a.agent.sendPath());
  EXPECT_TRUE(b.agent.sendPath());
  EXPECT_EQ(a.agent.role(), Role::Controlling);
  EXPECT_EQ(a.agent.localCandidates().size(), 1u);
}

}  // namespace
}  // namespace parley::ice
