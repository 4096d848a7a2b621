#include "parley/base/packet_buffer.h"

#include <gtest/gtest.h>

namespace parley {
namespace {

class CountingLock final : public PoolLock {
 public:
  void lock() override {
    EXPECT_FALSE(held_);
    held_ = true;
    ++taken;
  }
  void unlock() override {
    EXPECT_TRUE(held_);
    held_ = false;
  }
  int taken = 0;

 private:
  bool held_ = false;
};

TEST(PacketPool, ALockIsHeldWhenABufferIsTakenAndWhenItIsGivenBack) {
  CountingLock lock;
  PacketPool pool(16, &lock);
  {
    const PacketBuf one = pool.allocate();
    EXPECT_EQ(lock.taken, 1);
    const PacketBuf other = pool.copyOf(asBytes("abc"));
    EXPECT_EQ(lock.taken, 2);
    EXPECT_EQ(asText(other.span()), "abc");
  }
  EXPECT_EQ(lock.taken, 4);
  EXPECT_EQ(pool.inUse(), 0u);
}

TEST(PacketPool, AnExhaustedPoolGivesFalseHandlesUntilABufferComesBack) {
  CountingLock lock;
  PacketPool pool(1, &lock);
  PacketBuf only = pool.allocate();
  ASSERT_TRUE(only);
  EXPECT_FALSE(pool.allocate());
  only.reset();
  EXPECT_TRUE(pool.allocate());
}

TEST(PacketBuf, HeadersOfOuterLayersFitBeforeAndBehind) {
  PacketPool pool(4);
  PacketBuf packet = pool.copyOf(asBytes("payload"));
  EXPECT_FALSE(packet.growFront(PacketBuf::kHeadroom + 1));
  ASSERT_TRUE(packet.growFront(4));
  EXPECT_EQ(packet.size(), 11u);
  EXPECT_EQ(asText(packet.span().subspan(4)), "payload");
  packet.trimFront(6);
  EXPECT_EQ(asText(packet.span()), "yload");
  PacketBuf full = pool.allocate();
  full.resize(PacketBuf::kMaxPayload);
  EXPECT_GE(full.writable().size(), PacketBuf::kMaxPayload + PacketBuf::kTailroom);
  EXPECT_FALSE(full.assign(Bytes(PacketBuf::kSlotSize)));
  EXPECT_EQ(full.size(), PacketBuf::kMaxPayload) << "unchanged";
  EXPECT_FALSE(pool.copyOf(Bytes(PacketBuf::kSlotSize)));
}

TEST(PacketBuf, MovingLeavesNothingBehind) {
  PacketPool pool(4);
  PacketBuf a = pool.copyOf(asBytes("a"));
  PacketBuf b = pool.copyOf(asBytes("b"));
  b = std::move(a);
  EXPECT_FALSE(a);  // NOLINT: moved from is empty by contract
  EXPECT_EQ(asText(b.span()), "a");
  EXPECT_EQ(pool.inUse(), 1u);
}

}  // namespace
}  // namespace parley
