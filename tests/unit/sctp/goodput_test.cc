// How much gets through, and how long small messages wait meanwhile, on paths with a bottleneck.

#include <cstdio>
#include <cstdlib>

#include <gtest/gtest.h>

#include "unit/sctp/association_fixture.h"

namespace parley::sctp {
namespace {

struct Path {
  double megabits = 20;
  Duration rtt = Duration::millis(40);
  double loss = 0;
  Duration jitter = Duration::zero();
  size_t queue = 256 * 1024;
};

/// A sender that always has something to send, its receiver, and what is between them.
struct Transfer {
  explicit Transfer(const Path& path, Engine engine = Engine::Native, uint64_t seed = 1)
      : a(seed, {}, engine),
        b(seed + 1, {}, engine),
        pair(*a.association, *b.association,
             {.delay = path.rtt / 2,
              .jitter = path.jitter,
              .loss = path.loss,
              .rate = path.megabits * 125'000,
              .queue = path.queue},
             seed + 2) {
    pair.onStep([this] { step(); });
    a.association->connect(pair.now());
    b.association->connect(pair.now());
    EXPECT_TRUE(pair.runUntil([this] {
      return a.association->state() == AssociationState::Connected &&
             b.association->state() == AssociationState::Connected;
    }));
  }
  void step() {
    while (sending && a.association->bufferedAmount() < 512 * 1024 &&
           a.association->send(1, 53, message, {}, pair.now())) {
    }
    AssociationEvent event;
    while (a.association->pollEvent(event)) {
    }
    while (b.association->pollEvent(event)) {
    }
    while (b.association->pollInbound(in)) {
      if (in.stream == 1) received += in.data.size();
      if (in.stream == 2) small.push_back(pair.now() - sentAt);
    }
  }
  /// Mb/s over so long.
  double run(Duration d) {
    const uint64_t before = received;
    pair.run(d);
    return static_cast<double>(received - before) * 8e-6 / d.seconds();
  }

  AssociationPeer a, b;
  Pair<Association> pair;
  Inbound in;
  Bytes message = pattern(64 * 1024, 3);
  bool sending = true;
  uint64_t received = 0;
  Timestamp sentAt;
  std::vector<Duration> small;
};

TEST(Goodput, DISABLED_Trace) {
  Path path;
  if (const char* s = std::getenv("MBIT")) path.megabits = std::atof(s);
  if (const char* s = std::getenv("RTT")) path.rtt = Duration::fromSeconds(std::atof(s) / 1000);
  if (const char* s = std::getenv("LOSS")) path.loss = std::atof(s) / 100;
  if (const char* s = std::getenv("JITTER"))
    path.jitter = Duration::fromSeconds(std::atof(s) / 1000);
  if (const char* s = std::getenv("QUEUE")) path.queue = static_cast<size_t>(std::atof(s));
  Transfer t(path);
  for (int i = 0; i < 40; ++i) {
    const double rate = t.run(Duration::millis(250));
    const AssociationStats s = t.a.association->stats();
    std::printf(
        "%5.2f s: %7.2f Mb/s cwnd %7u inflight %7u pace %6.2f Mb/s srtt %4lld min %4lld rtx %llu "
        "timeouts %llu rwnd %u\n",
        0.25 * (i + 1), rate, s.congestionWindow, s.bytesInFlight,
        static_cast<double>(s.pacingRate) * 8e-6, static_cast<long long>(s.smoothedRtt.millis()),
        static_cast<long long>(s.minRtt.millis()),
        static_cast<unsigned long long>(s.retransmittedChunks),
        static_cast<unsigned long long>(s.timeouts), s.receiverWindow);
  }
}

}  // namespace
}  // namespace parley::sctp
