// Simultaneous-open candidates (RFC 6544 section 3): both sides listen and connect.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sim/firewall.h"
#include "parley/sim/world.h"

#include "unit/endpoint/endpoint_fixture.h"

namespace parley::endpoint::test {
namespace {

/// An endpoint with one session, in the simulated world.
struct Side {
  Side(sim::World& simWorld, sim::Host& host, size_t certificate)
      : world(simWorld), random(world.randomFor(host.name())), endpoint(random, nullLog()) {
    endpoint.setWallClock(world.wallClock());
    jsep::SessionConfig config = sessionConfig(certificate);
    config.transport.gatherer.tcpSimultaneousOpen = true;
    id = endpoint.createSession(std::move(config), world.now());
    node = &world.addNode(host, endpoint);
  }
  ~Side() { world.removeNode(*node); }
  jsep::Session& session() { return *endpoint.session(id); }
  std::vector<jsep::LocalCandidate> candidates() {
    std::vector<jsep::LocalCandidate> out;
    jsep::SessionEvent event;
    while (session().pollEvent(event)) {
      if (const auto* found = std::get_if<jsep::LocalCandidate>(&event)) out.push_back(*found);
    }
    return out;
  }
  void add(const std::vector<jsep::LocalCandidate>& candidates) {
    for (const jsep::LocalCandidate& c : candidates) {
      if (c.candidate.find("tcptype so") == std::string::npos) continue;
      ASSERT_TRUE(
          session().addIceCandidate(c.candidate, c.mid, c.mLineIndex, c.ufrag, world.now()));
    }
    endpoint.touch(id, world.now());
    node->pump();
  }

  sim::World& world;
  SeededRandom random;
  Endpoint endpoint;
  SessionId id;
  sim::Node* node = nullptr;
};

void callOver(sim::World& world, sim::Segment& here, sim::Segment& there, bool together) {
  Side a(world, world.addHost("a", here, {.up = {.delay = Duration::millis(20)}}), 1);
  Side b(world, world.addHost("b", there, {.up = {.delay = Duration::millis(20)}}), 2);
  ASSERT_TRUE(a.session().createDataChannel({.label = "x"}, world.now()));
  negotiate(a.session(), b.session(), world.now());
  a.endpoint.touch(a.id, world.now());
  b.endpoint.touch(b.id, world.now());
  world.run(Duration::millis(100));
  const auto ofA = a.candidates();
  const auto ofB = b.candidates();
  b.add(ofA);
  if (!together) world.run(Duration::seconds(1));
  a.add(ofB);
  ASSERT_TRUE(world.runUntil(
      [&] {
        return a.session().transport().agent().sendPath() &&
               b.session().transport().agent().sendPath();
      },
      Duration::seconds(10)));
  const auto pair = a.session().transport().agent().selectedPair();
  EXPECT_EQ(pair->local.tcpType, ice::TcpType::SimultaneousOpen);
  EXPECT_EQ(pair->remote.tcpType, ice::TcpType::SimultaneousOpen);
  EXPECT_EQ(pair->local.type, ice::CandidateType::Host) << "the port it listens on is the one";
  world.run(Duration::seconds(40));
  EXPECT_TRUE(a.session().transport().agent().sendPath());
  EXPECT_TRUE(b.session().transport().agent().sendPath());
}

TEST(TcpSimultaneousSim, BothConnectAtOnce) {
  sim::World world(1);
  sim::Segment& net = world.addSegment("net");
  callOver(world, net, net, true);
}

TEST(TcpSimultaneousSim, TheListenerAnswersWhoComesFirst) {
  sim::World world(1);
  sim::Segment& net = world.addSegment("net");
  callOver(world, net, net, false);
}

// What it is for: where neither side is let in, each lets out, and the SYNs meet.
TEST(TcpSimultaneousSim, PassesTwoFirewallsThatLetNobodyIn) {
  for (const bool together : {true, false}) {
    sim::World world(1);
    sim::Segment& internet = world.addSegment("internet");
    sim::Segment& here = world.addSegment("here");
    sim::Segment& there = world.addSegment("there");
    world.addFirewall("firewall a", here, internet, {.blockUdp = true});
    world.addFirewall("firewall b", there, internet, {.blockUdp = true});
    callOver(world, here, there, together);
  }
}

}  // namespace
}  // namespace parley::endpoint::test
