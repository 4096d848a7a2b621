#include "parley/rtp/packet_view.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::rtp {
namespace {

using test::fromHex;
using test::toHex;

std::string elementsOf(const PacketView& view) {
  std::string text;
  ExtensionReader reader = view.extensions();
  ExtensionElement e;
  while (reader.next(e)) text += std::to_string(e.id) + "=" + toHex(e.value) + " ";
  return text;
}

TEST(PacketView, ReadsTheFixedHeaderAndCsrcs) {
  const Bytes bytes = fromHex("82e0ffff 01020304 a0b0c0d0 00000001 00000002 aabbcc");
  const auto view = PacketView::parse(bytes);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->marker());
  EXPECT_EQ(view->payloadType(), 96);
  EXPECT_EQ(view->sequenceNumber(), 0xffff);
  EXPECT_EQ(view->timestamp(), 0x01020304u);
  EXPECT_EQ(view->ssrc(), 0xa0b0c0d0u);
  ASSERT_EQ(view->csrcCount(), 2u);
  EXPECT_EQ(view->csrc(1), 2u);
  EXPECT_EQ(view->headerSize(), 20u);
  EXPECT_EQ(toHex(view->payload()), "aabbcc");
  EXPECT_FALSE(view->hasExtensions());
}

TEST(PacketView, PaddingIsCutFromThePayload) {
  const Bytes bytes = fromHex("a0600001 00000000 00000001 aabb 000003");
  const auto view = PacketView::parse(bytes);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->paddingSize(), 3u);
  EXPECT_EQ(toHex(view->payload()), "aabb");
}

TEST(PacketView, PaddingOnlyPacketHasEmptyPayload) {
  const Bytes bytes = fromHex("a0600001 00000000 00000001 000003");
  const auto view = PacketView::parse(bytes);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->payload().empty());
}

TEST(PacketView, RefusesLyingBounds) {
  const char* bad[] = {
      "",
      "80600001 00000000 000000",                  // shorter than the fixed header
      "40600001 00000000 00000001",                // version 1
      "8f600001 00000000 00000001 00000002",       // 15 CSRCs announced, one there
      "90600001 00000000 00000001",                // X without extension header
      "90600001 00000000 00000001 bede00",         // half of it
      "a0600001 00000000 00000001 aa00",           // padding count 0
      "a0600001 00000000 00000001 aa05",           // padding longer than the payload
      "a0600001 00000000 00000001",                // P without payload
      "906412346543127812345678bede0009120056ce",  // extension block longer than the packet
  };
  for (const char* hex : bad) EXPECT_FALSE(PacketView::parse(fromHex(hex))) << hex;
}

struct ExtensionVector {
  const char* name;
  const char* hex;
  uint16_t profile;
  const char* elements;
};

// RFC 8285 rules, each with its own packet.
const ExtensionVector kExtensionVectors[] = {
    {"id 15 stops processing (4.2)", "906412346543127812345678bede0003120056cef000000090da0000",
     0xbede, "1=0056ce "},
    {"zero bytes are padding anywhere (4.1.1)", "906412346543127812345678bede00020000300a00005005",
     0xbede, "3=0a 5=05 "},
    {"length 0 in the two-byte form (4.3)", "9064123465431278123456781000000103000000", 0x1000,
     "3= "},
    {"two-byte form with appbits", "9064123465431278123456781007000203010a00f0020102", 0x1007,
     "3=0a 240=0102 "},
    {"mid and rid", "906412346543127812345678bede0003b26d6964a168690000000000", 0xbede,
     "11=6d6964 10=6869 "},
    {"an overrun ends the walk, the packet stays usable",
     "906412346543127812345678bede00011f005600", 0xbede, ""},
    {"an overrun keeps what came before", "906412346543127812345678bede000210aa3f0056000000",
     0xbede, "1=aa "},
    {"id 0 with a length is skipped with its bytes",
     "906412346543127812345678bede000201aabb10cc000000", 0xbede, "1=cc "},
    {"unknown profile", "906412346543127812345678abcd000110aa0000", 0xabcd, ""},
    {"two-byte id at the very end without length", "90641234654312781234567810000001030000aa",
     0x1000, "3= "},
};

TEST(PacketView, WalksExtensionElements) {
  for (const ExtensionVector& v : kExtensionVectors) {
    const Bytes bytes = fromHex(v.hex);
    const auto view = PacketView::parse(bytes);
    ASSERT_TRUE(view) << v.name;
    EXPECT_EQ(view->extensionProfile(), v.profile) << v.name;
    EXPECT_EQ(elementsOf(*view), v.elements) << v.name;
  }
}

TEST(PacketView, FindsTheFirstElementWithAnId) {
  const Bytes bytes = fromHex("906412346543127812345678bede000110aa10bb");
  const auto view = PacketView::parse(bytes);
  ASSERT_TRUE(view);
  ASSERT_TRUE(view->extension(1));
  EXPECT_EQ(toHex(*view->extension(1)), "aa");
  EXPECT_FALSE(view->extension(2));
}

TEST(Classify, SortsRtpFromRtcpByTheSecondByte) {
  EXPECT_EQ(classify(fromHex("80c80000")), PacketKind::Rtcp);
  EXPECT_EQ(classify(fromHex("81cf0000")), PacketKind::Rtcp);
  EXPECT_EQ(classify(fromHex("80c00000")), PacketKind::Rtcp);
  EXPECT_EQ(classify(fromHex("80df0000")), PacketKind::Rtcp);
  EXPECT_EQ(classify(fromHex("80e00000 00000000 00000000")), PacketKind::Rtp);
  EXPECT_EQ(classify(fromHex("806f0000 00000000 00000000")), PacketKind::Rtp);
  EXPECT_EQ(classify(fromHex("806f0000 00000000 000000")), PacketKind::Neither);
  EXPECT_EQ(classify(fromHex("40c80000")), PacketKind::Neither);
  EXPECT_EQ(classify({}), PacketKind::Neither);
}

}  // namespace
}  // namespace parley::rtp
