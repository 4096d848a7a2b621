#include <algorithm>
#include <array>

#include "parley/crypto/const_time.h"
#include "parley/stun/channel_data.h"
#include "parley/stun/turn.h"

#include "turn/server_core.h"

// What clients ask for, except Allocate.

namespace parley::turn {
namespace {

using stun::AttributeType;
using stun::StunError;

/// RFC 8656 sections 9 and 12.
constexpr Duration kPermissionLifetime = Duration::seconds(300);
constexpr Duration kChannelLifetime = Duration::seconds(600);
/// Section 12: a channel that expired is not bound to another peer for so long, nor a peer to
/// another channel.
constexpr Duration kChannelRest = Duration::seconds(300);
constexpr Duration kDefaultLifetime = Duration::seconds(600);

/// This server cannot keep the system from fragmenting: DONT-FRAGMENT is then "unknown" (RFC 8656
/// section 7.2).
bool isKnown(AttributeType type) {
  return stun::isKnownForTurn(type) && type != AttributeType::DontFragment;
}

}  // namespace

void ServerCore::handleMessage(const ClientPath& path, PacketBuf message, Ecn ecn, Timestamp now) {
  if (stun::ChannelData::looksLikeChannelData(message.span(), stun::kMaxChannelRfc5766)) {
    if (Allocation* allocation = allocationOf(path))
      handleChannelData(*allocation, std::move(message), ecn, now);
    return;
  }
  const auto parsed = stun::Message::parse(message.span());
  if (!parsed || stun::verifyFingerprint(*parsed) == stun::IntegrityCheck::Wrong) {
    ++counters_.malformed;
    return;
  }
  if (parsed->is(stun::Class::Indication, stun::Method::Send)) {
    Allocation* allocation = allocationOf(path);
    if (allocation) handleSend(*parsed, *allocation, std::move(message), ecn, now);
  } else if (parsed->messageClass() == stun::Class::Request) {
    handleRequest(*parsed, path, now);
  }
  // Other indications keep a NAT's binding alive; responses answer nothing that was asked.
}

void ServerCore::handleRequest(const stun::Message& request, const ClientPath& path,
                               Timestamp now) {
  if (request.method() == stun::Method::Binding) {
    handleBinding(request, path, now);
    return;
  }
  switch (request.method()) {
    case stun::Method::Allocate:
    case stun::Method::Refresh:
    case stun::Method::CreatePermission:
    case stun::Method::ChannelBind:
    case stun::Method::Connect:
    case stun::Method::ConnectionBind:
      break;
    default:
      ++counters_.malformed;
      return;
  }
  Allocation* allocation = allocationOf(path);
  if (config_.alternateServer && !allocation && request.method() == stun::Method::Allocate) {
    refuse(request, path, StunError::TryAlternate, nullptr, now);
    return;
  }
  const std::string* owner = allocation ? &allocation->owner.username : nullptr;
  const bool isClaim = request.method() == stun::Method::ConnectionBind;
  if (const DataConnection* claimed = isClaim ? claimedBy(request) : nullptr)
    owner = &slots_[claimed->slot]->owner.username;
  const ServerAuth::Verdict verdict = auth_.authenticate(request, path.remote.ip, owner, now);
  if (!verdict.identity) {
    const bool again =
        verdict.error == StunError::Unauthenticated || verdict.error == StunError::StaleNonce;
    if (again) {
      challenge(request, path, verdict.error, now);
    } else {
      refuse(request, path, verdict.error, nullptr, now);
    }
    return;
  }
  const ServerAuth::Identity& identity = *verdict.identity;
  if (!isStream(path.transport)) budget_.trust(path.remote.ip, now);

  std::array<uint16_t, 8> unknown;
  if (const size_t count = request.unknownRequired(unknown, isKnown)) {
    refuse(request, path, StunError::UnknownAttribute, &identity, now,
           std::span(unknown).first(count));
    return;
  }
  if (request.method() == stun::Method::Allocate) {
    handleAllocate(request, path, identity, now);
    return;
  }
  if (isClaim) {
    handleConnectionBind(request, path, identity, now);
    return;
  }
  const auto ticket = request.find(AttributeType::MobilityTicket);
  if (!allocation && ticket && request.method() == stun::Method::Refresh) {
    handleMove(request, path, *ticket, identity, now);
  } else if (!allocation || allocation->pending) {
    refuse(request, path, StunError::AllocationMismatch, &identity, now);
  } else if (request.method() == stun::Method::Refresh) {
    handleRefresh(request, path, *allocation, identity, now);
  } else if (request.method() == stun::Method::CreatePermission) {
    handlePermission(request, path, *allocation, identity, now);
  } else if (request.method() == stun::Method::Connect) {
    handleConnect(request, path, *allocation, identity, now);
  } else {
    handleChannelBind(request, path, *allocation, identity, now);
  }
}

// ---- answers ----

void ServerCore::answer(stun::MessageBuilder& builder, PacketBuf packet, const ClientPath& path,
                        const ServerAuth::Identity& identity, Timestamp now) {
  if (!config_.software.empty()) builder.text(AttributeType::Software, config_.software);
  ServerAuth::sign(builder, identity);
  if (!builder.finishInto(packet)) {
    ++counters_.droppedFull;
    return;
  }
  transmit(path, std::move(packet), TxClass::Control, Ecn::NotEct, now);
}

void ServerCore::answerUnproven(PacketBuf packet, size_t requestSize, const ClientPath& path,
                                Timestamp now) {
  // A stream's source proved itself by completing the connection.
  if (!isStream(path.transport) &&
      !budget_.spend(path.remote.ip, requestSize, packet.size(), now)) {
    ++counters_.overBudget;
    return;
  }
  transmit(path, std::move(packet), TxClass::Control, Ecn::NotEct, now);
}

void ServerCore::refuse(const stun::Message& request, const ClientPath& path, StunError code,
                        const ServerAuth::Identity* identity, Timestamp now,
                        std::span<const uint16_t> unknown) {
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Error, request.method(),
                               request.transactionId());
  // To a stranger every byte counts: no words.
  builder.error(code, identity ? stun::reasonPhrase(code) : std::string_view{});
  if (!unknown.empty()) builder.unknownAttributes(unknown);
  if (code == StunError::TryAlternate)
    builder.address(AttributeType::AlternateServer, *config_.alternateServer);
  if (identity) {
    answer(builder, std::move(packet), path, *identity, now);
  } else if (builder.finishInto(packet)) {
    answerUnproven(std::move(packet), request.bytes().size(), path, now);
  }
}

