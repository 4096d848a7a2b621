#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/address.h"
#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"

// Values of the TURN attributes (RFC 8656 section 18, RFC 6062 section 6) that are more than a
// number: MessageBuilder writes them as u32 or bytes, Message::u32 or find reads them.

namespace parley::stun {

/// REQUESTED-TRANSPORT carries an IP protocol number in its first byte.
enum class RelayTransport : uint8_t { Tcp = 6, Udp = 17 };
constexpr uint32_t requestedTransport(RelayTransport transport) {
  return static_cast<uint32_t>(transport) << 24;
}

/// REQUESTED-ADDRESS-FAMILY, ADDITIONAL-ADDRESS-FAMILY: 1 and 2, in the first byte.
constexpr uint32_t addressFamilyValue(AddressFamily family) {
  return (family == AddressFamily::V4 ? 1u : 2u) << 24;
}
/// nullopt for anything but the two families.
PARLEY_EXPORT std::optional<AddressFamily> parseAddressFamily(ByteSpan value);

/// CHANNEL-NUMBER: the number in the first half.
constexpr uint32_t channelNumberValue(uint16_t channel) {
  return static_cast<uint32_t>(channel) << 16;
}
/// nullopt unless it is a channel number up to `highest` (see channel_data.h).
PARLEY_EXPORT std::optional<uint16_t> parseChannelNumber(const Message& message,
                                                         uint16_t highest = 0x4FFF);

/// EVEN-PORT: one byte, whose first bit asks to reserve the next port as well. nullopt: absent.
PARLEY_EXPORT std::optional<bool> parseEvenPort(const Message& message);

/// ADDRESS-ERROR-CODE (RFC 8656 section 18.12): why one of two address families was not allocated.
struct AddressError {
  AddressFamily family = AddressFamily::V4;
  uint16_t code = 0;
  std::string_view reason;  ///< borrows from the message
};
PARLEY_EXPORT std::optional<AddressError> parseAddressError(ByteSpan value);
PARLEY_EXPORT Bytes writeAddressError(AddressFamily family, StunError code,
                                      std::string_view reason);

/// Puts a Send or Data indication around a payload where it lies: header, XOR-PEER-ADDRESS, DATA
/// (36 bytes before an IPv4 peer's data, 48 before an IPv6 one's). False (and unchanged) without
/// room before or behind it.
PARLEY_EXPORT bool wrapInIndication(PacketBuf& payload, Method method, const TransactionId& id,
                                    const SocketAddress& peer);

/// ICMP (RFC 8656 section 18.13): what a router said about a packet to a peer.
struct IcmpError {
  uint8_t type = 0;
  uint16_t code = 0;
  uint32_t data = 0;  ///< e.g. the MTU of the next hop
};
PARLEY_EXPORT std::optional<IcmpError> parseIcmp(ByteSpan value);
PARLEY_EXPORT Bytes writeIcmp(const IcmpError& error);

/// A refused REQUEST's code: the words that go with it (RFC 8489 section 14.8, RFC 8656 section
/// 19).
PARLEY_EXPORT std::string_view reasonPhrase(StunError code);

}  // namespace parley::stun
