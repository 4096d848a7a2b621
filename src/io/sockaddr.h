#pragma once

#include <cstdint>
#include <string>
#include <sys/socket.h>

#include "parley/base/address.h"
#include "parley/base/driven.h"

namespace parley::io {

/// Fills `out`; answers the length. `scope` is used for link-local IPv6 addresses only.
socklen_t toSockaddr(const SocketAddress& address, uint32_t scope, sockaddr_storage& out);
SocketAddress fromSockaddr(const sockaddr_storage& in);
/// The local address of a socket; all zero if the system does not tell.
SocketAddress localAddressOf(int fd);
SocketFailure failureFromErrno(int error);

/// Nothing to do for an empty name. False: errno tells why.
bool bindToDevice(int fd, const std::string& device);
int socketFamily(const IpAddress& address);
/// The index of the interface that owns a link-local IPv6 address; 0 for all other addresses.
uint32_t scopeOf(const IpAddress& address);

}  // namespace parley::io
