#pragma once

#include <optional>
#include <string>

#include "parley/base/address.h"
#include "parley/stun/nat_probe.h"

/// A server's first address, from a URL such as "stun:stun.example:3478"; nothing if its name does
/// not resolve. Waits.
std::optional<parley::SocketAddress> serverAddress(const std::string& url);

/// Asks the server how this machine's NAT behaves (RFC 5780). Waits, up to 20 s.
parley::stun::NatReport behaviorTowards(const parley::SocketAddress& server);
