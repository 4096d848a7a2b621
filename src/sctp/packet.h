#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"

namespace parley::sctp {

/// Chunk types (RFC 9260 section 3.2 and the extensions' own RFCs).
namespace chunk {
inline constexpr uint8_t kData = 0;
inline constexpr uint8_t kInit = 1;
inline constexpr uint8_t kInitAck = 2;
inline constexpr uint8_t kSack = 3;
inline constexpr uint8_t kHeartbeat = 4;
inline constexpr uint8_t kHeartbeatAck = 5;
inline constexpr uint8_t kAbort = 6;
inline constexpr uint8_t kShutdown = 7;
inline constexpr uint8_t kShutdownAck = 8;
inline constexpr uint8_t kError = 9;
inline constexpr uint8_t kCookieEcho = 10;
inline constexpr uint8_t kCookieAck = 11;
inline constexpr uint8_t kEcnEcho = 12;
inline constexpr uint8_t kCwr = 13;
inline constexpr uint8_t kShutdownComplete = 14;
inline constexpr uint8_t kAuth = 15;
inline constexpr uint8_t kNrSack = 16;
inline constexpr uint8_t kIData = 64;
inline constexpr uint8_t kAsconfAck = 0x80;
inline constexpr uint8_t kPacketDropped = 0x81;
inline constexpr uint8_t kReConfig = 0x82;
inline constexpr uint8_t kPad = 0x84;
inline constexpr uint8_t kForwardTsn = 0xC0;
inline constexpr uint8_t kAsconf = 0xC1;
inline constexpr uint8_t kIForwardTsn = 0xC2;
}  // namespace chunk

inline constexpr size_t kCommonHeaderSize = 12;
/// Value bytes of DATA before the payload: TSN, stream, sequence number, PPID.
inline constexpr size_t kDataHeaderSize = 12;
/// The same for I-DATA (RFC 8260 section 2.1).
inline constexpr size_t kIDataHeaderSize = 16;

struct ChunkView {
  uint8_t type = 0;
  uint8_t flags = 0;
  size_t offset = 0;  ///< of the chunk header within the packet
  ByteSpan value;     ///< without header and padding
};

/// Walks the chunks of a packet. Stops at the first one that does not fit; `ok()` is false then.
class ChunkCursor {
 public:
  explicit ChunkCursor(ByteSpan packet) : packet_(packet) {}
  /// Whether bytes follow the last chunk given out.
  bool more() const { return pos_ < packet_.size(); }
  bool next(ChunkView& out);
  bool ok() const { return ok_; }

 private:
  ByteSpan packet_;
  size_t pos_ = kCommonHeaderSize;
  bool ok_ = true;
};

/// What one pass over a packet tells us besides that it is well-formed.
struct PacketSummary {
  bool needsChecksum =
      false;  ///< RFC 9653 section 5: INIT, COOKIE ECHO and out-of-the-blue packets keep CRC32c
  bool hasInit = false;              ///< INIT or INIT ACK
  bool acceptsZeroChecksum = false;  ///< the peer's INIT (ACK) announces EDMID 1
  bool hasData = false;
  bool hasReConfig = false;
  bool hasFiltered = false;            ///< carries chunks or parameters that neutralise() blanks
  std::optional<uint32_t> initialTsn;  ///< of INIT or INIT ACK
  std::optional<uint32_t> cumulativeAck;
  std::optional<uint16_t> abortCause;
  ByteSpan abortText;  ///< reason text of a user-initiated ABORT
};

/// Full structural check: every chunk and every parameter list within bounds, minimum sizes per
/// type, at most 64 parameters. nullopt: drop the packet. The checksum is not looked at.
std::optional<PacketSummary> inspect(ByteSpan packet);

/// Blanks, in place, what must not reach the engine: chunks of extensions that WebRTC does not use
/// (AUTH, ASCONF, packet drop, ECN, NR-SACK) become PAD chunks, addresses in INIT become parameters
/// of an unknown type that is to be skipped silently. Lengths stay. The packet passed inspect().
void neutralise(MutableByteSpan packet);

/// RFC 9653: appends the Zero Checksum Acceptable parameter (EDMID 1, SCTP over DTLS) to the INIT
/// or INIT ACK that is the packet's only chunk. Returns the new size; `buffer` must have 12 bytes
/// of room behind `size`. Unchanged size: not such a packet or no room.
size_t appendZeroChecksumParameter(MutableByteSpan buffer, size_t size);

}  // namespace parley::sctp
