#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

struct PacketHeader {
  uint8_t payloadType = 0;
  bool marker = false;
  uint16_t sequenceNumber = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
};

enum class ExtensionForm : uint8_t { OneByte, TwoByte };

/// Builds one RTP packet in a buffer, front to back: header, extensions, payload, padding. Slots
/// for values known only at send time (transport sequence number, abs-send-time) are written as
/// zeros and filled later with `findExtension`.
///
///     PacketWriter writer(buf, header, {}, form);
///     writer.add<Mid>(map, "0");
///     writer.reserve<TransportSequenceNumber>(map);
///     MutableByteSpan room = writer.beginPayload();
///     writer.finish(bytesWritten);
class PARLEY_EXPORT PacketWriter {
 public:
  /// `buf` must be a live buffer; its content is replaced. At most 15 CSRCs are written.
  PacketWriter(PacketBuf& buf, const PacketHeader& header, std::span<const uint32_t> csrcs = {},
               ExtensionForm form = ExtensionForm::OneByte);

  /// False if the form cannot carry it (one-byte: id 1..14, 1..16 bytes) or it does not fit.
  bool addRaw(uint8_t id, ByteSpan value);
  /// Adds a typed extension. True also when it is not negotiated (nothing is written).
  template <class Ext>
  bool add(const ExtensionMap& map, const typename Ext::Value& value) {
    const uint8_t id = map.id(Ext::kKind);
    if (id == 0) return true;
    uint8_t bytes[Ext::kMaxSize] = {};
    const size_t size = Ext::write(value, bytes);
    return size == 0 ? false : addRaw(id, ByteSpan(bytes, size));
  }
  /// Adds zeros to be filled at send time. True also when not negotiated.
  template <class Ext>
  bool reserve(const ExtensionMap& map) {
    const uint8_t id = map.id(Ext::kKind);
    if (id == 0) return true;
    const uint8_t zeros[Ext::kMaxSize] = {};
    return addRaw(id, zeros);
  }

  /// Ends the extensions and gives the room for the payload: at most kMaxPayload bytes in all, so
  /// that the SRTP trailer still fits. No extension may follow.
  MutableByteSpan beginPayload();
  /// Sets the packet's size; `payloadSize` bytes were written to the room of `beginPayload`.
  void finish(size_t payloadSize);
  /// Where the value of the element added last begins.
  size_t lastValueAt() const { return lastValueAt_; }
  /// Header plus extensions; valid after `beginPayload`.
  size_t headerSize() const { return size_; }

 private:
  void put(size_t at, uint8_t v) { buf_.data()[at] = v; }
  PacketBuf& buf_;
  size_t size_ = 0;
  size_t lastValueAt_ = 0;
  size_t extensionStart_ = 0;  // of the 4-byte extension header; 0 = none yet
  ExtensionForm form_;
  bool inPayload_ = false;
};

/// The bytes of an extension element of a packet built or parsed before, for writing in place.
/// Empty if absent or the packet is malformed.
PARLEY_EXPORT MutableByteSpan findExtension(MutableByteSpan packet, uint8_t id);

/// Overwrites an extension in place; false if it is not negotiated, absent, or of another size.
template <class Ext>
bool setExtension(MutableByteSpan packet, const ExtensionMap& map,
                  const typename Ext::Value& value) {
  const uint8_t id = map.id(Ext::kKind);
  if (id == 0) return false;
  const MutableByteSpan slot = findExtension(packet, id);
  uint8_t bytes[Ext::kMaxSize] = {};
  const size_t size = Ext::write(value, bytes);
  if (size == 0 || slot.size() != size) return false;
  std::memcpy(slot.data(), bytes, size);
  return true;
}

// In-place header edits. The packet has at least the fixed header.
inline void setMarker(MutableByteSpan packet, bool marker) {
  packet[1] = static_cast<uint8_t>((packet[1] & 0x7f) | (marker ? 0x80 : 0));
}
inline void setPayloadType(MutableByteSpan packet, uint8_t payloadType) {
  packet[1] = static_cast<uint8_t>((packet[1] & 0x80) | (payloadType & 0x7f));
}
inline void setSequenceNumber(MutableByteSpan packet, uint16_t v) {
  storeU16(&packet[2], v);
}
inline void setTimestamp(MutableByteSpan packet, uint32_t v) {
  storeU32(&packet[4], v);
}
inline void setSsrc(MutableByteSpan packet, uint32_t v) {
  storeU32(&packet[8], v);
}

/// Appends `count` (1..255) bytes of RTP padding and sets the P bit. False if they do not fit or
/// the packet already has padding.
PARLEY_EXPORT bool addPadding(PacketBuf& packet, size_t count);

}  // namespace parley::rtp
