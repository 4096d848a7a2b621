#include "congestion/gcc/acked_bitrate.h"

#include <algorithm>
#include <cmath>

namespace parley::congestion::gcc {
namespace {

constexpr Duration kFirstWindow = Duration::millis(500);
constexpr Duration kWindow = Duration::millis(150);
constexpr double kUncertainty = 10;
/// While the source limits itself, a low sample says little about the path.
constexpr double kLimitedUncertainty = 20;
constexpr double kSmallSampleBytes = 200;
constexpr double kProcessNoise = 5;

}  // namespace

void AckedBitrate::reset() {
  *this = AckedBitrate();
}

std::optional<DataRate> AckedBitrate::rate() const {
  if (!estimateKbps_) return std::nullopt;
  return DataRate::bps(static_cast<int64_t>(*estimateKbps_ * 1000));
}

std::optional<double> AckedBitrate::takeSampleKbps(Timestamp at, int64_t bytes, bool& small,
                                                   bool limited) {
  const Duration window = estimateKbps_ ? kWindow : kFirstWindow;
  if (last_ && at < *last_) {  // a receiver clock that jumped back
    windowStart_ = at;
    windowBytes_ = 0;
  }
  if (!windowStart_ || (last_ && at - *last_ > window)) {
    // A pause is not a low rate of the path, but the data did end: start a new window.
    windowStart_ = at;
    windowBytes_ = 0;
  }
  last_ = at;
  std::optional<double> sample;
  const Duration elapsed = at - *windowStart_;
  if (elapsed >= window) {
    sample = static_cast<double>(windowBytes_) * 8 / (elapsed.seconds() * 1000);
    small = limited && static_cast<double>(windowBytes_) < kSmallSampleBytes;
    windowStart_ = at;
    windowBytes_ = 0;
  }
  windowBytes_ += bytes;
  return sample;
}

void AckedBitrate::add(Timestamp receiveTime, int64_t bytes, bool applicationLimited) {
  bool small = false;
  const auto sample = takeSampleKbps(receiveTime, bytes, small, applicationLimited);
  if (!sample || small) return;
  if (!estimateKbps_) {
    estimateKbps_ = *sample;
    return;
  }
  const double scale =
      applicationLimited && *sample < *estimateKbps_ ? kLimitedUncertainty : kUncertainty;
  // Against the larger of the two: measured by a small estimate alone, a source that begins to send
  // would not be believed for many seconds.
  const double doubt =
      scale * std::fabs(*estimateKbps_ - *sample) / std::max({1.0, *estimateKbps_, *sample});
  const double sampleVariance = std::max(1e-6, doubt * doubt);
  const double predicted = variance_ + kProcessNoise;
  estimateKbps_ =
      (sampleVariance * *estimateKbps_ + predicted * *sample) / (sampleVariance + predicted);
  variance_ = sampleVariance * predicted / (sampleVariance + predicted);
}

}  // namespace parley::congestion::gcc
