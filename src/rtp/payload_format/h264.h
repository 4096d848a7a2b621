#pragma once

#include <vector>

#include "parley/rtp/payload_format/payload_format.h"

namespace parley::rtp {

/// RFC 6184, packetization modes 0 (one NAL unit per packet) and 1 (STAP-A and FU-A as well).
/// Frames come in Annex B form.
class H264Packetizer final : public Packetizer {
 public:
  explicit H264Packetizer(int mode) : mode_(mode) {}
  size_t begin(ByteSpan frame, const FrameDescription& description, size_t maxPayload) override;
  size_t next(MutableByteSpan out) override;

 private:
  struct Piece {
    size_t firstNalu = 0;
    size_t naluCount = 1;  // above 1: STAP-A
    size_t offset = 0;     // FU-A: within the unit, behind its header
    size_t size = 0;       // FU-A: 0 means that the unit is whole
  };
  void addFragments(size_t nalu, size_t maxPayload);
  ByteSpan nalu(size_t i) const { return frame_.subspan(nalus_[i].offset, nalus_[i].size); }

  int mode_;
  ByteSpan frame_;
  std::vector<NaluRange> nalus_;
  std::vector<Piece> pieces_;
  size_t nextPiece_ = 0;
};

class H264Depacketizer final : public Depacketizer {
 public:
  bool parse(ByteSpan payload, PayloadInfo& out) const override;
  void append(ByteSpan payload, Bytes& frame) const override;
  bool startsAreImplicit() const override { return true; }
};

}  // namespace parley::rtp
