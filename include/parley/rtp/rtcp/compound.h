#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley::rtp::rtcp {

/// RTCP packet types (RFC 3550 section 12.1, RFC 4585 section 6.1, RFC 3611).
inline constexpr uint8_t kSenderReport = 200;
inline constexpr uint8_t kReceiverReport = 201;
inline constexpr uint8_t kSourceDescription = 202;
inline constexpr uint8_t kBye = 203;
inline constexpr uint8_t kApp = 204;
inline constexpr uint8_t kTransportFeedback = 205;  ///< RTPFB
inline constexpr uint8_t kPayloadFeedback = 206;    ///< PSFB
inline constexpr uint8_t kExtendedReport = 207;

inline constexpr size_t kBlockHeaderSize = 4;

/// One RTCP packet inside a compound, borrowed: the body stands after the 4-byte header and without
/// padding.
struct Block {
  uint8_t type = 0;
  uint8_t count = 0;  ///< RC, SC or FMT: the low five bits of the first byte
  ByteSpan body;

  bool is(uint8_t wantedType, uint8_t wantedFormat) const {
    return type == wantedType && count == wantedFormat;
  }
};

/// Walks a datagram of RTCP packets. Accepts full compounds and reduced-size ones (RFC 5506) alike;
/// packets of unknown type come out too, so that the caller may skip them by length.
class PARLEY_EXPORT CompoundReader {
 public:
  explicit CompoundReader(ByteSpan datagram) : rest_(datagram) {}

  /// Whether version, lengths and padding are right all the way to the end. A receiver drops the
  /// whole datagram otherwise, before acting on any part of it (machine rule M6).
  static bool isWellFormed(ByteSpan datagram);
  /// False at the end or at the first malformed packet.
  bool next(Block& out);

 private:
  ByteSpan rest_;
};

/// Writes the 4-byte header of a packet and, at its end, the length. Every `write` of this folder
/// uses it:
///     BlockWriter block(w, kBye, count);
///     ... w.u32(...) ...
///   } // the length is set here
class PARLEY_EXPORT BlockWriter {
 public:
  BlockWriter(ByteWriter& writer, uint8_t type, uint8_t count);
  /// Pads with zeros to a multiple of four bytes and sets the length.
  ~BlockWriter();
  BlockWriter(const BlockWriter&) = delete;
  BlockWriter& operator=(const BlockWriter&) = delete;

 private:
  ByteWriter& writer_;
  size_t start_;
};

}  // namespace parley::rtp::rtcp
