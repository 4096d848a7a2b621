#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "unit/turn/raw_client.h"

using namespace parley;
using namespace parley::turn;

// A server in one of several states gets datagrams from its client, from strangers and from a peer.
// Some are the input as it stands, others requests with right credentials around attributes from
// the input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ByteReader in({data, size});
  ServerConfig config;
  const uint8_t flags = in.u8();
  config.mobility = (flags & 1) != 0;
  config.sha256 = (flags & 2) != 0;
  config.maxPermissions = config.maxChannels = 3;
  config.nonceLifetime = Duration::seconds(20);
  RawServer raw(config);
  RawClient client(raw, "203.0.113.1:5000");
  SocketId relay{};
  if ((flags & 12) != 0) {
    if (client.allocate() != 0) std::abort();
    relay = raw.opened.back().socket;
  }
  if ((flags & 8) != 0 && client.bind(0x4000, "203.0.113.77:9000") != 0) std::abort();

  constexpr stun::Method kMethods[] = {stun::Method::Allocate,         stun::Method::Refresh,
                                       stun::Method::CreatePermission, stun::Method::ChannelBind,
                                       stun::Method::Binding,          stun::Method::Connect};
  for (int steps = 0; in.remaining() >= 2 && steps < 200; ++steps) {
    const uint8_t action = in.u8();
    const ByteSpan bytes = in.bytes(std::min<size_t>(in.u8(), in.remaining()));
    switch (action % 6) {
      case 0:
        raw.datagram(raw.listener, client.source, bytes);
        break;
      case 1:
        raw.datagram(raw.listener, address("198.51.100.66:6"), bytes);
        break;
      case 2:
        raw.datagram(relay, address("203.0.113.77:9000"), bytes);
        break;
      case 3:
        raw.takenPorts = action % 3;
        client.ask(kMethods[action / 6 % 6], [&](stun::MessageBuilder& builder) {
          ByteReader attributes(bytes);
          while (attributes.remaining() >= 3) {
            const uint16_t type = attributes.u16();
            builder.bytes(
                static_cast<stun::AttributeType>(type),
                attributes.bytes(std::min<size_t>(attributes.u8(), attributes.remaining())));
          }
        });
        break;
      case 4:
        client.sendData(address("203.0.113.77:9000"), asText(bytes));
        break;
      default:
        raw.advance(Duration::seconds(action));
        break;
    }
    raw.sent.clear();
    raw.opened.clear();
  }
  if (raw.server.allocationCount() > 1) std::abort();
  raw.server.close(raw.now);
  raw.pump();
  raw.sent.clear();
  if (raw.pool.inUse() != 0) std::abort();
  return 0;
}
