#include "parley/testing/pair.h"

#include <utility>

namespace parley::testing {

Pair::Pair(PairOptions options)
    : Pair(std::make_unique<sim::World>(options.seed), nullptr, options) {}

Pair::Pair(sim::World& world, PairOptions options) : Pair(nullptr, &world, std::move(options)) {}

Pair::Pair(std::unique_ptr<sim::World> own, sim::World* world, PairOptions options)
    : options_(std::move(options)),
      ownWorld_(std::move(own)),
      world_(world ? *world : *ownWorld_),
      randomA_(world_.randomFor("a")),
      randomB_(world_.randomFor("b")),
      hostA_(&world_.addHost("a")),
      hostB_(&world_.addHost("b")) {
  world_.connect(*hostA_, *hostB_, options_.aToB, options_.bToA.value_or(options_.aToB));
  loopA_ = makeLoop(randomA_, {});
  loopB_ = makeLoop(randomB_, options_.executorB);
  nodeA_ = &world_.addNode(*hostA_, loopA_->driven());
  nodeB_ = &world_.addNode(*hostB_, loopB_->driven());
  a_ = PeerConnection::create(loopA_, options_.configurationA).value();
  b_ = PeerConnection::create(loopB_, options_.configurationB).value();
  trickle(a_, b_);
  trickle(b_, a_);
}

Pair::~Pair() {
  a_.close();
  b_.close();
  world_.removeNode(*nodeA_);
  world_.removeNode(*nodeB_);
}

std::shared_ptr<Loop> Pair::makeLoop(Random& random,
                                     std::function<void(std::function<void()>)> executor) {
  LoopOptions options;
  options.executor = std::move(executor);
  options.threading = Threading::Unlocked;
  options.mediaThreads = MediaThreads::Inline;
  options.random = &random;
  options.limits = options_.limits;
  options.clock = [this] { return world_.now(); };
  options.wallClock = [this] { return world_.wallClock(); };
  return Loop::create(std::move(options));
}

void Pair::signal(std::function<void()> fn) {
  world_.after(options_.signalingDelay, std::move(fn));
}

void Pair::check(const char* step, const Result<void>& result) {
  if (!result) errors_.push_back(std::string(step) + ": " + result.error().message);
}

void Pair::trickle(PeerConnection& from, PeerConnection& to) {
  from.onIceCandidate([this, &to](const std::optional<IceCandidate>& candidate) {
    if (!candidate) return;
    signal([this, &to, c = *candidate] {
      to.addIceCandidate(c, [this](Result<void> result) { check("addIceCandidate", result); });
    });
  });
}

void Pair::negotiate(bool offerFromB) {
  PeerConnection& offerer = offerFromB ? b_ : a_;
  PeerConnection& answerer = offerFromB ? a_ : b_;
  // Implicit descriptions keep the steps in one chain each: what is signalled is what was applied.
  offerer.setLocalDescription([this, &offerer, &answerer](Result<void> result) {
    check("offer", result);
    if (!result) return;
    signal([this, &offerer, &answerer, offer = offerer.localDescription().value()] {
      answerer.setRemoteDescription(offer, [this](Result<void> r) { check("remote offer", r); });
      answerer.setLocalDescription([this, &offerer, &answerer](Result<void> r) {
        check("answer", r);
        if (!r) return;
        signal([this, &offerer, answer = answerer.localDescription().value()] {
          offerer.setRemoteDescription(answer,
                                       [this](Result<void> last) { check("remote answer", last); });
        });
      });
    });
  });
}

bool Pair::connect(Duration limit) {
  negotiate();
  return runUntil(
      [this] {
        return a_.connectionState() == PeerConnectionState::Connected &&
               b_.connectionState() == PeerConnectionState::Connected;
      },
      limit);
}

}  // namespace parley::testing
