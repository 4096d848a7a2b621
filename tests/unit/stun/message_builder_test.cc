#include "parley/stun/message_builder.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "parley/stun/integrity.h"

#include "support/hex.h"
#include "unit/stun/vectors.h"

namespace parley::stun {
namespace {

TEST(MessageBuilderTest, ReproducesADerivedCheckByteForByte) {
  const Bytes expected = test::fromHex(kDerived[0].hex);
  const auto sample = Message::parse(expected);
  ASSERT_TRUE(sample);
  uint8_t out[256];
  MessageBuilder builder(out, Class::Request, Method::Binding, sample->transactionId());
  builder.text(AttributeType::Username, *sample->text(AttributeType::Username))
      .u32(AttributeType::Priority, *sample->u32(AttributeType::Priority))
      .u64(AttributeType::IceControlling, *sample->u64(AttributeType::IceControlling))
      .messageIntegrity(shortTermKey(kDerivedPassword))
      .fingerprint();
  EXPECT_EQ(test::toHex(builder.written()), test::toHex(expected));
}

TEST(MessageBuilderTest, ClassAndMethodRoundTrip) {
  for (auto c : {Class::Request, Class::Indication, Class::Success, Class::Error}) {
    for (int m = 0; m < 0x1000; ++m) {
      uint8_t out[kHeaderSize];
      MessageBuilder builder(out, c, static_cast<Method>(m), TransactionId{});
      const auto message = Message::parse(builder.written());
      ASSERT_TRUE(message);
      ASSERT_TRUE(message->is(c, static_cast<Method>(m)));
    }
  }
}

TEST(MessageBuilderTest, AddressesRoundTripInBothFamilies) {
  for (const char* text : {"192.0.2.9:1", "[2001:db8::9]:65535"}) {
    const SocketAddress address = *SocketAddress::parse(text);
    uint8_t out[128];
    MessageBuilder builder(out, Class::Success, Method::Binding, TransactionId{9, 8, 7});
    builder.xorAddress(AttributeType::XorMappedAddress, address)
        .address(AttributeType::MappedAddress, address);
    const auto message = Message::parse(builder.written());
    ASSERT_TRUE(message);
    EXPECT_EQ(message->xorAddress(AttributeType::XorMappedAddress), address);
    EXPECT_EQ(message->address(AttributeType::MappedAddress), address);
  }
}

TEST(MessageBuilderTest, ErrorAndUnknownAttributesRoundTrip) {
  uint8_t out[128];
  MessageBuilder builder(out, Class::Error, Method::Binding, TransactionId{});
  const uint16_t unknown[] = {0x7fff, 0x0100, 0x0200};
  builder.error(StunError::UnknownAttribute, "Unknown").unknownAttributes(unknown);
  const auto message = Message::parse(builder.written());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->error()->code, 420);
  EXPECT_EQ(message->error()->reason, "Unknown");
  EXPECT_EQ(test::toHex(*message->find(AttributeType::UnknownAttributes)), "7fff01000200");
}

TEST(MessageBuilderTest, PaddingIsZeroEvenInADirtyBuffer) {
  uint8_t out[64];
  std::fill(std::begin(out), std::end(out), uint8_t{0xee});
  MessageBuilder builder(out, Class::Request, Method::Binding, TransactionId{});
  builder.text(AttributeType::Software, "a");
  EXPECT_EQ(test::toHex(ByteSpan(out).subspan(20, 8)), "8022000161000000");
}

TEST(MessageBuilderTest, OverflowFailsTheWholeMessage) {
  uint8_t out[40];
  MessageBuilder builder(out, Class::Request, Method::Binding, TransactionId{});
  builder.text(AttributeType::Software, "0123456789012345678901234567890");
  EXPECT_FALSE(builder.ok());
  EXPECT_EQ(builder.finish(), 0u);
  builder.u32(AttributeType::Priority, 1);
  EXPECT_EQ(builder.finish(), 0u);

  uint8_t tiny[10];
  EXPECT_EQ(MessageBuilder(tiny, Class::Request, Method::Binding, TransactionId{}).finish(), 0u);
}

TEST(MessageBuilderTest, WritesIntoPacketBuffers) {
  PacketPool pool;
  PacketBuf packet = pool.allocate();
  MessageBuilder builder(packet, Class::Indication, Method::Binding, TransactionId{});
  builder.fingerprint();
  ASSERT_TRUE(builder.finishInto(packet));
  EXPECT_EQ(verifyFingerprint(*Message::parse(packet.span())), IntegrityCheck::Right);
}

}  // namespace
}  // namespace parley::stun
