#pragma once

#include <functional>
#include <string>
#include <vector>

#include "parley/base/address.h"
#include "parley/base/export.h"

namespace parley::io {

/// Looks names up with getaddrinfo() on a helper thread: at most one in the process, started by the
/// first look-up, shared by all loops, never joined (a look-up may block for half a minute).
class PARLEY_EXPORT Resolver {
 public:
  /// Called on the helper thread; an empty list means that the name does not resolve.
  using Done = std::function<void(std::vector<IpAddress>)>;

  /// Any thread. Literal addresses are answered on the caller's stack. With kMaxWaiting look-ups
  /// waiting, more are answered with an empty list at once.
  static void resolve(std::string host, Done done);
  static constexpr size_t kMaxWaiting = 256;
};

}  // namespace parley::io
