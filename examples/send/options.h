#pragma once

#include <optional>
#include <string>
#include <vector>

#include "words.h"

namespace sending {

struct Options {
  std::vector<std::string> files;  ///< to send; empty: receive
  std::string url;                 ///< the rendezvous; empty: be it
  std::optional<CodePhrase> phrase;
  std::string folder = ".";
  bool force = false;
  bool keep = false;  ///< go on after the first transfer
  double bytesPerSecond = 0;
  double patienceSeconds = 120;
  std::string host = "0.0.0.0";
  int port = 8899;
  bool portGiven = false;
  std::vector<std::string> stun;
  std::string report;
  bool verbose = false;

  bool sends() const { return !files.empty(); }
  bool waits() const { return url.empty(); }
};

/// Reads the command line. Prints help or what is wrong and ends the process if there is nothing to
/// run.
Options parseOptions(int count, char** words);

}  // namespace sending
