#include "io/sockaddr.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

namespace parley::io {

int socketFamily(const IpAddress& address) {
  return address.isV4() ? AF_INET : AF_INET6;
}

socklen_t toSockaddr(const SocketAddress& address, uint32_t scope, sockaddr_storage& out) {
  if (address.ip.isV4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(out);
    v4 = {};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, address.ip.bytes().data(), 4);
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out);
  v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address.port);
  std::memcpy(&v6.sin6_addr, address.ip.bytes().data(), 16);
  const bool linkScoped = address.ip.isLinkLocal() || address.ip.isMulticast();
  v6.sin6_scope_id = linkScoped ? scope : 0;
  return sizeof v6;
}

SocketAddress fromSockaddr(const sockaddr_storage& in) {
  if (in.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(in);
    return {IpAddress::v4(ntohl(v4.sin_addr.s_addr)), ntohs(v4.sin_port)};
  }
  if (in.ss_family != AF_INET6) return {};
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(in);
  std::array<uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &v6.sin6_addr, 16);
  return {IpAddress::v6(bytes), ntohs(v6.sin6_port)};
}

SocketAddress localAddressOf(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return fromSockaddr(storage);
}

bool bindToDevice(int fd, const std::string& device) {
  return device.empty() || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device.data(),
                                      static_cast<socklen_t>(device.size())) == 0;
}

SocketFailure failureFromErrno(int error) {
  switch (error) {
    case EADDRINUSE:
      return SocketFailure::AddressInUse;
    case EADDRNOTAVAIL:
    case ENODEV:
      return SocketFailure::AddressNotAvailable;
    case ECONNREFUSED:
      return SocketFailure::Refused;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ETIMEDOUT:
      return SocketFailure::Unreachable;
    case ECONNRESET:
    case EPIPE:
      return SocketFailure::Reset;
    case EACCES:
    case EPERM:
      return SocketFailure::Denied;
    default:
      return SocketFailure::Other;
  }
}

uint32_t scopeOf(const IpAddress& address) {
  if (!address.isV6() || !address.isLinkLocal()) return 0;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return 0;
  uint32_t scope = 0;
  for (const ifaddrs* entry = list; entry && scope == 0; entry = entry->ifa_next) {
    if (!entry->ifa_addr || entry->ifa_addr->sa_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ifa_addr, sizeof(sockaddr_in6));
    if (fromSockaddr(storage).ip == address) scope = if_nametoindex(entry->ifa_name);
  }
  freeifaddrs(list);
  return scope;
}

}  // namespace parley::io
