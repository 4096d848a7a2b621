#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley::rtp::rtcp {

/// Statistics summary (RFC 3611 section 4.6). What the report does not tell is empty.
struct PARLEY_EXPORT StatisticsSummary {
  static constexpr uint8_t kType = 6;

  struct Jitter {  ///< RTP clock units
    uint32_t min = 0;
    uint32_t max = 0;
    uint32_t mean = 0;
    uint32_t deviation = 0;
    bool operator==(const Jitter&) const = default;
  };
  struct HopLimits {  ///< TTL of IPv4, hop limit of IPv6
    bool ipv6 = false;
    uint8_t min = 0;
    uint8_t max = 0;
    uint8_t mean = 0;
    uint8_t deviation = 0;
    bool operator==(const HopLimits&) const = default;
  };
  uint32_t ssrc = 0;
  uint16_t beginSequence = 0;
  uint16_t endSequence = 0;  ///< the first one that is not counted
  std::optional<uint32_t> lostPackets;
  std::optional<uint32_t> duplicatePackets;
  std::optional<Jitter> jitter;
  std::optional<HopLimits> hopLimits;

  /// `flags` is the type-specific octet, `body` what stands behind the block's header.
  static std::optional<StatisticsSummary> parse(uint8_t flags, ByteSpan body);
  bool operator==(const StatisticsSummary&) const = default;
};

/// VoIP metrics (RFC 3611 section 4.7). Values that the report gives as unavailable (127 where the
/// RFC says so) are empty.
struct PARLEY_EXPORT VoipMetrics {
  static constexpr uint8_t kType = 7;

  uint32_t ssrc = 0;
  // Fractions, 0..1.
  double lossRate = 0;
  double discardRate = 0;
  double burstDensity = 0;
  double gapDensity = 0;
  // Milliseconds.
  uint16_t burstDuration = 0;
  uint16_t gapDuration = 0;
  uint16_t roundTripDelay = 0;
  uint16_t endSystemDelay = 0;
  std::optional<int8_t> signalLevel;  ///< dBm0
  std::optional<int8_t> noiseLevel;   ///< dBm0
  std::optional<uint8_t> echoLoss;    ///< dB, residual echo return loss
  uint8_t gapThreshold = 16;          ///< Gmin
  std::optional<uint8_t> rFactor;     ///< 0..100
  std::optional<uint8_t> externalRFactor;
  std::optional<double> mosListening;       ///< 1..5
  std::optional<double> mosConversational;  ///< 1..5
  uint8_t receiverConfiguration = 0;
  // Milliseconds, of the jitter buffer.
  uint16_t nominalBufferDelay = 0;
  uint16_t maximumBufferDelay = 0;
  uint16_t absoluteMaximumBufferDelay = 0;

  static std::optional<VoipMetrics> parse(ByteSpan body);
  bool operator==(const VoipMetrics&) const = default;
};

}  // namespace parley::rtp::rtcp
