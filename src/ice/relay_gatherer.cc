#include "ice/relay_gatherer.h"

#include <algorithm>
#include <utility>

namespace parley::ice {
namespace {

constexpr size_t kMaxServers = 8;
constexpr size_t kMaxServersEver = 32;  // those given up with later configurations included
constexpr size_t kMaxPeers = 64;
constexpr uint16_t kNotReached = 701;  // webrtc-pc section 4.8.2.1
constexpr Duration kFirstRetry = Duration::seconds(1);
constexpr int kMaxBackoff = 5;  // doublings: half a minute

size_t indexOf(AddressFamily family) {
  return family == AddressFamily::V4 ? 0 : 1;
}

/// RTCIceServerTransportProtocol knows no DTLS.
const char* protocolName(turn::Transport transport) {
  return turn::toString(transport == turn::Transport::Dtls ? turn::Transport::Udp : transport);
}

/// Fewer round trips and no head-of-line blocking first.
unsigned rankOf(turn::Transport transport) {
  switch (transport) {
    case turn::Transport::Udp:
      return 3;
    case turn::Transport::Dtls:
      return 2;
    case turn::Transport::Tcp:
      return 1;
    case turn::Transport::Tls:
      break;
  }
  return 0;
}

std::vector<IpAddress> addressesOf(const std::vector<NetworkInterface>& interfaces) {
  std::vector<IpAddress> out;
  for (const NetworkInterface& interface : interfaces) {
    if (interface.isUp)
      out.insert(out.end(), interface.addresses.begin(), interface.addresses.end());
  }
  return out;
}

}  // namespace

RelayGatherer::RelayGatherer(Environment& environment, IdAllocator& ids,
                             const GathererConfig& config)
    : env_(environment), ids_(ids), config_(config) {
  reconfigure();
}

void RelayGatherer::reconfigure() {
  for (Server& server : servers_) server.retired = true;
  size_t listed = 0;
  for (const TurnServer& wanted : config_.turnServers) {
    if (listed++ == kMaxServers) break;
    const auto known = std::find_if(servers_.begin(), servers_.end(), [&](const Server& s) {
      return s.config.url == wanted.url && s.config.username == wanted.username &&
             s.config.password == wanted.password &&
             (s.config.tls != nullptr) == (wanted.tls != nullptr);
    });
    if (known != servers_.end()) {
      known->retired = false;
    } else if (servers_.size() < kMaxServersEver) {
      servers_.emplace_back().config = wanted;
    }
  }
  for (Relay& relay : relays_) {
    if (servers_[relay.server].retired) relay.retryAt = Timestamp::never();
  }
}

const std::string& RelayGatherer::connectHost(const TurnServer& server) const {
  return server.proxy && isStream(server.transport) ? server.proxy->host : server.host;
}

void RelayGatherer::start(bool waitForInterfaces, Timestamp now) {
  if (started_ || closed_) return;
  started_ = true;
  waiting_ = waitForInterfaces && !interfacesKnown_;
  for (Server& server : servers_) lookUp(server, now);
  pump(now);
}

void RelayGatherer::goOnWithoutInterfaces(Timestamp now) {
  if (!std::exchange(waiting_, false)) return;
  pump(now);
}

void RelayGatherer::lookUp(Server& server, Timestamp now) {
  const std::string& host = connectHost(server.config);
  if (const auto ip = IpAddress::parse(host)) {
    server.addresses = {*ip};
    return;
  }
  server.resolve = ids_.nextResolve();
  server.pending = true;
  server.giveUpAt = now + config_.patience;
  effects_.push(Resolve{server.resolve, host});
}

bool RelayGatherer::handleResolved(const Resolved& resolved, Timestamp now) {
  const auto server = std::find_if(servers_.begin(), servers_.end(), [&](const Server& s) {
    return s.resolve == resolved.id && s.resolve != ResolveId{};
  });
  if (server == servers_.end() || closed_) return false;
  if (!server->pending) return true;
  server->pending = false;
  server->addresses = resolved.addresses;
  if (server->addresses.empty()) {
    events_.push(CandidateError{{}, server->config.url, kNotReached, "TURN host lookup failed"});
  }
  pump(now);
  return true;
}

void RelayGatherer::handleInterfaces(const std::vector<NetworkInterface>& interfaces,
                                     Timestamp now) {
  const bool changed = interfacesKnown_ && addressesOf(interfaces) != addressesOf(interfaces_);
  interfaces_ = interfaces;
  interfacesKnown_ = true;
  waiting_ = false;
  if (!started_ || closed_) return;
  if (changed) {
    for (Relay& relay : relays_) {
      if (relay.client) relay.client->handleNetworkChange(now);
      if (!relay.client && !servers_[relay.server].retired) relay.retryAt = now;
    }
    // A family may have become usable.
    for (Server& server : servers_) server.asked = false;
  }
  pump(now);
}

bool RelayGatherer::familyUsable(const IpAddress& server) const {
  if ((server.isV4() && !config_.ipv4) || (server.isV6() && !config_.ipv6)) return false;
  if (!interfacesKnown_) return true;
  const std::vector<IpAddress> own = addressesOf(interfaces_);
  return std::any_of(own.begin(), own.end(), [&](const IpAddress& ip) {
    return ip.family() == server.family() && ip.isLoopback() == server.isLoopback() &&
           (!ip.isLinkLocal() || server.isLinkLocal());
  });
}

void RelayGatherer::addRelays(size_t index, Timestamp now) {
  Server& server = servers_[index];
  for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
    const bool known = std::any_of(relays_.begin(), relays_.end(), [&](const Relay& relay) {
      return relay.server == index && relay.via == family;
    });
    Relay relay;
    relay.server = index;
    relay.via = family;
    for (const IpAddress& ip : server.addresses) {
      if (ip.family() == family && familyUsable(ip)) relay.addresses.push_back(ip);
    }
    if (known || relay.addresses.empty()) continue;
    relays_.push_back(std::move(relay));
    allocate(relays_.back(), now);
  }
  const bool tried = std::any_of(relays_.begin(), relays_.end(),
                                 [index](const Relay& relay) { return relay.server == index; });
  if (tried || std::exchange(server.unusable, true)) return;
  events_.push(CandidateError{
      {}, server.config.url, kNotReached, "no address of this machine leads to the TURN server"});
}

