// The wireless cases: RFC 8869 in the simulator's terms, and modelled cellular links.

#include "bench/congestion_case.h"
#include "support/congestion/cellular.h"

namespace parley::test {
namespace {

// RFC 8869 section 4.1: a wireless LAN behind a wired bottleneck of 1 Mb/s each way; what is beside
// the media comes after 40 s and goes after 80 s.
struct LanCase {
  const char* name;
  const char* title;
  bool down, up;
  int constantDown, constantUp, tcpDown, tcpUp;
};
constexpr LanCase kLanCases[] = {
    {"8869-4.1-a", "wireless LAN, media down", true, false, 0, 0, 0, 0},
    {"8869-4.1-b", "wireless LAN, media up", false, true, 0, 0, 0, 0},
    {"8869-4.1-c", "wireless LAN, media both ways", true, true, 0, 0, 0, 0},
    {"8869-4.1-d", "wireless LAN, both ways, UDP down", true, true, 1, 0, 0, 0},
    {"8869-4.1-e", "wireless LAN, both ways, UDP up", true, true, 0, 1, 0, 0},
    {"8869-4.1-f", "wireless LAN, both ways, TCP down", true, true, 0, 0, 1, 0},
    {"8869-4.1-g", "wireless LAN, both ways, TCP up", true, true, 0, 0, 0, 1},
};

Made lanCase(const LanCase& lan) {
  Made c = std::make_unique<Case>(lan.name, lan.title, constant(1000), constant(1000));
  for (const bool reverse : {false, true}) {
    if (!(reverse ? lan.up : lan.down)) continue;
    FlowOptions f = c->flow(reverse ? "up" : "down", 1500);
    f.jitter = Duration::millis(15);
    f.reverse = reverse;
    c->net.addMedia(f);
  }
  for (const bool reverse : {false, true}) {
    if ((reverse ? lan.constantUp : lan.constantDown) > 0)
      c->net.addConstant("UDP", DataRate::kbps(300), 40, 80, reverse);
    if ((reverse ? lan.tcpUp : lan.tcpDown) > 0) {
      c->net.stopTcp(
          c->net.addTcp("TCP", TcpSender::Kind::Reno, -1, 40, Duration::millis(50), reverse), 80);
    }
  }
  c->run(120, 10);
  for (const bool reverse : {false, true}) {
    if (!(reverse ? lan.up : lan.down)) continue;
    const char* beside = reverse ? "share upwards beside the others" : "share beside the others";
    c->atLeast(reverse ? "utilisation upwards alone" : "utilisation alone",
               c->net.utilisation(10, 40, reverse) * 100, 85, "%");
    // RFC 8836: not starved, and with UDP what UDP leaves.
    const bool constant = (reverse ? lan.constantUp : lan.constantDown) > 0;
    const bool tcp = (reverse ? lan.tcpUp : lan.tcpDown) > 0;
    if (constant || tcp)
      c->atLeast(beside, c->net.utilisation(45, 80, reverse) * 100, constant ? 55 : 15, "%");
    c->atLeast(reverse ? "utilisation upwards afterwards" : "utilisation afterwards",
               c->net.utilisation(90, 120, reverse) * 100, 80, "%");
  }
  return c;
}

void addRfc8869Lan(std::vector<Entry>& all) {
  for (const LanCase& lan : kLanCases)
    all.push_back({lan.name, [&lan](const std::string&) { return lanCase(lan); }});
  // Section 4.2: the air itself is full; many calls share what it carries.
  for (const bool bothWays : {false, true}) {
    const char* name = bothWays ? "8869-4.2-c" : "8869-4.2-a";
    all.push_back({name, [bothWays](const std::string& n) {
                     PathOptions air = constant(bothWays ? 8000 : 16'000, Duration::millis(200));
                     air.loss = sim::LossModel::bursts(0.002, 3);
                     Made c = std::make_unique<Case>(
                         n, bothWays ? "wireless LAN, 8 flows each way" : "wireless LAN, 16 flows",
                         air, bothWays ? air : Dumbbell::wide());
                     for (int i = 0; i < 16; ++i) {
                       FlowOptions f = c->flow("flow " + std::to_string(i + 1), 1500);
                       f.jitter = Duration::millis(15);
                       f.reverse = bothWays && i % 2 == 1;
                       c->net.addMedia(f);
                     }
                     c->run(120, 20);
                     c->atLeast("utilisation", c->net.utilisation(20, 120) * 100, 80, "%");
                     const auto [low, high] = c->net.shares(60, 120);
                     c->atLeast("smallest share", low * 100, 2.5, "%");
                     c->atMost("largest share", high * 100, 9, "%");
                     return c;
                   }});
  }
}

}  // namespace

void addWireless(std::vector<Entry>& all) {
  // RFC 8869 section 3 wants a radio simulator; modelled links stand for it.
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
  addRfc8869Lan(all);
  // What a shared wireless LAN does to packets: aggregates arrive together, some are lost in
  // bursts, others take the air.
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

}  // namespace parley::test
