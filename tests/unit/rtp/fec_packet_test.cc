#include "parley/rtp/fec/fec_packet.h"

#include <gtest/gtest.h>

#include "parley/rtp/packet_writer.h"
#include "parley/rtp/payload_format/red.h"

#include "support/hex.h"

namespace parley::rtp {
namespace {

using parley::test::fromHex;
using parley::test::toHex;

/// A packet with this payload and these CSRCs (in hexadecimal, with their count in front).
Bytes packetOf(std::string_view payload, std::string_view csrcs = "0") {
  const std::string head = "8" + std::string(csrcs.substr(0, 1)) + "31" + "0007" + "00000000" +
                           "0000fec0" + std::string(csrcs.substr(1));
  return fromHex(head + std::string(payload));
}

/// With the packet that its body borrows.
struct Parsed : FecPacket {
  Bytes packet;
};

std::optional<Parsed> parsed(FecScheme scheme, Bytes packet) {
  Parsed out;
  out.packet = std::move(packet);
  const auto view = PacketView::parse(out.packet);
  if (!view || !FecPacket::parse(scheme, *view, out)) return std::nullopt;
  return out;
}

FecMask maskOf(std::initializer_list<size_t> bits) {
  FecMask mask;
  for (const size_t i : bits) mask.set(i);
  return mask;
}

TEST(FecScheme, GoesByTheEncodingName) {
  EXPECT_EQ(fecSchemeOf("ULPFEC"), FecScheme::Ulpfec);
  EXPECT_EQ(fecSchemeOf("flexfec-03"), FecScheme::Flexfec03);
  EXPECT_EQ(fecSchemeOf("flexfec"), FecScheme::Flexfec);
  EXPECT_FALSE(fecSchemeOf("red"));
}

TEST(FecMask, CountsItsBits) {
  const FecMask mask = maskOf({0, 15, 63, 64, 109});
  EXPECT_EQ(mask.count(), 5u);
  EXPECT_EQ(mask.span(), 110u);
  EXPECT_TRUE(mask.test(64));
  EXPECT_FALSE(mask.test(65));
  EXPECT_FALSE(mask.test(4000));
  EXPECT_EQ(maskOf({3}).span(), 4u);
  EXPECT_EQ(FecMask{}.span(), 0u);
  EXPECT_EQ(mask.bits(63, 2), 3u);
}

// RFC 5109 section 7.3, with the packets at distance 0, 1 and 15.
TEST(Ulpfec, ReadsAShortMask) {
  const auto fec = parsed(FecScheme::Ulpfec, packetOf("1a60"
                                                      "fffe"
                                                      "01020304"
                                                      "0006"
                                                      "0004"
                                                      "c001"
                                                      "aabbccdd"));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->sum.first, 0x1a);
  EXPECT_EQ(fec->sum.second, 0x60);
  EXPECT_EQ(fec->sequenceBase, 0xfffe);
  EXPECT_EQ(fec->sum.timestamp, 0x01020304u);
  EXPECT_EQ(fec->sum.length, 6);
  EXPECT_EQ(fec->mask, maskOf({0, 1, 15}));
  EXPECT_EQ(toHex(fec->body), "aabbccdd");
  EXPECT_FALSE(fec->protectedSsrc);
}

TEST(Ulpfec, ReadsALongMask) {
  const auto fec = parsed(FecScheme::Ulpfec, packetOf("5a60fffe0102030400060001"
                                                      "800000000001"
                                                      "aa"));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->mask, maskOf({0, 47}));
  EXPECT_EQ(fec->sum.first, 0x1a) << "without the L bit";
}

TEST(Ulpfec, KeepsTheFirstLevelOfProtectionAlone) {
  const auto fec = parsed(FecScheme::Ulpfec, packetOf("1a60fffe0102030400060002c000aabb"
                                                      "0001c000cc"));
  ASSERT_TRUE(fec);
  EXPECT_EQ(toHex(fec->body), "aabb");
}

TEST(Ulpfec, RefusesMalformed) {
  EXPECT_FALSE(parsed(FecScheme::Ulpfec, packetOf("1a60fffe01020304000600")));
  EXPECT_FALSE(parsed(FecScheme::Ulpfec, packetOf("1a60fffe0102030400060005c000aabbccdd")))
      << "protects more than it brings";
  EXPECT_FALSE(parsed(FecScheme::Ulpfec, packetOf("1a60fffe01020304000600010000aa")))
      << "protects nothing";
  EXPECT_FALSE(parsed(FecScheme::Ulpfec, packetOf("5a60fffe0102030400060001c000aa")))
      << "a long mask that is cut off";
}

