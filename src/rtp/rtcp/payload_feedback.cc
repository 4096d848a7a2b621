#include <limits>

#include "parley/rtp/rtcp/fir.h"
#include "parley/rtp/rtcp/pli.h"
#include "parley/rtp/rtcp/remb.h"
#include "parley/rtp/rtcp/tmmb.h"

namespace parley::rtp::rtcp {

namespace {

constexpr uint32_t kRembIdentifier = 0x52454d42;  // "REMB"

// A peer may send exponent 63: saturate instead of shifting bits out.
DataRate fromMantissa(uint32_t mantissa, unsigned exponent) {
  constexpr uint64_t kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (mantissa == 0) return DataRate::zero();
  if (exponent > 62 || mantissa > (kMax >> exponent)) return DataRate::infinite();
  return DataRate::bps(static_cast<int64_t>(static_cast<uint64_t>(mantissa) << exponent));
}

/// The smallest exponent that leaves the mantissa `bits` bits; what does not fit is cut off.
uint32_t toMantissa(DataRate rate, unsigned bits, unsigned& exponent) {
  uint64_t mantissa = rate.bps() < 0 ? 0 : static_cast<uint64_t>(rate.bps());
  for (exponent = 0; mantissa >> bits != 0; mantissa >>= 1) ++exponent;
  return static_cast<uint32_t>(mantissa);
}

}  // namespace

std::optional<Pli> Pli::parse(const Block& block) {
  if (!block.is(kPayloadFeedback, kFormat)) return std::nullopt;
  ByteReader r(block.body);
  Pli out;
  out.senderSsrc = r.u32();
  out.mediaSsrc = r.u32();
  if (!r.ok()) return std::nullopt;
  return out;
}

void Pli::write(ByteWriter& w) const {
  BlockWriter block(w, kPayloadFeedback, kFormat);
  w.u32(senderSsrc);
  w.u32(mediaSsrc);
}

std::optional<Fir> Fir::parse(const Block& block) {
  if (!block.is(kPayloadFeedback, kFormat)) return std::nullopt;
  ByteReader r(block.body);
  Fir out;
  out.senderSsrc = r.u32();
  r.u32();
  if (!r.ok() || r.remaining() < 8) return std::nullopt;
  while (r.remaining() >= 8) {
    Entry e;
    e.ssrc = r.u32();
    e.sequence = r.u8();
    r.skip(3);
    out.entries.push_back(e);
  }
  return out;
}

void Fir::write(ByteWriter& w) const {
  BlockWriter block(w, kPayloadFeedback, kFormat);
  w.u32(senderSsrc);
  w.u32(0);
  for (const Entry& e : entries) {
    w.u32(e.ssrc);
    w.u8(e.sequence);
    w.u24(0);
  }
}

std::optional<Remb> Remb::parse(const Block& block) {
  if (!block.is(kPayloadFeedback, kFormat)) return std::nullopt;
  ByteReader r(block.body);
  Remb out;
  out.senderSsrc = r.u32();
  r.u32();
  if (r.u32() != kRembIdentifier || !r.ok()) return std::nullopt;
  const size_t count = r.u8();
  const uint32_t rate = r.u24();
  if (!r.ok() || r.remaining() < 4 * count) return std::nullopt;
  out.bitrate = fromMantissa(rate & 0x3ffff, rate >> 18);
  for (size_t i = 0; i < count; ++i) out.ssrcs.push_back(r.u32());
  return out;
}

void Remb::write(ByteWriter& w) const {
  unsigned exponent = 0;
  const uint32_t mantissa = toMantissa(bitrate, 18, exponent);
  BlockWriter block(w, kPayloadFeedback, kFormat);
  w.u32(senderSsrc);
  w.u32(0);
  w.u32(kRembIdentifier);
  w.u8(static_cast<uint8_t>(ssrcs.size()));
  w.u24(exponent << 18 | mantissa);
  for (uint32_t ssrc : ssrcs) w.u32(ssrc);
}

std::optional<Tmmb> Tmmb::parse(const Block& block) {
  const bool isRequest = block.is(kTransportFeedback, kRequestFormat);
  if (!isRequest && !block.is(kTransportFeedback, kNotificationFormat)) return std::nullopt;
  ByteReader r(block.body);
  Tmmb out;
  out.isRequest = isRequest;
  out.senderSsrc = r.u32();
  r.u32();
  // A notification may be empty (RFC 5104 section 4.2.2.1), a request may not.
  if (!r.ok() || (isRequest && r.remaining() < 8)) return std::nullopt;
  while (r.remaining() >= 8) {
    TmmbEntry e;
    e.ssrc = r.u32();
    const uint32_t v = r.u32();
    e.maxBitrate = fromMantissa(v >> 9 & 0x1ffff, v >> 26);
    e.overhead = v & 0x1ff;
    out.entries.push_back(e);
  }
  return out;
}

void Tmmb::write(ByteWriter& w) const {
  BlockWriter block(w, kTransportFeedback, isRequest ? kRequestFormat : kNotificationFormat);
  w.u32(senderSsrc);
  w.u32(0);
  for (const TmmbEntry& e : entries) {
    unsigned exponent = 0;
    const uint32_t mantissa = toMantissa(e.maxBitrate, 17, exponent);
    w.u32(e.ssrc);
    w.u32(exponent << 26 | mantissa << 9 | (e.overhead & 0x1ffu));
  }
}

}  // namespace parley::rtp::rtcp
