#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/congestion/dumbbell.h"

namespace parley::test {

/// What all cases of a run have in common.
struct CaseSettings {
  MediaEnd::Options end;
  uint64_t seed = 1;
  bool trace = false;
};
inline CaseSettings& caseSettings() {
  static CaseSettings settings;
  return settings;
}

struct Check {
  std::string what;
  double value;
  double low;
  double high;
  std::string unit;
  bool ok() const { return value >= low && value <= high; }
};

inline void trace(Dumbbell& net) {
  for (const auto& flow : net.flows()) {
    const media::BandwidthStats b = flow->sender->session().bandwidth();
    const congestion::EstimatorState& e = b.estimator;
    std::fprintf(stderr, "%.1f,%s,%.0f,%.0f,%.0f,%.0f,%d,%.0f,%d,%u,%lld,%zu\n", net.now(),
                 flow->options.name.c_str(), b.target.kbps(), e.delayBased.kbps(),
                 e.lossBased.kbps(), e.acknowledged.kbps(), static_cast<int>(e.signal),
                 e.queueDelay.seconds() * 1000, e.applicationLimited ? 1 : 0, e.probes,
                 static_cast<long long>(b.pacerQueueBytes), net.bottleneck().queueBytes());
  }
}

/// A case: its network with flows, what was seen, what was asked for.
class Case {
 public:
  Case(std::string name, std::string title, PathOptions forward,
       PathOptions backward = Dumbbell::wide())
      : name_(std::move(name)),
        title_(std::move(title)),
        net(caseSettings().seed, forward, backward),
        forward_(std::move(forward)) {}

  FlowOptions flow(const std::string& name, double maxKbps = 2500) const {
    FlowOptions options;
    options.name = name;
    options.end = caseSettings().end;
    options.end.max = DataRate::bps(static_cast<int64_t>(maxKbps * 1000));
    return options;
  }
  void run(double seconds, double settle = 10) {
    seconds_ = seconds;
    settle_ = settle;
    net.onStep = [this] {
      if (caseSettings().trace) trace(net);
      if (onStep) onStep();
    };
    net.run(seconds);
  }
  void atLeast(const char* what, double value, double low, const char* unit) {
    checks_.push_back({what, value, low, 1e12, unit});
  }
  void atMost(const char* what, double value, double high, const char* unit) {
    checks_.push_back({what, value, -1e12, high, unit});
  }
  void within(const char* what, double value, double low, double high, const char* unit) {
    checks_.push_back({what, value, low, high, unit});
  }
  /// Of the direction that media takes.
  double utilisation() const {
    const bool reverse = std::all_of(net.flows().begin(), net.flows().end(),
                                     [](const auto& flow) { return flow->options.reverse; });
    return net.utilisation(settle_, seconds_, reverse);
  }
  /// What is measured as queueing delay includes the path's jitter.
  void steadyGoals(Duration jitter = {}) {
    atLeast("utilisation", utilisation() * 100, 90, "%");
    atMost("p95 queueing delay", net.queueDelay(0.95, settle_, seconds_),
           100 + jitter.seconds() * 1000, "ms");
  }

