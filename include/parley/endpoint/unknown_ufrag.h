#pragma once

#include <string>

#include "parley/base/address.h"

namespace parley::endpoint {

/// A connectivity check for a connection that does not exist (yet): its USERNAME names a user
/// fragment of nobody here. Who asks has proved nothing. A server that finds `localUfrag` among the
/// descriptions it gave out may make the connection now; the peer repeats its check.
struct UnknownUfrag {
  std::string localUfrag;   ///< ours, as the peer believes
  std::string remoteUfrag;  ///< the peer's
  SocketAddress from;
  SocketAddress to;
};

}  // namespace parley::endpoint
