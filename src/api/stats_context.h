#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parley/api/stats_report.h"
#include "parley/base/time.h"

namespace parley::api_internal {

class PeerConnectionCore;

/// Gives what is named by long or private things (addresses, track ids) a short name that stays.
class StatsIds {
 public:
  std::string of(const std::string& prefix, const std::string& key) {
    const auto next = static_cast<uint32_t>(numbers_.size() + 1);
    return prefix + std::to_string(numbers_.try_emplace(prefix + ' ' + key, next).first->second);
  }

 private:
  std::map<std::string, uint32_t> numbers_;
};

/// A report while it is made.
class StatsContext {
 public:
  using Members = std::map<std::string, StatsValue, std::less<>>;
  /// Of the transport object with that number.
  static std::string transportId(uint32_t number) { return "T" + std::to_string(number); }
  /// Of the transport that a transceiver's media travels on.
  std::string transportIdOf(uint32_t transceiver) const;

  StatsContext(PeerConnectionCore& core, Timestamp at);

  PeerConnectionCore& pc;
  const Timestamp now;
  StatsReport report;
  /// The objects that a selector selects, by transceiver.
  std::multimap<uint32_t, std::string> outbound;
  std::multimap<uint32_t, std::string> inbound;

  /// DOMHighResTimeStamp: milliseconds since 1970.
  double toUnixMs(Timestamp t) const;
  Stats make(std::string id, const char* type) const {
    return {std::move(id), type, toUnixMs(now), {}};
  }
  StatsIds& ids();
  bool has(std::string_view id) const { return report.find(id) != nullptr; }
};

// Each adds the objects of its kind.
void addTransportStats(StatsContext& context);
void addSenderStats(StatsContext& context);
void addReceiverStats(StatsContext& context);

}  // namespace parley::api_internal
