#include "sim/support/secure_peer.h"

#include <gtest/gtest.h>

namespace parley::test {

SecurePeer::SecurePeer(sim::World& world, sim::Host& host, dtls::Role role)
    : world_(world),
      random_(world.randomFor(host.name() + "/peer")),
      environment_{random_, pool_, nullLog(), world.wallClock(), {}},
      certificate_(
          *dtls::Certificate::generate(random_, world.wallClock().unixNanosAt(world.now()))),
      dtls_(std::make_unique<dtls::Connection>(environment_,
                                               dtls::Config{.certificate = certificate_})),
      channels_(environment_),
      role_(role),
      local_{*host.address(), kPort} {
  channels_.setDtlsRole(role == dtls::Role::Client, world.now());
  world.addNode(host, *this);
}

void SecurePeer::connectTo(SecurePeer& other) {
  remote_ = other.local_;
  dtls_->setRemoteFingerprints(other.certificate_->fingerprints(), world_.now());
}

void SecurePeer::send(sctp::ChannelId channel, std::string_view text) {
  EXPECT_TRUE(channels_.send(channel, asBytes(text), true, world_.now()).has_value());
  pull(world_.now());
}

void SecurePeer::handle(Input&& input, Timestamp now) {
  if (std::holds_alternative<SocketOpened>(input)) {
    dtls_->start(role_, now);
  } else if (const auto* datagram = std::get_if<Datagram>(&input)) {
    dtls_->handlePacket(datagram->data.span(), now);
  }
  pull(now);
}

void SecurePeer::advance(Timestamp now) {
  dtls_->advance(now);
  channels_.advance(now);
  pull(now);
}

void SecurePeer::pull(Timestamp now) {
  dtls::Event event;
  while (dtls_->pollEvent(event)) {
    if (event.state != dtls::State::Connected) continue;
    securedAt = now;
    channels_.start(sctp::createAssociation(environment_, {}), now);
  }
  PacketBuf packet;
  while (dtls_->pollData(packet)) channels_.handlePacket(packet.span(), now);
  while (channels_.pollTransmit(packet)) static_cast<void>(dtls_->send(packet.span(), now));
  sctp::ChannelEvent change;
  while (channels_.pollEvent(change)) {
    const auto* transport = std::get_if<sctp::TransportChanged>(&change);
    if (transport && transport->state == sctp::AssociationState::Connected) channelsUpAt = now;
  }
  sctp::ChannelMessage message;
  while (channels_.pollMessage(message))
    messages.push_back({now, std::string(asText(message.data))});
}

size_t SecurePeer::pollTransmit(std::span<TxPacket> out) {
  size_t count = 0;
  while (count < out.size() && dtls_->pollTransmit(out[count].data)) {
    out[count].socket = SocketId(1);
    out[count].to = remote_;
    ++count;
  }
  return count;
}

bool SecurePeer::pollEffect(Effect& out) {
  if (opened_) return false;
  opened_ = true;
  out = OpenUdp{SocketId(1), {local_.ip, kPort}};
  return true;
}

Timestamp SecurePeer::nextDeadline() const {
  return earliest(dtls_->nextDeadline(), channels_.nextDeadline());
}

}  // namespace parley::test
