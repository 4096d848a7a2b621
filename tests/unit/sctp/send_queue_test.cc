#include "sctp/send_queue.h"

#include <gtest/gtest.h>

#include "sctp/packet_queue.h"

namespace parley::sctp {
namespace {

SendQueue::Waiting message(size_t size, uint16_t weight = 256, bool control = false) {
  SendQueue::Waiting m;
  m.data = Bytes(size);
  m.weight = weight;
  m.control = m.beyondLimit = control;
  return m;
}

uint16_t frontStream(SendQueue& queue) {
  uint16_t stream = 0xFFFF;
  queue.front(stream);
  return stream;
}

TEST(SendQueue, CountsBytesUntilTheyAreOnTheWire) {
  SendQueue queue(1000);
  ASSERT_TRUE(queue.push(1, message(300)));
  ASSERT_TRUE(queue.push(1, message(200)));
  EXPECT_EQ(queue.buffered(1), 500u);
  queue.popToEngine();
  EXPECT_EQ(queue.buffered(1), 500u);
  EXPECT_EQ(queue.engineBytes(), 300u);
  queue.onTransmitted(1, 100);
  EXPECT_EQ(queue.buffered(1), 400u);
  queue.popToEngine();
  queue.onTransmitted(1, 400);
  EXPECT_EQ(queue.buffered(1), 0u);
  EXPECT_EQ(queue.engineBytes(), 0u);
  EXPECT_FALSE(queue.waiting());
}

TEST(SendQueue, UncountedBytesMayStillBeLimited) {
  SendQueue queue(100);
  SendQueue::Waiting filler = message(1);
  filler.control = true;
  int taken = 0;
  while (taken < 100 && queue.push(1, filler)) ++taken;
  EXPECT_LT(taken, 5);
  EXPECT_EQ(queue.buffered(), 0u);
}

TEST(SendQueue, ControlBytesDoNotCountAndAlwaysFit) {
  SendQueue queue(100);
  ASSERT_TRUE(queue.push(1, message(500, 256, true)));
  EXPECT_EQ(queue.buffered(), 0u);
  EXPECT_FALSE(queue.push(1, message(100)));
  queue.popToEngine();
  queue.onTransmitted(1, 500);
  EXPECT_TRUE(queue.push(1, message(100)));
}

TEST(SendQueue, TinyMessagesAreBoundedToo) {
  SendQueue queue(10'000);
  size_t taken = 0;
  while (queue.push(1, message(1))) ++taken;
  EXPECT_LT(taken, 200u);
}

TEST(SendQueue, HeavierStreamsGetMore) {
  SendQueue queue(1 << 20);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(queue.push(1, message(1000, 128)));
    ASSERT_TRUE(queue.push(2, message(1000, 1024)));
  }
  int light = 0;
  for (int i = 0; i < 90; ++i) {
    light += frontStream(queue) == 1;
    queue.popToEngine();
  }
  EXPECT_NEAR(light, 10, 2);
}

TEST(SendQueue, IdleStreamsSaveUpNoCredit) {
  SendQueue queue(1 << 20);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(queue.push(1, message(1000)));
  for (int i = 0; i < 40; ++i) queue.popToEngine();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(queue.push(2, message(1000)));
  int second = 0;
  for (int i = 0; i < 10; ++i) {
    second += frontStream(queue) == 2;
    queue.popToEngine();
  }
  EXPECT_NEAR(second, 5, 1);
}

TEST(SendQueue, DiscardKeepsOtherStreams) {
  SendQueue queue(1 << 20);
  for (uint16_t s = 0; s < 5; ++s) ASSERT_TRUE(queue.push(s, message(100)));
  queue.discardWaiting(2);
  EXPECT_EQ(queue.buffered(), 400u);
  EXPECT_FALSE(queue.waiting(2));
  int left = 0;
  for (; queue.waiting(); queue.popToEngine()) ++left;
  EXPECT_EQ(left, 4);
}

TEST(SendQueue, DecreasesAreNamedOncePerStream) {
  SendQueue queue(1 << 20);
  ASSERT_TRUE(queue.push(3, message(100)));
  queue.popToEngine();
  queue.onTransmitted(3, 40);
  queue.onTransmitted(3, 40);
  uint16_t stream = 0;
  ASSERT_TRUE(queue.pollDecreased(stream));
  EXPECT_EQ(stream, 3);
  EXPECT_FALSE(queue.pollDecreased(stream));
  queue.onTransmitted(3, 20);
  EXPECT_TRUE(queue.pollDecreased(stream));
}

TEST(SendQueue, BooksAreCutToWhatTheEngineHolds) {
  SendQueue queue(1 << 20);
  for (uint16_t s = 0; s < 4; ++s) {
    ASSERT_TRUE(queue.push(s, message(100)));
    queue.popToEngine();
  }
  queue.limitEngine(150);
  EXPECT_EQ(queue.engineBytes(), 150u);
  EXPECT_EQ(queue.buffered(), 150u);
  queue.limitEngine(0);
  EXPECT_EQ(queue.buffered(), 0u);
  queue.onTransmitted(1, 100);  // more than the books show: ignored
  EXPECT_EQ(queue.engineBytes(), 0u);
}

TEST(PacketQueue, KeepsOrderWhileGrowingAndWrapping) {
  PacketQueue queue(4, 100);
  uint8_t in = 0, out = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 3; ++i, ++in) ASSERT_TRUE(queue.push(Bytes{in, in}));
    for (int i = 0; i < 2; ++i, ++out) {
      ASSERT_EQ(queue.front()[0], out);
      queue.pop();
    }
  }
  EXPECT_EQ(queue.size(), 50u);
  EXPECT_FALSE(queue.push(Bytes(5)));
  while (queue.push(Bytes(1))) {
  }
  EXPECT_EQ(queue.size(), 100u);
}

}  // namespace
}  // namespace parley::sctp
