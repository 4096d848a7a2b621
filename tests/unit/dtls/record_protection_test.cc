#include "dtls/record_protection.h"

#include <gtest/gtest.h>

#include "parley/base/bytes.h"

#include "dtls/record_filter.h"

namespace parley::dtls {
namespace {

RecordKeys keysOf(RecordKeys::Aead aead, bool swapped) {
  RecordKeys keys;
  keys.aead = aead;
  RecordKeys::Side& first = swapped ? keys.peer : keys.own;
  RecordKeys::Side& second = swapped ? keys.own : keys.peer;
  first.key.fill(0x11);
  first.iv.fill(0x22);
  second.key.fill(0x33);
  second.iv.fill(0x44);
  return keys;
}

class Protection : public testing::TestWithParam<RecordKeys::Aead> {
 protected:
  Bytes sealed(std::string_view text) {
    PacketBuf packet = pool.copyOf(asBytes(text));
    EXPECT_TRUE(a->seal(ContentType::ApplicationData, packet));
    return toBytes(packet.span());
  }
  std::optional<std::string> opened(Bytes record) {
    const auto plaintext = b->open(record);
    if (!plaintext) return std::nullopt;
    return std::string(asText(*plaintext));
  }

  PacketPool pool;
  std::unique_ptr<RecordProtection> a = RecordProtection::create(keysOf(GetParam(), false), {1, 7});
  std::unique_ptr<RecordProtection> b = RecordProtection::create(keysOf(GetParam(), true), {});
};
INSTANTIATE_TEST_SUITE_P(Aeads, Protection,
                         testing::Values(RecordKeys::Aead::Aes128Gcm, RecordKeys::Aead::Aes256Gcm,
                                         RecordKeys::Aead::ChaCha20Poly1305));

TEST_P(Protection, ARecordSaysWhereItsWriterContinued) {
  const Bytes record = sealed("hello");
  EXPECT_EQ(record[0], 23);
  EXPECT_EQ(loadU16(&record[1]), 0xfefd);
  EXPECT_EQ(loadU64(&record[3]), (uint64_t{1} << 48) + 1);
  EXPECT_EQ(loadU16(&record[11]), record.size() - kRecordHeaderSize);
  if (GetParam() != RecordKeys::Aead::ChaCha20Poly1305) {
    EXPECT_EQ(loadU64(&record[13]), 7u);
    EXPECT_EQ(loadU64(&sealed("x")[13]), 8u);
  }
  EXPECT_EQ(opened(record), "hello");
}

TEST_P(Protection, NothingOpensTwiceInWhateverOrderItArrives) {
  std::vector<Bytes> records;
  for (int i = 0; i < 200; ++i) records.push_back(sealed(std::to_string(i)));
  // Pairs swapped: each record is within the window.
  for (size_t i = 0; i < records.size(); i += 2) {
    EXPECT_EQ(opened(records[i + 1]), std::to_string(i + 1));
    EXPECT_EQ(opened(records[i]), std::to_string(i));
    EXPECT_EQ(opened(records[i]), std::nullopt);
    EXPECT_EQ(opened(records[i + 1]), std::nullopt);
  }
  EXPECT_EQ(opened(records[0]), std::nullopt);
}

TEST_P(Protection, WhatIsOlderThanTheWindowIsRefusedUnseen) {
  const Bytes old = sealed("old");
  for (int i = 0; i < 63; ++i) ASSERT_TRUE(opened(sealed("x")));
  const Bytes young = sealed("young");
  ASSERT_TRUE(opened(sealed("x")));
  EXPECT_EQ(opened(young), "young");
  EXPECT_EQ(opened(old), std::nullopt);
}

TEST_P(Protection, EveryChangedBitIsFoundAndChangesNothing) {
  const Bytes record = sealed("payload");
  for (size_t bit = 0; bit < record.size() * 8; ++bit) {
    // The length is not authenticated as such: a parser has cut the record by it.
    if (bit / 8 == 11 || bit / 8 == 12) continue;
    Bytes changed = record;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(opened(changed), std::nullopt) << bit;
  }
  for (size_t size = kRecordHeaderSize; size < record.size(); ++size) {
    EXPECT_EQ(opened(Bytes(record.begin(), record.begin() + static_cast<long>(size))),
              std::nullopt);
  }
  EXPECT_EQ(opened(record), "payload");
}

TEST_P(Protection, ABufferWithoutRoomIsLeftAlone) {
  PacketBuf full = pool.allocate();
  full.resize(full.writable().size());
  EXPECT_FALSE(a->seal(ContentType::ApplicationData, full));
}

}  // namespace
}  // namespace parley::dtls
