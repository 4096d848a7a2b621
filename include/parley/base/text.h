#pragma once

#include <cctype>
#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>

namespace parley {

/// The whole of `text` as a decimal number within T's range, or nullopt. No sign for unsigned
/// types, no blanks, no locale.
template <std::integral T>
std::optional<T> parseNumber(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
  return value;
}

/// ASCII case folding only: protocol tokens have no locale.
inline bool equalsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

inline std::string toLower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

/// Cuts off and returns what stands before the next `separator` (all of it if there is none).
inline std::string_view cutToken(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const std::string_view token = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return token;
}

}  // namespace parley
