#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

namespace internal {
/// The text extensions (RFC 7941 section 4.1.1) share this: 1..255 bytes, no NUL.
inline std::optional<std::string_view> parseText(ByteSpan bytes) {
  if (bytes.empty()) return std::nullopt;
  for (uint8_t b : bytes) {
    if (b == 0) return std::nullopt;
  }
  return asText(bytes);
}
inline size_t writeText(std::string_view text, uint8_t* out, size_t room) {
  if (text.empty() || text.size() > room) return 0;
  std::memcpy(out, text.data(), text.size());
  return text.size();
}
/// RFC 8851 section 10: alphanumerics, '-' and '_'; libraries in the field accept only letters and
/// digits on the wire, and so do the ids we make, but reading takes what the grammar allows.
inline bool isRidText(std::string_view text) {
  for (char c : text) {
    const bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '-' || c == '_';
    if (!good) return false;
  }
  return true;
}
}  // namespace internal

/// The media section a packet belongs to (RFC 9143 section 15.1). The value borrows the packet.
struct Mid {
  using Value = std::string_view;
  static constexpr ExtensionKind kKind = ExtensionKind::Mid;
  static constexpr std::string_view kUri = "urn:ietf:params:rtp-hdrext:sdes:mid";
  static constexpr size_t kMaxSize = 32;
  static std::optional<Value> parse(ByteSpan bytes) { return internal::parseText(bytes); }
  static size_t write(Value v, uint8_t* out) { return internal::writeText(v, out, kMaxSize); }
};

/// The RTP stream id of a simulcast encoding (RFC 8852). The value borrows the packet.
struct Rid {
  using Value = std::string_view;
  static constexpr ExtensionKind kKind = ExtensionKind::Rid;
  static constexpr std::string_view kUri = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
  static constexpr size_t kMaxSize = 32;
  static std::optional<Value> parse(ByteSpan bytes) {
    const auto text = internal::parseText(bytes);
    return text && internal::isRidText(*text) ? text : std::nullopt;
  }
  static size_t write(Value v, uint8_t* out) { return internal::writeText(v, out, kMaxSize); }
};

/// On a repair packet (RTX, FEC): the rid of the stream that it repairs (RFC 8852).
struct RepairedRid {
  using Value = std::string_view;
  static constexpr ExtensionKind kKind = ExtensionKind::RepairedRid;
  static constexpr std::string_view kUri = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
  static constexpr size_t kMaxSize = 32;
  static std::optional<Value> parse(ByteSpan bytes) { return Rid::parse(bytes); }
  static size_t write(Value v, uint8_t* out) { return Rid::write(v, out); }
};

}  // namespace parley::rtp
