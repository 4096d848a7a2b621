#include "parley/base/address.h"

#include <algorithm>
#include <cstring>

#include "parley/base/check.h"
#include "parley/base/text.h"

namespace parley {
namespace {

std::optional<std::array<uint8_t, 4>> parseV4(std::string_view text) {
  std::array<uint8_t, 4> out{};
  for (size_t i = 0; i < 4; ++i) {
    const size_t dot = text.find('.');
    if ((dot == std::string_view::npos) != (i == 3)) return std::nullopt;
    const std::string_view part = text.substr(0, dot);
    // Leading zeros are refused: some systems read them as octal, so the text is ambiguous.
    if (part.size() > 1 && part[0] == '0') return std::nullopt;
    const auto value = parseNumber<uint8_t>(part);
    if (!value) return std::nullopt;
    out[i] = *value;
    if (i < 3) text.remove_prefix(dot + 1);
  }
  return out;
}

std::optional<uint16_t> parseGroup(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  uint16_t value = 0;
  for (char c : text) {
    int digit;
    if (c >= '0' && c <= '9') {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return std::nullopt;
    }
    value = static_cast<uint16_t>(value << 4 | digit);
  }
  return value;
}

// One side of "::": groups separated by ':', the last one possibly dotted IPv4. -1 on error.
int parseGroups(std::string_view text, std::array<uint8_t, 16>& out) {
  size_t n = 0;
  if (text.empty()) return 0;
  for (;;) {
    const size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (colon == std::string_view::npos && part.find('.') != std::string_view::npos) {
      const auto v4 = parseV4(part);
      if (!v4 || n > 12) return -1;
      std::copy(v4->begin(), v4->end(), out.begin() + static_cast<long>(n));
      return static_cast<int>(n) + 4;
    }
    const auto group = parseGroup(part);
    if (!group || n > 14) return -1;
    storeU16(&out[n], *group);
    n += 2;
    if (colon == std::string_view::npos) return static_cast<int>(n);
    text.remove_prefix(colon + 1);
  }
}

std::optional<std::array<uint8_t, 16>> parseV6(std::string_view text) {
  std::array<uint8_t, 16> head{};
  const size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (parseGroups(text, head) != 16) return std::nullopt;
    return head;
  }
  std::array<uint8_t, 16> tail{};
  const std::string_view left = text.substr(0, gap);
  const std::string_view right = text.substr(gap + 2);
  if (left.find('.') != std::string_view::npos) return std::nullopt;
  const int headSize = parseGroups(left, head);
  const int tailSize = parseGroups(right, tail);
  if (headSize < 0 || tailSize < 0 || headSize + tailSize > 14) return std::nullopt;
  std::copy(tail.begin(), tail.begin() + tailSize, head.end() - tailSize);
  return head;
}

std::string formatV6(ByteSpan b) {
  // RFC 5952 section 4.2: the longest run of two or more zero groups, the first on a tie, becomes
  // "::".
  int bestAt = -1, bestLength = 1;
  for (int i = 0; i < 8;) {
    int j = i;
    while (j < 8 && loadU16(&b[static_cast<size_t>(j) * 2]) == 0) ++j;
    if (j - i > bestLength) {
      bestAt = i;
      bestLength = j - i;
    }
    i = j == i ? i + 1 : j;
  }
  std::string out;
  for (int i = 0; i < 8; ++i) {
    if (i == bestAt) {
      out += "::";
      i += bestLength - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    char hex[5];
    const auto end = std::to_chars(hex, hex + 4, loadU16(&b[static_cast<size_t>(i) * 2]), 16).ptr;
    out.append(hex, end);
  }
  return out;
}

}  // namespace

IpAddress IpAddress::v4(uint32_t hostOrder) {
  IpAddress a;
  storeU32(a.bytes_.data(), hostOrder);
  return a;
}

IpAddress IpAddress::v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  const uint8_t raw[4] = {a, b, c, d};
  return v4(loadU32(raw));
}

IpAddress IpAddress::v6(std::span<const uint8_t, 16> bytes) {
  IpAddress a;
  a.family_ = AddressFamily::V6;
  std::copy(bytes.begin(), bytes.end(), a.bytes_.begin());
  return a;
}

