#include "turn/server_link.h"

#include <algorithm>
#include <utility>

#include "parley/base/machine.h"

namespace parley::turn {
namespace {

static_assert(Machine<ServerLink>);

/// From the wish for a socket to a link that carries messages.
constexpr Duration kOpenTimeout = Duration::seconds(15);
/// Encrypted packets that wait to be polled; above it media is dropped before it is encrypted.
constexpr size_t kMaxWaitingCiphertext = 128;
/// Of a peer stream; then it takes no more until some are polled.
constexpr size_t kMaxWaitingBytes = 64;

const char* reasonOf(SocketFailure failure) {
  switch (failure) {
    case SocketFailure::Refused:
      return "connection refused";
    case SocketFailure::Unreachable:
      return "unreachable";
    case SocketFailure::Reset:
      return "connection reset";
    case SocketFailure::Closed:
      return "connection closed by the server";
    case SocketFailure::AddressInUse:
      return "local address in use";
    case SocketFailure::AddressNotAvailable:
      return "local address not available";
    case SocketFailure::Denied:
      return "not allowed by the system";
    case SocketFailure::Other:
      break;
  }
  return "socket failed";
}

}  // namespace

ServerLink::ServerLink(Environment& environment, IdAllocator& ids, LinkConfig config)
    : env_(environment), ids_(ids), config_(std::move(config)), framer_(environment.pool) {}

void ServerLink::open(Timestamp now) {
  now = clock_.clamp(now);
  if (state_ != State::Idle) return;
  state_ = State::Opening;
  openDeadline_ = now + kOpenTimeout;
  socket_ = ids_.nextSocket();
  const AddressFamily family = config_.connectTo.ip.family();
  const IpAddress local = config_.local.family() == family ? config_.local : IpAddress::any(family);
  if (isStream(config_.transport)) {
    effects_.push(OpenTcp{socket_, config_.connectTo, local});
  } else {
    effects_.push(OpenUdp{socket_, {local, 0}, false});
  }
}

void ServerLink::close(Timestamp now) {
  now = clock_.clamp(now);
  if (state_ == State::Closed) return;
  if (tls_ && state_ == State::Ready) {
    tls_->close(now);
    pumpTls();
  }
  if (socket_ != SocketId{} && state_ != State::Failed) effects_.push(CloseSocket{socket_});
  state_ = State::Closed;
  openDeadline_ = Timestamp::never();
  tls_.reset();
}

void ServerLink::fail(std::string reason) {
  if (state_ == State::Failed || state_ == State::Closed) return;
  state_ = State::Failed;
  error_ = std::move(reason);
  openDeadline_ = Timestamp::never();
  effects_.push(CloseSocket{socket_});
}

void ServerLink::handleOpened(const SocketOpened& opened, Timestamp now) {
  now = clock_.clamp(now);
  if (state_ != State::Opening) return;
  local_ = opened.local;
  if (config_.proxy && isStream(config_.transport)) {
    proxy_.emplace(*config_.proxy, config_.targetHost, config_.targetPort);
    sendCopy(proxy_->start());
    return;
  }
  connected(now);
}

void ServerLink::connected(Timestamp now) {
  if (isSecure(config_.transport)) {
    startTls(now);
  } else {
    state_ = State::Ready;
    openDeadline_ = Timestamp::never();
  }
}

void ServerLink::startTls(Timestamp now) {
  if (!config_.tls) {
    fail("no TLS context");
    return;
  }
  tls_.emplace(env_, config_.tls, config_.serverName);
  tls_->start(now);
  pumpTls();
}

void ServerLink::handleFailed(const SocketFailed& failed, Timestamp now) {
  (void)clock_.clamp(now);
  wasCut_ = failed.reason == SocketFailure::Reset || failed.reason == SocketFailure::Closed;
  fail(reasonOf(failed.reason));
}

void ServerLink::handleDatagram(Datagram&& datagram, Timestamp now) {
  now = clock_.clamp(now);
  // Whoever else sends to this port is none of ours.
  if (datagram.from != config_.connectTo || state_ == State::Failed || state_ == State::Closed)
    return;
  if (tls_) {
    tls_->handleBytes(datagram.data.span(), now);
    pumpTls();
  } else if (state_ == State::Ready) {
    pushFrame(std::move(datagram.data));
  }
}

void ServerLink::handleStream(StreamBytes&& bytes, Timestamp now) {
  now = clock_.clamp(now);
  if (state_ == State::Failed || state_ == State::Closed) return;
  ByteSpan input = bytes.data.span();
  if (proxy_) feedProxy(input, now);
  if (input.empty() || proxy_) return;
  if (tls_) {
    tls_->handleBytes(input, now);
    pumpTls();
  } else {
    feedFrames(input);
  }
}

void ServerLink::feedProxy(ByteSpan& input, Timestamp now) {
  Bytes reply;
  const ProxyHandshake::Status status = proxy_->handle(input, reply);
  if (!reply.empty()) sendCopy(reply);
  if (status == ProxyHandshake::Status::Failed) fail(proxy_->error());
  if (status != ProxyHandshake::Status::Done) return;
  proxy_.reset();
  connected(now);
}

void ServerLink::pumpTls() {
  PacketBuf packet;
  while (tls_->pollTransmit(packet)) {
    // Over a stream this is the middle of something: it must go out, whatever it carries.
    if (!sendRaw(std::move(packet), TxClass::Control) && isStream(config_.transport))
      fail("the connection is too slow");
  }
  while (tls_->pollData(packet)) {
    if (isStream(config_.transport)) {
      feedFrames(packet.span());
    } else {
      pushFrame(std::move(packet));
    }
  }
  using TlsState = dtls::TlsSession::State;
  if (state_ == State::Opening && tls_->state() == TlsState::Connected) {
    state_ = State::Ready;
    openDeadline_ = Timestamp::never();
  } else if (tls_->state() == TlsState::Failed) {
    fail("TLS: " + tls_->error());
  } else if (tls_->state() == TlsState::Closed) {
    fail("connection closed by the server");
  }
}

void ServerLink::feedFrames(ByteSpan input) {
  if (raw_) {
    pushRaw(input);
    return;
  }
  PacketBuf frame;
  while (!waits_ && framer_.take(input, frame)) {
    pushFrame(std::move(frame));
    waits_ = config_.isData;
  }
  if (waits_) rest_.insert(rest_.end(), input.begin(), input.end());
  if (framer_.broken()) fail("the server does not speak TURN");
}

void ServerLink::pushRaw(ByteSpan input) {
  while (!input.empty()) {
    const size_t size = std::min(input.size(), PacketBuf::kMaxPayload);
    PacketBuf piece = env_.pool.copyOf(input.first(size));
    if (!piece || !frames_.push(std::move(piece))) {
      fail("no room for what a peer sends");
      return;
    }
    input = input.subspan(size);
  }
}

void ServerLink::goOn(bool isRaw) {
  raw_ = isRaw;
  waits_ = false;
  feedFrames(std::exchange(rest_, {}));
}

bool ServerLink::hasRoom() const {
  return state_ == State::Ready && !pressure_ && transmits_.size() < kMaxWaitingBytes;
}

bool ServerLink::sendBytes(PacketBuf&& bytes, Timestamp now) {
  now = clock_.clamp(now);
  if (!raw_ || !hasRoom()) return false;
  if (!tls_) return sendRaw(std::move(bytes), TxClass::Control);
  const bool sent = tls_->send(bytes.span(), now);
  pumpTls();
  if (!sent) fail("a byte is missing");
  bytes.reset();
  return sent;
}

void ServerLink::pushFrame(PacketBuf frame) {
  // A full queue loses the frame as a network would; requests are repeated or time out.
  (void)frames_.push(std::move(frame));
}

bool ServerLink::sendRaw(PacketBuf bytes, TxClass txClass) {
  TxPacket out;
  out.socket = socket_;
  out.to = config_.connectTo;
  out.txClass = txClass;
  out.data = std::move(bytes);
  return transmits_.push(std::move(out));
}

bool ServerLink::sendCopy(ByteSpan bytes) {
  return sendRaw(env_.pool.copyOf(bytes), TxClass::Control);
}

bool ServerLink::send(TxPacket&& frame, Timestamp now) {
  now = clock_.clamp(now);
  if (state_ != State::Ready) return false;
  const bool stream = isStream(config_.transport);
  if (stream) stun::padForStream(frame.data);
  if (!tls_) {
    frame.socket = socket_;
    frame.to = config_.connectTo;
    frame.from = {};
    return transmits_.push(std::move(frame));
  }
  const bool late = pressure_ || transmits_.size() > kMaxWaitingCiphertext;
  if (stream && late && frame.txClass != TxClass::Control) return false;
  const bool sent = tls_->send(frame.data.span(), now);
  pumpTls();
  return sent;
}

bool ServerLink::pollFrame(PacketBuf& out) {
  if (frames_.empty()) return false;
  out = frames_.pop();
  return true;
}

bool ServerLink::pollTransmit(TxPacket& out) {
  if (transmits_.empty()) return false;
  out = transmits_.pop();
  return true;
}

bool ServerLink::pollEffect(Effect& out) {
  if (effects_.empty()) return false;
  out = effects_.pop();
  return true;
}

void ServerLink::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (tls_ && (state_ == State::Opening || state_ == State::Ready)) {
    tls_->advance(now);
    pumpTls();
  }
  if (state_ == State::Opening && now >= openDeadline_) fail("no connection in time");
}

Timestamp ServerLink::nextDeadline() const {
  if (state_ != State::Opening && state_ != State::Ready) return Timestamp::never();
  return tls_ ? earliest(openDeadline_, tls_->nextDeadline()) : openDeadline_;
}

}  // namespace parley::turn
