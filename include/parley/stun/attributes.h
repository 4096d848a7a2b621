#pragma once

#include <cstdint>

namespace parley::stun {

/// Attribute numbers of the IANA "STUN Attributes" registry that the stack reads, writes or
/// recognises. Below 0x8000 a receiver must understand the attribute to act on the message
/// (RFC 8489 section 14).
enum class AttributeType : uint16_t {
  MappedAddress = 0x0001,
  ChangeRequest = 0x0003,  // RFC 5780
  Username = 0x0006,
  MessageIntegrity = 0x0008,
  ErrorCode = 0x0009,
  UnknownAttributes = 0x000A,
  ChannelNumber = 0x000C,  // RFC 8656, and so on to 0x0022
  Lifetime = 0x000D,
  XorPeerAddress = 0x0012,
  Data = 0x0013,
  Realm = 0x0014,
  Nonce = 0x0015,
  XorRelayedAddress = 0x0016,
  RequestedAddressFamily = 0x0017,
  EvenPort = 0x0018,
  RequestedTransport = 0x0019,
  DontFragment = 0x001A,
  AccessToken = 0x001B,  // RFC 7635
  MessageIntegritySha256 = 0x001C,
  PasswordAlgorithm = 0x001D,
  Userhash = 0x001E,
  XorMappedAddress = 0x0020,
  ReservationToken = 0x0022,
  Priority = 0x0024,                 // RFC 8445
  UseCandidate = 0x0025,             // RFC 8445
  Padding = 0x0026,                  // RFC 5780
  ResponsePort = 0x0027,             // RFC 5780
  ConnectionId = 0x002A,             // RFC 6062
  AdditionalAddressFamily = 0x8000,  // RFC 8656
  AddressErrorCode = 0x8001,         // RFC 8656
  PasswordAlgorithms = 0x8002,
  AlternateDomain = 0x8003,
  Icmp = 0x8004,  // RFC 8656
  Software = 0x8022,
  AlternateServer = 0x8023,
  Fingerprint = 0x8028,
  IceControlled = 0x8029,            // RFC 8445
  IceControlling = 0x802A,           // RFC 8445
  ResponseOrigin = 0x802B,           // RFC 5780
  OtherAddress = 0x802C,             // RFC 5780
  ThirdPartyAuthorization = 0x802E,  // RFC 7635
  MobilityTicket = 0x8030,           // RFC 8016
  // Sent by browsers in connectivity checks; all comprehension-optional.
  GoogNomination = 0xC001,
  GoogNetworkInfo = 0xC057,
};

constexpr bool isComprehensionRequired(AttributeType type) {
  return static_cast<uint16_t>(type) < 0x8000;
}

/// What a Binding request or response may carry that this stack acts on: RFC 8489 plus the ICE
/// attributes of RFC 8445. The rest of the range below 0x8000 is to be answered with 420.
constexpr bool isKnownForBinding(AttributeType type) {
  switch (type) {
    case AttributeType::MappedAddress:
    case AttributeType::Username:
    case AttributeType::MessageIntegrity:
    case AttributeType::ErrorCode:
    case AttributeType::UnknownAttributes:
    case AttributeType::Realm:
    case AttributeType::Nonce:
    case AttributeType::MessageIntegritySha256:
    case AttributeType::PasswordAlgorithm:
    case AttributeType::Userhash:
    case AttributeType::XorMappedAddress:
    case AttributeType::Priority:
    case AttributeType::UseCandidate:
      return true;
    default:
      return false;
  }
}

/// The same for the requests and indications of TURN (RFC 8656, RFC 6062) under the long-term
/// credential mechanism. ACCESS-TOKEN (RFC 7635) is not among them.
constexpr bool isKnownForTurn(AttributeType type) {
  switch (type) {
    case AttributeType::ChannelNumber:
    case AttributeType::Lifetime:
    case AttributeType::XorPeerAddress:
    case AttributeType::Data:
    case AttributeType::XorRelayedAddress:
    case AttributeType::RequestedAddressFamily:
    case AttributeType::EvenPort:
    case AttributeType::RequestedTransport:
    case AttributeType::DontFragment:
    case AttributeType::ReservationToken:
    case AttributeType::ConnectionId:
      return true;
    default:
      return isKnownForBinding(type);
  }
}

/// Error codes by their RFC names.
enum class StunError : uint16_t {
  TryAlternate = 300,
  BadRequest = 400,
  Unauthenticated = 401,
  Forbidden = 403,
  MobilityForbidden = 405,
  UnknownAttribute = 420,
  AllocationMismatch = 437,
  StaleNonce = 438,
  AddressFamilyNotSupported = 440,
  WrongCredentials = 441,
  UnsupportedTransport = 442,
  PeerAddressFamilyMismatch = 443,
  ConnectionAlreadyExists = 446,
  ConnectionTimeoutOrFailure = 447,
  AllocationQuotaReached = 486,
  RoleConflict = 487,
  ServerError = 500,
  InsufficientCapacity = 508,
};

}  // namespace parley::stun
