#include "parley/io/tcp_stream.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "parley/base/ring_queue.h"

#include "io/fd.h"
#include "io/sockaddr.h"

namespace parley::io {
namespace {

void tune(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // What the kernel takes cannot be dropped any more, and it would take megabytes: seconds of
  // media on a slow path. Beyond what is in flight it gets this much only.
  const int unsent = 64 * 1024;
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

/// For a listening socket and those that connect from its address.
void shareAddress(int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

/// A descriptor in reserve; like all others not for programs that this one starts.
int spareOf(int fd) {
  return ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

bool wouldBlock(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

int openSocket(const IpAddress& address) {
  return ::socket(socketFamily(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

}  // namespace

struct TcpStream::State {
  Fd fd;
  bool connecting = false;
  bool closing = false;
  Timestamp deadline = Timestamp::never();
  RingQueue<PacketBuf> queue{kMaxQueuedPackets};
  size_t queuedBytes = 0;
  uint64_t droppedMedia = 0;
  bool pressure = false;
};

TcpStream::TcpStream(std::unique_ptr<State> state) : state_(std::move(state)) {}
TcpStream::~TcpStream() = default;

int TcpStream::fd() const {
  return state_->fd.get();
}
SocketAddress TcpStream::local() const {
  return localAddressOf(fd());
}
bool TcpStream::isConnecting() const {
  return state_->connecting;
}
bool TcpStream::isClosing() const {
  return state_->closing;
}
bool TcpStream::isDone() const {
  return state_->closing && state_->queue.empty();
}
Timestamp TcpStream::deadline() const {
  return state_->deadline;
}
uint64_t TcpStream::droppedMedia() const {
  return state_->droppedMedia;
}
bool TcpStream::wantsWritable() const {
  return state_->connecting || !state_->queue.empty();
}

std::optional<bool> TcpStream::takePressureChange() {
  State& state = *state_;
  const bool high = state.queuedBytes > (state.pressure ? kStreamPressureLow : kStreamPressureHigh);
  if (high == state.pressure) return std::nullopt;
  state.pressure = high;
  return high;
}

std::unique_ptr<TcpStream> TcpStream::connect(const OpenTcp& request, Timestamp now,
                                              SocketFailure& failure, const std::string& device) {
  auto state = std::make_unique<State>();
  state->fd = Fd(openSocket(request.remote.ip));
  const int fd = state->fd.get();
  if (fd >= 0 && !bindToDevice(fd, device)) {
    failure = failureFromErrno(errno);
    return nullptr;
  }
  const uint32_t scope = scopeOf(request.local);
  sockaddr_storage name;
  if (fd >= 0 && request.localPort != 0) shareAddress(fd);
  if (fd >= 0 && (!request.local.isUnspecified() || request.localPort != 0)) {
    const socklen_t length = toSockaddr({request.local, request.localPort}, scope, name);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&name), length) != 0) {
      failure = failureFromErrno(errno);
      return nullptr;
    }
  }
  const socklen_t length = toSockaddr(request.remote, scope, name);
  if (fd < 0 ||
      (::connect(fd, reinterpret_cast<sockaddr*>(&name), length) != 0 && errno != EINPROGRESS)) {
    failure = failureFromErrno(errno);
    return nullptr;
  }
  tune(fd);
  state->connecting = true;
  const bool isTold = request.timeout > Duration::zero();
  state->deadline = now + (isTold ? request.timeout : kConnectTimeout);
  return std::unique_ptr<TcpStream>(new TcpStream(std::move(state)));
}

std::unique_ptr<TcpStream> TcpStream::adopt(int fd) {
  auto state = std::make_unique<State>();
  state->fd = Fd(fd);
  tune(fd);
  return std::unique_ptr<TcpStream>(new TcpStream(std::move(state)));
}

bool TcpStream::finishConnecting(std::optional<SocketFailure>& failure) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    failure = failureFromErrno(error);
    return false;
  }
  state_->connecting = false;
  state_->deadline = Timestamp::never();
  return true;
}

PacketBuf TcpStream::read(PacketPool& pool, std::optional<SocketFailure>& failure) {
  PacketBuf data = pool.allocate();
  if (!data) {
    // To wait would mean to spin on a readable socket: better no stream.
    failure = SocketFailure::Other;
    return data;
  }
  ssize_t got;
  do {
    got = ::recv(fd(), data.data(), PacketBuf::kMaxPayload, 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    data.resize(static_cast<size_t>(got));
    return data;
  }
  if (got == 0) {
    failure = SocketFailure::Closed;
  } else if (!wouldBlock(errno)) {
    failure = failureFromErrno(errno);
  }
  return {};
}

std::optional<SocketFailure> TcpStream::write(TxPacket&& packet) {
  State& state = *state_;
  if (state.closing || packet.data.empty()) return std::nullopt;
  const bool isControl = packet.txClass == TxClass::Control;
  const size_t after = state.queuedBytes + packet.data.size();
  const bool full = state.queue.full() || after > (isControl ? kMaxQueued : kMaxQueuedMedia);
  if (full && isControl) return SocketFailure::Other;
  if (full) {
    ++state.droppedMedia;
    return std::nullopt;
  }
  state.queuedBytes = after;
  state.queue.push(std::move(packet.data));
  return state.connecting ? std::nullopt : flush();
}

std::optional<SocketFailure> TcpStream::flush() {
  State& state = *state_;
  while (!state.queue.empty()) {
    std::array<iovec, 32> vectors;
    msghdr header{};
    header.msg_iov = vectors.data();
    for (; header.msg_iovlen < std::min(vectors.size(), state.queue.size()); ++header.msg_iovlen) {
      PacketBuf& data = state.queue[header.msg_iovlen];
      vectors[header.msg_iovlen] = {data.data(), data.size()};
    }
    const ssize_t sent = ::sendmsg(fd(), &header, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (wouldBlock(errno)) return std::nullopt;
      return failureFromErrno(errno);
    }
    size_t left = static_cast<size_t>(sent);
    state.queuedBytes -= left;
    while (left > 0 && left >= state.queue.front().size()) {
      left -= state.queue.front().size();
      state.queue.pop();
    }
    if (left > 0) state.queue.front().trimFront(left);
  }
  return std::nullopt;
}

void TcpStream::close(Timestamp now) {
  if (state_->connecting) state_->queue.clear();
  state_->closing = true;
  state_->deadline = now + kLingerTimeout;
}

// ---- listener ----

std::unique_ptr<TcpListener> TcpListener::listen(const ListenTcp& request, SocketFailure& failure,
                                                 const std::string& device) {
  Fd fd(openSocket(request.local.ip));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (request.mayConnect) shareAddress(fd.get());
  if (request.local.ip.isV6()) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  sockaddr_storage name;
  const socklen_t length = toSockaddr(request.local, scopeOf(request.local.ip), name);
  const int backlog = request.maxAccepted > 0 ? 1024 : 64;
  if (!fd || !bindToDevice(fd.get(), device) ||
      ::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), length) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    failure = failureFromErrno(errno);
    return nullptr;
  }
  return std::unique_ptr<TcpListener>(new TcpListener(fd.release()));
}

TcpListener::TcpListener(int fd) : fd_(fd), reserve_(spareOf(fd)) {}

TcpListener::~TcpListener() {
  ::close(fd_);
  if (reserve_ >= 0) ::close(reserve_);
}

SocketAddress TcpListener::local() const {
  return localAddressOf(fd_);
}

std::unique_ptr<TcpStream> TcpListener::accept(SocketAddress& remote) {
  sockaddr_storage name{};
  socklen_t length = sizeof name;
  const int fd =
      ::accept4(fd_, reinterpret_cast<sockaddr*>(&name), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && reserve_ >= 0) {
    // Out of descriptors the listener would stay readable for ever. The spare one takes the
    // connection off the queue.
    ::close(reserve_);
    ::close(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
    reserve_ = spareOf(fd_);
  }
  if (fd < 0) return nullptr;
  remote = fromSockaddr(name);
  return TcpStream::adopt(fd);
}

}  // namespace parley::io
