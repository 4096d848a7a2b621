#include "io/runner.h"

#include <algorithm>
#include <utility>

#include "parley/base/check.h"

namespace parley::io {
namespace {

/// Rounds of one pump; then other Driven of the loop get their turn.
constexpr int kMaxRounds = 16;
/// Reads of one stream per cycle.
constexpr int kMaxStreamReads = 32;
/// Datagrams of one wake whose acknowledgement waits for what the callbacks answer, to share a
/// packet with it. More of them are a transfer, which goes on while callbacks run.
constexpr size_t kFewDatagrams = 4;

void add(UdpCounters& sum, const UdpCounters& part) {
  sum.datagramsSent += part.datagramsSent;
  sum.datagramsReceived += part.datagramsReceived;
  sum.sendCalls += part.sendCalls;
  sum.receiveCalls += part.receiveCalls;
  sum.segmentedMessages += part.segmentedMessages;
  sum.segmentedDatagrams += part.segmentedDatagrams;
  sum.coalescedMessages += part.coalescedMessages;
  sum.sendErrors += part.sendErrors;
  sum.queueDrops += part.queueDrops;
  sum.truncated += part.truncated;
  sum.poolExhausted += part.poolExhausted;
}

}  // namespace

/// A socket in the epoll set. `closed` ones may still get an event of the same wake.
struct Runner::Socket : Pollable {
  enum class Kind : uint8_t { Udp, Stream, Listener };
  Socket(Runner& owner, SocketId socketId, Kind socketKind)
      : runner(owner), id(socketId), kind(socketKind) {}
  virtual ~Socket() = default;

  void watch(int fd, bool writable, bool readable = true) {
    const uint32_t events = (readable ? static_cast<uint32_t>(EPOLLIN) : 0u) |
                            (writable ? static_cast<uint32_t>(EPOLLOUT) : 0u);
    if (watched == events) return;
    Poller& poller = runner.host_.poller();
    watched ? poller.modify(fd, events, *this) : poller.add(fd, events, *this);
    watched = events;
  }

  Runner& runner;
  const SocketId id;
  const Kind kind;
  bool closed = false;
  std::optional<uint32_t> watched;
};

struct Runner::UdpEntry final : Socket {
  UdpEntry(Runner& owner, SocketId socketId, std::unique_ptr<UdpSocket> opened)
      : Socket(owner, socketId, Kind::Udp), socket(std::move(opened)) {}

  void ready(uint32_t events, Timestamp now) override {
    if (closed) return;
    if (events & EPOLLOUT) socket->flush(now);
    if (events & ~static_cast<uint32_t>(EPOLLOUT)) {
      const std::span<Datagram> arrived = socket->receive(runner.driven_.pool(), runner.received_);
      for (Datagram& datagram : arrived) datagram.socket = id;
      runner.arrived_ += arrived.size();
      if (!arrived.empty()) runner.driven_.handleDatagrams(arrived, now);
    }
    watch(socket->fd(), socket->wantsWritable());
  }

  std::unique_ptr<UdpSocket> socket;
};

struct Runner::StreamEntry final : Socket {
  StreamEntry(Runner& owner, SocketId socketId, std::unique_ptr<TcpStream> opened,
              std::optional<SocketId> from)
      : Socket(owner, socketId, Kind::Stream), stream(std::move(opened)), listener(from) {}

  void ready(uint32_t events, Timestamp now) override {
    if (closed) return;
    if (stream->isConnecting()) {
      std::optional<SocketFailure> failure;
      if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
      if (!stream->finishConnecting(failure)) {
        runner.endStream(*this, failure, now);
        return;
      }
      runner.feed(SocketOpened{id, stream->local()}, now);
    }
    if (events & EPOLLOUT) {
      if (const auto failure = stream->flush()) {
        runner.endStream(*this, failure, now);
        return;
      }
    }
    if (stream->isClosing()) {
      if (stream->isDone() || (events & (EPOLLERR | EPOLLHUP))) runner.endStream(*this, {}, now);
      return;
    }
    const bool isBroken = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (held && isBroken) {
      runner.endStream(*this, SocketFailure::Reset, now);
      return;
    }
    if (!held && (isBroken || events & EPOLLIN) && !readAll(now)) return;
    runner.watchStream(*this, now);
  }

