#pragma once

#include <optional>

#include "parley/base/address.h"
#include "parley/base/bytes.h"

namespace parley::stun {

/// MAPPED-ADDRESS (RFC 8489 section 14.1); nullopt unless the size is that of the family.
std::optional<SocketAddress> decodeAddress(ByteSpan value);

/// Applies the XOR of RFC 8489 section 14.2, which is its own inverse. `cookieAndId` are the 16
/// header bytes from the magic cookie on.
SocketAddress xorWithHeader(const SocketAddress& address, ByteSpan cookieAndId);

}  // namespace parley::stun
