#include "parley/endpoint/endpoint.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "parley/ice/candidate.h"

#include "base/overloaded.h"
#include "endpoint/waiting_streams.h"

namespace parley::endpoint {
namespace {

// A SessionId carries the slot and its generation, so an old id never reaches a new session.
constexpr uint32_t kSlotBits = 20;
constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;

// Packets that a session sends before the next one has its turn: enough for the kernel to segment,
// few enough for sound to pass somebody else's file.
constexpr size_t kTurn = 32;

// Sessions that ask for consent together: a wake-up costs more than a request does. Not more, for a
// thousand requests at once would keep everything else waiting.
constexpr size_t kAskTogether = 32;

SessionId makeId(size_t slot, uint32_t generation) {
  return SessionId(static_cast<uint32_t>(slot) | generation << kSlotBits);
}

}  // namespace

Endpoint::Endpoint(Random& random, LogSink& log, EndpointConfig config)
    : pool_(config.maxPacketSlots, config.poolLock),
      memory_(config.limits.maxSharedBuffers),
      environment_{random, pool_,         log,
                   {},     config.limits, config.memory != nullptr ? config.memory : &memory_},
      shared_(std::move(config.sharedPorts)),
      sharedTcp_(std::move(config.sharedTcpPorts)),
      waiting_(std::make_unique<WaitingStreams>(config.limits.maxWaitingTcp)),
      effects_(kSlotMask),
      ready_(kSlotMask),
      output_(kSlotMask) {
  openShared();
}

Endpoint::~Endpoint() = default;

Endpoint::Slot* Endpoint::slotOf(SessionId id) {
  const size_t index = id.value & kSlotMask;
  if (index >= slots_.size()) return nullptr;
  Slot& slot = slots_[index];
  if (!slot.session || (slot.generation << kSlotBits) != (id.value & ~kSlotMask)) return nullptr;
  return &slot;
}

SessionId Endpoint::createSession(jsep::SessionConfig config, Timestamp now) {
  now = clock_.clamp(now);
  size_t index;
  if (freeSlots_.empty()) {
    index = slots_.size();
    PARLEY_CHECK(index < kSlotMask);
    slots_.emplace_back();
  } else {
    index = freeSlots_.back();
    freeSlots_.pop_back();
  }
  Slot& slot = slots_[index];
  // On a shared port the user fragment names a session, not one of its transports.
  if (shared_.count() + sharedTcp_.count() > 0) config.bundlePolicy = jsep::BundlePolicy::MaxBundle;
  slot.session = std::make_unique<jsep::Session>(environment_, std::move(config), now);
  ++liveSessions_;
  collect(index, now);
  collectOwn(now);
  return makeId(index, slot.generation);
}

jsep::Session* Endpoint::session(SessionId id) {
  Slot* slot = slotOf(id);
  return slot ? slot->session.get() : nullptr;
}

void Endpoint::touch(SessionId id, Timestamp now) {
  if (!slotOf(id)) return;
  now = clock_.clamp(now);
  collect(id.value & kSlotMask, now);
  collectOwn(now);
}

void Endpoint::expectTransmits(SessionId id, Timestamp now) {
  Slot* slot = slotOf(id);
  if (!slot) return;
  slot->session->expectTransmits(clock_.clamp(now));
  if (!slot->hasOutput) slot->hasOutput = output_.push(id.value & kSlotMask);
}

void Endpoint::destroySession(SessionId id) {
  Slot* slot = slotOf(id);
  if (!slot) return;
  const size_t index = id.value & kSlotMask;
  for (SocketId socket : sockets_.ofSession(index)) {
    sockets_.remove(socket);
    effects_.push(CloseSocket{socket});
  }
  for (ResolveId look : slot->resolving) {
    resolving_.erase(look.value);
    if (mdns_) mdns_->cancel(look);
  }
  for (const std::string& name : slot->names) mdns().withdraw(name, clock_.last());
  shared_.forget(index);
  sharedTcp_.forget(index);
  timers_.set(index, Timestamp::never());
  consents_.set(index, Timestamp::never());
  const uint32_t generation = (slot->generation + 1) & ((1u << (32 - kSlotBits)) - 1);
  // `ready`, `hasOutput` and `unarmed` stay as they are: the queues still hold the index and skip
  // it once.
  *slot = Slot{nullptr, generation, slot->ready, slot->hasOutput, false, slot->unarmed, {}, {}};
  freeSlots_.push_back(index);
  --liveSessions_;
}

void Endpoint::markReady(size_t index) {
  Slot& slot = slots_[index];
  if (slot.ready || !slot.session->hasEvents()) return;
  slot.ready = ready_.push(index);
}

bool Endpoint::pollReady(SessionId& out) {
  while (!ready_.empty()) {
    const size_t index = ready_.pop();
    slots_[index].ready = false;
    // The slot may be another session's by now.
    const jsep::Session* session = slots_[index].session.get();
    if (!session || !session->hasEvents()) continue;
    out = makeId(index, slots_[index].generation);
    return true;
  }
  return false;
}

// Takes what a session produced (wishes at once, packets lazily in pollTransmit) and re-arms its
// timer.
void Endpoint::collect(size_t index, Timestamp now) {
  Effect effect;
  while (slots_[index].session->pollEffect(effect)) translateEffect(index, std::move(effect), now);
  ice::HostName name;
  while (slots_[index].session->pollName(name)) handleName(index, name, now);
  Slot& slot = slots_[index];
  for (SharedPorts* shared : {&shared_, &sharedTcp_}) {
    if (!shared->usesOf(index).empty())
      shared->setUfrag(index, slot.session->transport().localCredentials().ufrag);
  }
  if (!slot.hasOutput && slot.session->hasTransmits()) slot.hasOutput = output_.push(index);
  disarm(index);
  markReady(index);
}

// A session's timer is set once its packets are out: sending moves it, and is not to wait for it.
void Endpoint::disarm(size_t index) {
  if (!std::exchange(slots_[index].unarmed, true)) unarmed_.push_back(index);
}

void Endpoint::arm() {
  for (const size_t index : unarmed_) {
    Slot& slot = slots_[index];
    slot.unarmed = false;
    if (!slot.session) continue;
    timers_.set(index, slot.session->nextDeadline());
    consents_.set(index, slot.session->consentFrom());
  }
  unarmed_.clear();
}

void Endpoint::translateEffect(size_t index, Effect&& effect, Timestamp now) {
  std::visit(Overloaded{
                 [](std::monostate) {},
                 [&](WatchInterfaces) {
                   slots_[index].wantsInterfaces = true;
                   if (haveInterfaces_)
                     slots_[index].session->handle(InterfacesChanged{interfaces_}, now);
                   if (!watching_) watching_ = effects_.push(WatchInterfaces{});
                 },
                 [&](Resolve& e) { resolve(index, std::move(e), now); },
                 [&](CloseSocket& e) {
                   if (shared_.remove(index, e.socket) || sharedTcp_.remove(index, e.socket))
                     return;
                   const auto socket = sockets_.lookUp(index, e.socket);
                   if (!socket) return;
                   sockets_.remove(*socket);
                   effects_.push(CloseSocket{*socket});
                 },
                 [&](JoinMulticast& e) {
                   const auto socket = sockets_.lookUp(index, e.socket);
                   if (socket) effects_.push(JoinMulticast{*socket, e.group, e.interfaceIndex});
                 },
                 [&](HoldStream& e) {
                   const auto socket = sockets_.lookUp(index, e.socket);
                   if (socket) effects_.push(HoldStream{*socket, e.hold});
                 },
                 [&](auto& open) {
                   if constexpr (std::is_same_v<decltype(open), OpenUdp&>) {
                     if (shareSocket(index, open, now)) return;
                   }
                   if constexpr (std::is_same_v<decltype(open), ListenTcp&>) {
                     if (shareListener(index, open, now)) return;
                   }
                   open.socket = sockets_.add(index, open.socket);
                   effects_.push(std::move(open));
                 },
             },
             effect);
}

void Endpoint::deliver(size_t index, Input&& input, Timestamp now) {
  slots_[index].session->handle(std::move(input), now);
  collect(index, now);
}

void Endpoint::resolve(size_t index, Resolve&& wish, Timestamp now) {
  const ResolveId id = ids_.nextResolve();
  resolving_[id.value] = {index, wish.id};
  slots_[index].resolving.push_back(id);
  if (!ice::isMdnsCandidateName(wish.host)) {
    effects_.push(Resolve{id, std::move(wish.host)});
    return;
  }
  mdns().resolve(id, wish.host, now);
}

ice::MdnsResolver& Endpoint::mdns() {
  if (!mdns_) {
    ice::MdnsConfig config;
    config.maxQuestions = environment_.limits.maxEndpointMdns;
    config.maxNames = 4 * config.maxQuestions;
    mdns_ = std::make_unique<ice::MdnsResolver>(environment_, ids_, config);
  }
  return *mdns_;
}

void Endpoint::handleName(size_t index, const ice::HostName& name, Timestamp now) {
  std::vector<std::string>& names = slots_[index].names;
  if (!name.inUse) {
    std::erase(names, name.name);
    mdns().withdraw(name.name, now);
    return;
  }
  uint32_t interfaceIndex = 0;
  for (const NetworkInterface& interface : interfaces_) {
    const auto& own = interface.addresses;
    if (std::find(own.begin(), own.end(), name.address) != own.end())
      interfaceIndex = interface.index;
  }
  names.push_back(name.name);
  mdns().publish(name.name, name.address, interfaceIndex, now);
}

// What the machines of the endpoint itself produced. Answers may make sessions ask for more, which
// may be answered at once.
void Endpoint::collectOwn(Timestamp now) {
  if (!mdns_) return;
  Resolved resolved;
  while (mdns_->pollResult(resolved)) routeResolved(std::move(resolved), now);
  Effect effect;
  while (mdns_->pollEffect(effect)) {
    std::visit(Overloaded{
                   [&](OpenUdp& e) {
                     e.socket = sockets_.add(SocketTable::kEndpoint, e.socket);
                     effects_.push(std::move(e));
                   },
                   [&](JoinMulticast& e) {
                     const auto socket = sockets_.lookUp(SocketTable::kEndpoint, e.socket);
                     if (socket) effects_.push(JoinMulticast{*socket, e.group, e.interfaceIndex});
                   },
                   [&](CloseSocket& e) {
                     const auto socket = sockets_.lookUp(SocketTable::kEndpoint, e.socket);
                     if (!socket) return;
                     sockets_.remove(*socket);
                     effects_.push(CloseSocket{*socket});
                   },
                   [](auto&) {},
               },
               effect);
  }
}

void Endpoint::handleOwn(Input&& input, Timestamp now) {
  if (!mdns_) return;
  std::visit(
      Overloaded{
          [&](Datagram& in) { mdns_->handleDatagram(in.socket, in.from, in.data.span(), now); },
          [&](SocketOpened& in) { mdns_->handleSocketOpened(in, now); },
          [&](SocketFailed& in) { mdns_->handleSocketFailed(in, now); },
          [](auto&) {},
      },
      input);
}

bool Endpoint::pollOwnTransmit(TxPacket& out) {
  while (mdns_ && mdns_->pollTransmit(out)) {
    const auto socket = sockets_.lookUp(SocketTable::kEndpoint, out.socket);
    if (!socket) continue;
    out.socket = *socket;
    return true;
  }
  return false;
}

void Endpoint::routeResolved(Resolved&& resolved, Timestamp now) {
  const auto it = resolving_.find(resolved.id.value);
  if (it == resolving_.end()) return;
  const PendingResolve pending = it->second;
  resolving_.erase(it);
  std::erase(slots_[pending.session].resolving, resolved.id);
  resolved.id = pending.sessionId;
  deliver(pending.session, std::move(resolved), now);
}

void Endpoint::setInterfaces(std::vector<NetworkInterface> interfaces, Timestamp now) {
  interfaces_ = std::move(interfaces);
  haveInterfaces_ = true;
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].session && slots_[i].wantsInterfaces)
      deliver(i, InterfacesChanged{interfaces_}, now);
  }
}

