#include <cstddef>
#include <cstdint>

#include "parley/ice/upnp_mapper.h"

#include "ice/upnp_message.h"

using namespace parley;

// The readers, and the machine in the middle of its work: the first byte says how far it has come,
// the rest is what the router says then, cut into pieces by a leading size.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const ice::upnp::Url location{{IpAddress::v4(192, 168, 1, 1), 5000}, "/igd.xml"};
  (void)ice::upnp::parseDescription(asText({data + 1, size - 1}), location);
  (void)ice::upnp::parseAnswer(200, asText({data + 1, size - 1}));

  SeededRandom random(1);
  PacketPool pool;
  Environment environment{random, pool};
  IdAllocator ids;
  ice::UpnpMapper mapper(environment, ids);
  Timestamp now = Timestamp::seconds(1000);
  const IpAddress own = IpAddress::v4(192, 168, 1, 2);
  mapper.add(SocketId(100), {own, 5000}, now);

  const char* const kTruth[] = {
      "HTTP/1.1 200 OK\r\nST: a:InternetGatewayDevice:1\r\nLOCATION: "
      "http://192.168.1.1:5000/\r\n\r\n",
      "HTTP/1.1 200 OK\r\n\r\n<r><service><serviceType>urn:schemas-upnp-org:service:"
      "WANIPConnection:2</serviceType><controlURL>/c</controlURL></service></r>",
      "HTTP/1.1 200 OK\r\n\r\n<r><NewExternalIPAddress>203.0.113.5</NewExternalIPAddress></r>",
      "HTTP/1.1 200 OK\r\n\r\n<r><NewReservedPort>7</NewReservedPort></r>"};
  int truths = data[0] % 5;
  ByteSpan rest(data + 1, size - 1);
  SocketId search{}, stream{};
  for (int step = 0; step < 200; ++step) {
    Effect effect;
    while (mapper.pollEffect(effect)) {
      if (const auto* open = std::get_if<OpenUdp>(&effect)) {
        search = open->socket;
        mapper.handleSocketOpened({search, {own, 6000}}, now);
      } else if (const auto* connect = std::get_if<OpenTcp>(&effect)) {
        if (connect->remote.ip != location.host.ip) __builtin_trap();
        stream = connect->socket;
        mapper.handleSocketOpened({stream, {own, 6001}}, now);
      }
    }
    TxPacket packet;
    while (mapper.pollTransmit(packet)) {
    }
    ice::PortMapperEvent event;
    while (mapper.pollEvent(event)) {
    }
    ByteSpan piece;
    if (truths > 0) {
      piece = asBytes(kTruth[data[0] % 5 - truths]);
      --truths;
    } else if (!rest.empty()) {
      const size_t length = std::min<size_t>(rest[0], rest.size() - 1);
      piece = rest.subspan(1, length);
      rest = rest.subspan(1 + length);
    } else {
      break;
    }
    mapper.handleDatagram(search, location.host, piece, now);
    mapper.handleStream(stream, piece, now);
    if (truths > 0 || step % 3 == 0)
      mapper.handleSocketFailed({stream, SocketFailure::Closed}, now);
    if (step % 4 == 3 && mapper.nextDeadline() < now + Duration::seconds(100'000)) {
      now = std::max(now, mapper.nextDeadline());
      mapper.advance(now);
      if (mapper.nextDeadline() <= now) __builtin_trap();
    }
  }
  mapper.close(now);
  now += Duration::seconds(10);
  mapper.advance(now);
  if (!mapper.nextDeadline().isNever()) __builtin_trap();
  return 0;
}
