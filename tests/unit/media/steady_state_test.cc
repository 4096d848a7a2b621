#include <gtest/gtest.h>

#include "support/alloc_guard.h"
#include "unit/media/session_pair.h"

namespace parley::media {
namespace {

TEST(SteadyState, NoPacketAllocates) {
  if (!test::AllocGuard::isActive()) GTEST_SKIP() << "allocations are not counted in this build";
  SessionPair pair({});
  pair.link.loss = 0.08;
  pair.addVideo();
  pair.addAudio();
  pair.connect();
  // Rates settle and every table reaches its working size.
  pair.run(Duration::seconds(8));
  pair.link.loss = 0.02;
  // What the encoder gets grows as fewer packets are repeated, and every table with it.
  pair.run(Duration::seconds(10));
  const auto before = pair.sent().packetsSent;
  const test::AllocGuard guard;
  pair.run(Duration::seconds(3));
  const size_t allocations = guard.count();
  EXPECT_EQ(allocations, 0u);
  EXPECT_GT(pair.sent().packetsSent - before, 400u);
}

TEST(SteadyState, NorDoesRepair) {
  if (!test::AllocGuard::isActive()) GTEST_SKIP() << "allocations are not counted in this build";
  SessionPair::Options options;
  options.fec = rtp::FecScheme::Flexfec03;
  options.redundantSound = true;
  SessionPair pair(options);
  pair.link.delay = pair.backLink.delay = Duration::millis(100);
  pair.link.loss = 0.08;
  pair.addVideo();
  pair.addAudio();
  pair.connect();
  pair.run(Duration::seconds(10));
  pair.link.loss = 0.05;
  pair.run(Duration::seconds(3));
  const auto before = pair.sent().fecPacketsSent;
  const test::AllocGuard guard;
  pair.run(Duration::seconds(3));
  EXPECT_EQ(guard.count(), 0u);
  EXPECT_GT(pair.sent().fecPacketsSent - before, 50u);
}

}  // namespace
}  // namespace parley::media
