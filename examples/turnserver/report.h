#pragma once

#include <string>

#include "parley/io/event_loop.h"
#include "parley/turn/server.h"

/// One line about what goes on, or about what went on since `before`.
std::string statusLine(const parley::turn::Server& server,
                       const parley::turn::ServerCounters& before, double seconds);

/// Writes the figures as JSON; false if the file cannot be written.
bool writeReport(const std::string& path, const parley::turn::Server& server,
                 const parley::io::EventLoopCounters& loop, double seconds);
