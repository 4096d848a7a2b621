#include <algorithm>
#include <utility>

#include "parley/crypto/const_time.h"
#include "parley/stun/turn.h"

#include "turn/server_core.h"

// Allocate (RFC 8656 section 7.2) and the opening of relayed ports.

namespace parley::turn {
namespace {

using stun::AttributeType;
using stun::StunError;

/// Ports tried before the server counts as full.
constexpr int kMaxAttempts = 24;
/// RFC 8656 section 7.2: a reserved port is kept for 30 seconds at least.
constexpr Duration kReservation = Duration::seconds(30);
constexpr size_t kMaxReservations = 1024;
/// For the case that the driver never answers.
constexpr Duration kOpening = Duration::seconds(5);

}  // namespace

const ServerRelay* ServerCore::relayConfig(AddressFamily family) const {
  for (const ServerRelay& relay : config_.relays) {
    if (relay.bind.family() == family) return &relay;
  }
  return nullptr;
}

/// What kind of relay is asked for; nullopt and the error for what contradicts itself.
std::optional<ServerCore::RelayWish> ServerCore::relayWish(const stun::Message& request,
                                                           const ClientPath& path,
                                                           StunError& error) const {
  RelayWish wish;
  error = StunError::BadRequest;
  const auto transport = request.u32(AttributeType::RequestedTransport);
  if (!transport) return std::nullopt;
  wish.tcp = *transport >> 24 == static_cast<uint32_t>(stun::RelayTransport::Tcp);
  const bool isUdp = *transport >> 24 == static_cast<uint32_t>(stun::RelayTransport::Udp);
  if (!isUdp && (!wish.tcp || config_.maxConnections == 0)) {
    error = StunError::UnsupportedTransport;
    return std::nullopt;
  }
  const auto requested = request.find(AttributeType::RequestedAddressFamily);
  const auto additional = request.find(AttributeType::AdditionalAddressFamily);
  const auto even = stun::parseEvenPort(request);
  const auto token = request.find(AttributeType::ReservationToken);
  // RFC 6062 section 5.1: over TCP or TLS only, and neither pairs of ports nor reserved ones.
  if (wish.tcp && (!isStream(path.transport) || even || token)) return std::nullopt;
  if (even && (token || (*even && additional))) return std::nullopt;
  if (token && (requested || additional || token->size() != 8)) return std::nullopt;
  if (requested && additional) return std::nullopt;
  wish.evenPort = even.has_value();
  wish.reserve = even.value_or(false);
  if (token) wish.token = *token;

  wish.v4 = !requested;
  if (additional) {
    if (stun::parseAddressFamily(*additional) != AddressFamily::V6) return std::nullopt;
    wish.additional = true;
  }
  if (requested) {
    const auto family = stun::parseAddressFamily(*requested);
    wish.v4 = family == AddressFamily::V4;
    wish.v6 = family == AddressFamily::V6;
  }
  const bool served = token || (wish.v4 && relayConfig(AddressFamily::V4)) ||
                      (wish.v6 && relayConfig(AddressFamily::V6));
  if (!served) {
    error = StunError::AddressFamilyNotSupported;
    return std::nullopt;
  }
  return wish;
}

void ServerCore::handleAllocate(const stun::Message& request, const ClientPath& path,
                                const ServerAuth::Identity& identity, Timestamp now) {
  if (Allocation* existing = allocationOf(path)) {
    // A repeated request gets its answer again; it may still be on its way, too.
    if (existing->transaction != request.transactionId()) {
      refuse(request, path, StunError::AllocationMismatch, &identity, now);
    } else if (!existing->pending) {
      sendAllocated(*existing, now);
    }
    return;
  }
  StunError error{};
  const auto wish = relayWish(request, path, error);
  const auto account = accounts_.find(identity.account);
  const size_t held = account == accounts_.end() ? 0 : account->second.allocations;
  const bool ticketWanted = request.has(AttributeType::MobilityTicket);
  if (wish && ticketWanted && !config_.mobility) {
    error = StunError::MobilityForbidden;
  } else if (wish && held >= config_.maxAllocationsPerUser) {
    error = StunError::AllocationQuotaReached;
  } else if (wish && live_ >= config_.maxAllocations) {
    error = StunError::InsufficientCapacity;
  } else if (wish) {
    error = {};
  }
  if (error != StunError{}) {
    ++counters_.allocationsRefused;
    refuse(request, path, error, &identity, now);
    return;
  }
  Allocation& allocation = *newAllocation(request, path, identity, now);
  if (ticketWanted) {
    allocation.ticket.resize(20);
    storeU32(allocation.ticket.data(), allocation.slot);
    env_.random.fill(MutableByteSpan(allocation.ticket).subspan(4));
  }
  allocation.evenPort = wish->evenPort;
  allocation.reserve = wish->reserve;
  allocation.bothFamilies = wish->additional;
  allocation.tcp = wish->tcp;
  if (!wish->token.empty()) {
    if (takeReservation(allocation, wish->token)) {
      tryFinish(allocation, now);
    } else {
      refuseAllocation(allocation, StunError::InsufficientCapacity, now);
    }
    return;
  }
  if (wish->v4) openRelay(allocation, AddressFamily::V4);
  if (wish->v6 || (wish->additional && relayConfig(AddressFamily::V6)))
    openRelay(allocation, AddressFamily::V6);
}

Allocation* ServerCore::newAllocation(const stun::Message& request, const ClientPath& path,
                                      const ServerAuth::Identity& identity, Timestamp now) {
  uint32_t slot;
  if (freeSlots_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
    allocationTimers_.push_back(0);
  } else {
    slot = freeSlots_.back();
    freeSlots_.pop_back();
  }
  slots_[slot] = std::make_unique<Allocation>();
  Allocation& allocation = *slots_[slot];
  allocation.slot = slot;
  allocation.client = path;
  allocation.owner = identity;
  allocation.transaction = request.transactionId();
  allocation.lifetime = lifetimeFor(request);
  allocation.madeAt = now;
  allocation.expiresAt = now + kOpening;
  allocation.toPeers = RateLimit(config_.maxRatePerAllocation);
  allocation.toClient = RateLimit(config_.maxRatePerAllocation);
  const auto [account, fresh] = accounts_.try_emplace(identity.account);
  if (fresh) account->second.rate = RateLimit(config_.maxRatePerUser);
  ++account->second.allocations;
  allocation.account = &account->second;
  allocationTimers_[slot] = newTimer(TimerKind::Allocation, slot);
  armAllocation(allocation);
  if (isStream(path.transport)) {
    streams_.find(path.socket)->second->allocation = slot;
  } else {
    clients_[ClientKey{path.socket, path.remote}] = slot;
  }
  ++live_;
  return &allocation;
}

// ---- ports ----

uint16_t ServerCore::randomPort(bool even) {
  const uint32_t count = uint32_t{config_.maxPort} - config_.minPort + 1;
  uint32_t port = config_.minPort + static_cast<uint32_t>(env_.random.below(count));
  if (even && port % 2 != 0) port = port > config_.minPort ? port - 1 : port + 1;
  return static_cast<uint16_t>(std::min<uint32_t>(port, 65535));
}

void ServerCore::openRelay(Allocation& allocation, AddressFamily family) {
  Allocation::Relay& relay = allocation.relay(family);
  const auto index = static_cast<uint8_t>(family == AddressFamily::V4 ? 0 : 1);
  relay.wanted = true;
  relay.open = relay.reservedOpen = false;
  relay.socket = ids_.nextSocket();
  relay.bound = {relayConfig(family)->bind, randomPort(allocation.evenPort)};
  if (allocation.tcp) {
    listenForPeers(allocation, index);
    return;
  }
  relays_[relay.socket] = {allocation.slot, index, false};
  effects_.push(OpenUdp{relay.socket, relay.bound, false});
  if (!allocation.reserve) return;
  relay.reserved = ids_.nextSocket();
  relays_[relay.reserved] = {allocation.slot, index, true};
  SocketAddress next = relay.bound;
  ++next.port;
  effects_.push(OpenUdp{relay.reserved, next, false});
}

/// The listener's port is one that connections leave from, too (RFC 6062 section 5.2). Systems then
/// let several listen on it: that it is nobody else's must be known here.
void ServerCore::listenForPeers(Allocation& allocation, uint8_t index) {
  Allocation::Relay& relay = allocation.relays[index];
  for (int i = 0; i < kMaxAttempts && tcpRelays_.contains(relay.bound); ++i)
    relay.bound.port = randomPort(false);
  if (tcpRelays_.contains(relay.bound)) {
    relay.socket = {};  // the time for opening will run out
    return;
  }
  relays_[relay.socket] = {allocation.slot, index, false};
  tcpRelays_[relay.bound] = relays_[relay.socket];
  effects_.push(ListenTcp{relay.socket, relay.bound, false, true,
                          static_cast<uint32_t>(config_.maxConnections)});
}

void ServerCore::closeRelay(const Allocation& allocation, Allocation::Relay& relay) {
  if (allocation.tcp && relay.socket != SocketId{}) tcpRelays_.erase(relay.bound);
  for (const SocketId socket : {relay.socket, relay.reserved}) {
    if (socket == SocketId{}) continue;
    effects_.push(CloseSocket{socket});
    relays_.erase(socket);
    if (lastRelay_ == socket) lastRelay_ = {};
  }
  if (relay.open && !allocation.tcp) relayAddresses_.erase(relay.advertised);
  relay.socket = relay.reserved = {};
  relay.open = relay.reservedOpen = false;
}

void ServerCore::relayOpened(RelayOwner owner, const SocketOpened& opened, Timestamp now) {
  if (owner.slot == kNone || !slots_[owner.slot]) return;
  Allocation& allocation = *slots_[owner.slot];
  Allocation::Relay& relay = allocation.relays[owner.index];
  if (owner.reserved) {
    relay.reservedOpen = true;
  } else {
    const ServerRelay* config =
        relayConfig(owner.index == 0 ? AddressFamily::V4 : AddressFamily::V6);
    relay.open = true;
    relay.bound.port = opened.local.port;
    relay.advertised = {config->advertised.value_or(config->bind), opened.local.port};
    if (!allocation.tcp) relayAddresses_[relay.advertised] = {owner.slot, owner.index, false};
  }
  tryFinish(allocation, now);
}

void ServerCore::relayFailed(RelayOwner owner, SocketFailure reason, Timestamp now) {
  if (owner.slot == kNone || !slots_[owner.slot]) return;
  Allocation& allocation = *slots_[owner.slot];
  Allocation::Relay& relay = allocation.relays[owner.index];
  const AddressFamily family = owner.index == 0 ? AddressFamily::V4 : AddressFamily::V6;
  if (!allocation.pending) {
    deleteAllocation(owner.slot);
    return;
  }
  closeRelay(allocation, relay);
  if (reason == SocketFailure::AddressInUse && ++relay.attempts < kMaxAttempts) {
    openRelay(allocation, family);
  } else if (family == AddressFamily::V6 && allocation.bothFamilies) {
    relay.wanted = false;
    tryFinish(allocation, now);
  } else {
    refuseAllocation(allocation, StunError::InsufficientCapacity, now);
  }
}

// ---- reservations ----

bool ServerCore::takeReservation(Allocation& allocation, ByteSpan token) {
  const auto at = std::find_if(reservations_.begin(), reservations_.end(), [&](const auto& r) {
    return crypto::constantTimeEquals(r.token, token) && r.account == allocation.owner.account;
  });
  if (at == reservations_.end()) return false;
  Allocation::Relay& relay = allocation.relay(at->bound.ip.family());
  relay.wanted = relay.open = true;
  relay.socket = at->socket;
  relay.bound = at->bound;
  relay.advertised = at->advertised;
  const auto index = static_cast<uint8_t>(at->bound.ip.isV4() ? 0 : 1);
  relays_[relay.socket] = {allocation.slot, index, false};
  relayAddresses_[relay.advertised] = {allocation.slot, index, false};
  if (lastRelay_ == relay.socket) lastRelay_ = {};
  reservations_.erase(at);
  return true;
}

void ServerCore::expireReservations(Timestamp now) {
  std::erase_if(reservations_, [&](const Reservation& reservation) {
    if (reservation.expiresAt > now) return false;
    relays_.erase(reservation.socket);
    if (lastRelay_ == reservation.socket) lastRelay_ = {};
    effects_.push(CloseSocket{reservation.socket});
    return true;
  });
}

// ---- the answer ----

void ServerCore::tryFinish(Allocation& allocation, Timestamp now) {
  if (!allocation.pending) return;
  for (const Allocation::Relay& relay : allocation.relays) {
    const bool missing =
        relay.wanted && (!relay.open || (allocation.reserve && !relay.reservedOpen));
    if (missing) return;
  }
  allocation.pending = false;
  allocation.madeAt = now;
  allocation.expiresAt = now + allocation.lifetime;
  armAllocation(allocation);
  for (Allocation::Relay& relay : allocation.relays) {
    if (!allocation.reserve || !relay.wanted) continue;
    if (reservations_.size() >= kMaxReservations) {
      effects_.push(CloseSocket{relay.reserved});
      relays_.erase(relay.reserved);
      relay.reserved = {};
      continue;
    }
    allocation.reservationToken.resize(8);
    env_.random.fill(allocation.reservationToken);
    Reservation reservation{allocation.reservationToken,
                            allocation.owner.account,
                            relay.reserved,
                            relay.bound,
                            relay.advertised,
                            now + kReservation};
    ++reservation.bound.port;
    ++reservation.advertised.port;
    relays_[relay.reserved] = {kNone, 0, true};
    relay.reserved = {};
    reservations_.push_back(std::move(reservation));
  }
  ++counters_.allocationsMade;
  sendAllocated(allocation, now);
}

void ServerCore::refuseAllocation(Allocation& allocation, StunError code, Timestamp now) {
  ++counters_.allocationsRefused;
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Error, stun::Method::Allocate,
                               allocation.transaction);
  builder.error(code, stun::reasonPhrase(code));
  answer(builder, std::move(packet), allocation.client, allocation.owner, now);
  deleteAllocation(allocation.slot);
}

void ServerCore::sendAllocated(Allocation& allocation, Timestamp now) {
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, stun::Method::Allocate,
                               allocation.transaction);
  for (const Allocation::Relay& relay : allocation.relays) {
    if (relay.open) builder.xorAddress(AttributeType::XorRelayedAddress, relay.advertised);
  }
  const Duration left = allocation.expiresAt - now;
  builder.u32(AttributeType::Lifetime, static_cast<uint32_t>(left.seconds()))
      .xorAddress(AttributeType::XorMappedAddress, allocation.client.remote);
  if (!allocation.reservationToken.empty())
    builder.bytes(AttributeType::ReservationToken, allocation.reservationToken);
  if (!allocation.ticket.empty()) builder.bytes(AttributeType::MobilityTicket, allocation.ticket);
  if (allocation.bothFamilies && !allocation.relay(AddressFamily::V6).open) {
    builder.bytes(
        AttributeType::AddressErrorCode,
        stun::writeAddressError(AddressFamily::V6, StunError::AddressFamilyNotSupported, {}));
  }
  answer(builder, std::move(packet), allocation.client, allocation.owner, now);
}

}  // namespace parley::turn
