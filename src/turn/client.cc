#include "parley/turn/client.h"

#include <algorithm>
#include <utility>

#include "parley/base/machine.h"
#include "parley/stun/channel_data.h"

#include "turn/client_core.h"

namespace parley::turn {
namespace {

static_assert(Machine<Client>);

constexpr uint16_t kNotReached = 701;  // webrtc-pc section 4.8.2.1
/// A SYN or a TLS flight that is lost twice costs TCP seconds, and a connection whose packets are
/// swallowed never recovers: another one beside it gets through sooner.
constexpr Duration kSecondTry = Duration::seconds(3);
/// The same for one that is there and does not answer.
constexpr Duration kSecondTryForAnswer = Duration::seconds(5);

}  // namespace

ClientCore::ClientCore(Environment& environment, IdAllocator& ids, ClientConfig config)
    : env_(environment),
      ids_(ids),
      config_(std::move(config)),
      auth_(config_.username, config_.password),
      server_(config_.connectTo),
      serverName_(config_.host),
      mobility_(config_.mobility),
      families_(config_.families),
      nextChannel_(stun::kMinChannel) {}

void ClientCore::start(Timestamp now) {
  now = clock_.clamp(now);
  if (state_ != State::New) return;
  if (config_.tcpRelay && !isStream(config_.transport)) {
    // RFC 6062 section 4.1.
    fail(static_cast<uint16_t>(stun::StunError::BadRequest),
         "relayed TCP connections want TCP or TLS to the server", now);
    return;
  }
  tried_.push_back(server_);
  openLink(now);
  pump(now);
}

LinkConfig ClientCore::linkConfig() const {
  LinkConfig link;
  link.transport = config_.transport;
  link.connectTo = server_;
  link.local = config_.local;
  link.serverName = serverName_;
  link.tls = config_.tls;
  if (config_.proxy && isStream(config_.transport)) {
    // A redirected client asks the proxy for the other server's address.
    const bool redirected = server_ != config_.connectTo;
    link.proxy = config_.proxy;
    link.connectTo = config_.connectTo;
    link.targetHost = redirected ? server_.ip.toString() : config_.host;
    link.targetPort = redirected ? server_.port : config_.port;
  }
  return link;
}

void ClientCore::openLink(Timestamp now) {
  state_ = State::Connecting;
  retire(second_, now);
  secondAt_ = isStream(config_.transport) ? now + kSecondTry : Timestamp::never();
  link_ = std::make_unique<ServerLink>(env_, ids_, linkConfig());
  link_->open(now);
}

/// Closes a link; its good-bye and its socket's end are still to be polled.
void ClientCore::retire(std::unique_ptr<ServerLink>& link, Timestamp now) {
  if (!link) return;
  link->close(now);
  if (retired_) {
    Effect effect;
    while (retired_->pollEffect(effect)) effects_.push(std::move(effect));
  }
  retired_ = std::move(link);
}

void ClientCore::close(Timestamp now) {
  now = clock_.clamp(now);
  if (isDone() || state_ == State::Closing) return;
  retire(moving_, now);
  waiting_.clear();
  if (state_ != State::Allocated) {
    finishClosing(now);
    return;
  }
  requests_.clear();
  endAllStreams(now);
  state_ = State::Closing;
  ask({Kind::Release}, now);
  pump(now);
}

void ClientCore::finishClosing(Timestamp now) {
  requests_.clear();
  endAllStreams(now);
  retire(second_, now);
  retire(link_, now);
  relayed_.clear();
  state_ = State::Closed;
  raise(ClientClosed{});
}

void ClientCore::fail(uint16_t code, std::string text, Timestamp now) {
  if (isDone()) return;
  if (state_ == State::Closing) {
    finishClosing(now);
    return;
  }
  PARLEY_LOG(env_.log, Info, "turn", "%s: %u %s", server_.toString().c_str(),
             static_cast<unsigned>(code), text.c_str());
  const bool wasAllocated = state_ == State::Allocated;
  const SocketAddress local = link_ ? link_->local() : SocketAddress{};
  requests_.clear();
  waiting_.clear();
  endAllStreams(now);
  retire(moving_, now);
  retire(second_, now);
  retire(link_, now);
  relayed_.clear();
  state_ = State::Failed;
  raise(ClientFailed{code, std::move(text), local, wasAllocated});
}

void ClientCore::raise(ClientEvent event) {
  (void)events_.push(std::move(event));  // the getters tell the truth, too
}

void ClientCore::handleNetworkChange(Timestamp now) {
  now = clock_.clamp(now);
  if (state_ == State::Allocated && !ticket_.empty() && !moving_) {
    moving_ = std::make_unique<ServerLink>(env_, ids_, linkConfig());
    moving_->open(now);
  } else if (state_ == State::Allocated && !asking(Kind::Refresh)) {
    ask({Kind::Refresh}, now);
  }
  pump(now);
}

bool ClientCore::confirm(Timestamp now) {
  now = clock_.clamp(now);
  if (state_ != State::Allocated) return false;
  if (!isConfirming()) ask({Kind::Refresh}, now);
  pump(now);
  return true;
}

bool ClientCore::isConfirming() const {
  return asking(Kind::Refresh) || asking(Kind::Move);
}

ServerLink* ClientCore::linkOf(SocketId socket) {
  if (link_ && link_->owns(socket)) return link_.get();
  if (second_ && second_->owns(socket)) return second_.get();
  if (moving_ && moving_->owns(socket)) return moving_.get();
  for (const auto& stream : streams_) {
    if (stream->link && stream->link->owns(socket)) return stream->link.get();
  }
  return nullptr;
}

bool ClientCore::owns(SocketId socket) const {
  const auto isOf = [socket](const std::unique_ptr<ServerLink>& link) {
    return link && link->owns(socket);
  };
  return isOf(link_) || isOf(second_) || isOf(moving_) || isOf(retired_) ||
         std::any_of(leaving_.begin(), leaving_.end(), isOf) ||
         std::any_of(streams_.begin(), streams_.end(),
                     [&](const auto& stream) { return isOf(stream->link); });
}

void ClientCore::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  now = clock_.clamp(now);
  if (ServerLink* link = linkOf(opened.socket)) link->handleOpened(opened, now);
  pump(now);
}

