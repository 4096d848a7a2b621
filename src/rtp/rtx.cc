#include "parley/rtp/rtx.h"

#include <cstring>

#include "parley/rtp/packet_writer.h"

namespace parley::rtp {

namespace {
constexpr size_t kOriginalSequenceSize = 2;
}

bool unwrapRtx(PacketBuf& packet, const PacketView& view, uint32_t originalSsrc,
               uint8_t originalPayloadType) {
  if (view.payload().size() < kOriginalSequenceSize) return false;
  const uint16_t sequence = loadU16(view.payload().data());
  // The header moves up over the number: far fewer bytes than the payload.
  std::memmove(packet.data() + kOriginalSequenceSize, packet.data(), view.headerSize());
  packet.trimFront(kOriginalSequenceSize);
  setSequenceNumber(packet.mutableSpan(), sequence);
  setSsrc(packet.mutableSpan(), originalSsrc);
  setPayloadType(packet.mutableSpan(), originalPayloadType);
  return true;
}

bool wrapRtx(const PacketView& original, uint32_t rtxSsrc, uint8_t rtxPayloadType,
             uint16_t rtxSequenceNumber, PacketBuf& out) {
  const ByteSpan payload = original.payload();
  const size_t header = original.headerSize();
  const size_t size = header + kOriginalSequenceSize + payload.size();
  if (size > PacketBuf::kMaxPayload || size > out.writable().size()) return false;
  out.resize(size);
  std::memcpy(out.data(), original.packet().data(), header);
  storeU16(out.data() + header, original.sequenceNumber());
  if (!payload.empty()) {
    std::memcpy(out.data() + header + kOriginalSequenceSize, payload.data(), payload.size());
  }
  out.data()[0] &= 0xdf;  // the P bit: padding stays behind
  setSequenceNumber(out.mutableSpan(), rtxSequenceNumber);
  setSsrc(out.mutableSpan(), rtxSsrc);
  setPayloadType(out.mutableSpan(), rtxPayloadType);
  return true;
}

}  // namespace parley::rtp
