#include "sctp/engine/send_scheduler.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "parley/base/check.h"

namespace parley::sctp {
namespace {

/// What a queued message costs beyond its bytes, so that millions of tiny ones stay bounded too.
constexpr size_t kMessageOverhead = 64;
/// A message up to this size is no burden to the peer when half received.
constexpr size_t kSmallMessage = 2048;
constexpr size_t kMinStartedBytes = 128 * 1024;

}  // namespace

uint64_t SendScheduler::cost(size_t bytes, uint16_t weight) {
  return (bytes + kMessageOverhead / 2) * 1024 / std::max<uint16_t>(weight, 1);
}

void SendScheduler::setInterleaving(bool on, size_t window) {
  interleaving_ = on;
  startedLimit_ = std::max(window / 2, kMinStartedBytes);
}

bool SendScheduler::fits(size_t bytes) const {
  return charged_ + bytes <= maxBytes_;
}

// ---- in

void SendScheduler::addPiece(OutMessage& message, ByteSpan data) {
  Piece* piece = pool_.takePiece();
  piece->data.assign(data.begin(), data.end());
  if (message.tail == nullptr || message.head == nullptr) {
    message.head = message.tail = piece;
    message.headOffset = 0;
  } else {
    message.tail->next = piece;
    message.tail = piece;
  }
  message.waiting += data.size();
  charged_ += data.size();
}

void SendScheduler::push(const Request& request, ByteSpan data, bool complete) {
  OutMessage* message = pool_.takeMessage();
  message->stream = request.stream;
  message->weight = request.weight;
  message->ppid = request.ppid;
  message->maxRetransmits = request.maxRetransmits;
  message->expires = request.expires;
  message->unordered = request.unordered;
  message->control = request.control;
  message->complete = complete;
  addPiece(*message, data);
  charged_ += kMessageOverhead;
  ++queued_;
  Stream& stream = streams_[request.stream];
  if (stream.tail == nullptr) {
    stream.head = stream.tail = message;
  } else {
    stream.tail->next = message;
    stream.tail = message;
  }
  stream.grown = data.size();
  if (!request.control) {
    stream.buffered += data.size();
    buffered_ += data.size();
  }
  schedule(request.stream, stream);
}

bool SendScheduler::isGrowing(uint16_t id) const {
  const auto found = streams_.find(id);
  return found != streams_.end() && found->second.tail != nullptr && !found->second.tail->complete;
}

bool SendScheduler::canEndEmpty(uint16_t id) const {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.tail == nullptr) return false;
  const OutMessage& message = *found->second.tail;
  return message.waiting > 0 || message.abandoned;
}

size_t SendScheduler::grownBytes(uint16_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? 0 : found->second.grown;
}

void SendScheduler::append(uint16_t id, ByteSpan data, bool complete) {
  Stream& stream = streams_.at(id);
  OutMessage& message = *stream.tail;
  message.complete = complete;
  stream.grown += data.size();
  if (message.abandoned) {
    if (complete && stream.head == &message) popMessage(id, stream);
    schedule(id, stream);
    return;
  }
  if (!data.empty()) {
    addPiece(message, data);
    if (!message.control) {
      stream.buffered += data.size();
      buffered_ += data.size();
    }
  }
  schedule(id, stream);
}

/// Puts the stream among those whose turn may come, if its first message has bytes.
void SendScheduler::schedule(uint16_t id, Stream& stream) {
  if (stream.scheduled || stream.head == nullptr || stream.head->waiting == 0) return;
  if (stream.head == pinned_) return;
  stream.scheduled = true;
  heap_.push_back({std::max(virtualTime_, stream.finish), order_++, stream.head->weight, id});
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>{});
}

// ---- out

bool SendScheduler::mustWait(const OutMessage& message) const {
  return interleaving_ && !message.started && startedCount_ > 0 &&
         message.waiting > kSmallMessage && startedBytes_ + message.waiting > startedLimit_;
}

OutMessage* SendScheduler::front() {
  if (pinned_ != nullptr) return pinned_->waiting > 0 ? pinned_ : nullptr;
  while (!heap_.empty()) {
    OutMessage* message = streams_.at(heap_.front().stream).head;
    if (!mustWait(*message)) return message;
    parked_.push_back(heap_.front().stream);
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
    heap_.pop_back();
  }
  return nullptr;
}

void SendScheduler::begin(OutMessage& message, Stream& stream) {
  message.started = true;
  message.id = message.unordered ? stream.nextUnordered : stream.nextOrdered;
  // RFC 9260 section 6.6: SSNs count ordered messages only. RFC 8260 section 2.1: MIDs count both
  // kinds, each for itself.
  if (!message.unordered) {
    ++stream.nextOrdered;
  } else if (interleaving_) {
    ++stream.nextUnordered;
  }
}

