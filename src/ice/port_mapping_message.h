#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "parley/base/address.h"
#include "parley/base/bytes.h"

// Wire formats of PCP (RFC 6887) and NAT-PMP (RFC 6886), as far as mapping a UDP port needs them.
// Both speak UDP to port 5351 of the router; the first byte tells them apart.

namespace parley::ice::port_mapping {

constexpr uint16_t kPort = 5351;
constexpr uint8_t kNatPmpVersion = 0;
constexpr uint8_t kPcpVersion = 2;

using Nonce = std::array<uint8_t, 12>;

struct MapRequest {
  Nonce nonce{};
  IpAddress client;  ///< IPv4
  uint16_t internalPort = 0;
  SocketAddress suggested;  ///< port 0, address unspecified: no wish
  uint32_t lifetime = 0;    ///< seconds; 0 ends the mapping
};

constexpr size_t kPcpMapSize = 60;
constexpr size_t kNatPmpMapSize = 12;
constexpr size_t kNatPmpAddressSize = 2;

/// RFC 6887 sections 7.1 and 11.1.
std::array<uint8_t, kPcpMapSize> writePcpMap(const MapRequest& request);
/// RFC 6886 section 3.3.
std::array<uint8_t, kNatPmpMapSize> writeNatPmpMap(const MapRequest& request);
/// RFC 6886 section 3.2: "what is your external address?"
std::array<uint8_t, kNatPmpAddressSize> writeNatPmpAddress();

/// An answer of either protocol.
struct Answer {
  enum class Kind : uint8_t {
    PcpMap,
    NatPmpMap,
    NatPmpAddress,
    WrongVersion,  ///< the router does not know the version that it was asked in
  };
  Kind kind{};
  uint8_t version = 0;    ///< that the router answered in
  uint16_t result = 0;    ///< 0: success
  uint32_t epoch = 0;     ///< seconds since the router lost its state
  uint32_t lifetime = 0;  ///< seconds granted; of an error, how long it will last (PCP)
  Nonce nonce{};          ///< PCP alone
  uint16_t internalPort = 0;
  SocketAddress external;  ///< of a NAT-PMP mapping the port alone, of its address the address
};

/// Nothing if it is malformed, a request, or of a protocol other than UDP.
std::optional<Answer> parseAnswer(ByteSpan datagram);

}  // namespace parley::ice::port_mapping
