#include "parley/base/packet_buffer.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "parley/base/check.h"

namespace parley {

void PacketBuf::resize(size_t size) {
  PARLEY_CHECK(slot_ && begin_ + size <= kSlotSize);
  size_ = static_cast<uint32_t>(size);
}

bool PacketBuf::assign(ByteSpan bytes) {
  if (!slot_ || bytes.size() > kSlotSize - begin_) return false;
  if (!bytes.empty()) std::memmove(data(), bytes.data(), bytes.size());
  size_ = static_cast<uint32_t>(bytes.size());
  return true;
}

void PacketBuf::trimFront(size_t n) {
  PARLEY_CHECK(n <= size_);
  begin_ += static_cast<uint32_t>(n);
  size_ -= static_cast<uint32_t>(n);
}

bool PacketBuf::growFront(size_t n) {
  if (!slot_ || n > begin_) return false;
  begin_ -= static_cast<uint32_t>(n);
  size_ += static_cast<uint32_t>(n);
  return true;
}

void PacketBuf::reset() {
  if (slot_) pool_->release(slot_);
  slot_ = nullptr;
  pool_ = nullptr;
  begin_ = size_ = 0;
}

class PacketPool::Guard {
 public:
  explicit Guard(PacketPool& pool) : lock_(pool.lock_) {
    if (lock_) lock_->lock();
  }
  ~Guard() {
    if (lock_) lock_->unlock();
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  PoolLock* lock_;
};

PacketPool::PacketPool(size_t maxSlots, PoolLock* lock) : maxSlots_(maxSlots), lock_(lock) {}

PacketPool::~PacketPool() {
  PARLEY_DCHECK(inUse_ == 0);
}

PacketBuf PacketPool::allocate() {
  const Guard guard(*this);
  if (!free_ && !addSlab()) return {};
  FreeSlot* slot = free_;
  free_ = slot->next;
  highWater_ = std::max(highWater_, ++inUse_);
  PacketBuf buf;
  buf.pool_ = this;
  buf.slot_ = reinterpret_cast<uint8_t*>(slot);
  buf.begin_ = PacketBuf::kHeadroom;
  return buf;
}

size_t PacketPool::available() {
  const Guard guard(*this);
  return maxSlots_ - inUse_;
}

PacketBuf PacketPool::copyOf(ByteSpan bytes) {
  if (bytes.size() > PacketBuf::kSlotSize - PacketBuf::kHeadroom) return {};
  PacketBuf buf = allocate();
  if (buf) buf.assign(bytes);
  return buf;
}

void PacketPool::release(uint8_t* slot) {
  const Guard guard(*this);
  free_ = new (slot) FreeSlot{free_};
  --inUse_;
}

bool PacketPool::addSlab() {
  // Small first, then doubling to 256 slots (512 KiB): an idle connection should not hold a big
  // slab.
  const size_t wanted = std::clamp<size_t>(capacity_, 16, 256);
  const size_t count = std::min(wanted, maxSlots_ - capacity_);
  if (count == 0) return false;
  slabs_.push_back(std::make_unique_for_overwrite<uint8_t[]>(count * PacketBuf::kSlotSize));
  uint8_t* base = slabs_.back().get();
  for (size_t i = 0; i < count; ++i) free_ = new (base + i * PacketBuf::kSlotSize) FreeSlot{free_};
  capacity_ += count;
  return true;
}

}  // namespace parley
