#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/base/bytes.h"

namespace parley::media {

/// The frames of sound that go out again with the next ones (RED, RFC 2198). Each packet repeats
/// the newest before it, as browsers do.
class AudioRedundancy {
 public:
  static constexpr size_t kMaxCopies = 3;

  /// Writes a RED payload: `frame` and up to `copies` of the frames remembered, as many as fit into
  /// `out`. All are of one payload type. The number of bytes; 0 if not even `frame` fits.
  size_t write(uint8_t payloadType, uint32_t timestamp, ByteSpan frame, size_t copies,
               MutableByteSpan out) const;
  /// A frame went out. What a header cannot say, or what holds no sound, is not worth repeating.
  void remember(uint32_t timestamp, ByteSpan frame);
  void clear() { count_ = 0; }

 private:
  struct Frame {
    uint32_t timestamp = 0;
    Bytes data;  // keeps its capacity
  };
  const Frame& newest(size_t i) const { return frames_[(next_ + kMaxCopies - 1 - i) % kMaxCopies]; }
  std::array<Frame, kMaxCopies> frames_{};
  size_t next_ = 0;
  size_t count_ = 0;
};

}  // namespace parley::media
