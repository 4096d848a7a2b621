// Congestion control on simulated bottlenecks: the goals, the test cases of RFC 8867, those of RFC
// 8869 in the simulator's terms, and cellular links. congestion.py runs it, prints its table and
// draws its curves.
//
//     congestion_cases OUT.json [NAME...] [--controller gcc|scream] [--feedback twcc|ccfb]
//         [--seed N] [--trace]
//
// --trace writes the estimators' state every 100 ms to stderr: seconds, flow, target, delay-based,
// loss-based and acknowledged rate, signal, queueing delay, application-limited, probes, bytes in
// the pacer, bytes in the bottleneck.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parley/congestion/scream.h"

#include "bench/congestion_case.h"

namespace parley::test {
namespace {

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
                     c->steadyGoals();
                     return c;
                   }});
  }
  all.push_back({"l4s-two-flows", [](const std::string& n) {
                   PathOptions path = constant(5000);
                   path.markAbove = Duration::millis(5);
                   Made c = std::make_unique<Case>(n, "two flows, a queue with early marks", path);
                   c->net.addMedia(c->flow("first", 10'000));
                   FlowOptions second = c->flow("second", 10'000);
                   // Cameras are not in step; where they are, whose frames are always second gets
                   // the marks.
                   second.start = 10.016;
                   c->net.addMedia(second);
                   c->run(120, 40);
                   c->atLeast("utilisation", c->utilisation() * 100, 85, "%");
                   const auto [low, high] = c->net.shares(60, 120);
                   c->within("smaller share", low * 100, 45, 55, "%");
                   return c;
                 }});
}

// What is sent into a path that stands still is old when it arrives, and in the way of what
// follows.
void addStall(std::vector<Entry>& all) {
  all.push_back({"stall", [](const std::string& n) {
                   PathOptions path = steps({{0, 2000}, {20, 10}, {23, 2000}});
                   path.queueBytes = 1'000'000;
                   Made c = std::make_unique<Case>(n, "the path stands still for 3 s", path);
                   auto& f = c->net.addMedia(c->flow("media", 10'000));
                   auto most = std::make_shared<size_t>(0);
                   c->onStep = [most, net = &c->net] {
                     if (net->now() > 20) *most = std::max(*most, net->bottleneck().queueBytes());
                   };
                   c->run(40, 5);
                   c->atMost("most in the queue", static_cast<double>(*most) / 250, 1000, "ms");
                   c->atMost("queue gone after", c->net.timeToShortQueue(f, 23, 100, 40), 2, "s");
                   c->atMost("to 90 %", c->net.timeToRate(f, 23, 1800, 40), 8, "s");
                   return c;
                 }});
}

// A call that moves to a slower path: what it knew and what waits are of the former one.
void addRouteChange(std::vector<Entry>& all) {
  all.push_back({"route-change", [](const std::string& n) {
                   Made c = std::make_unique<Case>(n, "another path, with a twentieth of the rate",
                                                   steps({{0, 10'000}, {15, 500}}));
                   auto& f = c->net.addMedia(c->flow("media"));
                   c->net.at(15, [&f, net = &c->net] {
                     f.sender->session().onRouteChange(net->world().now(), std::nullopt);
                   });
                   auto least = std::make_shared<double>(1e9);
                   c->onStep = [least, &f, net = &c->net] {
                     if (net->now() > 15.05 && net->now() < 23)
                       *least = std::min(*least, f.sender->session().bandwidth().target.kbps());
                   };
                   c->run(45, 5);
                   c->atLeast("least target", *least, 100, "kb/s");
                   c->atMost("queue gone after", c->net.timeToShortQueue(f, 15, 100, 45), 4, "s");
                   c->atMost("to 80 %", c->net.timeToRate(f, 17, 400, 45), 8, "s");
                   return c;
                 }});
}

/// The jitter of all cases of the RFC.
constexpr Duration kJitter = Duration::millis(30);

/// Ten users, each with one download after the other: 100 kB to 1 MB, then a pause of 10 s on
/// average. Two begin with a download, the others with the pause.
void downloads(Case& c) {
  constexpr int kUsers = 10;
  constexpr int kBusyAtFirst = 2;
  constexpr double kPauseSeconds = 10;
  struct State {
    SeededRandom random{57};
    std::vector<bool> waiting;
    double pause() { return -std::log(1 - random.unit()) * kPauseSeconds; }
    int64_t size() { return 100'000 + static_cast<int64_t>(random.below(900'000)); }
  };
  const auto state = std::make_shared<State>();
  for (int i = 0; i < kUsers; ++i) {
    const double start = i < kBusyAtFirst ? 0 : state->pause();
    c.net.addTcp("TCP " + std::to_string(i + 1), TcpSender::Kind::Cubic, state->size(), start);
    state->waiting.push_back(false);
  }
  c.onStep = [state, net = &c.net] {
    for (size_t i = 0; i < net->tcp().size(); ++i) {
      auto& flow = *net->tcp()[i];
      if (state->waiting[i] || !flow.sender->finished()) continue;
      state->waiting[i] = true;
      net->at(net->now() + state->pause(), [state, net, i, &flow] {
        state->waiting[i] = false;
        flow.sender->restart(state->size(), net->world().now());
      });
    }
  };
}

void addRfc8867(std::vector<Entry>& all) {
  all.push_back({"8867-5.1", [](const std::string& n) {
                   Made c = std::make_unique<Case>(
                       n, "variable capacity, one flow",
                       steps({{0, 1000}, {40, 2500}, {60, 600}, {80, 1000}}));
                   FlowOptions f = c->flow("media");
                   f.jitter = kJitter;
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
                     f.jitter = kJitter;
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
         f.jitter = kJitter;
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
                     f.jitter = kJitter;
                     f.start = 20 * i;
                     c->net.addMedia(f);
                   }
                   c->run(120, 5);
                   c->steadyGoals(kJitter);
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
                     f.jitter = kJitter;
                     f.start = 10 * i++;
                     c->net.addMedia(f);
                   }
                   c->run(300, 60);
                   c->steadyGoals(kJitter);
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
                       FlowOptions options = c->flow("media");
                       options.jitter = kJitter;
                       options.start = 5;
                       auto& f = c->net.addMedia(options);
                       c->net.addTcp("TCP", kind, -1, 0);
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
                   Made c = std::make_unique<Case>(n, "two flows beside short TCP flows",
                                                   constant(2000));
                   for (const char* name : {"first", "second"}) {
                     FlowOptions f = c->flow(name);
                     f.jitter = kJitter;
                     f.start = 5;
                     c->net.addMedia(f);
                   }
                   downloads(*c);
                   c->run(300, 10);
                   const double media = c->net.utilisation(10, 300) * 100;
                   c->atLeast("share of media", media, 15, "%");
                   const auto [low, high] = c->net.shares(10, 300);
                   c->within("smaller share of it", low * 100, 40, 60, "%");
                   return c;
                 }});
  all.push_back(
      {"8867-5.8", [](const std::string& n) {
         Made c = std::make_unique<Case>(n, "three flows, one pauses", constant(3500));
         for (int i = 0; i < 3; ++i) {
           FlowOptions f = c->flow("flow " + std::to_string(i + 1));
           f.jitter = kJitter;
           c->net.addMedia(f);
         }
         auto& first = *c->net.flows()[0];
         c->net.at(40, [&first] { first.sender->stopVideo(); });
         c->net.at(60, [&first, net = &c->net] { first.sender->startVideo(net->world().now()); });
         c->run(120, 5);
         c->steadyGoals(kJitter);
         c->atMost("resumed to 700 kb/s after", c->net.timeToRate(first, 60, 700, 120), 10, "s");
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
      if (std::strcmp(argv[++i], "ccfb") == 0)
        caseSettings().end.feedback = media::ArrivalFeedback::Rfc8888;
    } else if (std::strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
      caseSettings().seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--trace") == 0) {
      caseSettings().trace = true;
    } else if (std::strcmp(argv[i], "--controller") == 0 && i + 1 < argc) {
      if (std::strcmp(argv[++i], "scream") == 0) {
        static const auto scream = congestion::screamFactory();
        caseSettings().end.controllers = scream.get();
        caseSettings().end.feedback = media::ArrivalFeedback::Rfc8888;
      }
    } else {
      wanted.emplace_back(argv[i]);
    }
  }
  std::vector<Entry> all;
  addGoals(all);
  addL4s(all);
  addStall(all);
  addRouteChange(all);
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
