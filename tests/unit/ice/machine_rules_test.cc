#include <gtest/gtest.h>

#include "support/alloc_guard.h"
#include "unit/ice/agent_world.h"

// The rules every machine keeps (src/README.md), for the agent.

namespace parley::ice {
namespace {

std::vector<AgentWorld::Step> callWithRestart(bool nervous) {
  AgentWorld world(42);
  world.nervous = nervous;
  world.loss = 0.1;
  world.jitter = Duration::millis(15);
  AgentConfig controlled;
  controlled.role = Role::Controlled;
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled);
  a.addHost("10.0.0.1:1000");
  a.addHost("[2001:db8::1]:1000");
  b.addHost("10.0.0.2:2000");
  b.addHost("[2001:db8::2]:2000");
  world.introduce(a, b);
  world.run(Duration::seconds(20));
  a.agent.restart(Credentials::generate(a.random), world.now);
  b.agent.restart(Credentials::generate(b.random), world.now);
  world.introduce(a, b);
  world.run(Duration::seconds(20));
  return world.trace;
}

TEST(AgentMachineRulesTest, SameSeedSameDatagrams) {
  EXPECT_EQ(callWithRestart(false), callWithRestart(false));
}

TEST(AgentMachineRulesTest, EarlyAndRepeatedAdvanceAreHarmless) {
  EXPECT_EQ(callWithRestart(false), callWithRestart(true));
}

TEST(AgentMachineRulesTest, UnpolledAgentStaysBoundedAndCorrect) {
  AgentWorld world(1);
  Peer& a = world.add("a");
  a.addHost("10.0.0.1:1000");
  a.agent.setRemoteCredentials({"ufrag", "passwordpasswordpassword"}, false, world.now);
  Candidate remote;
  remote.foundation = "1";
  remote.priority = 5;
  for (uint16_t port = 1; port <= 64; ++port) {
    remote.address = {*IpAddress::parse("192.0.2.1"), port};
    a.agent.addRemoteCandidate(remote, world.now);
  }
  Timestamp now = world.now;
  while (!a.agent.nextDeadline().isNever()) {
    now = a.agent.nextDeadline();
    a.agent.advance(now);
    ASSERT_GT(a.agent.nextDeadline(), now);
  }
  EXPECT_EQ(a.agent.state(), IceConnectionState::Failed);
  size_t waiting = 0;
  TxPacket packet;
  while (a.agent.pollTransmit(packet)) ++waiting;
  EXPECT_EQ(waiting, 64u);
}

TEST(AgentMachineRulesTest, WhatIsCalledPerPacketDoesNotAllocate) {
  AgentWorld world(7);
  AgentConfig controlled;
  controlled.role = Role::Controlled;
  Peer& a = world.add("a");
  Peer& b = world.add("b", controlled);
  a.addHost("10.0.0.1:1000");
  b.addHost("10.0.0.2:2000");
  world.introduce(a, b);
  world.run(Duration::seconds(1));
  const SocketAddress peer = *SocketAddress::parse("10.0.0.2:2000");
  const test::AllocGuard guard;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(a.agent.isValidSource(SocketId(1), peer));
    ASSERT_NE(a.agent.sendPath(), nullptr);
    a.agent.noteReceived(world.now);
    a.agent.advance(world.now);
    (void)a.agent.nextDeadline();
  }
  EXPECT_EQ(guard.count(), 0u);
}

}  // namespace
}  // namespace parley::ice
