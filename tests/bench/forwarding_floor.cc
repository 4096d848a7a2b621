// The least that forwarding can cost: per packet one SRTP protection and its part of a send call
// that takes a burst of them for one destination (UDP_SEGMENT), and nothing else.
//
//   forwarding_floor DESTINATIONS BURST SECONDS
//
// Prints microseconds of CPU per packet. Another process reads what arrives.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "parley/base/random.h"
#include "parley/srtp/srtp_session.h"

#include "bench/peers/forwarding_main.h"

namespace {

using namespace parley;  // NOLINT: a program of one page

constexpr size_t kPacket = 1176;  // and 16 of tag

int makeSocket(sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return fd;
}

[[noreturn]] void readForEver(int fd) {
  std::vector<uint8_t> buffer(65536);
  const int on = 1;
  setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
  for (;;) (void)!recv(fd, buffer.data(), buffer.size(), 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const size_t destinations = std::strtoul(argv[1], nullptr, 10);
  const size_t burst = std::strtoul(argv[2], nullptr, 10);
  const double seconds = std::strtod(argv[3], nullptr);
  sockaddr_in sink;
  const int receiver = makeSocket(sink);
  const pid_t reader = fork();
  if (reader == 0) readForEver(receiver);
  SeededRandom random(1);
  std::vector<std::unique_ptr<srtp::SrtpSession>> sessions;
  std::vector<int> sockets;
  for (size_t i = 0; i < destinations; ++i) {
    const auto profile = crypto::SrtpProfile::AeadAes128Gcm;
    Bytes exported(crypto::srtpExporterLength(profile));
    random.fill(exported);
    sessions.push_back(std::move(
        *srtp::SrtpSession::create(*crypto::SrtpKeying::fromExporter(profile, exported), true)));
    sockaddr_in own;
    sockets.push_back(makeSocket(own));
  }
  PacketPool pool;
  std::vector<PacketBuf> packets;
  std::vector<iovec> parts(burst);
  for (size_t i = 0; i < burst; ++i) {
    packets.push_back(pool.copyOf(Bytes(kPacket)));
    packets.back().data()[0] = 0x80;
  }
  uint16_t sequence = 0;
  uint64_t sent = 0;
  const double start = bench::cpuSeconds();
  while (bench::cpuSeconds() - start < seconds) {
    for (size_t d = 0; d < destinations; ++d) {
      for (size_t i = 0; i < burst; ++i) {
        packets[i].resize(kPacket);
        storeU16(packets[i].data() + 2, static_cast<uint16_t>(sequence + i));
        (void)sessions[d]->protectRtp(packets[i]);
        parts[i] = {packets[i].data(), packets[i].size()};
      }
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = {};
      msghdr message{};
      message.msg_name = &sink;
      message.msg_namelen = sizeof sink;
      message.msg_iov = parts.data();
      message.msg_iovlen = burst;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* const header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_UDP;
      header->cmsg_type = UDP_SEGMENT;
      header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
      const auto segment = static_cast<uint16_t>(packets[0].size());
      std::memcpy(CMSG_DATA(header), &segment, sizeof segment);
      if (sendmsg(sockets[d], &message, 0) > 0) sent += burst;
    }
    sequence = static_cast<uint16_t>(sequence + burst);
  }
  const double used = bench::cpuSeconds() - start;
  kill(reader, SIGKILL);
  waitpid(reader, nullptr, 0);
  std::printf("%g\n", used * 1e6 / static_cast<double>(sent));
  return 0;
}
