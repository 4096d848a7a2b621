#include <algorithm>
#include <array>
#include <utility>

#include "parley/stun/turn.h"

#include "turn/client_core.h"

// Requests, challenges and answers.

namespace parley::turn {
namespace {

using stun::AttributeType;
using stun::StunError;

/// B16: an operation that is answered with 401, 438 or 300 again and again fails.
constexpr int kMaxTries = 3;
constexpr int kMaxRedirects = 3;
constexpr uint16_t kNotReached = 701;
constexpr Duration kDefaultLifetime = Duration::seconds(600);
constexpr Duration kMinLifetime = Duration::seconds(10);
constexpr Duration kMaxLifetime = Duration::seconds(86'400);
/// Over streams nothing is repeated.
constexpr stun::RetransmitPolicy kStreamPolicy{Duration::seconds(10), 1, 1};
/// RFC 6062 section 5.2: a server tries for 30 seconds at least.
constexpr stun::RetransmitPolicy kConnectPolicy{Duration::seconds(60), 1, 1};
/// A good-bye is repeated once; the server's own timer does the rest.
constexpr stun::RetransmitPolicy kReleasePolicy{Duration::millis(500), 2, 1};

constexpr uint16_t number(StunError code) {
  return static_cast<uint16_t>(code);
}

}  // namespace

stun::Method ClientCore::methodOf(Kind kind) {
  switch (kind) {
    case Kind::Allocate:
      return stun::Method::Allocate;
    case Kind::Permit:
      return stun::Method::CreatePermission;
    case Kind::BindChannel:
      return stun::Method::ChannelBind;
    case Kind::Connect:
      return stun::Method::Connect;
    case Kind::Claim:
      return stun::Method::ConnectionBind;
    case Kind::Refresh:
    case Kind::Release:
    case Kind::Move:
      break;
  }
  return stun::Method::Refresh;
}

stun::RetransmitPolicy ClientCore::policy(Kind kind) const {
  if (kind == Kind::Connect) return kConnectPolicy;
  if (state_ == State::Closing && !isStream(config_.transport)) return kReleasePolicy;
  return isStream(config_.transport) ? kStreamPolicy : config_.policy;
}

bool ClientCore::asking(Kind kind) const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [kind](const Request& request) { return request.kind == kind; });
}

void ClientCore::writeBody(stun::MessageBuilder& builder, const Wish& wish) const {
  switch (wish.kind) {
    case Kind::Allocate:
      builder.u32(AttributeType::RequestedTransport,
                  stun::requestedTransport(config_.tcpRelay ? stun::RelayTransport::Tcp
                                                            : stun::RelayTransport::Udp));
      if (families_ == RelayFamilies::V6) {
        builder.u32(AttributeType::RequestedAddressFamily,
                    stun::addressFamilyValue(AddressFamily::V6));
      } else if (families_ == RelayFamilies::Both) {
        // RFC 8656 section 18.11: the additional family is IPv6, always.
        builder.u32(AttributeType::AdditionalAddressFamily,
                    stun::addressFamilyValue(AddressFamily::V6));
      }
      if (mobility_) builder.flag(AttributeType::MobilityTicket);
      break;
    case Kind::Refresh:
      builder.u32(AttributeType::Lifetime, static_cast<uint32_t>(kDefaultLifetime.seconds()));
      break;
    case Kind::Release:
      builder.u32(AttributeType::Lifetime, 0);
      break;
    case Kind::Move:
      builder.bytes(AttributeType::MobilityTicket, ticket_);
      break;
    case Kind::Permit:
      for (const IpAddress& ip : wish.peers)
        builder.xorAddress(AttributeType::XorPeerAddress, {ip, 0});
      break;
    case Kind::BindChannel:
      builder.u32(AttributeType::ChannelNumber, stun::channelNumberValue(wish.channel))
          .xorAddress(AttributeType::XorPeerAddress, wish.peer);
      break;
    case Kind::Connect:
      builder.xorAddress(AttributeType::XorPeerAddress, wish.peer);
      break;
    case Kind::Claim:
      for (const auto& stream : streams_) {
        if (stream->id == wish.stream)
          builder.u32(AttributeType::ConnectionId, stream->connectionId);
      }
      break;
  }
}

void ClientCore::ask(Wish wish, Timestamp now) {
  const stun::TransactionId id = stun::newTransactionId(env_.random);
  std::array<uint8_t, PacketBuf::kMaxPayload> buffer;
  stun::MessageBuilder builder(buffer, stun::Class::Request, methodOf(wish.kind), id);
  writeBody(builder, wish);
  if (auth_.ready()) {
    auth_.addTo(builder);
    auth_.sign(builder);
  }
  Request request{wish.kind,
                  stun::Transaction(id, policy(wish.kind), now),
                  toBytes(builder.written()),
                  auth_.ready(),
                  wish.tries,
                  std::move(wish.peers),
                  wish.peer,
                  wish.channel,
                  wish.stream};
  transmit(request, now);
  requests_.push_back(std::move(request));
}

