// The load of the TURN benchmark: many clients of one server, each of which relays bursts of
// packets to a peer and back, over channels. Prints one JSON object.
//
//   turn_load SERVER_IP:PORT USER PASSWORD CLIENTS BURST SIZE SECONDS PID
//
// PID is the server's process: its CPU time is read around the measured seconds. Peers echo with
// bursts of their own size, so both directions are loaded alike. The sender keeps a fixed number of
// packets under way per client (a burst is sent when the one before it came back), so the rate is
// what the server and this machine can do.

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "parley/base/secure_random.h"
#include "parley/stun/channel_data.h"
#include "parley/stun/turn.h"

#include "turn/client_auth.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

namespace {

using namespace parley;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fatal(const char* what) {
  std::fprintf(stderr, "turn_load: %s\n", what);
  std::exit(1);
}

sockaddr_in toSockaddr(const SocketAddress& address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(address.port);
  out.sin_addr.s_addr = htonl(address.ip.v4HostOrder());
  return out;
}

int openSocket() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in local = toSockaddr({IpAddress::v4(127, 0, 0, 1), 0});
  const int on = 1, size = 4 << 20;
  setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0)
    fatal("no socket");
  return fd;
}

SocketAddress addressOf(int fd) {
  sockaddr_in name{};
  socklen_t length = sizeof name;
  getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length);
  return {IpAddress::v4(ntohl(name.sin_addr.s_addr)), ntohs(name.sin_port)};
}

/// `count` packets of `size` bytes in one system call.
void sendBurst(int fd, const sockaddr_in& to, const Bytes& packets, size_t size) {
  msghdr header{};
  iovec vector{const_cast<uint8_t*>(packets.data()), packets.size()};
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(uint16_t))> control{};
  header.msg_name = const_cast<sockaddr_in*>(&to);
  header.msg_namelen = sizeof to;
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  if (packets.size() > size) {
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* at = CMSG_FIRSTHDR(&header);
    at->cmsg_level = IPPROTO_UDP;
    at->cmsg_type = UDP_SEGMENT;
    at->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    const auto segment = static_cast<uint16_t>(size);
    std::memcpy(CMSG_DATA(at), &segment, sizeof segment);
  }
  (void)::sendmsg(fd, &header, 0);
}

/// Packets in one arrival, given that all but the last have `size` bytes.
size_t receive(int fd, std::vector<uint8_t>& buffer, size_t size, sockaddr_in* from = nullptr) {
  socklen_t length = sizeof(sockaddr_in);
  const ssize_t got = ::recvfrom(fd, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                 reinterpret_cast<sockaddr*>(from), from ? &length : nullptr);
  return got <= 0 ? 0 : (static_cast<size_t>(got) + size - 1) / size;
}

struct Client {
  int fd = -1;
  int peer = -1;
  Bytes burst;       ///< ChannelData messages
  size_t frame = 0;  ///< bytes of one
  sockaddr_in relay{};
  uint32_t number = 0;  ///< of the burst under way, in its packets: what comes late is not counted
  size_t atPeer = 0;    ///< packets of it
  size_t atClient = 0;
  Clock::time_point sentAt;
};

class Load {
 public:
  Load(SocketAddress server, std::string user, std::string password, size_t burst, size_t size)
      : server_(toSockaddr(server)),
        user_(std::move(user)),
        password_(std::move(password)),
        burst_(burst),
        size_(size),
        buffer_(65'536) {}

  void add(size_t index) {
    Client& client = *clients_.emplace_back(std::make_unique<Client>());
    client.fd = openSocket();
    client.peer = openSocket();
    turn::ClientAuth auth(user_, password_);
    stun::Message reply = *ask(client, auth, stun::Method::Allocate, [](stun::MessageBuilder& b) {
      b.u32(stun::AttributeType::RequestedTransport,
            stun::requestedTransport(stun::RelayTransport::Udp));
    });
    client.relay = toSockaddr(*reply.xorAddress(stun::AttributeType::XorRelayedAddress));
    const uint16_t channel = stun::kMinChannel;
    ask(client, auth, stun::Method::ChannelBind, [&](stun::MessageBuilder& b) {
      b.u32(stun::AttributeType::ChannelNumber, stun::channelNumberValue(channel))
          .xorAddress(stun::AttributeType::XorPeerAddress, addressOf(client.peer));
    });
    client.frame = size_ + stun::kChannelHeaderSize;
    client.burst.assign(client.frame * burst_, 0xAB);
    for (size_t i = 0; i < burst_; ++i) {
      storeU16(&client.burst[i * client.frame], channel);
      storeU16(&client.burst[i * client.frame + 2], static_cast<uint16_t>(size_));
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = index * 2;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event);
    event.data.u64 = index * 2 + 1;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, client.peer, &event);
  }

