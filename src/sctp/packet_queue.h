#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "parley/base/bytes.h"

namespace parley::sctp {

/// A FIFO of packets of bounded size in one growable array of equal slots: no allocation once
/// grown. It is not made of pooled buffers because the engine may fill it on another loop's thread,
/// and pools belong to one loop.
class PacketQueue {
 public:
  PacketQueue(size_t slotSize, size_t maxPackets) : slotSize_(slotSize), maxPackets_(maxPackets) {}

  /// False if the queue is full or the packet larger than a slot.
  bool push(ByteSpan packet) {
    if (packet.size() > slotSize_ || count_ == maxPackets_) return false;
    if (count_ == sizes_.size()) grow();
    const size_t at = (head_ + count_) % sizes_.size();
    std::memcpy(&storage_[at * slotSize_], packet.data(), packet.size());
    sizes_[at] = packet.size();
    bytes_ += packet.size();
    ++count_;
    return true;
  }
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  size_t bytes() const { return bytes_; }
  ByteSpan front() const { return {&storage_[head_ * slotSize_], sizes_[head_]}; }
  void pop() {
    bytes_ -= sizes_[head_];
    head_ = (head_ + 1) % sizes_.size();
    --count_;
  }
  void swap(PacketQueue& other) noexcept {
    std::swap(slotSize_, other.slotSize_);
    std::swap(maxPackets_, other.maxPackets_);
    storage_.swap(other.storage_);
    sizes_.swap(other.sizes_);
    std::swap(head_, other.head_);
    std::swap(count_, other.count_);
    std::swap(bytes_, other.bytes_);
  }

 private:
  void grow() {
    const size_t wanted = sizes_.empty() ? 8 : sizes_.size() * 2;
    const size_t capacity = wanted < maxPackets_ ? wanted : maxPackets_;
    std::vector<uint8_t> bytes(capacity * slotSize_);
    std::vector<size_t> sizes(capacity);
    for (size_t i = 0; i < count_; ++i) {
      const size_t from = (head_ + i) % sizes_.size();
      std::memcpy(&bytes[i * slotSize_], &storage_[from * slotSize_], sizes_[from]);
      sizes[i] = sizes_[from];
    }
    storage_.swap(bytes);
    sizes_.swap(sizes);
    head_ = 0;
  }

  size_t slotSize_;
  size_t maxPackets_;
  std::vector<uint8_t> storage_;
  std::vector<size_t> sizes_;
  size_t head_ = 0;
  size_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace parley::sctp