void ServerCore::challenge(const stun::Message& request, const ClientPath& path, StunError code,
                           Timestamp now) {
  const bool signedRequest = request.hasMessageIntegrity() || request.hasMessageIntegritySha256();
  if (code == StunError::Unauthenticated && signedRequest) ++counters_.unauthentic;
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Error, request.method(),
                               request.transactionId());
  builder.error(code);
  auth_.addChallenge(builder, path.remote.ip, now);
  if (!builder.finishInto(packet)) return;
  ++counters_.challenges;
  answerUnproven(std::move(packet), request.bytes().size(), path, now);
}

/// Which of the discovery addresses a request came to; null if to none.
const SocketAddress* ServerCore::discoveryAddress(const ClientPath& path) {
  const Listener* listener = isStream(path.transport) ? nullptr : findListener(path.socket);
  if (!config_.discovery || !listener) return nullptr;
  const SocketAddress& bound = config_.listeners[listener->index].local;
  const auto& [primary, alternate] = *config_.discovery;
  const bool ours = (bound.ip == primary.ip || bound.ip == alternate.ip) &&
                    (bound.port == primary.port || bound.port == alternate.port);
  return ours ? &bound : nullptr;
}

/// The path back through the listener on another address. Server::check has seen that it is there.
ClientPath ServerCore::pathFrom(const SocketAddress& local, const ClientPath& path) const {
  for (const Listener& listener : listeners_) {
    const ServerListener& wanted = config_.listeners[listener.index];
    if (wanted.transport == Transport::Udp && wanted.local == local)
      return {listener.socket, path.remote, local, Transport::Udp};
  }
  return path;
}

void ServerCore::handleBinding(const stun::Message& request, const ClientPath& path,
                               Timestamp now) {
  const SocketAddress* bound = discoveryAddress(path);
  std::array<uint16_t, 8> unknown;
  const auto isKnownHere = [bound](AttributeType type) {
    return stun::isKnownForBinding(type) || (bound && type == AttributeType::ChangeRequest);
  };
  if (const size_t count = request.unknownRequired(unknown, isKnownHere)) {
    refuse(request, path, StunError::UnknownAttribute, nullptr, now,
           std::span(unknown).first(count));
    return;
  }
  ++counters_.bindingRequests;
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, stun::Method::Binding,
                               request.transactionId());
  builder.xorAddress(AttributeType::XorMappedAddress, path.remote);
  ClientPath back = path;
  if (bound) {
    // RFC 5780 section 7.2. The answer goes to where the request came from, whoever sends it: the
    // budget of that source counts.
    constexpr uint32_t kChangeAddress = 4;
    constexpr uint32_t kChangePort = 2;
    const auto& [primary, alternate] = *config_.discovery;
    const SocketAddress other{bound->ip == primary.ip ? alternate.ip : primary.ip,
                              bound->port == primary.port ? alternate.port : primary.port};
    const uint32_t change = request.u32(AttributeType::ChangeRequest).value_or(0);
    const SocketAddress from{change & kChangeAddress ? other.ip : bound->ip,
                             change & kChangePort ? other.port : bound->port};
    if (from != *bound) back = pathFrom(from, path);
    builder.address(AttributeType::ResponseOrigin, from)
        .address(AttributeType::OtherAddress, other);
  }
  if (request.hasFingerprint()) builder.fingerprint();
  if (builder.finishInto(packet))
    answerUnproven(std::move(packet), request.bytes().size(), back, now);
}

