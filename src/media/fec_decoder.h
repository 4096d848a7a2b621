#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"
#include "parley/rtp/fec/fec_packet.h"

namespace parley::media {

/// Puts lost packets of one source together from FEC packets and the packets that arrived. The work
/// goes in rounds, never in recursion: what is restored counts as arrived for what still waits.
///
/// Bounds (bad-input rule B43): the last kTracked packets of the source, kMaxFec FEC packets. What
/// was restored is as untrusted as any packet: the sender may have lied in the FEC packet.
class FecDecoder {
 public:
  static constexpr int64_t kTracked = 192;
  static constexpr size_t kMaxFec = 48;

  FecDecoder(PacketPool& pool, uint32_t ssrc);

  /// A packet of the source; `packet` as the sender protected it: without RED, with zeros in what
  /// is written at send time.
  void addMedia(int64_t sequence, PacketBuf packet);
  /// It is there, but not byte for byte: it came as a repetition, with other header extensions.
  void noteArrival(int64_t sequence);
  /// `fec` was parsed from `packet`; `base` is its first sequence number, unwrapped. False if it is
  /// of no use: too far from what the source sends.
  bool addFec(PacketBuf packet, const rtp::FecPacket& fec, int64_t base, Timestamp now);
  /// The next packet that could be restored.
  bool poll(PacketBuf& out);

  /// Packets it holds.
  size_t held() const { return heldMedia_ + fec_.size(); }
  void clear();
  Timestamp lastFec() const { return lastFec_; }
  /// FEC packets that restored nothing.
  uint64_t discarded() const { return discarded_; }
  uint64_t restored() const { return restored_; }

 private:
  struct Slot {
    int64_t sequence = -1;
    PacketBuf packet;  ///< empty: it arrived in another form
  };
  struct Fec {
    PacketBuf packet;
    rtp::FecPacket parsed;
    int64_t base = 0;
  };
  enum class Outcome : uint8_t { Waits, Done, Useless };

  Slot& at(int64_t sequence);
  const Slot* find(int64_t sequence) const;
  void put(int64_t sequence, PacketBuf packet);
  void forgetOld();
  Outcome tryRestore(const Fec& fec, PacketBuf& out);
  bool restore(const Fec& fec, int64_t missing, PacketBuf& out);
  bool copyRepetition(const Fec& fec, PacketBuf& out);
  void keep(int64_t sequence, const PacketBuf& packet);

  PacketPool& pool_;
  uint32_t ssrc_;
  std::vector<Slot> ring_;
  std::vector<Fec> fec_;  // oldest first
  int64_t newest_ = -1;
  size_t heldMedia_ = 0;
  bool changed_ = false;  // since all FEC packets were last looked at
  Timestamp lastFec_;
  uint64_t discarded_ = 0;
  uint64_t restored_ = 0;
};

}  // namespace parley::media
