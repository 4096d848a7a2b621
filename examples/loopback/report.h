#pragma once

#include <string>
#include <utility>
#include <vector>

#include "play.h"

namespace loopback {

/// The figures of a run; the names carry the units.
using Figures = std::vector<std::pair<std::string, double>>;
Figures figuresOf(const Outcome& outcome);
double figure(const Figures& figures, const std::string& name);

bool writeJson(const std::string& path, const Figures& figures);
/// Three diagrams over time, one below the other, as SVG.
bool writePlot(const std::string& path, const std::string& title, const Outcome& outcome);

}  // namespace loopback
