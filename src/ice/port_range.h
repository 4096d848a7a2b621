#pragma once

#include <algorithm>
#include <cstdint>

#include "parley/base/random.h"
#include "parley/ice/gatherer.h"

namespace parley::ice {

/// The ports of a configured range in the order in which one socket tries them: from anywhere in
/// it, so that the sockets of many connections seldom meet.
class PortChoice {
 public:
  PortChoice() = default;
  PortChoice(const GathererConfig& config, Random& random) {
    if (config.minPort == 0 || config.maxPort < config.minPort) return;
    min_ = config.minPort;
    count_ = config.maxPort - config.minPort + 1u;
    at_ = static_cast<uint16_t>(random.below(count_));
  }
  /// 0: any port will do.
  uint16_t port() const {
    return count_ == 0 ? uint16_t{0} : static_cast<uint16_t>(min_ + at_ % count_);
  }
  /// That one was taken. False: there are no others worth trying.
  bool next() {
    constexpr unsigned kMaxPorts = 64;
    if (++tries_ >= std::min(count_, kMaxPorts)) return false;
    ++at_;
    return true;
  }

 private:
  uint16_t min_ = 0;
  unsigned count_ = 0;
  unsigned at_ = 0;
  unsigned tries_ = 0;
};

}  // namespace parley::ice
