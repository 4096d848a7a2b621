#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "parley/base/inline_vector.h"
#include "parley/base/packet_buffer.h"
#include "parley/rtp/fec/fec_packet.h"

#include "media/fec_masks.h"

namespace parley::media {

/// Collects packets of one source and makes the packets that repair them. Holds a copy of each
/// packet until clear(), at most kMaxPackets.
class FecEncoder {
 public:
  static constexpr size_t kMaxPackets = 48;
  static constexpr size_t kMaxRepairs = kMaxPackets / 2;

  FecEncoder(PacketPool& pool, rtp::FecScheme scheme) : pool_(pool), scheme_(scheme) {}

  /// A packet as the receiver will put it together again: `header` with the send-time extensions
  /// still zero, `payload` without RED. Sequence numbers rise. What does not fit in is not
  /// protected.
  void add(int64_t sequence, uint8_t payloadType, ByteSpan header, ByteSpan payload);
  size_t packets() const { return packets_.size(); }
  /// Whether a packet with this number could be added and leave `more` behind it.
  bool hasRoom(int64_t sequence, size_t more) const;
  void clear();

  /// Chooses what each of `repairs` packets covers; at most packets() and kMaxRepairs.
  void plan(size_t repairs, LossPattern pattern);
  size_t repairs() const { return masks_.size(); }
  /// Writes the payload of a FEC packet for a source; the number of bytes, 0 if they do not fit.
  size_t write(size_t repair, uint32_t protectedSsrc, MutableByteSpan out) const;

 private:
  struct Entry {
    int64_t sequence = 0;
    size_t slot = 0;
  };
  PacketPool& pool_;
  rtp::FecScheme scheme_;
  std::array<PacketBuf, kMaxPackets> buffers_;
  InlineVector<Entry, kMaxPackets> packets_;
  InlineVector<rtp::FecMask, kMaxRepairs> masks_;
};

}  // namespace parley::media
