#include "sctp/engine/reassembly.h"

#include <algorithm>
#include <array>
#include <numeric>

#include <gtest/gtest.h>

#include "parley/base/random.h"

#include "unit/sctp/pair.h"

namespace parley::sctp {
namespace {

class ReassemblyTest : public ::testing::TestWithParam<bool> {
 protected:
  ReassemblyTest() { reassembly.setInterleaving(GetParam()); }
  struct Chunk {
    Reassembly::Fragment fragment;
    Bytes data;
  };
  /// A message cut into fragments of `step` bytes.
  void cut(uint16_t stream, uint32_t id, size_t size, size_t step, bool unordered = false) {
    const Bytes whole = pattern(size, stream * 1000 + id);
    for (size_t at = 0; at < size; at += step) {
      Chunk c;
      c.data.assign(whole.begin() + static_cast<ptrdiff_t>(at),
                    whole.begin() + static_cast<ptrdiff_t>(std::min(size, at + step)));
      c.fragment.stream = stream;
      c.fragment.unordered = unordered;
      c.fragment.first = at == 0;
      c.fragment.last = at + step >= size;
      c.fragment.id = unordered && !GetParam() ? 0 : id;
      c.fragment.ppid = at == 0 || !GetParam() ? 53 : 0;
      c.fragment.position = GetParam() ? static_cast<int64_t>(at / step) : tsn;
      ++tsn;
      chunks.push_back(std::move(c));
    }
  }
  bool add(Chunk& c) {
    c.fragment.data = c.data;
    return reassembly.add(c.fragment);
  }
  void addAll() {
    for (Chunk& c : chunks) ASSERT_TRUE(add(c));
    chunks.clear();
  }
  std::vector<Inbound> drain() {
    std::vector<Inbound> out;
    Inbound in;
    while (reassembly.poll(in)) out.push_back(in);
    return out;
  }
  Reassembly reassembly{100'000, 100'000};
  std::vector<Chunk> chunks;
  int64_t tsn = 1'000'000;
};

INSTANTIATE_TEST_SUITE_P(Kinds, ReassemblyTest, ::testing::Bool(),
                         [](const auto& which) { return which.param ? "IData" : "Data"; });

TEST_P(ReassemblyTest, AnyOrderOfArrivalGivesTheSameMessages) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    for (uint32_t i = 0; i < 5; ++i) {
      cut(1, i, 1 + i * 700, 300);
      cut(2, i, 900, 300, true);
      cut(3, i, 50, 300);
    }
    SeededRandom random(seed);
    for (size_t i = chunks.size(); i > 1; --i) std::swap(chunks[i - 1], chunks[random.below(i)]);
    addAll();
    uint32_t nextOnFirst = 0;
    size_t unordered = 0;
    for (const Inbound& in : drain()) {
      EXPECT_EQ(in.ppid, 53u);
      if (in.stream == 1) {
        EXPECT_TRUE(in.data == pattern(1 + nextOnFirst * 700, 1000 + nextOnFirst));
        ++nextOnFirst;
      }
      unordered += in.unordered;
    }
    EXPECT_EQ(nextOnFirst, 5u);
    EXPECT_EQ(unordered, 5u);
    EXPECT_EQ(reassembly.heldBytes(), 0u);
    for (const uint16_t s : std::array<uint16_t, 3>{1, 2, 3}) reassembly.resetStream(s);
  }
}

TEST_P(ReassemblyTest, PartsComeAsTheyGather) {
  reassembly.setPartSize(1, 1000);
  cut(1, 0, 5000, 400);
  cut(1, 1, 5000, 400);
  // The second message is complete first: it waits.
  for (size_t i = 13; i < 26; ++i) ASSERT_TRUE(add(chunks[i]));
  EXPECT_TRUE(drain().empty());
  Bytes got;
  std::vector<std::pair<bool, bool>> marks;
  for (size_t i = 0; i < 13; ++i) {
    ASSERT_TRUE(add(chunks[i]));
    for (const Inbound& in : drain()) {
      got.insert(got.end(), in.data.begin(), in.data.end());
      marks.push_back({in.first, in.last});
    }
  }
  Bytes expected = pattern(5000, 1000);
  const Bytes second = pattern(5000, 1001);
  expected.insert(expected.end(), second.begin(), second.end());
  EXPECT_TRUE(got == expected);
  EXPECT_GE(marks.size(), 5u);
  EXPECT_EQ(marks.front(), (std::pair{true, false}));
  EXPECT_EQ(marks.back().second, true);
  EXPECT_EQ(reassembly.heldBytes(), 0u);
}

