#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/time.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// Transport-wide congestion control feedback
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1). Only the packets that arrived
/// are listed; everything else in [baseSequence, baseSequence + statusCount) is lost.
struct PARLEY_EXPORT TransportFeedback {
  static constexpr uint8_t kFormat = 15;
  static constexpr Duration kReferenceUnit = Duration::millis(64);
  static constexpr Duration kDeltaUnit = Duration::micros(250);

  struct Received {
    uint16_t sequence = 0;
    int16_t delta = 0;  ///< in kDeltaUnit, since the previous one (the first: since the reference)
    bool operator==(const Received&) const = default;
  };

  uint32_t senderSsrc = 0;
  uint32_t mediaSsrc = 0;
  uint16_t baseSequence = 0;
  uint16_t statusCount = 0;
  /// 24 bits, in kReferenceUnit, modular: it wraps every 12.4 days.
  uint32_t referenceTime = 0;
  uint8_t feedbackCount = 0;
  std::vector<Received> received;

  /// Fills `out`, reusing its memory. False if malformed: no status, the reserved symbol 3, fewer
  /// chunks or deltas than the status count asks for. A last run may exceed the count. Memory grows
  /// with the bytes present, never with the count.
  static bool parse(const Block& block, TransportFeedback& out);
};

/// One arrival to report.
struct PacketArrival {
  int64_t sequence = 0;  ///< unwrapped transport sequence number
  Timestamp time;
};

/// Writes one transport feedback packet.
///
/// `arrivals` are in ascending sequence order without repeats; `baseSequence` (unwrapped, not above
/// the first) is where the report starts, so that leading losses are named. Takes as many as
/// `maxBytes`, the 16-bit status count and the delta range (+-8.19 s) allow, and returns that
/// number; 0 writes nothing. A larger gap between two arrivals ends the report: the rest needs
/// another one.
PARLEY_EXPORT size_t writeTransportFeedback(ByteWriter& w, uint32_t senderSsrc, uint32_t mediaSsrc,
                                            uint8_t feedbackCount, int64_t baseSequence,
                                            std::span<const PacketArrival> arrivals,
                                            size_t maxBytes);

}  // namespace parley::rtp::rtcp
