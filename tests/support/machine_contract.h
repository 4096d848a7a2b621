#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/bytes.h"
#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/machine.h"
#include "parley/base/random.h"
#include "parley/sim/clock_shim.h"

// The ten rules that every machine keeps (src/README.md), as tests. A layer's
// machine_contract_test.cc describes its machines as `MachineCase`s and instantiates
// `MachineContract` with them; cmake/checks/machines.py sees to it that none is forgotten.

namespace parley::test {

/// One machine with its surroundings: how the rules get at it.
class Contracted {
 public:
  virtual ~Contracted() = default;
  virtual void start(Timestamp /*now*/) {}
  /// What its owner does with it every 100 ms.
  virtual void work(int /*round*/, Timestamp /*now*/) {}
  /// The duties of a driver: executes wishes for I/O, carries signalling. True if there was any.
  virtual bool serve(Timestamp /*now*/) { return false; }
  virtual void handle(ByteSpan bytes, Timestamp now) = 0;
  virtual bool pollDatagram(Bytes& out) = 0;
  /// The next event, message or frame, in words.
  virtual bool pollEvent(std::string& /*out*/) { return false; }
  virtual void advance(Timestamp now) = 0;
  virtual Timestamp nextDeadline() const = 0;
  /// The polite ending; false if the machine has none.
  virtual bool close(Timestamp /*now*/) { return false; }
  /// What two runs of one seed have in common of a datagram.
  virtual std::string describe(ByteSpan datagram) const { return std::string(asText(datagram)); }
};

/// A machine, and what it talks to: another one, or nothing.
using ContractedPair = std::pair<std::unique_ptr<Contracted>, std::unique_ptr<Contracted>>;

struct MachineCase {
  std::string name;
  std::function<ContractedPair(uint64_t seed)> make;
  /// False for usrsctp, which has state and randomness of its own (the recorded exception to M7).
  bool isDeterministic = true;
  /// Part of a datagram is told from the whole of it.
  bool noticesCuts = true;
  /// Whenever it is awake it lets go what is due within milliseconds, so that packets leave in
  /// batches: waking it more often changes when they leave, not how many.
  bool isPaced = false;
};
inline void PrintTo(const MachineCase& machine, std::ostream* out) {
  *out << machine.name;
}

/// Random, pool and environment of one machine.
struct ContractWorld {
  explicit ContractWorld(uint64_t seed) : random(seed) {}
  SeededRandom random;
  PacketPool pool;
  Environment environment{random, pool, nullLog(), sim::virtualWallClock(), {}};
};

/// `make` for two machines of one adapter, told apart by `isFirst`.
template <class Adapter, class... Args>
std::function<ContractedPair(uint64_t)> pairOf(Args... args) {
  return [args...](uint64_t seed) {
    auto first = std::make_unique<Adapter>(seed, true, args...);
    auto second = std::make_unique<Adapter>(seed + 1000, false, args...);
    Adapter::introduce(*first, *second);
    return ContractedPair{std::move(first), std::move(second)};
  };
}

/// Answers the wishes of a machine as a host with one address and unlimited ports would.
class ContractHost {
 public:
  explicit ContractHost(IpAddress address) : address_(address) {}
  /// `reply` gets what the machine is to be told. False if nothing was wished for.
  bool answer(Effect&& effect, const std::function<void(Input&&)>& reply) {
    if (std::holds_alternative<WatchInterfaces>(effect)) {
      reply(InterfacesChanged{{{"eth0", 1, {address_}}}});
    } else if (const auto* open = std::get_if<OpenUdp>(&effect)) {
      const uint16_t port = open->local.port != 0 ? open->local.port : ++lastPort_;
      if (socket == SocketId{}) socket = open->socket;
      reply(SocketOpened{open->socket, {address_, port}});
    } else if (const auto* name = std::get_if<Resolve>(&effect)) {
      reply(Resolved{name->id, {}});
    }
    return true;
  }
  /// The first one opened, at port 4001 unless asked otherwise.
  SocketId socket{};
  SocketAddress local() const { return {address_, 4001}; }

 private:
  IpAddress address_;
  uint16_t lastPort_ = 4000;
};

/// Virtual time, and a link of 10 ms between the two. Checks M4 at every step.
class ContractRun {
 public:
  struct Manners {
    bool advancesTooOften = false;  ///< also early, and with times that have passed
    bool advancesWhilePolled = false;
    bool pollsFirst = true;  ///< false: what the first machine gives is left where it is
    bool readsEvents = true;
    /// Sees what is about to arrive at one of them, to hand it something of its own before.
    std::function<void(Contracted& to, ByteSpan bytes, Timestamp now)> beforeArrival;
  };
  struct Output {
    Timestamp at;
    int from;
    char kind;  ///< d: datagram, e: event
    std::string what;
    bool operator==(const Output&) const = default;
  };
  static constexpr Timestamp kStart = Timestamp::seconds(1000);

