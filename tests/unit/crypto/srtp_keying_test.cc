#include "parley/crypto/srtp_keying.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::crypto {
namespace {

using test::fromHex;
using test::toHex;

// Exporter output for a made-up master secret, split as RFC 5764 section 4.2 says: key, key, salt,
// salt, client first.
TEST(SrtpKeying, CutsExporterOutputInOrder) {
  const Bytes exported = fromHex(
      "0153f7ee77ea9cc39eeb256d8b0d14c87f4114eda964aa1c654af1f364fb648ce2c97614b368a0c1ab1fac011465"
      "1c7b"
      "add4dc8fc24b62b264b474cb");
  const auto cm = SrtpKeying::fromExporter(SrtpProfile::Aes128CmHmacSha1_80, exported);
  ASSERT_TRUE(cm);
  EXPECT_EQ(toHex(cm->clientKey.span()), "0153f7ee77ea9cc39eeb256d8b0d14c8");
  EXPECT_EQ(toHex(cm->serverKey.span()), "7f4114eda964aa1c654af1f364fb648c");
  EXPECT_EQ(toHex(cm->clientSalt.span()), "e2c97614b368a0c1ab1fac011465");
  EXPECT_EQ(toHex(cm->serverSalt.span()), "1c7badd4dc8fc24b62b264b474cb");

  const auto gcm =
      SrtpKeying::fromExporter(SrtpProfile::AeadAes128Gcm, ByteSpan(exported).first(56));
  ASSERT_TRUE(gcm);
  EXPECT_EQ(toHex(gcm->clientSalt.span()), "e2c97614b368a0c1ab1fac01");
  EXPECT_EQ(toHex(gcm->serverSalt.span()), "14651c7badd4dc8fc24b62b2");
}

TEST(SrtpKeying, InsistsOnTheExactLength) {
  for (auto profile : {SrtpProfile::Aes128CmHmacSha1_80, SrtpProfile::Aes128CmHmacSha1_32,
                       SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm}) {
    const size_t length = srtpExporterLength(profile);
    EXPECT_TRUE(SrtpKeying::fromExporter(profile, Bytes(length)));
    EXPECT_FALSE(SrtpKeying::fromExporter(profile, Bytes(length - 1)));
    EXPECT_FALSE(SrtpKeying::fromExporter(profile, Bytes(length + 1)));
  }
  EXPECT_EQ(srtpExporterLength(SrtpProfile::AeadAes256Gcm), 88u);
}

TEST(Secret, IsWipedWhenItDies) {
  alignas(Secret) uint8_t place[sizeof(Secret)];
  auto* secret = new (place) Secret(Bytes(32, 0xaa));
  EXPECT_EQ(secret->size(), 32u);
  secret->~Secret();
  size_t left = 0;
  for (const volatile uint8_t* at = place; at != place + sizeof place; ++at) left += *at == 0xaa;
  EXPECT_EQ(left, 0u);
}

}  // namespace
}  // namespace parley::crypto