TEST(Flexfec03, ReadsItsThreeMasks) {
  const std::string start =
      "1a60"
      "0006"
      "01020304"
      "01000000"
      "00001111"
      "0100";
  auto fec = parsed(FecScheme::Flexfec03, packetOf(start + "c001" + "aabb"));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->protectedSsrc, 0x1111u);
  EXPECT_EQ(fec->sequenceBase, 0x100);
  EXPECT_EQ(fec->sum.length, 6);
  EXPECT_EQ(fec->mask, maskOf({0, 14}));
  EXPECT_EQ(toHex(fec->body), "aabb");
  fec = parsed(FecScheme::Flexfec03, packetOf(start + "4001" + "80000001" + "aabb"));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->mask, maskOf({0, 14, 45}));
  fec = parsed(FecScheme::Flexfec03,
               packetOf(start + "4001" + "00000001" + "8000000000000001" + "aabb"));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->mask, maskOf({0, 14, 45, 108}));
}

TEST(Flexfec03, RefusesMalformed) {
  const auto refused = [](const std::string& payload) {
    return !parsed(FecScheme::Flexfec03, packetOf(payload));
  };
  EXPECT_TRUE(refused("9a6000060102030401000000000011110100c001aabb")) << "a retransmission";
  EXPECT_TRUE(refused("5a6000060102030401000000000011110100c001aabb")) << "a fixed block";
  EXPECT_TRUE(refused("1a6000060102030402000000000011110100c001aabb")) << "two sources";
  EXPECT_TRUE(refused("1a60000601020304010000000000111101008000aabb")) << "an empty mask";
  EXPECT_TRUE(refused("1a60000601020304010000000000111101004001")) << "no second mask";
  EXPECT_TRUE(refused("1a600006010203040100000000001111010040010000000100000000000000ff"))
      << "a fourth mask";
}

TEST(Flexfec, MasksGoOnWhileKIsSet) {
  const std::string start =
      "1a60"
      "0006"
      "01020304"
      "0100";
  const std::string source = "100001111";
  auto fec = parsed(FecScheme::Flexfec, packetOf(start + "4001" + "aabb", source));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->protectedSsrc, 0x1111u);
  EXPECT_EQ(fec->mask, maskOf({0, 14}));
  EXPECT_EQ(toHex(fec->body), "aabb");
  fec = parsed(FecScheme::Flexfec, packetOf(start + "c001" + "00000001" + "aabb", source));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->mask, maskOf({0, 14, 45}));
  fec = parsed(FecScheme::Flexfec,
               packetOf(start + "c001" + "80000001" + "8000000000000001" + "aabb", source));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->mask, maskOf({0, 14, 45, 46, 109}));
  EXPECT_FALSE(parsed(FecScheme::Flexfec, packetOf(start + "4001" + "aabb")))
      << "no source is named";
  EXPECT_FALSE(parsed(FecScheme::Flexfec, packetOf(start + "4001aabb", "20000111100002222")))
      << "two are";
}

TEST(Flexfec, FixedBlocksAreRowsOrColumns) {
  const std::string start =
      "5a60"
      "0006"
      "01020304"
      "0100";
  const std::string source = "100001111";
  auto fec = parsed(FecScheme::Flexfec, packetOf(start + "0400" + "aabb", source));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->mask, maskOf({0, 1, 2, 3}));
  fec = parsed(FecScheme::Flexfec, packetOf(start + "0403" + "aabb", source));
  ASSERT_TRUE(fec);
  EXPECT_EQ(fec->mask, maskOf({0, 4, 8}));
  EXPECT_FALSE(parsed(FecScheme::Flexfec, packetOf(start + "0003aabb", source)));
  EXPECT_FALSE(parsed(FecScheme::Flexfec, packetOf(start + "ffffaabb", source)))
      << "packets further apart than any history";
}

TEST(Flexfec, ARepetitionHoldsAWholePacket) {
  const std::string original = "80600102000000050000111199";
  const auto fec = parsed(FecScheme::Flexfec, packetOf(original, "100001111"));
  ASSERT_TRUE(fec);
  EXPECT_TRUE(fec->isRepetition);
  EXPECT_EQ(fec->protectedSsrc, 0x1111u);
  EXPECT_EQ(fec->sequenceBase, 0x102);
  EXPECT_EQ(toHex(fec->body), original);
  EXPECT_FALSE(parsed(FecScheme::Flexfec, packetOf("c06001020000000500001111", "100001111")))
      << "R and F both set are reserved";
}

