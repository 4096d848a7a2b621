#include "io/tx_queue.h"

#include <algorithm>

namespace parley::io {
namespace {

bool isMedia(size_t index) {
  return index == static_cast<size_t>(TxClass::Audio) ||
         index == static_cast<size_t>(TxClass::Media);
}

}  // namespace

void TxQueue::push(TxPacket&& packet, Timestamp now) {
  const size_t index = static_cast<size_t>(packet.txClass);
  RingQueue<Entry>& queue = queues_[index];
  if (queue.full()) {
    ++dropped_;
    if (!isMedia(index)) return;
    queue.pop();
  }
  queue.push({std::move(packet), now});
}

bool TxQueue::empty() const {
  return size() == 0;
}

size_t TxQueue::size() const {
  size_t size = 0;
  for (const auto& queue : queues_) size += queue.size();
  return size;
}

void TxQueue::expire(Timestamp now) {
  for (size_t i = 0; i < kClasses; ++i) {
    if (!isMedia(i)) continue;
    while (!queues_[i].empty() && now - queues_[i].front().queuedAt > kMediaBudget) {
      queues_[i].pop();
      ++dropped_;
    }
  }
}

size_t TxQueue::peek(std::span<TxPacket*> out) {
  size_t count = 0;
  for (auto& queue : queues_) {
    for (size_t i = 0; i < queue.size() && count < out.size(); ++i) out[count++] = &queue[i].packet;
  }
  return count;
}

void TxQueue::drop(size_t count) {
  for (auto& queue : queues_) {
    for (; count > 0 && !queue.empty(); --count) queue.pop();
  }
}

}  // namespace parley::io
