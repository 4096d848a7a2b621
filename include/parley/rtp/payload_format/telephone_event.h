#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"

namespace parley::rtp {

/// A named telephone event (RFC 4733 section 2.3). Events 0..15 are the DTMF digits 0-9, *, #, A-D.
struct TelephoneEvent {
  static constexpr size_t kSize = 4;

  uint8_t event = 0;
  bool end = false;
  uint8_t volume = 0;     ///< -dBm0, 0..63
  uint16_t duration = 0;  ///< RTP clock ticks since the packet's timestamp

  static std::optional<TelephoneEvent> parse(ByteSpan payload) {
    ByteReader r(payload);
    TelephoneEvent v;
    v.event = r.u8();
    const uint8_t flags = r.u8();
    v.duration = r.u16();
    if (!r.ok()) return std::nullopt;
    v.end = (flags & 0x80) != 0;
    v.volume = flags & 0x3f;
    return v;
  }
  void write(ByteWriter& w) const {
    w.u8(event);
    w.u8(static_cast<uint8_t>((end ? 0x80 : 0) | (volume & 0x3f)));
    w.u16(duration);
  }
  bool operator==(const TelephoneEvent&) const = default;
};

}  // namespace parley::rtp
