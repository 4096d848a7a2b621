#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/time.h"

namespace parley::api_internal {

/// RTCQualityLimitationReason.
enum class QualityLimitation : uint8_t { None, Cpu, Bandwidth, Other };

/// Why an encoder produces less than it is given, and for how long it has been so. A picture that
/// was left out is a reason for the second that follows it.
class QualityLimitations {
 public:
  using Durations = std::array<double, 4>;  ///< seconds, by reason

  /// A picture has come, so time counts from now on.
  void begin(Timestamp now) {
    if (!since_) since_ = now;
    update(now);
  }
  /// No time to encode it.
  void busy(Timestamp now) {
    cpuUntil_ = now + kMemory;
    update(now);
  }
  /// The encoder left it out to keep to its rate.
  void overRate(Timestamp now) {
    bandwidthUntil_ = now + kMemory;
    update(now);
  }
  /// Pictures are made smaller or rarer for these reasons, until it is called again.
  void lowered(bool cpu, bool bandwidth, Timestamp now) {
    update(now);
    cpuLowers_ = cpu;
    bandwidthLowers_ = bandwidth;
    update(now);
  }
  QualityLimitation reason(Timestamp now) const {
    if (cpuLowers_ || now < cpuUntil_) return QualityLimitation::Cpu;
    const bool bandwidth = bandwidthLowers_ || now < bandwidthUntil_;
    return bandwidth ? QualityLimitation::Bandwidth : QualityLimitation::None;
  }
  Durations durations(Timestamp now) const {
    QualityLimitations copy = *this;
    copy.update(now);
    return copy.durations_;
  }

 private:
  static constexpr Duration kMemory = Duration::seconds(1);

  void update(Timestamp now) {
    if (!since_ || now < *since_) return;
    durations_[static_cast<size_t>(reason_)] += (now - *since_).seconds();
    since_ = now;
    reason_ = reason(now);
  }

  std::optional<Timestamp> since_;
  QualityLimitation reason_ = QualityLimitation::None;
  Timestamp cpuUntil_;
  Timestamp bandwidthUntil_;
  bool cpuLowers_ = false;
  bool bandwidthLowers_ = false;
  Durations durations_{};
};

}  // namespace parley::api_internal
