#include "unit/srtp/reference_srtp.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::srtp {
namespace {

using parley::test::fromHex;
using parley::test::toHex;

std::string keystreamBlock(const char* key, uint16_t block) {
  Bytes iv = fromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfd0000");
  storeU16(&iv[14], block);
  return toHex(test::aesCmKeystream(fromHex(key), iv, 16));
}

TEST(ReferenceSrtp, KeystreamOfRfc3711AppendixB2) {
  const char key[] = "2b7e151628aed2a6abf7158809cf4f3c";
  EXPECT_EQ(keystreamBlock(key, 0), "e03ead0935c95e80e166b16dd92b4eb4");
  EXPECT_EQ(keystreamBlock(key, 1), "d23513162b02d0f72a43a2fe4a5f97ab");
  EXPECT_EQ(keystreamBlock(key, 2), "41e95b3bb0a2e8dd477901e4fca894c0");
  EXPECT_EQ(keystreamBlock(key, 0xfeff), "ec8cdf7398607cb0f2d21675ea9ea1e4");
  EXPECT_EQ(keystreamBlock(key, 0xff00), "362b7c3c6773516318a077d7fc5073ae");
  EXPECT_EQ(keystreamBlock(key, 0xff01), "6a2cc3787889374fbeb4c81b17ba6c44");
}

TEST(ReferenceSrtp, KeystreamOfRfc6188Section7) {
  const char key[] = "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98";
  EXPECT_EQ(keystreamBlock(key, 0), "92bdd28a93c3f52511c677d08b5515a4");
  EXPECT_EQ(keystreamBlock(key, 1), "9da71b2378a854f67050756ded165bac");
  EXPECT_EQ(keystreamBlock(key, 2), "63c4868b7096d88421b563b8c94c9a31");
}

TEST(ReferenceSrtp, KeyDerivationOfRfc3711AppendixB3) {
  const Bytes key = fromHex("e1f97a0d3e018be0d64fa32c06de4139");
  const Bytes salt = fromHex("0ec675ad498afeebb6960b3aabe6");
  EXPECT_EQ(toHex(test::deriveKey(key, salt, 0, 16)), "c61e7a93744f39ee10734afe3ff7a087");
  EXPECT_EQ(toHex(test::deriveKey(key, salt, 2, 14)), "30cbbc08863d8c85d49db34a9ae1");
  EXPECT_EQ(
      toHex(test::deriveKey(key, salt, 1, 94)),
      "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbcee049646c43d9327ad175578e"
      "f72270986371c10c9a369ac2f94a8c5fbcdddc256d6e919a48b610ef17c2041e474035766b68642c59bbfc2f"
      "34db60dbdfb2");
  // SRTCP's labels with the same master key, section 4.3.2.
  EXPECT_EQ(toHex(test::deriveKey(key, salt, 3, 16)), "4c1aa45a81f73d61c800bbb00fbb1eaa");
  EXPECT_EQ(toHex(test::deriveKey(key, salt, 4, 20)), "8d54534feb49ae8e7993a6bd0b844fc323a93dfd");
  EXPECT_EQ(toHex(test::deriveKey(key, salt, 5, 14)), "9581c7ad87b3e530bf3e4454a8b3");
}

TEST(ReferenceSrtp, KeyDerivationOfRfc6188Section7) {
  const Bytes key = fromHex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6");
  const Bytes salt = fromHex("3b04803de51ee7c96423ab5b78d2");
  EXPECT_EQ(toHex(test::deriveKey(key, salt, 0, 32)),
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4");
  EXPECT_EQ(toHex(test::deriveKey(key, salt, 2, 14)), "fa31791685ca444a9e07c6c64e93");
  EXPECT_EQ(toHex(test::deriveKey(key, salt, 1, 20)), "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05");
}

struct Rfc7714Row {
  const char* key;
  const char* srtp;
  const char* srtcp;
};

TEST(ReferenceSrtp, PacketsOfRfc7714Sections16And17) {
  const Bytes rtp = fromHex(
      "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e2070617274657320"
      "74"
      "726573");
  const Bytes rtcp = fromHex(
      "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdead"
      "be"
      "efdeadbeef");
  const Rfc7714Row rows[] = {{"000102030405060708090a0b0c0d0e0f",
                              "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d29"
                              "4e6f42a5f47a51c7d19b36de3a"
                              "df8833899d7f27beb16a9152cf765ee4390cce",
                              "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676"
                              "a5f1730d6fda4ce09b4686303d"
                              "ed0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4"},
                             {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
                              "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58"
                              "e2f3b50b2a0276ffae0f1ba637"
                              "99b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
                              "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2ea"
                              "a5c1110555be8415f658c61de0"
                              "476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4"}};
  for (const Rfc7714Row& row : rows) {
    // The RFC gives session keys: there is no key derivation in its examples.
    const test::SessionKeys keys{fromHex(row.key), fromHex("517569642070726f2071756f"), {}};
    EXPECT_EQ(toHex(test::sealRtpGcm(keys, rtp, 0)), row.srtp);
    EXPECT_EQ(toHex(test::sealRtcpGcm(keys, rtcp, 1492)), row.srtcp);
  }
}

}  // namespace
}  // namespace parley::srtp
