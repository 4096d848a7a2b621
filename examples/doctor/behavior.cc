#include "behavior.h"

#include <netdb.h>

#include "parley/base/secure_random.h"
#include "parley/io/clock.h"
#include "parley/io/event_loop.h"

namespace {

using parley::Duration;
using parley::IpAddress;
using parley::SocketAddress;
using parley::Timestamp;

/// The probe with sockets: what parley::io::EventLoop runs.
class Program final : public parley::Driven {
 public:
  explicit Program(const SocketAddress& server)
      : environment_{random_, pool_, parley::nullLog(), parley::io::readWallClock()},
        probe(environment_, ids_, server) {
    probe.start(parley::io::monotonicNow());
  }
  void handle(parley::Input&& input, Timestamp now) override {
    if (const auto* datagram = std::get_if<parley::Datagram>(&input)) {
      probe.handleDatagram(*datagram, now);
    } else if (const auto* opened = std::get_if<parley::SocketOpened>(&input)) {
      probe.handleSocketOpened(*opened, now);
    } else if (const auto* failed = std::get_if<parley::SocketFailed>(&input)) {
      probe.handleSocketFailed(*failed, now);
    }
  }
  void advance(Timestamp now) override { probe.advance(now); }
  size_t pollTransmit(std::span<parley::TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && probe.pollTransmit(out[count])) ++count;
    return count;
  }
  bool pollEffect(parley::Effect& out) override { return probe.pollEffect(out); }
  Timestamp nextDeadline() const override { return probe.nextDeadline(); }
  parley::PacketPool& pool() override { return pool_; }
  void dispatch() override {
    if (probe.done() && loop) loop->stop();
  }

 private:
  parley::SecureRandom random_;
  parley::PacketPool pool_;
  parley::Environment environment_;
  parley::IdAllocator ids_;

 public:
  parley::stun::NatProbe probe;
  parley::io::EventLoop* loop = nullptr;
};

}  // namespace

std::optional<SocketAddress> serverAddress(const std::string& url) {
  std::string rest = url.substr(url.find(':') + 1);
  rest = rest.substr(0, rest.find('?'));
  std::string port = url.starts_with("turns:") ? "5349" : "3478";
  const size_t colon = rest.rfind(':');
  const bool bracketed = rest.starts_with('[');
  if (colon != std::string::npos && (!bracketed || rest[colon - 1] == ']') &&
      (bracketed || rest.find(':') == colon)) {
    port = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  if (bracketed && rest.ends_with(']')) rest = rest.substr(1, rest.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (getaddrinfo(rest.c_str(), port.c_str(), &hints, &found) != 0 || !found) return std::nullopt;
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];
  const int failed = getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, service,
                                 sizeof service, NI_NUMERICHOST | NI_NUMERICSERV);
  freeaddrinfo(found);
  if (failed != 0) return std::nullopt;
  const std::string number = host;
  return SocketAddress::parse(
      (number.find(':') == std::string::npos ? number : "[" + number + "]") + ":" + service);
}

parley::stun::NatReport behaviorTowards(const SocketAddress& server) {
  Program program(server);
  parley::io::EventLoop loop(program);
  program.loop = &loop;
  loop.run();
  return program.probe.report();
}
