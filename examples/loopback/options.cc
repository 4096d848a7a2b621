#include "options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace loopback {
namespace {

constexpr const char kUsage[] = R"(loopback: two peers in this process play a clip to each other

  loopback [OPTION...]

  --simulate WHAT   over an imagined network in virtual time instead of over sockets. WHAT is a list of
                    loss=PERCENT, rtt=MS, rate=KBPS, jitter=MS, reorder=PERCENT, seed=NUMBER,
                    e.g. loss=5,rtt=100,rate=1000
  --clip FILE       what to play (any format that FFmpeg reads), again and again
  --seconds N       for how long; as long as the clip if not given
  --codec NAME      VP8 or VP9
  --bitrate KBPS    the most that the pictures may take (1500)
  --start KBPS      the bandwidth assumed at first (500)
  --out FILE        what arrived, .webm or .mkv (loopback.webm)
  --plot FILE       quality, delay and bitrate over time, as SVG (loopback.svg)
  --report FILE     all figures as JSON
  --at-least DB     fail if the pictures are worse than this on average
)";

bool readNumber(const std::string& text, double& out) {
  char* end = nullptr;
  out = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && out >= 0 && out < 1e9;
}

bool readSimulation(const std::string& list, Simulation& out) {
  double seed = 1;
  const std::map<std::string, double*> known = {
      {"loss", &out.lossPercent},       {"rtt", &out.rttMs},
      {"rate", &out.rateKbps},          {"jitter", &out.jitterMs},
      {"reorder", &out.reorderPercent}, {"seed", &seed}};
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    const std::string item = list.substr(at, end - at);
    const size_t equals = item.find('=');
    const auto found = known.find(item.substr(0, equals));
    if (equals == std::string::npos || found == known.end() ||
        !readNumber(item.substr(equals + 1), *found->second)) {
      std::fprintf(stderr, "loopback: '%s' in --simulate is not one of loss=, rtt=, rate=, ...\n",
                   item.c_str());
      return false;
    }
    at = end + 1;
  }
  out.seed = static_cast<uint64_t>(seed);
  return out.lossPercent <= 100 && out.reorderPercent <= 100;
}

bool apply(Options& options, const std::string& name, const std::string& value) {
  double number = 0;
  if (name == "--clip")
    options.clip = value;
  else if (name == "--out")
    options.recording = value;
  else if (name == "--plot")
    options.plot = value;
  else if (name == "--report")
    options.report = value;
  else if (name == "--codec" && (value == "VP8" || value == "VP9"))
    options.codec = value;
  else if (name == "--seconds" && readNumber(value, number))
    options.seconds = number;
  else if (name == "--bitrate" && readNumber(value, number))
    options.bitrateKbps = static_cast<int>(number);
  else if (name == "--start" && readNumber(value, number))
    options.startBitrateKbps = static_cast<int>(number);
  else if (name == "--at-least" && readNumber(value, number))
    options.leastDb = number;
  else if (name == "--simulate")
    return readSimulation(value, options.simulation.emplace());
  else
    return false;
  return true;
}

}  // namespace

std::optional<Options> parseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--help" || name == "-h") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (i + 1 == argc || !apply(options, name, argv[i + 1])) {
      std::fprintf(stderr, "loopback: cannot use '%s%s%s'\n\n%s", name.c_str(),
                   i + 1 == argc ? "" : " ", i + 1 == argc ? "" : argv[i + 1], kUsage);
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace loopback
