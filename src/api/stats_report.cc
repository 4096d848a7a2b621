#include "parley/api/stats_report.h"

#include <cmath>
#include <cstdio>

namespace parley {

namespace {

void appendString(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  out += '"';
}

void appendNumber(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";  // JSON has neither infinity nor NaN
    return;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  out += text;
}

struct Appender {
  std::string& out;
  void operator()(bool v) const { out += v ? "true" : "false"; }
  void operator()(int64_t v) const { out += std::to_string(v); }
  void operator()(uint64_t v) const { out += std::to_string(v); }
  void operator()(double v) const { appendNumber(out, v); }
  void operator()(const std::string& v) const { appendString(out, v); }
  void operator()(const std::vector<std::string>& v) const {
    out += '[';
    for (size_t i = 0; i < v.size(); ++i) {
      if (i > 0) out += ',';
      appendString(out, v[i]);
    }
    out += ']';
  }
};

}  // namespace

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

std::string StatsReport::toJson() const {
  std::string out = "{";
  for (const Stats& stats : all_) {
    if (out.size() > 1) out += ',';
    appendString(out, stats.id);
    out += ":{\"id\":";
    appendString(out, stats.id);
    out += ",\"type\":";
    appendString(out, stats.type);
    out += ",\"timestamp\":";
    char timestamp[32];
    std::snprintf(timestamp, sizeof timestamp, "%.3f", stats.timestampMs);
    out += timestamp;
    for (const auto& [name, value] : stats.members) {
      out += ',';
      appendString(out, name);
      out += ':';
      std::visit(Appender{out}, value);
    }
    out += '}';
  }
  return out + '}';
}

}  // namespace parley
