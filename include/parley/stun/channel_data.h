#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"

// The other thing that a TURN connection carries beside STUN messages (RFC 8656 section 12.4): four
// bytes of header instead of a Send or Data indication's 36.

namespace parley::stun {

constexpr uint16_t kMinChannel = 0x4000;
/// RFC 8656 section 12.
constexpr uint16_t kMaxChannel = 0x4FFF;
/// RFC 5766 section 11 allowed more. A server does well to take these still: nothing else that
/// begins so comes to its port.
constexpr uint16_t kMaxChannelRfc5766 = 0x7FFE;
constexpr size_t kChannelHeaderSize = 4;

constexpr bool isChannelNumber(uint16_t number, uint16_t highest = kMaxChannel) {
  return number >= kMinChannel && number <= highest;
}

/// A view of one ChannelData message.
struct ChannelData {
  uint16_t channel = 0;
  ByteSpan data;  ///< borrows from what was parsed

  /// One message from its first byte on. Bytes behind the data are padding (RFC 8656 section 12.5
  /// lets UDP senders pad, too) and ignored. nullopt: no channel number, or cut off.
  PARLEY_EXPORT static std::optional<ChannelData> parse(ByteSpan message,
                                                        uint16_t highest = kMaxChannel);
  /// For telling it from other traffic on a port (RFC 7983): 64 to 79, under RFC 5766 to 127.
  static bool looksLikeChannelData(ByteSpan message, uint16_t highest = kMaxChannel) {
    return !message.empty() && message[0] >= kMinChannel >> 8 && message[0] <= highest >> 8;
  }
};

/// Puts the header before the payload. False (and unchanged) without head room, or if the payload
/// is above 65535 bytes.
PARLEY_EXPORT bool prependChannelHeader(PacketBuf& payload, uint16_t channel);

/// Stream transports: rounds the size up to a multiple of 4 with zeros (RFC 8656 section 12.5).
PARLEY_EXPORT void padForStream(PacketBuf& message);

/// The start of a stream that carries STUN messages and ChannelData (numbers of RFC 5766 too).
struct StreamFrame {
  enum class Status : uint8_t { NeedMore, Complete, Invalid } status = Status::NeedMore;
  /// Header and padding included; known once four bytes are there.
  size_t size = 0;
};
/// `Complete` when `stream` holds the whole frame. `Invalid` if no frame begins like this: the
/// stream can never be understood again.
PARLEY_EXPORT StreamFrame nextStreamFrame(ByteSpan stream);

}  // namespace parley::stun