  ContractRun(const MachineCase& machine, uint64_t seed, Manners manners)
      : manners_(std::move(manners)) {
    setClock();
    auto [first, second] = machine.make(seed);
    ends_.push_back(std::move(first));
    if (second) ends_.push_back(std::move(second));
    for (auto& end : ends_) end->start(now);
  }
  ContractRun(const MachineCase& machine, uint64_t seed) : ContractRun(machine, seed, Manners{}) {}

  void run(Duration time) {
    setClock();
    const Timestamp end = now + time;
    for (int steps = 0; collect(), true; ++steps) {
      Timestamp next = nextWork_;
      if (!flights_.empty()) next = earliest(next, flights_.begin()->first);
      for (const auto& e : ends_) next = earliest(next, e->nextDeadline());
      if (next > end) break;
      ASSERT_LT(steps, 200 + 20'000 * time.seconds()) << "wakes without end";
      if (manners_.advancesTooOften && next > now) {
        now += (next - now) / 2;
        setClock();
        for (auto& e : ends_) e->advance(now);
        collect();
      }
      now = std::max(now, next);
      setClock();
      step();
    }
    now = end;
  }
  void collect() {
    for (bool moved = true; std::exchange(moved, false);) {
      for (size_t i = 0; i < ends_.size(); ++i) moved = collectFrom(i) || moved;
    }
  }
  Contracted& first() { return *ends_[0]; }
  size_t datagramsOfFirst() const {
    return static_cast<size_t>(std::count_if(
        trace.begin(), trace.end(), [](const Output& o) { return o.from == 0 && o.kind == 'd'; }));
  }

  Timestamp now = kStart;
  bool works = true;
  std::vector<Output> trace;
  std::vector<Bytes> arrived;  ///< at the first machine

 private:
  void setClock() { sim::setVirtualNow(now); }
  void step() {
    while (!flights_.empty() && flights_.begin()->first <= now) {
      const auto [to, bytes] = std::move(flights_.begin()->second);
      flights_.erase(flights_.begin());
      if (manners_.beforeArrival) manners_.beforeArrival(*ends_[to], bytes, now);
      if (to == 0) arrived.push_back(bytes);
      ends_[to]->handle(bytes, now);
    }
    if (nextWork_ <= now) {
      if (works) {
        for (auto& e : ends_) e->work(round_, now);
      }
      ++round_;
      nextWork_ += Duration::millis(100);
    }
    for (auto& e : ends_) {
      if (manners_.advancesTooOften) {
        e->advance(now - Duration::seconds(5));
        e->advance(now);
        e->advance(now);
      } else if (e->nextDeadline() <= now) {
        e->advance(now);
      }
      ASSERT_GT(e->nextDeadline(), now) << "machine rule M4";
    }
  }
  bool collectFrom(size_t i) {
    Contracted& end = *ends_[i];
    bool moved = end.serve(now);
    if (i == 0 && !manners_.pollsFirst) return moved;
    Bytes bytes;
    while (end.pollDatagram(bytes)) {
      moved = true;
      trace.push_back({now, static_cast<int>(i), 'd', end.describe(bytes)});
      if (ends_.size() == 2) flights_.emplace(now + Duration::millis(10), std::pair{1 - i, bytes});
      if (manners_.advancesWhilePolled) end.advance(now);
    }
    std::string event;
    while (manners_.readsEvents && end.pollEvent(event)) {
      moved = true;
      trace.push_back({now, static_cast<int>(i), 'e', event});
      if (manners_.advancesWhilePolled) end.advance(now);
    }
    return moved;
  }

  Manners manners_;
  std::vector<std::unique_ptr<Contracted>> ends_;
  std::multimap<Timestamp, std::pair<size_t, Bytes>> flights_;
  Timestamp nextWork_ = kStart + Duration::millis(100);
  int round_ = 0;
  sim::ClockScope clock_{kStart};
};

class MachineContract : public ::testing::TestWithParam<MachineCase> {
 protected:
  static constexpr Duration kTime = Duration::seconds(3);
  using Manners = ContractRun::Manners;