TEST_P(ReassemblyTest, SkippedMessagesReleaseThoseBehindThem) {
  cut(1, 0, 1000, 400);
  cut(1, 1, 1000, 400);
  cut(1, 2, 1000, 400);
  ASSERT_TRUE(add(chunks[0]));
  for (size_t i = 3; i < 6; ++i) ASSERT_TRUE(add(chunks[i]));
  ASSERT_TRUE(add(chunks[7]));
  EXPECT_TRUE(drain().empty());
  if (GetParam()) {
    reassembly.skip(1, false, 0);
  } else {
    reassembly.skip(1, 0);
  }
  const auto released = drain();
  ASSERT_EQ(released.size(), 1u);
  EXPECT_TRUE(released[0].data == pattern(1000, 1001));
  // What comes late for the skipped one is nothing.
  ASSERT_TRUE(add(chunks[1]));
  ASSERT_TRUE(add(chunks[6]));
  ASSERT_TRUE(add(chunks[8]));
  ASSERT_EQ(drain().size(), 1u);
  EXPECT_EQ(reassembly.heldBytes(), 0u);
}

TEST_P(ReassemblyTest, UnfinishedUnorderedMessagesAreDroppedByTheirOwnRule) {
  cut(1, 0, 1000, 400, true);
  cut(1, 1, 1000, 400, true);
  ASSERT_TRUE(add(chunks[0]));
  ASSERT_TRUE(add(chunks[3]));
  ASSERT_TRUE(add(chunks[5]));
  if (GetParam()) {
    reassembly.skip(1, true, 0);
  } else {
    reassembly.dropBefore(chunks[2].fragment.position);
  }
  ASSERT_TRUE(add(chunks[4]));
  ASSERT_EQ(drain().size(), 1u);
  EXPECT_EQ(reassembly.heldBytes(), 0u);
}

// A packet holds many FORWARD TSNs, and a peer may leave a message open on every stream.
TEST_P(ReassemblyTest, AForwardTsnLooksOnlyAtTheStreamsThatItEnds) {
  if (GetParam()) GTEST_SKIP() << "with interleaving the list of an I-FORWARD-TSN says it all";
  constexpr size_t kStreams = 60'000;
  for (size_t i = 0; i < kStreams; ++i) cut(static_cast<uint16_t>(i), 0, 2, 1);
  for (size_t i = 0; i < kStreams; ++i) ASSERT_TRUE(add(chunks[2 * i]));
  const size_t all = reassembly.heldBytes();
  size_t looks = 0;
  for (size_t i = 0; i < 1000; ++i) looks += reassembly.dropBefore(chunks[i].fragment.position);
  EXPECT_LE(looks, 1000u);
  EXPECT_EQ(reassembly.heldBytes(), all / kStreams * (kStreams - 500));
  // The others are whole, and forgotten where a message ends by itself.
  for (size_t i = 500; i < kStreams; ++i) ASSERT_TRUE(add(chunks[2 * i + 1]));
  EXPECT_EQ(drain().size(), kStreams - 500);
  EXPECT_EQ(reassembly.heldBytes(), 0u);
  EXPECT_EQ(reassembly.dropBefore(tsn), 0u);
}

