#include "parley/base/bytes.h"

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(ByteReader, ReadsBigEndianFieldsOfEverySize) {
  const Bytes data{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
  ByteReader reader(data);
  EXPECT_EQ(reader.u8(), 0x01);
  EXPECT_EQ(reader.u16(), 0x0203);
  EXPECT_EQ(reader.u24(), 0x040506u);
  EXPECT_EQ(reader.u32(), 0x0708090Au);
  EXPECT_EQ(reader.u64(), 0x0B0C0D0E0F101112u);
  EXPECT_EQ(reader.position(), 18u);
  EXPECT_EQ(toBytes(reader.rest()), (Bytes{19, 20}));
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.atEnd());
}

TEST(ByteReader, RunningPastTheEndGivesZerosAndIsRemembered) {
  const Bytes data{0xFF, 0xFF, 0xFF};
  for (int field = 0; field < 4; ++field) {
    ByteReader reader(data);
    reader.skip(2);
    switch (field) {
      case 0:
        EXPECT_EQ(reader.u16(), 0);
        break;
      case 1:
        EXPECT_EQ(reader.u24(), 0u);
        break;
      case 2:
        EXPECT_EQ(reader.u32(), 0u);
        break;
      default:
        EXPECT_EQ(reader.u64(), 0u);
        break;
    }
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.remaining(), 0u);
    EXPECT_EQ(reader.u8(), 0) << "also what would still fit";
    EXPECT_TRUE(reader.bytes(0).empty());
    EXPECT_FALSE(reader.ok());
  }
}

TEST(ByteReader, HugeLengthsDoNotWrapRound) {
  const Bytes data(8);
  ByteReader reader(data);
  reader.skip(4);
  EXPECT_TRUE(reader.bytes(SIZE_MAX).empty());
  EXPECT_FALSE(reader.ok());
  ByteReader other(data);
  other.skip(SIZE_MAX - 2);
  EXPECT_FALSE(other.ok());
}

TEST(ByteReader, EmptyInputIsFineAsLongAsNothingIsRead) {
  ByteReader reader(ByteSpan{});
  EXPECT_TRUE(reader.atEnd());
  EXPECT_TRUE(reader.rest().empty());
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.u8(), 0);
  EXPECT_FALSE(reader.ok());
}

TEST(ByteWriter, WritesWhatAReaderReads) {
  Bytes out(32);
  ByteWriter writer(out);
  writer.u8(1);
  writer.u16(0x0203);
  writer.u24(0x040506);
  writer.u32(0x0708090A);
  writer.u64(0x0B0C0D0E0F101112);
  writer.bytes(asBytes("ab"));
  writer.zeros(3);
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(toBytes(writer.written()), (Bytes{1,  2,  3,  4,  5,  6,  7,   8,   9, 10, 11, 12,
                                              13, 14, 15, 16, 17, 18, 'a', 'b', 0, 0,  0}));
  EXPECT_EQ(writer.remaining(), 9u);
}

TEST(ByteWriter, WritingPastTheEndWritesNothingAndIsRemembered) {
  Bytes out(5, 0xEE);
  ByteWriter writer(MutableByteSpan(out).first(3));
  writer.u16(1);
  writer.u32(2);
  EXPECT_FALSE(writer.ok());
  writer.u8(3);
  writer.zeros(SIZE_MAX);
  writer.bytes(out);
  EXPECT_EQ(writer.size(), 2u);
  EXPECT_EQ(out, (Bytes{0, 1, 0xEE, 0xEE, 0xEE}));
}

TEST(ByteWriter, PatchesOnlyWhatIsWritten) {
  Bytes out(4, 0xEE);
  ByteWriter writer(out);
  writer.u16(0);
  writer.patchU16(0, 0x1234);
  writer.patchU16(1, 0x5678);
  EXPECT_EQ(out, (Bytes{0x12, 0x34, 0xEE, 0xEE}));
}

}  // namespace
}  // namespace parley
