#pragma once

#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parley/api/stats_report.h"
#include "parley/base/time.h"

namespace parley::api_internal {

class PeerConnectionCore;

/// Gives what is named by long or private things (addresses, track ids) a short name that stays as
/// long as the thing does, and that nothing else ever gets.
class StatsIds {
 public:
  std::string of(const std::string& prefix, const std::string& key) {
    const auto [it, isNew] = names_.try_emplace(prefix + ' ' + key);
    if (isNew) it->second.number = ++last_;
    it->second.used = true;
    return prefix + std::to_string(it->second.number);
  }
  /// A report of everything is done: what it has not named is gone.
  void forgetUnused() {
    for (auto it = names_.begin(); it != names_.end();)
      it = std::exchange(it->second.used, false) ? std::next(it) : names_.erase(it);
  }
  size_t size() const { return names_.size(); }

 private:
  struct Name {
    uint64_t number = 0;
    bool used = false;  ///< by the report that is being made
  };
  std::map<std::string, Name> names_;
  uint64_t last_ = 0;
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