  void write(std::FILE* out) const {
    std::fprintf(out, "{\"name\":\"%s\",\"title\":\"%s\",\"seconds\":%g,\n", name_.c_str(),
                 title_.c_str(), seconds_);
    std::fprintf(out,
                 "\"utilisation_ratio\":%.4f,\"queueing_delay_ms_p50\":%.2f,"
                 "\"queueing_delay_ms_p95\":%.2f,\"loss_ratio\":%.5f,\"checks\":[",
                 utilisation(), net.queueDelay(0.5, settle_, seconds_),
                 net.queueDelay(0.95, settle_, seconds_), net.loss());
    const char* separator = "";
    for (const Check& c : checks_) {
      std::fprintf(
          out,
          "%s{\"what\":\"%s\",\"value\":%.4f,\"low\":%g,\"high\":%g,\"unit\":\"%s\",\"ok\":%s}",
          separator, c.what.c_str(), c.value, c.low, c.high, c.unit.c_str(),
          c.ok() ? "true" : "false");
      separator = ",";
    }
    std::fprintf(out, "],\n\"capacity\":[");
    separator = "";
    for (const Capacity& c : forward_.capacity) {
      if (c.from > seconds_) break;
      std::fprintf(out, "%s[%.2f,%.1f]", separator, c.from, c.kbps);
      separator = ",";
    }
    std::fprintf(out, "],\n\"flows\":[");
    separator = "";
    for (const auto& f : net.flows()) {
      std::fprintf(out, "%s{\"name\":\"%s\",\"points\":[", separator, f->options.name.c_str());
      writePoints(out, f->receiver->arrivals(), f->options.delay.seconds() * 1000, &f->targets);
      std::fprintf(out, "]}");
      separator = ",\n";
    }
    for (const auto& f : net.tcp()) {
      std::fprintf(out, "%s{\"name\":\"%s\",\"points\":[", separator, f->name.c_str());
      writePoints(out, f->receiver->arrivals(), 0, nullptr);
      std::fprintf(out, "]}");
      separator = ",\n";
    }
    std::fprintf(out, "]}");
  }
  bool print() const {
    bool ok = true;
    std::printf("%-22s %5.1f %7.1f %7.1f %6.2f  ", name_.c_str(), utilisation() * 100,
                net.queueDelay(0.5, settle_, seconds_), net.queueDelay(0.95, settle_, seconds_),
                net.loss() * 100);
    for (const Check& c : checks_) {
      std::printf("%s%s %.4g %s", c.ok() ? "" : "FAILED ", c.what.c_str(), c.value, c.unit.c_str());
      if (c.low > -1e11) std::printf(" >= %g", c.low);
      if (c.high < 1e11) std::printf(" <= %g", c.high);
      std::printf("; ");
      ok = ok && c.ok();
    }
    std::printf("\n");
    return ok;
  }

 private:
  /// [seconds, received kb/s, longest wait in ms, target kb/s] per 200 ms.
  void writePoints(std::FILE* out, const std::vector<Arrival>& arrivals, double delayMs,
                   const std::vector<Dumbbell::Sample>* targets) const {
    constexpr double kStep = 0.2;
    size_t next = 0;
    size_t target = 0;
    const char* separator = "";
    for (double t = 0; t < seconds_ - 1e-6; t += kStep) {
      double bits = 0;
      double wait = 0;
      while (next < arrivals.size() && arrivals[next].at - net.start() < t + kStep) {
        bits += arrivals[next].bytes * 8.0;
        if (delayMs > 0) wait = std::max(wait, arrivals[next].delayMs - delayMs);
        ++next;
      }
      double wanted = 0;
      if (targets != nullptr) {
        while (target + 1 < targets->size() && (*targets)[target].at < t + kStep) ++target;
        if (!targets->empty()) wanted = (*targets)[target].targetKbps;
      }
      std::fprintf(out, "%s[%.1f,%.0f,%.1f,%.0f]", separator, t, bits / kStep / 1000, wait, wanted);
      separator = ",";
    }
  }

  std::string name_;
  std::string title_;

 public:
  Dumbbell net;
  /// Called every 100 ms.
  std::function<void()> onStep;

 private:
  PathOptions forward_;
  double seconds_ = 0;
  double settle_ = 0;
  std::vector<Check> checks_;
};

inline PathOptions constant(double kbps, Duration queue = Duration::millis(300)) {
  PathOptions path;
  path.capacity = {{0, kbps}};
  path.queue = queue;
  return path;
}
inline PathOptions steps(std::vector<Capacity> capacity, Duration queue = Duration::millis(300)) {
  PathOptions path;
  path.capacity = std::move(capacity);
  path.queue = queue;
  return path;
}

struct Entry {
  std::string name;
  std::function<std::unique_ptr<Case>(const std::string&)> make;
};
using Made = std::unique_ptr<Case>;

void addWireless(std::vector<Entry>& all);

}  // namespace parley::test
