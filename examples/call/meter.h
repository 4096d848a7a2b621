#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "parley/parley.h"

namespace call {

/// Turns the statistics of one connection, taken once a second, into what people want to know.
class Meter {
 public:
  void add(const parley::StatsReport& report);

  /// The last second in one line: path, round-trip time, and for each direction rate, pictures and
  /// loss.
  std::string line() const;
  /// The whole call.
  nlohmann::json report() const;

 private:
  /// Counters since the start, of all streams of a direction.
  struct Direction {
    double bytes = 0;
    double frames = 0;
    double packets = 0;
    double lost = 0;
  };
  struct Sample {
    double timeMs = 0;
    Direction received;
    Direction sent;
  };
  struct Rates {
    double kbps = 0;
    double fps = 0;
    double lostRatio = 0;
  };

  void readPath(const parley::StatsReport& report, Sample& sample);
  static Rates between(const Direction& from, const Direction& to, double seconds);
  static nlohmann::json json(const char* prefix, const Rates& rates);

  std::string path_;
  std::optional<Sample> first_;
  std::optional<Sample> previous_;
  Sample last_;
  std::optional<double> rttMs_;
  std::vector<double> rttsMs_;
  std::string videoSize_;
};

}  // namespace call