// ---- an allocation's life ----

Duration ServerCore::lifetimeFor(const stun::Message& request) const {
  const auto wanted = request.u32(AttributeType::Lifetime);
  if (!wanted) return kDefaultLifetime;
  // RFC 8656 section 7.2: "no less than the default".
  return std::clamp(Duration::seconds(*wanted), kDefaultLifetime,
                    std::max(config_.maxLifetime, kDefaultLifetime));
}

void ServerCore::handleRefresh(const stun::Message& request, const ClientPath& path,
                               Allocation& allocation, const ServerAuth::Identity& identity,
                               Timestamp now) {
  if (const auto family = request.find(AttributeType::RequestedAddressFamily)) {
    const auto wanted = stun::parseAddressFamily(*family);
    if (!wanted || !allocation.relay(*wanted).open) {
      refuse(request, path, StunError::PeerAddressFamilyMismatch, &identity, now);
      return;
    }
  }
  const bool release = request.u32(AttributeType::Lifetime) == 0u;
  const Duration lifetime = release ? Duration::zero() : lifetimeFor(request);
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, request.method(),
                               request.transactionId());
  builder.u32(AttributeType::Lifetime, static_cast<uint32_t>(lifetime.seconds()));
  answer(builder, std::move(packet), path, identity, now);
  if (release) {
    deleteAllocation(allocation.slot);
    return;
  }
  allocation.expiresAt = now + lifetime;
  armAllocation(allocation);
}

// RFC 8016 section 3.2. The ticket is as good as the allocation, so it counts only together with
// the credentials of its owner.
void ServerCore::handleMove(const stun::Message& request, const ClientPath& path, ByteSpan ticket,
                            const ServerAuth::Identity& identity, Timestamp now) {
  Allocation* moved = nullptr;
  if (config_.mobility && ticket.size() == 20) {
    const uint32_t slot = loadU32(ticket.data());
    if (slot < slots_.size() && slots_[slot] && !slots_[slot]->pending &&
        crypto::constantTimeEquals(slots_[slot]->ticket, ticket) &&
        slots_[slot]->owner.username == identity.username) {
      moved = slots_[slot].get();
    }
  }
  if (!moved) {
    refuse(request, path,
           config_.mobility ? StunError::AllocationMismatch : StunError::MobilityForbidden,
           &identity, now);
    return;
  }
  if (isStream(moved->client.transport)) {
    const auto old = streams_.find(moved->client.socket);
    if (old != streams_.end()) {
      old->second->allocation = kNone;
      markBroken(*old->second);
    }
  } else {
    clients_.erase(ClientKey{moved->client.socket, moved->client.remote});
    lastClientSlot_ = kNone;
  }
  moved->client = path;
  if (isStream(path.transport)) {
    streams_.find(path.socket)->second->allocation = moved->slot;
  } else {
    clients_[ClientKey{path.socket, path.remote}] = moved->slot;
  }
  env_.random.fill(MutableByteSpan(moved->ticket).subspan(4));
  const Duration lifetime = lifetimeFor(request);
  moved->expiresAt = now + lifetime;
  armAllocation(*moved);
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, request.method(),
                               request.transactionId());
  builder.u32(AttributeType::Lifetime, static_cast<uint32_t>(lifetime.seconds()))
      .bytes(AttributeType::MobilityTicket, moved->ticket);
  answer(builder, std::move(packet), path, identity, now);
}

// ---- permissions and channels ----

bool ServerCore::isOwnRelay(const IpAddress& ip) const {
  return std::any_of(config_.relays.begin(), config_.relays.end(), [&](const ServerRelay& relay) {
    return relay.advertised.value_or(relay.bind) == ip;
  });
}

