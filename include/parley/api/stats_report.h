#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "parley/base/export.h"

namespace parley {

/// A member of a stats object. Absent members are not in the map at all: "unknown" is never 0.
/// A map is a `record<DOMString, double>` (qualityLimitationDurations).
using StatsValue = std::variant<bool, int64_t, uint64_t, double, std::string,
                                std::vector<std::string>, std::map<std::string, double>>;

/// One object of the report: an RTCStats dictionary with the type and member names of W3C
/// webrtc-stats. Members that begin with "parley", and the type "sctp-transport", are ours. An id
/// means the same thing in every report of a connection.
struct PARLEY_EXPORT Stats {
  std::string id;
  std::string type;        ///< e.g. "inbound-rtp"
  double timestampMs = 0;  ///< milliseconds since 1970
  std::map<std::string, StatsValue, std::less<>> members;

  /// Numbers as double; 0 if absent or not a number.
  double number(std::string_view member) const;
  std::string text(std::string_view member) const;
  bool has(std::string_view member) const { return members.find(member) != members.end(); }
};

/// RTCStatsReport.
class PARLEY_EXPORT StatsReport {
 public:
  void add(Stats stats) { all_.push_back(std::move(stats)); }
  const std::vector<Stats>& all() const { return all_; }
  const Stats* find(std::string_view id) const;
  std::vector<const Stats*> ofType(std::string_view type) const;
  /// The objects with these ids, and all that they refer to directly or indirectly: a member whose
  /// name ends with "Id" refers to the object that its text names (W3C webrtc-pc section 8.3).
  StatsReport reachableFrom(const std::vector<std::string>& ids) const;
  /// A JSON object keyed by id, as RTCStatsReport serialises in browsers.
  std::string toJson() const;

 private:
  std::vector<Stats> all_;
};

}  // namespace parley
