#include <cstddef>
#include <cstdint>

#include "parley/ice/port_mapper.h"

#include "ice/port_mapping_message.h"

using namespace parley;

// The parser, and the machine in the middle of its work: the router says whatever the input has,
// cut into datagrams by a leading size.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)ice::port_mapping::parseAnswer(ByteSpan(data, size));

  SeededRandom random(1);
  PacketPool pool;
  Environment environment{random, pool};
  IdAllocator ids;
  ice::PortMapper mapper(environment, ids);
  Timestamp now = Timestamp::seconds(1000);
  const IpAddress own = IpAddress::v4(192, 168, 1, 2);
  const SocketAddress router{IpAddress::v4(192, 168, 1, 1), 5351};
  mapper.add(SocketId(100), {own, 5000}, now);
  SocketId client{};
  Effect effect;
  while (mapper.pollEffect(effect)) {
    if (const auto* name = std::get_if<Resolve>(&effect))
      mapper.handleResolved({name->id, {router.ip}}, now);
    if (const auto* open = std::get_if<OpenUdp>(&effect)) {
      client = open->socket;
      mapper.handleSocketOpened({client, {own, 6000}}, now);
    }
  }
  ByteSpan rest(data, size);
  while (!rest.empty()) {
    const size_t length = std::min<size_t>(rest[0], rest.size() - 1);
    mapper.handleDatagram(client, router, rest.subspan(1, length), now);
    rest = rest.subspan(1 + length);
    TxPacket packet;
    while (mapper.pollTransmit(packet)) {
      // An answer that differs from the request in what the input says reaches deeper.
      Bytes answer = toBytes(packet.data.span());
      if (answer.size() > 1) answer[1] |= 0x80;
      for (size_t i = 3; i < answer.size() && i < rest.size(); ++i) answer[i] ^= rest[i];
      if (!rest.empty()) mapper.handleDatagram(client, router, answer, now);
    }
    ice::PortMapperEvent event;
    while (mapper.pollEvent(event)) {
    }
    if (mapper.nextDeadline() < now + Duration::seconds(100'000)) now = mapper.nextDeadline();
    mapper.advance(now);
    if (mapper.nextDeadline() <= now) __builtin_trap();
  }
  return 0;
}
