#include "ice/upnp_mapper_core.h"

#include <algorithm>
#include <utility>

namespace parley::ice {
namespace {

constexpr size_t kMaxGateways = 8;
constexpr size_t kMaxFound = 4;  // devices that answer one search
constexpr int kSearches = 2;
constexpr Duration kSearchGap = Duration::millis(600);
constexpr Duration kLinger = Duration::seconds(3);

}  // namespace

// ---- what is wanted ----

void UpnpMapperCore::prepare(const IpAddress& local, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_ || !local.isV4() || local.isLoopback() || local.isUnspecified() ||
      gateways_.size() == kMaxGateways || gatewayOf(local)) {
    return;
  }
  Gateway& gateway = gateways_.emplace_back();
  gateway.local = local;
  gateway.search = ids_.nextSocket();
  gateway.giveUpAt = now + config_.patience;
  effects.push(OpenUdp{gateway.search, {local, 0}});
}

void UpnpMapperCore::add(SocketId socket, const SocketAddress& internal, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_ || mappings_.size() == kMaxMappings) return;
  prepare(internal.ip, now);
  Gateway* gateway = gatewayOf(internal.ip);
  if (!gateway) return;
  remove(socket, now);
  Mapping& mapping = mappings_.emplace_back();
  mapping.socket = socket;
  mapping.internal = internal;
  mapping.port = internal.port;
  if (gateway->state == Gateway::State::None) mapping.settled = true;
  if (gateway->state != Gateway::State::Ready) return;
  enqueue(*gateway, {Job::Kind::Map, socket});
  startJob(*gateway, now);
}

void UpnpMapperCore::remove(SocketId socket, Timestamp now) {
  now = clock_.clamp(now);
  const auto at = std::find_if(mappings_.begin(), mappings_.end(),
                               [&](const Mapping& mapping) { return mapping.socket == socket; });
  if (at == mappings_.end()) return;
  if (Gateway* gateway = gatewayOf(at->internal.ip);
      gateway && gateway->state == Gateway::State::Ready) {
    const auto isItsMap = [&](const Job& job) {
      return job.kind == Job::Kind::Map && job.mapping == socket;
    };
    std::erase_if(gateway->jobs, isItsMap);
    // Also if the answer is still under way.
    if (at->told || (gateway->running && isItsMap(gateway->running->job)))
      enqueue(*gateway, {Job::Kind::Unmap, {}, at->port});
    startJob(*gateway, now);
  }
  mappings_.erase(at);
}

void UpnpMapperCore::close(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  while (!mappings_.empty()) remove(mappings_.back().socket, now);
  closed_ = true;
  closedBy_ = now + kLinger;
  for (Gateway& gateway : gateways_) {
    closeSearch(gateway);
    std::erase_if(gateway.jobs, [](const Job& job) { return job.kind != Job::Kind::Unmap; });
    if (gateway.running && gateway.running->job.kind != Job::Kind::Unmap &&
        gateway.running->job.kind != Job::Kind::Map) {
      effects.push(CloseSocket{gateway.running->socket});
      gateway.running.reset();
      startJob(gateway, now);
    }
  }
  if (drained()) finishClosing();
}

bool UpnpMapperCore::drained() const {
  return std::all_of(gateways_.begin(), gateways_.end(),
                     [](const Gateway& g) { return !g.running && g.jobs.empty(); });
}

void UpnpMapperCore::finishClosing() {
  closedBy_ = Timestamp::never();
  for (Gateway& gateway : gateways_) {
    if (gateway.running) effects.push(CloseSocket{gateway.running->socket});
  }
  gateways_.clear();
}

// ---- look-ups ----

UpnpMapperCore::Gateway* UpnpMapperCore::gatewayOf(const IpAddress& local) {
  const auto at = std::find_if(gateways_.begin(), gateways_.end(),
                               [&](const Gateway& gateway) { return gateway.local == local; });
  return at == gateways_.end() ? nullptr : &*at;
}

