#include "media/frame_assembler.h"

#include <algorithm>

#include "parley/rtp/extensions/dependency_descriptor.h"

namespace parley::media {

namespace {
constexpr int64_t kMaxPaddingRun = 256;
}  // namespace

const FrameAssembler::Slot* FrameAssembler::find(int64_t sequence) const {
  if (slots_.empty()) return nullptr;
  const Slot& slot = slots_[static_cast<size_t>(sequence) & (slots_.size() - 1)];
  return slot.state != State::Empty && slot.sequence == sequence ? &slot : nullptr;
}

void FrameAssembler::clear(Slot& slot) {
  if (slot.state == State::Padding) ++paddingVersion_;
  slot.buffer.reset();
  slot.payload = {};
  slot.state = State::Empty;
  slot.continuous = false;
}

void FrameAssembler::growTo(size_t capacity) {
  std::vector<Slot> old = std::move(slots_);
  slots_ = std::vector<Slot>(capacity);
  for (Slot& slot : old) {
    if (slot.state != State::Empty) at(slot.sequence) = std::move(slot);
  }
}

void FrameAssembler::shrink() {
  if (packets_ > 0 || !complete_.empty() || !hasGrown()) return;
  std::vector<Slot> old = std::move(slots_);
  slots_ = std::vector<Slot>(kInitialSlots);
  ++paddingVersion_;
  // That pictures ended there is still worth knowing of the latest.
  for (Slot& slot : old) {
    const bool recent = slot.sequence > newest_.value_or(0) - static_cast<int64_t>(kInitialSlots);
    if (slot.state != State::Empty && recent) at(slot.sequence) = std::move(slot);
  }
}

// What is in the way is kMaxPackets older: nothing will complete its frame any more.
void FrameAssembler::evict(Slot& slot) {
  if (slot.state == State::Packet) {
    --packets_;
    gaveUp_ = true;
    if (Slot* after = find(slot.sequence + 1)) after->continuous = false;
  }
  clear(slot);
}

FrameAssembler::Insert FrameAssembler::makeRoom(int64_t sequence) {
  if (slots_.empty()) growTo(kInitialSlots);
  if (sequence < floor_) return Insert::TooOld;
  const int64_t span = static_cast<int64_t>(kMaxPackets);
  if (newest_ && sequence <= *newest_ - span) return Insert::TooOld;
  if (const Slot* same = find(sequence)) {
    return same->state == State::Done ? Insert::TooOld : Insert::Duplicate;
  }
  // Growing is for packets that wait for an earlier one; finished slots are simply overwritten.
  while (at(sequence).state == State::Packet && slots_.size() < kMaxPackets) {
    growTo(slots_.size() * 2);
  }
  evict(at(sequence));
  newest_ = newest_ ? std::max(*newest_, sequence) : sequence;
  return Insert::Ok;
}

FrameAssembler::Insert FrameAssembler::insert(VideoPacket packet) {
  const Insert result = makeRoom(packet.sequence);
  if (result != Insert::Ok) return result;
  Slot& slot = at(packet.sequence);
  slot.sequence = packet.sequence;
  slot.state = State::Packet;
  slot.marker = packet.marker;
  slot.frameStart = packet.info.frameStart;
  slot.keyFrame = packet.info.keyFrame;
  slot.recovered = packet.recovered;
  slot.implicitStarts = packet.depacketizer->startsAreImplicit();
  slot.certainStart = packet.info.certainStart;
  slot.payloadType = packet.payloadType;
  slot.rtp = packet.rtp;
  slot.arrival = packet.arrival;
  slot.depacketizer = packet.depacketizer;
  slot.size = packet.info.size;
  slot.payload = packet.payload;
  slot.dependencies = packet.dependencies;
  slot.endsPicture = true;
  if (packet.dependencies.size() >= rtp::DependencyDescriptor::kMinSize) {
    // AV1 RTP payload format, appendix A.8.1: first and last packet of a frame, which is one layer
    // of a picture; the marker ends the picture.
    slot.frameStart = (packet.dependencies[0] & 0x80) != 0;
    slot.implicitStarts = false;
    slot.marker = packet.marker || (packet.dependencies[0] & 0x40) != 0;
    slot.endsPicture = packet.marker;
  }
  slot.buffer = std::move(packet.buffer);
  ++packets_;
  findFrames(packet.sequence);
  return result;
}

FrameAssembler::Insert FrameAssembler::insertEmpty(int64_t sequence) {
  const Insert result = makeRoom(sequence);
  if (result != Insert::Ok) return result;
  Slot& slot = at(sequence);
  slot.sequence = sequence;
  slot.state = State::Padding;
  ++paddingVersion_;
  findFrames(sequence + 1);
  return result;
}

bool FrameAssembler::startsFrame(const Slot& slot) const {
  if (!slot.implicitStarts) return slot.frameStart;
  // H.264, H.265 and AV1 do not mark the first packet: it is the one behind another picture's last.
  if (const Slot* before = find(slot.sequence - 1)) {
    return before->state != State::Packet || before->marker || !before->canShareFrame(slot);
  }
  // With the packet before it missing (or none yet), only an access unit delimiter, a parameter set
  // or the like is a safe start.
  return slot.certainStart;
}

void FrameAssembler::findFrames(int64_t sequence) {
  // A sender that forgets the marker still ends a frame by starting the next one.
  if (const Slot* before = find(sequence - 1)) {
    const Slot* slot = find(sequence);
    if (slot && before->state == State::Packet && before->continuous && !before->marker &&
        !before->canShareFrame(*slot)) {
      markComplete(sequence - 1);
    }
  }
  for (int64_t s = sequence;; ++s) {
    Slot* slot = find(s);
    if (!slot || slot->state != State::Packet) return;
    // Nothing new for what was reached before.
    if (s != sequence && slot->continuous) return;
    const Slot* before = find(s - 1);
    slot->continuous = startsFrame(*slot) || (before && before->state == State::Packet &&
                                              before->continuous && before->canShareFrame(*slot));
    if (!slot->continuous) return;
    const Slot* after = find(s + 1);
    const bool otherFollows =
        after && after->state == State::Packet && !after->canShareFrame(*slot);
    if (slot->marker || otherFollows) markComplete(s);
  }
}

void FrameAssembler::markComplete(int64_t last) {
  int64_t first = last;
  const Slot& end = *find(last);
  for (const Slot* s = find(first); !startsFrame(*s); --first) {
    s = find(first - 1);
    // `continuous` is what was known once: since then packets may have made room for newer ones,
    // and in H.264 what looked like a start may have got a packet before it.
    if (!s || s->state != State::Packet || !s->canShareFrame(end)) {
      find(last)->continuous = false;
      return;
    }
  }
  // H.264 pictures of several packets: parameter sets in front all look like starts, so go back to
  // where another frame ends.
  for (const Slot* s = find(first - 1);
       s && s->state == State::Packet && s->canShareFrame(end) && s->continuous && !s->marker;
       s = find(first - 1)) {
    --first;
  }
  for (int64_t s = first; s <= last; ++s) find(s)->state = State::Done;
  complete_.push_back({first, last});
}

void FrameAssembler::build(const Range& range, const rtp::ExtensionMap& extensions,
                           AssembledFrame& out) {
  const Slot& first = at(range.first);
  out.firstSequence = range.first;
  out.lastSequence = range.last;
  out.rtp = first.rtp;
  out.payloadType = first.payloadType;
  out.keyFrame = false;
  out.size = {};
  out.descriptor = {};
  out.traits = {};
  out.spatialId = out.temporalId = 0;
  out.dependencies.clear();
  for (const uint8_t byte : first.dependencies) out.dependencies.push_back(byte);
  out.endsPicture = at(range.last).endsPicture;
  for (const int64_t end : {range.first, range.last}) {
    const auto view = rtp::PacketView::parse(at(end).buffer.span());
    if (view) out.traits.take(*view, extensions);
  }
  out.firstArrival = first.arrival;
  out.lastArrival = first.arrival;
  out.recovered = false;
  out.data.clear();
  // The descriptor is read again rather than kept with every packet.
  rtp::PayloadInfo info;
  if (first.depacketizer->parse(first.payload, info)) {
    if (const auto* vp8 = std::get_if<rtp::Vp8Descriptor>(&info.codec)) out.descriptor = *vp8;
    if (const auto* vp9 = std::get_if<rtp::Vp9Descriptor>(&info.codec)) out.descriptor = *vp9;
  }
  for (int64_t s = range.first; s <= range.last; ++s) {
    Slot& slot = at(s);
    slot.depacketizer->append(slot.payload, out.data);
    out.keyFrame = out.keyFrame || slot.keyFrame;
    if (slot.size.width != 0) out.size = slot.size;
    out.firstArrival = std::min(out.firstArrival, slot.arrival);
    out.lastArrival = std::max(out.lastArrival, slot.arrival);
    out.recovered = out.recovered || slot.recovered;
    slot.buffer.reset();
    slot.payload = {};
    slot.dependencies = {};
    --packets_;
  }
  first.depacketizer->finish(out.data);
}

bool FrameAssembler::poll(AssembledFrame& out, const rtp::ExtensionMap& extensions) {
  if (complete_.empty()) return false;
  const Range range = complete_.front();
  complete_.erase(complete_.begin());
  build(range, extensions, out);
  return true;
}

void FrameAssembler::forgetBefore(int64_t sequence) {
  if (sequence <= floor_) return;
  const int64_t from =
      std::max(floor_, newest_.value_or(sequence) - static_cast<int64_t>(kMaxPackets));
  floor_ = sequence;
  for (int64_t s = from; s < sequence; ++s) {
    Slot* slot = find(s);
    if (slot && slot->state == State::Packet) {
      --packets_;
      // Not emptied: the packet behind it may need to know that a picture ended here.
      slot->buffer.reset();
      slot->payload = {};
      slot->state = State::Done;
    }
  }
}

size_t FrameAssembler::dropOlderThan(Timestamp time) {
  size_t dropped = 0;
  for (Slot& slot : slots_) {
    if (slot.state != State::Packet || slot.arrival >= time) continue;
    clear(slot);
    ++dropped;
  }
  packets_ -= dropped;
  return dropped;
}

Timestamp FrameAssembler::oldestArrival() const {
  Timestamp oldest = Timestamp::never();
  for (const Slot& slot : slots_) {
    if (slot.state == State::Packet) oldest = std::min(oldest, slot.arrival);
  }
  return oldest;
}

void FrameAssembler::reset() {
  for (Slot& slot : slots_) clear(slot);
  complete_.clear();
  newest_.reset();
  floor_ = INT64_MIN;
  packets_ = 0;
  gaveUp_ = false;
}

bool FrameAssembler::isOnlyPadding(int64_t after, int64_t before) const {
  if (before - after > kMaxPaddingRun) return false;
  for (int64_t s = after + 1; s < before; ++s) {
    const Slot* slot = find(s);
    if (!slot || slot->state != State::Padding) return false;
  }
  return true;
}

}  // namespace parley::media
