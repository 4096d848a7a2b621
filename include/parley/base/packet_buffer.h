#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley {

class PacketPool;

/// What several threads take before they touch a pool. Base knows no threads; who brings them in
/// brings the lock too.
class PoolLock {
 public:
  virtual ~PoolLock() = default;
  virtual void lock() = 0;
  virtual void unlock() = 0;
};

/// A move-only handle to one pooled slot. The payload is a window in the slot with free room before
/// it (headers of outer layers: TURN, TCP framing) and behind it (SRTP tag), so every layer works
/// in place. Returned to its pool when the handle dies. Thread rule: that of its pool.
class PARLEY_EXPORT PacketBuf {
 public:
  static constexpr size_t kSlotSize = 2048;
  static constexpr size_t kHeadroom = 64;
  /// Room kept free for trailers: SRTP_MAX_TRAILER_LEN (144) and the SRTCP index (4).
  static constexpr size_t kTailroom = 148;
  static constexpr size_t kMaxPayload = kSlotSize - kHeadroom - kTailroom;

  PacketBuf() = default;
  PacketBuf(PacketBuf&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        slot_(std::exchange(other.slot_, nullptr)),
        begin_(std::exchange(other.begin_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  PacketBuf& operator=(PacketBuf&& other) noexcept {
    PacketBuf moved(std::move(other));
    swap(moved);
    return *this;
  }
  // Handles that were moved from are by far the most.
  ~PacketBuf() {
    if (slot_) reset();
  }

  explicit operator bool() const { return slot_ != nullptr; }
  uint8_t* data() { return slot_ + begin_; }
  const uint8_t* data() const { return slot_ + begin_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  ByteSpan span() const { return {data(), size_}; }
  MutableByteSpan mutableSpan() { return {data(), size_}; }
  /// Everything from the start of the payload to the end of the slot.
  MutableByteSpan writable() { return {data(), kSlotSize - begin_}; }

  /// Sets the payload's length; at most `writable().size()`.
  void resize(size_t size);
  /// Replaces the payload. False (and unchanged) if it does not fit.
  bool assign(ByteSpan bytes);
  /// Drops bytes from the front; at most `size()`.
  void trimFront(size_t n);
  /// Extends the payload to the front by `n` uninitialised bytes; false without room.
  bool growFront(size_t n);
  void reset();

 private:
  friend class PacketPool;
  void swap(PacketBuf& o) noexcept {
    std::swap(pool_, o.pool_);
    std::swap(slot_, o.slot_);
    std::swap(begin_, o.begin_);
    std::swap(size_, o.size_);
  }
  PacketPool* pool_ = nullptr;
  uint8_t* slot_ = nullptr;
  uint32_t begin_ = 0;
  uint32_t size_ = 0;
};

/// A slab pool of packet slots: a free list, no atomics. Grows by slabs up to `maxSlots`, never
/// shrinks. Must outlive its buffers. One loop's property, and thread-compatible; with a lock,
/// buffers may be taken on one thread and given back on another.
class PARLEY_EXPORT PacketPool {
 public:
  /// `lock` may be null and must outlive the pool.
  explicit PacketPool(size_t maxSlots = 65536, PoolLock* lock = nullptr);
  ~PacketPool();
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  /// An empty buffer with the standard headroom; a false handle when the pool is exhausted (the
  /// caller drops and counts).
  PacketBuf allocate();
  /// allocate() and assign(); a false handle when exhausted or too large.
  PacketBuf copyOf(ByteSpan bytes);

  size_t inUse() const { return inUse_; }
  /// How many more buffers could be taken now.
  size_t available();
  size_t highWater() const { return highWater_; }
  size_t capacity() const { return capacity_; }

 private:
  friend class PacketBuf;
  void release(uint8_t* slot);
  bool addSlab();
  class Guard;
  struct FreeSlot {
    FreeSlot* next;
  };
  std::vector<std::unique_ptr<uint8_t[]>> slabs_;
  FreeSlot* free_ = nullptr;
  size_t maxSlots_;
  PoolLock* lock_;
  size_t capacity_ = 0;
  size_t inUse_ = 0;
  size_t highWater_ = 0;
};

}  // namespace parley
