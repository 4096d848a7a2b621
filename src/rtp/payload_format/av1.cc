#include "rtp/payload_format/av1.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace parley::rtp {

namespace {

// Aggregation header, section 4.4: Z Y W W N - - -.
constexpr uint8_t kContinues = 0x80, kContinued = 0x40, kStartsSequence = 0x08;
constexpr unsigned kCountShift = 4;
constexpr size_t kHeaderSize = 1;
/// With up to so many elements the last one's length need not be told.
constexpr size_t kMaxCounted = 3;
/// A piece smaller than this at the end of a packet is not worth its length.
constexpr size_t kMinPiece = 8;

// In front of each piece while a frame is put together.
constexpr size_t kMarkSize = 4;
constexpr uint32_t kPieceContinues = 0x80000000, kPieceContinued = 0x40000000;
constexpr uint32_t kPieceSize = 0x0fffffff;

bool isSent(ObuType type) {
  return type != ObuType::TemporalDelimiter && type != ObuType::TileList &&
         type != ObuType::Padding;
}

/// Calls visit(element, isLast) for each OBU element; false if one does not fit.
template <class Visit>
bool visitElements(ByteSpan payload, Visit visit) {
  ByteReader r(payload);
  const size_t counted = r.u8() >> kCountShift & 3;
  if (!r.ok() || r.atEnd()) return false;
  for (size_t i = 1; !r.atEnd(); ++i) {
    ByteSpan element;
    if (i == counted) {
      element = r.rest();
    } else {
      const auto size = readLeb128(r);
      if (!size) return false;
      element = r.bytes(*size);
    }
    if (!r.ok() || (counted != 0 && i < counted && r.atEnd())) return false;
    visit(element, r.atEnd());
  }
  return true;
}

}  // namespace

bool Av1Packetizer::readUnits(ByteSpan frame) {
  obus_.clear();
  ByteReader r(frame);
  while (!r.atEnd()) {
    Obu obu;
    if (!Obu::read(r, obu)) return false;
    if (isSent(obu.type)) obus_.push_back(obu);
  }
  return !obus_.empty();
}

void Av1Packetizer::layOut(size_t limit) {
  packets_.clear();
  elements_.clear();
  size_t used = 0;  // as if all elements told their length
  const auto open = [&] {
    packets_.push_back({elements_.size(), 0});
    used = kHeaderSize;
  };
  open();
  for (size_t i = 0; i < obus_.size(); ++i) {
    const size_t size = obus_[i].size();
    for (size_t at = 0; at < size;) {
      Packet& packet = packets_.back();
      const size_t room = limit - std::min(limit, used);
      const bool counted = packet.elementCount < kMaxCounted;
      const size_t overhead = counted ? 0 : leb128Size(static_cast<uint32_t>(room));
      const size_t take = std::min(size - at, room - std::min(room, overhead));
      if (take == 0 || (packet.elementCount > 0 && take < size - at && take < kMinPiece)) {
        open();
        continue;
      }
      elements_.push_back({i, at, take});
      ++packet.elementCount;
      used += take + leb128Size(static_cast<uint32_t>(take));
      at += take;
      if (at < size) open();
    }
  }
}

size_t Av1Packetizer::totalSize() const {
  size_t total = 0;
  for (const Packet& packet : packets_) {
    total += kHeaderSize;
    for (size_t i = 0; i < packet.elementCount; ++i) {
      const size_t size = elements_[packet.firstElement + i].size;
      const bool last = i + 1 == packet.elementCount && packet.elementCount <= kMaxCounted;
      total += size + (last ? 0 : leb128Size(static_cast<uint32_t>(size)));
    }
  }
  return total;
}

size_t Av1Packetizer::begin(ByteSpan frame, const FrameDescription& description,
                            size_t maxPayload) {
  packets_.clear();
  nextPacket_ = 0;
  keyFrame_ = description.keyFrame;
  if (maxPayload < kHeaderSize + kMinPiece - 1 || !readUnits(frame)) {
    packets_.clear();
    return 0;
  }
  layOut(maxPayload);
  const size_t count = packets_.size();
  if (count == 1) return count;
  // Again with the mean size, so that the packets are alike. Where units end in between it may not
  // do; then a little more.
  const size_t mean = (totalSize() + count - 1) / count;
  for (size_t limit = mean; limit < maxPayload; limit += 1 + limit / 64) {
    layOut(limit);
    if (packets_.size() <= count) return packets_.size();
  }
  layOut(maxPayload);
  return packets_.size();
}

void Av1Packetizer::writeElement(const Element& element, ByteWriter& w) const {
  const Obu& obu = obus_[element.obu];
  size_t at = element.offset;
  size_t left = element.size;
  for (; at < obu.headerSize && left > 0; ++at, --left) w.u8(obu.header[at]);
  w.bytes(obu.payload.subspan(at - std::min<size_t>(at, obu.headerSize), left));
}

