#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include "parley/base/bytes.h"
#include "parley/base/environment.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/random.h"
#include "parley/sctp/association.h"

#include "sctp/crc32c.h"
#include "sctp/engine/init_chunk.h"
#include "sctp/packet.h"

// One association of ours against a peer that is the input: the first two bytes choose what was
// negotiated and how far the association has come, the rest are things that happen. TSNs are taken
// relative to those in use, so that chunks get past the gate and into the machinery.

namespace {

using namespace parley;
using namespace parley::sctp;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Run {
  static constexpr size_t kWindow = 256 * 1024;
  static constexpr size_t kReserve = 128 * 1024;

  explicit Run(uint8_t options) {
    env.limits.maxBufferedAmount = 200'000;
    AssociationConfig config;
    config.interleaving = (options & 1) != 0;
    config.zeroChecksum = (options & 2) != 0;
    config.receiveBuffer = kWindow;
    config.maxMessageSize = 20'000;
    init.tag = 77;
    init.receiverWindow = (options & 4) != 0 ? 0 : 100'000;
    init.outgoingStreams = init.incomingStreams = 40;
    init.initialTsn = 0xFFFF'FFF0;
    init.forwardTsn = (options & 8) == 0;
    init.reConfig = (options & 16) == 0;
    init.interleaving = (options & 32) == 0;
    init.padding = (options & 64) == 0;
    association = createAssociation(env, config);
  }

  /// Adds a chunk to the packet under way.
  void append(uint8_t type, uint8_t flags, ByteSpan value) {
    if (bundle.empty()) bundle.resize(12);
    if (bundle.size() + value.size() > 60'000) return;
    const size_t at = bundle.size();
    bundle.resize(at + 4);
    bundle[at] = type;
    bundle[at + 1] = flags;
    storeU16(&bundle[at + 2], static_cast<uint16_t>(value.size() + 4));
    bundle.insert(bundle.end(), value.begin(), value.end());
    bundle.resize((bundle.size() + 3) & ~size_t{3});
  }
  void packet(uint8_t type, uint8_t flags, ByteSpan value, uint32_t tag) {
    append(type, flags, value);
    Bytes out = std::exchange(bundle, {});
    storeU16(&out[0], 5000);
    storeU16(&out[2], 5000);
    storeU32(&out[4], tag);
    storeChecksum(out, packetChecksum(out));
    association->handlePacket(out, now);
  }
  void poll() {
    PacketBuf out;
    for (int i = 0; i < 200 && association->pollTransmit(out); ++i) {
      require(out.size() <= 1148);
      ChunkCursor cursor(out.span());
      ChunkView c;
      while (cursor.next(c)) {
        if (c.type == chunk::kInit || c.type == chunk::kInitAck) {
          if (const auto parsed = parseInit(c.value); parsed && theirTag == 0) {
            theirTag = parsed->tag;
            theirTsn = parsed->initialTsn;
          }
          if (const auto parsed = parseInit(c.value); parsed && c.type == chunk::kInitAck)
            cookie = parsed->cookie;
        }
      }
      require(cursor.ok());
    }
  }
  void advance(Duration by) {
    now += by;
    association->advance(now);
    require(association->nextDeadline() > now);
    poll();
  }
  /// Not begun, CookieWait, CookieEchoed, Established, with data in flight, with a reset under way,
  /// ShutdownPending, ShutdownReceived, ShutdownSent, ShutdownAckSent, ended.
  static constexpr int kStates = 11;
  void reach(int state) {
    if (state == 0) return;
    association->connect(now);
    poll();
    if (state == 1) return;
    InitChunk answer = init;
    answer.cookie = Bytes{1, 2, 3, 4};
    packet(chunk::kInitAck, 0, writeInit(answer), theirTag);
    poll();
    if (state == 2) return;
    packet(chunk::kCookieAck, 0, {}, theirTag);
    if (state == 3) return;
    if (state >= 8) {
      Bytes point(4);
      storeU32(point.data(), theirTsn - 1);
      if (state == 8) association->shutdown(now);
      if (state == 9) packet(chunk::kShutdown, 0, point, theirTag);
      if (state == 10) association->abort(now);
      poll();
      return;
    }
    const Bytes payload(9000, 1);
    static_cast<void>(association->send(1, 53, payload, {}, now));
    static_cast<void>(
        association->send(2, 53, payload, {.unordered = true, .maxRetransmits = 0}, now));
    poll();
    const uint16_t stream = 2;
    if (state == 5) association->resetStreams({&stream, 1}, now);
    if (state == 6) association->shutdown(now);
    if (state == 7) packet(chunk::kShutdown, 0, Bytes(4), theirTag);
    poll();
  }
  void app(uint8_t what, ByteReader& in) {
    const uint16_t stream = in.u8() % 48;
    const Bytes payload(1 + in.u16() % 5000, what);
    SendOptions options;
    options.unordered = (what & 8) != 0;
    if ((what & 16) != 0) options.maxRetransmits = what & 3;
    if ((what & 32) != 0) options.lifetime = Duration::millis(what);
    switch (what & 7) {
      case 0:
      case 1:
        static_cast<void>(association->send(stream, 53, payload, options, now));
        break;
      case 2:
      case 3:
        static_cast<void>(
            association->sendPart(stream, 53, payload, (what & 64) != 0, options, now));
        break;
      case 4:
        association->resetStreams({&stream, 1}, now);
        break;
      case 5:
        association->setPartSize(stream, in.u8() * 10u);
        break;
      case 6:
        association->discardQueued(stream);
        break;
      default:
        association->connect(now);
        break;
    }
  }
  /// `bundled`: the chunk waits for the next one, to come in one packet with it.
  void peer(uint8_t type, ByteReader& in, bool bundled = false) {
    const uint8_t flags = in.u8();
    const size_t wanted = in.u8() * 6u;
    Bytes value = toBytes(in.bytes(wanted < in.remaining() ? wanted : in.remaining()));
    const auto relative = [&](size_t at, uint32_t base) {
      if (value.size() >= at + 4)
        storeU32(&value[at], base + static_cast<uint32_t>(int8_t(value[at])));
    };
    switch (type) {
      case chunk::kData:
      case chunk::kIData:
        relative(0, init.initialTsn);
        if (value.size() >= 6) value[4] = 0, value[5] %= 48;
        break;
      case chunk::kSack:
      case chunk::kShutdown:
        relative(0, theirTsn);
        break;
      case chunk::kForwardTsn:
      case chunk::kIForwardTsn:
        relative(0, init.initialTsn);
        break;
      case chunk::kReConfig:
        relative(4, (flags & 1) != 0 ? theirTsn : init.initialTsn);
        relative(12, init.initialTsn);
        break;
      case chunk::kCookieEcho:
        if ((flags & 1) != 0) value = cookie;
        break;
      default:
        break;
    }
    if (bundled) {
      append(type, flags, value);
    } else {
      packet(type, flags, value, type == chunk::kInit ? 0 : theirTag);
    }
  }

  SeededRandom random{3};
  PacketPool pool;
  Environment env{random, pool};
  std::unique_ptr<Association> association;
  Timestamp now = Timestamp::seconds(1);
  InitChunk init;
  uint32_t theirTag = 0;
  uint32_t theirTsn = 0;
  Bytes cookie;
  Bytes bundle;
};

constexpr uint8_t kTypes[] = {
    chunk::kData,        chunk::kIData,        chunk::kSack,     chunk::kForwardTsn,
    chunk::kIForwardTsn, chunk::kReConfig,     chunk::kInit,     chunk::kInitAck,
    chunk::kCookieEcho,  chunk::kCookieAck,    chunk::kShutdown, chunk::kShutdownAck,
    chunk::kHeartbeat,   chunk::kHeartbeatAck, chunk::kError,    chunk::kShutdownComplete};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Run run(data[0]);
  run.reach(data[1] % Run::kStates);
  ByteReader in({data + 2, size - 2});
  Inbound inbound;
  AssociationEvent event;
  while (in.remaining() > 0) {
    const uint8_t op = in.u8();
    switch (op >> 5) {
      case 0:
        run.app(in.u8(), in);
        break;
      case 1:
        run.advance(Duration::millis(1 << (op & 15)));
        break;
      case 2:
        for (int i = 0; i < (op & 31) && run.association->pollInbound(inbound); ++i) {
        }
        while (run.association->pollEvent(event)) {
        }
        break;
      case 3:
        run.peer(in.u8(), in);
        break;
      case 4:
        run.peer(kTypes[op % std::size(kTypes)], in, true);
        break;
      default:
        run.peer(kTypes[op % std::size(kTypes)], in);
        break;
    }
    run.poll();
    require(run.association->stats().receivedBytesHeld <= Run::kWindow + Run::kReserve + 2000);
    require(run.association->bufferedAmount() <= 200'000);
  }
  run.advance(Duration::seconds(2));
  run.association->abort(run.now);
  run.poll();
  return 0;
}
