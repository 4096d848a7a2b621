#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/base/random.h"
#include "parley/base/time.h"

namespace parley::sctp {

/// What usrsctp's gettimeofday answers in this test program (see wall_clock_test.cc).
void setWallClock(Timestamp now);
/// Moves the wall clock against the monotonic one.
void shiftWallClock(Duration by);

struct LinkConfig {
  Duration delay = Duration::millis(5);
  Duration jitter = Duration::zero();  ///< uniform extra delay: reorders
  double loss = 0;
  double duplicate = 0;
};

/// Two ends (Association or DataChannels, anything with their verbs) and a network between them,
/// stepped in virtual time. Checks on the way: packets within the MTU, deadlines in the future
/// after advance().
template <class End>
class Pair {
 public:
  using Filter = std::function<bool(size_t from, ByteSpan packet)>;  ///< false: dropped

  Pair(End& a, End& b, LinkConfig link = {}, uint64_t seed = 1)
      : ends_{&a, &b}, link_(link), random_(seed) {}

  Timestamp now() const { return now_; }
  void setLink(LinkConfig link) { link_ = link; }
  void setFilter(Filter filter) { filter_ = std::move(filter); }
  /// Called after every step: drain queues here.
  void onStep(std::function<void()> f) { onStep_ = std::move(f); }
  void setMtu(size_t mtu) { mtu_ = mtu; }
  void remove(size_t end) { ends_[end] = nullptr; }
  size_t packets() const { return packets_; }
  size_t wakes() const { return wakes_; }

  void flush() {
    for (size_t i = 0; i < 2; ++i) {
      PacketBuf packet;
      while (ends_[i] != nullptr && ends_[i]->pollTransmit(packet)) {
        EXPECT_LE(packet.size(), mtu_);
        ++packets_;
        if (filter_ && !filter_(i, packet.span())) continue;
        if (random_.unit() < link_.loss) continue;
        put(i, packet.span());
        if (random_.unit() < link_.duplicate) put(i, packet.span());
      }
    }
  }

  /// Runs until `done` or `limit` has passed; true if done.
  bool runUntil(const std::function<bool()>& done, Duration limit = Duration::seconds(60)) {
    const Timestamp end = now_ + limit;
    for (;;) {
      flush();
      if (onStep_) onStep_();
      flush();
      if (done()) return true;
      Timestamp next = end;
      for (End* e : ends_) {
        if (e != nullptr) next = earliest(next, e->nextDeadline());
      }
      if (!flight_.empty()) next = earliest(next, flight_.begin()->first.first);
      if (next >= end) {
        now_ = end;
        setWallClock(now_);
        return false;
      }
      now_ = std::max(now_, next);
      setWallClock(now_);
      step();
    }
  }
  void run(Duration d) {
    runUntil([] { return false; }, d);
  }

 private:
  void put(size_t from, ByteSpan packet) {
    const Duration extra = link_.jitter * random_.unit();
    flight_.emplace(std::pair{now_ + link_.delay + extra, order_++},
                    std::pair{1 - from, toBytes(packet)});
  }
  void step() {
    while (!flight_.empty() && flight_.begin()->first.first <= now_) {
      const auto arrived = std::move(flight_.begin()->second);
      flight_.erase(flight_.begin());
      if (ends_[arrived.first] != nullptr) ends_[arrived.first]->handlePacket(arrived.second, now_);
    }
    for (End* e : ends_) {
      if (e == nullptr || e->nextDeadline() > now_) continue;
      ++wakes_;
      e->advance(now_);
      EXPECT_GT(e->nextDeadline(), now_);
    }
  }

  End* ends_[2];
  LinkConfig link_;
  SeededRandom random_;
  Filter filter_;
  std::function<void()> onStep_;
  Timestamp now_ = Timestamp::seconds(1000);
  std::map<std::pair<Timestamp, uint64_t>, std::pair<size_t, Bytes>> flight_;
  uint64_t order_ = 0;
  size_t mtu_ = 1148;
  size_t packets_ = 0;
  size_t wakes_ = 0;
};

/// One end's surroundings.
struct World {
  explicit World(uint64_t seed) : random(seed) {}
  SeededRandom random;
  PacketPool pool;
  Environment env{random, pool};
};

}  // namespace parley::sctp
