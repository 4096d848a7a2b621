#include <map>
#include <memory>
#include <random>

#include <gtest/gtest.h>

#include "parley/base/id_allocator.h"
#include "parley/base/inline_vector.h"
#include "parley/base/memory_budget.h"
#include "parley/base/ring_queue.h"
#include "parley/base/timer_heap.h"

#include "support/alloc_guard.h"

namespace parley {
namespace {

TEST(RingQueue, KeepsOrderWhileItGrowsAndWraps) {
  RingQueue<int> queue(1000);
  int in = 0, out = 0;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < round % 7; ++i) ASSERT_TRUE(queue.push(in++));
    for (int i = 0; i < round % 5 && !queue.empty(); ++i) {
      EXPECT_EQ(queue.front(), out);
      EXPECT_EQ(queue.pop(), out++);
    }
    for (size_t i = 0; i < queue.size(); ++i) EXPECT_EQ(queue[i], out + static_cast<int>(i));
  }
  EXPECT_EQ(queue.size(), static_cast<size_t>(in - out));
}

TEST(RingQueue, RefusesBeyondItsBoundAndTakesAgainAfterwards) {
  for (const size_t bound : {size_t{1}, size_t{5}, size_t{16}, size_t{17}}) {
    RingQueue<size_t> queue(bound);
    for (size_t i = 0; i < bound; ++i) EXPECT_TRUE(queue.push(i));
    EXPECT_TRUE(queue.full());
    EXPECT_FALSE(queue.push(99));
    EXPECT_EQ(queue.pop(), 0u);
    EXPECT_TRUE(queue.push(bound));
    for (size_t i = 1; i <= bound; ++i) EXPECT_EQ(queue.pop(), i);
    EXPECT_TRUE(queue.empty());
  }
}

TEST(RingQueue, LetsGoOfWhatIsTaken) {
  RingQueue<std::shared_ptr<int>> queue(4);
  const auto value = std::make_shared<int>(1);
  queue.push(value);
  queue.push(value);
  (void)queue.pop();
  EXPECT_EQ(value.use_count(), 2);
  queue.clear();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(RingQueue, AllocatesNothingOnceItHasItsSize) {
  RingQueue<int> queue(100);
  for (int i = 0; i < 20; ++i) queue.push(i);
  test::AllocGuard guard;
  for (int i = 0; i < 1000; ++i) queue.push(queue.pop());
  EXPECT_EQ(guard.count(), 0u);
}

TEST(TimerHeap, AgreesWithAPlainSearchThroughRandomChanges) {
  TimerHeap heap;
  std::map<size_t, Timestamp> model;
  std::mt19937 random(7);
  for (int step = 0; step < 5000; ++step) {
    const size_t key = random() % 60;
    if (random() % 4 == 0) {
      heap.set(key, Timestamp::never());
      model.erase(key);
    } else {
      const Timestamp when = Timestamp::nanos(random() % 100);
      heap.set(key, when);
      model[key] = when;
    }
    Timestamp next = Timestamp::never();
    for (const auto& [k, when] : model) next = earliest(next, when);
    ASSERT_EQ(heap.next(), next) << step;
    ASSERT_EQ(heap.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(model.at(heap.nextKey()), next);
    }
  }
}

TEST(TimerHeap, EmptyHasNoDeadline) {
  TimerHeap heap;
  EXPECT_TRUE(heap.next().isNever());
  EXPECT_EQ(heap.nextKey(), TimerHeap::kAbsent);
  heap.set(1000, Timestamp::never());
  EXPECT_TRUE(heap.empty());
  heap.set(3, Timestamp::seconds(1));
  heap.set(3, Timestamp::never());
  EXPECT_TRUE(heap.empty());
}

TEST(InlineVector, HoldsItsCapacityAndNoMore) {
  InlineVector<int, 3> list;
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(list.push_back(1) && list.push_back(2) && list.push_back(3));
  EXPECT_FALSE(list.push_back(4));
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(list.back(), 3);
  list.pop_back();
  InlineVector<int, 3> other;
  other.push_back(1);
  EXPECT_FALSE(list == other);
  other.push_back(2);
  EXPECT_TRUE(list == other) << "what stood behind the end does not count";
}

TEST(IdAllocator, NumbersAreDistinctAndNeverZero) {
  IdAllocator ids;
  EXPECT_EQ(ids.nextSocket().value, 1u);
  EXPECT_EQ(ids.nextSocket().value, 2u);
  EXPECT_EQ(ids.nextResolve().value, 1u) << "each kind has its own";
}

TEST(MemoryBudget, SharesNeverExceedItTogether) {
  MemoryBudget budget(100);
  MemoryShare a(&budget);
  EXPECT_TRUE(a.resize(60));
  {
    MemoryShare b(&budget);
    EXPECT_FALSE(b.resize(41));
    EXPECT_EQ(b.held(), 0u);
    EXPECT_TRUE(b.resize(40));
    EXPECT_FALSE(a.resize(61));
    EXPECT_EQ(a.held(), 60u);
    EXPECT_TRUE(a.resize(10));
    EXPECT_TRUE(b.resize(90));
  }
  EXPECT_EQ(budget.used(), 10u);
  EXPECT_FALSE(a.resize(SIZE_MAX));
  MemoryShare unlimited(nullptr);
  EXPECT_TRUE(unlimited.resize(SIZE_MAX));
}

}  // namespace
}  // namespace parley
