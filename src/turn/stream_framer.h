#pragma once

#include <algorithm>
#include <cstring>

#include "parley/base/packet_buffer.h"
#include "parley/stun/channel_data.h"

namespace parley::turn {

/// Cuts a byte stream into STUN messages and ChannelData. Frames that do not fit a packet buffer
/// are skipped and counted: nothing that the stack could relay is that large.
class StreamFramer {
 public:
  explicit StreamFramer(PacketPool& pool) : pool_(&pool) {}

  /// Takes bytes from the front of `input`. True: `frame` is complete (its padding included), and
  /// there may be more in what is left. False: all of `input` is taken, or the stream is broken.
  bool take(ByteSpan& input, PacketBuf& frame) {
    while (!input.empty() && !broken_) {
      if (skip_ > 0) {
        const size_t count = std::min(skip_, input.size());
        skip_ -= count;
        input = input.subspan(count);
        continue;
      }
      if (!partial_) {
        partial_ = pool_->allocate();
        if (!partial_) {
          broken_ = true;  // bytes of a stream cannot be left out
          return false;
        }
      }
      if (partial_.size() < stun::kChannelHeaderSize) {
        append(input, stun::kChannelHeaderSize);
        const auto first = stun::nextStreamFrame(partial_.span());
        broken_ = first.status == stun::StreamFrame::Status::Invalid;
        size_ = first.size;
        if (size_ == 0 || broken_) continue;
        if (size_ > partial_.writable().size()) {
          ++skipped_;
          skip_ = size_ - partial_.size();
          partial_.reset();
          continue;
        }
      }
      append(input, size_);
      if (partial_.size() < size_) return false;
      frame = std::move(partial_);
      size_ = 0;
      return true;
    }
    return false;
  }
  /// What came cannot be the start of a frame, or there was no buffer: the stream is of no use.
  bool broken() const { return broken_; }
  uint64_t skipped() const { return skipped_; }

 private:
  void append(ByteSpan& input, size_t wanted) {
    const size_t have = partial_.size();
    if (have >= wanted) return;
    const size_t count = std::min(wanted - have, input.size());
    partial_.resize(have + count);
    std::memcpy(partial_.data() + have, input.data(), count);
    input = input.subspan(count);
  }

  PacketPool* pool_;
  PacketBuf partial_;
  size_t size_ = 0;  ///< of the frame that `partial_` begins; 0 = unknown
  size_t skip_ = 0;
  uint64_t skipped_ = 0;
  bool broken_ = false;
};

}  // namespace parley::turn
