#include "rtp/payload_format/vp9.h"

#include <algorithm>

#include "parley/rtp/payload_format/vpx_frame_header.h"

namespace parley::rtp {

namespace {

// First byte: I P L F B E V Z.
constexpr uint8_t kI = 0x80, kP = 0x40, kL = 0x20, kF = 0x10, kB = 0x08, kE = 0x04, kV = 0x02,
                  kZ = 0x01;

void readLayers(ByteReader& r, Vp9Descriptor& out) {
  const uint8_t b = r.u8();
  out.hasLayers = true;
  out.temporalId = b >> 5;
  out.switchingUp = (b & 0x10) != 0;
  out.spatialId = b >> 1 & 7;
  out.interLayerPredicted = (b & 1) != 0;
  if (!out.flexible) out.tl0PicIdx = r.u8();
}

// RFC 9628 section 4.2: at most three P_DIFF; the low bit N says that another follows.
bool readReferences(ByteReader& r, Vp9Descriptor& out) {
  for (;;) {
    const uint8_t b = r.u8();
    if (!r.ok() || out.referenceDiffs.full()) return false;
    out.referenceDiffs.push_back(b >> 1);
    if (!(b & 1)) return true;
  }
}

}  // namespace

bool Vp9ScalabilityStructure::parse(ByteReader& r, Vp9ScalabilityStructure& out) {
  out = {};
  const uint8_t flags = r.u8();
  const size_t layerCount = (flags >> 5) + 1u;
  out.hasSizes = (flags & 0x10) != 0;
  for (size_t i = 0; i < layerCount; ++i) {
    VideoSize size;
    if (out.hasSizes) {
      size.width = r.u16();
      size.height = r.u16();
    }
    out.layers.push_back(size);
  }
  if (flags & 0x08) {
    const size_t pictures = r.u8();
    for (size_t i = 0; i < pictures && r.ok(); ++i) {
      const uint8_t b = r.u8();
      Picture picture;
      picture.temporalId = b >> 5;
      picture.switchingUp = (b & 0x10) != 0;
      for (size_t n = b >> 2 & 3; n > 0; --n) picture.referenceDiffs.push_back(r.u8());
      out.group.push_back(picture);
    }
  }
  return r.ok();
}

size_t Vp9ScalabilityStructure::size() const {
  size_t size = 1 + (hasSizes ? 4 * layers.size() : 0) + (group.empty() ? 0 : 1);
  for (const Picture& p : group) size += 1 + p.referenceDiffs.size();
  return size;
}

void Vp9ScalabilityStructure::write(ByteWriter& w) const {
  const size_t layerCount = layers.empty() ? 1 : layers.size();
  w.u8(static_cast<uint8_t>((layerCount - 1) << 5 | (hasSizes ? 0x10 : 0) |
                            (group.empty() ? 0 : 0x08)));
  if (hasSizes) {
    for (const VideoSize& s : layers) {
      w.u16(s.width);
      w.u16(s.height);
    }
  }
  if (group.empty()) return;
  w.u8(static_cast<uint8_t>(group.size()));
  for (const Picture& p : group) {
    w.u8(static_cast<uint8_t>((p.temporalId & 7) << 5 | (p.switchingUp ? 0x10 : 0) |
                              p.referenceDiffs.size() << 2));
    for (uint8_t diff : p.referenceDiffs) w.u8(diff);
  }
}

size_t Vp9Descriptor::parse(ByteSpan payload, Vp9Descriptor& out,
                            Vp9ScalabilityStructure* structure, bool* hasStructure) {
  out = {};
  *hasStructure = false;
  ByteReader r(payload);
  const uint8_t first = r.u8();
  out.interPicturePredicted = (first & kP) != 0;
  out.flexible = (first & kF) != 0;
  out.startOfFrame = (first & kB) != 0;
  out.endOfFrame = (first & kE) != 0;
  out.notReference = (first & kZ) != 0;
  if (first & kI) {
    const uint8_t high = r.u8();
    out.longPictureId = (high & 0x80) != 0;
    out.pictureId = out.longPictureId ? static_cast<uint16_t>((high & 0x7f) << 8 | r.u8()) : high;
  } else if (out.flexible) {
    return 0;  // "the I bit MUST also be set" in flexible mode
  }
  if (first & kL) readLayers(r, out);
  if (out.flexible && out.interPicturePredicted && !readReferences(r, out)) return 0;
  if (first & kV) {
    if (!Vp9ScalabilityStructure::parse(r, *structure)) return 0;
    *hasStructure = true;
  }
  return r.ok() ? r.position() : 0;
}

size_t Vp9Descriptor::size(const Vp9ScalabilityStructure* structure) const {
  size_t size = 1;
  if (pictureId) size += longPictureId ? 2 : 1;
  if (hasLayers) size += flexible ? 1 : 2;
  if (flexible && interPicturePredicted) size += referenceDiffs.size();
  if (structure) size += structure->size();
  return size;
}

void Vp9Descriptor::write(ByteWriter& w, const Vp9ScalabilityStructure* structure) const {
  w.u8(static_cast<uint8_t>((pictureId ? kI : 0) | (interPicturePredicted ? kP : 0) |
                            (hasLayers ? kL : 0) | (flexible ? kF : 0) | (startOfFrame ? kB : 0) |
                            (endOfFrame ? kE : 0) | (structure ? kV : 0) |
                            (notReference ? kZ : 0)));
  if (pictureId && longPictureId) w.u16(static_cast<uint16_t>(0x8000 | *pictureId));
  if (pictureId && !longPictureId) w.u8(*pictureId & 0x7f);
  if (hasLayers) {
    w.u8(static_cast<uint8_t>((temporalId & 7) << 5 | (switchingUp ? 0x10 : 0) |
                              (spatialId & 7) << 1 | (interLayerPredicted ? 1 : 0)));
    if (!flexible) w.u8(tl0PicIdx);
  }
  if (flexible && interPicturePredicted) {
    for (size_t i = 0; i < referenceDiffs.size(); ++i) {
      const bool more = i + 1 < referenceDiffs.size();
      w.u8(static_cast<uint8_t>(referenceDiffs[i] << 1 | (more ? 1 : 0)));
    }
  }
  if (structure) structure->write(w);
}

size_t Vp9Packetizer::begin(ByteSpan frame, const FrameDescription& description,
                            size_t maxPayload) {
  const auto* descriptor = std::get_if<Vp9Descriptor>(&description.codec);
  descriptor_ = descriptor ? *descriptor : Vp9Descriptor{};
  if (!descriptor) descriptor_.interPicturePredicted = !description.keyFrame;
  structure_ = description.vp9Structure;
  rest_ = {};
  const size_t overhead = descriptor_.size(nullptr);
  const size_t extra = structure_ ? structure_->size() : 0;
  if (frame.empty() || maxPayload <= overhead + extra) return 0;
  rest_ = frame;
  // The structure takes the place of data in the first packet, so that all packets are of one size.
  pieces_ = EqualPieces::of(frame.size() + extra, maxPayload - overhead);
  descriptor_.startOfFrame = true;
  // With few bytes over, the equal size may leave no room for data beside the structure.
  if (pieces_.size <= extra) {
    pieces_.size = maxPayload - overhead;
    pieces_.count = (frame.size() + extra + pieces_.size - 1) / pieces_.size;
  }
  return pieces_.count;
}

size_t Vp9Packetizer::next(MutableByteSpan out) {
  if (rest_.empty()) return 0;
  const Vp9ScalabilityStructure* structure =
      descriptor_.startOfFrame && structure_ ? &*structure_ : nullptr;
  const size_t room = pieces_.size - (structure ? structure->size() : 0);
  const size_t take = std::min(room, rest_.size());
  descriptor_.endOfFrame = take == rest_.size();
  ByteWriter w(out);
  descriptor_.write(w, structure);
  w.bytes(rest_.first(take));
  if (!w.ok()) return 0;
  rest_ = rest_.subspan(take);
  descriptor_.startOfFrame = false;
  return w.size();
}

bool Vp9Depacketizer::parse(ByteSpan payload, PayloadInfo& out) const {
  out = {};
  Vp9Descriptor descriptor;
  Vp9ScalabilityStructure structure;
  bool hasStructure = false;
  const size_t length = Vp9Descriptor::parse(payload, descriptor, &structure, &hasStructure);
  if (length == 0 || length >= payload.size()) return false;
  out.data = payload.subspan(length);
  // A picture starts with the first layer frame that needs no other one of the same picture.
  out.frameStart = descriptor.startOfFrame && !descriptor.interLayerPredicted;
  out.keyFrame = out.frameStart && !descriptor.interPicturePredicted;
  if (out.keyFrame) {
    if (hasStructure && structure.hasSizes) {
      out.size = structure.layers.back();
    } else if (const auto header = parseVp9FrameStart(out.data); header && header->keyFrame) {
      out.size = header->size();
    }
  }
  out.codec = descriptor;
  return true;
}

void Vp9Depacketizer::append(ByteSpan payload, Bytes& frame) const {
  Vp9Descriptor descriptor;
  Vp9ScalabilityStructure structure;
  bool hasStructure = false;
  const size_t length = Vp9Descriptor::parse(payload, descriptor, &structure, &hasStructure);
  frame.insert(frame.end(), payload.begin() + static_cast<ptrdiff_t>(length), payload.end());
}

}  // namespace parley::rtp
