#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sctp/association.h"

#include "sctp/crc32c.h"
#include "sctp/engine/init_chunk.h"
#include "sctp/packet.h"
#include "unit/sctp/pair.h"

namespace parley::sctp {

/// The other end of an association, written out chunk by chunk: it does what the test says, however
/// wrong.
class RawPeer {
 public:
  explicit RawPeer(AssociationConfig config = {}, Limits limits = {}) : world_(5) {
    world_.env.limits = limits;
    association = createAssociation(world_.env, config);
  }

  /// What this peer announces.
  InitChunk init() const {
    InitChunk out;
    out.tag = tag;
    out.receiverWindow = window;
    out.outgoingStreams = out.incomingStreams = 65'535;
    out.initialTsn = tsn;
    out.forwardTsn = out.reConfig = true;
    out.interleaving = interleaving;
    return out;
  }
  /// The four-way handshake, begun by the association.
  void connect() {
    association->connect(now);
    poll();
    const Bytes* theirInit = last(chunk::kInit);
    ASSERT_NE(theirInit, nullptr);
    const std::optional<InitChunk> parsed = parseInit(*theirInit);
    ASSERT_TRUE(parsed);
    theirTag = parsed->tag;
    theirTsn = parsed->initialTsn;
    InitChunk answer = init();
    answer.cookie = toBytes("cookie");
    send(chunk::kInitAck, 0, writeInit(answer));
    poll();
    ASSERT_NE(last(chunk::kCookieEcho), nullptr);
    send(chunk::kCookieAck, 0, {});
    poll();
    ASSERT_EQ(association->state(), AssociationState::Connected);
    chunks.clear();
  }
  /// One packet with one chunk, delivered at once.
  void send(uint8_t type, uint8_t flags, ByteSpan value, std::optional<uint32_t> underTag = {}) {
    Bytes packet(16 + value.size());
    storeU16(&packet[0], 5000);
    storeU16(&packet[2], 5000);
    const uint32_t used = type == chunk::kInit ? 0 : theirTag;
    storeU32(&packet[4], underTag.value_or(used));
    packet[12] = type;
    packet[13] = flags;
    storeU16(&packet[14], static_cast<uint16_t>(value.size() + 4));
    std::copy(value.begin(), value.end(), packet.begin() + 16);
    packet.resize((packet.size() + 3) & ~size_t{3});
    storeChecksum(packet, packetChecksum(packet));
    association->handlePacket(packet, now);
  }
  /// DATA or I-DATA. `id`: SSN or MID; `fsn` counts only in I-DATA behind the first fragment.
  void data(uint32_t itsTsn, uint16_t stream, uint32_t id, uint8_t flags, size_t size,
            uint32_t fsn = 0) {
    Bytes value(interleaving ? kIDataHeaderSize : kDataHeaderSize);
    storeU32(&value[0], itsTsn);
    storeU16(&value[4], stream);
    if (interleaving) {
      storeU32(&value[8], id);
      storeU32(&value[12], (flags & 2) != 0 ? 53 : fsn);
    } else {
      storeU16(&value[6], static_cast<uint16_t>(id));
      storeU32(&value[8], 53);
    }
    value.resize(value.size() + size, 0x5A);
    send(interleaving ? chunk::kIData : chunk::kData, flags, value);
  }
  void sack(uint32_t cumulative, uint32_t itsWindow, const std::vector<uint16_t>& gaps = {}) {
    Bytes value(12 + 2 * gaps.size());
    storeU32(&value[0], cumulative);
    storeU32(&value[4], itsWindow);
    storeU16(&value[8], static_cast<uint16_t>(gaps.size() / 2));
    for (size_t i = 0; i < gaps.size(); ++i) storeU16(&value[12 + 2 * i], gaps[i]);
    send(chunk::kSack, 0, value);
  }
  /// Collects what the association sends.
  size_t poll() {
    size_t packets = 0;
    PacketBuf packet;
    while (association->pollTransmit(packet)) {
      EXPECT_LE(packet.size(), size_t{1148});
      ++packets;
      bytes += packet.size();
      ChunkCursor cursor(packet.span());
      ChunkView c;
      while (cursor.next(c)) chunks.push_back({c.type, c.flags, toBytes(c.value)});
      EXPECT_TRUE(cursor.ok());
    }
    return packets;
  }
  /// Time passes; what the association sends meanwhile is collected.
  void run(Duration d, const std::function<void()>& each = {}) {
    const Timestamp end = now + d;
    poll();
    while (now < end) {
      now = std::min(end, std::max(now + Duration::micros(1), association->nextDeadline()));
      association->advance(now);
      EXPECT_GT(association->nextDeadline(), now);
      poll();
      if (each) each();
    }
  }

  struct Sent {
    uint8_t type;
    uint8_t flags;
    Bytes value;
  };
  size_t count(uint8_t type) const {
    size_t n = 0;
    for (const Sent& c : chunks) n += c.type == type;
    return n;
  }
  const Bytes* last(uint8_t type) const {
    for (auto c = chunks.rbegin(); c != chunks.rend(); ++c) {
      if (c->type == type) return &c->value;
    }
    return nullptr;
  }

 private:
  World world_;

 public:
  std::unique_ptr<Association> association;
  Timestamp now = Timestamp::seconds(100);
  uint32_t tag = 0x1234'5678;
  uint32_t tsn = 0xFFFF'FFF0;  ///< wraps soon
  uint32_t window = 1 << 20;
  bool interleaving = false;
  uint32_t theirTag = 0;
  uint32_t theirTsn = 0;
  std::vector<Sent> chunks;
  size_t bytes = 0;
};

}  // namespace parley::sctp
