#pragma once

#include <ctime>
#include <iostream>
#include <string>
#include <sys/resource.h>

// What all servers of the forwarding benchmark have in common: commands on standard input, one line
// of answer each.
//
//   publisher SDP | viewer SDP    an answer; line ends travel as '|'
//   mark                          CPU seconds of this process, then a count of the server's own

namespace parley::bench {

inline double cpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// `Server` has `std::string join(std::string offer, bool publisher)` and `uint64_t count()`.
template <class Server>
int runServer(Server& server) {
  for (std::string line; std::getline(std::cin, line);) {
    const size_t space = line.find(' ');
    const std::string command = line.substr(0, space);
    if (command == "mark") {
      std::cout << cpuSeconds() << ' ' << server.count() << std::endl;
      continue;
    }
    std::string offer;
    for (size_t i = space + 1; i < line.size(); ++i)
      offer += line[i] == '|' ? std::string("\r\n") : std::string(1, line[i]);
    std::string answer;
    for (const char c : server.join(offer, command == "publisher")) {
      if (c != '\r') answer += c == '\n' ? '|' : c;
    }
    std::cout << answer << std::endl;
  }
  std::_Exit(0);  // what is measured is over
}

}  // namespace parley::bench
