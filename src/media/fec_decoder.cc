#include "media/fec_decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "parley/rtp/packet_writer.h"

namespace parley::media {
namespace {

/// A power of two above kTracked.
constexpr size_t kSlots = 256;
static_assert(FecDecoder::kTracked + static_cast<int64_t>(rtp::FecMask::kBits) / 2 <= kSlots);

}  // namespace

FecDecoder::FecDecoder(PacketPool& pool, uint32_t ssrc) : pool_(pool), ssrc_(ssrc), ring_(kSlots) {
  fec_.reserve(kMaxFec);
}

FecDecoder::Slot& FecDecoder::at(int64_t sequence) {
  return ring_[static_cast<size_t>(sequence) & (kSlots - 1)];
}

const FecDecoder::Slot* FecDecoder::find(int64_t sequence) const {
  const Slot& slot = ring_[static_cast<size_t>(sequence) & (kSlots - 1)];
  return slot.sequence == sequence ? &slot : nullptr;
}

void FecDecoder::put(int64_t sequence, PacketBuf packet) {
  if (sequence < 0 || sequence <= newest_ - kTracked) return;
  Slot& slot = at(sequence);
  if (slot.sequence == sequence) {
    if (slot.packet || !packet) return;
  } else if (slot.packet) {
    --heldMedia_;
  }
  slot.sequence = sequence;
  slot.packet = std::move(packet);
  if (slot.packet) ++heldMedia_;
  changed_ = true;
  if (sequence > newest_) {
    // After a jump nothing old is left to count with.
    if (newest_ >= 0 && sequence - newest_ > kTracked) forgetOld();
    newest_ = sequence;
  }
}

void FecDecoder::forgetOld() {
  const int64_t keep = newest_ + 1;
  for (Slot& slot : ring_) {
    if (slot.sequence >= keep) continue;
    if (slot.packet) --heldMedia_;
    slot = Slot{};
  }
}

void FecDecoder::addMedia(int64_t sequence, PacketBuf packet) {
  put(sequence, std::move(packet));
}

void FecDecoder::noteArrival(int64_t sequence) {
  put(sequence, PacketBuf());
}

bool FecDecoder::addFec(PacketBuf packet, const rtp::FecPacket& fec, int64_t base, Timestamp now) {
  lastFec_ = now;
  const int64_t last = base + static_cast<int64_t>(fec.mask.span()) - 1;
  // Packets of the future are as far away as a mask is long: it comes behind what it covers.
  if (base < 0 || newest_ < 0 || base <= newest_ - kTracked ||
      last > newest_ + static_cast<int64_t>(kMaxFec)) {
    ++discarded_;
    return false;
  }
  if (fec_.size() == kMaxFec) {
    fec_.erase(fec_.begin());
    ++discarded_;
  }
  fec_.push_back({std::move(packet), fec, base});
  changed_ = true;
  return true;
}

bool FecDecoder::poll(PacketBuf& out) {
  while (std::exchange(changed_, false)) {
    for (size_t i = 0; i < fec_.size();) {
      const Outcome outcome = tryRestore(fec_[i], out);
      if (outcome == Outcome::Waits) {
        ++i;
        continue;
      }
      fec_.erase(fec_.begin() + static_cast<ptrdiff_t>(i));
      if (outcome == Outcome::Done) {
        ++restored_;
        changed_ = true;
        return true;
      }
      ++discarded_;
    }
  }
  return false;
}

FecDecoder::Outcome FecDecoder::tryRestore(const Fec& fec, PacketBuf& out) {
  if (fec.base <= newest_ - kTracked) return Outcome::Useless;
  int64_t missing = -1;
  bool usable = true;
  for (size_t i = 0; i < fec.parsed.mask.span(); ++i) {
    if (!fec.parsed.mask.test(i)) continue;
    const int64_t sequence = fec.base + static_cast<int64_t>(i);
    const Slot* slot = find(sequence);
    if (slot == nullptr) {
      if (missing >= 0) return Outcome::Waits;
      missing = sequence;
    } else if (!slot->packet) {
      usable = false;
    }
  }
  if (missing < 0 || !usable) return Outcome::Useless;
  const bool made = fec.parsed.isRepetition ? copyRepetition(fec, out) : restore(fec, missing, out);
  if (!made) return Outcome::Useless;
  keep(missing, out);
  return Outcome::Done;
}

bool FecDecoder::copyRepetition(const Fec& fec, PacketBuf& out) {
  out = pool_.copyOf(fec.parsed.body);
  return static_cast<bool>(out);
}

bool FecDecoder::restore(const Fec& fec, int64_t missing, PacketBuf& out) {
  constexpr size_t kHeader = rtp::kFixedHeaderSize;
  const ByteSpan body = fec.parsed.body;
  out = pool_.allocate();
  if (!out || kHeader + body.size() > out.writable().size()) return false;
  out.resize(kHeader + body.size());
  if (!body.empty()) std::memcpy(out.data() + kHeader, body.data(), body.size());
  rtp::FecSum sum = fec.parsed.sum;
  for (size_t i = 0; i < fec.parsed.mask.span(); ++i) {
    const int64_t sequence = fec.base + static_cast<int64_t>(i);
    if (!fec.parsed.mask.test(i) || sequence == missing) continue;
    sum.add(find(sequence)->packet.span(), out.mutableSpan().subspan(kHeader));
  }
  if (sum.length > body.size()) return false;
  uint8_t* p = out.data();
  p[0] = static_cast<uint8_t>(0x80 | (sum.first & 0x3f));
  p[1] = sum.second;
  storeU16(p + 2, static_cast<uint16_t>(missing));
  storeU32(p + 4, sum.timestamp);
  storeU32(p + 8, ssrc_);
  out.resize(kHeader + sum.length);
  return rtp::PacketView::parse(out.span()).has_value();
}

/// What was restored helps to restore others.
void FecDecoder::keep(int64_t sequence, const PacketBuf& packet) {
  put(sequence, pool_.copyOf(packet.span()));
}

void FecDecoder::clear() {
  for (Slot& slot : ring_) slot = Slot{};
  discarded_ += fec_.size();
  fec_.clear();
  heldMedia_ = 0;
  newest_ = -1;
}

}  // namespace parley::media
