#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/rtp/packet_view.h"

namespace parley::rtp {

/// The formats of packets that repair others by exclusive or.
enum class FecScheme : uint8_t {
  Ulpfec,     ///< RFC 5109, inside RED (RFC 2198) among the packets that it repairs
  Flexfec03,  ///< draft-ietf-payload-flexible-fec-scheme-03, from a source of its own
  Flexfec,    ///< RFC 8627, from a source of its own
};
/// Of an encoding name of SDP ("ulpfec", "flexfec-03", "flexfec"); nullopt for all others.
PARLEY_EXPORT std::optional<FecScheme> fecSchemeOf(std::string_view encodingName);

/// Packets by their distance from the first: bit i stands for sequence number base + i.
class FecMask {
 public:
  /// What the longest mask of any scheme can say (RFC 8627 section 4.2.2.1).
  static constexpr size_t kBits = 110;

  /// `i` is below kBits.
  void set(size_t i) { words_[i / 64] |= uint64_t{1} << (63 - i % 64); }
  bool test(size_t i) const { return i < kBits && (words_[i / 64] >> (63 - i % 64) & 1) != 0; }
  bool empty() const { return (words_[0] | words_[1]) == 0; }
  size_t count() const {
    return static_cast<size_t>(std::popcount(words_[0]) + std::popcount(words_[1]));
  }
  /// One more than the highest bit that is set.
  size_t span() const {
    if (words_[1] != 0) return 128 - static_cast<size_t>(std::countr_zero(words_[1]));
    return words_[0] == 0 ? 0 : 64 - static_cast<size_t>(std::countr_zero(words_[0]));
  }
  /// `count` bits from bit `first` on, the first of them the most significant; count <= 64.
  uint64_t bits(size_t first, size_t count) const;
  void setBits(size_t first, size_t count, uint64_t value);
  bool operator==(const FecMask&) const = default;

 private:
  std::array<uint64_t, 2> words_{};
};

/// The exclusive or of packets, as all schemes form it (RFC 5109 section 8, RFC 8627 section
/// 6.3.1): of the header's first two bytes, the timestamp, the number of bytes behind the fixed
/// header, and those bytes.
struct PARLEY_EXPORT FecSum {
  uint8_t first = 0;
  uint8_t second = 0;
  uint16_t length = 0;
  uint32_t timestamp = 0;

  /// Adds a packet, or takes it out again. `packet` has at least the fixed header; what is longer
  /// than `body` is left out of it.
  void add(ByteSpan packet, MutableByteSpan body);
};

/// A parsed FEC packet. `body` borrows it.
struct PARLEY_EXPORT FecPacket {
  FecScheme scheme = FecScheme::Ulpfec;
  /// The source that it repairs; nullopt: the one it came from.
  std::optional<uint32_t> protectedSsrc;
  uint16_t sequenceBase = 0;
  FecMask mask;  ///< not empty
  FecSum sum;    ///< the two topmost bits of `first` mean nothing
  ByteSpan body;
  /// RFC 8627 section 4.2.2.3: nothing but one packet again, whole, in `body`.
  bool isRepetition = false;

  /// From the payload of a packet. False if malformed, or if it repairs several sources together or
  /// packets further apart than FecMask::kBits, which no browser does. ULPFEC: of several levels of
  /// protection only the first, that of the most important bytes.
  static bool parse(FecScheme scheme, const PacketView& packet, FecPacket& out);
  /// The same of ULPFEC that came as one of several blocks of RED.
  static bool parseUlpfec(ByteSpan payload, FecPacket& out);
};

/// What stands before the body of a packet that repairs `span` packets in a row. 0 if the scheme
/// cannot say it.
PARLEY_EXPORT size_t fecHeaderSize(FecScheme scheme, size_t span);
/// The longest `span` of a scheme's masks that we send. Longer ones cost more bytes in each packet.
PARLEY_EXPORT size_t fecMaxSpan(FecScheme scheme);
/// Writes fecHeaderSize(packet.scheme, packet.mask.span()) bytes. `bodySize` is what follows. For
/// RFC 8627 the protected source is to be named by the packet's CSRC.
PARLEY_EXPORT void writeFecHeader(const FecPacket& packet, size_t bodySize, ByteWriter& w);

}  // namespace parley::rtp
