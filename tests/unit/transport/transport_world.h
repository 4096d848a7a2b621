#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/transport/classify.h"
#include "parley/transport/peer_transport.h"

namespace parley::transport::test {

/// 2025-06-01, for certificates.
inline constexpr int64_t kNowUnixNanos = 1'748'736'000'000'000'000;

/// Certificates are shared by the tests of a process: making them is not what is tested.
inline std::shared_ptr<const dtls::Certificate> certificateOf(size_t index) {
  static std::map<size_t, std::shared_ptr<const dtls::Certificate>> made;
  std::shared_ptr<const dtls::Certificate>& certificate = made[index];
  if (!certificate) {
    SeededRandom random(index + 1);
    certificate = std::move(*dtls::Certificate::generate(random, kNowUnixNanos));
  }
  return certificate;
}

/// One end of a call: a transport with what its driver and its owner would do.
struct Peer {
  Peer(size_t number, TransportConfig config, Limits limits = {})
      : index(number),
        address(IpAddress::v4(10, 0, 0, static_cast<uint8_t>(number + 1))),
        random(number + 100),
        environment{random, pool, nullLog(), WallClock{Timestamp{}, kNowUnixNanos}, limits} {
    config.certificate = certificateOf(number);
    transport = std::make_unique<PeerTransport>(environment, std::move(config));
  }

  const std::vector<dtls::Fingerprint>& fingerprints() const {
    return certificateOf(index)->fingerprints();
  }
  bool connected() const { return transport->dtls().state() == dtls::State::Connected; }
  size_t count(dtls::State state) const {
    size_t n = 0;
    for (const dtls::Event& event : dtlsEvents) n += event.state == state;
    return n;
  }
  template <class Event>
  std::vector<Event> channelEvents() const {
    std::vector<Event> out;
    for (const sctp::ChannelEvent& event : channels) {
      if (const auto* match = std::get_if<Event>(&event)) out.push_back(*match);
    }
    return out;
  }
  /// The one socket's number.
  SocketId socket() const { return sockets.begin()->first; }

  const size_t index;
  const IpAddress address;
  SeededRandom random;
  PacketPool pool;
  Environment environment;
  std::unique_ptr<PeerTransport> transport;
  std::map<SocketId, SocketAddress> sockets;
  std::vector<ice::Candidate> candidates;
  std::vector<dtls::Event> dtlsEvents;
  std::vector<ice::IceConnectionState> iceStates;
  std::vector<GatheringState> gathering;
  std::vector<Resolve> lookUps;
  std::vector<SocketId> closed;
  std::vector<sctp::ChannelEvent> channels;
  std::vector<std::string> messages;
  std::vector<RtpPacket> rtp;
  bool readsRtp = true;
  size_t wakes = 0;  ///< calls of advance() that a deadline asked for
  /// Whoever gets this peer's candidates as they are found.
  Peer* trickleTo = nullptr;
};

/// Peers on one network of 10 ms each way, in virtual time. Checks machine rule M4 on every step.
class TransportWorld {
 public:
  explicit TransportWorld(bool isNervous = false) : nervous(isNervous) {}
  ~TransportWorld() {
    flights_.clear();
    for (auto& peer : peers_) {
      peer->rtp.clear();
      peer->transport.reset();
    }
  }

  Peer& add(TransportConfig config = {}, Limits limits = {}) {
    peers_.push_back(std::make_unique<Peer>(peers_.size(), std::move(config), limits));
    return *peers_.back();
  }

