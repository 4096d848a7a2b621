// Data channels between two loops of one process over loopback sockets: throughput, CPU per GiB of
// both ends, small messages, round trips, and what a connection costs in memory.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

#include <benchmark/benchmark.h>

#include "unit/api/live_pair.h"

namespace parley {
namespace {

double cpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// A pair with one open channel; counts what arrives at the far end.
class OpenPair {
 public:
  explicit OpenPair(bool echo = false) {
    channel = pair.a.createDataChannel("bench").value();
    test::Latch open;
    channel.onOpen([&] { open.set(); });
    channel.setBufferedAmountLowThreshold(1 << 20);
    channel.onBufferedAmountLow([this] { room_.notify_all(); });
    pair.b.onDataChannel([this, echo](DataChannel incoming) {
      incoming.onMessage([this, echo, incoming](const DataMessage& m) mutable {
        bytes += m.data.size();
        ++messages;
        if (echo) (void)incoming.send(m.data);
      });
    });
    pair.negotiate();
    ok = open.wait();
    channel.onOpen({});
  }
  void waitForRoom() {
    std::unique_lock lock(mutex_);
    room_.wait_for(lock, std::chrono::milliseconds(5),
                   [this] { return channel.bufferedAmount() < (2u << 20); });
  }

  test::LivePair pair;
  DataChannel channel;
  bool ok = false;
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> messages{0};

 private:
  std::mutex mutex_;
  std::condition_variable room_;
};

void Throughput(benchmark::State& state) {
  OpenPair pair;
  if (!pair.ok) return state.SkipWithError("no connection");
  const Bytes message(static_cast<size_t>(state.range(0)), 0x5a);
  const uint64_t total = message.size() < 1024 ? 16u << 20 : 256u << 20;
  double cpu = 0;
  uint64_t sent = 0;
  for (auto _ : state) {
    const double before = cpuSeconds();
    const uint64_t end = pair.bytes + total;
    for (uint64_t queued = 0; queued < total; queued += message.size()) {
      while (pair.channel.bufferedAmount() > (2u << 20)) pair.waitForRoom();
      if (!pair.channel.send(ByteSpan(message))) return state.SkipWithError("send failed");
      ++sent;
    }
    while (pair.bytes < end) std::this_thread::sleep_for(std::chrono::microseconds(200));
    cpu += cpuSeconds() - before;
  }
  const double gib =
      static_cast<double>(total) * static_cast<double>(state.iterations()) / (1u << 30);
  state.counters["rate_mib_per_s"] = benchmark::Counter(gib * 1024, benchmark::Counter::kIsRate);
  state.counters["cpu_s_per_gib"] = cpu / gib;
  state.counters["cpu_us_per_message"] = cpu * 1e6 / static_cast<double>(sent);
}
BENCHMARK(Throughput)
    ->Arg(32)
    ->Arg(1024)
    ->Arg(16384)
    ->Arg(65536)
    ->Arg(262144)
    ->UseRealTime()
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

void RoundTrip(benchmark::State& state) {
  OpenPair pair(true);
  if (!pair.ok) return state.SkipWithError("no connection");
  std::mutex mutex;
  std::condition_variable back;
  int answers = 0;
  pair.channel.onMessage([&](const DataMessage&) {
    const std::lock_guard lock(mutex);
    ++answers;
    back.notify_one();
  });
  std::vector<double> times;
  const uint8_t ping[32] = {};
  for (auto _ : state) {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex);
    const int before = answers;
    lock.unlock();
    (void)pair.channel.send(ByteSpan(ping));
    lock.lock();
    back.wait(lock, [&] { return answers > before; });
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  std::sort(times.begin(), times.end());
  state.counters["rtt_us_p50"] = times[times.size() / 2];
  state.counters["rtt_us_p99"] = times[times.size() * 99 / 100];
}
BENCHMARK(RoundTrip)->UseRealTime()->Iterations(5000)->Unit(benchmark::kMicrosecond);

size_t residentKib() {
  size_t pages = 0, resident = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%zu %zu", &pages, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

void IdleConnections(benchmark::State& state) {
  OpenPair warm;
  for (auto _ : state) {
    const size_t before = residentKib();
    const double cpuBefore = cpuSeconds();
    std::vector<std::unique_ptr<OpenPair>> pairs;
    for (int64_t i = 0; i < state.range(0); ++i) pairs.push_back(std::make_unique<OpenPair>());
    const double setup = cpuSeconds() - cpuBefore;
    state.counters["kib_per_connection"] =
        static_cast<double>(residentKib() - before) / static_cast<double>(2 * state.range(0));
    state.counters["setup_cpu_ms_per_pair"] = setup * 1000 / static_cast<double>(state.range(0));
    const double idleBefore = cpuSeconds();
    std::this_thread::sleep_for(std::chrono::seconds(5));
    state.counters["idle_core_ratio"] = (cpuSeconds() - idleBefore) / 5;
  }
}
BENCHMARK(IdleConnections)->Arg(50)->UseRealTime()->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace parley