void Endpoint::handle(Input&& input, Timestamp now) {
  now = clock_.clamp(now);
  std::visit(
      Overloaded{
          [&](Resolved& resolved) { routeResolved(std::move(resolved), now); },
          [&](InterfacesChanged& changed) { setInterfaces(std::move(changed.interfaces), now); },
          [&](TcpAccepted& accepted) { accept(std::move(accepted), now); },
          [&](auto& onSocket) {
            const SocketTable::Owner* owner = sockets_.find(onSocket.socket);
            if (!owner) {
              ++counters_.datagramsUnrouted;
              return;
            }
            handleOnSocket(SocketTable::Owner(*owner), std::move(onSocket), now);
          },
      },
      input);
  collectOwn(now);
}

template <class OnSocket>
void Endpoint::handleOnSocket(const SocketTable::Owner& owner, OnSocket&& input, Timestamp now) {
  const SocketId number = std::exchange(input.socket, owner.sessionSocket);
  if (owner.session == SocketTable::kEndpoint) {
    handleOwn(std::move(input), now);
  } else if (owner.session == SocketTable::kShared) {
    handleShared(owner.sessionSocket.value, std::move(input), now);
  } else if (owner.session == SocketTable::kSharedTcp) {
    handleSharedTcp(number, owner.sessionSocket.value, std::move(input), now);
  } else {
    deliver(owner.session, std::move(input), now);
    if constexpr (std::is_same_v<std::decay_t<OnSocket>, SocketFailed>) {
      // The driver has no such socket any more. Its number may be another one's already.
      const SocketTable::Owner* after = sockets_.find(number);
      if (after && after->session == owner.session && after->sessionSocket == owner.sessionSocket)
        sockets_.remove(number);
    }
  }
}

