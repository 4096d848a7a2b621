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
/// A map is a `record<DOMString, double>` (qualityLimitationDurations, psnrSum).
using StatsValue = std::variant<bool, int64_t, uint64_t, double, std::string,
                                std::vector<std::string>, std::map<std::string, double>>;

/// One object of the report: an RTCStats dictionary with the type and member names of W3C
/// webrtc-stats. Members that begin with "parley", and the type "sctp-transport", are ours. An id
/// means the same thing in every report of a connection.
struct PARLEY_EXPORT Stats {
  std::string id;                                          ///< unique in its report
  std::string type;                                        ///< RTCStatsType, e.g. "inbound-rtp"
  double timestampMs = 0;                                  ///< milliseconds since 1970
  std::map<std::string, StatsValue, std::less<>> members;  ///< by their W3C names

  /// Numbers as double, true as 1; 0 if absent or neither.
  double number(std::string_view member) const;
  /// Empty if absent or not a text.
  std::string text(std::string_view member) const;
  /// Whether it is known.
  bool has(std::string_view member) const { return members.find(member) != members.end(); }
};

/// RTCStatsReport (webrtc-pc section 8.3): a value. Any thread.
class PARLEY_EXPORT StatsReport {
 public:
  /// Takes in one more object. Its id must be new: `find` gives the first of equal ones.
  void add(Stats stats) { all_.push_back(std::move(stats)); }
  /// All objects, each behind those that were added before it.
  const std::vector<Stats>& all() const { return all_; }
  /// The one with this id, or null. Lives as long as the report.
  const Stats* find(std::string_view id) const;
  /// Those of this type, in the order of all(). They live as long as the report.
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
