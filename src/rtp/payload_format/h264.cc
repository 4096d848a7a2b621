#include "rtp/payload_format/h264.h"

#include <algorithm>

#include "rtp/payload_format/equal_pieces.h"

namespace parley::rtp {

namespace {

constexpr size_t kFuHeaderSize = 2;
constexpr size_t kStapHeaderSize = 1;
constexpr size_t kStapLengthSize = 2;
constexpr uint8_t kFuStart = 0x80, kFuEnd = 0x40;
constexpr uint8_t kStartCode[] = {0, 0, 0, 1};

bool isSingleNalu(uint8_t header) {
  const uint8_t type = header & 0x1f;
  return type >= 1 && type <= 23;
}

// Slices begin with first_mb_in_slice as ue(v); zero is the single bit 1.
bool isFirstSlice(ByteSpan nalu) {
  return nalu.size() > 1 && (nalu[1] & 0x80) != 0;
}

bool canStartPicture(ByteSpan nalu) {
  switch (naluType(nalu[0])) {
    case NaluType::Sei:
    case NaluType::Sps:
    case NaluType::Pps:
    case NaluType::AccessUnitDelimiter:
      return true;
    case NaluType::Slice:
    case NaluType::Idr:
      return isFirstSlice(nalu);
    default:
      return false;
  }
}

void note(ByteSpan nalu, bool isFirst, PayloadInfo& out, H264PacketInfo& info) {
  const NaluType type = naluType(nalu[0]);
  if (type == NaluType::Sps) {
    info.hasSps = true;
    if (const auto size = parseH264SpsSize(nalu)) out.size = *size;
  }
  if (type == NaluType::Pps) info.hasPps = true;
  if (type == NaluType::Idr) info.hasIdr = true;
  if (isFirst) {
    out.certainStart = type == NaluType::Sps || type == NaluType::AccessUnitDelimiter;
    out.frameStart = canStartPicture(nalu);
  }
}

// Calls visit(nalu) for each unit of a STAP-A; false if one of them is empty or does not fit.
template <class Visit>
bool visitStap(ByteSpan payload, Visit visit) {
  ByteReader r(payload.subspan(kStapHeaderSize));
  if (r.atEnd()) return false;
  while (!r.atEnd()) {
    const ByteSpan nalu = r.bytes(r.u16());
    // RFC 6184 section 5.7.1: no aggregation inside an aggregation.
    if (!r.ok() || nalu.empty() || !isSingleNalu(nalu[0])) return false;
    visit(nalu);
  }
  return true;
}

void appendNalu(ByteSpan nalu, Bytes& frame) {
  frame.insert(frame.end(), std::begin(kStartCode), std::end(kStartCode));
  frame.insert(frame.end(), nalu.begin(), nalu.end());
}

}  // namespace

void H264Packetizer::addFragments(size_t index, size_t maxPayload) {
  const size_t body = nalus_[index].size - 1;  // the header travels in the FU bytes
  const EqualPieces cut = EqualPieces::of(body, maxPayload - kFuHeaderSize);
  for (size_t at = 0; at < body; at += cut.size) {
    pieces_.push_back({index, 1, at, std::min(cut.size, body - at)});
  }
}

size_t H264Packetizer::begin(ByteSpan frame, const FrameDescription&, size_t maxPayload) {
  frame_ = frame;
  pieces_.clear();
  nextPiece_ = 0;
  findNalus(frame, nalus_);
  if (maxPayload <= kFuHeaderSize) return 0;
  for (size_t i = 0; i < nalus_.size();) {
    if (nalus_[i].size > maxPayload) {
      if (mode_ == 0) {
        pieces_.clear();
        return 0;
      }
      addFragments(i++, maxPayload);
      continue;
    }
    size_t count = 1;
    if (mode_ == 1) {
      size_t total = kStapHeaderSize + kStapLengthSize + nalus_[i].size;
      while (i + count < nalus_.size()) {
        total += kStapLengthSize + nalus_[i + count].size;
        if (total > maxPayload) break;
        ++count;
      }
    }
    pieces_.push_back({i, count, 0, 0});
    i += count;
  }
  return pieces_.size();
}

size_t H264Packetizer::next(MutableByteSpan out) {
  if (nextPiece_ == pieces_.size()) return 0;
  const Piece& piece = pieces_[nextPiece_];
  ByteWriter w(out);
  const ByteSpan first = nalu(piece.firstNalu);
  if (piece.size > 0) {
    const bool isLast = piece.offset + piece.size == first.size() - 1;
    w.u8(static_cast<uint8_t>((first[0] & 0xe0) | static_cast<uint8_t>(NaluType::FuA)));
    w.u8(static_cast<uint8_t>((piece.offset == 0 ? kFuStart : 0) | (isLast ? kFuEnd : 0) |
                              (first[0] & 0x1f)));
    w.bytes(first.subspan(1 + piece.offset, piece.size));
  } else if (piece.naluCount == 1) {
    w.bytes(first);
  } else {
    // RFC 6184 section 5.7: F is the OR and NRI the maximum of those inside.
    uint8_t f = 0;
    uint8_t nri = 0;
    for (size_t i = 0; i < piece.naluCount; ++i) {
      const uint8_t header = nalu(piece.firstNalu + i)[0];
      f = f | (header & 0x80);
      nri = std::max<uint8_t>(nri, header & 0x60);
    }
    w.u8(static_cast<uint8_t>(f | nri | static_cast<uint8_t>(NaluType::StapA)));
    for (size_t i = 0; i < piece.naluCount; ++i) {
      const ByteSpan unit = nalu(piece.firstNalu + i);
      w.u16(static_cast<uint16_t>(unit.size()));
      w.bytes(unit);
    }
  }
  if (!w.ok()) return 0;
  ++nextPiece_;
  return w.size();
}

bool H264Depacketizer::parse(ByteSpan payload, PayloadInfo& out) const {
  out = {};
  if (payload.empty()) return false;
  H264PacketInfo info;
  if (isSingleNalu(payload[0])) {
    note(payload, true, out, info);
  } else if (naluType(payload[0]) == NaluType::StapA) {
    bool isFirst = true;
    if (!visitStap(payload, [&](ByteSpan nalu) {
          note(nalu, isFirst, out, info);
          isFirst = false;
        })) {
      out = {};
      return false;
    }
  } else if (naluType(payload[0]) == NaluType::FuA) {
    if (payload.size() <= kFuHeaderSize) return false;
    const uint8_t fu = payload[1];
    // RFC 6184 section 5.8: a fragment cannot be both first and last, nor hold an aggregation.
    if ((fu & kFuStart && fu & kFuEnd) || !isSingleNalu(fu)) return false;
    info.hasIdr = naluType(fu) == NaluType::Idr;
    // Behind the FU header stands what follows the NAL header, so the same test applies to it.
    if (fu & kFuStart) out.frameStart = canStartPicture(payload.subspan(1));
  } else {
    return false;  // STAP-B, MTAP and FU-B belong to mode 2; 0, 30 and 31 are reserved
  }
  out.keyFrame = info.hasIdr;
  out.data = payload;
  out.codec = info;
  return true;
}

void H264Depacketizer::append(ByteSpan payload, Bytes& frame) const {
  if (payload.empty()) return;
  switch (naluType(payload[0])) {
    case NaluType::StapA:
      visitStap(payload, [&](ByteSpan nalu) { appendNalu(nalu, frame); });
      break;
    case NaluType::FuA:
      if (payload.size() <= kFuHeaderSize) break;
      if (payload[1] & kFuStart) {
        const uint8_t header = static_cast<uint8_t>((payload[0] & 0xe0) | (payload[1] & 0x1f));
        appendNalu(ByteSpan(&header, 1), frame);
      }
      frame.insert(frame.end(), payload.begin() + kFuHeaderSize, payload.end());
      break;
    default:
      appendNalu(payload, frame);
  }
}

}  // namespace parley::rtp
