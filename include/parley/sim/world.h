#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/random.h"
#include "parley/base/time.h"
#include "parley/sim/clock_shim.h"
#include "parley/sim/dns.h"
#include "parley/sim/firewall.h"
#include "parley/sim/host.h"
#include "parley/sim/nat.h"
#include "parley/sim/node.h"
#include "parley/sim/segment.h"
#include "parley/sim/trace.h"

// What this room is: a whole internet in one thread and in virtual time, for tests. A packet's way:
// Node::transmit -> Host::sendUdp -> Port::up (script, queue, loss, delay) -> Segment::route ->
// [Router: Nat, Firewall] -> Port::down -> Host::receive -> Node -> Driven::handle.

namespace parley::sim {

/// A virtual network. Owns time, the elements and all randomness: the same program with the same
/// seed runs the same way. One thread; while the World lives, gettimeofday() on it answers virtual
/// time (clock_shim.h). References that the add functions return stay valid until the World ends.
///
///     sim::World world(7);
///     sim::Segment& lan = world.addSegment({.name = "lan", .v4Base = IpAddress::v4(10, 0, 0, 0)});
///     sim::Host& alice = world.addHost("alice", lan, {.up = {.delay = Duration::millis(20)}});
///     sim::Host& bob = world.addHost("bob", lan);
///     world.addNode(alice, endpointA);
///     world.addNode(bob, endpointB);
///     world.run(Duration::seconds(10));
class PARLEY_EXPORT World {
 public:
  explicit World(uint64_t seed = 1);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Timestamp now() const;
  uint64_t seed() const;
  /// For `Environment::wallClock`: virtual time zero is 2025-01-01T00:00:00Z.
  WallClock wallClock() const;
  /// A generator of its own for `name`: drawing from it does not change what others draw.
  SeededRandom randomFor(std::string_view name) const;

  // Names should be unique: an element's randomness comes from the seed and its name.
  Segment& addSegment(SegmentConfig config);
  /// A segment with the prefixes 10.n.0.0/24 and fd00:n::/64, n counting segments.
  Segment& addSegment(std::string name);
  Host& addHost(std::string name);
  Host& addHost(std::string name, Segment& segment, PortConfig port = {});
  Router& addRouter(std::string name, Segment& inside, Segment& outside);
  Nat& addNat(std::string name, Segment& inside, Segment& outside, NatConfig config = {});
  Firewall& addFirewall(std::string name, Segment& inside, Segment& outside, FirewallConfig config);
  /// Two hosts on a fresh segment; each direction of the path is the `up` link of its sender.
  Segment& connect(Host& a, Host& b, const LinkConfig& aToB, const LinkConfig& bToA);
  Segment& connect(Host& a, Host& b, const LinkConfig& both = {}) {
    return connect(a, b, both, both);
  }
  Node& addNode(Host& host, Driven& driven);
  /// Must be called before the Driven dies if the World runs on.
  void removeNode(Node& node);
  Dns& dns();

  /// Calls `fn` at a time, or after some time. Every node is pumped after it.
  void at(Timestamp when, std::function<void()> fn);
  void after(Duration delay, std::function<void()> fn) { at(now() + delay, std::move(fn)); }
  /// Lets `duration` pass.
  void run(Duration duration);
  /// Runs until `done` answers true, asked after every event, or until `limit` has passed. The
  /// answer is done's last.
  bool runUntil(const std::function<bool()>& done, Duration limit);

  /// Sees every packet that leaves a host, before the network touches it.
  void onDatagram(std::function<void(const DatagramEvent&)> hook);
  /// Sees every packet that reaches a host.
  void onArrival(std::function<void(const DatagramEvent&)> hook);
  Trace& trace();
  /// Called when a node breaks a machine rule; the default aborts with the message.
  void onViolation(std::function<void(const std::string&)> handler);
  uint64_t events() const { return events_; }  ///< fired so far

 private:
  class Calls;
  void pumpAll();
  void pumpDirty();
  void step();

  std::unique_ptr<Kernel> kernel_;
  Dns dns_;
  std::unique_ptr<Calls> calls_;
  std::vector<std::unique_ptr<Segment>> segments_;
  std::vector<std::unique_ptr<Router>> routers_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Node>> nodes_;
  uint64_t events_ = 0;
};

}  // namespace parley::sim
