#include "common/path.h"

#include "common/terminal.h"

namespace example {
namespace {

std::string candidate(const parley::Stats* stats) {
  if (!stats) return "?";
  const std::string address = stats->text("address");
  return format(address.find(':') == std::string::npos ? "%s %s:%.0f" : "%s [%s]:%.0f",
                stats->text("candidateType").c_str(), address.c_str(), stats->number("port"));
}

}  // namespace

std::string selectedPath(const parley::StatsReport& report) {
  for (const parley::Stats* transport : report.ofType("transport")) {
    const parley::Stats* pair = report.find(transport->text("selectedCandidatePairId"));
    if (!pair) continue;
    return candidate(report.find(pair->text("localCandidateId"))) + " - " +
           candidate(report.find(pair->text("remoteCandidateId")));
  }
  return {};
}

}  // namespace example