void ClientCore::transmit(const Request& request, Timestamp now) {
  ServerLink* link = request.kind == Kind::Move ? moving_.get() : link_.get();
  if (request.kind == Kind::Claim) {
    const PeerStream* stream = findStream(request.stream);
    link = stream ? stream->link.get() : nullptr;
  }
  if (!link || request.wire.empty()) return;
  TxPacket packet;
  packet.data = env_.pool.copyOf(request.wire);
  if (!packet.data) return;
  ++counters_.requestsSent;
  lastSentAt_ = now;
  link->send(std::move(packet), now);
}

void ClientCore::runRequests(Timestamp now) {
  for (size_t i = 0; i < requests_.size();) {
    switch (requests_[i].transaction.advance(now)) {
      case stun::Transaction::Due::Nothing:
        ++i;
        break;
      case stun::Transaction::Due::Retransmit:
        transmit(requests_[i], now);
        ++i;
        break;
      case stun::Transaction::Due::TimedOut: {
        Request late = std::move(requests_[i]);
        requests_.erase(requests_.begin() + static_cast<ptrdiff_t>(i));
        timedOut(std::move(late), now);
        // Whatever it led to may have changed the list.
        i = 0;
        break;
      }
    }
  }
}

void ClientCore::timedOut(Request request, Timestamp now) {
  switch (request.kind) {
    case Kind::Allocate:
      fail(kNotReached, "TURN server does not answer", now);
      break;
    case Kind::Release:
      finishClosing(now);
      break;
    case Kind::Refresh:
      // Asked once more: the last minute of the allocation is there for that. A stream that does
      // not answer is dead.
      if (isStream(config_.transport) || ++unansweredRefreshes_ == 2) {
        fail(kNotReached, "TURN server does not answer any more", now);
      } else {
        refreshAt_ = now + Duration::seconds(1);
      }
      break;
    case Kind::Move:
      retire(moving_, now);
      if (!asking(Kind::Refresh)) ask({Kind::Refresh}, now);
      break;
    case Kind::Permit:
      permissionRefused(request, now, Duration::seconds(5), false);
      break;
    case Kind::BindChannel:
      bindingRefused(request, false, now);
      break;
    case Kind::Connect:
    case Kind::Claim:
      endStream(request.stream, kNotReached, "TURN server does not answer", now);
      break;
  }
}

void ClientCore::handleResponse(const stun::Message& response, Timestamp now) {
  const stun::TransactionId id = response.transactionId();
  const auto at = std::find_if(requests_.begin(), requests_.end(), [&](const Request& request) {
    return request.transaction.id() == id;
  });
  if (at == requests_.end() || response.method() != methodOf(at->kind)) {
    ++counters_.unmatched;
    return;
  }
  // A success must be signed. An error need not be: a server that has no key for us cannot sign.
  if (at->authenticated) {
    const stun::IntegrityCheck integrity = auth_.verify(response);
    const bool success = response.messageClass() == stun::Class::Success;
    if (integrity == stun::IntegrityCheck::Wrong ||
        (integrity == stun::IntegrityCheck::Missing && success)) {
      ++counters_.unauthentic;
      return;
    }
  }
  std::array<uint16_t, 1> unknown;
  if (response.unknownRequired(unknown, stun::isKnownForTurn) != 0) {
    ++counters_.malformed;
    return;
  }
  Request request = std::move(*at);
  requests_.erase(at);
  if (response.messageClass() == stun::Class::Success) {
    handleSuccess(response, request, now);
  } else {
    handleError(response, std::move(request), now);
  }
}

void ClientCore::handleSuccess(const stun::Message& response, const Request& request,
                               Timestamp now) {
  switch (request.kind) {
    case Kind::Allocate:
      handleAllocated(response, now);
      break;
    case Kind::Refresh:
      noteLifetime(response, now);
      break;
    case Kind::Release:
      finishClosing(now);
      break;
    case Kind::Move:
      if (!moving_) break;
      retire(link_, now);
      link_ = std::move(moving_);
      noteLifetime(response, now);
      break;
    case Kind::Permit:
      permitted(request, now);
      break;
    case Kind::BindChannel:
      bound(request, now);
      break;
    case Kind::Connect:
      connected(response, request, now);
      break;
    case Kind::Claim:
      claimed(request);
      break;
  }
}

void ClientCore::noteLifetime(const stun::Message& response, Timestamp now) {
  const auto seconds = response.u32(AttributeType::Lifetime);
  const Duration told = seconds ? Duration::seconds(*seconds) : kDefaultLifetime;
  const Duration lifetime = std::clamp(told, kMinLifetime, kMaxLifetime);
  expiresAt_ = now + lifetime;
  unansweredRefreshes_ = 0;
  // A minute is enough for many repetitions; of a short lifetime the second half is.
  const Duration margin = Duration::seconds(60);
  refreshAt_ = now + (lifetime > margin * 2 ? lifetime - margin : lifetime / 2);
  const auto ticket = response.find(AttributeType::MobilityTicket);
  if (ticket && !ticket->empty() && ticket->size() <= 512) ticket_ = toBytes(*ticket);
}

