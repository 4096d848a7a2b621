#include "ice/frame_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "parley/base/check.h"

namespace parley::ice {

void FrameReader::feed(PacketBuf&& chunk) {
  PARLEY_DCHECK(at_ == chunk_.size());
  chunk_ = std::move(chunk);
  at_ = 0;
}

bool FrameReader::next(PacketBuf& packet) {
  while (at_ < chunk_.size()) {
    if (skip_ > 0) {
      const size_t count = std::min(skip_, chunk_.size() - at_);
      skip_ -= count;
      at_ += count;
    } else if (headerBytes_ < kHeaderSize) {
      length_ = length_ << 8 | chunk_.data()[at_++];
      if (++headerBytes_ < kHeaderSize) continue;
      if (length_ == 0) headerBytes_ = 0;
      if (length_ > PacketBuf::kMaxPayload) skipPacket();
    } else if (readPayload(packet)) {
      headerBytes_ = length_ = 0;
      return true;
    }
  }
  chunk_.reset();
  at_ = 0;
  return false;
}

void FrameReader::skipPacket() {
  ++skipped_;
  skip_ = length_ - partial_.size();
  partial_.reset();
  headerBytes_ = length_ = 0;
}

bool FrameReader::readPayload(PacketBuf& packet) {
  const size_t left = chunk_.size() - at_;
  if (!partial_ && left == length_) {
    // The usual case: what arrived is one packet, which stays where it is.
    chunk_.trimFront(std::exchange(at_, 0));
    packet = std::exchange(chunk_, {});
    return true;
  }
  if (!partial_) partial_ = pool_->allocate();
  if (!partial_) {
    skipPacket();
    return false;
  }
  const size_t have = partial_.size();
  const size_t count = std::min(length_ - have, left);
  partial_.resize(have + count);
  std::memcpy(partial_.data() + have, chunk_.data() + at_, count);
  at_ += count;
  if (partial_.size() < length_) return false;
  packet = std::exchange(partial_, {});
  return true;
}

bool frame(PacketBuf& packet) {
  const size_t size = packet.size();
  if (size > 0xFFFF || !packet.growFront(FrameReader::kHeaderSize)) return false;
  packet.data()[0] = static_cast<uint8_t>(size >> 8);
  packet.data()[1] = static_cast<uint8_t>(size);
  return true;
}

}  // namespace parley::ice
