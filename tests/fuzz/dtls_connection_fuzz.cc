#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/base/environment.h"
#include "parley/base/random.h"
#include "parley/dtls/connection.h"

// Two connections with a mutator between them. The first octet picks how far a sound handshake goes
// before the input takes over; then each step delivers, drops, damages, repeats or forges datagrams
// in either direction, or calls into the machine.

using namespace parley;

namespace {

constexpr int64_t kNow = 1'748'736'000'000'000'000;

std::shared_ptr<const dtls::Certificate> certificate(uint64_t seed) {
  SeededRandom random(seed);
  return std::move(*dtls::Certificate::generate(random, kNow));
}

struct World {
  SeededRandom random{1};
  PacketPool pool;
  Environment environment{random, pool};
  std::unique_ptr<dtls::Connection> ends[2];
  std::vector<Bytes> sent;
  Timestamp now = Timestamp::seconds(1);

  World() {
    static const auto a = certificate(1);
    static const auto b = certificate(2);
    const std::shared_ptr<const dtls::Certificate> own[2] = {a, b};
    for (int i = 0; i < 2; ++i) {
      dtls::Config config;
      config.certificate = own[i];
      ends[i] = std::make_unique<dtls::Connection>(environment, config);
    }
    ends[0]->setRemoteFingerprints(b->fingerprints(), now);
    ends[1]->setRemoteFingerprints(a->fingerprints(), now);
  }
  void drain() {
    PacketBuf packet;
    dtls::Event event;
    for (auto& end : ends) {
      while (end->pollTransmit(packet)) {
        if (packet.size() > 1200) abort();
        if (sent.size() < 256) sent.push_back(toBytes(packet.span()));
      }
      while (end->pollData(packet)) {
        if (packet.empty()) abort();
      }
      while (end->pollEvent(event)) {
      }
    }
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteReader input(ByteSpan(data, size));
  World world;
  const int stage = input.u8() % 7;
  if (stage > 0) {
    world.ends[1]->start(dtls::Role::Server, world.now);
    world.ends[0]->start(dtls::Role::Client, world.now);
  }
  world.drain();
  for (int i = 1; i < stage && !world.sent.empty(); ++i) {
    const Bytes next = world.sent.back();
    world.ends[i % 2]->handlePacket(next, world.now);
    world.drain();
  }

  for (int steps = 0; steps < 200 && !input.atEnd(); ++steps) {
    const uint8_t op = input.u8();
    dtls::Connection& end = *world.ends[op & 1];
    switch (op >> 1 & 15) {
      case 0:
      case 1:
      case 2: {  // something that was sent, damaged as the input says
        if (world.sent.empty()) break;
        Bytes bytes = world.sent[input.u8() % world.sent.size()];
        for (unsigned flips = op >> 6; flips > 0 && !bytes.empty(); --flips) {
          bytes[input.u16() % bytes.size()] ^= input.u8();
        }
        end.handlePacket(bytes, world.now);
        break;
      }
      case 3:
        end.handlePacket(input.bytes(std::min<size_t>(input.u8(), input.remaining())), world.now);
        break;
      case 4: {  // a record of our making
        Bytes record(13 + input.u8());
        ByteWriter writer(record);
        writer.u8(static_cast<uint8_t>(20 + input.u8() % 5));
        writer.u16(0xfefd);
        writer.u16(op >> 6);
        writer.u16(0);
        writer.u32(input.u16());
        writer.u16(static_cast<uint16_t>(record.size() - 13));
        writer.bytes(input.bytes(std::min(record.size() - 13, input.remaining())));
        end.handlePacket(record, world.now);
        break;
      }
      case 5:
        world.now += Duration::millis(input.u16());
        break;
      case 6:
        end.resendFlightNow(world.now);
        break;
      case 7:
        (void)end.send(input.bytes(std::min<size_t>(input.u8(), input.remaining())), world.now);
        break;
      case 8:
        end.setRttHint(Duration::millis(input.u8()));
        break;
      case 9:
        end.start((op & 64) != 0 ? dtls::Role::Client : dtls::Role::Server, world.now);
        break;
      case 10:
        if (op == 0xf4) end.close(world.now);
        break;
      default:
        world.drain();
        break;
    }
    end.advance(world.now);
    if (end.nextDeadline() <= world.now) abort();
  }
  world.drain();
  for (auto& end : world.ends) {
    if (end->srtpKeying() && end->state() != dtls::State::Connected) abort();
  }
  return 0;
}
