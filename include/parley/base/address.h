#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley {

enum class AddressFamily : uint8_t { V4, V6 };

/// An IPv4 or IPv6 address as a value. IPv4-mapped IPv6 addresses are kept as given; call
/// `canonical()` before applying policy to one.
class PARLEY_EXPORT IpAddress {
 public:
  constexpr IpAddress() = default;
  static IpAddress v4(uint32_t hostOrder);
  static IpAddress v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
  static IpAddress v6(std::span<const uint8_t, 16> bytes);
  static IpAddress any(AddressFamily family);
  static IpAddress loopback(AddressFamily family);
  /// Literal addresses only; names, zone ids, ports and octal forms give nullopt.
  static std::optional<IpAddress> parse(std::string_view text);

  AddressFamily family() const { return family_; }
  bool isV4() const { return family_ == AddressFamily::V4; }
  bool isV6() const { return family_ == AddressFamily::V6; }
  /// 4 or 16 bytes in network order.
  ByteSpan bytes() const { return ByteSpan(bytes_.data(), isV4() ? 4u : 16u); }
  uint32_t v4HostOrder() const;

  bool isUnspecified() const;
  bool isLoopback() const;
  bool isLinkLocal() const;
  bool isMulticast() const;
  bool isBroadcast() const;
  bool isV4Mapped() const;
  /// RFC 1918, 100.64/10, fc00::/7.
  bool isPrivate() const;
  /// Undoes v4-mapped, 64:ff9b::/96 and 2002::/16 encodings, so deny lists cannot be bypassed.
  IpAddress canonical() const;
  /// RFC 5952 text.
  std::string toString() const;

  constexpr auto operator<=>(const IpAddress&) const = default;

 private:
  AddressFamily family_ = AddressFamily::V4;
  std::array<uint8_t, 16> bytes_{};
};

/// An address with a port.
struct PARLEY_EXPORT SocketAddress {
  IpAddress ip;
  uint16_t port = 0;

  /// "192.0.2.1:5000" or "[2001:db8::1]:5000".
  static std::optional<SocketAddress> parse(std::string_view text);
  std::string toString() const;
  constexpr auto operator<=>(const SocketAddress&) const = default;
};

}  // namespace parley

template <>
struct std::hash<parley::IpAddress> {
  size_t operator()(const parley::IpAddress& a) const noexcept;
};
template <>
struct std::hash<parley::SocketAddress> {
  size_t operator()(const parley::SocketAddress& a) const noexcept;
};
