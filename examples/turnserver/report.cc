#include "report.h"

#include <fstream>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "common/terminal.h"

namespace turn = parley::turn;

namespace {

double cpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::string statusLine(const turn::Server& server, const turn::ServerCounters& before,
                       double seconds) {
  const turn::ServerCounters& now = server.counters();
  const auto rate = [seconds](uint64_t a, uint64_t b) {
    return example::byteCount(static_cast<double>(a - b) / seconds) + "/s";
  };
  const uint64_t dropped = now.droppedRate + now.droppedFull + now.droppedNoPermission;
  return example::format(
      "%zu allocations, %zu connections, to peers %s, to clients %s, %llu refused, %llu dropped",
      server.allocationCount(), server.streamCount(),
      rate(now.bytesToPeers, before.bytesToPeers).c_str(),
      rate(now.bytesToClients, before.bytesToClients).c_str(),
      static_cast<unsigned long long>(now.allocationsRefused),
      static_cast<unsigned long long>(dropped));
}

bool writeReport(const std::string& path, const turn::Server& server,
                 const parley::io::EventLoopCounters& loop, double seconds) {
  const turn::ServerCounters& c = server.counters();
  const uint64_t packets = c.packetsToPeers + c.packetsToClients;
  nlohmann::ordered_json out{
      {"duration_s", seconds},
      {"cpu_s", cpuSeconds()},
      {"allocations", c.allocationsMade},
      {"allocations_refused", c.allocationsRefused},
      {"allocations_expired", c.allocationsExpired},
      {"binding_requests", c.bindingRequests},
      {"challenges", c.challenges},
      {"unauthentic_requests", c.unauthentic},
      {"malformed_messages", c.malformed},
      {"answers_over_budget", c.overBudget},
      {"forbidden_peers", c.forbiddenPeers},
      {"packets_to_peers", c.packetsToPeers},
      {"packets_to_clients", c.packetsToClients},
      {"to_peers_bytes", c.bytesToPeers},
      {"to_clients_bytes", c.bytesToClients},
      {"dropped_without_permission_packets", c.droppedNoPermission},
      {"dropped_over_rate_packets", c.droppedRate},
      {"dropped_full_packets", c.droppedFull},
      {"connections", c.streamsAccepted},
      {"connections_refused", c.streamsRefused},
      {"relayed_connections", c.connectionsMade},
      {"relayed_connections_failed", c.connectionsFailed},
      {"relayed_connections_refused", c.connectionsRefused},
      {"relayed_connections_unclaimed", c.connectionsUnclaimed},
      {"cpu_us_per_packet", packets == 0 ? 0.0 : cpuSeconds() * 1e6 / static_cast<double>(packets)},
      {"receive_calls", loop.udp.receiveCalls},
      {"send_calls", loop.udp.sendCalls},
      {"segmented_datagrams", loop.udp.segmentedDatagrams},
      {"coalesced_arrivals", loop.udp.coalescedMessages},
  };
  std::ofstream file(path);
  file << out.dump(2) << '\n';
  return static_cast<bool>(file);
}
