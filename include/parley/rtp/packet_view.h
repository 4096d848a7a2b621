#pragma once

// Layer `rtp`: the wire formats of RTP and RTCP. It parses and writes bytes and keeps no state and
// no time; streams, jitter buffers and feedback decisions live in layer `media`. A received packet
// passes here once: `classify` tells RTP from RTCP, `PacketView::parse` borrows the packet,
// `getExtension<T>` reads negotiated header extensions, a `Depacketizer` reads the payload.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley::rtp {

inline constexpr size_t kFixedHeaderSize = 12;

/// What a datagram that RFC 7983 has sorted to "RTP or RTCP" is.
enum class PacketKind : uint8_t { Rtp, Rtcp, Neither };

/// RFC 5761 section 4: with rtcp-mux, a second byte of 192..223 is RTCP (payload types 64..95 are
/// therefore never used for RTP). Works on protected packets too: those bytes are in the clear.
PARLEY_EXPORT PacketKind classify(ByteSpan packet);

/// One header extension element.
struct ExtensionElement {
  uint8_t id = 0;
  ByteSpan value;
};

/// Walks the elements of a header extension block (RFC 8285). Padding is skipped; id 15 ends a
/// one-byte block; an element that runs past the block ends the walk, so what was read before it
/// stays usable. Any other profile has no elements.
class PARLEY_EXPORT ExtensionReader {
 public:
  static constexpr uint16_t kOneByteProfile = 0xBEDE;
  /// The low four bits are "appbits", which we ignore (RFC 8285 section 4.3).
  static constexpr uint16_t kTwoByteProfile = 0x1000;

  ExtensionReader(uint16_t profile, ByteSpan block);
  /// False at the end.
  bool next(ExtensionElement& out);

 private:
  ByteSpan block_;
  size_t pos_ = 0;
  bool twoByte_ = false;
};

/// Borrows a plaintext RTP packet (RFC 3550 section 5.1). All bounds were checked by `parse`; the
/// packet's memory must outlive the view.
class PARLEY_EXPORT PacketView {
 public:
  PacketView() = default;
  /// nullopt if the fixed header, CSRC list, extension block or padding does not fit.
  static std::optional<PacketView> parse(ByteSpan packet);

  bool marker() const { return (packet_[1] & 0x80) != 0; }
  uint8_t payloadType() const { return packet_[1] & 0x7f; }
  uint16_t sequenceNumber() const { return loadU16(&packet_[2]); }
  uint32_t timestamp() const { return loadU32(&packet_[4]); }
  uint32_t ssrc() const { return loadU32(&packet_[8]); }

  size_t csrcCount() const { return packet_[0] & 0x0f; }
  /// The i-th contributing source, i < csrcCount().
  uint32_t csrc(size_t i) const { return loadU32(&packet_[kFixedHeaderSize + 4 * i]); }

  bool hasExtensions() const { return !extensionBlock_.empty(); }
  uint16_t extensionProfile() const { return extensionProfile_; }
  ByteSpan extensionBlock() const { return extensionBlock_; }
  ExtensionReader extensions() const { return {extensionProfile_, extensionBlock_}; }
  /// The first element with this id, or nullopt. An empty span is a present, empty element.
  std::optional<ByteSpan> extension(uint8_t id) const;

  /// Fixed header, CSRCs and extensions, in bytes.
  size_t headerSize() const { return headerSize_; }
  ByteSpan payload() const {
    return packet_.subspan(headerSize_, packet_.size() - headerSize_ - paddingSize_);
  }
  size_t paddingSize() const { return paddingSize_; }
  ByteSpan packet() const { return packet_; }
  size_t size() const { return packet_.size(); }

 private:
  ByteSpan packet_;
  ByteSpan extensionBlock_;
  uint16_t extensionProfile_ = 0;
  uint16_t headerSize_ = 0;
  uint16_t paddingSize_ = 0;
};

}  // namespace parley::rtp
