#include <cstddef>
#include <cstdint>

#include "parley/ice/mdns_resolver.h"

using namespace parley;

// The bytes are what arrives on the multicast socket while a name is asked for.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  PacketPool pool;
  SeededRandom random(1);
  Environment env{random, pool};
  IdAllocator ids;
  ice::MdnsResolver resolver(env, ids);
  const Timestamp now = Timestamp::seconds(1);
  resolver.resolve(ResolveId(1), "1f4712db-ea17-4bcf-a596-105139dfd8bf.local", now);
  Effect effect;
  SocketId socket;
  while (resolver.pollEffect(effect)) {
    if (const auto* open = std::get_if<OpenUdp>(&effect)) {
      socket = open->socket;
      resolver.handleSocketOpened({socket, open->local}, now);
    }
  }
  const SocketAddress from{IpAddress::v4(192, 168, 1, 5), 5353};
  resolver.handleDatagram(socket, from, ByteSpan(data, size), now);
  resolver.advance(now);
  return 0;
}
