#include "parley/api/stats_report.h"

#include <algorithm>
#include <cstdio>

#include "api/json_text.h"

namespace parley {

using api_internal::appendJson;

double Stats::number(std::string_view member) const {
  const auto it = members.find(member);
  if (it == members.end()) return 0;
  if (const auto* d = std::get_if<double>(&it->second)) return *d;
  if (const auto* u = std::get_if<uint64_t>(&it->second)) return static_cast<double>(*u);
  if (const auto* i = std::get_if<int64_t>(&it->second)) return static_cast<double>(*i);
  if (const auto* b = std::get_if<bool>(&it->second)) return *b ? 1 : 0;
  return 0;
}

std::string Stats::text(std::string_view member) const {
  const auto it = members.find(member);
  if (it == members.end()) return {};
  const auto* text = std::get_if<std::string>(&it->second);
  return text ? *text : std::string{};
}

const Stats* StatsReport::find(std::string_view id) const {
  for (const Stats& stats : all_) {
    if (stats.id == id) return &stats;
  }
  return nullptr;
}

std::vector<const Stats*> StatsReport::ofType(std::string_view type) const {
  std::vector<const Stats*> out;
  for (const Stats& stats : all_) {
    if (stats.type == type) out.push_back(&stats);
  }
  return out;
}

StatsReport StatsReport::reachableFrom(const std::vector<std::string>& ids) const {
  std::vector<const Stats*> found;
  const auto visit = [&](const std::string& id) {
    const Stats* stats = find(id);
    if (stats && std::find(found.begin(), found.end(), stats) == found.end())
      found.push_back(stats);
  };
  for (const std::string& id : ids) visit(id);
  for (size_t i = 0; i < found.size(); ++i) {
    for (const auto& [name, value] : found[i]->members) {
      const auto* text = std::get_if<std::string>(&value);
      if (text && name.size() > 2 && name.ends_with("Id")) visit(*text);
    }
  }
  StatsReport out;
  for (const Stats& stats : all_) {
    if (std::find(found.begin(), found.end(), &stats) != found.end()) out.add(stats);
  }
  return out;
}

std::string StatsReport::toJson() const {
  std::string out = "{";
  for (const Stats& stats : all_) {
    if (out.size() > 1) out += ',';
    appendJson(out, std::string_view(stats.id));
    out += ":{\"id\":";
    appendJson(out, std::string_view(stats.id));
    out += ",\"type\":";
    appendJson(out, std::string_view(stats.type));
    out += ",\"timestamp\":";
    char timestamp[32];
    std::snprintf(timestamp, sizeof timestamp, "%.3f", stats.timestampMs);
    out += timestamp;
    for (const auto& [name, value] : stats.members) {
      out += ',';
      appendJson(out, std::string_view(name));
      out += ':';
      appendJson(out, value);
    }
    out += '}';
  }
  return out + '}';
}

}  // namespace parley
