#include "parley/stun/message.h"

#include <string>

#include <gtest/gtest.h>

#include "parley/stun/integrity.h"
#include "parley/stun/message_builder.h"

#include "support/hex.h"
#include "unit/stun/vectors.h"

namespace parley::stun {
namespace {

using test::fromHex;

constexpr char kRfc5769Password[] = "VOkJxbRl1RmTxUk/WvJxBt";

/// What an ICE endpoint decides about a connectivity check, as the vectors word it.
std::string verdict(ByteSpan datagram, std::string_view password) {
  const auto message = Message::parse(datagram);
  if (!message || verifyFingerprint(*message) != IntegrityCheck::Right) return "drop";
  switch (verifyMessageIntegrity(*message, shortTermKey(password))) {
    case IntegrityCheck::Missing:
      return "400";
    case IntegrityCheck::Wrong:
      return "401";
    case IntegrityCheck::Right:
      break;
  }
  uint16_t unknown[4];
  if (message->unknownRequired(unknown, isKnownForBinding) > 0) return "420";
  return "accept";
}

TEST(MessageTest, Rfc5769RequestReadsAndVerifies) {
  const Bytes bytes = fromHex(kRfc5769Section2x1);
  const auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is(Class::Request, Method::Binding));
  EXPECT_EQ(message->text(AttributeType::Software), "STUN test client");
  EXPECT_EQ(message->u32(AttributeType::Priority), 1845494271u);
  EXPECT_EQ(message->u64(AttributeType::IceControlled), 0x932ff9b151263b36u);
  EXPECT_EQ(message->text(AttributeType::Username), "evtj:h6vY");
  EXPECT_EQ(verifyFingerprint(*message), IntegrityCheck::Right);
  EXPECT_EQ(verifyMessageIntegrity(*message, shortTermKey(kRfc5769Password)),
            IntegrityCheck::Right);
  EXPECT_EQ(verifyMessageIntegrity(*message, asBytes("wrong")), IntegrityCheck::Wrong);
}

TEST(MessageTest, Rfc5769ResponsesCarryTheMappedAddress) {
  for (auto [hex, address] :
       {std::pair{kRfc5769Section2x2, "192.0.2.1:32853"},
        std::pair{kRfc5769Section2x3, "[2001:db8:1234:5678:11:2233:4455:6677]:32853"}}) {
    const Bytes bytes = fromHex(hex);
    const auto message = Message::parse(bytes);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->is(Class::Success, Method::Binding));
    EXPECT_EQ(message->xorAddress(AttributeType::XorMappedAddress), SocketAddress::parse(address));
    EXPECT_EQ(message->text(AttributeType::Software), "test vector");
    EXPECT_EQ(verifyFingerprint(*message), IntegrityCheck::Right);
    EXPECT_EQ(verifyMessageIntegrity(*message, shortTermKey(kRfc5769Password)),
              IntegrityCheck::Right);
  }
}

TEST(MessageTest, Rfc5769LongTermCredentials) {
  const Bytes bytes = fromHex(kRfc5769Section2x4);
  const auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->text(AttributeType::Realm), "example.org");
  EXPECT_EQ(message->text(AttributeType::Nonce), "f//499k954d6OL34oL9FSTvy64sA");
  const std::string user(*message->text(AttributeType::Username));
  const auto key = longTermKey(user, "example.org", "TheMatrIX");
  EXPECT_EQ(verifyMessageIntegrity(*message, key), IntegrityCheck::Right);
  EXPECT_EQ(verifyFingerprint(*message), IntegrityCheck::Missing);
}

TEST(MessageTest, DerivedVectorsGetTheirVerdict) {
  for (const DerivedVector& vector : kDerived) {
    const Bytes bytes = fromHex(vector.hex);
    const std::string expect = std::string(vector.expect).substr(0, 6);
    EXPECT_EQ(verdict(bytes, kDerivedPassword), expect) << vector.name;
  }
}

TEST(MessageTest, AttributesBehindMessageIntegrityDoNotExist) {
  for (const DerivedVector& vector : kDerived) {
    const std::string name = vector.name;
    const Bytes bytes = fromHex(vector.hex);
    const auto message = Message::parse(bytes);
    if (name == "derived-attr-after-mi") {
      ASSERT_TRUE(message);
      EXPECT_FALSE(message->has(AttributeType::UseCandidate));
      EXPECT_TRUE(message->hasFingerprint());
    } else if (name == "derived-use-candidate") {
      ASSERT_TRUE(message);
      EXPECT_TRUE(message->has(AttributeType::UseCandidate));
    }
  }
}

