#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace loopback {

/// A network to imagine, the same in both directions.
struct Simulation {
  double lossPercent = 0;
  double rttMs = 0;
  double rateKbps = 0;  ///< 0: no limit
  double jitterMs = 0;
  double reorderPercent = 0;
  uint64_t seed = 1;
};

struct Options {
  std::string clip = LOOPBACK_CLIP;
  double seconds = 0;  ///< 0: as long as the clip
  std::string codec = "VP8";
  int bitrateKbps = 1500;
  int startBitrateKbps = 500;
  std::string recording = "loopback.webm";
  std::string plot = "loopback.svg";
  std::string report;
  double leastDb = 0;
  std::optional<Simulation> simulation;
};

/// The program's arguments; nothing if they cannot be, after saying why. Ends the
/// program if help was asked for.
std::optional<Options> parseOptions(int argc, char** argv);

}  // namespace loopback
