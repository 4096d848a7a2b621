// What SCTP gets through a bottleneck with random loss, ours beside usrsctp: the table of
// src/sctp/README.md. In virtual time: only the counters matter, and they are the same everywhere.

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>

#include "parley/base/environment.h"
#include "parley/base/random.h"
#include "parley/sctp/association.h"
#include "parley/sim/clock_shim.h"

namespace parley::sctp {
namespace {

enum class Engine : uint8_t { Parley, UsrSctp };

struct Path {
  double megabits = 20;
  Duration rtt = Duration::millis(40);
  double loss = 0;
  size_t queue = 256 * 1024;
};

/// A sender that always has something to send, its receiver, and the path between them.
class Transfer {
 public:
  Transfer(const Path& path, Engine engine)
      : path_(path), ends_{make(engine, envA_), make(engine, envB_)} {
    for (auto& end : ends_) end->connect(now_);
  }
  /// Mb/s of payload over so long.
  double run(Duration d) {
    const uint64_t before = received_;
    const Timestamp end = now_ + d;
    for (;;) {
      exchange();
      Timestamp next = earliest(ends_[0]->nextDeadline(), ends_[1]->nextDeadline());
      if (!flight_.empty()) next = earliest(next, flight_.begin()->first.first);
      if (next >= end) break;
      now_ = std::max(now_, next);
      clock_.set(now_);
      while (!flight_.empty() && flight_.begin()->first.first <= now_) {
        const auto packet = std::move(flight_.begin()->second);
        flight_.erase(flight_.begin());
        ends_[packet.first]->handlePacket(packet.second, now_);
      }
      for (auto& e : ends_) {
        if (e->nextDeadline() <= now_) e->advance(now_);
      }
    }
    now_ = end;
    clock_.set(now_);
    return static_cast<double>(received_ - before) * 8e-6 / d.seconds();
  }
  const Association& sender() const { return *ends_[0]; }

 private:
  static std::unique_ptr<Association> make(Engine engine, Environment& environment) {
    AssociationConfig config;
    config.interleaving = engine == Engine::Parley;
    return engine == Engine::Parley ? createAssociation(environment, config)
                                    : createUsrSctpAssociation(environment, config);
  }
  void exchange() {
    while (ends_[0]->state() == AssociationState::Connected &&
           ends_[0]->bufferedAmount() < 1'000'000 && ends_[0]->send(1, 53, message_, {}, now_)) {
    }
    AssociationEvent event;
    for (size_t i = 0; i < 2; ++i) {
      while (ends_[i]->pollEvent(event)) {
      }
      while (ends_[i]->pollInbound(in_)) received_ += in_.data.size();
      PacketBuf packet;
      while (ends_[i]->pollTransmit(packet)) transmit(i, packet.span());
    }
  }
  void transmit(size_t from, ByteSpan packet) {
    if (path_.loss > 0 && random_.unit() < path_.loss) return;
    // DTLS, UDP and IP take their part of the link.
    constexpr size_t kOverhead = 37 + 48;
    const double rate = path_.megabits * 125'000;
    const Duration wait = std::max(busyUntil_[from], now_) - now_;
    if (wait.seconds() * rate > static_cast<double>(path_.queue)) return;
    busyUntil_[from] =
        now_ + wait + Duration::fromSeconds(static_cast<double>(packet.size() + kOverhead) / rate);
    flight_.emplace(std::pair{busyUntil_[from] + path_.rtt / 2, order_++},
                    std::pair{1 - from, toBytes(packet)});
  }

  Path path_;
  SeededRandom random_{3}, randomA_{1}, randomB_{2};
  PacketPool pool_;
  Environment envA_{randomA_, pool_};
  Environment envB_{randomB_, pool_};
  Timestamp now_ = Timestamp::seconds(100'000);
  sim::ClockScope clock_{now_};
  std::unique_ptr<Association> ends_[2];
  std::map<std::pair<Timestamp, uint64_t>, std::pair<size_t, Bytes>> flight_;
  uint64_t order_ = 0;
  Timestamp busyUntil_[2];
  Bytes message_ = Bytes(64 * 1024, 0x5A);
  Inbound in_;
  uint64_t received_ = 0;
};

void goodput(benchmark::State& state, Path path, Engine engine, Duration settle) {
  for (auto _ : state) {
    Transfer transfer(path, engine);
    transfer.run(settle);
    state.counters["payload_mbit_per_s"] = transfer.run(Duration::seconds(20));
    const AssociationStats stats = transfer.sender().stats();
    state.counters["round_trip_ms"] = stats.smoothedRtt.seconds() * 1000;
    state.counters["timeouts"] = static_cast<double>(stats.timeouts);
  }
}

void add(const Path& path, Duration settle) {
  for (const Engine engine : {Engine::Parley, Engine::UsrSctp}) {
    char name[96];
    std::snprintf(name, sizeof name, "Goodput/%.0fmbit_%dms_loss%.1f/%s", path.megabits,
                  static_cast<int>(path.rtt.millis()), path.loss * 100,
                  engine == Engine::Parley ? "parley" : "usrsctp");
    benchmark::RegisterBenchmark(name, [=](benchmark::State& state) {
      goodput(state, path, engine, settle);
    })->Iterations(1);
  }
}

const bool kRegistered = [] {
  for (const double megabits : {20.0, 100.0}) {
    for (const int rtt : {20, 75, 300}) {
      for (const double loss : {0.0, 0.001, 0.01, 0.05})
        add({.megabits = megabits, .rtt = Duration::millis(rtt), .loss = loss},
            Duration::seconds(5));
    }
  }
  // A long fat path, with a queue of a third of a round trip.
  add({.megabits = 1000, .rtt = Duration::millis(100), .queue = 4u << 20}, Duration::seconds(3));
  return true;
}();

}  // namespace
}  // namespace parley::sctp
