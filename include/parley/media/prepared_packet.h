#pragma once

#include <cstdint>

#include "parley/base/packet_buffer.h"

namespace parley::media {

/// A packet that was made elsewhere, ready to leave but for what is known only then: the bytes of
/// these extension elements, from the start of the packet (0: it has none), are filled in.
struct PreparedPacket {
  PacketBuf data;
  uint16_t headerSize = 0;  ///< with extensions; no padding follows the payload
  uint16_t transportSequenceAt = 0;
  uint16_t sendTimeAt = 0;
  /// Asked for again: leaves as a retransmission (RFC 4588).
  bool isRepetition = false;
};

}  // namespace parley::media