  /// As offer and answer would: `a` offers, so it controls and is the DTLS server.
  void introduce(Peer& a, Peer& b) {
    a.trickleTo = &b;
    b.trickleTo = &a;
    a.transport->setIceRole(ice::Role::Controlling, now);
    b.transport->setIceRole(ice::Role::Controlled, now);
    a.transport->startGathering(now);
    b.transport->startGathering(now);
    a.transport->setRemoteCredentials(b.transport->localCredentials(), false, now);
    b.transport->setRemoteCredentials(a.transport->localCredentials(), false, now);
  }
  void startDtls(Peer& server, Peer& client) {
    server.transport->startDtls(client.fingerprints(), dtls::Role::Server, now);
    client.transport->startDtls(server.fingerprints(), dtls::Role::Client, now);
  }
  void enableData(Peer& a, Peer& b) {
    for (Peer* peer : {&a, &b}) peer->transport->enableSctp(5000, 262'144, now);
  }
  void connect(Peer& a, Peer& b) {
    introduce(a, b);
    startDtls(a, b);
    ASSERT_TRUE(runUntil([&] { return a.connected() && b.connected(); }));
  }
  /// New credentials on both sides and candidates told anew.
  void restartIce(Peer& a, Peer& b) {
    a.trickleTo = &b;
    b.trickleTo = &a;
    for (Peer* peer : {&a, &b})
      peer->transport->restartIce(ice::Credentials::generate(peer->random), now);
    a.transport->setRemoteCredentials(b.transport->localCredentials(), false, now);
    b.transport->setRemoteCredentials(a.transport->localCredentials(), false, now);
  }

  bool runUntil(const std::function<bool()>& done, Duration limit = Duration::seconds(20)) {
    const Timestamp end = now + limit;
    for (;;) {
      flush();
      if (done()) return true;
      const Timestamp next = nextEvent();
      if (next > end) break;
      now = std::max(now, next);
      step();
    }
    now = end;
    return false;
  }
  void run(Duration time) {
    runUntil([] { return false; }, time);
  }

  /// Moves all outputs to where they belong.
  void flush() {
    for (bool moved = true; std::exchange(moved, false);) {
      for (auto& peer : peers_) moved = drain(*peer) || moved;
    }
  }

  /// A datagram as if `from` had sent it from its socket.
  void inject(Peer& from, Peer& to, ByteSpan bytes) {
    injectFrom(from.sockets.begin()->second, to, bytes);
  }
  void injectFrom(const SocketAddress& from, Peer& to, ByteSpan bytes) {
    deliver(to, from, to.sockets.begin()->second, bytes);
  }

  bool sendRtp(Peer& peer, uint16_t sequence, uint32_t ssrc = 0x11111111,
               std::string_view text = "sound") {
    Bytes bytes(12);
    bytes[0] = 0x80;
    bytes[1] = 111;
    storeU16(&bytes[2], sequence);
    storeU32(&bytes[8], ssrc);
    bytes.insert(bytes.end(), text.begin(), text.end());
    return peer.transport->sendRtp(peer.pool.copyOf(bytes), false, TxClass::Audio);
  }
  bool sendRtcp(Peer& peer, uint32_t ssrc = 0x11111111) {
    Bytes report = {0x80, 201, 0, 1, 0, 0, 0, 0};
    storeU32(&report[4], ssrc);
    return peer.transport->sendRtp(peer.pool.copyOf(report), true, TxClass::Control);
  }

  Timestamp now = Timestamp::seconds(1000);
  Duration delay = Duration::millis(10);
  /// False drops the datagram; it may also change it, or keep it and inject it later.
  std::function<bool(Peer& from, TxPacket& packet)> pass;
  /// Calls everything twice, also with times that have passed.
  bool nervous = false;
  struct Step {
    Timestamp at;
    SocketAddress from;
    SocketAddress to;
    PacketClass kind;
    bool operator==(const Step&) const = default;
  };
  std::vector<Step> trace;

 private:
  struct Flight {
    Peer* to;
    SocketAddress from;
    SocketAddress destination;
    Bytes bytes;
  };

  Timestamp nextEvent() const {
    Timestamp next = flights_.empty() ? Timestamp::never() : flights_.begin()->first;
    for (const auto& peer : peers_) next = earliest(next, peer->transport->nextDeadline());
    return next;
  }

  void step() {
    while (!flights_.empty() && flights_.begin()->first <= now) {
      const Flight flight = std::move(flights_.begin()->second);
      flights_.erase(flights_.begin());
      deliver(*flight.to, flight.from, flight.destination, flight.bytes);
    }
    for (auto& peer : peers_) {
      if (nervous) peer->transport->advance(now - Duration::seconds(5));
      const bool isDue = peer->transport->nextDeadline() <= now;
      peer->wakes += isDue;
      if (isDue || nervous) peer->transport->advance(now);
      if (nervous) peer->transport->advance(now);
      EXPECT_GT(peer->transport->nextDeadline(), now);
    }
  }

  void deliver(Peer& to, const SocketAddress& from, const SocketAddress& destination,
               ByteSpan bytes) {
    for (const auto& [id, local] : to.sockets) {
      if (local != destination) continue;
      Datagram datagram;
      datagram.socket = id;
      datagram.from = from;
      datagram.to = local;
      datagram.data = to.pool.copyOf(bytes);
      to.transport->handle(std::move(datagram), now);
      return;
    }
  }

  bool drain(Peer& peer) {
    bool moved = execute(peer);
    TxPacket packet;
    while (peer.transport->pollTransmit(packet)) {
      moved = true;
      const SocketAddress from = peer.sockets.at(packet.socket);
      if (pass && !pass(peer, packet)) continue;
      trace.push_back({now, from, packet.to, classify(packet.data.span())});
      for (auto& other : peers_) {
        if (other->address != packet.to.ip) continue;
        flights_.emplace(now + delay,
                         Flight{other.get(), from, packet.to, toBytes(packet.data.span())});
      }
    }
    return takeEvents(peer) || moved;
  }

  bool execute(Peer& peer) {
    bool moved = false;
    Effect effect;
    while (peer.transport->pollEffect(effect)) {
      moved = true;
      if (std::holds_alternative<WatchInterfaces>(effect)) {
        peer.transport->handle(InterfacesChanged{{{"eth0", 1, {peer.address}}}}, now);
      } else if (const auto* open = std::get_if<OpenUdp>(&effect)) {
        const SocketAddress local{peer.address, ++lastPort_};
        peer.sockets[open->socket] = local;
        peer.transport->handle(SocketOpened{open->socket, local}, now);
      } else if (const auto* close = std::get_if<CloseSocket>(&effect)) {
        peer.sockets.erase(close->socket);
        peer.closed.push_back(close->socket);
      } else if (const auto* look = std::get_if<Resolve>(&effect)) {
        peer.lookUps.push_back(*look);
      }
    }
    return moved;
  }

  bool takeEvents(Peer& peer) {
    bool moved = false;
    TransportEvent event;
    while (peer.transport->pollEvent(event)) {
      moved = true;
      if (const auto* found = std::get_if<CandidateFound>(&event)) {
        peer.candidates.push_back(found->candidate);
        if (peer.trickleTo) peer.trickleTo->transport->addRemoteCandidate(found->candidate, now);
      } else if (const auto* dtls = std::get_if<DtlsStateChange>(&event)) {
        peer.dtlsEvents.push_back(dtls->event);
      } else if (const auto* ice = std::get_if<IceStateChange>(&event)) {
        peer.iceStates.push_back(ice->state);
      } else if (const auto* gathered = std::get_if<GatheringStateChange>(&event)) {
        peer.gathering.push_back(gathered->state);
      }
    }
    sctp::ChannelEvent channel;
    while (peer.transport->pollChannelEvent(channel)) {
      moved = true;
      peer.channels.push_back(channel);
    }
    sctp::ChannelMessage message;
    while (peer.transport->dataChannels().pollMessage(message)) {
      moved = true;
      peer.messages.emplace_back(asText(message.data));
    }
    RtpPacket rtp;
    while (peer.readsRtp && peer.transport->pollRtp(rtp)) {
      moved = true;
      peer.rtp.push_back(std::move(rtp));
    }
    return moved;
  }

  std::vector<std::unique_ptr<Peer>> peers_;
  std::multimap<Timestamp, Flight> flights_;
  uint16_t lastPort_ = 4000;
};

/// The type of the first handshake message in the clear, 0 if there is none.
inline uint8_t handshakeType(ByteSpan datagram) {
  const bool isHandshake = datagram.size() > 13 && datagram[0] == 22 && loadU16(&datagram[3]) == 0;
  return isHandshake ? datagram[13] : uint8_t{0};
}
inline constexpr uint8_t kClientHello = 1;

}  // namespace parley::transport::test
