#pragma once

#include <cstdint>
#include <span>

#include "parley/base/bytes.h"
#include "parley/codec/video_frame.h"

#include "wire.h"

// What test peers send and how the receiver recognises it: the rules of README.md, which
// page/content.js follows too, so that hashes and pictures can be compared across programs.

namespace parley::interop {

/// FNV-1a, 32 bits.
constexpr uint32_t kFnvStart = 2166136261u;
uint32_t fnv1a(ByteSpan bytes, uint32_t hash = kFnvStart);

/// The payload of message `index`: bytes, or for text printable ASCII.
Bytes payload(size_t size, uint32_t index, bool text);

/// `count` messages from 0 to `max` bytes, spread evenly over the powers of two.
class MessagePlan {
 public:
  struct Message {
    uint32_t index = 0;
    size_t size = 0;
    bool text = false;
  };

  explicit MessagePlan(const Json& request);
  bool next(Message& out);

 private:
  uint32_t draw();

  uint32_t state_;
  uint32_t count_;
  uint32_t max_;
  uint32_t index_ = 0;
};

/// Counts messages and hashes their kinds, sizes and bytes.
class Tally {
 public:
  void add(ByteSpan bytes, bool text);
  Json result() const;

 private:
  uint64_t messages_ = 0;
  uint64_t textMessages_ = 0;
  uint64_t bytes_ = 0;
  uint32_t hash_ = kFnvStart;
};

/// Writes the number of a picture into the cells at its top.
void drawNumber(codec::I420Buffer& picture, uint32_t number);
/// `{width,height,number,luma}` of a picture; `number` is null if it cannot be read.
Json describePicture(const codec::I420Buffer& picture);

/// Root mean square, and the strongest frequency between 50 and 4000 Hz in steps of 10 Hz.
struct Sound {
  double rms = 0;
  double peakHz = 0;
};
Sound analyse(std::span<const int16_t> samples, double sampleRate);

}  // namespace parley::interop
