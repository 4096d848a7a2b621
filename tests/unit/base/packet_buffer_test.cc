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

}  // namespace
}  // namespace parley
