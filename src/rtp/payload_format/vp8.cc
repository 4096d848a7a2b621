#include "rtp/payload_format/vp8.h"

#include <algorithm>

#include "parley/rtp/payload_format/vpx_frame_header.h"

namespace parley::rtp {

namespace {

// First byte: X R N S R PID(3). Extension byte: I L T K RSV(4).
constexpr uint8_t kX = 0x80, kN = 0x20, kS = 0x10;
constexpr uint8_t kI = 0x80, kL = 0x40, kT = 0x20, kK = 0x10;

}  // namespace

size_t Vp8Descriptor::parse(ByteSpan payload, Vp8Descriptor& out) {
  ByteReader r(payload);
  out = {};
  const uint8_t first = r.u8();
  out.nonReference = (first & kN) != 0;
  out.startOfPartition = (first & kS) != 0;
  // RFC 7741 gives PID three bits; the fourth was part of it in drafts and is reserved now.
  out.partition = first & 0x07;
  if (first & kX) {
    const uint8_t extension = r.u8();
    if (extension & kI) {
      const uint8_t high = r.u8();
      out.longPictureId = (high & 0x80) != 0;
      out.pictureId = out.longPictureId ? static_cast<uint16_t>((high & 0x7f) << 8 | r.u8()) : high;
    }
    if (extension & kL) out.tl0PicIdx = r.u8();
    if (extension & (kT | kK)) {
      const uint8_t b = r.u8();
      if (extension & kT) {
        out.temporalId = b >> 6;
        out.layerSync = (b & 0x20) != 0;
      }
      if (extension & kK) out.keyIdx = b & 0x1f;
    }
  }
  return r.ok() ? r.position() : 0;
}

size_t Vp8Descriptor::size() const {
  const size_t fields = (pictureId ? (longPictureId ? 2u : 1u) : 0u) + (tl0PicIdx ? 1u : 0u) +
                        (temporalId || keyIdx ? 1u : 0u);
  return fields ? 2 + fields : 1;
}

void Vp8Descriptor::write(ByteWriter& w) const {
  const bool extended = size() > 1;
  w.u8(static_cast<uint8_t>((extended ? kX : 0) | (nonReference ? kN : 0) |
                            (startOfPartition ? kS : 0) | (partition & 7)));
  if (!extended) return;
  w.u8(static_cast<uint8_t>((pictureId ? kI : 0) | (tl0PicIdx ? kL : 0) | (temporalId ? kT : 0) |
                            (keyIdx ? kK : 0)));
  if (pictureId && longPictureId) w.u16(static_cast<uint16_t>(0x8000 | *pictureId));
  if (pictureId && !longPictureId) w.u8(*pictureId & 0x7f);
  if (tl0PicIdx) w.u8(*tl0PicIdx);
  if (temporalId || keyIdx) {
    w.u8(static_cast<uint8_t>((temporalId.value_or(0) & 3) << 6 | (layerSync ? 0x20 : 0) |
                              (keyIdx.value_or(0) & 0x1f)));
  }
}

size_t Vp8Packetizer::begin(ByteSpan frame, const FrameDescription& description,
                            size_t maxPayload) {
  const auto* descriptor = std::get_if<Vp8Descriptor>(&description.codec);
  descriptor_ = descriptor ? *descriptor : Vp8Descriptor{};
  const size_t overhead = descriptor_.size();
  rest_ = {};
  if (frame.empty() || maxPayload <= overhead) return 0;
  rest_ = frame;
  pieces_ = EqualPieces::of(frame.size(), maxPayload - overhead);
  descriptor_.startOfPartition = true;
  descriptor_.partition = 0;
  return pieces_.count;
}

size_t Vp8Packetizer::next(MutableByteSpan out) {
  const size_t take = std::min(pieces_.size, rest_.size());
  if (take == 0) return 0;
  ByteWriter w(out);
  descriptor_.write(w);
  w.bytes(rest_.first(take));
  if (!w.ok()) return 0;
  rest_ = rest_.subspan(take);
  descriptor_.startOfPartition = false;
  return w.size();
}

bool Vp8Depacketizer::parse(ByteSpan payload, PayloadInfo& out) const {
  out = {};
  Vp8Descriptor descriptor;
  const size_t length = Vp8Descriptor::parse(payload, descriptor);
  if (length == 0 || length >= payload.size()) return false;
  out.data = payload.subspan(length);
  out.frameStart = descriptor.startOfPartition && descriptor.partition == 0;
  if (out.frameStart && (out.data[0] & 1) == 0) {
    out.keyFrame = true;
    // A first packet too short for the size is strange but harmless: the decoder has the last word.
    if (const auto header = parseVp8FrameHeader(out.data)) out.size = header->size();
  }
  out.codec = descriptor;
  return true;
}

void Vp8Depacketizer::append(ByteSpan payload, Bytes& frame) const {
  Vp8Descriptor descriptor;
  const size_t length = Vp8Descriptor::parse(payload, descriptor);
  frame.insert(frame.end(), payload.begin() + static_cast<ptrdiff_t>(length), payload.end());
}

}  // namespace parley::rtp
