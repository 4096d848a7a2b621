#include "parley/ice/port_mapper.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "parley/base/machine.h"
#include "parley/base/ring_queue.h"

#include "ice/port_mapping_message.h"

namespace parley::ice {
namespace {

static_assert(Machine<PortMapper>);

using port_mapping::Answer;
using port_mapping::MapRequest;

constexpr size_t kMaxMappings = 32;
/// What a router may grant: less would keep us busy, more outlives the machine (RFC 6887 section 15
/// wants at most a day).
constexpr Duration kMinLifetime = Duration::seconds(120);
constexpr Duration kMaxLifetime = Duration::seconds(86'400);
/// RFC 6887 section 11.2.1: "no less than 4 seconds apart".
constexpr Duration kMinRenewal = Duration::seconds(4);

/// A closed mapper keeps its sockets for so long: the last packets are still on their way out.
constexpr Duration kLinger = Duration::seconds(1);

enum class Language : uint8_t { Pcp, NatPmp, None };

}  // namespace

class PortMapperCore {
 public:
  PortMapperCore(Environment& environment, IdAllocator& ids, const PortMapperConfig& config)
      : env_(environment), ids_(ids), config_(config) {}

  void add(SocketId socket, const SocketAddress& internal, Timestamp now);
  void remove(SocketId socket, Timestamp now);
  void close(Timestamp now);
  bool handleResolved(const Resolved& resolved, Timestamp now);
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  bool settled() const;

  RingQueue<TxPacket> transmits{64};
  RingQueue<Effect> effects{64};
  RingQueue<PortMapperEvent> events{64};
  PortMapperCounters counters;

 private:
  /// From where one address of the machine talks to the router: PCP wants requests to come from the
  /// address that is mapped.
  struct Client {
    SocketId socket{};
    IpAddress local;
    bool open = false;
    Timestamp giveUpAt;
  };
  struct Mapping {
    SocketId socket{};
    SocketAddress internal;
    port_mapping::Nonce nonce{};
    std::optional<stun::Transaction> request;
    SocketAddress external;  ///< port 0: none yet
    bool told = false;
    bool settled = false;
    Timestamp renewAt = Timestamp::never();
    Timestamp expiresAt = Timestamp::never();
  };

  Client* clientOf(const IpAddress& local);
  bool isReady(const Mapping& mapping);
  void ask(Mapping& mapping, Timestamp now);
  void askAll(Timestamp now);
  void send(const Mapping& mapping, Duration lifetime);
  void queue(const Client& client, ByteSpan bytes);
  void giveUp();
  bool hasRestarted(uint32_t epoch, Timestamp now);
  void handleAnswer(const Answer& answer, const Client& client, Timestamp now);
  void granted(Mapping& mapping, const SocketAddress& external, uint32_t lifetime, Timestamp now);
  void refused(Mapping& mapping);
  void lose(Mapping& mapping);
  void run(Mapping& mapping, Timestamp now);

