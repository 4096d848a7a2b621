#pragma once

#include "parley/rtp/payload_format/payload_format.h"

#include "rtp/payload_format/equal_pieces.h"

namespace parley::rtp {

/// RFC 7741. The whole frame is sent as partition 0 cut anywhere, as section 4.2 permits.
class Vp8Packetizer final : public Packetizer {
 public:
  size_t begin(ByteSpan frame, const FrameDescription& description, size_t maxPayload) override;
  size_t next(MutableByteSpan out) override;

 private:
  ByteSpan rest_;
  EqualPieces pieces_;
  Vp8Descriptor descriptor_;
};

class Vp8Depacketizer final : public Depacketizer {
 public:
  bool parse(ByteSpan payload, PayloadInfo& out) const override;
  void append(ByteSpan payload, Bytes& frame) const override;
};

}  // namespace parley::rtp