void RelayGatherer::allocate(Relay& relay, Timestamp now) {
  const TurnServer& server = servers_[relay.server].config;
  const bool proxied = server.proxy && isStream(server.transport);
  turn::ClientConfig config;
  config.connectTo = {relay.addresses.front(), proxied ? server.proxy->port : server.port};
  config.transport = server.transport;
  config.host = server.host;
  config.port = server.port;
  config.username = server.username;
  config.password = server.password;
  config.proxy = server.proxy;
  config.tls = server.tls;
  config.mobility = config_.turnMobility;
  config.policy = config_.stunPolicy;
  config.keepalive = config_.keepalive;
  if (!config_.ipv6) config.families = turn::RelayFamilies::V4;
  if (!config_.ipv4) config.families = turn::RelayFamilies::V6;
  relay.retryAt = Timestamp::never();
  relay.client = std::make_unique<turn::Client>(env_, ids_, std::move(config));
  for (const IpAddress& peer : peers_) relay.client->permit(peer, now);
  relay.client->start(now);
}

// ---- candidates ----

void RelayGatherer::tell(const Relay& relay) {
  if (servers_[relay.server].retired) return;  // it was under way when the configuration changed
  const TurnServer& server = servers_[relay.server].config;
  for (const SocketAddress& relayed : relay.relayed) {
    Candidate candidate;
    candidate.type = CandidateType::Relay;
    candidate.address = relayed;
    candidate.base = relayed;  // RFC 8445 section 5.1.1.2: a relayed candidate is its own base
    // The mapped address is the very one that a relay-only policy hides (RFC 8828).
    const IpAddress hidden = IpAddress::any(relayed.ip.family());
    const bool show = config_.hostAndReflexive && relay.mapped.ip.family() == relayed.ip.family();
    candidate.relatedAddress = show ? relay.mapped : SocketAddress{hidden, 0};
    candidate.url = server.url;
    candidate.relayProtocol = protocolName(server.transport);
    const std::string key = relayed.ip.toString() + '|' + relay.answeredBy.toString() + '|' +
                            turn::toString(server.transport);
    auto at = std::find(foundations_.begin(), foundations_.end(), key);
    if (at == foundations_.end()) at = foundations_.insert(foundations_.end(), key);
    candidate.foundation = "r" + std::to_string(at - foundations_.begin() + 1);
    const auto index = static_cast<unsigned>(&relay - relays_.data()) * 2 +
                       static_cast<unsigned>(indexOf(relayed.ip.family()));
    const auto preference = static_cast<uint16_t>(rankOf(server.transport) * 4096 + 4095 - index);
    candidate.priority = candidatePriority(CandidateType::Relay, preference);
    events_.push(
        CandidateGathered{std::move(candidate), relay.sockets[indexOf(relayed.ip.family())]});
  }
}

