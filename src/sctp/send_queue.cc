#include "sctp/send_queue.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace parley::sctp {
namespace {

/// What a queued message costs beyond its bytes, so that millions of tiny messages stay bounded
/// too.
constexpr size_t kMessageOverhead = 64;
constexpr size_t kMaxSpare = 32;
constexpr size_t kMaxSpareCapacity = 65'536;

}  // namespace

size_t SendQueue::charge(const Waiting& message) {
  return message.data.size() + kMessageOverhead;
}

bool SendQueue::push(uint16_t id, Waiting message) {
  const size_t cost = charge(message);
  // Bytes inside the engine count too: the limit is the application's view of the buffer.
  if (!message.beyondLimit && charged_ + engineBytes_ + cost > maxBytes_ + kMessageOverhead)
    return false;
  Stream& stream = streams_[id];
  const size_t counted = message.control ? 0 : message.data.size();
  const bool wasIdle = stream.waiting.empty();
  if (!stream.waiting.push(std::move(message))) return false;
  charged_ += cost;
  stream.buffered += counted;
  buffered_ += counted;
  if (wasIdle) schedule(id, stream);
  return true;
}

Bytes SendQueue::takeSpare() {
  if (spare_.empty()) return {};
  Bytes out = std::move(spare_.back());
  spare_.pop_back();
  return out;
}

void SendQueue::returnSpare(Bytes&& data) {
  if (spare_.size() >= kMaxSpare || data.capacity() == 0 || data.capacity() > kMaxSpareCapacity)
    return;
  data.clear();
  spare_.push_back(std::move(data));
}

void SendQueue::schedule(uint16_t id, Stream& stream) {
  const Waiting& head = stream.waiting.front();
  const uint64_t weight = head.weight == 0 ? 1 : head.weight;
  const uint64_t start = std::max(virtualTime_, stream.lastFinish);
  stream.lastFinish = start + static_cast<uint64_t>(charge(head)) * 1024 / weight;
  heap_.push_back({stream.lastFinish, order_++, id});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
}

void SendQueue::popHeap() {
  // Virtual time never runs back, so an idle stream cannot save up credit.
  virtualTime_ = std::max(virtualTime_, heap_.front().finish);
  std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
  heap_.pop_back();
}

SendQueue::Waiting* SendQueue::front(uint16_t& stream) {
  if (heap_.empty()) return nullptr;
  stream = heap_.front().stream;
  return &streams_.at(stream).waiting.front();
}

void SendQueue::popToEngine() {
  const uint16_t id = heap_.front().stream;
  Stream& stream = streams_.at(id);
  popHeap();
  Waiting message = stream.waiting.pop();
  charged_ -= charge(message);
  engineBytes_ += message.data.size();
  stream.handed.push({message.data.size(), message.control});
  returnSpare(std::move(message.data));
  if (!stream.waiting.empty()) schedule(id, stream);
}

void SendQueue::popDropped() {
  const uint16_t id = heap_.front().stream;
  Stream& stream = streams_.at(id);
  popHeap();
  Waiting message = stream.waiting.pop();
  charged_ -= charge(message);
  if (!message.control) decrease(id, stream, message.data.size());
  returnSpare(std::move(message.data));
  if (!stream.waiting.empty()) schedule(id, stream);
}

void SendQueue::consume(uint16_t id, size_t bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  size_t counted = 0;
  while (bytes > 0 && !stream.handed.empty()) {
    Handed& oldest = stream.handed.front();
    const size_t n = std::min(bytes, oldest.remaining);
    oldest.remaining -= n;
    bytes -= n;
    engineBytes_ -= n;
    if (!oldest.control) counted += n;
    if (oldest.remaining == 0) stream.handed.pop();
  }
  if (counted > 0) decrease(id, stream, counted);
}

void SendQueue::decrease(uint16_t id, Stream& stream, size_t bytes) {
  stream.buffered -= bytes;
  buffered_ -= bytes;
  if (stream.decreaseNoted) return;
  stream.decreaseNoted = true;
  decreased_.push_back(id);
}

void SendQueue::limitEngine(size_t bytes) {
  for (auto it = streams_.begin(); it != streams_.end() && engineBytes_ > bytes; ++it) {
    consume(it->first, engineBytes_ - bytes);
  }
}

bool SendQueue::waiting(uint16_t id) const {
  const auto found = streams_.find(id);
  return found != streams_.end() && !found->second.waiting.empty();
}

void SendQueue::discardWaiting(uint16_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.waiting.empty()) return;
  Stream& stream = found->second;
  size_t counted = 0;
  while (!stream.waiting.empty()) {
    Waiting message = stream.waiting.pop();
    charged_ -= charge(message);
    if (!message.control) counted += message.data.size();
    returnSpare(std::move(message.data));
  }
  std::erase_if(heap_, [id](const Entry& e) { return e.stream == id; });
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
  if (counted > 0) decrease(id, stream, counted);
}

void SendQueue::clear() {
  streams_.clear();
  heap_.clear();
  decreased_.clear();
  charged_ = engineBytes_ = buffered_ = 0;
}

size_t SendQueue::buffered(uint16_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? 0 : found->second.buffered;
}

bool SendQueue::pollDecreased(uint16_t& id) {
  if (decreased_.empty()) return false;
  id = decreased_.back();
  decreased_.pop_back();
  if (const auto found = streams_.find(id); found != streams_.end())
    found->second.decreaseNoted = false;
  return true;
}

}  // namespace parley::sctp
