#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parley/base/export.h"
#include "parley/parley.h"
#include "parley/sim/world.h"

// testing: ready-made worlds for the tests of applications. May use api and sim. Never linked into
// products: it defines gettimeofday (parley/sim/clock_shim.h).

namespace parley::testing {

/// What a Pair is made of.
struct PairOptions {
  uint64_t seed = 1;  ///< of all that is random: the same gives the same run
  /// Both directions of the path between the two; `aToB` is used for both unless `bToA` is set.
  sim::LinkConfig aToB{};
  std::optional<sim::LinkConfig> bToA{};
  /// How long an offer, answer or candidate takes from one side to the other.
  Duration signalingDelay = Duration::millis(10);
  /// Where the callbacks of B run (LoopOptions::executor); empty: in the World, like those of A.
  std::function<void(std::function<void()>)> executorB{};
  Configuration configurationA{};
  Configuration configurationB{};
  Limits limits{};  ///< of both loops
};

/// Two facade PeerConnections in a virtual network, in virtual time, on one thread: everything an
/// application test needs.
///
///     testing::Pair pair;
///     DataChannel chat = pair.a().createDataChannel("chat").value();
///     ASSERT_TRUE(pair.connect());
///     (void)chat.send("hello");
///     pair.run(Duration::seconds(1));
class PARLEY_EXPORT Pair {
 public:
  explicit Pair(PairOptions options = {});
  /// In a world of the caller's, which must outlive it; `options.seed` is not used.
  explicit Pair(sim::World& world, PairOptions options = {});
  ~Pair();
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  sim::World& world() { return world_; }
  sim::Host& hostA() { return *hostA_; }
  sim::Host& hostB() { return *hostB_; }
  sim::Node& nodeA() { return *nodeA_; }
  sim::Node& nodeB() { return *nodeB_; }
  const std::shared_ptr<Loop>& loopA() { return loopA_; }
  const std::shared_ptr<Loop>& loopB() { return loopB_; }
  PeerConnection& a() { return a_; }
  PeerConnection& b() { return b_; }

  /// One round of offer and answer, offered by `a` (or by `b`). Candidates trickle both ways from
  /// construction on. Errors of any step end up in `errors()`.
  void negotiate(bool offerFromB = false);
  /// negotiate() and run until both sides are connected; false if they are not within `limit`.
  bool connect(Duration limit = Duration::seconds(30));
  void run(Duration duration) { world_.run(duration); }
  bool runUntil(const std::function<bool()>& done, Duration limit) {
    return world_.runUntil(done, limit);
  }
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  Pair(std::unique_ptr<sim::World> own, sim::World* world, PairOptions options);
  std::shared_ptr<Loop> makeLoop(Random& random,
                                 std::function<void(std::function<void()>)> executor);
  void trickle(PeerConnection& from, PeerConnection& to);
  /// Runs `fn` on the other side after the signalling delay.
  void signal(std::function<void()> fn);
  void check(const char* step, const Result<void>& result);

  PairOptions options_;
  std::unique_ptr<sim::World> ownWorld_;
  sim::World& world_;
  SeededRandom randomA_;
  SeededRandom randomB_;
  sim::Host* hostA_;
  sim::Host* hostB_;
  std::shared_ptr<Loop> loopA_;
  std::shared_ptr<Loop> loopB_;
  sim::Node* nodeA_;
  sim::Node* nodeB_;
  PeerConnection a_;
  PeerConnection b_;
  std::vector<std::string> errors_;
};

}  // namespace parley::testing
