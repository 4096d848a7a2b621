#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "parley/base/text.h"

namespace parley::sdp {

inline bool isAlphaNumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

template <class Predicate>
bool isMadeOf(std::string_view text, size_t minimum, size_t maximum, Predicate allowed) {
  if (text.size() < minimum || text.size() > maximum) return false;
  for (const char c : text) {
    if (!allowed(c)) return false;
  }
  return true;
}

/// RFC 8866 section 9, token-char.
inline bool isToken(std::string_view text) {
  return isMadeOf(text, 1, 256, [](char c) {
    return c == 0x21 || (c >= 0x23 && c <= 0x27) || c == 0x2A || c == 0x2B || c == 0x2D ||
           c == 0x2E || (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5A) ||
           (c >= 0x5E && c <= 0x7E);
  });
}

/// RFC 8839 section 5.4, plus the four characters that older peers put into credentials.
inline bool isIceChars(std::string_view text, size_t minimum, size_t maximum) {
  return isMadeOf(text, minimum, maximum, [](char c) {
    return isAlphaNumeric(c) || c == '+' || c == '/' || c == '-' || c == '_' || c == '=' ||
           c == '#';
  });
}

/// RFC 8866 section 9, byte-string: anything but NUL, CR and LF; may be empty.
inline bool isByteString(std::string_view text) {
  return isMadeOf(text, 0, std::numeric_limits<size_t>::max(),
                  [](char c) { return c != '\0' && c != '\r' && c != '\n'; });
}

/// RFC 8866 section 9, non-ws-string.
inline bool isNonWhitespace(std::string_view text) {
  return isMadeOf(text, 1, std::numeric_limits<size_t>::max(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u > 0x20 && u != 0x7F;
  });
}

/// RFC 8851 section 10, rid-id.
inline bool isRidId(std::string_view text) {
  return isMadeOf(text, 1, 255, [](char c) { return isAlphaNumeric(c) || c == '-' || c == '_'; });
}

/// Digits only, clamped to 2^64-1: a peer may announce more than we can count (max-message-size).
inline std::optional<uint64_t> parseClamped(std::string_view text) {
  if (!isMadeOf(text, 1, 256, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  return parseNumber<uint64_t>(text).value_or(std::numeric_limits<uint64_t>::max());
}

inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Cuts off the next word, treating any run of blanks as one separator.
inline std::string_view cutWord(std::string_view& rest) {
  rest = trimmed(rest);
  const size_t at = rest.find_first_of(" \t");
  const std::string_view word = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : trimmed(rest.substr(at));
  return word;
}

}  // namespace parley::sdp
