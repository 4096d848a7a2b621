#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "parley/base/time.h"
#include "parley/congestion/arrival_estimator.h"
#include "parley/media/receive_hub.h"
#include "parley/media/receive_types.h"
#include "parley/rtp/packet_view.h"

namespace parley::media {

/// When the sender is told what it may send (REMB): for sections in which that was agreed and no
/// feedback of arrivals.
class RateReporter {
 public:
  /// Off, it costs nothing.
  void setActive(bool active);
  bool active() const { return estimator_ != nullptr; }
  void setRtt(Duration rtt);

  /// What arrived, with what a receiver knows of it; `codec` is null for what repairs other
  /// packets. `others`: what other sections have.
  void onPacket(const rtp::PacketView& view, const ReceiveConfig& config, const ReceiveCodec* codec,
                ArrivalFeedback others, Timestamp now);
  /// What to tell now: once a second, and at once when it has fallen by 3 %. Nothing while nothing
  /// arrives, for it is asked for when something has.
  std::optional<DataRate> poll(Timestamp now);

 private:
  static constexpr Duration kInterval = Duration::seconds(1);
  static constexpr double kFall = 0.97;

  std::unique_ptr<congestion::ArrivalEstimator> estimator_;
  bool heard_ = false;
  std::optional<Timestamp> lastTold_;
  DataRate told_;
};

}  // namespace parley::media
