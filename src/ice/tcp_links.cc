#include "ice/tcp_links.h"

#include <algorithm>
#include <utility>

#include "parley/stun/message.h"

namespace parley::ice {
namespace {

/// Time for a first check that is lost three times on its way.
constexpr Duration kProveWithin = Duration::seconds(8);
/// The agent's checks give up after 39.5 s, and with them what else would prove the other end.
constexpr Duration kOutgoingProveWithin = Duration::seconds(45);
/// Drivers give up earlier, and say so.
constexpr Duration kConnectWithin = Duration::seconds(10);
constexpr Duration kIdle = Duration::seconds(30);
constexpr int kMaxAttempts = 4;
constexpr Duration kFirstPause = Duration::millis(500);
constexpr Duration kLongestPause = Duration::seconds(8);
/// A connection that stood so long owes nothing to the failures before it.
constexpr Duration kSettled = Duration::seconds(10);

}  // namespace

TcpLinks::TcpLinks(Environment& environment, IdAllocator& ids) : env_(environment), ids_(ids) {}

void TcpLinks::addLocal(SocketId socket, TcpType type, const SocketAddress& local) {
  locals_.push_back({socket, type, local});
}

void TcpLinks::removeLocal(SocketId socket) {
  for (const auto& link : links_) {
    if (link->socket == socket) hangUp(*link);
  }
  std::erase_if(links_, [&](const auto& link) { return link->socket == socket; });
  std::erase_if(locals_, [&](const Local& local) { return local.socket == socket; });
}

bool TcpLinks::inUse(SocketId socket) const {
  return std::any_of(links_.begin(), links_.end(),
                     [&](const auto& link) { return link->socket == socket; });
}

void TcpLinks::closeAll() {
  transmits_.clear();
  effects_.clear();
  for (const auto& link : links_) hangUp(*link);
  links_.clear();
  locals_.clear();
}

const TcpLinks::Local* TcpLinks::findLocal(SocketId socket) const {
  for (const Local& local : locals_) {
    if (local.socket == socket) return &local;
  }
  return nullptr;
}

TcpLinks::Link* TcpLinks::find(SocketId socket, const SocketAddress& remote) const {
  for (const auto& link : links_) {
    if (link->socket == socket && link->remote == remote) return link.get();
  }
  return nullptr;
}

TcpLinks::Link* TcpLinks::findStream(SocketId stream) const {
  for (const auto& link : links_) {
    if (link->stream == stream && link->state != State::Resting) return link.get();
  }
  return nullptr;
}

TcpLinks::Link* TcpLinks::add(SocketId socket, const SocketAddress& remote, Timestamp now) {
  if (links_.size() >= env_.limits.maxTcpConnections && !makeRoom()) return nullptr;
  Link& link = *links_.emplace_back(std::make_unique<Link>(env_.pool));
  link.socket = socket;
  link.remote = remote;
  link.since = link.lastUsed = now;
  return &link;
}

/// What was accepted and proved nothing is anybody's: the oldest goes.
bool TcpLinks::makeRoom() {
  for (const auto& link : links_) {
    if (!link->accepted || link->proven) continue;
    hangUp(*link);
    lose(*link);
    remove(*link);
    return true;
  }
  return false;
}

void TcpLinks::hangUp(const Link& link) {
  if (link.state != State::Resting) effects_.push(CloseSocket{link.stream});
}

void TcpLinks::lose(const Link& link) {
  lost_.push({link.socket, link.remote});
}

void TcpLinks::remove(const Link& link) {
  std::erase_if(links_, [&](const auto& other) { return other.get() == &link; });
}

// ---- sending ----

bool TcpLinks::send(TxPacket&& packet, Timestamp now) {
  now = clock_.clamp(now);
  Link* link = find(packet.socket, packet.to);
  if (!link) {
    const Local* local = findLocal(packet.socket);
    if (!local || local->type == TcpType::Passive) return false;
    link = add(packet.socket, packet.to, now);
    if (!link) {
      lost_.push({packet.socket, packet.to});
      return false;
    }
    link->local = local->address;
    open(*link, now);
  }
  if (link->state == State::Open) return write(*link, std::move(packet), now);
  // Checks are repeated, so the newest one stands for all.
  link->lastUsed = now;
  link->waiting = std::move(packet.data);
  if (link->state == State::Resting && link->retryAt <= now) open(*link, now);
  return true;
}

void TcpLinks::open(Link& link, Timestamp now) {
  link.stream = ids_.nextSocket();
  link.state = State::Connecting;
  link.since = now;
  link.pressure = false;
  link.greeted = false;
  link.reader = FrameReader(env_.pool);
  // A simultaneous-open candidate is the port it listens on (RFC 6544 section 4.1).
  const Local* local = findLocal(link.socket);
  const bool isActive = !local || local->type == TcpType::Active;
  effects_.push(OpenTcp{link.stream, link.remote, link.local.ip,
                        isActive ? uint16_t{0} : local->address.port});
}

bool TcpLinks::write(Link& link, TxPacket&& packet, Timestamp now) {
  link.lastUsed = now;
  // Sound is little, and the last that may be missing; the driver bounds it.
  const bool canWait = packet.txClass == TxClass::Media || packet.txClass == TxClass::Bulk;
  if (transmits_.full() || (link.pressure && canWait)) return false;
  if (!frame(packet.data)) return false;
  packet.socket = link.stream;
  return transmits_.push(std::move(packet));
}

void TcpLinks::markProven(SocketId socket, const SocketAddress& remote) {
  if (Link* link = find(socket, remote)) link->proven = true;
}

// ---- what happens to connections ----

bool TcpLinks::handleAccepted(const TcpAccepted& accepted, Timestamp now) {
  now = clock_.clamp(now);
  const Local* local = findLocal(accepted.listener);
  if (!local || local->type == TcpType::Active) return false;
  PacketBuf waiting;
  if (Link* former = find(accepted.listener, accepted.remote)) {
    // The peer came first to where we were connecting, or comes back from the same port.
    hangUp(*former);
    waiting = std::move(former->waiting);
    remove(*former);
  }
  Link* link = add(accepted.listener, accepted.remote, now);
  if (!link) {
    effects_.push(CloseSocket{accepted.socket});
    return true;
  }
  link->stream = accepted.socket;
  link->accepted = true;
  link->waiting = std::move(waiting);
  setOpen(*link, accepted.local, now);
  return true;
}

bool TcpLinks::handleOpened(const SocketOpened& opened, Timestamp now) {
  now = clock_.clamp(now);
  Link* link = findStream(opened.socket);
  if (!link) return false;
  if (link->state == State::Connecting) setOpen(*link, opened.local, now);
  return true;
}

void TcpLinks::setOpen(Link& link, const SocketAddress& local, Timestamp now) {
  link.state = State::Open;
  link.local = local;
  link.everOpen = true;
  link.since = link.lastUsed = now;
  if (!link.waiting) return;
  TxPacket packet;
  packet.data = std::move(link.waiting);
  packet.to = link.remote;
  write(link, std::move(packet), now);
}

bool TcpLinks::handleFailed(const SocketFailed& failure, Timestamp now) {
  now = clock_.clamp(now);
  Link* link = findStream(failure.socket);
  if (!link) return false;
  failed(*link, failure.reason, now);
  return true;
}

/// The connection is gone, or did not come about.
void TcpLinks::failed(Link& link, SocketFailure reason, Timestamp now) {
  const bool stood = link.state == State::Open;
  if (stood && now - link.since >= kSettled) link.failures = 0;
  ++link.failures;
  // To be refused where nobody was heard before is an answer. Where somebody was, it is tried as
  // long as the agent has checks for it.
  const bool hopeless =
      link.accepted ||
      (!link.everOpen && (reason == SocketFailure::Refused || link.failures >= kMaxAttempts));
  // One that goes before anything came of it may have been given up by a peer that had not heard
  // us yet: with the next check there is another.
  const bool isPremature =
      stood && !link.accepted && !link.proven && now - link.since < kSettled && !hopeless;
  if ((stood && !isPremature) || hopeless) lose(link);
  if (hopeless) {
    remove(link);
  } else {
    rest(link, now);
  }
}

/// Until a packet wants to go there again; the first break costs no pause.
void TcpLinks::rest(Link& link, Timestamp now) {
  const bool stood = link.state == State::Open;
  const int doublings = std::clamp(link.failures - 1, 0, 10);
  const Duration pause = std::min(kLongestPause, kFirstPause * (int64_t{1} << doublings));
  link.retryAt = stood && link.failures <= 1 ? now : now + pause;
  link.state = State::Resting;
  link.since = now;
  link.proven = false;
}

bool TcpLinks::handleStream(StreamBytes&& bytes, Timestamp now) {
  now = clock_.clamp(now);
  Link* link = findStream(bytes.socket);
  if (!link) return false;
  link->lastUsed = now;
  link->reader.feed(std::move(bytes.data));
  PacketBuf packet;
  while (link->reader.next(packet)) {
    // Whoever is a peer begins with a check or with the answer to ours. What follows may have come
    // with it, before anybody could see what it proves. The transport takes nothing but STUN from
    // where no pair is valid yet, and who goes on proving nothing is hung up on later.
    if (!link->proven && !link->greeted && !stun::Message::looksLikeStun(packet.span())) {
      hangUp(*link);
      lose(*link);
      remove(*link);
      return true;
    }
    link->greeted = true;
    received_.push(Datagram{link->socket, link->remote, link->local, std::move(packet)});
  }
  return true;
}

bool TcpLinks::handlePressure(const StreamPressure& pressure) {
  Link* link = findStream(pressure.socket);
  if (link) link->pressure = pressure.high;
  return link != nullptr;
}

// ---- time ----

Timestamp TcpLinks::deadlineOf(const Link& link) const {
  const Timestamp idle = link.lastUsed + kIdle;
  switch (link.state) {
    case State::Connecting:
      return link.since + kConnectWithin;
    case State::Resting:
      return link.waiting ? link.retryAt : idle;
    case State::Open:
      break;
  }
  if (link.proven) return idle;
  return earliest(idle, link.since + (link.accepted ? kProveWithin : kOutgoingProveWithin));
}

void TcpLinks::expire(Link& link, Timestamp now) {
  if (link.state == State::Resting && link.waiting) {
    open(link, now);
  } else if (link.state == State::Connecting) {
    hangUp(link);
    failed(link, SocketFailure::Unreachable, now);
  } else {
    hangUp(link);
    if (link.state == State::Open) lose(link);
    remove(link);
  }
}

void TcpLinks::advance(Timestamp now) {
  now = clock_.clamp(now);
  for (size_t i = links_.size(); i-- > 0;) {
    Link& link = *links_[i];
    if (deadlineOf(link) <= now) expire(link, now);
  }
}

Timestamp TcpLinks::nextDeadline() const {
  Timestamp next = Timestamp::never();
  for (const auto& link : links_) next = earliest(next, deadlineOf(*link));
  return next;
}

// ---- output ----

bool TcpLinks::pollLost(Lost& out) {
  if (lost_.empty()) return false;
  out = lost_.pop();
  return true;
}

bool TcpLinks::pollReceived(Datagram& out) {
  if (received_.empty()) return false;
  out = received_.pop();
  return true;
}

bool TcpLinks::pollTransmit(TxPacket& out) {
  if (transmits_.empty()) return false;
  out = transmits_.pop();
  return true;
}

bool TcpLinks::pollEffect(Effect& out) {
  if (effects_.empty()) return false;
  out = effects_.pop();
  return true;
}

}  // namespace parley::ice
