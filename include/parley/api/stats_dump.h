#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "parley/api/stats_report.h"
#include "parley/base/export.h"

namespace parley {

/// Collects the reports of one connection and writes them as the "PeerConnections" dump of
/// chrome://webrtc-internals, so that the viewers made for those (webrtc-dump-importer and others)
/// draw them. Not thread-safe.
class PARLEY_EXPORT StatsDump {
 public:
  /// `name`: what the viewer calls the connection. `configuration`: its settings as a text.
  explicit StatsDump(std::string name, std::string configuration = {});

  /// The next report; ask for one about every second. Only numbers, texts and truth values are
  /// kept. Beyond `kMaxSamples` reports the oldest half goes.
  void add(const StatsReport& report);
  /// An entry of the event list, e.g. "signalingstatechange", "stable"; `unixMs`: milliseconds
  /// since 1970. Bounded as the reports are.
  void addEvent(double unixMs, std::string type, std::string value);
  /// The dump as it is so far.
  std::string toJson() const;

  /// How many reports are kept at most.
  static constexpr size_t kMaxSamples = 4096;

 private:
  struct Series {
    std::string type;
    std::vector<double> times;        ///< milliseconds since 1970
    std::vector<std::string> values;  ///< JSON
  };
  struct Event {
    double time;
    std::string type;
    std::string value;
  };
  void append(const Stats& stats, const std::string& member, std::string value);

  std::string name_;
  std::string configuration_;
  std::map<std::string, Series> series_;
  std::vector<Event> events_;
};

}  // namespace parley
