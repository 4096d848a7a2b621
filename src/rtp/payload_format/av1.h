#pragma once

#include <vector>

#include "parley/rtp/payload_format/payload_format.h"

namespace parley::rtp {

/// RTP payload format for AV1 (AOMedia, version 1.0.0), sections 4 and 5. A frame is a low-overhead
/// stream, as encoders give it: one temporal unit, or one layer's frame of it. Temporal delimiters,
/// tile lists and padding are left out, and the sizes of units: RTP tells them.
class Av1Packetizer final : public Packetizer {
 public:
  size_t begin(ByteSpan frame, const FrameDescription& description, size_t maxPayload) override;
  size_t next(MutableByteSpan out) override;

 private:
  struct Element {
    size_t obu = 0;
    size_t offset = 0;  // counted from the unit's header
    size_t size = 0;
  };
  struct Packet {
    size_t firstElement = 0;
    size_t elementCount = 0;
  };
  bool readUnits(ByteSpan frame);
  void layOut(size_t limit);
  size_t totalSize() const;
  void writeElement(const Element& element, ByteWriter& w) const;

  std::vector<Obu> obus_;
  std::vector<Element> elements_;
  std::vector<Packet> packets_;
  size_t nextPacket_ = 0;
  bool keyFrame_ = false;
};

class Av1Depacketizer final : public Depacketizer {
 public:
  bool parse(ByteSpan payload, PayloadInfo& out) const override;
  /// Keeps the pieces apart, each behind four bytes of our own; `finish` joins them.
  void append(ByteSpan payload, Bytes& frame) const override;
  void finish(Bytes& frame) const override;
  bool startsAreImplicit() const override { return true; }
};

}  // namespace parley::rtp