void ClientCore::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  now = clock_.clamp(now);
  if (ServerLink* link = linkOf(failed.socket)) link->handleFailed(failed, now);
  pump(now);
}

void ClientCore::handleDatagram(Datagram&& datagram, Timestamp now) {
  now = clock_.clamp(now);
  if (ServerLink* link = linkOf(datagram.socket)) link->handleDatagram(std::move(datagram), now);
  pump(now);
}

void ClientCore::handleStream(StreamBytes&& bytes, Timestamp now) {
  now = clock_.clamp(now);
  if (ServerLink* link = linkOf(bytes.socket)) link->handleStream(std::move(bytes), now);
  pump(now);
}

void ClientCore::handlePressure(const StreamPressure& pressure) {
  if (ServerLink* link = linkOf(pressure.socket)) link->handlePressure(pressure);
  noteWritable();
}

void ClientCore::pump(Timestamp now) {
  PacketBuf frame;
  while (moving_ && moving_->pollFrame(frame)) handleFrame(std::move(frame), now);
  while (link_ && link_->pollFrame(frame)) handleFrame(std::move(frame), now);
  watchLinks(now);
  watchMove(now);
  watchStreams(now);
  runRequests(now);
  if (state_ != State::Allocated) return;
  if (refreshAt_ <= now && !asking(Kind::Refresh) && !asking(Kind::Move)) ask({Kind::Refresh}, now);
  if (expiresAt_ <= now) {
    fail(kNotReached, "the allocation expired: the server no longer answers", now);
    return;
  }
  askPermissions(now);
  askChannels(now);
  keepAlive(now);
}

