#pragma once

#include <cstdint>

#include "parley/base/bytes.h"

namespace parley::sctp {

/// CRC32c (polynomial 0x1EDC6F41, reflected) over `data`, as RFC 9260 appendix A defines it. The
/// register value goes on the wire in little-endian order.
uint32_t crc32c(ByteSpan data);

/// The checksum of an SCTP packet: CRC32c with the checksum field taken as zero. At least 12 bytes.
uint32_t packetChecksum(ByteSpan packet);

/// The field as it stands in a packet, as a register value.
uint32_t loadChecksum(ByteSpan packet);
void storeChecksum(MutableByteSpan packet, uint32_t value);

}  // namespace parley::sctp
