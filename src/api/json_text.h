#pragma once

#include <string>
#include <string_view>

#include "parley/api/stats_report.h"

namespace parley::api_internal {

/// In quotes, escaped as RFC 8259 section 7 asks for; what is not UTF-8 becomes U+FFFD.
void appendJson(std::string& out, std::string_view text);
/// The shortest form that reads back as the same number; null for what JSON cannot say.
void appendJson(std::string& out, double value);
void appendJson(std::string& out, const StatsValue& value);

}  // namespace parley::api_internal
