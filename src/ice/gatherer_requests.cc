#include <algorithm>
#include <utility>

#include "parley/stun/integrity.h"
#include "parley/stun/message_builder.h"

#include "ice/gatherer_core.h"

// What the STUN servers are asked, and what they answer: server-reflexive candidates.

namespace parley::ice {
namespace {

constexpr int kMaxRedirects = 3;

/// Whether a server can be asked from a socket at all; loopback and link-local are worlds of their
/// own.
bool reaches(const IpAddress& from, const IpAddress& to) {
  return from.family() == to.family() && from.isLoopback() == to.isLoopback() &&
         from.isLinkLocal() == to.isLinkLocal();
}

}  // namespace

void GathererCore::queueRequests() {
  for (const Socket& socket : sockets_) {
    if (!socket.open) continue;
    for (size_t server = 0; server < servers_.size(); ++server) {
      for (const SocketAddress& to : servers_[server].addresses) {
        if (!reaches(socket.local.ip, to.ip)) continue;
        const bool known =
            std::any_of(requests_.begin(), requests_.end(), [&](const Request& request) {
              return request.socket == socket.id && request.server == server;
            });
        if (known) continue;
        Request request;
        request.socket = socket.id;
        request.server = server;
        request.to = to;
        requests_.push_back(std::move(request));
      }
    }
  }
}

void GathererCore::runRequests(Timestamp now) {
  for (Request& request : requests_) {
    if (request.state == RequestState::Answered && request.refreshAt <= now) {
      request.state = RequestState::Queued;
      request.refresh = true;
      request.refreshAt = Timestamp::never();
    }
    if (request.state == RequestState::Sent) {
      switch (request.transaction->advance(now)) {
        case stun::Transaction::Due::Nothing:
          break;
        case stun::Transaction::Due::Retransmit:
          send(request);
          break;
        case stun::Transaction::Due::TimedOut:
          fail(request, kNotReached, "STUN server does not answer");
          break;
      }
    }
    if (request.state == RequestState::Queued && pacing_.ready(now, kRequestBurst)) {
      pacing_.take(now);
      request.state = RequestState::Sent;
      request.transaction.emplace(stun::newTransactionId(env_.random), config_.stunPolicy, now);
      send(request);
    }
  }
}

void GathererCore::send(Request& request) {
  const Socket* socket = findSocket(request.socket);
  PacketBuf packet = env_.pool.allocate();
  stun::MessageBuilder builder(packet, stun::Class::Request, stun::Method::Binding,
                               request.transaction->id());
  if (!socket || !builder.finishInto(packet)) return;
  TxPacket out;
  out.socket = socket->id;
  out.to = request.to;
  out.from = socket->local.ip;
  out.data = std::move(packet);
  transmits_.push(std::move(out));
}

bool GathererCore::handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram,
                                  Timestamp now) {
  now = clock_.clamp(now);
  if (mapper_ && mapper_->handleDatagram(socket, from, datagram, now)) {
    pump(now);
    return true;
  }
  // Cheap first: most datagrams on these sockets are not for the gatherer.
  if (requests_.empty() || !stun::Message::looksLikeStun(datagram)) return false;
  const auto request = std::find_if(requests_.begin(), requests_.end(), [&](const Request& r) {
    return r.state == RequestState::Sent && r.socket == socket && r.to == from &&
           std::equal(r.transaction->id().begin(), r.transaction->id().end(), datagram.begin() + 8);
  });
  if (request == requests_.end()) return false;
  const auto answer = stun::Message::parse(datagram);
  if (!answer || answer->method() != stun::Method::Binding ||
      verifyFingerprint(*answer) == stun::IntegrityCheck::Wrong) {
    return true;
  }
  handleAnswer(*answer, *request, now);
  pump(now);
  return true;
}

void GathererCore::handleAnswer(const stun::Message& answer, Request& request, Timestamp now) {
  uint16_t unknown[1];
  const auto known = [](stun::AttributeType type) {
    // A server's answer may tell more than a peer's: RFC 5780 and RFC 3489 addresses among it.
    return stun::isKnownForBinding(type) || static_cast<uint16_t>(type) <= 0x000B;
  };
  if (answer.unknownRequired(unknown, known) != 0) {
    fail(request, 420, "STUN answer with an unknown required attribute");
    return;
  }
  if (answer.messageClass() == stun::Class::Error) {
    const auto error = answer.error();
    if (error && error->code == static_cast<uint16_t>(stun::StunError::TryAlternate)) {
      redirect(answer, request);
    } else {
      fail(request, error ? error->code : kNotReached,
           std::string(error ? error->reason.substr(0, 128) : "STUN error without a code"));
    }
    return;
  }
  if (answer.messageClass() != stun::Class::Success) return;
  auto mapped = answer.xorAddress(stun::AttributeType::XorMappedAddress);
  if (!mapped) mapped = answer.address(stun::AttributeType::MappedAddress);  // RFC 3489 servers
  Socket* socket = findSocket(request.socket);
  if (!mapped || !socket || mapped->ip.family() != socket->local.ip.family()) {
    fail(request, kNotReached, "STUN answer without a usable mapped address");
    return;
  }
  request.state = RequestState::Answered;
  request.transaction.reset();
  // RFC 8445 section 5.1.1.4: bindings "MUST be kept alive by additional Binding requests".
  if (keepalives_ && *mapped != socket->local) request.refreshAt = now + config_.keepalive;
  tellReflexive(*socket, *mapped, request.server, request.to.ip.toString(),
                servers_[request.server].config.url);
}

// RFC 8489 section 10, without credentials.
void GathererCore::redirect(const stun::Message& answer, Request& request) {
  const auto other = answer.address(stun::AttributeType::AlternateServer);
  const Socket* socket = findSocket(request.socket);
  if (!other || !socket || ++request.redirects > kMaxRedirects || *other == request.to ||
      !isAcceptableRemote(*other, false) || !reaches(socket->local.ip, other->ip)) {
    fail(request, 300, "STUN redirection not followed");
    return;
  }
  request.to = *other;
  request.state = RequestState::Queued;
  request.transaction.reset();
}

void GathererCore::fail(Request& request, uint16_t code, std::string text) {
  request.transaction.reset();
  if (request.refresh) {
    request.state = RequestState::Answered;
    if (keepalives_) request.refreshAt = clock_.last() + config_.keepalive;
    return;
  }
  request.state = RequestState::Failed;
  if (servers_[request.server].config.quiet) return;
  const Socket* socket = findSocket(request.socket);
  events_.push(CandidateError{socket ? socket->local : SocketAddress{},
                              servers_[request.server].config.url, code, std::move(text)});
}

}  // namespace parley::ice