  /// Runs for a time; answers how many packets came out of the server.
  uint64_t run(double seconds) {
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    uint64_t relayed = 0;
    for (auto& client : clients_) send(*client);
    std::array<epoll_event, 256> events;
    for (auto now = Clock::now(); now < end; now = Clock::now()) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 10);
      for (int i = 0; i < count; ++i) {
        const auto key = events[static_cast<size_t>(i)].data.u64;
        relayed += key % 2 ? atPeer(*clients_[key / 2]) : atClient(*clients_[key / 2]);
      }
      // What was lost is not waited for.
      for (auto& client : clients_) {
        if (now - client->sentAt > std::chrono::milliseconds(50)) send(*client);
      }
    }
    return relayed;
  }

 private:
  template <class Fill>
  std::optional<stun::Message> ask(Client& client, turn::ClientAuth& auth, stun::Method method,
                                   Fill fill) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      std::array<uint8_t, 1024> out;
      stun::MessageBuilder builder(out, stun::Class::Request, method,
                                   stun::newTransactionId(random_));
      fill(builder);
      if (auth.ready()) {
        auth.addTo(builder);
        auth.sign(builder);
      }
      const ByteSpan request = builder.written();
      (void)::sendto(client.fd, request.data(), request.size(), 0,
                     reinterpret_cast<sockaddr*>(&server_), sizeof server_);
      pollfd wait{client.fd, POLLIN, 0};
      if (poll(&wait, 1, 500) != 1) continue;
      const ssize_t got = ::recv(client.fd, answer_.data(), answer_.size(), 0);
      const auto reply =
          stun::Message::parse(ByteSpan(answer_).first(static_cast<size_t>(got > 0 ? got : 0)));
      if (!reply) continue;
      if (reply->messageClass() == stun::Class::Success) return reply;
      if (!auth.challenge(*reply)) fatal("the server refuses the credentials");
    }
    fatal("the server does not answer");
  }
  void send(Client& client) {
    client.atPeer = client.atClient = 0;
    ++client.number;
    for (size_t i = 0; i < burst_; ++i)
      storeU32(&client.burst[i * client.frame + stun::kChannelHeaderSize], client.number);
    client.sentAt = Clock::now();
    sendBurst(client.fd, server_, client.burst, client.frame);
  }
  uint64_t atPeer(Client& client) {
    const size_t got = receive(client.peer, buffer_, size_);
    if (got == 0 || loadU32(buffer_.data()) != client.number) return 0;
    client.atPeer += got;
    if (client.atPeer < burst_) return got;
    client.atPeer = 0;
    echo_.assign(size_ * burst_, 0xCD);
    for (size_t i = 0; i < burst_; ++i) storeU32(&echo_[i * size_], client.number);
    sendBurst(client.peer, client.relay, echo_, size_);
    return got;
  }
  uint64_t atClient(Client& client) {
    const size_t got = receive(client.fd, buffer_, client.frame);
    if (got == 0 || loadU32(&buffer_[stun::kChannelHeaderSize]) != client.number) return 0;
    client.atClient += got;
    if (client.atClient >= burst_) send(client);
    return got;
  }

  sockaddr_in server_;
  std::string user_, password_;
  size_t burst_, size_;
  SecureRandom random_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<uint8_t> buffer_;
  std::array<uint8_t, 2048> answer_{};
  Bytes echo_;
  int epoll_ = epoll_create1(0);
};

/// Of a process and all its threads, in seconds.
struct CpuTime {
  double user = 0;
  double all = 0;  ///< with that of the kernel
};
CpuTime cpuOf(const std::string& pid) {
  std::ifstream in("/proc/" + pid + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const size_t at = text.rfind(')');
  if (at == std::string::npos) fatal("the server is gone");
  unsigned long user = 0, system = 0;
  // After the name: state, then ten numbers, then the two.
  if (std::sscanf(text.c_str() + at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                  &user, &system) != 2) {
    fatal("cannot read the server's CPU time");
  }
  const auto perSecond = static_cast<double>(sysconf(_SC_CLK_TCK));
  return {static_cast<double>(user) / perSecond, static_cast<double>(user + system) / perSecond};
}

}  // namespace

int main(int count, char** words) {
  if (count != 9) fatal("wants SERVER USER PASSWORD CLIENTS BURST SIZE SECONDS PID");
  const auto server = SocketAddress::parse(words[1]);
  if (!server) fatal("the server's address is none");
  const size_t clients = std::strtoul(words[4], nullptr, 10);
  const size_t burst = std::strtoul(words[5], nullptr, 10);
  const size_t size = std::strtoul(words[6], nullptr, 10);
  const double seconds = std::strtod(words[7], nullptr);
  Load load(*server, words[2], words[3], burst, size);
  for (size_t i = 0; i < clients; ++i) load.add(i);
  load.run(0.5);
  const CpuTime before = cpuOf(words[8]);
  const auto start = Clock::now();
  const uint64_t packets = load.run(seconds);
  const double wall = std::chrono::duration<double>(Clock::now() - start).count();
  const CpuTime after = cpuOf(words[8]);
  const double cpu = after.all - before.all;
  const double perPacket = packets == 0 ? 0 : 1e6 / static_cast<double>(packets);
  std::printf(
      "{\"packets\": %llu, \"packets_per_s\": %.0f, \"server_cpu_us_per_packet\": %.3f, "
      "\"server_user_us_per_packet\": %.3f, "
      "\"server_cpu_share\": %.3f, \"packets_per_cpu_s\": %.0f}\n",
      static_cast<unsigned long long>(packets), static_cast<double>(packets) / wall,
      cpu * perPacket, (after.user - before.user) * perPacket, cpu / wall,
      cpu == 0 ? 0 : static_cast<double>(packets) / cpu);
  return 0;
}
