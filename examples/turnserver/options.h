#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parley/turn/server.h"

/// What the command line says.
struct Options {
  parley::turn::ServerConfig server;
  std::vector<std::string> urls;  ///< for clients: turn:..., turns:...
  /// A user made up because none was given, to be printed.
  std::optional<parley::turn::Credentials> guest;
  double seconds = 0;  ///< 0: until interrupted
  std::string report;
  bool quiet = false;
  bool verbose = false;
};

/// Ends the process with a message if it makes no sense, or if there is nothing to run.
Options parseOptions(int count, char** words);
