#include "parley/rtp/payload_format/opus_packet.h"

namespace parley::rtp {

namespace {

constexpr Duration kMaxDuration = Duration::millis(120);

// The bytes of the first frame (RFC 6716 section 3.2). Empty if the framing does not fit.
ByteSpan firstFrame(ByteSpan packet, unsigned code, unsigned frameCount) {
  ByteReader r(packet);
  r.u8();
  auto readLength = [&r]() -> size_t {
    const size_t first = r.u8();
    return first < 252 ? first : first + 4u * r.u8();
  };
  switch (code) {
    case 0:
      return r.rest();
    case 1:
      return r.bytes(r.remaining() / 2);
    case 2:
      return r.bytes(readLength());
    default:
      break;
  }
  const uint8_t header = r.u8();
  size_t padding = 0;
  if (header & 0x40) {
    uint8_t b = 0;
    do {
      b = r.u8();
      padding += b == 255 ? 254u : b;
    } while (b == 255 && r.ok());
  }
  size_t length = 0;
  if (header & 0x80) {
    length = readLength();
    for (unsigned i = 2; i < frameCount; ++i) readLength();
  } else if (r.remaining() > padding) {
    length = (r.remaining() - padding) / frameCount;
  }
  return r.bytes(length);
}

// RFC 6716 section 4.2.3: a SILK frame starts with one VAD bit per 20 ms (at least one), then the
// LBRR flag; for stereo the same again for the side channel. These bits are coded at probability
// one half at the very start, so they stand literally in the first byte.
bool firstFrameHasLbrr(ByteSpan frame, Duration frameDuration, bool stereo) {
  if (frame.empty()) return false;
  const int64_t blocks = frameDuration > Duration::millis(20) ? frameDuration.millis() / 20 : 1;
  const unsigned vadBits = static_cast<unsigned>(blocks);
  const uint8_t b = frame[0];
  if (b >> (7 - vadBits) & 1) return true;
  return stereo && (b >> (7 - (2 * vadBits + 1)) & 1) != 0;
}

}  // namespace

std::optional<OpusPacketInfo> OpusPacketInfo::parse(ByteSpan packet) {
  if (packet.empty()) return std::nullopt;
  const uint8_t toc = packet[0];
  const unsigned config = toc >> 3;
  const unsigned code = toc & 3;
  OpusPacketInfo out;
  out.stereo = (toc & 4) != 0;
  // RFC 6716 table 2.
  if (config < 12) {
    constexpr int64_t kMillis[] = {10, 20, 40, 60};
    out.mode = OpusMode::Silk;
    out.frameDuration = Duration::millis(kMillis[config & 3]);
  } else if (config < 16) {
    out.mode = OpusMode::Hybrid;
    out.frameDuration = Duration::millis(config & 1 ? 20 : 10);
  } else {
    out.mode = OpusMode::Celt;
    out.frameDuration = Duration::micros(int64_t{2500} << (config & 3));
  }
  if (code == 1 || code == 2) out.frameCount = 2;
  if (code == 3) {
    if (packet.size() < 2) return std::nullopt;
    out.frameCount = packet[1] & 0x3f;
  }
  if (out.frameCount == 0 || out.duration() > kMaxDuration) return std::nullopt;
  if (out.mode != OpusMode::Celt) {
    out.hasFec =
        firstFrameHasLbrr(firstFrame(packet, code, out.frameCount), out.frameDuration, out.stereo);
  }
  return out;
}

}  // namespace parley::rtp
