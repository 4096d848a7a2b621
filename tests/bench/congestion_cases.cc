// Congestion control on simulated bottlenecks: the goals, the test cases of RFC 8867, those of RFC
// 8869 in the simulator's terms, and cellular links. congestion.py runs it, prints its table and
// draws its curves.
//
//     congestion_cases OUT.json [NAME...] [--controller gcc|scream] [--feedback twcc|ccfb]
//     [--trace]
//
// --trace writes the estimators' state every 100 ms to stderr: seconds, flow, target, delay-based,
// loss-based and acknowledged rate, signal, queueing delay, application-limited, probes, bytes in
// the pacer, bytes in the bottleneck.

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "parley/congestion/scream.h"

#include "support/congestion/cellular.h"
#include "support/congestion/dumbbell.h"

namespace parley::test {
namespace {

struct Check {
  std::string what;
  double value;
  double low;
  double high;
  std::string unit;
  bool ok() const { return value >= low && value <= high; }
};

MediaEnd::Options g_end;
bool g_trace = false;

void trace(Dumbbell& net) {
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
        net(1, forward, backward),
        forward_(std::move(forward)) {}

  FlowOptions flow(const std::string& name, double maxKbps = 2500) const {
    FlowOptions options;
    options.name = name;
    options.end = g_end;
    options.end.max = DataRate::bps(static_cast<int64_t>(maxKbps * 1000));
    return options;
  }
  void run(double seconds, double settle = 10) {
    seconds_ = seconds;
    settle_ = settle;
    if (g_trace) net.onStep = [this] { trace(net); };
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
  void steadyGoals() {
    atLeast("utilisation", net.utilisation(settle_, seconds_) * 100, 90, "%");
    atMost("p95 queueing delay", net.queueDelay(0.95, settle_, seconds_), 100, "ms");
  }

  void write(std::FILE* out) const {
    std::fprintf(out, "{\"name\":\"%s\",\"title\":\"%s\",\"seconds\":%g,\n", name_.c_str(),
                 title_.c_str(), seconds_);
    std::fprintf(out,
                 "\"utilisation_ratio\":%.4f,\"queueing_delay_ms_p50\":%.2f,"
                 "\"queueing_delay_ms_p95\":%.2f,\"loss_ratio\":%.5f,\"checks\":[",
                 net.utilisation(settle_, seconds_), net.queueDelay(0.5, settle_, seconds_),
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
    std::printf("%-22s %5.1f %7.1f %7.1f %6.2f  ", name_.c_str(),
                net.utilisation(settle_, seconds_) * 100, net.queueDelay(0.5, settle_, seconds_),
                net.queueDelay(0.95, settle_, seconds_), net.loss() * 100);
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

 private:
  PathOptions forward_;
  double seconds_ = 0;
  double settle_ = 0;
  std::vector<Check> checks_;
};

PathOptions constant(double kbps, Duration queue = Duration::millis(300)) {
  PathOptions path;
  path.capacity = {{0, kbps}};
  path.queue = queue;
  return path;
}
PathOptions steps(std::vector<Capacity> capacity, Duration queue = Duration::millis(300)) {
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

void addGoals(std::vector<Entry>& all) {
  for (const double kbps : {500.0, 1000.0, 3000.0, 8000.0}) {
    char name[32];
    std::snprintf(name, sizeof name, "constant-%g", kbps / 1000);
    all.push_back({name, [kbps](const std::string& n) {
                     Made c = std::make_unique<Case>(n, "one flow, constant rate", constant(kbps));
                     c->net.addMedia(c->flow("media", 20'000));
                     c->run(60, 10);
                     c->steadyGoals();
                     return c;
                   }});
  }
  all.push_back({"start", [](const std::string& n) {
                   Made c = std::make_unique<Case>(n, "from 300 kb/s to 3 Mb/s", constant(3000));
                   auto& f = c->net.addMedia(c->flow("media", 10'000));
                   c->run(20, 5);
                   c->atMost("to 90 %", c->net.timeToRate(f, 0, 2700, 20), 2.5, "s");
                   return c;
                 }});
  all.push_back(
      {"halved", [](const std::string& n) {
         Made c = std::make_unique<Case>(n, "the rate halves, then doubles",
                                         steps({{0, 3000}, {20, 1500}, {40, 3000}}));
         auto& f = c->net.addMedia(c->flow("media", 10'000));
         c->run(70, 5);
         c->atMost("queue gone after halving", c->net.timeToShortQueue(f, 20, 100, 40), 2, "s");
         c->atLeast("utilisation while halved", c->net.utilisation(25, 40) * 100, 90, "%");
         c->atMost("to 90 % of the double", c->net.timeToRate(f, 40, 2700, 70), 10, "s");
         return c;
       }});
  all.push_back({"two-flows", [](const std::string& n) {
                   Made c = std::make_unique<Case>(n, "two equal flows, the second 10 s later",
                                                   constant(4000));
                   c->net.addMedia(c->flow("first", 10'000));
                   FlowOptions second = c->flow("second", 10'000);
                   second.start = 10;
                   c->net.addMedia(second);
                   c->run(120, 40);
                   c->steadyGoals();
                   const auto [low, high] = c->net.shares(60, 120);
                   c->within("smaller share", low * 100, 45, 55, "%");
                   return c;
                 }});
}

// RFC 9331: a queue that marks what waited longer than a few milliseconds.
void addL4s(std::vector<Entry>& all) {
  for (const double kbps : {1000.0, 5000.0}) {
    char name[32];
    std::snprintf(name, sizeof name, "l4s-%g", kbps / 1000);
    all.push_back({name, [kbps](const std::string& n) {
                     PathOptions path = constant(kbps);
                     path.markAbove = Duration::millis(kbps < 2000 ? 15 : 5);
                     Made c = std::make_unique<Case>(n, "a queue with early marks", path);
                     c->net.addMedia(c->flow("media", 20'000));
                     c->run(60, 10);
                     c->atLeast("utilisation", c->net.utilisation(10, 60) * 100, 65, "%");
                     return c;
                   }});
  }
}

void addRfc8867(std::vector<Entry>& all) {
  all.push_back({"8867-5.1", [](const std::string& n) {
                   Made c = std::make_unique<Case>(
                       n, "variable capacity, one flow",
                       steps({{0, 1000}, {40, 2500}, {60, 600}, {80, 1000}}));
                   FlowOptions f = c->flow("media");
                   f.jitter = Duration::millis(30);
                   c->net.addMedia(f);
                   c->run(100, 5);
                   c->atLeast("utilisation", c->net.utilisation(5, 100) * 100, 80, "%");
                   return c;
                 }});
  all.push_back({"8867-5.2", [](const std::string& n) {
                   Made c = std::make_unique<Case>(
                       n, "variable capacity, two flows",
                       steps({{0, 4000}, {25, 2000}, {50, 3500}, {75, 1000}, {100, 2000}}));
                   for (const char* name : {"first", "second"}) {
                     FlowOptions f = c->flow(name);
                     f.jitter = Duration::millis(30);
                     c->net.addMedia(f);
                   }
                   c->run(125, 5);
                   c->atLeast("utilisation", c->net.utilisation(5, 125) * 100, 80, "%");
                   return c;
                 }});
  all.push_back(
      {"8867-5.3", [](const std::string& n) {
         Made c = std::make_unique<Case>(n, "congested feedback, media both ways",
                                         steps({{0, 2000}, {20, 1000}, {40, 500}, {60, 2000}}),
                                         steps({{0, 2000}, {35, 800}, {70, 2000}}));
         FlowOptions f = c->flow("forward");
         f.jitter = Duration::millis(30);
         c->net.addMedia(f);
         f.name = "backward";
         f.reverse = true;
         c->net.addMedia(f);
         c->run(100, 5);
         c->atLeast("utilisation", c->net.utilisation(5, 100) * 100, 80, "%");
         c->atLeast("utilisation backward", c->net.utilisation(5, 100, true) * 100, 80, "%");
         return c;
       }});
  all.push_back({"8867-5.4", [](const std::string& n) {
                   Made c = std::make_unique<Case>(n, "three flows of ours", constant(3500));
                   for (int i = 0; i < 3; ++i) {
                     FlowOptions f = c->flow("flow " + std::to_string(i + 1));
                     f.start = 20 * i;
                     c->net.addMedia(f);
                   }
                   c->run(120, 5);
                   c->steadyGoals();
                   const auto [low, high] = c->net.shares(80, 120);
                   c->within("smallest share", low * 100, 25, 34, "%");
                   return c;
                 }});
  all.push_back({"8867-5.5", [](const std::string& n) {
                   Made c =
                       std::make_unique<Case>(n, "round trips of 20 to 300 ms", constant(4000));
                   int i = 0;
                   for (const int delay : {10, 25, 50, 100, 150}) {
                     FlowOptions f = c->flow(std::to_string(delay) + " ms");
                     f.delay = Duration::millis(delay);
                     f.start = 10 * i++;
                     c->net.addMedia(f);
                   }
                   c->run(300, 60);
                   c->steadyGoals();
                   const auto [low, high] = c->net.shares(150, 300);
                   c->atLeast("smallest share", low * 100, 5, "%");
                   c->atMost("largest share", high * 100, 40, "%");
                   return c;
                 }});
  for (const auto kind : {TcpSender::Kind::Reno, TcpSender::Kind::Cubic}) {
    for (const int queue : {20, 300, 1000}) {
      const std::string name = std::string("8867-5.6-") +
                               (kind == TcpSender::Kind::Reno ? "reno" : "cubic") + "-" +
                               std::to_string(queue);
      all.push_back({name, [kind, queue](const std::string& n) {
                       Made c = std::make_unique<Case>(n, "beside a long TCP flow",
                                                       constant(2000, Duration::millis(queue)));
                       auto& f = c->net.addMedia(c->flow("media"));
                       c->net.addTcp("TCP", kind, -1, 5);
                       c->run(120, 10);
                       // RFC 8836: neither is to be starved. Nobody promises more against a full
                       // queue.
                       c->atLeast("share of media", c->net.rate(f, 20, 120) / 20,
                                  queue > 500 ? 5 : 15, "%");
                       c->atMost("share of media", c->net.rate(f, 20, 120) / 20, 85, "%");
                       return c;
                     }});
    }
  }
  all.push_back({"8867-5.7", [](const std::string& n) {
                   Made c = std::make_unique<Case>(n, "beside short TCP flows", constant(2000));
                   auto& f = c->net.addMedia(c->flow("media"));
                   SeededRandom random(57);
                   // Ten users, each with a page after the other: mostly small ones, now and then a
                   // large one.
                   double at = 5;
                   for (int i = 0; at < 290 && i < 45; ++i) {
                     const bool large = random.unit() < 0.2;
                     const auto bytes = static_cast<int64_t>(large ? 300'000 + random.below(700'000)
                                                                   : 20'000 + random.below(80'000));
                     c->net.addTcp("TCP " + std::to_string(i + 1), TcpSender::Kind::Cubic, bytes,
                                   at);
                     at += 2 + random.unit() * 10;
                   }
                   c->run(300, 10);
                   c->atLeast("share of media", c->net.rate(f, 10, 300) / 20, 50, "%");
                   return c;
                 }});
  all.push_back(
      {"8867-5.8", [](const std::string& n) {
         Made c = std::make_unique<Case>(n, "three flows, one pauses", constant(3500));
         for (int i = 0; i < 3; ++i) c->net.addMedia(c->flow("flow " + std::to_string(i + 1)));
         auto& first = *c->net.flows()[0];
         c->net.at(40, [&first] { first.sender->stopVideo(); });
         c->net.at(60, [&first, net = &c->net] { first.sender->startVideo(net->world().now()); });
         c->run(120, 5);
         c->steadyGoals();
         c->atMost("resumed to 700 kb/s after", c->net.timeToRate(first, 60, 700, 120), 10, "s");
         return c;
       }});
}

void addWireless(std::vector<Entry>& all) {
  // RFC 8869 section 3 lets recorded or modelled cellular links stand for the radio.
  int number = 0;
  for (const CellularModel& model : kCellular) {
    const std::string name = "cellular-" + std::to_string(++number);
    all.push_back({name, [&model](const std::string& n) {
                     Made c = std::make_unique<Case>(
                         n, std::string("a cellular link, ") + model.name,
                         steps(cellularTrace(model, 120), Duration::millis(500)));
                     c->net.addMedia(c->flow("media", 3000));
                     c->run(120, 5);
                     c->atLeast("utilisation", c->net.utilisation(5, 120) * 100, 50, "%");
                     return c;
                   }});
  }
  // Section 4: what a shared wireless LAN does to packets: aggregates arrive together, some are
  // lost in bursts, others take the air.
  all.push_back({"wifi-good", [](const std::string& n) {
                   PathOptions path = constant(5000);
                   path.loss = sim::LossModel::bursts(0.002, 3);
                   Made c = std::make_unique<Case>(n, "wireless LAN, good signal", path);
                   FlowOptions f = c->flow("media", 3000);
                   f.jitter = Duration::millis(15);
                   c->net.addMedia(f);
                   c->run(60, 10);
                   c->atLeast("utilisation", c->net.utilisation(10, 60) * 100, 80, "%");
                   return c;
                 }});
  all.push_back({"wifi-edge", [](const std::string& n) {
                   PathOptions path =
                       steps({{0, 2000}, {15, 1200}, {30, 2500}, {45, 900}}, Duration::millis(200));
                   path.loss = sim::LossModel::bursts(0.02, 3);
                   Made c = std::make_unique<Case>(n, "wireless LAN, weak signal", path);
                   FlowOptions f = c->flow("media", 3000);
                   f.jitter = Duration::millis(30);
                   c->net.addMedia(f);
                   c->run(60, 5);
                   c->atLeast("utilisation", c->net.utilisation(5, 60) * 100, 60, "%");
                   return c;
                 }});
  all.push_back({"wifi-three", [](const std::string& n) {
                   PathOptions path = constant(6000);
                   path.loss = sim::LossModel::bursts(0.005, 2);
                   Made c =
                       std::make_unique<Case>(n, "wireless LAN, three calls and a download", path);
                   for (int i = 0; i < 3; ++i) {
                     FlowOptions f = c->flow("flow " + std::to_string(i + 1));
                     f.jitter = Duration::millis(20);
                     c->net.addMedia(f);
                   }
                   c->net.addTcp("TCP", TcpSender::Kind::Cubic, 8'000'000, 20);
                   c->run(90, 10);
                   const auto [low, high] = c->net.shares(10, 90);
                   c->atLeast("smallest share", low * 100, 20, "%");
                   return c;
                 }});
}

bool chosen(const std::vector<std::string>& wanted, const std::string& name) {
  if (wanted.empty()) return true;
  for (const std::string& w : wanted) {
    if (name.rfind(w, 0) == 0) return true;
  }
  return false;
}

int run(int argc, char** argv) {
  std::vector<std::string> wanted;
  for (int i = 2; i < argc; ++i) {
    if (std::strcmp(argv[i], "--feedback") == 0 && i + 1 < argc) {
      if (std::strcmp(argv[++i], "ccfb") == 0) g_end.feedback = media::ArrivalFeedback::Rfc8888;
    } else if (std::strcmp(argv[i], "--trace") == 0) {
      g_trace = true;
    } else if (std::strcmp(argv[i], "--controller") == 0 && i + 1 < argc) {
      if (std::strcmp(argv[++i], "scream") == 0) {
        static const auto scream = congestion::screamFactory();
        g_end.controllers = scream.get();
        g_end.feedback = media::ArrivalFeedback::Rfc8888;
      }
    } else {
      wanted.emplace_back(argv[i]);
    }
  }
  std::vector<Entry> all;
  addGoals(all);
  addL4s(all);
  addRfc8867(all);
  addWireless(all);
  std::FILE* out = std::fopen(argv[1], "w");
  if (out == nullptr) return 2;
  std::fprintf(out, "[");
  std::printf("%-22s %5s %7s %7s %6s\n", "case", "use %", "p50 ms", "p95 ms", "loss %");
  const char* separator = "";
  bool ok = true;
  for (const Entry& entry : all) {
    if (!chosen(wanted, entry.name)) continue;
    const Made made = entry.make(entry.name);
    std::fputs(separator, out);
    made->write(out);
    ok = made->print() && ok;
    std::fflush(stdout);
    separator = ",\n";
  }
  std::fprintf(out, "]\n");
  std::fclose(out);
  return ok ? 0 : 1;
}

}  // namespace
}  // namespace parley::test

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: congestion_cases OUT.json [CASE...] [--controller gcc|scream] [--feedback "
                 "twcc|ccfb]\n");
    return 2;
  }
  return parley::test::run(argc, argv);
}
