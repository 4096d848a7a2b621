#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/address.h"
#include "parley/base/export.h"
#include "parley/base/time.h"

namespace parley::sim {

/// The World's name service: what every node's Resolve effect asks. Names compare without case.
class PARLEY_EXPORT Dns {
 public:
  /// Adds addresses to a name.
  void add(std::string_view name, const IpAddress& address);
  void remove(std::string_view name);
  /// How long an answer takes; the default is 20 ms.
  void setDelay(Duration delay) { delay_ = delay; }
  Duration delay() const { return delay_; }
  /// A dead resolver never answers.
  void setDead(bool dead) { dead_ = dead; }
  bool isDead() const { return dead_; }

  /// Literal addresses resolve to themselves, as with getaddrinfo. Empty: no such name.
  std::vector<IpAddress> lookUp(std::string_view name);
  uint64_t queries() const { return queries_; }

 private:
  std::map<std::string, std::vector<IpAddress>> names_;
  Duration delay_ = Duration::millis(20);
  bool dead_ = false;
  uint64_t queries_ = 0;
};

}  // namespace parley::sim
