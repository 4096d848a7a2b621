#pragma once

#include <cstddef>
#include <cstdint>

#include "parley/base/packet_buffer.h"

namespace parley::ice {

/// Cuts a byte stream into the packets that are framed in it (RFC 4571 section 2): before each
/// stands its length, two bytes, the high one first. Length 0 is allowed there and means nothing.
/// Packets that do not fit a buffer are skipped and counted, as a datagram socket would cut them
/// off: the bytes after them are still in step.
class FrameReader {
 public:
  static constexpr size_t kHeaderSize = 2;

  explicit FrameReader(PacketPool& pool) : pool_(&pool) {}

  /// The next bytes of the stream. Those before must have been read: `next` said false.
  void feed(PacketBuf&& chunk);
  /// False: the next packet is not complete.
  bool next(PacketBuf& packet);
  /// Packets that were too large, or found no buffer.
  uint64_t skipped() const { return skipped_; }

 private:
  bool readPayload(PacketBuf& packet);
  void skipPacket();

  PacketPool* pool_;
  PacketBuf chunk_;
  size_t at_ = 0;  ///< in chunk_
  PacketBuf partial_;
  size_t headerBytes_ = 0;  ///< read of the header; kHeaderSize: length_ is known
  size_t length_ = 0;
  size_t skip_ = 0;  ///< bytes to pass over
  uint64_t skipped_ = 0;
};

/// Puts the header before a packet. False (and unchanged) without room or if it is too long.
bool frame(PacketBuf& packet);

}  // namespace parley::ice
