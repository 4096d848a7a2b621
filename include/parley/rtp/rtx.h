#pragma once

#include <cstdint>

#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/rtp/packet_view.h"

namespace parley::rtp {

/// Turns a retransmission packet (RFC 4588 section 4) back into the original, in place: the two
/// bytes of original sequence number vanish, and SSRC and payload type become those of the original
/// stream. False, and the buffer unchanged, if the payload is shorter than the number or holds only
/// padding (a probe).
PARLEY_EXPORT bool unwrapRtx(PacketBuf& packet, const PacketView& view, uint32_t originalSsrc,
                             uint8_t originalPayloadType);

/// Writes the retransmission of `original` to `out` (a live buffer). Header extensions are copied
/// as they are; the sender rewrites those that depend on the stream or the time. Padding is not
/// copied. False if it does not fit.
PARLEY_EXPORT bool wrapRtx(const PacketView& original, uint32_t rtxSsrc, uint8_t rtxPayloadType,
                           uint16_t rtxSequenceNumber, PacketBuf& out);

}  // namespace parley::rtp
