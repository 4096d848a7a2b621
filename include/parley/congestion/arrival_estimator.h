#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/base/units.h"

namespace parley::congestion {

/// A packet that has arrived, with what it tells of when it was sent.
struct ArrivedPacket {
  Timestamp arrival;
  uint32_t size = 0;  ///< bytes of the RTP packet
  uint32_t ssrc = 0;
  /// abs-send-time: 24 bits, 1/2^18 s.
  std::optional<uint32_t> absSendTime;
  /// Of media that is sent for the first time: how old others are tells nothing of the path.
  std::optional<uint32_t> rtpTimestamp;
  /// RFC 5450, in units of the clock: how much later than its timestamp says it was sent.
  std::optional<int32_t> transmissionOffset;
  uint32_t clockRate = 90'000;
};

/// What the path from a peer carries, found out where the packets arrive: for senders that take
/// REMB (draft-alvestrand-rmcat-remb) because they have no feedback of arrivals. The delay-based
/// part of Google congestion control (draft-ietf-rmcat-gcc-02 section 5) with the arrivals at hand.
/// When packets were sent tell, in this order, the send time, the RTP timestamp with its offset,
/// and the RTP timestamp of each frame's first packet.
///
/// No clock: each packet brings its time. Bounded: at most 16 sources are told apart.
class PARLEY_EXPORT ArrivalEstimator {
 public:
  ArrivalEstimator();
  ~ArrivalEstimator();
  ArrivalEstimator(const ArrivalEstimator&) = delete;
  ArrivalEstimator& operator=(const ArrivalEstimator&) = delete;

  /// Arrivals do not go back in time. After two seconds without any all is forgotten.
  void onPacket(const ArrivedPacket& packet);
  void setRtt(Duration rtt);
  /// Nothing until half a second has been heard. At least 30 kb/s.
  std::optional<DataRate> rate() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace parley::congestion