void ClientCore::watchLinks(Timestamp now) {
  if (!link_) return;
  watchSecond(now);
  if (link_->state() == ServerLink::State::Failed) {
    if (state_ == State::Allocated && moving_) return;  // the old path may well be gone already
    fail(kNotReached, link_->error(), now);
  } else if (state_ == State::Connecting && link_->state() == ServerLink::State::Ready) {
    state_ = State::Allocating;
    lastSentAt_ = now;
    if (!secondAt_.isNever()) secondAt_ = now + kSecondTryForAnswer;
    ask({Kind::Allocate}, now);
  }
}

void ClientCore::watchSecond(Timestamp now) {
  if (state_ != State::Connecting && state_ != State::Allocating) {
    secondAt_ = Timestamp::never();
    retire(second_, now);
    return;
  }
  const bool failed = link_->state() == ServerLink::State::Failed;
  if (second_ && second_->state() == ServerLink::State::Failed) retire(second_, now);
  if (secondAt_ <= now || (failed && link_->wasCut() && !secondAt_.isNever())) {
    secondAt_ = Timestamp::never();
    second_ = std::make_unique<ServerLink>(env_, ids_, linkConfig());
    second_->open(now);
  }
  if (!second_ || (!failed && second_->state() != ServerLink::State::Ready)) return;
  requests_.clear();
  retire(link_, now);
  link_ = std::move(second_);
  state_ = State::Connecting;
}

void ClientCore::watchMove(Timestamp now) {
  if (!moving_) return;
  if (moving_->state() == ServerLink::State::Failed) {
    retire(moving_, now);
    if (link_ && link_->state() == ServerLink::State::Failed)
      fail(kNotReached, "the network changed and the server is out of reach", now);
  } else if (moving_->state() == ServerLink::State::Ready && !asking(Kind::Move)) {
    ask({Kind::Move}, now);
  }
}

void ClientCore::keepAlive(Timestamp now) {
  if (isStream(config_.transport) || config_.keepalive.isInfinite() ||
      now - lastSentAt_ < config_.keepalive) {
    return;
  }
  TxPacket packet;
  packet.data = env_.pool.allocate();
  stun::MessageBuilder builder(packet.data, stun::Class::Indication, stun::Method::Binding,
                               stun::newTransactionId(env_.random));
  lastSentAt_ = now;
  if (builder.finishInto(packet.data)) link_->send(std::move(packet), now);
}

void ClientCore::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (link_) link_->advance(now);
  if (second_) second_->advance(now);
  if (moving_) moving_->advance(now);
  for (const auto& stream : streams_) {
    if (stream->link) stream->link->advance(now);
  }
  pump(now);
  PARLEY_DCHECK(nextDeadline() > now);
}

Timestamp ClientCore::nextDeadline() const {
  if (isDone()) return Timestamp::never();
  Timestamp next = Timestamp::never();
  if (link_) next = earliest(next, link_->nextDeadline());
  if (second_) next = earliest(next, second_->nextDeadline());
  if (moving_) next = earliest(next, moving_->nextDeadline());
  for (const auto& stream : streams_) {
    if (stream->link) next = earliest(next, stream->link->nextDeadline());
  }
  next = earliest(next, secondAt_);
  for (const Request& request : requests_) next = earliest(next, request.transaction.deadline());
  if (state_ != State::Allocated) return next;
  if (!asking(Kind::Refresh) && !asking(Kind::Move)) next = earliest(next, refreshAt_);
  next = earliest(next, expiresAt_, dataDeadline());
  if (!isStream(config_.transport) && !config_.keepalive.isInfinite())
    next = earliest(next, lastSentAt_ + config_.keepalive);
  return next;
}

