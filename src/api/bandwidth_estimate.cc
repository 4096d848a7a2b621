#include "parley/api/bandwidth_estimate.h"

#include <array>
#include <cstdio>

namespace parley {
namespace {

void append(std::string& out, const char* format, double value) {
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), format, value);
  out += text.data();
}

void appendRate(std::string& out, DataRate rate) {
  out += ',';
  if (!rate.isInfinite()) append(out, "%.1f", rate.kbps());
}

}  // namespace

std::string_view BandwidthEstimate::csvHeader() {
  return "unix_ms,estimate_kbps,target_kbps,delay_based_kbps,loss_based_kbps,remote_kbps,"
         "acknowledged_kbps,pacing_kbps,loss_ratio,round_trip_ms,queue_delay_ms,overuse,probes,"
         "application_limited";
}

std::string BandwidthEstimate::csvRow() const {
  std::string row;
  append(row, "%.0f", unixMs);
  for (const DataRate rate :
       {estimate, target, delayBased, lossBased, remote, acknowledged, pacing})
    appendRate(row, rate);
  append(row, ",%.4f", lossFraction);
  append(row, ",%.1f", roundTripTime.seconds() * 1000);
  append(row, ",%.1f", queueDelay.seconds() * 1000);
  row += ',' + std::to_string(overuse) + ',' + std::to_string(probes) + ',';
  row += applicationLimited ? '1' : '0';
  return row;
}

}  // namespace parley
