#include "sctp/packet.h"

#include <gtest/gtest.h>

#include "parley/base/random.h"

#include "sctp/crc32c.h"
#include "support/hex.h"

namespace parley::sctp {
namespace {

using test::fromHex;
using test::toHex;

std::string wireCrc(std::string_view hex) {
  Bytes twelve(12);
  storeChecksum(twelve, crc32c(fromHex(hex)));
  return toHex(ByteSpan(twelve).subspan(8));
}

TEST(Crc32c, PublishedVectorsInWireOrder) {
  EXPECT_EQ(wireCrc("0000000000000000000000000000000000000000000000000000000000000000"),
            "aa36918a");
  EXPECT_EQ(wireCrc("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
            "43aba862");
  EXPECT_EQ(wireCrc("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
            "4e79dd46");
  EXPECT_EQ(wireCrc("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100"),
            "5cdb3f11");
  EXPECT_EQ(wireCrc("01c000000000000000000000000000001400000000000400000000140000001828000000000000"
                    "000200000000000000"),
            "563a96d9");
}

TEST(Crc32c, FieldIsTakenAsZero) {
  SeededRandom random(1);
  for (size_t size = 12; size < 80; ++size) {
    Bytes packet(size);
    random.fill(packet);
    const uint32_t crc = packetChecksum(packet);
    Bytes zeroed = packet;
    storeChecksum(zeroed, 0);
    EXPECT_EQ(crc, crc32c(zeroed));
    storeChecksum(packet, crc);
    EXPECT_EQ(loadChecksum(packet), crc);
  }
}

Bytes packetOf(std::string_view chunksHex) {
  return fromHex("138813880000000000000000" + std::string(chunksHex));
}

constexpr std::string_view kInitFixed = "11223344000200000010001055667788";

TEST(Inspect, AcceptsOrdinaryChunks) {
  EXPECT_TRUE(inspect(packetOf("0003001400000001000200030000003500010203")));
  const auto sack = inspect(packetOf("03000018000000070000100000010001000200030000000a"));
  ASSERT_TRUE(sack);
  EXPECT_EQ(sack->cumulativeAck, 7u);
  EXPECT_TRUE(inspect(packetOf("c0000008 00000001")));
  EXPECT_TRUE(inspect(packetOf("820000100010000c0000000100000002")));
}

TEST(Inspect, RefusesBadLengths) {
  EXPECT_FALSE(inspect({}));
  EXPECT_FALSE(inspect(packetOf("")));
  EXPECT_FALSE(inspect(packetOf("00030000000000010002000300000035")));
  EXPECT_FALSE(inspect(packetOf("00030003000000010002000300000035")));
  EXPECT_FALSE(inspect(packetOf("000300ff000000010002000300000035")));
  EXPECT_FALSE(inspect(packetOf("0003000c0000000100020003"))) << "DATA without room for its header";
  EXPECT_FALSE(inspect(packetOf("03000010000000070000100000010001")))
      << "gap blocks beyond the chunk";
  EXPECT_FALSE(
      inspect(packetOf("01000008"
                       "11223344")));
  EXPECT_FALSE(inspect(packetOf("01000018" + std::string(kInitFixed) + "00050000")))
      << "parameter of length zero";
  EXPECT_FALSE(inspect(packetOf("c000000a 000000010001 0000")));
  EXPECT_FALSE(inspect(packetOf("06000008 000c0009")));
}

TEST(Inspect, CapsParameters) {
  std::string parameters;
  for (int i = 0; i < 65; ++i) parameters += "80fe0004";
  const size_t length = 20 + 65 * 4;
  char head[9];
  std::snprintf(head, sizeof head, "0100%04zx", length);
  EXPECT_FALSE(inspect(packetOf(head + std::string(kInitFixed) + parameters)));
}

TEST(Inspect, FindsTheAbortCause) {
  const Bytes packet = packetOf("0600000d000c00096279652121000000");
  const auto abort = inspect(packet);
  ASSERT_TRUE(abort);
  EXPECT_EQ(abort->abortCause, 12);
  EXPECT_EQ(asText(abort->abortText), "bye!!");
}

TEST(Neutralise, BlanksAddressesAndUnusedChunks) {
  Bytes init = packetOf("01000024" + std::string(kInitFixed) +
                        "000500080a000001"
                        "000c00060005"
                        "0000");
  storeChecksum(init, packetChecksum(init));
  ASSERT_TRUE(inspect(init));
  EXPECT_TRUE(inspect(init)->hasFiltered);
  neutralise(init);
  ASSERT_TRUE(inspect(init));
  EXPECT_FALSE(inspect(init)->hasFiltered);
  Bytes chunks = packetOf(
      "0f000008 00010001"
      "c1000008 00000001"
      "0003001400000001000200030000003500010203");
  EXPECT_TRUE(inspect(chunks)->hasFiltered);
  neutralise(chunks);
  EXPECT_EQ(chunks[12], chunk::kPad);
  EXPECT_EQ(chunks[20], chunk::kPad);
  EXPECT_EQ(chunks[28], chunk::kData);
}

TEST(ZeroChecksum, ParameterIsAppendedToInitOnly) {
  Bytes init = packetOf("0100001a" + std::string(kInitFixed) +
                        "c00000048008000682c0"
                        "0000");
  init[15] = 30;  // 20 + 4 + 6, two bytes of padding
  const size_t size = init.size();
  init.resize(size + 12);
  const size_t grown = appendZeroChecksumParameter(init, size);
  ASSERT_EQ(grown, size + 8);
  init.resize(grown);
  EXPECT_EQ(toHex(ByteSpan(init).last(8)), "8001000800000001");
  ASSERT_TRUE(inspect(init));
  EXPECT_TRUE(inspect(init)->acceptsZeroChecksum);

  Bytes data = packetOf("0003001400000001000200030000003500010203");
  const size_t dataSize = data.size();
  data.resize(dataSize + 12);
  EXPECT_EQ(appendZeroChecksumParameter(data, dataSize), dataSize);
}

TEST(Inspect, RandomBytesNeverCrash) {
  SeededRandom random(2);
  for (int i = 0; i < 5000; ++i) {
    Bytes junk(random.below(120));
    random.fill(junk);
    if (junk.size() > 15) {
      junk[12] = static_cast<uint8_t>(random.below(20));
      junk[14] = 0;
    }
    if (inspect(junk)) neutralise(junk);
    const size_t size = junk.size();
    junk.resize(size + 8);
    EXPECT_LE(appendZeroChecksumParameter(junk, size), junk.size());
  }
}

}  // namespace
}  // namespace parley::sctp