bool ClientCore::pollData(PeerData& out) {
  if (data_.empty()) return false;
  out = data_.pop();
  return true;
}

bool ClientCore::pollTransmit(TxPacket& out) {
  return (retired_ && retired_->pollTransmit(out)) || (link_ && link_->pollTransmit(out)) ||
         (second_ && second_->pollTransmit(out)) || (moving_ && moving_->pollTransmit(out)) ||
         pollStreamTransmit(out);
}

bool ClientCore::pollEffect(Effect& out) {
  if (!effects_.empty()) {
    out = effects_.pop();
    return true;
  }
  return (retired_ && retired_->pollEffect(out)) || (link_ && link_->pollEffect(out)) ||
         (second_ && second_->pollEffect(out)) || (moving_ && moving_->pollEffect(out)) ||
         pollStreamEffect(out);
}

bool ClientCore::pollEvent(ClientEvent& out) {
  if (events_.empty()) return false;
  out = events_.pop();
  return true;
}

// ---- the public face ----

Client::Client(Environment& environment, IdAllocator& ids, ClientConfig config)
    : core_(std::make_unique<ClientCore>(environment, ids, std::move(config))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

void Client::start(Timestamp now) {
  core_->start(now);
}
void Client::close(Timestamp now) {
  core_->close(now);
}
void Client::handleNetworkChange(Timestamp now) {
  core_->handleNetworkChange(now);
}
bool Client::confirm(Timestamp now) {
  return core_->confirm(now);
}
bool Client::isConfirming() const {
  return core_->isConfirming();
}
bool Client::owns(SocketId socket) const {
  return core_->owns(socket);
}
void Client::handleSocketOpened(const SocketOpened& opened, Timestamp now) {
  core_->handleSocketOpened(opened, now);
}
void Client::handleSocketFailed(const SocketFailed& failed, Timestamp now) {
  core_->handleSocketFailed(failed, now);
}
void Client::handleDatagram(Datagram&& datagram, Timestamp now) {
  core_->handleDatagram(std::move(datagram), now);
}
void Client::handleStream(StreamBytes&& bytes, Timestamp now) {
  core_->handleStream(std::move(bytes), now);
}
void Client::handlePressure(const StreamPressure& pressure, Timestamp) {
  core_->handlePressure(pressure);
}
void Client::permit(const IpAddress& peer, Timestamp now) {
  core_->permit(peer, now);
}
bool Client::send(TxPacket&& packet, Timestamp now) {
  return core_->send(std::move(packet), now);
}
std::optional<PeerStreamId> Client::connect(const SocketAddress& peer, Timestamp now) {
  return core_->connect(peer, now);
}
bool Client::sendStream(PeerStreamId stream, PacketBuf&& bytes, Timestamp now) {
  return core_->sendStream(stream, std::move(bytes), now);
}
bool Client::pollStream(PeerStreamId stream, PacketBuf& out) {
  return core_->pollStream(stream, out);
}
void Client::closeStream(PeerStreamId stream, Timestamp now) {
  core_->closeStream(stream, now);
}
bool Client::pollData(PeerData& out) {
  return core_->pollData(out);
}
bool Client::pollTransmit(TxPacket& out) {
  return core_->pollTransmit(out);
}
bool Client::pollEffect(Effect& out) {
  return core_->pollEffect(out);
}
bool Client::pollEvent(ClientEvent& out) {
  return core_->pollEvent(out);
}
void Client::advance(Timestamp now) {
  core_->advance(now);
}
Timestamp Client::nextDeadline() const {
  return core_->nextDeadline();
}
bool Client::isAllocated() const {
  return core_->isAllocated();
}
bool Client::isDone() const {
  return core_->isDone();
}
const std::vector<SocketAddress>& Client::relayed() const {
  return core_->relayed();
}
const ClientConfig& Client::config() const {
  return core_->config();
}
ClientCounters Client::counters() const {
  return core_->counters();
}

}  // namespace parley::turn
