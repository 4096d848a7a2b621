#include "parley/api/stats_dump.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "api/json_text.h"

namespace parley {
namespace {

using api_internal::appendJson;

void appendKey(std::string& out, std::string_view key) {
  appendJson(out, key);
  out += ':';
}

/// ISO 8601 in UTC, as the dumps have it. By hand: the C library's calendar has a state of its own.
std::string isoTime(double unixMs) {
  const auto ms = static_cast<int64_t>(unixMs);
  const int64_t days = ms / 86'400'000;
  const int64_t rest = ms % 86'400'000;
  // Years are counted from March, so that the leap day is the last one (proleptic Gregorian).
  const int64_t shifted = days + 719'468;
  const int64_t era = shifted / 146'097;
  const int64_t dayOfEra = shifted % 146'097;
  const int64_t yearOfEra =
      (dayOfEra - dayOfEra / 1'460 + dayOfEra / 36'524 - dayOfEra / 146'096) / 365;
  const int64_t dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const int64_t marchMonth = (5 * dayOfYear + 2) / 153;
  const int64_t day = dayOfYear - (153 * marchMonth + 2) / 5 + 1;
  const int64_t month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const int64_t year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", static_cast<int>(year),
                static_cast<int>(month), static_cast<int>(day), static_cast<int>(rest / 3'600'000),
                static_cast<int>(rest / 60'000 % 60), static_cast<int>(rest / 1000 % 60),
                static_cast<int>(rest % 1000));
  return text;
}

}  // namespace

StatsDump::StatsDump(std::string name, std::string configuration)
    : name_(std::move(name)), configuration_(std::move(configuration)) {}

void StatsDump::append(const Stats& stats, const std::string& member, std::string value) {
  // The importers take apart at the last hyphen what is object and what is member.
  Series& series = series_[stats.id + '-' + member];
  series.type = stats.type;
  if (series.values.size() >= kMaxSamples) {
    series.times.erase(series.times.begin(), series.times.begin() + kMaxSamples / 2);
    series.values.erase(series.values.begin(), series.values.begin() + kMaxSamples / 2);
  }
  series.times.push_back(stats.timestampMs);
  series.values.push_back(std::move(value));
}

void StatsDump::add(const StatsReport& report) {
  for (const Stats& stats : report.all()) {
    std::string time;
    appendJson(time, stats.timestampMs);
    append(stats, "timestamp", std::move(time));
    for (const auto& [name, value] : stats.members) {
      const bool plain = !std::holds_alternative<std::vector<std::string>>(value) &&
                         !std::holds_alternative<std::map<std::string, double>>(value);
      if (!plain) continue;
      std::string text;
      appendJson(text, value);
      append(stats, name, std::move(text));
    }
  }
}

void StatsDump::addEvent(double unixMs, std::string type, std::string value) {
  if (events_.size() >= kMaxSamples)
    events_.erase(events_.begin(), events_.begin() + kMaxSamples / 2);
  events_.push_back({unixMs, std::move(type), std::move(value)});
}

std::string StatsDump::toJson() const {
  std::string out = R"({"UserAgent":"Parley","getUserMedia":[],"PeerConnections":{)";
  appendKey(out, name_);
  out += R"({"pid":0,"rid":0,"url":"","constraints":"","rtcConfiguration":)";
  appendJson(out, std::string_view(configuration_));
  out += R"(,"stats":{)";
  bool first = true;
  for (const auto& [key, series] : series_) {
    if (!std::exchange(first, false)) out += ',';
    appendKey(out, key);
    out += R"({"startTime":)";
    appendJson(out, std::string_view(isoTime(series.times.front())));
    out += R"(,"endTime":)";
    appendJson(out, std::string_view(isoTime(series.times.back())));
    out += R"(,"statsType":)";
    appendJson(out, std::string_view(series.type));
    // A JSON array within a JSON string: so the format has it.
    std::string values = "[";
    for (size_t i = 0; i < series.values.size(); ++i) {
      if (i > 0) values += ',';
      values += series.values[i];
    }
    values += ']';
    out += R"(,"values":)";
    appendJson(out, std::string_view(values));
    out += '}';
  }
  out += R"(},"updateLog":[)";
  for (size_t i = 0; i < events_.size(); ++i) {
    if (i > 0) out += ',';
    out += R"({"time":)";
    appendJson(out, std::string_view(isoTime(events_[i].time)));
    out += R"(,"type":)";
    appendJson(out, std::string_view(events_[i].type));
    out += R"(,"value":)";
    appendJson(out, std::string_view(events_[i].value));
    out += '}';
  }
  return out + "]}}}";
}

}  // namespace parley