void Endpoint::handleDatagrams(std::span<Datagram> datagrams, Timestamp now) {
  now = clock_.clamp(now);
  while (!datagrams.empty()) {
    const SocketId socket = datagrams.front().socket;
    size_t run = 1;
    while (run < datagrams.size() && datagrams[run].socket == socket) ++run;
    const SocketTable::Owner* found = sockets_.find(socket);
    if (found == nullptr || found->session == SocketTable::kEndpoint) {
      for (Datagram& datagram : datagrams.first(run)) handle(std::move(datagram), now);
    } else if (found->session == SocketTable::kShared) {
      routeShared(found->sessionSocket.value, datagrams.first(run), now);
    } else {
      const SocketTable::Owner owner = *found;
      for (Datagram& datagram : datagrams.first(run)) datagram.socket = owner.sessionSocket;
      slots_[owner.session].session->handleDatagrams(datagrams.first(run), now);
      collect(owner.session, now);
    }
    datagrams = datagrams.subspan(run);
  }
  collectOwn(now);
}

void Endpoint::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (mdns_) mdns_->advance(now);
  expireWaiting(now);
  arm();
  bool asked = false;
  while (timers_.next() <= now) {
    const size_t index = timers_.nextKey();
    const bool mayAsk = slots_[index].session->consentFrom() <= now;
    slots_[index].session->advance(now);
    asked = asked || (mayAsk && slots_[index].session->consentFrom() > now);
    collect(index, now);
    arm();
    // A session that breaks machine rule M4 must not hang the loop that serves all the others.
    if (slots_[index].session->nextDeadline() <= now) {
      PARLEY_LOG(environment_.log, Error, "endpoint", "session %zu wants to be woken in the past",
                 index);
      timers_.set(index, now + Duration::millis(1));
    }
  }
  if (asked) askTogether(now);
  collectOwn(now);
}