void RelayGatherer::dropSockets(Relay& relay) {
  for (SocketId& socket : relay.sockets) {
    if (socket != SocketId{}) events_.push(SocketGone{socket});
    socket = {};
  }
  relay.relayed.clear();
}

void RelayGatherer::pumpClient(Relay& relay, Timestamp now) {
  turn::ClientEvent event;
  while (relay.client && relay.client->pollEvent(event)) {
    if (auto* allocated = std::get_if<turn::Allocated>(&event)) {
      relay.asking = false;
      relay.failures = 0;
      relay.relayed = std::move(allocated->relayed);
      relay.mapped = allocated->mapped;
      relay.answeredBy = allocated->server.ip;
      for (const SocketAddress& address : relay.relayed)
        relay.sockets[indexOf(address.ip.family())] = ids_.nextSocket();
      tell(relay);
    } else if (auto* failure = std::get_if<turn::ClientFailed>(&event)) {
      failed(relay, std::move(*failure), now);
    }
  }
}

void RelayGatherer::failed(Relay& relay, turn::ClientFailed&& failure, Timestamp now) {
  dropSockets(relay);
  ending_.push_back(std::move(relay.client));
  if (closed_) return;
  if (servers_[relay.server].retired) {
    relay.asking = relay.confirming = false;
    return;
  }
  if (std::exchange(relay.confirming, false)) {
    relay.asking = true;
    allocate(relay, now);
    return;
  }
  const bool unreachable = failure.code == kNotReached && !failure.wasAllocated;
  if (unreachable && relay.addresses.size() > 1) {
    relay.addresses.erase(relay.addresses.begin());
    allocate(relay, now);
    return;
  }
  // Only what was a relay once is worth another try by itself; the rest waits for an ICE restart or
  // for another network.
  if (failure.wasAllocated || relay.failures > 0)
    relay.retryAt = now + kFirstRetry * (int64_t{1} << std::min(relay.failures++, kMaxBackoff));
  if (!relay.asking) return;
  relay.asking = false;
  SocketAddress local = failure.local;
  if (!config_.hostAndReflexive) local = {};
  events_.push(CandidateError{local, servers_[relay.server].config.url, failure.code,
                              std::move(failure.text)});
}

void RelayGatherer::restart(Timestamp now) {
  if (closed_) return;
  peers_.clear();
  for (Server& server : servers_) {
    if (server.addresses.empty() && !server.pending && !server.retired) lookUp(server, now);
  }
  for (Relay& relay : relays_) {
    if (servers_[relay.server].retired) continue;
    if (!relay.client) {
      relay.asking = true;
      relay.retryAt = now;
    } else {
      tell(relay);
      // A server that was started again knows nothing of it, and would be silent until the refresh.
      relay.confirming = relay.client->confirm(now);
    }
  }
  pump(now);
}

void RelayGatherer::close(Timestamp now) {
  if (closed_) return;
  closed_ = true;
  for (Server& server : servers_) server.pending = false;  // nobody waits for the look-up any more
  for (Relay& relay : relays_) {
    relay.retryAt = Timestamp::never();
    if (relay.client) relay.client->close(now);
  }
}

// ---- sockets ----

bool RelayGatherer::owns(SocketId socket) const {
  return std::any_of(relays_.begin(), relays_.end(), [&](const Relay& relay) {
    return relay.client && relay.client->owns(socket);
  });
}

bool RelayGatherer::isRelay(SocketId socket) const {
  return socket != SocketId{} &&
         std::any_of(relays_.begin(), relays_.end(), [&](const Relay& relay) {
           return relay.sockets[0] == socket || relay.sockets[1] == socket;
         });
}

RelayGatherer::Relay* RelayGatherer::relayOf(SocketId socket) {
  for (Relay& relay : relays_) {
    if (relay.client && relay.client->owns(socket)) return &relay;
  }
  return nullptr;
}

bool RelayGatherer::handleOpened(const SocketOpened& opened, Timestamp now) {
  Relay* relay = relayOf(opened.socket);
  if (!relay) return false;
  relay->client->handleSocketOpened(opened, now);
  pump(now);
  return true;
}

bool RelayGatherer::handleFailed(const SocketFailed& failed, Timestamp now) {
  Relay* relay = relayOf(failed.socket);
  if (!relay) return false;
  relay->client->handleSocketFailed(failed, now);
  pump(now);
  return true;
}

