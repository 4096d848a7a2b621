#include "parley/rtp/fec/fec_packet.h"

#include <algorithm>
#include <cstring>

#include "parley/base/text.h"

#include "rtp/fec/schemes.h"

namespace parley::rtp {
namespace {

void xorBytes(uint8_t* out, const uint8_t* in, size_t size) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t a = 0;
    uint64_t b = 0;
    std::memcpy(&a, out + i, 8);
    std::memcpy(&b, in + i, 8);
    a ^= b;
    std::memcpy(out + i, &a, 8);
  }
  for (; i < size; ++i) out[i] = static_cast<uint8_t>(out[i] ^ in[i]);
}

}  // namespace

std::optional<FecScheme> fecSchemeOf(std::string_view encodingName) {
  if (equalsIgnoreCase(encodingName, "ulpfec")) return FecScheme::Ulpfec;
  if (equalsIgnoreCase(encodingName, "flexfec-03")) return FecScheme::Flexfec03;
  if (equalsIgnoreCase(encodingName, "flexfec")) return FecScheme::Flexfec;
  return std::nullopt;
}

uint64_t FecMask::bits(size_t first, size_t count) const {
  uint64_t out = 0;
  for (size_t i = 0; i < count; ++i) out = out << 1 | (test(first + i) ? 1u : 0u);
  return out;
}

void FecMask::setBits(size_t first, size_t count, uint64_t value) {
  for (size_t i = 0; i < count; ++i) {
    if (value >> (count - 1 - i) & 1) set(first + i);
  }
}

void FecSum::add(ByteSpan packet, MutableByteSpan body) {
  first = static_cast<uint8_t>(first ^ packet[0]);
  second = static_cast<uint8_t>(second ^ packet[1]);
  timestamp ^= loadU32(&packet[4]);
  const size_t size = packet.size() - kFixedHeaderSize;
  length = static_cast<uint16_t>(length ^ size);
  if (const size_t shared = std::min(size, body.size()); shared > 0)
    xorBytes(body.data(), packet.data() + kFixedHeaderSize, shared);
}

bool FecPacket::parse(FecScheme scheme, const PacketView& packet, FecPacket& out) {
  switch (scheme) {
    case FecScheme::Ulpfec:
      return parseUlpfec(packet.payload(), out);
    case FecScheme::Flexfec03:
      return parseFlexfec03(packet.payload(), out);
    case FecScheme::Flexfec:
      return parseFlexfec(packet, out);
  }
  return false;
}

size_t fecHeaderSize(FecScheme scheme, size_t span) {
  if (span == 0) return 0;
  if (scheme == FecScheme::Ulpfec) return span <= 16 ? 14 : span <= 48 ? 18 : 0;
  const size_t base = scheme == FecScheme::Flexfec03 ? 18 : 10;
  const size_t longest = scheme == FecScheme::Flexfec03 ? 109 : 110;
  return span <= 15 ? base + 2 : span <= 46 ? base + 6 : span <= longest ? base + 14 : 0;
}

size_t fecMaxSpan(FecScheme scheme) {
  return scheme == FecScheme::Ulpfec ? 48 : 46;
}

void writeFecHeader(const FecPacket& packet, size_t bodySize, ByteWriter& w) {
  switch (packet.scheme) {
    case FecScheme::Ulpfec:
      return writeUlpfecHeader(packet, bodySize, w);
    case FecScheme::Flexfec03:
      return writeFlexfec03Header(packet, w);
    case FecScheme::Flexfec:
      return writeFlexfecHeader(packet, w);
  }
}

}  // namespace parley::rtp