/// One session's time to ask has come: others whose time is near ask along.
void Endpoint::askTogether(Timestamp now) {
  for (size_t i = 1; i < kAskTogether && consents_.next() <= now; ++i) {
    const size_t index = consents_.nextKey();
    slots_[index].session->askForConsent(now);
    collect(index, now);
    arm();
  }
}

size_t Endpoint::pollTransmit(std::span<TxPacket> out) {
  size_t n = 0;
  while (n < out.size() && pollOwnTransmit(out[n])) ++n;
  while (n < out.size() && !output_.empty()) {
    const size_t index = output_.front();
    Slot& slot = slots_[index];
    if (slot.session && turn_ < kTurn && slot.session->hasTransmits() &&
        slot.session->pollTransmit(out[n])) {
      ++turn_;
      const auto socket = socketFor(index, out[n]);
      if (!socket) {  // closed between queuing and sending
        out[n].data.reset();
        continue;
      }
      out[n].socket = *socket;
      ++n;
      continue;
    }
    output_.pop();
    slot.hasOutput = slot.session && turn_ == kTurn && output_.push(index);
    turn_ = 0;
    disarm(index);
  }
  if (n == 0) arm();
  return n;
}

bool Endpoint::pollEffect(Effect& out) {
  if (effects_.empty()) return false;
  out = effects_.pop();
  return true;
}

Timestamp Endpoint::nextDeadline() const {
  Timestamp next = earliest(timers_.next(), waiting_->nextDeadline(),
                            mdns_ ? mdns_->nextDeadline() : Timestamp::never());
  for (const size_t index : unarmed_) {
    if (const auto& session = slots_[index].session) next = earliest(next, session->nextDeadline());
  }
  return next;
}

}  // namespace parley::endpoint
