#include "io/tx_queue.h"

#include <string>

#include <gtest/gtest.h>

namespace parley::io {
namespace {

class TxQueueTest : public ::testing::Test {
 protected:
  void push(TxClass txClass, char name, Timestamp now = {}) {
    TxPacket packet;
    packet.txClass = txClass;
    packet.data = pool.copyOf(ByteSpan(reinterpret_cast<const uint8_t*>(&name), 1));
    queue.push(std::move(packet), now);
  }
  std::string order() {
    std::array<TxPacket*, 64> pointers;
    std::string names;
    const size_t count = queue.peek(pointers);
    for (size_t i = 0; i < count; ++i) names += static_cast<char>(pointers[i]->data.data()[0]);
    return names;
  }
  PacketPool pool;
  TxQueue queue;
};

TEST_F(TxQueueTest, ControlThenAudioThenVideoThenBulk) {
  push(TxClass::Bulk, 'b');
  push(TxClass::Media, 'v');
  push(TxClass::Audio, 'a');
  push(TxClass::Control, 'c');
  push(TxClass::Audio, 'A');
  EXPECT_EQ(order(), "caAvb");
  queue.drop(2);
  EXPECT_EQ(order(), "Avb");
  EXPECT_EQ(pool.inUse(), 3u);
}

TEST_F(TxQueueTest, OldMediaExpiresOtherStays) {
  push(TxClass::Bulk, 'b', Timestamp::millis(0));
  push(TxClass::Media, 'v', Timestamp::millis(0));
  push(TxClass::Media, 'w', Timestamp::millis(50));
  queue.expire(Timestamp::millis(100));
  EXPECT_EQ(order(), "vwb");
  queue.expire(Timestamp::millis(101));
  EXPECT_EQ(order(), "wb");
  EXPECT_EQ(queue.dropped(), 1u);
}

TEST_F(TxQueueTest, FullQueuesDropOldestMediaAndNewestBulk) {
  push(TxClass::Audio, '1');
  for (int i = 0; i < 128; ++i) push(TxClass::Audio, '2');
  EXPECT_EQ(queue.size(), 128u);
  EXPECT_EQ(order().front(), '2');
  queue.drop(128);
  for (int i = 0; i < 513; ++i) push(TxClass::Bulk, i == 512 ? 'x' : '3');
  EXPECT_EQ(queue.size(), 512u);
  EXPECT_EQ(queue.dropped(), 2u);
  queue.drop(511);
  EXPECT_EQ(order(), "3");
}

}  // namespace
}  // namespace parley::io