TEST(FecHeader, WhatIsWrittenReadsTheSame) {
  for (const FecScheme scheme : {FecScheme::Ulpfec, FecScheme::Flexfec03, FecScheme::Flexfec}) {
    for (const size_t span : {1u, 2u, 15u, 16u, 17u, 46u, 47u, 48u, 109u, 110u}) {
      FecPacket fec;
      fec.scheme = scheme;
      fec.sequenceBase = 0xfff0;
      fec.mask = maskOf({0, span / 2, span - 1});
      fec.sum = {0x15, 0xe1, 0x1234, 0xdeadbeef};
      if (scheme != FecScheme::Ulpfec) fec.protectedSsrc = 0x1111;
      const size_t header = fecHeaderSize(scheme, span);
      const size_t longest = scheme == FecScheme::Ulpfec      ? 48u
                             : scheme == FecScheme::Flexfec03 ? 109u
                                                              : 110u;
      EXPECT_EQ(header == 0, span > longest);
      if (header == 0) continue;
      Bytes payload(header + 3, 0x77);
      ByteWriter w(payload);
      writeFecHeader(fec, 3, w);
      ASSERT_EQ(w.size(), header);
      const auto back = parsed(
          scheme, packetOf(toHex(payload), scheme == FecScheme::Flexfec ? "100001111" : "0"));
      ASSERT_TRUE(back) << span;
      EXPECT_EQ(back->mask, fec.mask);
      EXPECT_EQ(back->sequenceBase, fec.sequenceBase);
      EXPECT_EQ(back->sum.first, fec.sum.first);
      EXPECT_EQ(back->sum.second, fec.sum.second);
      EXPECT_EQ(back->sum.length, fec.sum.length);
      EXPECT_EQ(back->sum.timestamp, fec.sum.timestamp);
      EXPECT_EQ(back->protectedSsrc, fec.protectedSsrc);
      EXPECT_EQ(back->body.size(), 3u);
    }
  }
}

TEST(FecSum, TakingAPacketOutLeavesTheOther) {
  const Bytes a = fromHex(
      "806000010000000a00001111"
      "010203");
  const Bytes b = fromHex(
      "90e000020000000f00001111"
      "bede0000"
      "04");
  Bytes body(8);
  FecSum sum;
  sum.add(a, body);
  sum.add(b, body);
  sum.add(a, body);
  EXPECT_EQ(sum.first, 0x90);
  EXPECT_EQ(sum.second, 0xe0);
  EXPECT_EQ(sum.length, 5);
  EXPECT_EQ(sum.timestamp, 15u);
  EXPECT_EQ(toHex(body), "bede000004000000");
}

TEST(RedWriter, WritesTheVectorAndRefusesWhatDoesNotFit) {
  const Bytes old = fromHex("aabbcc");
  const Bytes primary = fromHex("ddeeff00");
  const RedBlock blocks[] = {{111, 960, old}, {111, 0, primary}};
  Bytes out(100);
  const size_t size = writeRed(blocks, out);
  EXPECT_EQ(toHex(ByteSpan(out).first(size)), "ef0f00036faabbccddeeff00");
  EXPECT_EQ(writeRed(blocks, MutableByteSpan(out).first(11)), 0u);
  const RedBlock late[] = {{111, 0x4000, old}, {111, 0, primary}};
  EXPECT_EQ(writeRed(late, out), 0u);
  const Bytes large(1024);
  const RedBlock big[] = {{111, 960, large}, {111, 0, primary}};
  Bytes room(2000);
  EXPECT_EQ(writeRed(big, room), 0u);
  EXPECT_EQ(writeRed({}, room), 0u);
}

TEST(RedWriter, UnwrappingLeavesThePrimary) {
  PacketPool pool;
  PacketBuf packet =
      pool.copyOf(fromHex("903f00010000000a00001111"
                          "bede0001"
                          "10aa0000"
                          "ef0f00036faabbccddeeff00"));
  const auto view = PacketView::parse(packet.span());
  RedPayload red;
  ASSERT_TRUE(RedPayload::parse(view->payload(), red));
  unwrapRed(packet, *view, red);
  EXPECT_EQ(toHex(packet.span()),
            "906f00010000000a00001111"
            "bede0001"
            "10aa0000"
            "ddeeff00");
}

}  // namespace
}  // namespace parley::rtp
