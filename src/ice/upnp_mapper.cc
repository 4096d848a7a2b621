#include "parley/ice/upnp_mapper.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "parley/base/machine.h"
#include "parley/base/ring_queue.h"

#include "ice/http_reader.h"
#include "ice/upnp_message.h"

namespace parley::ice {
namespace {

static_assert(Machine<UpnpMapper>);

constexpr size_t kMaxGateways = 8;
constexpr size_t kMaxMappings = 32;
constexpr size_t kMaxFound = 4;  // devices that answer one search
constexpr int kSearches = 2;
constexpr Duration kSearchGap = Duration::millis(600);
/// Other ports, where the wanted one is taken.
constexpr int kMaxPorts = 4;
/// A mapping without an end is asked for again so often: the router may have restarted.
constexpr Duration kPermanentRenewal = Duration::seconds(1800);
/// After a renewal that came to nothing.
constexpr Duration kRenewAgain = Duration::seconds(60);
constexpr Duration kLinger = Duration::seconds(3);

}  // namespace

class UpnpMapperCore {
 public:
  UpnpMapperCore(Environment& environment, IdAllocator& ids, const UpnpMapperConfig& config)
      : env_(environment), ids_(ids), config_(config) {}

  void prepare(const IpAddress& local, Timestamp now);
  void add(SocketId socket, const SocketAddress& internal, Timestamp now);
  void remove(SocketId socket, Timestamp now);
  void close(Timestamp now);
  bool owns(SocketId socket) const;
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram, Timestamp now);
  bool handleStream(SocketId socket, ByteSpan bytes, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  bool settled() const;
  bool isEnding() const { return closed_ && !gateways_.empty(); }

  RingQueue<TxPacket> transmits{64};
  RingQueue<Effect> effects{64};
  RingQueue<PortMapperEvent> events{64};
  UpnpMapperCounters counters;

 private:
  /// One request over a connection of its own.
  struct Job {
    enum class Kind : uint8_t { Describe, Address, Map, Unmap };
    Kind kind{};
    SocketId mapping{};
    uint16_t port = 0;  ///< of Unmap
  };
  struct Running {
    Job job;
    SocketId socket{};
    bool open = false;
    Timestamp by;
    HttpReader reader;
  };
  /// What one address of this machine knows of its router.
  struct Gateway {
    enum class State : uint8_t { Opening, Searching, Ready, None };
    IpAddress local;
    State state = State::Opening;
    SocketId search{};  ///< none any more: its socket is closed
    int searches = 0;
    Timestamp searchAt = Timestamp::never();
    Timestamp giveUpAt;
    std::vector<upnp::Url> found;
    size_t tried = 0;  ///< of those
    std::optional<upnp::Service> service;
    IpAddress external;
    std::optional<Running> running;
    std::deque<Job> jobs;
  };
  struct Mapping {
    SocketId socket{};
    SocketAddress internal;
    uint16_t port = 0;  ///< asked for, then granted
    int ports = 0;      ///< tried
    bool permanent = false;
    bool told = false;
    bool settled = false;
    Timestamp renewAt = Timestamp::never();
    Timestamp expiresAt = Timestamp::never();
  };

  Gateway* gatewayOf(const IpAddress& local);
  Gateway* gatewayBySocket(SocketId socket, bool running);
  Mapping* mappingOf(SocketId socket);
  void search(Gateway& gateway, Timestamp now);
  void closeSearch(Gateway& gateway);
  void describeNext(Gateway& gateway);
  void giveUp(Gateway& gateway);
  void enqueue(Gateway& gateway, Job job);
  void startJob(Gateway& gateway, Timestamp now);
  std::string requestOf(const Gateway& gateway, const Job& job);
  void endJob(Gateway& gateway, bool answered, bool socketGone, Timestamp now);
  void jobDone(Gateway& gateway, const Job& job, int code, const std::string& body, Timestamp now);
  void jobFailed(Gateway& gateway, const Job& job, Timestamp now);
  void described(Gateway& gateway, const std::string& body);
  void addressTold(Gateway& gateway, const IpAddress& address);
  void mapped(Gateway& gateway, Mapping& mapping, const upnp::Answer& answer, Timestamp now);
  void refused(Mapping& mapping, Timestamp now);
  void lose(Mapping& mapping);
  void run(Gateway& gateway, Timestamp now);
  void finishClosing();
  bool drained() const;

  Environment& env_;
  IdAllocator& ids_;
  const UpnpMapperConfig config_;
  MonotonicGuard clock_;
  std::vector<Gateway> gateways_;
  std::vector<Mapping> mappings_;
  bool closed_ = false;
  Timestamp closedBy_ = Timestamp::never();
};

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

// ---- requests ----

void UpnpMapperCore::enqueue(Gateway& gateway, Job job) {
  // Each mapping has at most one Map and one Unmap here, the gateway one of the others.
  if (gateway.jobs.size() < 3 * kMaxMappings) gateway.jobs.push_back(job);
}

void UpnpMapperCore::startJob(Gateway& gateway, Timestamp now) {
  while (!gateway.running && !gateway.jobs.empty()) {
    const Job job = gateway.jobs.front();
    gateway.jobs.pop_front();
    if (job.kind == Job::Kind::Map && !mappingOf(job.mapping)) continue;
    if (job.kind != Job::Kind::Describe && !gateway.service) continue;
    const Running& running =
        gateway.running.emplace(Running{job, ids_.nextSocket(), false, now + config_.request, {}});
    const upnp::Url& url =
        job.kind == Job::Kind::Describe ? gateway.found[gateway.tried] : gateway.service->control;
    effects.push(OpenTcp{running.socket, url.host, gateway.local});
  }
}

std::string UpnpMapperCore::requestOf(const Gateway& gateway, const Job& job) {
  switch (job.kind) {
    case Job::Kind::Describe:
      return upnp::writeGet(gateway.found[gateway.tried]);
    case Job::Kind::Address:
      return upnp::writeAddressRequest(*gateway.service);
    case Job::Kind::Unmap:
      return upnp::writeUnmap(*gateway.service, job.port);
    case Job::Kind::Map:
      break;
  }
  const Mapping* mapping = mappingOf(job.mapping);
  // Its socket went away meanwhile: what is asked for ends by itself.
  if (!mapping) return upnp::writeAddressRequest(*gateway.service);
  upnp::PortMapping wanted;
  wanted.external = mapping->port;
  wanted.internal = mapping->internal;
  wanted.lifetime =
      mapping->permanent ? 0 : static_cast<uint32_t>(config_.lifetime.millis() / 1000);
  // A renewal is about the port that peers were told.
  wanted.anyPort = gateway.service->any && !mapping->told;
  return upnp::writeMap(*gateway.service, wanted);
}

bool UpnpMapperCore::handleStream(SocketId socket, ByteSpan bytes, Timestamp now) {
  now = clock_.clamp(now);
  Gateway* gateway = gatewayBySocket(socket, true);
  if (!gateway) return false;
  const HttpReader::Status status = gateway->running->reader.feed(bytes);
  if (status != HttpReader::Status::Partial)
    endJob(*gateway, status == HttpReader::Status::Done, false, now);
  return true;
}

/// The running request is over, and the next begins.
void UpnpMapperCore::endJob(Gateway& gateway, bool answered, bool socketGone, Timestamp now) {
  const Running ended = std::move(*gateway.running);
  gateway.running.reset();
  if (!socketGone) effects.push(CloseSocket{ended.socket});
  if (answered) {
    jobDone(gateway, ended.job, ended.reader.code(), ended.reader.body(), now);
  } else {
    ++counters.failed;
    jobFailed(gateway, ended.job, now);
  }
  startJob(gateway, now);
  if (closed_ && drained()) finishClosing();
}

void UpnpMapperCore::jobDone(Gateway& gateway, const Job& job, int code, const std::string& body,
                             Timestamp now) {
  if (job.kind == Job::Kind::Describe) {
    described(gateway, code == 200 ? body : std::string());
    return;
  }
  const auto answer = upnp::parseAnswer(code, body);
  if (!answer || answer->error) {
    ++(answer ? counters.refused : counters.malformed);
    Mapping* mapping = job.kind == Job::Kind::Map ? mappingOf(job.mapping) : nullptr;
    const int error = answer ? *answer->error : 0;
    if (mapping && error == upnp::kOnlyPermanent && !mapping->permanent) {
      mapping->permanent = true;
      enqueue(gateway, job);
    } else if (mapping && error == upnp::kConflict && !mapping->told &&
               ++mapping->ports < kMaxPorts) {
      mapping->port = static_cast<uint16_t>(1024 + env_.random.u64() % (65'536 - 1024));
      enqueue(gateway, job);
    } else {
      jobFailed(gateway, job, now);
    }
    return;
  }
  if (job.kind == Job::Kind::Address) {
    const IpAddress ip = answer->address.value_or(IpAddress());
    if (!ip.isV4() || ip.isUnspecified() || ip.isLoopback() || ip.isMulticast() ||
        ip.isBroadcast() || ip.isLinkLocal()) {
      ++counters.malformed;
      jobFailed(gateway, job, now);
      return;
    }
    addressTold(gateway, ip);
  } else if (job.kind == Job::Kind::Map) {
    if (Mapping* mapping = mappingOf(job.mapping)) mapped(gateway, *mapping, *answer, now);
  }
}

void UpnpMapperCore::jobFailed(Gateway& gateway, const Job& job, Timestamp now) {
  switch (job.kind) {
    case Job::Kind::Describe:
      ++gateway.tried;
      describeNext(gateway);
      break;
    case Job::Kind::Address:
      // One that was Ready keeps what it told.
      if (gateway.state != Gateway::State::Ready && !closed_) {
        gateway.service.reset();
        describeNext(gateway);
      }
      break;
    case Job::Kind::Map:
      if (Mapping* mapping = mappingOf(job.mapping)) refused(*mapping, now);
      break;
    case Job::Kind::Unmap:
      break;
  }
}

void UpnpMapperCore::mapped(Gateway& gateway, Mapping& mapping, const upnp::Answer& answer,
                            Timestamp now) {
  const uint16_t port = answer.port.value_or(mapping.port);
  if (port == 0) {
    ++counters.malformed;
    refused(mapping, now);
    return;
  }
  const bool changed = std::exchange(mapping.port, port) != port;
  mapping.settled = true;
  mapping.renewAt = now + (mapping.permanent ? kPermanentRenewal : config_.lifetime / 2);
  mapping.expiresAt = mapping.permanent ? Timestamp::never() : now + config_.lifetime;
  if (changed || !mapping.told) events.push(PortMapped{mapping.socket, {gateway.external, port}});
  mapping.told = true;
}

void UpnpMapperCore::refused(Mapping& mapping, Timestamp now) {
  mapping.settled = true;
  mapping.renewAt = mapping.told ? now + kRenewAgain : Timestamp::never();
}

void UpnpMapperCore::lose(Mapping& mapping) {
  if (std::exchange(mapping.told, false)) events.push(PortUnmapped{mapping.socket});
  mapping.expiresAt = mapping.renewAt = Timestamp::never();
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

// ---- the public face ----

UpnpMapper::UpnpMapper(Environment& environment, IdAllocator& ids, const UpnpMapperConfig& config)
    : core_(std::make_unique<UpnpMapperCore>(environment, ids, config)) {}
UpnpMapper::~UpnpMapper() = default;
UpnpMapper::UpnpMapper(UpnpMapper&&) noexcept = default;
UpnpMapper& UpnpMapper::operator=(UpnpMapper&&) noexcept = default;

void UpnpMapper::prepare(const IpAddress& local, Timestamp now) {
  core_->prepare(local, now);
}
void UpnpMapper::add(SocketId socket, const SocketAddress& internal, Timestamp now) {
  core_->add(socket, internal, now);
}
void UpnpMapper::remove(SocketId socket, Timestamp now) {
  core_->remove(socket, now);
}
void UpnpMapper::close(Timestamp now) {
  core_->close(now);
}
bool UpnpMapper::isEnding() const {
  return core_->isEnding();
}
bool UpnpMapper::owns(SocketId socket) const {
  return core_->owns(socket);
}
bool UpnpMapper::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  return core_->handleSocketOpened(opened, now);
}
bool UpnpMapper::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  return core_->handleSocketFailed(failed, now);
}
bool UpnpMapper::handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram,
                                Timestamp now) {
  return core_->handleDatagram(socket, from, datagram, now);
}
bool UpnpMapper::handleStream(SocketId socket, ByteSpan bytes, Timestamp now) {
  return core_->handleStream(socket, bytes, now);
}
bool UpnpMapper::pollTransmit(TxPacket& out) {
  if (core_->transmits.empty()) return false;
  out = core_->transmits.pop();
  return true;
}
bool UpnpMapper::pollEffect(Effect& out) {
  if (core_->effects.empty()) return false;
  out = core_->effects.pop();
  return true;
}
bool UpnpMapper::pollEvent(PortMapperEvent& out) {
  if (core_->events.empty()) return false;
  out = core_->events.pop();
  return true;
}
void UpnpMapper::advance(Timestamp now) {
  core_->advance(now);
}
Timestamp UpnpMapper::nextDeadline() const {
  return core_->nextDeadline();
}
bool UpnpMapper::settled() const {
  return core_->settled();
}
const UpnpMapperCounters& UpnpMapper::counters() const {
  return core_->counters;
}

}  // namespace parley::ice
