#pragma once

#include <cstdint>
#include <string>

#include "parley/base/export.h"

namespace parley::turn {

/// Between client and server.
enum class Transport : uint8_t { Udp, Tcp, Tls, Dtls };

constexpr bool isStream(Transport transport) {
  return transport == Transport::Tcp || transport == Transport::Tls;
}
constexpr bool isSecure(Transport transport) {
  return transport == Transport::Tls || transport == Transport::Dtls;
}
/// "udp", "tcp", "tls", "dtls"; the first three are RTCIceServerTransportProtocol.
PARLEY_EXPORT const char* toString(Transport transport);

/// A proxy that TCP and TLS connections to a server go through.
struct Proxy {
  /// HttpConnect: RFC 9110 section 9.3.6, with Basic authentication. Socks5: RFC 1928, with the
  /// user name and password of RFC 1929.
  enum class Kind : uint8_t { HttpConnect, Socks5 } kind = Kind::HttpConnect;
  std::string host;  ///< name or literal address
  uint16_t port = 8080;
  std::string username{};  ///< empty: no authentication
  std::string password{};
  bool operator==(const Proxy&) const = default;
};

}  // namespace parley::turn
