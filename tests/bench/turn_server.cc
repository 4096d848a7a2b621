// The server of the TURN benchmark: parley::turn::Server on an event loop, and nothing else.
//
//   turn_server IP:PORT USER PASSWORD

#include <csignal>
#include <cstdio>

#include "parley/base/secure_random.h"
#include "parley/io/clock.h"
#include "parley/io/event_loop.h"
#include "parley/turn/server.h"

namespace {

parley::io::EventLoop* running = nullptr;

}  // namespace

int main(int count, char** words) {
  using namespace parley;
  const auto local = count == 4 ? SocketAddress::parse(words[1]) : std::nullopt;
  if (!local) return 2;
  turn::ServerConfig config;
  config.listeners = {{turn::Transport::Udp, *local}};
  config.relays = {{local->ip}};
  config.users = {{words[2], words[3]}};
  config.maxAllocationsPerUser = 10'000;
  config.denySpecialPeers = false;  // all of it happens on loopback

  SecureRandom random;
  PacketPool pool;
  Environment environment{random, pool, nullLog(), io::readWallClock()};
  turn::Server server(environment, config);
  server.start(io::monotonicNow());
  io::EventLoopOptions options;
  options.udp.coalescing = true;
  options.udp.receiveBufferBytes = options.udp.sendBufferBytes = 4 << 20;
  io::EventLoop loop(server, options);
  running = &loop;
  std::signal(SIGTERM, [](int) { running->stop(); });
  loop.run();
  const io::UdpCounters udp = loop.counters().udp;
  std::fprintf(stderr,
               "turn_server: %llu packets in %llu receive and out %llu send calls, %llu dropped\n",
               static_cast<unsigned long long>(udp.datagramsReceived),
               static_cast<unsigned long long>(udp.receiveCalls),
               static_cast<unsigned long long>(udp.sendCalls),
               static_cast<unsigned long long>(udp.queueDrops + server.counters().droppedFull));
  return 0;
}
