#include "parley/crypto/hash.h"

#include <gtest/gtest.h>

#include "parley/crypto/const_time.h"
#include "parley/crypto/hmac.h"

#include "support/hex.h"

namespace parley::crypto {
namespace {

using test::fromHex;
using test::toHex;

TEST(HashTest, Rfc1321Md5OfAbc) {
  EXPECT_EQ(toHex(md5(asBytes("abc"))), "900150983cd24fb0d6963f7d28e17f72");
}

TEST(HashTest, Fips180VectorsOfAbc) {
  EXPECT_EQ(toHex(sha1(asBytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(toHex(sha256(asBytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HashTest, PartsHashLikeTheirConcatenation) {
  EXPECT_EQ(sha1({asBytes("a"), ByteSpan{}, asBytes("bc")}), sha1(asBytes("abc")));
  EXPECT_EQ(crc32({asBytes("1234"), asBytes("56789")}), crc32(asBytes("123456789")));
}

TEST(HashTest, Crc32CheckValue) {
  EXPECT_EQ(crc32(asBytes("123456789")), 0xCBF43926u);
}

TEST(HmacTest, Rfc2202AndRfc4231ShortAndLongKeys) {
  const Bytes key(20, 0x0b);
  EXPECT_EQ(toHex(hmacSha1(key, asBytes("Hi There"))), "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(toHex(hmacSha256(key, asBytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  const Bytes longKey(80, 0xaa);
  EXPECT_EQ(
      toHex(hmacSha1(longKey, asBytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
      "aa4ae5e15272d00e95705637ce8a3b55ed402112");
}

TEST(ConstTimeTest, ComparesLengthAndContent) {
  EXPECT_TRUE(constantTimeEquals(asBytes("same"), asBytes("same")));
  EXPECT_FALSE(constantTimeEquals(asBytes("same"), asBytes("sama")));
  EXPECT_FALSE(constantTimeEquals(asBytes("same"), asBytes("samee")));
  EXPECT_TRUE(constantTimeEquals({}, {}));
}

TEST(ConstTimeTest, WipeZeroes) {
  Bytes secret = toBytes("secret");
  wipe(secret);
  EXPECT_EQ(secret, Bytes(6, 0));
}

}  // namespace
}  // namespace parley::crypto
