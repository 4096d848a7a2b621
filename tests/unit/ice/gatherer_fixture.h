#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/ice/gatherer.h"
#include "parley/stun/message_builder.h"

namespace parley::ice {

inline IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}
inline SocketAddress at(const char* text) {
  return *SocketAddress::parse(text);
}
inline NetworkInterface interface(const char* name, std::vector<IpAddress> addresses) {
  NetworkInterface out;
  out.name = name;
  out.isLoopback = std::string(name) == "lo";
  out.addresses = std::move(addresses);
  return out;
}

inline GathererConfig withServer(const char* host, const char* url) {
  GathererConfig config;
  config.stunServers = {{host, 3478, url}};
  return config;
}

/// A gatherer without a network: effects are answered by hand.
struct GathererFixture {
  explicit GathererFixture(GathererConfig config) : gatherer(env, ids, std::move(config)) {}

  template <class T>
  std::vector<T> effects() {
    std::vector<T> out;
    Effect effect;
    while (gatherer.pollEffect(effect)) {
      if (auto* wanted = std::get_if<T>(&effect)) out.push_back(*wanted);
    }
    return out;
  }
  std::vector<TxPacket> packets() {
    std::vector<TxPacket> out;
    TxPacket packet;
    while (gatherer.pollTransmit(packet)) out.push_back(std::move(packet));
    return out;
  }
  void drainEvents() {
    GathererEvent event;
    while (gatherer.pollEvent(event)) {
      if (auto* gathered = std::get_if<CandidateGathered>(&event)) candidates.push_back(*gathered);
      if (auto* error = std::get_if<CandidateError>(&event)) errors.push_back(*error);
      if (auto* gone = std::get_if<SocketGone>(&event)) sockets.push_back(gone->socket);
      if (std::holds_alternative<GatheringDone>(event)) ++dones;
    }
  }
  void advance(Duration by) {
    now += by;
    gatherer.advance(now);
    EXPECT_GT(gatherer.nextDeadline(), now);
  }
  /// Answers every effect for opening with the ports 5001, 5002...
  void openAll() {
    for (const OpenUdp& open : effects<OpenUdp>()) {
      gatherer.handleSocketOpened({open.socket, {open.local.ip, ++port}}, now);
    }
  }
  bool answer(const TxPacket& packet, const char* mapped, bool xored = true) {
    const auto request = stun::Message::parse(packet.data.span());
    uint8_t out[256];
    auto builder = stun::MessageBuilder::responseTo(*request, stun::Class::Success, out);
    if (xored) {
      builder.xorAddress(stun::AttributeType::XorMappedAddress, at(mapped));
    } else {
      builder.address(stun::AttributeType::MappedAddress, at(mapped));
    }
    return gatherer.handleDatagram(packet.socket, packet.to, builder.written(), now);
  }

  PacketPool pool;
  SeededRandom random{1};
  Environment env{random, pool};
  IdAllocator ids;
  Timestamp now = Timestamp::seconds(1);
  uint16_t port = 5000;
  std::vector<CandidateGathered> candidates;
  std::vector<CandidateError> errors;
  std::vector<SocketId> sockets;
  int dones = 0;
  Gatherer gatherer;
};

}  // namespace parley::ice
