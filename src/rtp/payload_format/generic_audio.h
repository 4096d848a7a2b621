#pragma once

#include <algorithm>

#include "parley/rtp/payload_format/payload_format.h"

namespace parley::rtp {

/// One encoded frame is one packet: Opus (RFC 7587 section 4.2), G.711 and G.722 (RFC 3551),
/// comfort noise (RFC 3389), telephone events (RFC 4733).
class AudioPacketizer final : public Packetizer {
 public:
  size_t begin(ByteSpan frame, const FrameDescription&, size_t maxPayload) override {
    frame_ = frame.size() <= maxPayload ? frame : ByteSpan{};
    return frame_.empty() ? 0 : 1;
  }
  size_t next(MutableByteSpan out) override {
    ByteWriter w(out);
    w.bytes(frame_);
    frame_ = {};
    return w.ok() ? w.size() : 0;
  }

 private:
  ByteSpan frame_;
};

class AudioDepacketizer final : public Depacketizer {
 public:
  bool parse(ByteSpan payload, PayloadInfo& out) const override {
    out = {};
    if (payload.empty()) return false;
    out.frameStart = true;
    out.keyFrame = true;
    out.data = payload;
    return true;
  }
  void append(ByteSpan payload, Bytes& frame) const override {
    frame.insert(frame.end(), payload.begin(), payload.end());
  }
};

}  // namespace parley::rtp
