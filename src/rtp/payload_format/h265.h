#pragma once

#include <vector>

#include "parley/rtp/payload_format/payload_format.h"

namespace parley::rtp {

/// RFC 7798 on one stream (SRST) and without decoding order numbers (sprop-max-don-diff 0, as is
/// the default): single units, aggregation packets, fragments. Frames come in Annex B form.
class H265Packetizer final : public Packetizer {
 public:
  size_t begin(ByteSpan frame, const FrameDescription& description, size_t maxPayload) override;
  size_t next(MutableByteSpan out) override;

 private:
  struct Piece {
    size_t firstNalu = 0;
    size_t naluCount = 1;  // above 1: aggregated
    size_t offset = 0;     // fragment: within the unit, behind its header
    size_t size = 0;       // fragment: 0 means that the unit is whole
  };
  ByteSpan nalu(size_t i) const { return frame_.subspan(nalus_[i].offset, nalus_[i].size); }
  void writeAggregate(const Piece& piece, ByteWriter& w) const;

  ByteSpan frame_;
  std::vector<NaluRange> nalus_;
  std::vector<Piece> pieces_;
  size_t nextPiece_ = 0;
};

class H265Depacketizer final : public Depacketizer {
 public:
  bool parse(ByteSpan payload, PayloadInfo& out) const override;
  void append(ByteSpan payload, Bytes& frame) const override;
  bool startsAreImplicit() const override { return true; }
};

}  // namespace parley::rtp
