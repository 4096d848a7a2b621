#include <cstddef>
#include <cstdint>
#include <memory>

#include "parley/base/bytes.h"
#include "parley/base/environment.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/random.h"
#include "parley/sctp/data_channels.h"

#include "sctp/crc32c.h"
#include "sctp/packet.h"

// Stateful: the first byte picks how far two real peers get before the bytes that follow reach one
// of them. They are cut into chunk lists (two length bytes each), sent with the right ports, tag
// and checksum, so that they get past the gate.

namespace {

using namespace parley;
using namespace parley::sctp;

struct Peer {
  explicit Peer(uint64_t seed) : random(seed), channels(env) {}
  SeededRandom random;
  PacketPool pool;
  Environment env{random, pool};
  DataChannels channels;
};

struct Run {
  Peer a{1}, b{2};
  Timestamp now = Timestamp::seconds(1);
  uint32_t tagOfA = 0;  ///< what packets to A must carry

  void deliver(PacketBuf& packet, Peer& to) {
    if (&to == &a && packet.size() >= 12) tagOfA = loadU32(packet.data() + 4);
    to.channels.handlePacket(packet.span(), now);
  }
  void step() {
    PacketBuf packet;
    while (a.channels.pollTransmit(packet)) deliver(packet, b);
    while (b.channels.pollTransmit(packet)) deliver(packet, a);
    now += Duration::millis(10);
    a.channels.advance(now);
    b.channels.advance(now);
    ChannelEvent event;
    ChannelMessage message;
    for (Peer* p : {&a, &b}) {
      while (p->channels.pollEvent(event)) {
      }
      while (p->channels.pollMessage(message)) {
      }
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  Run run;
  const int progress = data[0] % 8;
  run.a.channels.setDtlsRole(true, run.now);
  run.b.channels.setDtlsRole(false, run.now);
  const auto channel = run.a.channels.open({.label = "fuzz"}, run.now);
  run.a.channels.start(createAssociation(run.a.env, {}), run.now);
  if (progress > 0) run.b.channels.start(createAssociation(run.b.env, {}), run.now);
  for (int i = 0; i < progress; ++i) run.step();
  if (progress == 6) {
    const Bytes payload(5000);
    static_cast<void>(run.a.channels.send(*channel, payload, false, run.now));
  }
  if (progress == 7) run.a.channels.close(*channel, run.now);

  ByteReader in({data + 1, size - 1});
  while (in.remaining() > 2) {
    const size_t wanted = in.u16() % 1200;
    const ByteSpan chunks = in.bytes(wanted < in.remaining() ? wanted : in.remaining());
    Bytes packet(kCommonHeaderSize);
    storeU16(&packet[0], 5000);
    storeU16(&packet[2], 5000);
    storeU32(&packet[4], !chunks.empty() && chunks[0] == chunk::kInit ? 0 : run.tagOfA);
    packet.insert(packet.end(), chunks.begin(), chunks.end());
    storeChecksum(packet, packetChecksum(packet));
    run.a.channels.handlePacket(packet, run.now);
    run.step();
  }
  run.step();
  return 0;
}
