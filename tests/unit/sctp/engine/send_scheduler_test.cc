#include "sctp/engine/send_scheduler.h"

#include <map>

#include <gtest/gtest.h>

namespace parley::sctp {
namespace {

class SendSchedulerTest : public ::testing::Test {
 protected:
  void push(uint16_t stream, size_t size, uint16_t weight = 256, bool complete = true) {
    scheduler.push({.stream = stream, .ppid = 53, .weight = weight}, Bytes(size), complete);
  }
  SendScheduler::Fragment cut(size_t length = 1000) {
    EXPECT_NE(scheduler.front(), nullptr);
    const SendScheduler::Fragment f = scheduler.cut(length);
    last = {f.message->stream, f.first, f.last, f.length, f.message->id, f.fsn};
    pool.release(f.piece);
    pool.release(f.message);
    return f;
  }
  struct Last {
    uint16_t stream;
    bool first, last;
    uint16_t length;
    uint32_t id, fsn;
  } last{};
  MessagePool pool;
  SendScheduler scheduler{pool, 1 << 20};
};

TEST_F(SendSchedulerTest, WithoutInterleavingMessagesStayWhole) {
  scheduler.setInterleaving(false, 1 << 20);
  push(1, 3000);
  cut();
  push(2, 10, 1024);
  EXPECT_EQ((cut(), last.stream), 1);
  EXPECT_EQ((cut(), last.stream), 1);
  EXPECT_TRUE(last.last);
  EXPECT_EQ((cut(), last.stream), 2);
  EXPECT_TRUE(scheduler.empty());
}

TEST_F(SendSchedulerTest, WithInterleavingASmallMessageGoesNext) {
  scheduler.setInterleaving(true, 1 << 20);
  push(1, 100'000);
  for (int i = 0; i < 10; ++i) cut();
  push(2, 10);
  EXPECT_EQ((cut(), last.stream), 2) << "also at equal weight";
  EXPECT_EQ((cut(), last.stream), 1);
  EXPECT_EQ(last.fsn, 10u);
}

TEST_F(SendSchedulerTest, BytesAreSharedByWeight) {
  scheduler.setInterleaving(true, 100 << 20);
  std::map<uint16_t, size_t> got;
  push(1, 300'000, 128);
  push(2, 300'000, 256);
  push(3, 300'000, 1024);
  for (int i = 0; i < 300; ++i) {
    cut();
    got[last.stream] += last.length;
  }
  EXPECT_NEAR(static_cast<double>(got[2]) / static_cast<double>(got[1]), 2.0, 0.2);
  EXPECT_NEAR(static_cast<double>(got[3]) / static_cast<double>(got[1]), 8.0, 0.8);
}

TEST_F(SendSchedulerTest, IdleStreamsSaveUpNoCredit) {
  scheduler.setInterleaving(true, 100 << 20);
  push(1, 100'000);
  for (int i = 0; i < 50; ++i) cut();
  push(2, 100'000);
  int second = 0;
  for (int i = 0; i < 20; ++i) second += (cut(), last.stream == 2);
  EXPECT_NEAR(second, 10, 1);
}

TEST_F(SendSchedulerTest, LargeMessagesAreNotAllBegunAtOnce) {
  // The halves of too many would fill the peer's window, and none could be completed.
  scheduler.setInterleaving(true, 400'000);
  for (uint16_t s = 0; s < 50; ++s) push(s, 50'000);
  std::map<uint16_t, size_t> open;
  size_t most = 0;
  while (scheduler.front() != nullptr) {
    cut();
    open[last.stream] += last.length;
    if (last.last) open.erase(last.stream);
    most = std::max(most, open.size() * 50'000);
  }
  EXPECT_LE(most, 200'000u);
  EXPECT_TRUE(scheduler.empty());
}

TEST_F(SendSchedulerTest, NumbersFollowTheRfcs) {
  // RFC 9260: SSNs count ordered messages. RFC 8260: MIDs count both kinds, each for itself.
  for (const bool interleaving : {false, true}) {
    MessagePool own;
    SendScheduler s(own, 1 << 20);
    s.setInterleaving(interleaving, 1 << 20);
    std::vector<uint32_t> ids;
    for (const bool unordered : {false, true, true, false, true}) {
      s.push({.stream = 1, .unordered = unordered}, Bytes(10), true);
      s.front();
      const SendScheduler::Fragment f = s.cut(1000);
      ids.push_back(f.message->id);
      own.release(f.piece);
      own.release(f.message);
    }
    EXPECT_EQ(ids, interleaving ? (std::vector<uint32_t>{0, 0, 1, 1, 2})
                                : (std::vector<uint32_t>{0, 0, 0, 1, 0}));
    s.resetNumbers(1);
    s.push({.stream = 1}, Bytes(10), true);
    s.front();
    const SendScheduler::Fragment f = s.cut(1000);
    EXPECT_EQ(f.message->id, 0u);
    own.release(f.piece);
    own.release(f.message);
  }
}

TEST_F(SendSchedulerTest, PartsAreOneMessage) {
  scheduler.setInterleaving(true, 1 << 20);
  push(1, 1500, 256, false);
  EXPECT_EQ((cut(), last.first), true);
  EXPECT_EQ((cut(), last.last), false);
  EXPECT_EQ(scheduler.front(), nullptr) << "it waits for more";
  push(2, 10);
  EXPECT_EQ((cut(), last.stream), 2);
  scheduler.append(1, Bytes(700), true);
  EXPECT_EQ((cut(), last.last), true);
  EXPECT_EQ(last.fsn, 2u);
  EXPECT_TRUE(scheduler.empty());
  EXPECT_EQ(scheduler.buffered(), 0u);
}

TEST_F(SendSchedulerTest, WhatIsDroppedIsNotCountedAnyMore) {
  scheduler.setInterleaving(true, 1 << 20);
  push(1, 5000);
  push(1, 100);
  cut();
  scheduler.abandon(*scheduler.front());
  EXPECT_EQ(scheduler.buffered(1), 100u);
  EXPECT_EQ((cut(), last.id), 1u) << "the next message, its own number";
  push(2, 100, 256, false);
  scheduler.breakOff(2);
  EXPECT_TRUE(scheduler.empty());
  push(3, 100);
  push(3, 100, 256, false);
  scheduler.breakOff(3);
  EXPECT_EQ(scheduler.buffered(3), 100u);
  scheduler.discard(3);
  EXPECT_EQ(scheduler.buffered(), 0u);
  EXPECT_TRUE(scheduler.fits(1 << 20)) << "nothing is charged";
  uint16_t stream = 0;
  std::map<uint16_t, int> told;
  while (scheduler.pollDecreased(stream)) ++told[stream];
  EXPECT_EQ(told.size(), 3u);
}

}  // namespace
}  // namespace parley::sctp