void RelayGatherer::handleDatagram(Datagram&& datagram, Timestamp now) {
  Relay* relay = relayOf(datagram.socket);
  if (!relay) return;
  relay->client->handleDatagram(std::move(datagram), now);
  pumpClient(*relay, now);
}

bool RelayGatherer::handleStream(StreamBytes&& bytes, Timestamp now) {
  Relay* relay = relayOf(bytes.socket);
  if (!relay) return false;
  relay->client->handleStream(std::move(bytes), now);
  pumpClient(*relay, now);
  return true;
}

bool RelayGatherer::handlePressure(const StreamPressure& pressure, Timestamp now) {
  Relay* relay = relayOf(pressure.socket);
  if (!relay) return false;
  relay->client->handlePressure(pressure, now);
  return true;
}

void RelayGatherer::permit(const IpAddress& peer, Timestamp now) {
  if (servers_.empty() || closed_ || peers_.size() == kMaxPeers ||
      std::find(peers_.begin(), peers_.end(), peer) != peers_.end()) {
    return;
  }
  peers_.push_back(peer);
  for (Relay& relay : relays_) {
    if (relay.client) relay.client->permit(peer, now);
  }
}

bool RelayGatherer::send(TxPacket&& packet, Timestamp now) {
  if (packet.socket == SocketId{}) return false;
  for (Relay& relay : relays_) {
    if (!relay.client || (relay.sockets[0] != packet.socket && relay.sockets[1] != packet.socket))
      continue;
    return relay.client->send(std::move(packet), now);
  }
  return false;
}

bool RelayGatherer::pollRelayed(Datagram& out) {
  turn::PeerData data;
  for (Relay& relay : relays_) {
    if (!relay.client || !relay.client->pollData(data)) continue;
    out.socket = relay.sockets[indexOf(data.relayed.ip.family())];
    out.from = data.peer;
    out.to = data.relayed;
    out.data = std::move(data.data);
    out.ecn = data.ecn;
    return true;
  }
  return false;
}

bool RelayGatherer::pollTransmit(TxPacket& out) {
  for (const auto& client : ending_) {
    if (client->pollTransmit(out)) return true;
  }
  for (Relay& relay : relays_) {
    if (relay.client && relay.client->pollTransmit(out)) return true;
  }
  return false;
}

bool RelayGatherer::pollEffect(Effect& out) {
  if (!effects_.empty()) {
    out = effects_.pop();
    return true;
  }
  while (!ending_.empty()) {
    if (ending_.back()->pollEffect(out)) return true;
    ending_.pop_back();
  }
  for (Relay& relay : relays_) {
    if (relay.client && relay.client->pollEffect(out)) return true;
  }
  return false;
}

bool RelayGatherer::pollEvent(GathererEvent& out) {
  if (events_.empty()) return false;
  out = events_.pop();
  return true;
}

// ---- running ----

void RelayGatherer::pump(Timestamp now) {
  if (!started_) return;
  for (size_t i = 0; i < servers_.size() && !closed_; ++i) {
    Server& server = servers_[i];
    if (server.pending && server.giveUpAt <= now) {
      server.pending = false;
      events_.push(
          CandidateError{{}, server.config.url, kNotReached, "TURN host lookup timed out"});
    }
    // Which families can be used is known only with the interfaces.
    if (server.asked || server.retired || server.addresses.empty() || waiting_) continue;
    server.asked = true;
    addRelays(i, now);
  }
  for (Relay& relay : relays_) {
    if (!relay.client && relay.retryAt <= now) allocate(relay, now);
    if (relay.client) pumpClient(relay, now);
    if (!relay.client || !relay.client->isConfirming()) relay.confirming = false;
  }
}

void RelayGatherer::advance(Timestamp now) {
  for (Relay& relay : relays_) {
    if (relay.client) relay.client->advance(now);
  }
  pump(now);
}

Timestamp RelayGatherer::nextDeadline() const {
  Timestamp next = Timestamp::never();
  for (const Server& server : servers_) {
    if (server.pending) next = earliest(next, server.giveUpAt);
  }
  for (const Relay& relay : relays_) {
    next = earliest(next, relay.client ? relay.client->nextDeadline() : relay.retryAt);
  }
  return next;
}

bool RelayGatherer::finished() const {
  const bool resolving = std::any_of(servers_.begin(), servers_.end(), [](const Server& server) {
    return !server.retired && (server.pending || (!server.asked && !server.addresses.empty()));
  });
  const bool asking = std::any_of(relays_.begin(), relays_.end(), [](const Relay& relay) {
    return relay.asking || relay.confirming;
  });
  return !resolving && !asking;
}

}  // namespace parley::ice
