#include "parley/rtp/rtcp/transport_feedback.h"

#include <algorithm>
#include <array>

namespace parley::rtp::rtcp {

namespace {

enum Symbol : uint8_t { kNotReceived = 0, kSmallDelta = 1, kLargeDelta = 2, kReserved = 3 };

constexpr size_t kHeaderSize = kBlockHeaderSize + 16;
constexpr size_t kOneBitSymbols = 14;
constexpr size_t kTwoBitSymbols = 7;
constexpr size_t kMaxRun = 0x1fff;

// Calls visit(symbol, count) for each group of a chunk.
template <class Visit>
bool visitChunk(uint16_t chunk, Visit visit) {
  if (!(chunk & 0x8000)) return visit(static_cast<uint8_t>(chunk >> 13 & 3), chunk & 0x1fffu);
  const bool twoBit = (chunk & 0x4000) != 0;
  const size_t symbols = twoBit ? kTwoBitSymbols : kOneBitSymbols;
  for (size_t i = 0; i < symbols; ++i) {
    const uint8_t symbol = twoBit ? static_cast<uint8_t>(chunk >> (12 - 2 * i) & 3)
                                  : static_cast<uint8_t>(chunk >> (13 - i) & 1);
    if (!visit(symbol, 1u)) return false;
  }
  return true;
}

}  // namespace

bool TransportFeedback::parse(const Block& block, TransportFeedback& out) {
  out.received.clear();
  if (!block.is(kTransportFeedback, kFormat)) return false;
  ByteReader r(block.body);
  out.senderSsrc = r.u32();
  out.mediaSsrc = r.u32();
  out.baseSequence = r.u16();
  out.statusCount = r.u16();
  out.referenceTime = r.u24();
  out.feedbackCount = r.u8();
  if (!r.ok() || out.statusCount == 0) return false;

  const size_t chunksAt = r.position();
  // A first walk finds where the deltas start and checks that all are there, so that nothing is
  // stored on the word of the count alone.
  size_t seen = 0;
  size_t deltaBytes = 0;
  while (seen < out.statusCount) {
    const uint16_t chunk = r.u16();
    if (!r.ok()) return false;
    const bool good = visitChunk(chunk, [&](uint8_t symbol, size_t count) {
      const size_t used = std::min<size_t>(count, out.statusCount - seen);
      if (symbol == kReserved && used > 0) return false;
      seen += used;
      deltaBytes += used * symbol;
      return true;
    });
    if (!good) return false;
    if (deltaBytes > r.remaining()) return false;
  }
  ByteReader chunks(block.body.subspan(chunksAt));
  seen = 0;
  while (seen < out.statusCount) {
    visitChunk(chunks.u16(), [&](uint8_t symbol, size_t count) {
      const size_t used = std::min<size_t>(count, out.statusCount - seen);
      if (symbol != kNotReceived) {
        for (size_t i = 0; i < used; ++i) {
          const int16_t delta =
              symbol == kSmallDelta ? static_cast<int16_t>(r.u8()) : static_cast<int16_t>(r.u16());
          out.received.push_back({static_cast<uint16_t>(out.baseSequence + seen + i), delta});
        }
      }
      seen += used;
      return true;
    });
  }
  return r.ok();
}

namespace {

// Packs symbols into chunks as they come. Symbols wait in `pending_` until it is clear which of the
// three chunk forms holds the most of them.
class ChunkEncoder {
 public:
  // Bytes that the chunks would take if encoding ended now.
  size_t size() const { return 2 * done_ + pendingSize(); }

  void add(uint8_t symbol, ByteWriter* w) {
    if (!fits(symbol)) emit(w, false);
    push(symbol);
  }
  // A peer chooses how far two numbers are apart: the work is that of the chunks, not of the gap.
  void addLost(int64_t count, ByteWriter* w) {
    while (count > 0) {
      add(kNotReceived, w);
      --count;
      if (!allSame_ || count_ < kMaxPending) continue;
      const auto more = std::min(count, static_cast<int64_t>(kMaxRun - count_));
      count_ += static_cast<size_t>(more);
      count -= more;
    }
  }
  void finish(ByteWriter* w) {
    while (count_ > 0) emit(w, true);
  }

 private:
  static constexpr size_t kMaxPending = kOneBitSymbols;