  Environment& env_;
  IdAllocator& ids_;
  const PortMapperConfig config_;
  MonotonicGuard clock_;
  Language language_ = Language::Pcp;
  ResolveId lookUp_{};
  bool lookingUp_ = false;
  Timestamp lookUpBy_ = Timestamp::never();
  std::optional<SocketAddress> router_;
  IpAddress externalIp_;  ///< by NAT-PMP, which tells it apart
  std::vector<Client> clients_;
  std::vector<Mapping> mappings_;
  std::optional<uint32_t> epoch_;
  Timestamp epochAt_;
  bool closed_ = false;
  Timestamp closeSocketsAt_ = Timestamp::never();
};

void PortMapperCore::add(SocketId socket, const SocketAddress& internal, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_ || !internal.ip.isV4() || internal.ip.isLoopback() || internal.ip.isUnspecified() ||
      mappings_.size() == kMaxMappings) {
    return;
  }
  remove(socket, now);
  Mapping& mapping = mappings_.emplace_back();
  mapping.socket = socket;
  mapping.internal = internal;
  env_.random.fill(mapping.nonce);
  if (!router_ && !lookingUp_ && language_ != Language::None) {
    lookingUp_ = true;
    lookUp_ = ids_.nextResolve();
    lookUpBy_ = now + config_.patience;
    effects.push(Resolve{lookUp_, kGatewayName});
  }
  if (!clientOf(internal.ip)) {
    clients_.push_back({ids_.nextSocket(), internal.ip, false, now + config_.patience});
    effects.push(OpenUdp{clients_.back().socket, {internal.ip, 0}});
  }
  ask(mapping, now);
}

void PortMapperCore::remove(SocketId socket, Timestamp now) {
  (void)clock_.clamp(now);
  const auto at = std::find_if(mappings_.begin(), mappings_.end(),
                               [&](const Mapping& mapping) { return mapping.socket == socket; });
  if (at == mappings_.end()) return;
  // Also if the answer is still under way.
  if (isReady(*at) && (at->request || at->external.port != 0)) send(*at, Duration());
  mappings_.erase(at);
}

void PortMapperCore::close(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  while (!mappings_.empty()) remove(mappings_.back().socket, now);
  closed_ = true;
  closeSocketsAt_ = now + kLinger;
  lookingUp_ = false;
  lookUpBy_ = Timestamp::never();
}

PortMapperCore::Client* PortMapperCore::clientOf(const IpAddress& local) {
  const auto at = std::find_if(clients_.begin(), clients_.end(),
                               [&](const Client& client) { return client.local == local; });
  return at == clients_.end() ? nullptr : &*at;
}

bool PortMapperCore::isReady(const Mapping& mapping) {
  const Client* client = clientOf(mapping.internal.ip);
  return client && client->open && router_ && language_ != Language::None && !closed_;
}

void PortMapperCore::ask(Mapping& mapping, Timestamp now) {
  mapping.renewAt = Timestamp::never();
  if (language_ == Language::None) refused(mapping);
  if (!isReady(mapping)) return;
  mapping.request.emplace(mapping.nonce, config_.policy, now);
  send(mapping, config_.lifetime);
}

void PortMapperCore::askAll(Timestamp now) {
  for (Mapping& mapping : mappings_) ask(mapping, now);
}

void PortMapperCore::send(const Mapping& mapping, Duration lifetime) {
  const Client& client = *clientOf(mapping.internal.ip);
  MapRequest request;
  request.nonce = mapping.nonce;
  request.client = mapping.internal.ip;
  request.internalPort = mapping.internal.port;
  // The port that the peer was told, or the own one, which is as good as any and easy to recognise.
  request.suggested = mapping.external;
  if (mapping.external.port == 0) request.suggested.port = mapping.internal.port;
  request.lifetime = static_cast<uint32_t>(lifetime.millis() / 1000);
  if (language_ == Language::Pcp) {
    queue(client, port_mapping::writePcpMap(request));
    return;
  }
  if (externalIp_.isUnspecified() && request.lifetime > 0)
    queue(client, port_mapping::writeNatPmpAddress());
  queue(client, port_mapping::writeNatPmpMap(request));
}

void PortMapperCore::queue(const Client& client, ByteSpan bytes) {
  TxPacket out;
  out.socket = client.socket;
  out.to = *router_;
  out.from = client.local;
  out.data = env_.pool.copyOf(bytes);
  if (out.data) transmits.push(std::move(out));
}

/// Nobody there who speaks either protocol.
void PortMapperCore::giveUp() {
  language_ = Language::None;
  lookingUp_ = false;
  lookUpBy_ = Timestamp::never();
  for (Mapping& mapping : mappings_) refused(mapping);
}

bool PortMapperCore::handleResolved(const Resolved& resolved, Timestamp now) {
  now = clock_.clamp(now);
  if (lookUp_ == ResolveId{} || resolved.id != lookUp_) return false;
  if (!std::exchange(lookingUp_, false)) return true;
  lookUpBy_ = Timestamp::never();
  const auto v4 = std::find_if(resolved.addresses.begin(), resolved.addresses.end(),
                               [](const IpAddress& ip) { return ip.isV4(); });
  if (v4 == resolved.addresses.end()) {
    giveUp();
  } else {
    router_ = SocketAddress{*v4, port_mapping::kPort};
    askAll(now);
  }
  return true;
}

bool PortMapperCore::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  now = clock_.clamp(now);
  const auto client = std::find_if(clients_.begin(), clients_.end(),
                                   [&](const Client& c) { return c.socket == opened.socket; });
  if (client == clients_.end()) return false;
  if (std::exchange(client->open, true)) return true;
  for (Mapping& mapping : mappings_) {
    if (mapping.internal.ip == client->local) ask(mapping, now);
  }
  return true;
}

bool PortMapperCore::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  (void)clock_.clamp(now);
  const auto client = std::find_if(clients_.begin(), clients_.end(),
                                   [&](const Client& c) { return c.socket == failed.socket; });
  if (client == clients_.end()) return false;
  const IpAddress local = client->local;
  clients_.erase(client);
  for (Mapping& mapping : mappings_) {
    if (mapping.internal.ip == local) refused(mapping);
  }
  return true;
}

