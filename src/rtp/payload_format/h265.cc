#include "rtp/payload_format/h265.h"

#include <algorithm>

#include "rtp/payload_format/equal_pieces.h"

namespace parley::rtp {

namespace {

constexpr size_t kHeaderSize = 2;    // of a NAL unit, and of what stands in its place
constexpr size_t kFuHeaderSize = 3;  // with the fragment's own byte
constexpr size_t kLengthSize = 2;
constexpr uint8_t kFuStart = 0x80, kFuEnd = 0x40;
constexpr uint8_t kStartCode[] = {0, 0, 0, 1};

bool isPlainUnit(ByteSpan nalu) {
  return nalu.size() >= kHeaderSize && h265NaluType(nalu[0]) < H265NaluType::Aggregation &&
         (nalu[1] & 7) != 0;  // nuh_temporal_id_plus1 is never 0
}

// slice_segment_header() begins with first_slice_segment_in_pic_flag.
bool canStartPicture(H265NaluType type, ByteSpan behindHeader) {
  if (isH265Slice(type)) return !behindHeader.empty() && (behindHeader[0] & 0x80) != 0;
  return type != H265NaluType::SuffixSei;
}

void note(ByteSpan nalu, bool isFirst, PayloadInfo& out, H265PacketInfo& info) {
  const H265NaluType type = h265NaluType(nalu[0]);
  if (type == H265NaluType::Vps) info.hasVps = true;
  if (type == H265NaluType::Sps) {
    info.hasSps = true;
    if (const auto size = parseH265SpsSize(nalu)) out.size = *size;
  }
  if (type == H265NaluType::Pps) info.hasPps = true;
  if (isH265Irap(type)) info.hasIrap = true;
  if (!isFirst) return;
  info.temporalId = static_cast<uint8_t>((nalu[1] & 7) - 1);
  out.certainStart = type == H265NaluType::AccessUnitDelimiter || type == H265NaluType::Vps;
  out.frameStart = canStartPicture(type, nalu.subspan(kHeaderSize));
}

// Calls visit(nalu) for each unit of an aggregation packet; false if one of them does not fit, or
// if there are fewer than the two that RFC 7798 section 4.4.2 asks for.
template <class Visit>
bool visitAggregate(ByteSpan payload, Visit visit) {
  ByteReader r(payload.subspan(kHeaderSize));
  size_t count = 0;
  while (!r.atEnd()) {
    const ByteSpan nalu = r.bytes(r.u16());
    if (!r.ok() || !isPlainUnit(nalu)) return false;
    visit(nalu);
    ++count;
  }
  return count > 1;
}

void appendNalu(ByteSpan nalu, Bytes& frame) {
  frame.insert(frame.end(), std::begin(kStartCode), std::end(kStartCode));
  frame.insert(frame.end(), nalu.begin(), nalu.end());
}

}  // namespace

size_t H265Packetizer::begin(ByteSpan frame, const FrameDescription&, size_t maxPayload) {
  frame_ = frame;
  pieces_.clear();
  nextPiece_ = 0;
  findNalus(frame, nalus_);
  std::erase_if(nalus_,
                [&](const NaluRange& n) { return !isPlainUnit(frame.subspan(n.offset, n.size)); });
  if (maxPayload <= kFuHeaderSize) return 0;
  for (size_t i = 0; i < nalus_.size();) {
    if (nalus_[i].size > maxPayload) {
      const size_t body = nalus_[i].size - kHeaderSize;
      const EqualPieces cut = EqualPieces::of(body, maxPayload - kFuHeaderSize);
      for (size_t at = 0; at < body; at += cut.size)
        pieces_.push_back({i, 1, at, std::min(cut.size, body - at)});
      ++i;
      continue;
    }
    size_t count = 1;
    size_t total = kHeaderSize + kLengthSize + nalus_[i].size;
    while (i + count < nalus_.size()) {
      total += kLengthSize + nalus_[i + count].size;
      if (total > maxPayload) break;
      ++count;
    }
    pieces_.push_back({i, count, 0, 0});
    i += count;
  }
  return pieces_.size();
}

// RFC 7798 section 4.4.2: F is the OR, LayerId and TID are the lowest of those inside.
void H265Packetizer::writeAggregate(const Piece& piece, ByteWriter& w) const {
  uint8_t forbidden = 0;
  uint8_t layer = 0x3f;
  uint8_t temporal = 7;
  for (size_t i = 0; i < piece.naluCount; ++i) {
    const ByteSpan unit = nalu(piece.firstNalu + i);
    forbidden = forbidden | (unit[0] & 0x80);
    layer = std::min<uint8_t>(layer, static_cast<uint8_t>((unit[0] & 1) << 5 | unit[1] >> 3));
    temporal = std::min<uint8_t>(temporal, unit[1] & 7);
  }
  w.u8(static_cast<uint8_t>(forbidden | static_cast<uint8_t>(H265NaluType::Aggregation) << 1 |
                            layer >> 5));
  w.u8(static_cast<uint8_t>(layer << 3 | temporal));
  for (size_t i = 0; i < piece.naluCount; ++i) {
    const ByteSpan unit = nalu(piece.firstNalu + i);
    w.u16(static_cast<uint16_t>(unit.size()));
    w.bytes(unit);
  }
}

size_t H265Packetizer::next(MutableByteSpan out) {
  if (nextPiece_ == pieces_.size()) return 0;
  const Piece& piece = pieces_[nextPiece_];
  ByteWriter w(out);
  const ByteSpan first = nalu(piece.firstNalu);
  if (piece.size > 0) {
    const bool isLast = piece.offset + piece.size == first.size() - kHeaderSize;
    w.u8(static_cast<uint8_t>((first[0] & 0x81) | static_cast<uint8_t>(H265NaluType::Fragment)
                                                      << 1));
    w.u8(first[1]);
    w.u8(static_cast<uint8_t>((piece.offset == 0 ? kFuStart : 0) | (isLast ? kFuEnd : 0) |
                              (first[0] >> 1 & 0x3f)));
    w.bytes(first.subspan(kHeaderSize + piece.offset, piece.size));
  } else if (piece.naluCount == 1) {
    w.bytes(first);
  } else {
    writeAggregate(piece, w);
  }
  if (!w.ok()) return 0;
  ++nextPiece_;
  return w.size();
}

bool H265Depacketizer::parse(ByteSpan payload, PayloadInfo& out) const {
  out = {};
  if (payload.size() < kHeaderSize || (payload[1] & 7) == 0) return false;
  H265PacketInfo info;
  if (isPlainUnit(payload)) {
    note(payload, true, out, info);
  } else if (h265NaluType(payload[0]) == H265NaluType::Aggregation) {
    bool isFirst = true;
    if (!visitAggregate(payload, [&](ByteSpan nalu) {
          note(nalu, isFirst, out, info);
          isFirst = false;
        })) {
      out = {};
      return false;
    }
  } else if (h265NaluType(payload[0]) == H265NaluType::Fragment) {
    if (payload.size() <= kFuHeaderSize) return false;
    const uint8_t fu = payload[2];
    const auto type = static_cast<H265NaluType>(fu & 0x3f);
    // RFC 7798 section 4.4.3: a fragment cannot be both first and last, nor hold an aggregation.
    if ((fu & kFuStart && fu & kFuEnd) || type >= H265NaluType::Aggregation) return false;
    info.hasIrap = isH265Irap(type);
    info.temporalId = static_cast<uint8_t>((payload[1] & 7) - 1);
    if (fu & kFuStart) out.frameStart = canStartPicture(type, payload.subspan(kFuHeaderSize));
  } else {
    return false;  // PACI (50) and what is reserved
  }
  out.keyFrame = info.hasIrap;
  out.data = payload;
  out.codec = info;
  return true;
}

void H265Depacketizer::append(ByteSpan payload, Bytes& frame) const {
  if (payload.size() < kHeaderSize) return;
  switch (h265NaluType(payload[0])) {
    case H265NaluType::Aggregation:
      visitAggregate(payload, [&](ByteSpan nalu) { appendNalu(nalu, frame); });
      break;
    case H265NaluType::Fragment:
      if (payload.size() <= kFuHeaderSize) break;
      if (payload[2] & kFuStart) {
        const uint8_t header[] = {
            static_cast<uint8_t>((payload[0] & 0x81) | (payload[2] & 0x3f) << 1), payload[1]};
        appendNalu(header, frame);
      }
      frame.insert(frame.end(), payload.begin() + kFuHeaderSize, payload.end());
      break;
    default:
      appendNalu(payload, frame);
  }
}

}  // namespace parley::rtp
