#include "parley/sim/servers/turn_server.h"

#include <array>
#include <utility>

#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"

namespace parley::sim {
namespace {

constexpr uint16_t kPort = 3478;
constexpr uint16_t kTlsPort = 5349;

}  // namespace

TurnServer::TurnServer(World& world, Host& host, turn::ServerConfig config)
    : world_(world),
      host_(host),
      config_(std::move(config)),
      random_(world.randomFor("turn " + host.name())),
      environment_{random_, pool_, nullLog(), world.wallClock()} {
  config_.denySpecialPeers = false;
  for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
    const auto own = host.address(family);
    if (!own) continue;
    const SocketAddress any{IpAddress::any(family), kPort};
    config_.listeners.push_back({turn::Transport::Udp, any});
    config_.listeners.push_back({turn::Transport::Tcp, any});
    if (config_.tls) config_.listeners.push_back({turn::Transport::Tls, {any.ip, kTlsPort}});
    config_.relays.push_back({*own});
  }
  begin();
}

TurnServer::~TurnServer() {
  world_.removeNode(*node_);
}

void TurnServer::begin() {
  random_ = world_.randomFor("turn " + host_.name() + " run " + std::to_string(runs_++));
  server_ = std::make_unique<turn::Server>(environment_, config_);
  server_->start(world_.now());
  node_ = &world_.addNode(host_, *this);
}

void TurnServer::restart() {
  world_.removeNode(*node_);
  answers_.clear();
  begin();
}

SocketAddress TurnServer::address(AddressFamily family) const {
  return {host_.address(family).value_or(IpAddress::any(family)), kPort};
}

SocketAddress TurnServer::tlsAddress(AddressFamily family) const {
  return {address(family).ip, kTlsPort};
}

std::string TurnServer::url(turn::Transport transport) const {
  const auto family = host_.address(AddressFamily::V4) ? AddressFamily::V4 : AddressFamily::V6;
  if (transport == turn::Transport::Tls) return "turns:" + tlsAddress(family).toString();
  return "turn:" + address(family).toString() + "?transport=" + turn::toString(transport);
}

void TurnServer::handle(Input&& input, Timestamp now) {
  if (const auto* datagram = std::get_if<Datagram>(&input); datagram && faulty(*datagram)) return;
  server_->handle(std::move(input), now);
}

bool TurnServer::faulty(const Datagram& datagram) {
  if (faults_.silent) return true;
  const auto request = stun::Message::parse(datagram.data.span());
  if (!request || request->messageClass() != stun::Class::Request ||
      request->method() == stun::Method::Binding) {
    return false;
  }
  const auto& error =
      request->method() == stun::Method::Allocate ? faults_.allocateError : faults_.otherError;
  if (!error) return false;
  std::array<uint8_t, 256> buffer;
  auto answer = stun::MessageBuilder::responseTo(*request, stun::Class::Error, buffer);
  answer.error(*error, "simulated");
  if (*error == stun::StunError::Unauthenticated || *error == stun::StunError::StaleNonce) {
    answer.text(stun::AttributeType::Realm, config_.realm)
        .text(stun::AttributeType::Nonce, random_.iceChars(12));
  }
  TxPacket out;
  out.socket = datagram.socket;
  out.to = datagram.from;
  out.from = datagram.to.ip;
  out.data = pool_.copyOf(answer.written());
  answers_.push_back(std::move(out));
  return true;
}

size_t TurnServer::pollTransmit(std::span<TxPacket> out) {
  size_t count = 0;
  while (count < out.size() && !answers_.empty()) {
    out[count++] = std::move(answers_.front());
    answers_.erase(answers_.begin());
  }
  return count + server_->pollTransmit(out.subspan(count));
}

}  // namespace parley::sim