bool PortMapperCore::handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram,
                                    Timestamp now) {
  now = clock_.clamp(now);
  const auto client = std::find_if(clients_.begin(), clients_.end(),
                                   [&](const Client& c) { return c.socket == socket; });
  if (client == clients_.end()) return false;
  // RFC 6886 section 3.6, RFC 6887 section 8.3: only what comes from the router itself counts.
  if (!router_ || from != *router_) {
    ++counters.unmatched;
    return true;
  }
  const auto answer = port_mapping::parseAnswer(datagram);
  if (!answer) {
    ++counters.malformed;
    return true;
  }
  handleAnswer(*answer, *client, now);
  return true;
}

/// RFC 6887 section 8.5; RFC 6886 section 3.6 has the same thought in other numbers.
bool PortMapperCore::hasRestarted(uint32_t epoch, Timestamp now) {
  const auto before = std::exchange(epoch_, epoch);
  const Timestamp beforeAt = std::exchange(epochAt_, now);
  if (!before) return false;
  if (int64_t{epoch} + 1 < int64_t{*before}) return true;
  const int64_t server = int64_t{epoch} - *before;
  const int64_t client = (now - beforeAt).millis() / 1000;
  return client + 2 < server - server / 16 || server + 2 < client - client / 16;
}

void PortMapperCore::handleAnswer(const Answer& answer, const Client& client, Timestamp now) {
  if (answer.kind == Answer::Kind::WrongVersion) {
    // RFC 6887 appendix A: a NAT-PMP router answers version 2 with its own. One that wants PCP of
    // another version is none for us.
    const bool anyAsked = std::any_of(mappings_.begin(), mappings_.end(),
                                      [](const Mapping& m) { return m.request.has_value(); });
    if (!anyAsked || language_ != Language::Pcp) {
      ++counters.unmatched;
    } else if (answer.version == port_mapping::kNatPmpVersion) {
      language_ = Language::NatPmp;
      epoch_.reset();
      askAll(now);
    } else {
      ++counters.refused;
      giveUp();
    }
    return;
  }
  const bool isPcp = answer.kind == Answer::Kind::PcpMap;
  if (isPcp != (language_ == Language::Pcp)) {
    ++counters.unmatched;
    return;
  }
  const auto mapping = std::find_if(mappings_.begin(), mappings_.end(), [&](const Mapping& m) {
    return m.request && m.internal.ip == client.local &&
           (answer.kind == Answer::Kind::NatPmpAddress || m.internal.port == answer.internalPort) &&
           (!isPcp || m.nonce == answer.nonce);
  });
  if (mapping == mappings_.end()) {
    ++counters.unmatched;
    return;
  }
  if (hasRestarted(answer.epoch, now)) {
    // Whatever it knew is gone; this very answer is new.
    ++counters.restarts;
    for (Mapping& other : mappings_) {
      if (&other != &*mapping && other.external.port != 0 && !other.request) ask(other, now);
    }
  }
  if (answer.result != 0) {
    ++counters.refused;
    refused(*mapping);
    return;
  }
  if (answer.kind == Answer::Kind::NatPmpAddress) {
    externalIp_ = answer.external.ip;
    for (Mapping& other : mappings_) {
      if (other.external.port == 0 || !other.external.ip.isUnspecified()) continue;
      granted(other, {externalIp_, other.external.port},
              static_cast<uint32_t>((other.expiresAt - now).millis() / 1000), now);
    }
    return;
  }
  const IpAddress ip = isPcp ? answer.external.ip : externalIp_;
  if (!isPcp && ip.isUnspecified()) {
    // The address is asked for again with the next try.
    mapping->external = answer.external;
    mapping->expiresAt = now + Duration::seconds(answer.lifetime);
    return;
  }
  granted(*mapping, {ip, answer.external.port}, answer.lifetime, now);
}

void PortMapperCore::granted(Mapping& mapping, const SocketAddress& external, uint32_t lifetime,
                             Timestamp now) {
  const IpAddress& ip = external.ip;
  if (external.port == 0 || ip.isUnspecified() || ip.isLoopback() || ip.isMulticast() ||
      ip.isBroadcast() || ip.isLinkLocal() || lifetime == 0) {
    ++counters.malformed;
    refused(mapping);
    return;
  }
  const Duration valid = std::clamp(Duration::seconds(lifetime), kMinLifetime, kMaxLifetime);
  mapping.request.reset();
  mapping.settled = true;
  mapping.expiresAt = now + valid;
  // RFC 6887 section 11.2.1: at "1/2 to 5/8 of the lifetime", so that machines do not ask together.
  mapping.renewAt = now + valid * (0.5 + env_.random.unit() / 8);
  const bool changed = std::exchange(mapping.external, external) != external;
  if (changed || !mapping.told) events.push(PortMapped{mapping.socket, external});
  mapping.told = true;
}

