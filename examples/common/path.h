#pragma once

#include <string>

#include "parley/api/stats_report.h"

namespace example {

/// The path that a connection uses, "host 192.0.2.1:5000 - host 192.0.2.7:6000"; empty if there is
/// none.
std::string selectedPath(const parley::StatsReport& report);

}  // namespace example
