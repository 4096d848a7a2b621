#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "parley/base/bytes.h"
#include "parley/base/packet_buffer.h"
#include "parley/rtp/fec/fec_packet.h"

#include "media/fec_decoder.h"

using namespace parley;
using namespace parley::media;

// The first byte names the scheme. Then actions: a byte says which. A media packet has a step of
// its sequence number (one byte, signed), a length in units of 4 bytes, and its bytes behind the
// fixed header; a FEC packet has a length in units of 4 bytes and its payload.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint32_t kSsrc = 0x1111;
  constexpr size_t kHeader = rtp::kFixedHeaderSize;
  ByteReader in(ByteSpan(data, size));
  const auto scheme = static_cast<rtp::FecScheme>(in.u8() % 3);
  PacketPool pool(2048);
  {
    FecDecoder decoder(pool, kSsrc);
    int64_t sequence = 65'500;
    while (in.ok() && !in.atEnd()) {
      const uint8_t action = in.u8();
      if (action % 4 == 3) {
        decoder.noteArrival(sequence + static_cast<int8_t>(in.u8()));
        continue;
      }
      const bool isMedia = action % 4 == 0;
      if (isMedia) sequence += static_cast<int8_t>(in.u8());
      if (sequence < 0) return 0;
      const ByteSpan bytes = in.bytes(in.u8() * 4u);
      PacketBuf packet = pool.allocate();
      if (!packet) std::abort();  // the decoder kept them all
      packet.resize(kHeader + 4 + bytes.size());
      uint8_t* p = packet.data();
      const size_t csrc = !isMedia && scheme == rtp::FecScheme::Flexfec ? 1 : 0;
      p[0] = static_cast<uint8_t>(0x80 | csrc);
      p[1] = 96;
      storeU16(p + 2, static_cast<uint16_t>(sequence));
      storeU32(p + 4, static_cast<uint32_t>(sequence) * 3000);
      storeU32(p + 8, isMedia ? kSsrc : 0xfec);
      storeU32(p + kHeader, kSsrc);
      if (!bytes.empty()) std::memcpy(p + kHeader + 4 * csrc, bytes.data(), bytes.size());
      packet.resize(kHeader + 4 * csrc + bytes.size());
      if (isMedia) {
        decoder.addMedia(sequence, std::move(packet));
      } else {
        rtp::FecPacket fec;
        const auto view = rtp::PacketView::parse(packet.span());
        if (!view || !rtp::FecPacket::parse(scheme, *view, fec)) continue;
        if (fec.mask.empty() || fec.mask.span() > rtp::FecMask::kBits ||
            fec.body.size() > view->payload().size())
          std::abort();
        const int64_t base =
            sequence + static_cast<int16_t>(fec.sequenceBase - static_cast<uint16_t>(sequence));
        decoder.addFec(std::move(packet), fec, base, Timestamp::seconds(1));
      }
      PacketBuf restored;
      size_t count = 0;
      while (decoder.poll(restored)) {
        const auto view = rtp::PacketView::parse(restored.span());
        if (!view || ++count > FecDecoder::kMaxFec) std::abort();
      }
      if (decoder.held() > FecDecoder::kMaxFec + 256) std::abort();
    }
  }
  if (pool.inUse() != 0) std::abort();
  return 0;
}
