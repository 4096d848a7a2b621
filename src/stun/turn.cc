#include "parley/stun/turn.h"

#include <algorithm>
#include <cstring>

#include "parley/stun/channel_data.h"

namespace parley::stun {

std::optional<AddressFamily> parseAddressFamily(ByteSpan value) {
  if (value.size() != 4) return std::nullopt;
  if (value[0] == 1) return AddressFamily::V4;
  if (value[0] == 2) return AddressFamily::V6;
  return std::nullopt;
}

std::optional<uint16_t> parseChannelNumber(const Message& message, uint16_t highest) {
  const auto value = message.u32(AttributeType::ChannelNumber);
  if (!value) return std::nullopt;
  const auto channel = static_cast<uint16_t>(*value >> 16);
  return isChannelNumber(channel, highest) ? std::optional(channel) : std::nullopt;
}

std::optional<bool> parseEvenPort(const Message& message) {
  const auto value = message.find(AttributeType::EvenPort);
  if (!value || value->empty()) return std::nullopt;
  return ((*value)[0] & 0x80) != 0;
}

std::optional<AddressError> parseAddressError(ByteSpan value) {
  if (value.size() < 4 || (value[0] != 1 && value[0] != 2)) return std::nullopt;
  const unsigned hundreds = value[2] & 7u;
  const unsigned rest = value[3];
  if (hundreds < 3 || hundreds > 6 || rest > 99) return std::nullopt;
  return AddressError{value[0] == 1 ? AddressFamily::V4 : AddressFamily::V6,
                      static_cast<uint16_t>(hundreds * 100 + rest), asText(value.subspan(4))};
}

Bytes writeAddressError(AddressFamily family, StunError code, std::string_view reason) {
  const auto number = static_cast<unsigned>(code);
  Bytes out(4 + reason.size());
  out[0] = family == AddressFamily::V4 ? 1 : 2;
  out[2] = static_cast<uint8_t>(number / 100);
  out[3] = static_cast<uint8_t>(number % 100);
  std::copy(reason.begin(), reason.end(), out.begin() + 4);
  return out;
}

bool wrapInIndication(PacketBuf& payload, Method method, const TransactionId& id,
                      const SocketAddress& peer) {
  const size_t size = payload.size();
  const size_t padding = (4 - size % 4) % 4;
  const size_t addressSize = kAttributeHeaderSize + 4 + peer.ip.bytes().size();
  const size_t front = kHeaderSize + addressSize + kAttributeHeaderSize;
  if (size + padding > payload.writable().size() || size > 0xFFFF) return false;
  if (!payload.growFront(front)) return false;
  payload.resize(front + size + padding);
  std::memset(payload.data() + front + size, 0, padding);
  MessageBuilder builder(payload.mutableSpan().first(front), Class::Indication, method, id);
  builder.xorAddress(AttributeType::XorPeerAddress, peer);
  uint8_t* attribute = payload.data() + kHeaderSize + addressSize;
  storeU16(attribute, static_cast<uint16_t>(AttributeType::Data));
  storeU16(attribute + 2, static_cast<uint16_t>(size));
  storeU16(payload.data() + 2, static_cast<uint16_t>(payload.size() - kHeaderSize));
  return true;
}

std::optional<IcmpError> parseIcmp(ByteSpan value) {
  if (value.size() != 8) return std::nullopt;
  // Seven bits of type and nine of code share the second half of the first word.
  const uint16_t packed = loadU16(&value[2]);
  return IcmpError{static_cast<uint8_t>(packed >> 9), static_cast<uint16_t>(packed & 0x1FF),
                   loadU32(&value[4])};
}

Bytes writeIcmp(const IcmpError& error) {
  Bytes out(8);
  storeU16(&out[2], static_cast<uint16_t>((error.type & 0x7F) << 9 | (error.code & 0x1FF)));
  storeU32(&out[4], error.data);
  return out;
}

std::string_view reasonPhrase(StunError code) {
  switch (code) {
    case StunError::TryAlternate:
      return "Try Alternate";
    case StunError::BadRequest:
      return "Bad Request";
    case StunError::Unauthenticated:
      return "Unauthenticated";
    case StunError::Forbidden:
      return "Forbidden";
    case StunError::MobilityForbidden:
      return "Mobility Forbidden";
    case StunError::UnknownAttribute:
      return "Unknown Attribute";
    case StunError::AllocationMismatch:
      return "Allocation Mismatch";
    case StunError::StaleNonce:
      return "Stale Nonce";
    case StunError::AddressFamilyNotSupported:
      return "Address Family not Supported";
    case StunError::WrongCredentials:
      return "Wrong Credentials";
    case StunError::UnsupportedTransport:
      return "Unsupported Transport Protocol";
    case StunError::PeerAddressFamilyMismatch:
      return "Peer Address Family Mismatch";
    case StunError::ConnectionAlreadyExists:
      return "Connection Already Exists";
    case StunError::ConnectionTimeoutOrFailure:
      return "Connection Timeout or Failure";
    case StunError::AllocationQuotaReached:
      return "Allocation Quota Reached";
    case StunError::RoleConflict:
      return "Role Conflict";
    case StunError::ServerError:
      return "Server Error";
    case StunError::InsufficientCapacity:
      return "Insufficient Capacity";
  }
  return "";
}

}  // namespace parley::stun