UpnpMapperCore::Gateway* UpnpMapperCore::gatewayBySocket(SocketId socket, bool running) {
  const auto at = std::find_if(gateways_.begin(), gateways_.end(), [&](const Gateway& gateway) {
    if (running) return gateway.running && gateway.running->socket == socket;
    return gateway.search == socket && socket != SocketId{};
  });
  return at == gateways_.end() ? nullptr : &*at;
}

UpnpMapperCore::Mapping* UpnpMapperCore::mappingOf(SocketId socket) {
  const auto at = std::find_if(mappings_.begin(), mappings_.end(),
                               [&](const Mapping& mapping) { return mapping.socket == socket; });
  return at == mappings_.end() ? nullptr : &*at;
}

bool UpnpMapperCore::owns(SocketId socket) const {
  return std::any_of(gateways_.begin(), gateways_.end(), [&](const Gateway& gateway) {
    return (gateway.search == socket && socket != SocketId{}) ||
           (gateway.running && gateway.running->socket == socket);
  });
}

// ---- finding the router ----

void UpnpMapperCore::search(Gateway& gateway, Timestamp now) {
  // A device of version 2 must answer searches for version 1; some do not.
  for (const int version : {1, 2}) {
    TxPacket out;
    out.socket = gateway.search;
    out.to = {upnp::searchGroup(), upnp::kSearchPort};
    out.from = gateway.local;
    out.data = env_.pool.copyOf(asBytes(upnp::writeSearch(version)));
    if (out.data) transmits.push(std::move(out));
  }
  gateway.searchAt = ++gateway.searches < kSearches ? now + kSearchGap : Timestamp::never();
}

void UpnpMapperCore::closeSearch(Gateway& gateway) {
  gateway.searchAt = Timestamp::never();
  if (gateway.search != SocketId{}) effects.push(CloseSocket{std::exchange(gateway.search, {})});
}

bool UpnpMapperCore::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  now = clock_.clamp(now);
  if (Gateway* gateway = gatewayBySocket(opened.socket, false)) {
    if (gateway->state != Gateway::State::Opening) return true;
    gateway->state = Gateway::State::Searching;
    gateway->giveUpAt = now + config_.search;
    search(*gateway, now);
    return true;
  }
  Gateway* gateway = gatewayBySocket(opened.socket, true);
  if (!gateway) return false;
  if (std::exchange(gateway->running->open, true)) return true;
  const std::string request = requestOf(*gateway, gateway->running->job);
  for (ByteSpan rest = asBytes(request); !rest.empty();) {
    const size_t count = std::min(rest.size(), PacketBuf::kMaxPayload);
    TxPacket out;
    out.socket = opened.socket;
    out.data = env_.pool.copyOf(rest.first(count));
    if (out.data) transmits.push(std::move(out));
    rest = rest.subspan(count);
  }
  return true;
}

bool UpnpMapperCore::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  now = clock_.clamp(now);
  if (Gateway* gateway = gatewayBySocket(failed.socket, false)) {
    gateway->search = {};
    gateway->searchAt = Timestamp::never();
    if (gateway->state != Gateway::State::Ready && !gateway->running) giveUp(*gateway);
    return true;
  }
  Gateway* gateway = gatewayBySocket(failed.socket, true);
  if (!gateway) return false;
  const bool whole = gateway->running->reader.end() == HttpReader::Status::Done;
  endJob(*gateway, whole, true, now);
  return true;
}

bool UpnpMapperCore::handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram,
                                    Timestamp now) {
  now = clock_.clamp(now);
  Gateway* gateway = gatewayBySocket(socket, false);
  if (!gateway) return false;
  const auto url = upnp::parseSearchAnswer(datagram, from.ip);
  if (!url) {
    ++counters.malformed;
    return true;
  }
  const bool known =
      std::find(gateway->found.begin(), gateway->found.end(), *url) != gateway->found.end();
  if (known || gateway->found.size() == kMaxFound) return true;
  gateway->found.push_back(*url);
  if (!gateway->running) describeNext(*gateway);
  startJob(*gateway, now);
  return true;
}

