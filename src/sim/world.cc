#include "parley/sim/world.h"

#include <array>
#include <fcntl.h>
#include <unistd.h>

#include "sim/kernel.h"

namespace parley::sim {

/// The functions given to World::at.
class World::Calls final : public EventTarget {
 public:
  explicit Calls(World& world) : world_(world) {}

  uint64_t add(std::function<void()> fn) {
    if (free_.empty()) {
      free_.push_back(functions_.size());
      functions_.emplace_back();
    }
    const uint64_t slot = free_.back();
    free_.pop_back();
    functions_[slot] = std::move(fn);
    return slot;
  }
  void fire(uint64_t slot) override {
    const std::function<void()> fn = std::move(functions_[slot]);
    functions_[slot] = nullptr;
    free_.push_back(slot);
    fn();
    world_.pumpAll();
  }

 private:
  World& world_;
  std::vector<std::function<void()>> functions_;
  std::vector<uint64_t> free_;
};

World::World(uint64_t seed)
    : kernel_(std::make_unique<Kernel>(seed)), calls_(std::make_unique<Calls>(*this)) {
  kernel_->dns = &dns_;
}

World::~World() = default;

Timestamp World::now() const {
  return kernel_->now();
}
uint64_t World::seed() const {
  return kernel_->seed();
}
WallClock World::wallClock() const {
  return virtualWallClock();
}
SeededRandom World::randomFor(std::string_view name) const {
  return kernel_->randomFor(name);
}
Dns& World::dns() {
  return dns_;
}
Trace& World::trace() {
  return kernel_->trace;
}

// ---- building ----

Segment& World::addSegment(SegmentConfig config) {
  segments_.push_back(std::make_unique<Segment>(*kernel_, std::move(config)));
  return *segments_.back();
}

Segment& World::addSegment(std::string name) {
  const size_t n = segments_.size() + 1;
  std::array<uint8_t, 16> v6{0xfd};
  v6[3] = static_cast<uint8_t>(n);
  return addSegment({.name = std::move(name),
                     .v4Base = IpAddress::v4(10, static_cast<uint8_t>(n), 0, 0),
                     .v6Base = IpAddress::v6(v6)});
}

Host& World::addHost(std::string name) {
  hosts_.push_back(std::make_unique<Host>(*kernel_, std::move(name)));
  return *hosts_.back();
}

Host& World::addHost(std::string name, Segment& segment, PortConfig port) {
  Host& host = addHost(std::move(name));
  host.attach(segment, std::move(port));
  return host;
}

Router& World::addRouter(std::string name, Segment& inside, Segment& outside) {
  routers_.push_back(std::make_unique<Router>(*kernel_, std::move(name), inside, outside,
                                              PortConfig{}, PortConfig{}));
  return *routers_.back();
}

Nat& World::addNat(std::string name, Segment& inside, Segment& outside, NatConfig config) {
  auto nat = std::make_unique<Nat>(*kernel_, std::move(name), inside, outside, config);
  Nat& reference = *nat;
  routers_.push_back(std::move(nat));
  return reference;
}

Firewall& World::addFirewall(std::string name, Segment& inside, Segment& outside,
                             FirewallConfig config) {
  auto firewall =
      std::make_unique<Firewall>(*kernel_, std::move(name), inside, outside, std::move(config));
  Firewall& reference = *firewall;
  routers_.push_back(std::move(firewall));
  return reference;
}

Segment& World::connect(Host& a, Host& b, const LinkConfig& aToB, const LinkConfig& bToA) {
  Segment& segment = addSegment(a.name() + "-" + b.name());
  a.attach(segment, {.up = aToB});
  b.attach(segment, {.up = bToA});
  return segment;
}

Node& World::addNode(Host& host, Driven& driven) {
  nodes_.push_back(std::make_unique<Node>(*kernel_, host, driven));
  kernel_->nodes.push_back(nodes_.back().get());
  nodes_.back()->markDirty();
  return *nodes_.back();
}

void World::removeNode(Node& node) {
  // Stays as an empty shell: events for it may be waiting.
  node.detach();
}

// ---- running ----

void World::at(Timestamp when, std::function<void()> fn) {
  kernel_->schedule(when, *calls_, calls_->add(std::move(fn)));
}

void World::pumpAll() {
  for (size_t i = 0; i < nodes_.size(); ++i) nodes_[i]->pump();
}

void World::pumpDirty() {
  while (kernel_->hasDirty()) kernel_->takeDirty()->pump();
}

void World::step() {
  ++events_;
  kernel_->fireNext();
  pumpDirty();
}

void World::run(Duration duration) {
  const Timestamp end = now() + duration;
  kernel_->claimClock();
  pumpAll();
  pumpDirty();
  while (kernel_->nextEvent() <= end) step();
  kernel_->setNow(end);
}

bool World::runUntil(const std::function<bool()>& done, Duration limit) {
  const Timestamp end = now() + limit;
  kernel_->claimClock();
  pumpAll();
  pumpDirty();
  if (done()) return true;
  while (kernel_->nextEvent() <= end) {
    step();
    if (done()) return true;
  }
  kernel_->setNow(end);
  return done();
}

// ---- watching ----

void World::onDatagram(std::function<void(const DatagramEvent&)> hook) {
  kernel_->sendHooks.push_back(std::move(hook));
}

void World::onArrival(std::function<void(const DatagramEvent&)> hook) {
  kernel_->arrivalHooks.push_back(std::move(hook));
}

void World::onViolation(std::function<void(const std::string&)> handler) {
  kernel_->violationHandler = std::move(handler);
}

}  // namespace parley::sim
