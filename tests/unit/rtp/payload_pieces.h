#pragma once

#include <vector>

#include <gtest/gtest.h>

#include "parley/rtp/payload_format/payload_format.h"

namespace parley::test {

inline Bytes patterned(size_t size) {
  Bytes out(size);
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<uint8_t>(i * 31 + 7);
  return out;
}

/// All payloads of a frame.
inline std::vector<Bytes> cut(rtp::Packetizer& packetizer, const Bytes& frame,
                              const rtp::FrameDescription& d, size_t maxPayload) {
  std::vector<Bytes> out;
  const size_t count = packetizer.begin(frame, d, maxPayload);
  for (size_t i = 0; i < count; ++i) {
    Bytes piece(maxPayload);
    piece.resize(packetizer.next(piece));
    EXPECT_FALSE(piece.empty());
    out.push_back(piece);
  }
  Bytes spare(maxPayload);
  EXPECT_EQ(packetizer.next(spare), 0u);
  return out;
}

/// The frame of them.
inline Bytes join(const rtp::Depacketizer& depacketizer, const std::vector<Bytes>& pieces) {
  Bytes out;
  for (const Bytes& p : pieces) {
    rtp::PayloadInfo info;
    EXPECT_TRUE(depacketizer.parse(p, info));
    depacketizer.append(p, out);
  }
  depacketizer.finish(out);
  return out;
}

}  // namespace parley::test