IpAddress IpAddress::any(AddressFamily family) {
  IpAddress a;
  a.family_ = family;
  return a;
}

IpAddress IpAddress::loopback(AddressFamily family) {
  if (family == AddressFamily::V4) return v4(127, 0, 0, 1);
  IpAddress a = any(family);
  a.bytes_[15] = 1;
  return a;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.size() > 45) return std::nullopt;
  if (text.find(':') == std::string_view::npos) {
    const auto raw = parseV4(text);
    if (!raw) return std::nullopt;
    return v4((*raw)[0], (*raw)[1], (*raw)[2], (*raw)[3]);
  }
  const auto raw = parseV6(text);
  if (!raw) return std::nullopt;
  return v6(*raw);
}

uint32_t IpAddress::v4HostOrder() const {
  PARLEY_DCHECK(isV4());
  return loadU32(bytes_.data());
}

bool IpAddress::isUnspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(), [](uint8_t b) { return b == 0; });
}

bool IpAddress::isLoopback() const {
  if (isV4()) return bytes_[0] == 127;
  return *this == loopback(AddressFamily::V6);
}

bool IpAddress::isLinkLocal() const {
  if (isV4()) return bytes_[0] == 169 && bytes_[1] == 254;
  return bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

bool IpAddress::isMulticast() const {
  return isV4() ? (bytes_[0] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::isBroadcast() const {
  return isV4() && v4HostOrder() == 0xffffffff;
}

bool IpAddress::isV4Mapped() const {
  static constexpr uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return isV6() && std::memcmp(bytes_.data(), kPrefix, 12) == 0;
}

bool IpAddress::isPrivate() const {
  if (isV6()) return (bytes_[0] & 0xfe) == 0xfc;
  return bytes_[0] == 10 || (bytes_[0] == 172 && (bytes_[1] & 0xf0) == 16) ||
         (bytes_[0] == 192 && bytes_[1] == 168) || (bytes_[0] == 100 && (bytes_[1] & 0xc0) == 64);
}

IpAddress IpAddress::canonical() const {
  static constexpr uint8_t kNat64[12] = {0, 0x64, 0xff, 0x9b};  // RFC 6052 section 2.1
  if (isV4Mapped() || (isV6() && std::memcmp(bytes_.data(), kNat64, 12) == 0)) {
    return v4(loadU32(&bytes_[12]));
  }
  if (isV6() && bytes_[0] == 0x20 && bytes_[1] == 0x02)
    return v4(loadU32(&bytes_[2]));  // 6to4, RFC 3056
  return *this;
}

std::string IpAddress::toString() const {
  if (isV4()) {
    return std::to_string(bytes_[0]) + '.' + std::to_string(bytes_[1]) + '.' +
           std::to_string(bytes_[2]) + '.' + std::to_string(bytes_[3]);
  }
  if (isV4Mapped()) return "::ffff:" + v4(loadU32(&bytes_[12])).toString();
  return formatV6(bytes());
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  const auto ip = IpAddress::parse(host);
  const auto port = parseNumber<uint16_t>(text.substr(colon + 1));
  if (!ip || !port) return std::nullopt;
  return SocketAddress{*ip, *port};
}

std::string SocketAddress::toString() const {
  const std::string host = ip.isV6() ? '[' + ip.toString() + ']' : ip.toString();
  return host + ':' + std::to_string(port);
}

}  // namespace parley

namespace {
// A 64-bit mix (the finaliser of SplitMix64): addresses differ in few bits, tables want many.
size_t mix(uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return static_cast<size_t>(x ^ x >> 31);
}
}  // namespace

size_t std::hash<parley::IpAddress>::operator()(const parley::IpAddress& a) const noexcept {
  const parley::ByteSpan b = a.bytes();
  if (a.isV4()) return mix(parley::loadU32(b.data()));
  return mix(parley::loadU64(b.data()) * 31 + parley::loadU64(b.data() + 8) + 1);
}

size_t std::hash<parley::SocketAddress>::operator()(const parley::SocketAddress& a) const noexcept {
  return mix(std::hash<parley::IpAddress>{}(a.ip) + a.port);
}
