#pragma once

#include "parley/rtp/payload_format/payload_format.h"

#include "rtp/payload_format/equal_pieces.h"

namespace parley::rtp {

/// RFC 9628. Each call of `begin` takes one layer frame.
class Vp9Packetizer final : public Packetizer {
 public:
  size_t begin(ByteSpan frame, const FrameDescription& description, size_t maxPayload) override;
  size_t next(MutableByteSpan out) override;

 private:
  ByteSpan rest_;
  EqualPieces pieces_;
  Vp9Descriptor descriptor_;
  std::optional<Vp9ScalabilityStructure> structure_;
};

class Vp9Depacketizer final : public Depacketizer {
 public:
  bool parse(ByteSpan payload, PayloadInfo& out) const override;
  void append(ByteSpan payload, Bytes& frame) const override;
};

}  // namespace parley::rtp
