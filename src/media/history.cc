#include "media/history.h"

#include <algorithm>

namespace parley::media {
namespace {

constexpr size_t kInitialCapacity = 64;
/// About 1 s at 80 Mb/s; older packets give way.
constexpr size_t kMaxCapacity = 8192;
constexpr Duration kMinRetention = Duration::seconds(1);
constexpr int kRttFactor = 3;

}  // namespace

void SendHistory::drop(Entry& entry) {
  if (entry.sequence < 0) return;
  entry = Entry{};
  --count_;
}

void SendHistory::grow() {
  std::vector<Entry> bigger(ring_.empty() ? kInitialCapacity : ring_.size() * 2);
  for (Entry& entry : ring_) {
    if (entry.sequence >= 0)
      bigger[static_cast<size_t>(entry.sequence) & (bigger.size() - 1)] = std::move(entry);
  }
  ring_ = std::move(bigger);
}

void SendHistory::add(int64_t sequence, PacketBuf packet, Timestamp now) {
  if (ring_.empty() || (at(sequence).sequence >= 0 && ring_.size() < kMaxCapacity)) grow();
  Entry& entry = at(sequence);
  if (entry.sequence > sequence) return;
  drop(entry);
  entry.sequence = sequence;
  entry.packet = std::move(packet);
  entry.lastSent = now;
  oldest_ = count_ == 0 ? sequence : std::min(oldest_, sequence);
  ++count_;
  newest_ = std::max(newest_, sequence);
  oldest_ = std::max(oldest_, newest_ - static_cast<int64_t>(ring_.size()) + 1);
}

SendHistory::Entry* SendHistory::find(int64_t sequence) {
  if (count_ == 0 || sequence < 0) return nullptr;
  Entry& entry = at(sequence);
  return entry.sequence == sequence ? &entry : nullptr;
}

SendHistory::Entry* SendHistory::findWrapped(uint16_t sequence) {
  if (newest_ < 0) return nullptr;
  return find(newest_ - static_cast<uint16_t>(static_cast<uint16_t>(newest_) - sequence));
}

void SendHistory::cull(Timestamp now, Duration rtt) {
  const Duration retention = std::max(kMinRetention, rtt * kRttFactor);
  while (count_ > 0 && oldest_ <= newest_) {
    Entry& entry = at(oldest_);
    if (entry.sequence == oldest_) {
      if (now - entry.lastSent <= retention) return;
      drop(entry);
    }
    ++oldest_;
  }
}

void SendHistory::forgetQueued() {
  for (Entry& entry : ring_) entry.queued = false;
}

void SendHistory::clear() {
  for (Entry& entry : ring_) drop(entry);
  newest_ = oldest_ = -1;
}

}  // namespace parley::media