void ClientCore::handleAllocated(const stun::Message& response, Timestamp now) {
  std::vector<SocketAddress> relayed;
  for (const stun::Attribute& attribute : response) {
    if (attribute.type != AttributeType::XorRelayedAddress) continue;
    const auto address = response.decodeXorAddress(attribute.value);
    if (!address || address->port == 0 || address->ip.isUnspecified() || relayed.size() == 2 ||
        (relayed.size() == 1 && relayed[0].ip.family() == address->ip.family())) {
      continue;
    }
    relayed.push_back(*address);
  }
  const auto mapped = response.xorAddress(AttributeType::XorMappedAddress);
  if (relayed.empty() || !mapped) {
    fail(kNotReached, "TURN answer without addresses", now);
    return;
  }
  relayed_ = std::move(relayed);
  state_ = State::Allocated;
  noteLifetime(response, now);
  raise(Allocated{relayed_, *mapped, server_});
}

void ClientCore::handleError(const stun::Message& response, Request request, Timestamp now) {
  const auto error = response.error();
  const uint16_t code = error ? error->code : number(StunError::ServerError);
  std::string text(error ? error->reason.substr(0, 128) : "error without a code");
  if (code == number(StunError::Unauthenticated) || code == number(StunError::StaleNonce)) {
    if (challenged(response, request, code, now)) return;
  } else if (code == number(StunError::TryAlternate) && request.kind == Kind::Allocate) {
    redirect(response, now);
    return;
  } else if (code == number(StunError::MobilityForbidden) && request.kind == Kind::Allocate &&
             mobility_) {
    mobility_ = false;
    ask({Kind::Allocate, request.tries}, now);
    return;
  } else if (code == number(StunError::AddressFamilyNotSupported) &&
             request.kind == Kind::Allocate && families_ != RelayFamilies::V6 &&
             config_.families == RelayFamilies::Both) {
    // Not both; perhaps IPv4, which is what a request without a word of it means; else IPv6 alone.
    families_ = families_ == RelayFamilies::Both ? RelayFamilies::V4 : RelayFamilies::V6;
    ask({Kind::Allocate, request.tries}, now);
    return;
  }
  refused(request, code, std::move(text), now);
}

/// True if the request was asked again with what the server wants.
bool ClientCore::challenged(const stun::Message& response, const Request& request, uint16_t code,
                            Timestamp now) {
  // RFC 8489 section 9.2.5: the same credentials will not be better the second time.
  const bool wrong = code == number(StunError::Unauthenticated) && request.authenticated;
  if (wrong || request.tries >= kMaxTries || !auth_.challenge(response)) return false;
  ask({request.kind, request.tries + 1, request.peers, request.peer, request.channel,
       request.stream},
      now);
  return true;
}

// RFC 8489 section 10. The server's name stays what it was, unless ALTERNATE-DOMAIN tells another.
void ClientCore::redirect(const stun::Message& response, Timestamp now) {
  const auto other = response.address(AttributeType::AlternateServer);
  const bool known = other && std::find(tried_.begin(), tried_.end(), *other) != tried_.end();
  const bool usable = other && other->port != 0 && !other->ip.isUnspecified() &&
                      !other->ip.isMulticast() && !other->ip.isBroadcast() &&
                      other->ip.isLoopback() == server_.ip.isLoopback();
  if (!usable || known || tried_.size() > kMaxRedirects) {
    fail(number(StunError::TryAlternate), "TURN redirection not followed", now);
    return;
  }
  if (const auto domain = response.text(AttributeType::AlternateDomain);
      domain && !domain->empty() && domain->size() <= 253) {
    serverName_ = std::string(*domain);
  }
  server_ = *other;
  tried_.push_back(server_);
  requests_.clear();
  auth_ = ClientAuth(config_.username, config_.password);
  retire(link_, now);
  openLink(now);
}

void ClientCore::refused(const Request& request, uint16_t code, std::string text, Timestamp now) {
  const bool gone = code == number(StunError::AllocationMismatch);
  switch (request.kind) {
    case Kind::Allocate:
      // RFC 8656 section 7.4: on 437 "pick an alternate client transport address"; here that is a
      // fresh socket.
      if (gone && ++reopened_ < kMaxTries) {
        retire(link_, now);
        openLink(now);
        return;
      }
      fail(code, std::move(text), now);
      break;
    case Kind::Release:
      finishClosing(now);
      break;
    case Kind::Refresh:
      fail(code, std::move(text), now);
      break;
    case Kind::Move:
      ticket_.clear();
      retire(moving_, now);
      if (!asking(Kind::Refresh)) ask({Kind::Refresh}, now);
      break;
    case Kind::Permit:
      if (gone) {
        fail(code, std::move(text), now);
      } else {
        permissionRefused(request, now, Duration::seconds(60), true);
      }
      break;
    case Kind::BindChannel:
      if (gone) {
        fail(code, std::move(text), now);
      } else {
        bindingRefused(request, true, now);
      }
      break;
    case Kind::Connect:
    case Kind::Claim:
      endStream(request.stream, code, std::move(text), now);
      if (gone && request.kind == Kind::Connect) fail(code, "the allocation is gone", now);
      break;
  }
}

}  // namespace parley::turn
