#pragma once

#include "parley/rtp/fec/fec_packet.h"

namespace parley::rtp {

// FecPacket::parse and writeFecHeader, one scheme each.
bool parseFlexfec03(ByteSpan payload, FecPacket& out);
bool parseFlexfec(const PacketView& packet, FecPacket& out);
void writeUlpfecHeader(const FecPacket& packet, size_t bodySize, ByteWriter& w);
void writeFlexfec03Header(const FecPacket& packet, ByteWriter& w);
void writeFlexfecHeader(const FecPacket& packet, ByteWriter& w);

}  // namespace parley::rtp