SendScheduler::Fragment SendScheduler::cut(size_t length) {
  OutMessage& message = *front();
  const uint16_t id = message.stream;
  Stream& stream = streams_.at(id);
  Piece* piece = message.head;
  Fragment out;
  out.message = &message;
  out.piece = piece;
  out.offset = static_cast<uint32_t>(message.headOffset);
  out.length = static_cast<uint16_t>(
      std::min({length, piece->data.size() - message.headOffset, size_t{65'000}}));
  out.first = !message.started;
  if (out.first) begin(message, stream);
  out.fsn = message.nextFsn++;
  message.waiting -= out.length;
  message.headOffset += out.length;
  out.last = message.complete && message.waiting == 0;
  message.sentLast = out.last;
  charged_ -= out.length;
  ++message.refs;
  ++piece->refs;

  // The stream's turn is over; it may get another.
  if (pinned_ == nullptr) {
    virtualTime_ = std::max(virtualTime_, heap_.front().start);
    stream.finish = heap_.front().start;
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>{});
    heap_.pop_back();
    stream.scheduled = false;
  }
  stream.finish += cost(out.length, message.weight);
  if (out.first && !out.last) {
    message.reserved = out.length + message.waiting;
    startedBytes_ += message.reserved;
    ++startedCount_;
    if (!interleaving_) pinned_ = &message;
  }
  if (message.headOffset == piece->data.size()) {
    message.head = piece->next;
    message.headOffset = 0;
    if (message.head == nullptr) message.tail = nullptr;
    pool_.release(piece);
  }
  if (!message.control) decrease(id, stream, out.length);
  if (out.last) {
    endStarted(message);
    popMessage(id, stream);
  }
  schedule(id, stream);
  return out;
}

/// A message that was begun is ended, so others that had to wait for it may begin.
void SendScheduler::endStarted(OutMessage& message) {
  if (pinned_ == &message) pinned_ = nullptr;
  if (message.reserved == 0) return;
  startedBytes_ -= message.reserved;
  --startedCount_;
  message.reserved = 0;
  for (const uint16_t id : std::exchange(parked_, {})) {
    const auto found = streams_.find(id);
    if (found == streams_.end()) continue;
    found->second.scheduled = false;
    schedule(id, found->second);
  }
}

void SendScheduler::popMessage(uint16_t id, Stream& stream) {
  static_cast<void>(id);
  OutMessage* message = stream.head;
  stream.head = message->next;
  if (stream.head == nullptr) stream.tail = nullptr;
  charged_ -= kMessageOverhead;
  --queued_;
  pool_.release(message);
}

void SendScheduler::decrease(uint16_t id, Stream& stream, size_t bytes) {
  stream.buffered -= bytes;
  buffered_ -= bytes;
  if (stream.decreaseNoted) return;
  stream.decreaseNoted = true;
  decreased_.push_back(id);
}

// ---- dropping

void SendScheduler::dropPieces(OutMessage& message) {
  Piece* piece = message.head;
  while (piece != nullptr) {
    Piece* next = piece->next;
    pool_.release(piece);
    piece = next;
  }
  message.head = message.tail = nullptr;
  message.headOffset = 0;
  charged_ -= message.waiting;
  message.waiting = 0;
}

void SendScheduler::forgetSchedule(uint16_t id, Stream& stream) {
  if (!stream.scheduled) return;
  stream.scheduled = false;
  std::erase_if(heap_, [id](const Entry& e) { return e.stream == id; });
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>{});
  std::erase(parked_, id);
}

void SendScheduler::abandon(OutMessage& message) {
  message.abandoned = true;
  const auto found = streams_.find(message.stream);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  // Only the first message of a stream can have been begun, and only such ones are looked at.
  if (stream.head != &message) return;
  const uint16_t id = message.stream;
  forgetSchedule(id, stream);
  const size_t unsent = message.waiting;
  dropPieces(message);
  if (!message.control && unsent > 0) decrease(id, stream, unsent);
  endStarted(message);
  if (message.complete) popMessage(id, stream);
  schedule(id, stream);
}

bool SendScheduler::hasQueued(uint16_t id) const {
  const auto found = streams_.find(id);
  return found != streams_.end() && found->second.head != nullptr;
}

void SendScheduler::breakOff(uint16_t id) {
  Stream& stream = streams_.at(id);
  OutMessage* const growing = stream.tail;
  growing->complete = true;
  if (growing == stream.head) {
    abandon(*growing);
    // One that was abandoned before only waited for its end.
    if (stream.head == growing) popMessage(id, stream);
    return;
  }
  OutMessage* before = stream.head;
  while (before->next != growing) before = before->next;
  const size_t unsent = growing->waiting;
  dropPieces(*growing);
  if (!growing->control) decrease(id, stream, unsent);
  before->next = nullptr;
  stream.tail = before;
  charged_ -= kMessageOverhead;
  --queued_;
  pool_.release(growing);
}

void SendScheduler::trim() {
  if (queued_ > 0) return;
  heap_ = {};
  parked_ = {};
}

OutMessage* SendScheduler::begun(uint16_t id) const {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.head == nullptr) return nullptr;
  return found->second.head->started ? found->second.head : nullptr;
}

void SendScheduler::discard(uint16_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Stream& stream = found->second;
  forgetSchedule(id, stream);
  size_t counted = 0;
  while (stream.head != nullptr) {
    OutMessage& message = *stream.head;
    if (!message.control) counted += message.waiting;
    if (message.started) message.abandoned = true;
    dropPieces(message);
    endStarted(message);
    popMessage(id, stream);
  }
  if (counted > 0) decrease(id, stream, counted);
}

void SendScheduler::resetNumbers(uint16_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.nextOrdered = found->second.nextUnordered = 0;
  // A stream without memory of anything need not be kept.
  if (found->second.head == nullptr && !found->second.decreaseNoted) streams_.erase(found);
}

void SendScheduler::clear() {
  for (auto& [id, stream] : streams_) {
    while (stream.head != nullptr) {
      OutMessage* message = stream.head;
      dropPieces(*message);
      stream.head = message->next;
      pool_.release(message);
    }
  }
  streams_.clear();
  heap_.clear();
  parked_.clear();
  decreased_.clear();
  pinned_ = nullptr;
  charged_ = buffered_ = queued_ = startedBytes_ = startedCount_ = 0;
}

size_t SendScheduler::buffered(uint16_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? 0 : found->second.buffered;
}

bool SendScheduler::pollDecreased(uint16_t& id) {
  if (decreased_.empty()) return false;
  id = decreased_.back();
  decreased_.pop_back();
  if (const auto found = streams_.find(id); found != streams_.end())
    found->second.decreaseNoted = false;
  return true;
}

}  // namespace parley::sctp
