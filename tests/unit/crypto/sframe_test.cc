#include "parley/crypto/sframe.h"

#include <string>

#include <gtest/gtest.h>

#include "sframe_vectors.h"
#include "support/hex.h"

namespace parley::crypto {
namespace {

using test::fromHex;

constexpr SframeRatchet kFourBits{4};

Bytes bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

Bytes seal(SframeEncryptor& encryptor, const std::string& text, const std::string& metadata = {}) {
  Bytes out;
  EXPECT_TRUE(encryptor.encrypt(bytes(text), bytes(metadata), out));
  return out;
}

std::string open(SframeDecryptor& decryptor, ByteSpan sealed, const std::string& metadata = {}) {
  Bytes out;
  const Result<void> result = decryptor.decrypt(sealed, bytes(metadata), out);
  if (!result) {
    EXPECT_TRUE(out.empty());
    return std::string("error: ") + toString(result.error().code);
  }
  return {out.begin(), out.end()};
}

TEST(Sframe, Rfc9605AppendixC1HeadersAreWrittenAndRead) {
  for (const auto& vector : vectors::kHeaders) {
    const Bytes expected = fromHex(vector.encoded);
    const SframeHeader header{vector.keyId, vector.counter};
    Bytes out(SframeHeader::kMaxSize);
    ByteWriter w(out);
    header.write(w);
    EXPECT_EQ(Bytes(out.begin(), out.begin() + static_cast<long>(w.size())), expected);
    EXPECT_EQ(header.size(), expected.size());
    ByteReader r(expected);
    EXPECT_EQ(SframeHeader::parse(r), header);
    EXPECT_TRUE(r.atEnd());
    for (size_t n = 0; n < expected.size(); ++n) {
      ByteReader shorter(ByteSpan(expected).first(n));
      EXPECT_FALSE(SframeHeader::parse(shorter));
    }
  }
}

TEST(Sframe, Rfc9605Section4_3NumbersHaveTheFewestBytes) {
  for (const char* padded : {"8005", "0805", "090001", "900001", "f80000000000000001"}) {
    const Bytes encoded = fromHex(padded);
    ByteReader r(encoded);
    EXPECT_FALSE(SframeHeader::parse(r)) << padded;
  }
}

TEST(Sframe, Rfc9605AppendixC3FramesAreEncryptedAndDecrypted) {
  for (const auto& vector : vectors::kFrames) {
    const auto suite = static_cast<SframeSuite>(vector.suite);
    SframeEncryptor encryptor(suite);
    ASSERT_TRUE(encryptor.setKey(vector.keyId, fromHex(vector.baseKey), vector.counter));
    Bytes sealed;
    ASSERT_TRUE(encryptor.encrypt(fromHex(vector.plaintext), fromHex(vector.metadata), sealed));
    EXPECT_EQ(sealed, fromHex(vector.ciphertext)) << "suite " << vector.suite;
    SframeDecryptor decryptor(suite);
    ASSERT_TRUE(decryptor.addKey(vector.keyId, fromHex(vector.baseKey)));
    Bytes opened;
    ASSERT_TRUE(decryptor.decrypt(sealed, fromHex(vector.metadata), opened));
    EXPECT_EQ(opened, fromHex(vector.plaintext));
    EXPECT_EQ(decryptor.lastHeader(), (SframeHeader{vector.keyId, vector.counter}));
    // Each bit counts: of the header, the text, the tag and the metadata.
    for (size_t i = 0; i < sealed.size(); ++i) {
      Bytes wrong = sealed;
      wrong[i] ^= 1;
      opened.clear();
      EXPECT_FALSE(decryptor.decrypt(wrong, fromHex(vector.metadata), opened)) << i;
      EXPECT_TRUE(opened.empty());
    }
    EXPECT_FALSE(decryptor.decrypt(sealed, {}, opened));
  }
}

TEST(Sframe, CountersRiseAndNoFrameIsLikeAnother) {
  SframeEncryptor encryptor(SframeSuite::Aes128GcmSha256_128);
  SframeDecryptor decryptor(SframeSuite::Aes128GcmSha256_128);
  ASSERT_TRUE(encryptor.setKey(7, fromHex("00112233")));
  ASSERT_TRUE(decryptor.addKey(7, fromHex("00112233")));
  Bytes before;
  for (uint64_t i = 0; i < 300; ++i) {
    const Bytes sealed = seal(encryptor, "frame", "meta");
    EXPECT_NE(sealed, before);
    EXPECT_EQ(open(decryptor, sealed, "meta"), "frame");
    EXPECT_EQ(decryptor.lastHeader().counter, i);
    before = sealed;
  }
  EXPECT_EQ(open(decryptor, seal(encryptor, "")), "");
}

TEST(Sframe, ACounterIsNeverUsedTwice) {
  SframeEncryptor encryptor(SframeSuite::Aes128CtrHmacSha256_80);
  ASSERT_TRUE(encryptor.setKey(0, fromHex("aa"), UINT64_MAX));
  Bytes out;
  ASSERT_TRUE(encryptor.encrypt(bytes("last"), {}, out));
  EXPECT_EQ(encryptor.encrypt(bytes("one too many"), {}, out).error().code,
            ErrorCode::InvalidState);
}

TEST(Sframe, WhatIsNoFrameIsRefused) {
  SframeDecryptor decryptor(SframeSuite::Aes128GcmSha256_128);
  EXPECT_EQ(open(decryptor, {}), "error: SyntaxError");
  EXPECT_EQ(open(decryptor, fromHex("00ffff")), "error: InvalidAccessError");
  ASSERT_TRUE(decryptor.addKey(0, fromHex("01")));
  EXPECT_EQ(open(decryptor, fromHex("00ffff")), "error: SyntaxError");
  EXPECT_FALSE(decryptor.addKey(0, {}));
  SframeEncryptor encryptor(SframeSuite::Aes128GcmSha256_128);
  Bytes out;
  EXPECT_FALSE(encryptor.encrypt(bytes("x"), {}, out));
  EXPECT_FALSE(encryptor.ratchet());
}

TEST(Sframe, Rfc9605Section5_1ReceiversFollowTheRatchet) {
  SframeEncryptor encryptor(SframeSuite::Aes256GcmSha512_128, kFourBits);
  SframeDecryptor decryptor(SframeSuite::Aes256GcmSha512_128, kFourBits);
  ASSERT_TRUE(encryptor.setKey(0x5d, fromHex("0badc0de")));
  ASSERT_TRUE(decryptor.addKey(0x5d, fromHex("0badc0de")));
  const Bytes early = seal(encryptor, "early");
  ASSERT_TRUE(encryptor.ratchet());
  EXPECT_EQ(encryptor.keyId(), 0x5eu);
  ASSERT_TRUE(encryptor.ratchet());
  ASSERT_TRUE(encryptor.ratchet());
  EXPECT_EQ(encryptor.keyId(), 0x50u);  // the step wraps, the chain stays
  EXPECT_EQ(open(decryptor, seal(encryptor, "three on")), "three on");
  EXPECT_EQ(open(decryptor, early), "early");  // one that was overtaken
  ASSERT_TRUE(encryptor.ratchet());
  EXPECT_EQ(open(decryptor, seal(encryptor, "next")), "next");
  EXPECT_NE(open(decryptor, early), "early");
}

TEST(Sframe, AForgedStepMovesNothing) {
  SframeEncryptor encryptor(SframeSuite::Aes128CtrHmacSha256_64, kFourBits);
  SframeDecryptor decryptor(SframeSuite::Aes128CtrHmacSha256_64, kFourBits);
  ASSERT_TRUE(encryptor.setKey(0x10, fromHex("01")));
  ASSERT_TRUE(decryptor.addKey(0x10, fromHex("01")));
  const Bytes good = seal(encryptor, "good");
  Bytes forged = good;
  forged[1] = 0x1c;  // twelve steps on
  EXPECT_EQ(open(decryptor, forged), "error: OperationError");
  EXPECT_EQ(open(decryptor, good), "good");
  forged[1] = 0x2c;  // another chain
  EXPECT_EQ(open(decryptor, forged), "error: InvalidAccessError");
}

TEST(Sframe, KeysCanBeTakenAway) {
  SframeEncryptor encryptor(SframeSuite::Aes128CtrHmacSha256_32);
  SframeDecryptor decryptor(SframeSuite::Aes128CtrHmacSha256_32);
  ASSERT_TRUE(encryptor.setKey(300, fromHex("01")));
  ASSERT_TRUE(decryptor.addKey(300, fromHex("01")));
  ASSERT_TRUE(decryptor.addKey(301, fromHex("02")));
  decryptor.removeKey(301);
  EXPECT_EQ(open(decryptor, seal(encryptor, "x")), "x");
  decryptor.removeKey(300);
  EXPECT_EQ(open(decryptor, seal(encryptor, "x")), "error: InvalidAccessError");
}

TEST(SframeEncryptor, AKeyThatComesBackGoesOnWithItsCount) {
  SframeEncryptor encryptor(SframeSuite::Aes128GcmSha256_128);
  SframeDecryptor decryptor(SframeSuite::Aes128GcmSha256_128);
  const Bytes first = {1, 2, 3}, second = {4, 5, 6}, frame = {9};
  for (const auto& [id, key] : {std::pair{1, first}, std::pair{2, second}})
    ASSERT_TRUE(decryptor.addKey(static_cast<uint64_t>(id), key));
  const auto countOfNext = [&] {
    Bytes out, back;
    EXPECT_TRUE(encryptor.encrypt(frame, {}, out));
    EXPECT_TRUE(decryptor.decrypt(out, {}, back));
    return decryptor.lastHeader().counter;
  };
  ASSERT_TRUE(encryptor.setKey(1, first));
  EXPECT_EQ(countOfNext(), 0u);
  ASSERT_TRUE(encryptor.setKey(1, first));
  EXPECT_EQ(countOfNext(), 1u) << "set again";
  ASSERT_TRUE(encryptor.setKey(2, second));
  EXPECT_EQ(countOfNext(), 0u);
  ASSERT_TRUE(encryptor.setKey(1, first));
  EXPECT_EQ(countOfNext(), 2u) << "after another";
  ASSERT_TRUE(encryptor.setKey(2, second, 10));
  EXPECT_EQ(countOfNext(), 10u) << "further on is right";
  ASSERT_TRUE(encryptor.setKey(1, first, UINT64_MAX));
  EXPECT_EQ(countOfNext(), UINT64_MAX);
  Bytes out;
  ASSERT_TRUE(encryptor.setKey(1, first));
  EXPECT_FALSE(encryptor.encrypt(frame, {}, out)) << "used up stays used up";
}

}  // namespace
}  // namespace parley::crypto