bool ServerCore::mayReach(const IpAddress& peer) const {
  const IpAddress plain = peer.canonical();
  const auto inAny = [&](const std::vector<AddressRange>& ranges) {
    return std::any_of(ranges.begin(), ranges.end(), [&](const AddressRange& range) {
      return range.contains(peer) || range.contains(plain);
    });
  };
  if (inAny(config_.allowedPeers)) return true;
  if (inAny(config_.deniedPeers) || plain.isUnspecified() || plain.isMulticast() ||
      plain.isBroadcast()) {
    return false;
  }
  return !config_.denySpecialPeers || !isSpecialPurpose(peer);
}

void ServerCore::grantPermission(Allocation& allocation, const IpAddress& peer, Timestamp now) {
  for (Allocation::Permission& permission : allocation.permissions) {
    if (permission.peer != peer) continue;
    permission.expiresAt = now + kPermissionLifetime;
    return;
  }
  allocation.permissions.push_back({peer, now + kPermissionLifetime});
}

void ServerCore::handlePermission(const stun::Message& request, const ClientPath& path,
                                  Allocation& allocation, const ServerAuth::Identity& identity,
                                  Timestamp now) {
  std::vector<IpAddress> peers;
  StunError error{};
  for (const stun::Attribute& attribute : request) {
    if (attribute.type != AttributeType::XorPeerAddress) continue;
    const auto peer = request.decodeXorAddress(attribute.value);
    if (!peer) {
      error = StunError::BadRequest;
    } else if (!allocation.relay(peer->ip.family()).open) {
      error = StunError::PeerAddressFamilyMismatch;
    } else if (!isOwnRelay(peer->ip) && !mayReach(peer->ip)) {
      ++counters_.forbiddenPeers;
      error = StunError::Forbidden;
    } else {
      peers.push_back(peer->ip);
    }
    if (error != StunError{}) break;
  }
  if (peers.empty() && error == StunError{}) error = StunError::BadRequest;
  if (error == StunError{}) {
    std::erase_if(allocation.permissions,
                  [&](const Allocation::Permission& p) { return p.expiresAt <= now; });
    const auto fresh =
        static_cast<size_t>(std::count_if(peers.begin(), peers.end(), [&](const IpAddress& ip) {
          return std::none_of(allocation.permissions.begin(), allocation.permissions.end(),
                              [&](const Allocation::Permission& p) { return p.peer == ip; });
        }));
    if (allocation.permissions.size() + fresh > config_.maxPermissions)
      error = StunError::InsufficientCapacity;
  }
  // RFC 8656 section 10.2: one bad peer and none is installed.
  if (error != StunError{}) {
    refuse(request, path, error, &identity, now);
    return;
  }
  for (const IpAddress& peer : peers) grantPermission(allocation, peer, now);
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, request.method(),
                               request.transactionId());
  answer(builder, std::move(packet), path, identity, now);
}

void ServerCore::handleChannelBind(const stun::Message& request, const ClientPath& path,
                                   Allocation& allocation, const ServerAuth::Identity& identity,
                                   Timestamp now) {
  const auto number = stun::parseChannelNumber(request, stun::kMaxChannelRfc5766);
  const auto peer = request.xorAddress(AttributeType::XorPeerAddress);
  StunError error{};
  if (!number || !peer || peer->port == 0 || allocation.tcp) {
    error = StunError::BadRequest;
  } else if (!allocation.relay(peer->ip.family()).open) {
    error = StunError::PeerAddressFamilyMismatch;
  } else if (!isOwnRelay(peer->ip) && !mayReach(peer->ip)) {
    ++counters_.forbiddenPeers;
    error = StunError::Forbidden;
  }
  Allocation::Channel* known = nullptr;
  if (error == StunError{}) {
    std::erase_if(allocation.channels, [&](const Allocation::Channel& channel) {
      return channel.expiresAt + kChannelRest <= now;
    });
    for (Allocation::Channel& channel : allocation.channels) {
      const bool sameNumber = channel.number == *number;
      const bool samePeer = channel.peer == *peer;
      if (sameNumber && samePeer) known = &channel;
      if (sameNumber != samePeer) error = StunError::BadRequest;
    }
    const bool full = allocation.channels.size() >= config_.maxChannels ||
                      (!allocation.permits(peer->ip, now) &&
                       allocation.permissions.size() >= config_.maxPermissions);
    if (error == StunError{} && !known && full) error = StunError::InsufficientCapacity;
  }
  if (error != StunError{}) {
    refuse(request, path, error, &identity, now);
    return;
  }
  if (known) {
    known->expiresAt = now + kChannelLifetime;
  } else {
    allocation.channels.push_back({*number, *peer, now + kChannelLifetime});
  }
  grantPermission(allocation, peer->ip, now);
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Success, request.method(),
                               request.transactionId());
  answer(builder, std::move(packet), path, identity, now);
}

}  // namespace parley::turn