void UpnpMapperCore::describeNext(Gateway& gateway) {
  if (gateway.state == Gateway::State::Searching && gateway.tried < gateway.found.size())
    enqueue(gateway, {Job::Kind::Describe});
}

/// There is no router that does it.
void UpnpMapperCore::giveUp(Gateway& gateway) {
  gateway.state = Gateway::State::None;
  gateway.service.reset();
  gateway.jobs.clear();
  closeSearch(gateway);
  for (Mapping& mapping : mappings_) {
    if (mapping.internal.ip == gateway.local) refused(mapping, clock_.last());
  }
}

void UpnpMapperCore::described(Gateway& gateway, const std::string& body) {
  const upnp::Url& url = gateway.found[gateway.tried++];
  const auto service = upnp::parseDescription(body, url);
  if (!service) {
    ++counters.malformed;
    describeNext(gateway);
    return;
  }
  gateway.service = service;
  enqueue(gateway, {Job::Kind::Address});
}

void UpnpMapperCore::addressTold(Gateway& gateway, const IpAddress& address) {
  const bool first = gateway.state != Gateway::State::Ready;
  const bool changed = std::exchange(gateway.external, address) != address;
  gateway.state = Gateway::State::Ready;
  if (first) closeSearch(gateway);
  for (Mapping& mapping : mappings_) {
    if (mapping.internal.ip != gateway.local) continue;
    if (first) enqueue(gateway, {Job::Kind::Map, mapping.socket});
    if (changed && mapping.told) events.push(PortMapped{mapping.socket, {address, mapping.port}});
  }
}

// ---- time ----

void UpnpMapperCore::run(Gateway& gateway, Timestamp now) {
  if (gateway.running && gateway.running->by <= now) endJob(gateway, false, false, now);
  if (gateway.searchAt <= now) search(gateway, now);
  const bool looking =
      gateway.state == Gateway::State::Opening || gateway.state == Gateway::State::Searching;
  // A description that is being read may still lead somewhere.
  if (looking && gateway.giveUpAt <= now && !gateway.running && gateway.jobs.empty())
    giveUp(gateway);
}

void UpnpMapperCore::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) {
    for (size_t i = 0; i < gateways_.size(); ++i) {
      Gateway& gateway = gateways_[i];
      if (gateway.running && gateway.running->by <= now) endJob(gateway, false, false, now);
    }
    if (closedBy_ <= now) finishClosing();
    return;
  }
  for (Gateway& gateway : gateways_) run(gateway, now);
  for (Mapping& mapping : mappings_) {
    if (mapping.expiresAt <= now) lose(mapping);
    if (mapping.renewAt > now) continue;
    mapping.renewAt = Timestamp::never();
    Gateway* gateway = gatewayOf(mapping.internal.ip);
    if (!gateway || gateway->state != Gateway::State::Ready) continue;
    // The provider may have given it another address.
    enqueue(*gateway, {Job::Kind::Address});
    enqueue(*gateway, {Job::Kind::Map, mapping.socket});
    startJob(*gateway, now);
  }
}

Timestamp UpnpMapperCore::nextDeadline() const {
  Timestamp next = closedBy_;
  for (const Gateway& gateway : gateways_) {
    if (gateway.running) next = earliest(next, gateway.running->by);
    if (closed_) continue;
    next = earliest(next, gateway.searchAt);
    const bool looking =
        gateway.state == Gateway::State::Opening || gateway.state == Gateway::State::Searching;
    if (looking && !gateway.running && gateway.jobs.empty())
      next = earliest(next, gateway.giveUpAt);
  }
  for (const Mapping& mapping : mappings_)
    next = earliest(next, earliest(mapping.renewAt, mapping.expiresAt));
  return next;
}

bool UpnpMapperCore::settled() const {
  return std::all_of(mappings_.begin(), mappings_.end(),
                     [](const Mapping& mapping) { return mapping.settled; });
}

}  // namespace parley::ice