  static std::vector<ContractRun::Output> trace(Manners manners = {}, uint64_t seed = 1) {
    ContractRun run(GetParam(), seed, std::move(manners));
    run.run(kTime);
    EXPECT_FALSE(run.trace.empty()) << "it did nothing at all";
    return run.trace;
  }
  static void expectSame(const std::vector<ContractRun::Output>& expected,
                         const std::vector<ContractRun::Output>& got) {
    const auto at = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end());
    if (at.first == expected.end() && at.second == got.end()) return;
    const auto say = [](auto it, auto end) {
      if (it == end) return std::string("nothing");
      return std::to_string((it->at - ContractRun::kStart).micros()) + " us, from " +
             std::to_string(it->from) + ", " + it->kind + " of " + std::to_string(it->what.size());
    };
    ADD_FAILURE() << "output " << (at.first - expected.begin()) << " of " << expected.size() << ": "
                  << say(at.first, expected.end()) << " became " << say(at.second, got.end());
  }
};

// M8, and of M3: what comes out is a function of what went in.
TEST_P(MachineContract, SameSeedGivesTheSame) {
  if (!GetParam().isDeterministic) return;
  expectSame(trace(), trace());
}

// M1, M4.
TEST_P(MachineContract, EarlyRepeatedAndBackwardAdvanceIsHarmless) {
  if (!GetParam().isDeterministic) return;
  Manners nervous;
  nervous.advancesTooOften = true;
  const auto calm = trace();
  const auto got = trace(nervous);
  if (!GetParam().isPaced) return expectSame(calm, got);
  const auto size = static_cast<double>(calm.size());
  EXPECT_NEAR(static_cast<double>(got.size()), size, 0.05 * size);
}

// M3.
TEST_P(MachineContract, AdvanceBetweenPollsIsHarmless) {
  if (!GetParam().isDeterministic) return;
  Manners interleaved;
  interleaved.advancesWhilePolled = true;
  expectSame(trace(), trace(interleaved));
}

// M2, and M4 meanwhile.
TEST_P(MachineContract, UnpolledItStaysBounded) {
  Manners unpolled;
  unpolled.pollsFirst = false;
  ContractRun run(GetParam(), 1, unpolled);
  run.run(Duration::seconds(30));
  Bytes bytes;
  size_t waiting = 0;
  while (run.first().pollDatagram(bytes)) ++waiting;
  std::string event;
  while (run.first().pollEvent(event)) ++waiting;
  EXPECT_LE(waiting, 10'000u);
}

// M5, and M4 meanwhile.
TEST_P(MachineContract, HostileBytesAreSurvived) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SeededRandom dice(seed);
    Manners hostile;
    hostile.beforeArrival = [&](Contracted& to, ByteSpan bytes, Timestamp now) {
      Bytes bad = toBytes(bytes);
      switch (dice.below(4)) {
        case 0:
          return;
        case 1:
          bad.resize(dice.below(bad.size() + 1));
          break;
        case 2:
          bad.resize(1 + dice.below(1400));
          for (uint8_t& byte : bad) byte = static_cast<uint8_t>(dice.u32());
          break;
        default:
          for (int i = 0; i < 3 && !bad.empty(); ++i)
            bad[dice.below(bad.size())] ^= static_cast<uint8_t>(1 << dice.below(8));
      }
      to.handle(bad, now);
      to.advance(now);
      ASSERT_GT(to.nextDeadline(), now);
    };
    ContractRun run(GetParam(), seed, hostile);
    run.run(kTime);
  }
}

// M6: nothing of a packet that is not whole takes effect.
TEST_P(MachineContract, HalfADatagramChangesNothing) {
  if (!GetParam().isDeterministic || !GetParam().noticesCuts) return;
  Manners cut;
  cut.beforeArrival = [](Contracted& to, ByteSpan bytes, Timestamp now) {
    to.handle(bytes.first(bytes.size() / 2), now);
  };
  expectSame(trace(), trace(cut));
}

// M7.
TEST_P(MachineContract, OthersInTheProcessAreNotNoticed) {
  if (!GetParam().isDeterministic) return;
  const auto alone = trace();
  ContractRun run(GetParam(), 1);
  ContractRun other(GetParam(), 2);
  for (int i = 0; i < 30; ++i) {
    other.run(kTime / 30);
    run.run(kTime / 30);
  }
  expectSame(alone, run.trace);
}

// M9.
TEST_P(MachineContract, MayBeDestroyedAtAnyPoint) {
  for (int millis = 0; millis < 500; millis += 23) {
    ContractRun run(GetParam(), 1);
    run.run(Duration::millis(millis));
  }
}

// M9.
TEST_P(MachineContract, OnceClosedItFallsSilent) {
  ContractRun run(GetParam(), 1);
  run.run(kTime);
  if (!run.first().close(run.now)) return;
  run.works = false;
  run.run(Duration::seconds(60));
  EXPECT_TRUE(run.first().nextDeadline().isNever());
  const size_t before = run.datagramsOfFirst();
  for (const Bytes& bytes : std::vector<Bytes>(run.arrived)) {
    run.first().handle(bytes, run.now);
    run.first().advance(run.now);
  }
  run.first().close(run.now);
  run.run(Duration::seconds(60));
  EXPECT_EQ(run.datagramsOfFirst(), before);
}

// M10.
TEST_P(MachineContract, UnreadEventsHoldBackNoDatagrams) {
  ContractRun read(GetParam(), 1);
  read.run(kTime);
  Manners unread;
  unread.readsEvents = false;
  ContractRun run(GetParam(), 1, unread);
  run.run(kTime);
  EXPECT_GE(2 * run.datagramsOfFirst(), read.datagramsOfFirst());
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MachineContract);

inline std::string nameOf(const ::testing::TestParamInfo<MachineCase>& info) {
  return info.param.name;
}

}  // namespace parley::test

/// Instantiates the rules: `PARLEY_MACHINES(Dtls, caseOf<Connection>(), ...)`.
#define PARLEY_MACHINES(layer, ...) \
  INSTANTIATE_TEST_SUITE_P(layer, MachineContract, ::testing::Values(__VA_ARGS__), nameOf)
