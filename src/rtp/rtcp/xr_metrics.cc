#include "parley/rtp/rtcp/xr_metrics.h"

namespace parley::rtp::rtcp {
namespace {

constexpr size_t kSummarySize = 36;
constexpr size_t kMetricsSize = 32;
constexpr uint8_t kUnavailable = 127;

template <class T>
std::optional<T> told(uint8_t value) {
  if (value == kUnavailable) return std::nullopt;
  return static_cast<T>(value);
}

/// Scores times ten (RFC 3611 section 4.7.5).
std::optional<double> score(uint8_t value) {
  if (value == kUnavailable) return std::nullopt;
  return value / 10.0;
}

double fraction(uint8_t value) {
  return value / 256.0;
}

}  // namespace

std::optional<StatisticsSummary> StatisticsSummary::parse(uint8_t flags, ByteSpan body) {
  if (body.size() != kSummarySize) return std::nullopt;
  ByteReader r(body);
  StatisticsSummary out;
  out.ssrc = r.u32();
  out.beginSequence = r.u16();
  out.endSequence = r.u16();
  const uint32_t lost = r.u32();
  const uint32_t duplicates = r.u32();
  Jitter jitter;
  jitter.min = r.u32();
  jitter.max = r.u32();
  jitter.mean = r.u32();
  jitter.deviation = r.u32();
  HopLimits hops;
  hops.min = r.u8();
  hops.max = r.u8();
  hops.mean = r.u8();
  hops.deviation = r.u8();
  // L, D, J, and ToH: 0 none, 1 IPv4, 2 IPv6.
  if ((flags & 0x80) != 0) out.lostPackets = lost;
  if ((flags & 0x40) != 0) out.duplicatePackets = duplicates;
  if ((flags & 0x20) != 0) out.jitter = jitter;
  const uint8_t kind = flags >> 3 & 3;
  if (kind == 3) return std::nullopt;  // "MUST NOT be used"
  hops.ipv6 = kind == 2;
  if (kind != 0) out.hopLimits = hops;
  return out;
}

std::optional<VoipMetrics> VoipMetrics::parse(ByteSpan body) {
  if (body.size() != kMetricsSize) return std::nullopt;
  ByteReader r(body);
  VoipMetrics out;
  out.ssrc = r.u32();
  out.lossRate = fraction(r.u8());
  out.discardRate = fraction(r.u8());
  out.burstDensity = fraction(r.u8());
  out.gapDensity = fraction(r.u8());
  out.burstDuration = r.u16();
  out.gapDuration = r.u16();
  out.roundTripDelay = r.u16();
  out.endSystemDelay = r.u16();
  out.signalLevel = told<int8_t>(r.u8());
  out.noiseLevel = told<int8_t>(r.u8());
  out.echoLoss = told<uint8_t>(r.u8());
  out.gapThreshold = r.u8();
  out.rFactor = told<uint8_t>(r.u8());
  out.externalRFactor = told<uint8_t>(r.u8());
  out.mosListening = score(r.u8());
  out.mosConversational = score(r.u8());
  out.receiverConfiguration = r.u8();
  r.skip(1);
  out.nominalBufferDelay = r.u16();
  out.maximumBufferDelay = r.u16();
  out.absoluteMaximumBufferDelay = r.u16();
  return out;
}

}  // namespace parley::rtp::rtcp
