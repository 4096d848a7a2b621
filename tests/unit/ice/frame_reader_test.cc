// RFC 4571 framing: however the bytes of a stream are cut.

#include "ice/frame_reader.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"

namespace parley::ice {
namespace {

class FrameReaderTest : public ::testing::Test {
 protected:
  void feed(ByteSpan bytes) {
    reader.feed(pool.copyOf(bytes));
    PacketBuf packet;
    while (reader.next(packet)) got.push_back(std::string(asText(packet.span())));
  }
  void feed(const std::string& bytes) { feed(asBytes(bytes)); }
  static std::string framed(const std::string& payload) {
    return std::string{static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size())} +
           payload;
  }

  PacketPool pool;
  FrameReader reader{pool};
  std::vector<std::string> got;
};

TEST_F(FrameReaderTest, EveryCutGivesTheSamePackets) {
  const std::vector<std::string> packets = {"a", std::string(300, 'b'), "ccc",
                                            std::string(PacketBuf::kMaxPayload, 'd'), "e"};
  std::string stream;
  for (const std::string& packet : packets) stream += framed(packet);
  for (size_t size = 1; size <= PacketBuf::kMaxPayload; size = size * 3 / 2 + 1) {
    got.clear();
    for (size_t at = 0; at < stream.size(); at += size) feed(stream.substr(at, size));
    EXPECT_EQ(got, packets) << size;
  }
  for (size_t cut = 0; cut <= 320; ++cut) {
    got.clear();
    feed(stream.substr(0, cut));
    for (size_t at = cut; at < stream.size(); at += 1500) feed(stream.substr(at, 1500));
    EXPECT_EQ(got, packets) << cut;
  }
  EXPECT_EQ(reader.skipped(), 0u);
}

TEST_F(FrameReaderTest, APacketThatComesAloneStaysWhereItIs) {
  const std::string stream = framed("alone");
  PacketBuf chunk = pool.copyOf(asBytes(stream));
  const uint8_t* const at = chunk.data();
  reader.feed(std::move(chunk));
  PacketBuf packet;
  ASSERT_TRUE(reader.next(packet));
  EXPECT_EQ(packet.data(), at + FrameReader::kHeaderSize);
  EXPECT_FALSE(reader.next(packet));
}

TEST_F(FrameReaderTest, LengthZeroMeansNothing) {
  feed(framed("") + framed("") + framed("x") + framed(""));
  feed(framed("y"));
  EXPECT_EQ(got, (std::vector<std::string>{"x", "y"}));
}

TEST_F(FrameReaderTest, WhatFitsNoBufferIsSkippedAndTheRestIsInStep) {
  const std::string large = framed(std::string(0xFFFF, 'z')) + framed("after");
  for (size_t at = 0; at < large.size(); at += 1000) feed(large.substr(at, 1000));
  EXPECT_EQ(got, std::vector<std::string>{"after"});
  EXPECT_EQ(reader.skipped(), 1u);
  EXPECT_EQ(pool.inUse(), 0u);
}

TEST_F(FrameReaderTest, WithoutBuffersPacketsAreLostAndNoneIsCut) {
  PacketPool small(1);
  FrameReader poor(small);
  poor.feed(small.copyOf(asBytes(framed("one") + framed("two"))));
  PacketBuf packet;
  ASSERT_TRUE(poor.next(packet));  // the last one needs no buffer
  EXPECT_EQ(asText(packet.span()), "two");
  EXPECT_EQ(poor.skipped(), 1u);
}

TEST_F(FrameReaderTest, AnyBytesAtAll) {
  SeededRandom random(1);
  for (int i = 0; i < 2000; ++i) {
    Bytes noise(random.below(PacketBuf::kMaxPayload) + 1);
    random.fill(noise);
    feed(noise);
  }
  got.clear();
  EXPECT_LE(pool.inUse(), 1u);
}

TEST_F(FrameReaderTest, TheHeaderIsPutIntoTheHeadroom) {
  PacketBuf packet = pool.copyOf(asBytes("payload"));
  ASSERT_TRUE(frame(packet));
  feed(packet.span());
  EXPECT_EQ(got, std::vector<std::string>{"payload"});
  PacketBuf full = pool.allocate();
  while (full.growFront(1)) {
  }
  EXPECT_FALSE(frame(full));
}

}  // namespace
}  // namespace parley::ice
