#include "parley/sim/servers/stun_server.h"

#include <array>

#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"

namespace parley::sim {

StunServer::StunServer(Host& host, StunServerConfig config) : host_(host), config_(config) {
  for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
    const uint32_t token = static_cast<uint32_t>(sockets_.size());
    const SocketResult result =
        host.bindUdp({IpAddress::any(family), config.port}, false, *this, token);
    sockets_.push_back(result.handle);
  }
}

StunServer::~StunServer() {
  host_.dropSinks(this, nullptr);
}

SocketAddress StunServer::address(AddressFamily family) const {
  return {host_.address(family).value_or(IpAddress::any(family)), config_.port};
}

void StunServer::udpArrived(uint32_t token, Packet&& packet) {
  const auto request = stun::Message::parse(packet.data.span());
  if (!request || !request->is(stun::Class::Request, stun::Method::Binding)) {
    ++strays_;
    return;
  }
  ++requests_;
  if (config_.silent || requests_ <= config_.ignoreFirst) return;
  std::array<uint8_t, 256> buffer;
  stun::MessageBuilder answer = stun::MessageBuilder::responseTo(
      *request, config_.error ? stun::Class::Error : stun::Class::Success, buffer);
  if (config_.error) {
    answer.error(*config_.error, "simulated");
  } else if (config_.classic) {
    answer.address(stun::AttributeType::MappedAddress, packet.from);
  } else {
    answer.xorAddress(stun::AttributeType::XorMappedAddress, packet.from);
  }
  answer.fingerprint();
  host_.sendUdp(sockets_[token], packet.from, answer.written(), {.from = packet.to.ip});
}

}  // namespace parley::sim
