#include "rtp_port.h"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "parley/base/address.h"
#include "parley/rtp/rtcp/pli.h"

using parley::ErrorCode;

RtpPort::~RtpPort() {
  stop();
  if (socket_ >= 0) ::close(socket_);
}

parley::Result<void> RtpPort::open(uint16_t in, const std::string& out,
                                   std::function<void(parley::ByteSpan)> packet) {
  const auto target = parley::SocketAddress::parse(out);
  if (!target || !target->ip.isV4())
    return parley::fail(ErrorCode::Syntax, out + " is no IPv4 address with a port");
  out_.sin_family = AF_INET;
  out_.sin_port = htons(target->port);
  ::inet_pton(AF_INET, target->ip.toString().c_str(), &out_.sin_addr);
  socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  own.sin_port = htons(in);
  // A picture comes in a burst.
  const int room = 1 << 20;
  (void)::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (socket_ < 0 || ::bind(socket_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
    return parley::fail(ErrorCode::Network,
                        "port " + std::to_string(in) + ": " + std::strerror(errno));
  }
  packet_ = std::move(packet);
  thread_ = std::thread([this] { receive(); });
  return parley::ok();
}

void RtpPort::receive() {
  std::array<uint8_t, 2048> buffer;
  while (!stopping_) {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, 100) <= 0) continue;
    sockaddr_in source{};
    socklen_t length = sizeof source;
    const ssize_t size = ::recvfrom(socket_, buffer.data(), buffer.size(), 0,
                                    reinterpret_cast<sockaddr*>(&source), &length);
    if (size < 12) continue;
    {
      const std::lock_guard lock(mutex_);
      source_ = source;
      sourceSsrc_ = parley::loadU32(buffer.data() + 8);
    }
    packet_(parley::ByteSpan(buffer.data(), static_cast<size_t>(size)));
  }
}

void RtpPort::send(parley::ByteSpan packet) const {
  (void)::sendto(socket_, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&out_),
                 sizeof out_);
}

void RtpPort::askForKeyFrame() {
  std::array<uint8_t, parley::rtp::rtcp::Pli::kSize> bytes;
  sockaddr_in target{};
  {
    const std::lock_guard lock(mutex_);
    if (source_.sin_port == 0) return;
    target = source_;
    parley::ByteWriter writer(bytes);
    parley::rtp::rtcp::Pli{1, sourceSsrc_}.write(writer);
  }
  target.sin_port = htons(static_cast<uint16_t>(ntohs(target.sin_port) + 1));
  (void)::sendto(socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&target),
                 sizeof target);
}

void RtpPort::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}
