#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace call {

/// What the native peer sends.
enum class Show { Clip, Camera, Screen, TestPattern };

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;
  bool portGiven = false;
  std::string connect;  ///< URL of another native peer to call; empty: be called
  Show show = Show::Clip;
  std::string clip;    ///< empty: the clip that comes with the examples
  std::string camera;  ///< empty: the first one
  std::string record;  ///< .webm or .mkv; empty: do not record
  bool window = false;
  std::string files;  ///< folder for received files; empty: a temporary one
  uint64_t quotaBytes = uint64_t{2} << 30;
  size_t maxCalls = 8;
  int maxKbps = 2500;  ///< per call, of what we send
  std::vector<std::string> stun;
  std::optional<double> seconds;  ///< end by itself after so long
  std::string report;
  std::string trace;  ///< CSV of the bandwidth estimates; empty: none
  bool verbose = false;
};

/// Reads the command line. Prints help or what is wrong and ends the process if there is nothing to
/// run.
Options parseOptions(int count, char** words);

/// The file of one of several calls: talk.webm, talk-2.webm, talk-3.webm, ...
std::string numbered(const std::string& path, int number);

}  // namespace call
