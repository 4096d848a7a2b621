#include "sctp/engine/reassembly.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "parley/base/seq_num.h"

namespace parley::sctp {
namespace {

/// Messages begun and not ended in one lane: as many as losses can leave behind in a window.
constexpr size_t kMaxRuns = 4096;
constexpr size_t kMaxSpare = 32;
constexpr size_t kMaxSpareBytes = 512 * 1024;
constexpr size_t kSpareSizes[] = {128, 256, 512, 1280};
constexpr size_t kMaxSmallSpare = 2048;
/// Messages begun that may have a large buffer from the start.
constexpr size_t kRunsWithRoom = 8;
constexpr size_t kMaxInbox = 1u << 24;

}  // namespace

Reassembly::Reassembly(size_t maxMessage, size_t maxWhole)
    : maxMessage_(maxMessage), maxWhole_(std::min(maxMessage, maxWhole)), inbox_(kMaxInbox) {}

// ---- numbers

int64_t Reassembly::unwrapId(const Stream& stream, uint32_t id) const {
  if (interleaving_) {
    return stream.nextId + static_cast<int32_t>(id - static_cast<uint32_t>(stream.nextId));
  }
  return stream.nextId +
         static_cast<int16_t>(static_cast<uint16_t>(id - static_cast<uint32_t>(stream.nextId)));
}

int64_t Reassembly::position(const Fragment& f) const {
  if (!interleaving_) return f.position;
  const uint64_t fsn = f.first ? 0 : static_cast<uint32_t>(f.position);
  return static_cast<int64_t>(uint64_t{f.id} << 32 | fsn);
}

bool Reassembly::isNewerId(uint32_t a, uint32_t b) const {
  return interleaving_ ? isNewer(a, b)
                       : isNewer(static_cast<uint16_t>(a), static_cast<uint16_t>(b));
}

// ---- memory

/// A buffer for so many bytes that will not grow. It is not much larger than that: what waits for
/// others is counted by its size.
Bytes Reassembly::takeSpare(size_t size) {
  const size_t kind =
      static_cast<size_t>(std::lower_bound(std::begin(kSpareSizes), std::end(kSpareSizes), size) -
                          std::begin(kSpareSizes));
  Bytes out;
  if (kind == std::size(kSpareSizes)) {
    out.reserve(size);
  } else if (spare_[kind].empty()) {
    out.reserve(kSpareSizes[kind]);
  } else {
    out = std::move(spare_[kind].back());
    spare_[kind].pop_back();
    spareBytes_ -= out.capacity();
  }
  return out;
}

/// A buffer for a message of which `size` bytes are there and more will follow. A few may be as
/// large as the messages before them were.
Bytes Reassembly::takeForRun(size_t size) {
  auto& large = spare_.back();
  if (large.empty() || openRuns_ >= kRunsWithRoom) return takeSpare(size);
  Bytes out = std::move(large.back());
  large.pop_back();
  spareBytes_ -= out.capacity();
  return out;
}

/// A message that must wait gives back what it has too much.
void Reassembly::fit(Bytes& data) {
  if (data.capacity() <= 2 * data.size() + kSpareSizes[0]) return;
  Bytes smaller = takeSpare(data.size());
  smaller.assign(data.begin(), data.end());
  giveSpare(std::exchange(data, std::move(smaller)));
}

void Reassembly::giveSpare(Bytes&& data) {
  const size_t capacity = data.capacity();
  if (capacity < kSpareSizes[0] || spareBytes_ + capacity > kMaxSpareBytes) return;
  const size_t kind = capacity > kMaxSmallSpare
                          ? std::size(kSpareSizes)
                          : static_cast<size_t>(std::upper_bound(std::begin(kSpareSizes),
                                                                 std::end(kSpareSizes), capacity) -
                                                std::begin(kSpareSizes) - 1);
  if (spare_[kind].size() >= kMaxSpare) return;
  data.clear();
  spareBytes_ += capacity;
  spare_[kind].push_back(std::move(data));
}

void Reassembly::trim() {
  spare_ = {};
  spareBytes_ = 0;
  sparePending_.reset();
  if (inbox_.empty()) inbox_ = RingQueue<Inbound>(kMaxInbox);
}

Reassembly::Pending& Reassembly::need(uint16_t id, Stream& stream) {
  if (!stream.pending) {
    stream.pending = sparePending_ ? std::move(sparePending_) : std::make_unique<Pending>();
    Pending& added = *stream.pending;
    added.id = id;
    added.waitsFrom = kNever;
    added.index = pending_.size();
    pending_.push_back(&added);
    held_ += kStreamOverhead;
  }
  return *stream.pending;
}

void Reassembly::settle(Stream& stream) {
  if (!stream.pending || !stream.pending->empty()) return;
  held_ -= kStreamOverhead;
  const size_t index = stream.pending->index;
  Pending* const last = pending_.back();
  pending_.pop_back();
  if (last != stream.pending.get()) {
    place(last, index);
    reorder(index);
  }
  if (!sparePending_) sparePending_ = std::move(stream.pending);
  stream.pending.reset();
}

void Reassembly::place(Pending* pending, size_t index) {
  pending_[index] = pending;
  pending->index = index;
}

/// Moves the entry to where its position belongs in the heap.
void Reassembly::reorder(size_t index) {
  Pending* const moved = pending_[index];
  while (index > 0 && moved->waitsFrom < pending_[(index - 1) / 2]->waitsFrom) {
    place(pending_[(index - 1) / 2], index);
    index = (index - 1) / 2;
  }
  for (;;) {
    size_t child = 2 * index + 1;
    if (child >= pending_.size()) break;
    if (child + 1 < pending_.size() &&
        pending_[child + 1]->waitsFrom < pending_[child]->waitsFrom) {
      ++child;
    }
    if (pending_[child]->waitsFrom >= moved->waitsFrom) break;
    place(pending_[child], index);
    index = child;
  }
  place(moved, index);
}

/// A fragment came that waits, or after which another one is waited for.
void Reassembly::awaitFrom(Pending& pending, int64_t position) {
  // With interleaving no FORWARD TSN comes, which goes by positions.
  if (interleaving_ || position >= pending.waitsFrom) return;
  pending.waitsFrom = position;
  reorder(pending.index);
}

void Reassembly::dropRun(Lane& lane, size_t index) {
  held_ -= lane.runs[index].data.size() + kItemOverhead;
  --openRuns_;
  giveSpare(std::move(lane.runs[index].data));
  if (index + 1 != lane.runs.size()) lane.runs[index] = std::move(lane.runs.back());
  lane.runs.pop_back();
}

void Reassembly::dropLoose(Lane& lane, std::map<int64_t, Loose>::iterator at) {
  held_ -= at->second.data.size() + kItemOverhead;
  giveSpare(std::move(at->second.data));
  lane.loose.erase(at);
}

void Reassembly::dropAll(Stream& stream) {
  if (!stream.pending) return;
  for (Lane& lane : stream.pending->lanes) {
    while (!lane.runs.empty()) dropRun(lane, lane.runs.size() - 1);
    while (!lane.loose.empty()) dropLoose(lane, lane.loose.begin());
  }
  for (auto& [id, ready] : stream.pending->ready) held_ -= ready.data.size() + kItemOverhead;
  stream.pending->ready.clear();
  settle(stream);
}

void Reassembly::clear() {
  streams_.clear();
  pending_.clear();
  sparePending_.reset();
  openRuns_ = 0;
  held_ = 0;
  // What is complete stays readable.
  for (size_t i = 0; i < inbox_.size(); ++i) held_ += inbox_[i].data.size() + kItemOverhead;
}

// ---- in

Reassembly::Run* Reassembly::findRun(Lane& lane, int64_t position) {
  for (auto run = lane.runs.rbegin(); run != lane.runs.rend(); ++run) {
    if (run->next == position) return &*run;
  }
  return nullptr;
}

bool Reassembly::add(const Fragment& f) {
  Stream& stream = streams_[f.stream];
  if (!f.unordered && unwrapId(stream, f.id) < stream.nextId) return true;  // given up before
  if (f.first && f.last) {
    Bytes data = takeSpare(f.data.size());
    data.assign(f.data.begin(), f.data.end());
    held_ += data.size() + kItemOverhead;
    Ready message{f.ppid, true, false, std::move(data)};
    if (f.data.size() > maxMessage_) {
      push(Inbound::Kind::TooBig, f.stream);
      message.deliver = false;
    }
    finish(f.stream, stream, f.unordered, f.id, std::move(message));
    settle(stream);
    return true;
  }
  const bool fine = addToMessage(f.stream, stream, f);
  settle(stream);
  return fine;
}

bool Reassembly::addToMessage(uint16_t id, Stream& stream, const Fragment& f) {
  Pending& pending = need(id, stream);
  Lane& lane = pending.lanes[f.unordered ? 1 : 0];
  const int64_t at = position(f);
  awaitFrom(pending, at);
  Run* run = findRun(lane, at);
  if (f.first) {
    // A message cannot begin where another one goes on.
    if (run != nullptr || lane.runs.size() >= kMaxRuns) return false;
    lane.runs.push_back({at, f.id, f.ppid, false, false, 0, takeForRun(f.data.size())});
    ++openRuns_;
    held_ += kItemOverhead;
    run = &lane.runs.back();
  }
  if (run == nullptr) {
    Loose loose{f.id, f.ppid, f.first, f.last, takeSpare(f.data.size())};
    loose.data.assign(f.data.begin(), f.data.end());
    held_ += loose.data.size() + kItemOverhead;
    return lane.loose.emplace(at, std::move(loose)).second;
  }
  if (!f.unordered && run->id != f.id) return false;
  if (!extend(id, stream, f.unordered, *run, f.data, f.last) && !lane.loose.empty()) {
    absorbLoose(id, stream, f.unordered, at + 1);
  }
  return true;
}

void Reassembly::absorbLoose(uint16_t id, Stream& stream, bool unordered, int64_t position) {
  Lane& lane = stream.pending->lanes[unordered ? 1 : 0];
  for (;;) {
    const auto found = lane.loose.find(position);
    if (found == lane.loose.end()) return;
    Run* run = findRun(lane, position++);
    Loose loose = std::move(found->second);
    held_ -= loose.data.size() + kItemOverhead;
    lane.loose.erase(found);
    const bool ended =
        run == nullptr || extend(id, stream, unordered, *run, loose.data, loose.last);
    giveSpare(std::move(loose.data));
    if (ended) return;
  }
}

bool Reassembly::extend(uint16_t id, Stream& stream, bool unordered, Run& run, ByteSpan data,
                        bool last) {
  ++run.next;
  run.size += data.size();
  const size_t limit = stream.partSize > 0 ? maxMessage_ : maxWhole_;
  if (!run.tooBig && run.size > limit) {
    run.tooBig = true;
    held_ -= run.data.size();
    run.data = {};
    push(Inbound::Kind::TooBig, id);
  }
  if (!run.tooBig) {
    run.data.insert(run.data.end(), data.begin(), data.end());
    held_ += data.size();
  }
  if (last) {
    finishRun(id, stream, unordered, run);
    return true;
  }
  deliverPart(id, stream, unordered, run);
  return false;
}

void Reassembly::finishRun(uint16_t id, Stream& stream, bool unordered, Run& run) {
  Lane& lane = stream.pending->lanes[unordered ? 1 : 0];
  Ready message{run.ppid, !run.tooBig, run.partsOut, std::move(run.data)};
  const uint32_t messageId = run.id;
  if (&run != &lane.runs.back()) run = std::move(lane.runs.back());
  lane.runs.pop_back();
  --openRuns_;
  finish(id, stream, unordered, messageId, std::move(message));
}

/// A message is complete; its bytes and one item's overhead are in `held_`.
void Reassembly::finish(uint16_t id, Stream& stream, bool unordered, uint32_t messageId,
                        Ready&& message) {
  const bool inTurn = unordered || unwrapId(stream, messageId) == stream.nextId;
  if (!inTurn) {
    fit(message.data);
    auto [at, added] =
        need(id, stream).ready.emplace(unwrapId(stream, messageId), std::move(message));
    if (!added) held_ -= message.data.size() + kItemOverhead;
    return;
  }
  if (message.deliver) {
    deliver(id, message.ppid, unordered, std::move(message.data), !message.partsOut, true);
  } else {
    held_ -= message.data.size() + kItemOverhead;
  }
  if (unordered) return;
  ++stream.nextId;
  advanceOrder(id, stream);
}

void Reassembly::deliver(uint16_t id, uint32_t ppid, bool unordered, Bytes&& data, bool first,
                         bool last) {
  Inbound in;
  in.stream = id;
  in.ppid = ppid;
  in.unordered = unordered;
  in.first = first;
  in.last = last;
  in.data = std::move(data);
  inbox_.push(std::move(in));
}

/// Hands out what has gathered of a message that is taken in parts, if it is its turn.
void Reassembly::deliverPart(uint16_t id, Stream& stream, bool unordered, Run& run) {
  if (stream.partSize == 0 || run.tooBig || run.data.size() < stream.partSize) return;
  if (!unordered && unwrapId(stream, run.id) != stream.nextId) return;
  held_ += kItemOverhead;
  deliver(id, run.ppid, unordered, std::move(run.data), !run.partsOut, false);
  run.data = takeForRun(stream.partSize);
  run.partsOut = true;
}

/// Messages that waited for the one before them.
void Reassembly::advanceOrder(uint16_t id, Stream& stream) {
  if (!stream.pending) return;
  auto& ready = stream.pending->ready;
  while (!ready.empty() && ready.begin()->first <= stream.nextId) {
    Ready message = std::move(ready.begin()->second);
    const bool inTurn = ready.begin()->first == stream.nextId;
    ready.erase(ready.begin());
    if (message.deliver && inTurn) {
      deliver(id, message.ppid, false, std::move(message.data), true, true);
    } else {
      held_ -= message.data.size() + kItemOverhead;
    }
    if (inTurn) ++stream.nextId;
  }
  if (stream.partSize == 0) return;
  for (Run& run : stream.pending->lanes[0].runs) deliverPart(id, stream, false, run);
}

// ---- what will not come any more

/// The loose fragments of the ordered messages before `next`. They lie together, from those of the
/// message that would have been next on; the positions may wrap among them. (Without interleaving
/// positions are TSNs, and dropBefore has them.)
void Reassembly::dropSkipped(Stream& stream, int64_t next) {
  auto& loose = stream.pending->lanes[0].loose;
  const auto first = static_cast<int64_t>(uint64_t{static_cast<uint32_t>(stream.nextId)} << 32);
  auto at = loose.lower_bound(first);
  while (!loose.empty()) {
    if (at == loose.end()) at = loose.begin();
    if (unwrapId(stream, at->second.id) >= next) return;
    const auto following = std::next(at);
    dropLoose(stream.pending->lanes[0], at);
    at = following;
  }
}

/// Ordered messages before `next` are given up; complete ones among them are still delivered.
void Reassembly::skipTo(uint16_t id, Stream& stream, int64_t next) {
  if (next <= stream.nextId) return;
  if (stream.pending) {
    Lane& lane = stream.pending->lanes[0];
    const auto isGone = [&](uint32_t messageId) { return unwrapId(stream, messageId) < next; };
    for (size_t i = lane.runs.size(); i-- > 0;) {
      if (isGone(lane.runs[i].id)) {
        if (lane.runs[i].partsOut) push(Inbound::Kind::Abandoned, id);
        dropRun(lane, i);
      }
    }
    if (interleaving_) dropSkipped(stream, next);
    auto& ready = stream.pending->ready;
    while (!ready.empty() && ready.begin()->first < next) {
      Ready message = std::move(ready.begin()->second);
      ready.erase(ready.begin());
      if (message.deliver) {
        deliver(id, message.ppid, false, std::move(message.data), true, true);
      } else {
        held_ -= message.data.size() + kItemOverhead;
      }
    }
  }
  stream.nextId = next;
  advanceOrder(id, stream);
  settle(stream);
}

void Reassembly::skip(uint16_t id, uint16_t ssn) {
  Stream& stream = streams_[id];
  skipTo(id, stream, unwrapId(stream, ssn) + 1);
}

void Reassembly::skip(uint16_t id, bool unordered, uint32_t mid) {
  Stream& stream = streams_[id];
  if (!unordered) {
    skipTo(id, stream, unwrapId(stream, mid) + 1);
    return;
  }
  if (!stream.pending) return;
  Lane& lane = stream.pending->lanes[1];
  for (size_t i = lane.runs.size(); i-- > 0;) {
    if (isNewerId(lane.runs[i].id, mid)) continue;
    if (lane.runs[i].partsOut) push(Inbound::Kind::Abandoned, id);
    dropRun(lane, i);
  }
  // Backwards from the message: the older ones lie together, though the positions may wrap.
  auto after = lane.loose.upper_bound(static_cast<int64_t>(uint64_t{mid} << 32 | 0xFFFF'FFFFu));
  while (!lane.loose.empty()) {
    const auto at = std::prev(after == lane.loose.begin() ? lane.loose.end() : after);
    if (isNewerId(at->second.id, mid)) break;
    after = std::next(at);
    dropLoose(lane, at);
  }
  settle(stream);
}

/// What waits for a fragment at or before the position will never get it.
void Reassembly::dropOverdue(Pending& pending, int64_t position) {
  pending.waitsFrom = kNever;
  for (Lane& lane : pending.lanes) {
    for (size_t i = lane.runs.size(); i-- > 0;) {
      if (lane.runs[i].next > position) {
        pending.waitsFrom = std::min(pending.waitsFrom, lane.runs[i].next);
        continue;
      }
      if (lane.runs[i].partsOut) push(Inbound::Kind::Abandoned, pending.id);
      dropRun(lane, i);
    }
    while (!lane.loose.empty() && lane.loose.begin()->first <= position)
      dropLoose(lane, lane.loose.begin());
    if (!lane.loose.empty())
      pending.waitsFrom = std::min(pending.waitsFrom, lane.loose.begin()->first);
  }
  reorder(pending.index);
  settle(streams_.at(pending.id));
}

size_t Reassembly::dropBefore(int64_t position) {
  // A packet has room for over a hundred FORWARD TSNs, and each must not cost a look at every
  // stream that has something open.
  size_t looks = 0;
  for (; !pending_.empty() && pending_.front()->waitsFrom <= position; ++looks)
    dropOverdue(*pending_.front(), position);
  return looks;
}

void Reassembly::resetStream(uint16_t id) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  dropAll(found->second);
  streams_.erase(found);
}

void Reassembly::resetAll() {
  while (!pending_.empty()) dropAll(streams_.at(pending_.back()->id));
  streams_.clear();
}

void Reassembly::setPartSize(uint16_t id, size_t bytes) {
  if (bytes == 0 && !streams_.contains(id)) return;
  streams_[id].partSize = bytes;
}

void Reassembly::push(Inbound::Kind kind, uint16_t stream) {
  Inbound in;
  in.kind = kind;
  in.stream = stream;
  held_ += kItemOverhead;
  inbox_.push(std::move(in));
}

bool Reassembly::poll(Inbound& out) {
  if (inbox_.empty()) return false;
  Inbound in = inbox_.pop();
  held_ -= in.data.size() + kItemOverhead;
  std::swap(out.data, in.data);
  giveSpare(std::move(in.data));
  out.kind = in.kind;
  out.stream = in.stream;
  out.ppid = in.ppid;
  out.unordered = in.unordered;
  out.first = in.first;
  out.last = in.last;
  return true;
}

}  // namespace parley::sctp