  size_t pendingSize() const {
    if (count_ == 0) return 0;
    return allSame_ || !hasLarge_ || count_ <= kTwoBitSymbols ? 2 : 4;
  }
  bool fits(uint8_t symbol) const {
    if (count_ == 0) return true;
    if (allSame_ && symbol == pending_[0]) return count_ < kMaxRun;
    if (allSame_ && count_ > kMaxPending) return false;
    const bool large = hasLarge_ || symbol == kLargeDelta;
    return count_ < (large ? kTwoBitSymbols : kOneBitSymbols);
  }
  void push(uint8_t symbol) {
    if (count_ < kMaxPending) pending_[count_] = symbol;
    allSame_ = count_ == 0 || (allSame_ && symbol == pending_[0]);
    hasLarge_ = hasLarge_ || symbol == kLargeDelta;
    ++count_;
  }
  // Writes one chunk of what is pending. Only the last chunk of all may hold fewer symbols than its
  // form has room for: elsewhere the unused bits would read as lost packets.
  void emit(ByteWriter* w, bool last) {
    uint16_t chunk = 0;
    size_t taken = count_;
    if (allSame_) {
      chunk = static_cast<uint16_t>(pending_[0] << 13 | count_);
    } else if (!hasLarge_ && (last || count_ == kOneBitSymbols)) {
      chunk = 0x8000;
      for (size_t i = 0; i < count_; ++i) {
        chunk = static_cast<uint16_t>(chunk | pending_[i] << (13 - i));
      }
    } else {
      chunk = 0xc000;
      taken = std::min(count_, kTwoBitSymbols);
      for (size_t i = 0; i < taken; ++i) {
        chunk = static_cast<uint16_t>(chunk | pending_[i] << (12 - 2 * i));
      }
    }
    if (w) w->u16(chunk);
    ++done_;
    const size_t left = count_ - taken;
    std::array<uint8_t, kMaxPending> rest{};
    for (size_t i = 0; i < left; ++i) rest[i] = pending_[taken + i];
    count_ = 0;
    allSame_ = true;
    hasLarge_ = false;
    for (size_t i = 0; i < left; ++i) push(rest[i]);
  }

  std::array<uint8_t, kMaxPending> pending_{};
  size_t count_ = 0;
  bool allSame_ = true;
  bool hasLarge_ = false;
  size_t done_ = 0;
};

// Round to the nearest unit; the remainder is carried because deltas are taken between rounded
// times.
int64_t toDeltaUnits(Timestamp t) {
  const int64_t unit = TransportFeedback::kDeltaUnit.nanos();
  const int64_t ns = t.nanos();
  return ns >= 0 ? (ns + unit / 2) / unit : -((-ns + unit / 2) / unit);
}

int64_t floorDiv(int64_t a, int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

constexpr int64_t kUnitsPerReference =
    TransportFeedback::kReferenceUnit.nanos() / TransportFeedback::kDeltaUnit.nanos();

struct DeltaStep {
  uint8_t symbol = kNotReceived;
  int16_t delta = 0;
};

bool stepTo(int64_t units, int64_t& previous, DeltaStep& out) {
  const int64_t delta = units - previous;
  if (delta < INT16_MIN || delta > INT16_MAX) return false;
  previous = units;
  out.delta = static_cast<int16_t>(delta);
  out.symbol = delta >= 0 && delta <= 255 ? kSmallDelta : kLargeDelta;
  return true;
}

}  // namespace

size_t writeTransportFeedback(ByteWriter& w, uint32_t senderSsrc, uint32_t mediaSsrc,
                              uint8_t feedbackCount, int64_t baseSequence,
                              std::span<const PacketArrival> arrivals, size_t maxBytes) {
  if (arrivals.empty() || arrivals[0].sequence < baseSequence) return 0;
  const int64_t reference = floorDiv(toDeltaUnits(arrivals[0].time), kUnitsPerReference);

  // First walk: how many arrivals fit.
  ChunkEncoder measure;
  int64_t previous = reference * kUnitsPerReference;
  int64_t next = baseSequence;
  size_t deltaBytes = 0;
  size_t taken = 0;
  for (const PacketArrival& a : arrivals) {
    DeltaStep step;
    if (a.sequence - baseSequence >= 0xffff || !stepTo(toDeltaUnits(a.time), previous, step)) break;
    const ChunkEncoder before = measure;
    measure.addLost(a.sequence - next, nullptr);
    measure.add(step.symbol, nullptr);
    next = a.sequence + 1;
    if (kHeaderSize + measure.size() + deltaBytes + step.symbol + 3 > maxBytes) {
      measure = before;
      break;
    }
    deltaBytes += step.symbol;
    ++taken;
  }
  if (taken == 0) return 0;

  // The deltas are filled up to a word with plain zeros, without the P bit: so the packet may stand
  // anywhere in a compound.
  BlockWriter block(w, kTransportFeedback, TransportFeedback::kFormat);
  w.u32(senderSsrc);
  w.u32(mediaSsrc);
  w.u16(static_cast<uint16_t>(baseSequence));
  w.u16(static_cast<uint16_t>(arrivals[taken - 1].sequence - baseSequence + 1));
  w.u24(static_cast<uint32_t>(reference) & 0xffffff);
  w.u8(feedbackCount);
  ChunkEncoder chunks;
  previous = reference * kUnitsPerReference;
  next = baseSequence;
  for (const PacketArrival& a : arrivals.first(taken)) {
    DeltaStep step;
    stepTo(toDeltaUnits(a.time), previous, step);
    chunks.addLost(a.sequence - next, &w);
    chunks.add(step.symbol, &w);
    next = a.sequence + 1;
  }
  chunks.finish(&w);
  previous = reference * kUnitsPerReference;
  for (const PacketArrival& a : arrivals.first(taken)) {
    DeltaStep step;
    stepTo(toDeltaUnits(a.time), previous, step);
    if (step.symbol == kSmallDelta) {
      w.u8(static_cast<uint8_t>(step.delta));
    } else {
      w.u16(static_cast<uint16_t>(step.delta));
    }
  }
  return taken;
}

}  // namespace parley::rtp::rtcp
