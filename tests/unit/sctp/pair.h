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
#include "parley/sim/clock_shim.h"

namespace parley::sctp {

struct LinkConfig {
  Duration delay = Duration::millis(5);
  Duration jitter = Duration::zero();  ///< uniform extra delay: reorders
  double loss = 0;
  double duplicate = 0;
  double rate = 0;            ///< bytes per second at the bottleneck; 0: unlimited
  size_t queue = 256 * 1024;  ///< bytes that may wait for it; more is dropped
};

/// Cheap, reproducible, different for each seed.
inline Bytes pattern(size_t size, uint64_t seed) {
  Bytes out(size);
  uint32_t x = static_cast<uint32_t>(seed * 2654435761u + 1);
  for (uint8_t& byte : out) {
    byte = static_cast<uint8_t>(x >> 24);
    x = x * 1664525u + 1013904223u;
  }
  return out;
}

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
  Duration elapsed() const { return now_ - Timestamp::seconds(100'000); }
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
        if (link_.loss > 0 && random_.unit() < link_.loss) continue;
        put(i, packet.span());
        if (link_.duplicate > 0 && random_.unit() < link_.duplicate) put(i, packet.span());
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
        setWallClock();
        return false;
      }
      now_ = std::max(now_, next);
      setWallClock();
      step();
    }
  }
  /// Moves the wall clock, which the engine reads behind our back, against the monotonic one.
  void shiftWallClock(Duration by) {
    wallShift_ += by;
    setWallClock();
  }
  void run(Duration d) {
    runUntil([] { return false; }, d);
  }

 private:
  void setWallClock() { wallClock_.set(now_ + wallShift_); }
  void put(size_t from, ByteSpan packet) {
    const Duration extra =
        link_.jitter > Duration::zero() ? link_.jitter * random_.unit() : Duration::zero();
    Timestamp out = now_;
    if (link_.rate > 0) {
      const Duration wait = std::max(busyUntil_[from], now_) - now_;
      if (wait.seconds() * link_.rate > static_cast<double>(link_.queue)) return;
      // DTLS, UDP and IP take their part of the link.
      out = now_ + wait +
            Duration::fromSeconds(static_cast<double>(packet.size() + kOverhead) / link_.rate);
      busyUntil_[from] = out;
    }
    flight_.emplace(std::pair{out + link_.delay + extra, order_++},
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

  static constexpr size_t kOverhead = 37 + 48;
  End* ends_[2];
  Timestamp busyUntil_[2];
  LinkConfig link_;
  SeededRandom random_;
  Filter filter_;
  std::function<void()> onStep_;
  Timestamp now_ = Timestamp::seconds(100'000);
  Duration wallShift_;
  sim::ClockScope wallClock_{now_};
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