  bool readAll(Timestamp now) {
    for (int i = 0; i < kMaxStreamReads; ++i) {
      std::optional<SocketFailure> failure;
      PacketBuf data = stream->read(runner.driven_.pool(), failure);
      if (failure) {
        runner.endStream(*this, failure, now);
        return false;
      }
      if (!data) return true;
      const bool last = data.size() < PacketBuf::kMaxPayload;
      runner.feed(StreamBytes{id, std::move(data)}, now);
      if (last) return true;
    }
    return true;
  }

  std::unique_ptr<TcpStream> stream;
  const std::optional<SocketId> listener;
  bool held = false;  ///< nothing is read (HoldStream)
};

struct Runner::ListenerEntry final : Socket {
  ListenerEntry(Runner& owner, SocketId socketId, std::unique_ptr<TcpListener> opened, size_t limit)
      : Socket(owner, socketId, Kind::Listener), listener(std::move(opened)), maxAccepted(limit) {}

  void ready(uint32_t /*events*/, Timestamp now) override {
    if (closed) return;
    SocketAddress remote;
    while (auto stream = listener->accept(remote)) {
      // An abundance of connections must not eat our descriptors: the newest are closed at once.
      if (accepted >= maxAccepted) continue;
      ++accepted;
      // A long-lived server has more than there are numbers; below are the Driven's own.
      SocketId streamId;
      do {
        streamId = SocketId(0x8000'0000 | runner.nextAccepted_++);
      } while (runner.sockets_.contains(streamId));
      const SocketAddress local = stream->local();
      auto entry = std::make_unique<StreamEntry>(runner, streamId, std::move(stream), id);
      entry->watch(entry->stream->fd(), false);
      runner.sockets_[streamId] = std::move(entry);
      runner.feed(TcpAccepted{id, streamId, remote, local}, now);
    }
  }

  std::unique_ptr<TcpListener> listener;
  const size_t maxAccepted;
  size_t accepted = 0;
};

Runner::Runner(RunnerHost& host, Driven& driven) : host_(host), driven_(driven) {}

Runner::~Runner() = default;

// ---- running ----

void Runner::pump(Timestamp now) {
  more_ = true;  // also if a callback throws out of here
  expire(now);
  const size_t arrived = std::exchange(arrived_, 0);
  if (arrived > kFewDatagrams) transmit(now);
  // The answer to what arrived does not wait for a look at the timers.
  if (arrived > 0) cycle(now);
  for (int round = 0; round < kMaxRounds; ++round) {
    bool worked = false;
    if (driven_.nextDeadline() <= now && held_ <= now) {
      worked = true;
      advance(now);
    }
    worked |= cycle(now);
    if (!worked) {
      more_ = false;
      return;
    }
  }
}

bool Runner::cycle(Timestamp now) {
  bool worked = false;
  driven_.dispatch();
  worked |= transmit(now);
  Effect effect;
  while (driven_.pollEffect(effect)) {
    worked = true;
    execute(effect, now);
  }
  return worked;
}

void Runner::advance(Timestamp now) {
  ++host_.counters().advances;
  driven_.advance(now);
  if (driven_.nextDeadline() > now) return;
  ++host_.counters().progressViolations;
  // A machine that asks to be woken in the past would have us spin: a millisecond of rest.
  held_ = now + Duration::millis(1);
  if (LogSink* log = host_.options().log) {
    PARLEY_LOG(*log, Warning, "io", "deadline %lld ns is not after advance(%lld ns)",
               static_cast<long long>(driven_.nextDeadline().nanos()),
               static_cast<long long>(now.nanos()));
  }
}

Runner::StreamEntry* Runner::findStream(SocketId id) const {
  const auto at = sockets_.find(id);
  if (at == sockets_.end() || at->second->kind != Socket::Kind::Stream) return nullptr;
  return &static_cast<StreamEntry&>(*at->second);
}

Timestamp Runner::nextDeadline() const {
  const Timestamp own = driven_.nextDeadline();
  Timestamp next = own.isNever() ? own : std::max(own, held_);
  for (const SocketId id : connecting_) {
    if (const StreamEntry* stream = findStream(id))
      next = earliest(next, stream->stream->deadline());
  }
  for (const auto& socket : lingering_)
    next = earliest(next, static_cast<const StreamEntry&>(*socket).stream->deadline());
  return next;
}

void Runner::expire(Timestamp now) {
  for (size_t i = 0; i < connecting_.size();) {
    StreamEntry* stream = findStream(connecting_[i]);
    const bool late = stream && stream->stream->deadline() <= now;
    if (late) endStream(*stream, SocketFailure::Unreachable, now);
    if (!stream || late || !stream->stream->isConnecting()) {
      connecting_[i] = connecting_.back();
      connecting_.pop_back();
    } else {
      ++i;
    }
  }
  for (size_t i = lingering_.size(); i-- > 0;) {
    auto& stream = static_cast<StreamEntry&>(*lingering_[i]);
    if (stream.stream->deadline() <= now) endStream(stream, {}, now);
  }
}

void Runner::sweep() {
  closed_.clear();
}

void Runner::addUdpCounters(UdpCounters& sum) const {
  add(sum, closedUdp_);
  for (const auto& [id, socket] : sockets_) {
    if (socket->kind == Socket::Kind::Udp)
      add(sum, static_cast<const UdpEntry&>(*socket).socket->counters());
  }
}

// ---- output ----

bool Runner::transmit(Timestamp now) {
  bool worked = false;
  while (const size_t count = driven_.pollTransmit(outgoing_)) {
    worked = true;
    for (size_t begin = 0; begin < count;) {
      size_t end = begin + 1;
      while (end < count && outgoing_[end].socket == outgoing_[begin].socket) ++end;
      sendRun({&outgoing_[begin], end - begin}, now);
      begin = end;
    }
  }
  return worked;
}

void Runner::sendRun(std::span<TxPacket> packets, Timestamp now) {
  const auto at = sockets_.find(packets.front().socket);
  if (at != sockets_.end() && at->second->kind == Socket::Kind::Udp) {
    auto& udp = static_cast<UdpEntry&>(*at->second);
    udp.socket->send(packets, now);
    udp.watch(udp.socket->fd(), udp.socket->wantsWritable());
  } else if (at != sockets_.end() && at->second->kind == Socket::Kind::Stream) {
    auto& stream = static_cast<StreamEntry&>(*at->second);
    for (TxPacket& packet : packets) {
      if (const auto failure = stream.stream->write(std::move(packet))) {
        endStream(stream, failure, now);
        break;
      }
    }
    if (!stream.closed) watchStream(stream, now);
  }
  for (TxPacket& packet : packets) packet.data.reset();
}

void Runner::watchStream(StreamEntry& stream, Timestamp now) {
  stream.watch(stream.stream->fd(), stream.stream->wantsWritable(), !stream.held);
  if (const auto high = stream.stream->takePressureChange())
    feed(StreamPressure{stream.id, *high}, now);
}

// ---- effects ----

void Runner::execute(Effect& effect, Timestamp now) {
  if (std::holds_alternative<WatchInterfaces>(effect)) {
    host_.watchInterfaces(*this);
  } else if (const auto* udp = std::get_if<OpenUdp>(&effect)) {
    openUdp(*udp, now);
  } else if (const auto* tcp = std::get_if<OpenTcp>(&effect)) {
    openTcp(*tcp, now);
  } else if (const auto* listener = std::get_if<ListenTcp>(&effect)) {
    listenTcp(*listener, now);
  } else if (const auto* holding = std::get_if<HoldStream>(&effect)) {
    if (StreamEntry* stream = findStream(holding->socket)) {
      stream->held = holding->hold;
      watchStream(*stream, now);
    }
  } else if (const auto* closing = std::get_if<CloseSocket>(&effect)) {
    close(closing->socket, now);
  } else if (auto* query = std::get_if<Resolve>(&effect)) {
    host_.resolve(*this, query->id, std::move(query->host));
  } else if (const auto* join = std::get_if<JoinMulticast>(&effect)) {
    const auto at = sockets_.find(join->socket);
    if (at == sockets_.end() || at->second->kind != Socket::Kind::Udp) {
      fail(join->socket, SocketFailure::Other, now);
      return;
    }
    // A wish: without a default route, or without the interface, there is no group to join, but the
    // socket is as good as before, and who was told of its failure would not close it any more.
    (void)static_cast<UdpEntry&>(*at->second)
        .socket->joinMulticast(join->group, join->interfaceIndex);
  }
}

void Runner::fail(SocketId id, SocketFailure reason, Timestamp now) {
  feed(SocketFailed{id, reason}, now);
}

bool Runner::isFresh(SocketId id, Timestamp now) {
  if (!sockets_.contains(id)) return true;
  fail(id, SocketFailure::Other, now);
  return false;
}

void Runner::openUdp(const OpenUdp& effect, Timestamp now) {
  if (!isFresh(effect.socket, now)) return;
  SocketFailure failure = SocketFailure::Other;
  auto socket = UdpSocket::open(effect, host_.options().udp, failure);
  if (!socket) {
    fail(effect.socket, failure, now);
    return;
  }
  auto entry = std::make_unique<UdpEntry>(*this, effect.socket, std::move(socket));
  entry->watch(entry->socket->fd(), false);
  const SocketAddress local = entry->socket->local();
  sockets_[effect.socket] = std::move(entry);
  feed(SocketOpened{effect.socket, local}, now);
}

void Runner::openTcp(const OpenTcp& effect, Timestamp now) {
  if (!isFresh(effect.socket, now)) return;
  SocketFailure failure = SocketFailure::Other;
  auto stream = TcpStream::connect(effect, now, failure, host_.options().device);
  if (!stream) {
    fail(effect.socket, failure, now);
    return;
  }
  auto entry = std::make_unique<StreamEntry>(*this, effect.socket, std::move(stream), std::nullopt);
  entry->watch(entry->stream->fd(), true);
  connecting_.push_back(effect.socket);
  sockets_[effect.socket] = std::move(entry);
}

void Runner::listenTcp(const ListenTcp& effect, Timestamp now) {
  if (!isFresh(effect.socket, now)) return;
  SocketFailure failure = SocketFailure::Other;
  auto listener = TcpListener::listen(effect, failure, host_.options().device);
  if (!listener) {
    fail(effect.socket, failure, now);
    return;
  }
  const size_t limit =
      effect.maxAccepted > 0 ? effect.maxAccepted : host_.options().maxAcceptedPerListener;
  auto entry = std::make_unique<ListenerEntry>(*this, effect.socket, std::move(listener), limit);
  entry->watch(entry->listener->fd(), false);
  const SocketAddress local = entry->listener->local();
  sockets_[effect.socket] = std::move(entry);
  feed(SocketOpened{effect.socket, local}, now);
}

void Runner::close(SocketId id, Timestamp now) {
  const auto at = sockets_.find(id);
  if (at == sockets_.end()) return;
  if (at->second->kind == Socket::Kind::Stream) {
    auto& entry = static_cast<StreamEntry&>(*at->second);
    entry.stream->close(now);
    if (!entry.stream->isDone()) {
      entry.watch(entry.stream->fd(), true, false);
      releaseAccepted(entry);
      lingering_.push_back(std::move(at->second));
      sockets_.erase(at);
      return;
    }
  }
  retire(id);
}

void Runner::releaseAccepted(const StreamEntry& stream) {
  if (!stream.listener) return;
  const auto at = sockets_.find(*stream.listener);
  if (at != sockets_.end() && at->second->kind == Socket::Kind::Listener)
    --static_cast<ListenerEntry&>(*at->second).accepted;
}

/// Takes a socket out of service. Its descriptor closes at the end of the cycle.
void Runner::retire(SocketId id) {
  const auto at = sockets_.find(id);
  if (at == sockets_.end()) return;
  Socket& socket = *at->second;
  socket.closed = true;
  if (socket.kind == Socket::Kind::Udp) {
    auto& udp = static_cast<UdpEntry&>(socket);
    host_.poller().remove(udp.socket->fd());
    add(closedUdp_, udp.socket->counters());
    udp.socket.reset();
  } else if (socket.kind == Socket::Kind::Stream) {
    auto& stream = static_cast<StreamEntry&>(socket);
    host_.poller().remove(stream.stream->fd());
    stream.stream.reset();
    releaseAccepted(stream);
  } else {
    auto& listener = static_cast<ListenerEntry&>(socket);
    host_.poller().remove(listener.listener->fd());
    listener.listener.reset();
  }
  closed_.push_back(std::move(at->second));
  sockets_.erase(at);
}

/// A stream is over: by failure, or because a closing one has sent its last byte.
void Runner::endStream(StreamEntry& stream, std::optional<SocketFailure> reason, Timestamp now) {
  const auto lingering =
      std::find_if(lingering_.begin(), lingering_.end(),
                   [&stream](const auto& socket) { return socket.get() == &stream; });
  if (lingering != lingering_.end()) {
    host_.poller().remove(stream.stream->fd());
    stream.closed = true;
    stream.stream.reset();
    closed_.push_back(std::move(*lingering));
    lingering_.erase(lingering);
    return;
  }
  const SocketId id = stream.id;
  retire(id);
  if (reason) fail(id, *reason, now);
}

}  // namespace parley::io