size_t Av1Packetizer::next(MutableByteSpan out) {
  if (nextPacket_ >= packets_.size()) return 0;
  const Packet& packet = packets_[nextPacket_];
  const Element& first = elements_[packet.firstElement];
  const Element& last = elements_[packet.firstElement + packet.elementCount - 1];
  const bool counted = packet.elementCount <= kMaxCounted;
  ByteWriter w(out);
  w.u8(static_cast<uint8_t>((first.offset > 0 ? kContinues : 0) |
                            (last.offset + last.size < obus_[last.obu].size() ? kContinued : 0) |
                            (counted ? packet.elementCount << kCountShift : 0) |
                            (nextPacket_ == 0 && keyFrame_ ? kStartsSequence : 0)));
  for (size_t i = 0; i < packet.elementCount; ++i) {
    const Element& element = elements_[packet.firstElement + i];
    if (!counted || i + 1 < packet.elementCount)
      writeLeb128(static_cast<uint32_t>(element.size), w);
    writeElement(element, w);
  }
  if (!w.ok()) return 0;
  ++nextPacket_;
  return w.size();
}

bool Av1Depacketizer::parse(ByteSpan payload, PayloadInfo& out) const {
  out = {};
  if (payload.empty()) return false;
  const bool continues = (payload[0] & kContinues) != 0;
  Av1PacketInfo info;
  info.startsSequence = (payload[0] & kStartsSequence) != 0;
  // Section 4.4: "If N equals 1 then Z MUST equal 0."
  if (continues && info.startsSequence) return false;
  bool isFirst = !continues;
  bool sound = true;
  VideoSize size;
  const bool whole = visitElements(payload, [&](ByteSpan element, bool) {
    if (!std::exchange(isFirst, false) || element.empty()) return;
    ByteReader r(element);
    Obu obu;
    // A first piece may be too short to hold all of a header: then it says nothing of itself.
    if (!Obu::read(r, obu)) {
      sound = (element[0] & 0x80) == 0;
      return;
    }
    info.temporalId = obu.temporalId;
    info.spatialId = obu.spatialId;
    if (obu.type != ObuType::SequenceHeader) return;
    if (const auto parsed = parseAv1SequenceSize(obu.payload)) size = *parsed;
  });
  if (!whole || !sound) return false;
  out.size = size;
  out.frameStart = !continues;
  out.certainStart = info.startsSequence;
  out.keyFrame = info.startsSequence;
  out.data = payload;
  out.codec = info;
  return true;
}

void Av1Depacketizer::append(ByteSpan payload, Bytes& frame) const {
  if (payload.empty()) return;
  bool isFirst = true;
  visitElements(payload, [&](ByteSpan element, bool isLast) {
    uint32_t mark = static_cast<uint32_t>(element.size()) & kPieceSize;
    if (std::exchange(isFirst, false) && (payload[0] & kContinues)) mark |= kPieceContinues;
    if (isLast && (payload[0] & kContinued)) mark |= kPieceContinued;
    uint8_t bytes[kMarkSize];
    storeU32(bytes, mark);
    frame.insert(frame.end(), std::begin(bytes), std::end(bytes));
    frame.insert(frame.end(), element.begin(), element.end());
  });
}

// In place: a unit's size takes no more room than the marks of its pieces did.
void Av1Depacketizer::finish(Bytes& frame) const {
  uint8_t* const data = frame.data();
  size_t in = 0;
  size_t out = 0;
  uint32_t mark = 0;
  const auto readMark = [&](uint32_t& to) {
    if (frame.size() - in < kMarkSize) return false;
    to = loadU32(data + in);
    return (to & kPieceSize) <= frame.size() - in - kMarkSize;
  };
  while (readMark(mark)) {
    const bool orphan = (mark & kPieceContinues) != 0;
    const size_t begin = in + kMarkSize;
    size_t end = begin + (mark & kPieceSize);
    in = end;
    bool whole = !orphan;
    while ((mark & kPieceContinued) != 0) {
      uint32_t next = 0;
      if (!readMark(next) || (next & kPieceContinues) == 0) {
        whole = false;  // what it goes on with never came
        break;
      }
      mark = next;
      const size_t size = mark & kPieceSize;
      std::memmove(data + end, data + in + kMarkSize, size);
      end += size;
      in += kMarkSize + size;
    }
    ByteReader r(ByteSpan(data + begin, end - begin));
    Obu obu;
    if (!whole || !Obu::read(r, obu) || !isSent(obu.type)) continue;
    const auto size = static_cast<uint32_t>(obu.payload.size());
    ByteWriter w(MutableByteSpan(data + out, obu.headerSize + leb128Size(size)));
    w.u8(static_cast<uint8_t>(obu.header[0] | 0x02));  // obu_has_size_field
    if (obu.headerSize > 1) w.u8(obu.header[1]);
    writeLeb128(size, w);
    if (size > 0) std::memmove(data + out + w.size(), obu.payload.data(), size);
    out += w.size() + size;
  }
  frame.resize(out);
}

}  // namespace parley::rtp
