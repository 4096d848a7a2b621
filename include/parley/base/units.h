#pragma once

#include <compare>
#include <cstdint>
#include <limits>

#include "parley/base/time.h"

namespace parley {

/// A rate in bits per second.
class DataRate {
 public:
  constexpr DataRate() = default;
  static constexpr DataRate bps(int64_t v) { return DataRate(v); }
  static constexpr DataRate kbps(int64_t v) { return DataRate(v * 1000); }
  static constexpr DataRate infinite() { return DataRate(std::numeric_limits<int64_t>::max()); }
  static constexpr DataRate zero() { return DataRate(); }
  constexpr int64_t bps() const { return bps_; }
  constexpr double kbps() const { return static_cast<double>(bps_) / 1000.0; }
  constexpr bool isInfinite() const { return bps_ == std::numeric_limits<int64_t>::max(); }
  constexpr bool isZero() const { return bps_ == 0; }
  constexpr auto operator<=>(const DataRate&) const = default;
  constexpr DataRate operator+(DataRate o) const { return DataRate(bps_ + o.bps_); }
  constexpr DataRate operator-(DataRate o) const { return DataRate(bps_ - o.bps_); }
  constexpr DataRate operator*(double k) const {
    return DataRate(static_cast<int64_t>(static_cast<double>(bps_) * k));
  }
  constexpr double operator/(DataRate o) const {
    return static_cast<double>(bps_) / static_cast<double>(o.bps_);
  }
  /// How long `bytes` take at this rate; infinite at rate zero.
  constexpr Duration timeFor(int64_t bytes) const {
    if (bps_ <= 0) return Duration::infinite();
    return Duration::nanos(
        static_cast<int64_t>(static_cast<double>(bytes) * 8e9 / static_cast<double>(bps_)));
  }
  /// How many bytes pass in `d` at this rate.
  constexpr int64_t bytesIn(Duration d) const {
    return static_cast<int64_t>(static_cast<double>(bps_) * d.seconds() / 8.0);
  }

 private:
  explicit constexpr DataRate(int64_t v) : bps_(v) {}
  int64_t bps_ = 0;
};

}  // namespace parley
