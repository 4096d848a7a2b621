#include "parley/stun/turn.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::stun {
namespace {

using test::fromHex;

template <class Fill>
Bytes requestWith(Fill fill) {
  uint8_t out[256];
  MessageBuilder builder(out, Class::Request, Method::Allocate, TransactionId{});
  fill(builder);
  return toBytes(builder.written());
}

TEST(TurnAttributesTest, NumbersInTheirPlaces) {
  const Bytes bytes = requestWith([](MessageBuilder& b) {
    b.u32(AttributeType::RequestedTransport, requestedTransport(RelayTransport::Udp))
        .u32(AttributeType::ChannelNumber, channelNumberValue(0x4001))
        .u32(AttributeType::RequestedAddressFamily, addressFamilyValue(AddressFamily::V6))
        .bytes(AttributeType::EvenPort, fromHex("80"));
  });
  EXPECT_EQ(test::toHex(ByteSpan(bytes).subspan(20)),
            "0019000411000000000c0004400100000017000402000000001800018000"
            "0000");
  const auto message = Message::parse(bytes);
  EXPECT_EQ(parseChannelNumber(*message), 0x4001);
  EXPECT_EQ(parseAddressFamily(*message->find(AttributeType::RequestedAddressFamily)),
            AddressFamily::V6);
  EXPECT_EQ(parseEvenPort(*message), true);
}

TEST(TurnAttributesTest, BadValuesAreNone) {
  EXPECT_FALSE(parseAddressFamily(fromHex("03000000")));
  EXPECT_FALSE(parseAddressFamily(fromHex("01")));
  const Bytes channel =
      requestWith([](MessageBuilder& b) { b.u32(AttributeType::ChannelNumber, 0x50000000); });
  EXPECT_FALSE(parseChannelNumber(*Message::parse(channel)));
  EXPECT_FALSE(parseEvenPort(*Message::parse(channel)));
}

TEST(TurnAttributesTest, XorPeerAddressVector) {
  const Bytes bytes = requestWith([](MessageBuilder& b) {
    b.xorAddress(AttributeType::XorPeerAddress, *SocketAddress::parse("203.0.113.9:40000"));
  });
  EXPECT_EQ(test::toHex(ByteSpan(bytes).subspan(24)), "0001bd52ea12d54b");
}

TEST(TurnAttributesTest, AddressErrorRoundTrip) {
  const Bytes value = writeAddressError(AddressFamily::V6, StunError::AddressFamilyNotSupported,
                                        reasonPhrase(StunError::AddressFamilyNotSupported));
  const auto error = parseAddressError(value);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->family, AddressFamily::V6);
  EXPECT_EQ(error->code, 440);
  EXPECT_EQ(error->reason, "Address Family not Supported");
  EXPECT_FALSE(parseAddressError(fromHex("03000428")));
  EXPECT_FALSE(parseAddressError(fromHex("01000228")));
  EXPECT_FALSE(parseAddressError(fromHex("010004")));
}

TEST(TurnAttributesTest, IcmpRoundTrip) {
  const auto error = parseIcmp(writeIcmp({3, 4, 1280}));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->type, 3);
  EXPECT_EQ(error->code, 4);
  EXPECT_EQ(error->data, 1280u);
  EXPECT_FALSE(parseIcmp(fromHex("0000")));
}

TEST(TurnAttributesTest, WhatATurnServerUnderstands) {
  EXPECT_TRUE(isKnownForTurn(AttributeType::RequestedTransport));
  EXPECT_TRUE(isKnownForTurn(AttributeType::Userhash));
  EXPECT_FALSE(isKnownForTurn(AttributeType::AccessToken));
  EXPECT_FALSE(isKnownForBinding(AttributeType::RequestedTransport));
}

}  // namespace
}  // namespace parley::stun