TEST(MessageTest, EveryBitFlipIsNoticed) {
  const Bytes good = fromHex(kRfc5769Section2x1);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] = static_cast<uint8_t>(bad[bit / 8] ^ (1u << (bit % 8)));
    EXPECT_NE(verdict(bad, kRfc5769Password), "accept") << "bit " << bit;
  }
}

TEST(MessageTest, EveryTruncationIsDropped) {
  const Bytes good = fromHex(kRfc5769Section2x1);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Message::parse(ByteSpan(good).first(size))) << size;
  }
}

TEST(MessageTest, EmptyOrShortIntegrityNeverVerifies) {
  for (size_t size : {0u, 4u, 19u, 24u}) {
    uint8_t out[128];
    MessageBuilder builder(out, Class::Request, Method::Binding, TransactionId{});
    builder.bytes(AttributeType::MessageIntegrity, Bytes(size, 0));
    const auto message = Message::parse(builder.written());
    ASSERT_TRUE(message);
    EXPECT_EQ(verifyMessageIntegrity(*message, asBytes("k")), IntegrityCheck::Wrong) << size;
  }
}

TEST(MessageTest, Sha256IntegrityVerifiesAlsoTruncated) {
  uint8_t out[128];
  MessageBuilder builder(out, Class::Request, Method::Binding, TransactionId{1, 2, 3});
  builder.text(AttributeType::Username, "user").messageIntegritySha256(asBytes("key"));
  auto message = Message::parse(builder.written());
  ASSERT_TRUE(message);
  EXPECT_EQ(verifyMessageIntegritySha256(*message, asBytes("key")), IntegrityCheck::Right);
  EXPECT_EQ(verifyMessageIntegritySha256(*message, asBytes("kez")), IntegrityCheck::Wrong);

  uint8_t shortOut[128];
  MessageBuilder tooShort(shortOut, Class::Request, Method::Binding, TransactionId{1, 2, 3});
  tooShort.bytes(AttributeType::MessageIntegritySha256, {});
  message = Message::parse(tooShort.written());
  ASSERT_TRUE(message);
  EXPECT_EQ(verifyMessageIntegritySha256(*message, asBytes("key")), IntegrityCheck::Wrong);
}

TEST(MessageTest, FingerprintMustBeLast) {
  uint8_t out[128];
  MessageBuilder builder(out, Class::Request, Method::Binding, TransactionId{});
  builder.u32(AttributeType::Fingerprint, 0).u32(AttributeType::Priority, 1);
  EXPECT_FALSE(Message::parse(builder.written()));
}

TEST(MessageTest, FirstOfRepeatedAttributesCounts) {
  uint8_t out[128];
  MessageBuilder builder(out, Class::Request, Method::Binding, TransactionId{});
  builder.u32(AttributeType::Priority, 1).u32(AttributeType::Priority, 2);
  EXPECT_EQ(Message::parse(builder.written())->u32(AttributeType::Priority), 1u);
}

TEST(MessageTest, WrongSizedValuesAreAbsent) {
  uint8_t out[256];
  MessageBuilder builder(out, Class::Error, Method::Binding, TransactionId{});
  builder.bytes(AttributeType::Priority, Bytes(3, 1))
      .bytes(AttributeType::IceControlled, Bytes(7, 1))
      .bytes(AttributeType::XorMappedAddress, fromHex("0002 1234 01020304"))  // v6 with 4 bytes
      .bytes(AttributeType::MappedAddress, fromHex("0001"))
      .bytes(AttributeType::ErrorCode, fromHex("00000263"));  // class 2
  const auto message = Message::parse(builder.written());
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->u32(AttributeType::Priority));
  EXPECT_FALSE(message->u64(AttributeType::IceControlled));
  EXPECT_FALSE(message->xorAddress(AttributeType::XorMappedAddress));
  EXPECT_FALSE(message->address(AttributeType::MappedAddress));
  EXPECT_FALSE(message->error());
}

TEST(MessageTest, StreamFrameSizeComesFromTheHeader) {
  EXPECT_FALSE(Message::frameSize(fromHex("000100")));
  EXPECT_EQ(Message::frameSize(fromHex("00010008")), 28u);
}

}  // namespace
}  // namespace parley::stun