void PortMapperCore::refused(Mapping& mapping) {
  mapping.request.reset();
  if (!std::exchange(mapping.settled, true)) events.push(PortRefused{mapping.socket});
  mapping.renewAt = Timestamp::never();
  if (mapping.told) {
    // It lasts as long as it was granted for.
    if (mapping.expiresAt <= clock_.last()) lose(mapping);
  } else {
    mapping.external = {};
    mapping.expiresAt = Timestamp::never();
  }
}

void PortMapperCore::lose(Mapping& mapping) {
  if (std::exchange(mapping.told, false)) events.push(PortUnmapped{mapping.socket});
  mapping.external = {};
  mapping.expiresAt = mapping.renewAt = Timestamp::never();
  mapping.request.reset();
}

void PortMapperCore::run(Mapping& mapping, Timestamp now) {
  if (mapping.told && mapping.expiresAt <= now) {
    lose(mapping);
    return;
  }
  if (mapping.renewAt <= now) ask(mapping, now);
  if (!mapping.request) return;
  switch (mapping.request->advance(now)) {
    case stun::Transaction::Due::Nothing:
      break;
    case stun::Transaction::Due::Retransmit:
      send(mapping, config_.lifetime);
      break;
    case stun::Transaction::Due::TimedOut:
      if (!mapping.told) {
        refused(mapping);
      } else {
        mapping.request.reset();
        mapping.renewAt = now + std::max((mapping.expiresAt - now) / 2, kMinRenewal);
      }
      break;
  }
}

void PortMapperCore::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (lookUpBy_ <= now) giveUp();
  if (closeSocketsAt_ <= now) {
    closeSocketsAt_ = Timestamp::never();
    for (const Client& client : clients_) effects.push(CloseSocket{client.socket});
    clients_.clear();
  }
  if (closed_) return;
  for (size_t i = clients_.size(); i-- > 0;) {
    if (!clients_[i].open && clients_[i].giveUpAt <= now)
      handleSocketFailed(SocketFailed{clients_[i].socket}, now);
  }
  for (Mapping& mapping : mappings_) run(mapping, now);
}

Timestamp PortMapperCore::nextDeadline() const {
  if (closed_) return closeSocketsAt_;
  Timestamp next = lookUpBy_;
  for (const Client& client : clients_) {
    if (!client.open) next = earliest(next, client.giveUpAt);
  }
  for (const Mapping& mapping : mappings_) {
    if (mapping.request) next = earliest(next, mapping.request->deadline());
    next = earliest(next, mapping.renewAt);
    if (mapping.told) next = earliest(next, mapping.expiresAt);
  }
  return next;
}

bool PortMapperCore::settled() const {
  return std::all_of(mappings_.begin(), mappings_.end(),
                     [](const Mapping& mapping) { return mapping.settled; });
}

PortMapper::PortMapper(Environment& environment, IdAllocator& ids, const PortMapperConfig& config)
    : core_(std::make_unique<PortMapperCore>(environment, ids, config)) {}
PortMapper::~PortMapper() = default;
PortMapper::PortMapper(PortMapper&&) noexcept = default;
PortMapper& PortMapper::operator=(PortMapper&&) noexcept = default;

void PortMapper::add(SocketId socket, const SocketAddress& internal, Timestamp now) {
  core_->add(socket, internal, now);
}
void PortMapper::remove(SocketId socket, Timestamp now) {
  core_->remove(socket, now);
}
void PortMapper::close(Timestamp now) {
  core_->close(now);
}
bool PortMapper::handleResolved(const Resolved& resolved, Timestamp now) {
  return core_->handleResolved(resolved, now);
}
bool PortMapper::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  return core_->handleSocketOpened(opened, now);
}
bool PortMapper::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  return core_->handleSocketFailed(failed, now);
}
bool PortMapper::handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram,
                                Timestamp now) {
  return core_->handleDatagram(socket, from, datagram, now);
}
bool PortMapper::pollTransmit(TxPacket& out) {
  if (core_->transmits.empty()) return false;
  out = core_->transmits.pop();
  return true;
}
bool PortMapper::pollEffect(Effect& out) {
  if (core_->effects.empty()) return false;
  out = core_->effects.pop();
  return true;
}
bool PortMapper::pollEvent(PortMapperEvent& out) {
  if (core_->events.empty()) return false;
  out = core_->events.pop();
  return true;
}
void PortMapper::advance(Timestamp now) {
  core_->advance(now);
}
Timestamp PortMapper::nextDeadline() const {
  return core_->nextDeadline();
}
bool PortMapper::settled() const {
  return core_->settled();
}
const PortMapperCounters& PortMapper::counters() const {
  return core_->counters;
}

}  // namespace parley::ice
