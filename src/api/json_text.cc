#include "api/json_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "base/utf8.h"

namespace parley::api_internal {
namespace {

struct Appender {
  std::string& out;
  void operator()(bool v) const { out += v ? "true" : "false"; }
  void operator()(int64_t v) const { out += std::to_string(v); }
  void operator()(uint64_t v) const { out += std::to_string(v); }
  void operator()(double v) const { appendJson(out, v); }
  void operator()(const std::string& v) const { appendJson(out, std::string_view(v)); }
  void operator()(const std::map<std::string, double>& v) const {
    out += '{';
    bool first = true;
    for (const auto& [key, value] : v) {
      if (!std::exchange(first, false)) out += ',';
      appendJson(out, std::string_view(key));
      out += ':';
      appendJson(out, value);
    }
    out += '}';
  }
  void operator()(const std::vector<std::string>& v) const {
    out += '[';
    for (size_t i = 0; i < v.size(); ++i) {
      if (i > 0) out += ',';
      appendJson(out, std::string_view(v[i]));
    }
    out += ']';
  }
};

}  // namespace

void appendJson(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const auto byte = static_cast<unsigned char>(c);
    // RFC 8259 section 8.1: "MUST be encoded using UTF-8". What a peer has named may be anything.
    const Utf8Step character = nextUtf8(asBytes(text));
    if (!character.valid) {
      out += kUtf8Replacement;
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else {
      out += text.substr(0, character.length);
    }
    text.remove_prefix(character.length);
  }
  out += '"';
}

void appendJson(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";  // JSON has neither infinity nor NaN
    return;
  }
  char text[32];
  const std::to_chars_result end = std::to_chars(text, text + sizeof text, value);
  out.append(text, end.ptr);
}

void appendJson(std::string& out, const StatsValue& value) {
  std::visit(Appender{out}, value);
}

}  // namespace parley::api_internal
