#include "parley/stun/long_term.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::stun {
namespace {

using test::fromHex;

/// "The Matrix" in Japanese, the user of RFC 5769 section 2.4.
constexpr char kMatrix[] =
    "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";

TEST(LongTermKeyTest, VerifiesRfc5769Section2x4) {
  const Bytes bytes = fromHex(
      "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b9"
      "00000015001c662f2f3439396b39353464364f4c33346f4c394653547679363473410014000b6578616d"
      "706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666");
  const auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  const LongTermKey md5(PasswordAlgorithm::Md5, kMatrix, "example.org", "TheMatrIX");
  EXPECT_EQ(md5.span().size(), 16u);
  EXPECT_EQ(verifyMessageIntegrity(*message, md5.span()), IntegrityCheck::Right);
  const LongTermKey sha(PasswordAlgorithm::Sha256, kMatrix, "example.org", "TheMatrIX");
  EXPECT_EQ(sha.span().size(), 32u);
  EXPECT_EQ(verifyMessageIntegrity(*message, sha.span()), IntegrityCheck::Wrong);
}

// The shape of RFC 8489 appendix B.1: USERHASH, PASSWORD-ALGORITHM and MESSAGE-INTEGRITY-SHA256.
TEST(LongTermKeyTest, RequestWithUserhashAndSha256) {
  uint8_t out[512];
  MessageBuilder builder(out, Class::Request, Method::Binding, TransactionId{1, 2, 3});
  const LongTermKey key(PasswordAlgorithm::Sha256, kMatrix, "example.org", "TheMatrIX");
  const PasswordAlgorithm chosen[] = {PasswordAlgorithm::Sha256};
  builder.bytes(AttributeType::Userhash, userhash(kMatrix, "example.org"))
      .text(AttributeType::Nonce, noncePrefix({true, true}) + "rest")
      .text(AttributeType::Realm, "example.org")
      .bytes(AttributeType::PasswordAlgorithm, writePasswordAlgorithms(chosen))
      .messageIntegritySha256(key.span());
  const auto message = Message::parse(builder.written());
  ASSERT_TRUE(message);
  EXPECT_EQ(test::toHex(*message->find(AttributeType::Userhash)),
            "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704");
  EXPECT_EQ(verifyMessageIntegritySha256(*message, key.span()), IntegrityCheck::Right);
  const auto algorithm = parsePasswordAlgorithm(*message->find(AttributeType::PasswordAlgorithm));
  EXPECT_EQ(algorithm->number, 2);
}

TEST(PasswordAlgorithmsTest, ListKeepsOrderAndUnknownEntries) {
  const Bytes bytes = fromHex("000200000099000361626300 00010000");
  const auto list = parsePasswordAlgorithms(bytes);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ((*list)[0].number, 2);
  EXPECT_EQ((*list)[1].number, 0x99);
  EXPECT_EQ(asText((*list)[1].parameters), "abc");
  EXPECT_EQ((*list)[2].number, 1);
  const PasswordAlgorithm both[] = {PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5};
  EXPECT_EQ(test::toHex(writePasswordAlgorithms(both)), "0002000000010000");
}

TEST(PasswordAlgorithmsTest, MalformedListsAreNone) {
  for (const char* hex : {"", "00", "000100", "00010004aabb", "0001000000",
                          "00010000000100000001000000010000000100000001000000010000000100000001"
                          "0000"}) {
    EXPECT_FALSE(parsePasswordAlgorithms(fromHex(hex))) << hex;
  }
  EXPECT_FALSE(parsePasswordAlgorithm(fromHex("0001000000020000")));
}

TEST(NoncePrefixTest, IsReadBack) {
  for (const NonceFeatures features :
       {NonceFeatures{false, false}, {true, false}, {false, true}, {true, true}}) {
    const auto read = nonceFeatures(noncePrefix(features));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->passwordAlgorithms, features.passwordAlgorithms);
    EXPECT_EQ(read->usernameAnonymity, features.usernameAnonymity);
  }
  EXPECT_EQ(noncePrefix({false, true}), "obMatJos2AAAC");
}

}  // namespace
}  // namespace parley::stun
