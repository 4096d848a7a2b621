#include <algorithm>
#include <utility>

#include "turn/client_core.h"

// Relayed TCP connections (RFC 6062 section 4). Each is claimed with a connection of its own to the
// server, which carries nothing but the peer's bytes from then on.

namespace parley::turn {
namespace {

using stun::AttributeType;

constexpr size_t kMaxStreams = 64;
constexpr uint16_t kNotReached = 701;
/// Pieces (a read of the driver's each) that wait to be polled: above the first number the stream
/// is not read from, below the second it is again.
constexpr size_t kHoldAbove = 32;
constexpr size_t kGoOnBelow = 8;

}  // namespace

ClientCore::PeerStream* ClientCore::findStream(PeerStreamId id) {
  for (const auto& stream : streams_) {
    if (stream->id == id) return stream.get();
  }
  return nullptr;
}

ClientCore::PeerStream* ClientCore::newStream(const SocketAddress& peer) {
  if (streams_.size() >= kMaxStreams) return nullptr;
  streams_.push_back(std::make_unique<PeerStream>());
  streams_.back()->id = PeerStreamId(++lastStream_);
  streams_.back()->peer = peer;
  return streams_.back().get();
}

// ---- from wish to connection ----

std::optional<PeerStreamId> ClientCore::connect(const SocketAddress& peer, Timestamp now) {
  now = clock_.clamp(now);
  if (state_ != State::Allocated || !config_.tcpRelay || peer.port == 0 || !reaches(peer.ip))
    return std::nullopt;
  const PeerStream* stream = newStream(peer);
  if (!stream) return std::nullopt;
  const PeerStreamId id = stream->id;
  ask({Kind::Connect, 1, {}, peer, 0, id}, now);
  pump(now);
  return id;
}

void ClientCore::connected(const stun::Message& response, const Request& request, Timestamp now) {
  PeerStream* stream = findStream(request.stream);
  if (!stream || stream->state != PeerStream::State::Asked) return;
  if (const auto id = response.u32(AttributeType::ConnectionId)) {
    openDataLink(*stream, *id, now);
  } else {
    endStream(stream->id, kNotReached, "TURN answer without a connection", now);
  }
}

/// A peer has connected to the relayed address.
void ClientCore::handleAttempt(const stun::Message& message, Timestamp now) {
  const auto id = message.u32(AttributeType::ConnectionId);
  const auto peer = message.xorAddress(AttributeType::XorPeerAddress);
  if (state_ != State::Allocated || !config_.tcpRelay || !id || !peer ||
      !findPermission(peer->ip)) {
    ++counters_.strayData;
    return;
  }
  PeerStream* stream = newStream(*peer);
  if (!stream) return;  // the server closes what is not claimed
  stream->incoming = true;
  openDataLink(*stream, *id, now);
}

void ClientCore::openDataLink(PeerStream& stream, uint32_t connectionId, Timestamp now) {
  stream.connectionId = connectionId;
  stream.state = PeerStream::State::Linking;
  LinkConfig config = linkConfig();
  config.isData = true;
  stream.link = std::make_unique<ServerLink>(env_, ids_, std::move(config));
  stream.link->open(now);
}

void ClientCore::claimed(const Request& request) {
  PeerStream* stream = findStream(request.stream);
  if (!stream || stream->state != PeerStream::State::Claiming) return;
  stream->state = PeerStream::State::Open;
  raise(PeerStreamOpened{stream->id, stream->peer, stream->incoming});
}

// ---- the ends ----

void ClientCore::retireStream(PeerStream& stream, Timestamp now) {
  if (!stream.link) return;
  stream.link->close(now);
  leaving_.push_back(std::move(stream.link));
}

void ClientCore::closeStream(PeerStreamId id, Timestamp now) {
  now = clock_.clamp(now);
  PeerStream* stream = findStream(id);
  if (!stream) return;
  std::erase_if(requests_, [id](const Request& request) { return request.stream == id; });
  retireStream(*stream, now);
  std::erase_if(streams_, [id](const auto& other) { return other->id == id; });
}

/// The event waits until what came before it has been polled.
void ClientCore::endStream(PeerStreamId id, uint16_t code, std::string text, Timestamp now) {
  PeerStream* stream = findStream(id);
  if (!stream || stream->state == PeerStream::State::Ended) return;
  std::erase_if(requests_, [id](const Request& request) { return request.stream == id; });
  stream->state = PeerStream::State::Ended;
  stream->end = {id, stream->peer, code, std::move(text)};
  retireStream(*stream, now);
}

void ClientCore::endAllStreams(Timestamp now) {
  for (const auto& stream : streams_) {
    const bool stood = stream->state == PeerStream::State::Open;
    endStream(stream->id, stood ? 0 : kNotReached, "no allocation", now);
  }
  sweepStreams();
}

void ClientCore::sweepStreams() {
  std::erase_if(streams_, [this](const std::unique_ptr<PeerStream>& stream) {
    if (stream->state != PeerStream::State::Ended || !stream->in.empty()) return false;
    raise(std::move(stream->end));
    return true;
  });
}

// ---- running ----

void ClientCore::watchStreams(Timestamp now) {
  if (streams_.empty()) return;
  for (size_t i = 0; i < streams_.size(); ++i) watchStream(*streams_[i], now);
  sweepStreams();
}

void ClientCore::watchStream(PeerStream& stream, Timestamp now) {
  if (!stream.link) return;
  if (stream.state == PeerStream::State::Linking &&
      stream.link->state() == ServerLink::State::Ready) {
    stream.state = PeerStream::State::Claiming;
    ask({Kind::Claim, 1, {}, {}, 0, stream.id}, now);
  }
  PacketBuf frame;
  while (stream.state == PeerStream::State::Claiming && stream.link->pollFrame(frame)) {
    const auto message = stun::Message::parse(frame.span());
    if (message) {
      handleOnDataLink(stream, *message, now);
    } else {
      ++counters_.malformed;
    }
    // An answer may have ended it.
    if (stream.link) stream.link->goOn(stream.state == PeerStream::State::Open);
  }
  if (stream.state == PeerStream::State::Open) takeBytes(stream);
  if (!stream.link || stream.link->state() != ServerLink::State::Failed) return;
  const bool stood = stream.state == PeerStream::State::Open;
  endStream(stream.id, stood ? 0 : kNotReached, stream.link->error(), now);
}

/// Nothing but the answer to its ConnectionBind belongs here (RFC 6062 section 4.3). The others
/// come where their requests went, and may end the allocation and with it all streams: not while
/// one of them is being looked at.
void ClientCore::handleOnDataLink(const PeerStream& stream, const stun::Message& message,
                                  Timestamp now) {
  const bool answers = message.messageClass() == stun::Class::Success ||
                       message.messageClass() == stun::Class::Error;
  const bool isClaim =
      answers && std::any_of(requests_.begin(), requests_.end(), [&](const Request& request) {
        return request.kind == Kind::Claim && request.stream == stream.id &&
               request.transaction.id() == message.transactionId();
      });
  if (isClaim) {
    handleResponse(message, now);
  } else {
    ++counters_.unmatched;
  }
}

void ClientCore::takeBytes(PeerStream& stream) {
  PacketBuf bytes;
  while (!stream.in.full() && stream.link->pollFrame(bytes)) stream.in.push(std::move(bytes));
  if (stream.held || stream.in.size() <= kHoldAbove) return;
  stream.held = true;
  stream.link->hold(true);
}

bool ClientCore::pollStream(PeerStreamId id, PacketBuf& out) {
  PeerStream* stream = findStream(id);
  if (!stream || stream->in.empty()) return false;
  out = stream->in.pop();
  if (stream->link && stream->in.size() < kGoOnBelow) {
    if (std::exchange(stream->held, false)) stream->link->hold(false);
    takeBytes(*stream);
  }
  sweepStreams();
  return true;
}

bool ClientCore::sendStream(PeerStreamId id, PacketBuf&& bytes, Timestamp now) {
  now = clock_.clamp(now);
  PeerStream* stream = findStream(id);
  if (!stream || stream->state != PeerStream::State::Open || bytes.empty()) return false;
  if (stream->link->sendBytes(std::move(bytes), now)) return true;
  stream->refused = true;
  return false;
}

void ClientCore::noteWritable() {
  for (const auto& stream : streams_) {
    if (!stream->refused || !stream->link || !stream->link->hasRoom()) continue;
    stream->refused = false;
    raise(PeerStreamWritable{stream->id});
  }
}

bool ClientCore::pollStreamTransmit(TxPacket& out) {
  for (const auto& link : leaving_) {
    if (link->pollTransmit(out)) return true;
  }
  for (const auto& stream : streams_) {
    if (stream->link && stream->link->pollTransmit(out)) return true;
  }
  noteWritable();
  return false;
}

bool ClientCore::pollStreamEffect(Effect& out) {
  for (const auto& stream : streams_) {
    if (stream->link && stream->link->pollEffect(out)) return true;
  }
  for (const auto& link : leaving_) {
    if (link->pollEffect(out)) return true;
  }
  std::erase_if(leaving_, [](const auto& link) { return !link->hasOutput(); });
  return false;
}

}  // namespace parley::turn
