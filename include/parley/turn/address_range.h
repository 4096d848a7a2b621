#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/address.h"
#include "parley/base/export.h"

namespace parley::turn {

/// An IP network, e.g. 10.0.0.0/8 or a single address.
struct AddressRange {
  IpAddress network;
  uint8_t prefix = 0;  ///< bits: 0 to 32 or 128

  /// "192.0.2.0/24", "2001:db8::/32", or an address alone.
  PARLEY_EXPORT static std::optional<AddressRange> parse(std::string_view text);
  PARLEY_EXPORT bool contains(const IpAddress& address) const;
  bool operator==(const AddressRange&) const = default;
};

/// Addresses that no relay should reach: loopback, private, link-local, multicast and the other
/// special-purpose ranges of RFC 6890, in every disguise (IPv4 inside IPv6). A TURN server that
/// relays to them lends strangers its place in the inner network (RFC 8656 section 21.1.4).
PARLEY_EXPORT bool isSpecialPurpose(const IpAddress& address);

}  // namespace parley::turn