TEST_P(ReassemblyTest, AForwardTsnEndsAllThatWaitsBeforeIt) {
  if (GetParam()) GTEST_SKIP() << "with interleaving the list of an I-FORWARD-TSN says it all";
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed);
    Reassembly r(100'000, 100'000);
    chunks.clear();
    for (uint32_t i = 0; i < 60; ++i) cut(static_cast<uint16_t>(random.below(8)), i, 50, 10, true);
    const int64_t first = chunks[0].fragment.position;
    // Some of each message, in any order.
    std::vector<size_t> order(chunks.size());
    std::iota(order.begin(), order.end(), size_t{0});
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    int64_t point = first - 1;
    for (size_t i = 0; i < order.size(); ++i) {
      Chunk& c = chunks[order[i]];
      c.fragment.data = c.data;
      if (i % 5 != 0 && c.fragment.position > point) {
        ASSERT_TRUE(r.add(c.fragment));
      }
      if (i % 30 == 29) {
        point += 5;
        static_cast<void>(r.dropBefore(point));
      }
    }
    static_cast<void>(r.dropBefore(first + static_cast<int64_t>(chunks.size())));
    Inbound in;
    while (r.poll(in)) EXPECT_EQ(in.data.size(), 50u);
    EXPECT_EQ(r.heldBytes(), 0u) << seed;
  }
}

TEST_P(ReassemblyTest, SkippingDropsLooseFragmentsAcrossTheWrap) {
  if (!GetParam()) GTEST_SKIP() << "without interleaving positions are TSNs";
  Bytes data(10, 7);
  for (const uint32_t start : {0x7FFF'FFFEu, 0xFFFF'FFFEu}) {
    for (const bool unordered : {false, true}) {
      Reassembly r(100'000, 100'000);
      r.setInterleaving(true);
      r.skip(1, false, 0x4000'0000);
      r.skip(1, false, start - 0x4000'0000);
      r.skip(1, false, start - 1);
      for (uint32_t i = 0; i < 6; ++i) {
        Reassembly::Fragment f;
        f.stream = 1;
        f.unordered = unordered;
        f.id = start + i;
        f.position = 5;  // nothing before it ever comes
        f.data = data;
        ASSERT_TRUE(r.add(f));
      }
      const size_t all = r.heldBytes();
      r.skip(1, unordered, start + 3);
      EXPECT_EQ(r.heldBytes(), all - 4 * (Reassembly::kItemOverhead + data.size()));
      r.skip(1, unordered, start + 5);
      EXPECT_EQ(r.heldBytes(), 0u);
    }
  }
}

TEST_P(ReassemblyTest, AResetForgetsWhatWasOpen) {
  cut(1, 0, 1000, 400);
  cut(1, 1, 1000, 400);
  ASSERT_TRUE(add(chunks[0]));
  ASSERT_TRUE(add(chunks[4]));
  reassembly.resetStream(1);
  EXPECT_EQ(reassembly.heldBytes(), 0u);
  chunks.clear();
  cut(1, 0, 500, 400);
  addAll();
  EXPECT_EQ(drain().size(), 1u) << "numbers begin anew";
}

TEST_P(ReassemblyTest, TooBigIsToldOnceAndKeepsNothing) {
  cut(1, 0, 150'000, 1000);
  cut(1, 1, 10, 1000);
  size_t most = 0;
  for (Chunk& c : chunks) {
    ASSERT_TRUE(add(c));
    most = std::max(most, reassembly.heldBytes());
  }
  EXPECT_LE(most, 102'000u);
  const auto got = drain();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].kind, Inbound::Kind::TooBig);
  EXPECT_EQ(got[1].data.size(), 10u);
  EXPECT_EQ(reassembly.heldBytes(), 0u);
}

TEST_P(ReassemblyTest, NumbersWrap) {
  Bytes data(1, 7);
  Reassembly::Fragment f;
  f.first = f.last = true;
  f.data = data;
  const uint32_t rounds = 70'000;
  for (uint32_t i = 0; i < rounds; ++i) {
    f.id = GetParam() ? i : i & 0xFFFF;
    f.position = GetParam() ? 0 : i;
    ASSERT_TRUE(reassembly.add(f));
    Inbound in;
    ASSERT_TRUE(reassembly.poll(in)) << i;
  }
}

}  // namespace
}  // namespace parley::sctp
