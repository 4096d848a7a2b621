#include "parley/rtp/rtx.h"

#include <gtest/gtest.h>

#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_writer.h"

#include "support/hex.h"

namespace parley::rtp {
namespace {

using test::fromHex;
using test::toHex;

TEST(Rtx, WrapThenUnwrapGivesTheOriginal) {
  PacketPool pool;
  ExtensionMap map;
  map.add(TransportSequenceNumber::kUri, 3);
  PacketBuf original = pool.allocate();
  const uint32_t csrcs[] = {5};
  PacketWriter writer(original, {96, true, 65535, 1000, 0xaaaa}, csrcs);
  writer.add<TransportSequenceNumber>(map, 9);
  MutableByteSpan room = writer.beginPayload();
  for (size_t i = 0; i < 100; ++i) room[i] = static_cast<uint8_t>(i);
  writer.finish(100);
  const Bytes expected = toBytes(original.span());

  PacketBuf rtx = pool.allocate();
  ASSERT_TRUE(wrapRtx(*PacketView::parse(original.span()), 0xbbbb, 97, 7, rtx));
  auto view = PacketView::parse(rtx.span());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->ssrc(), 0xbbbbu);
  EXPECT_EQ(view->payloadType(), 97);
  EXPECT_EQ(view->sequenceNumber(), 7);
  EXPECT_TRUE(view->marker());
  EXPECT_EQ(view->payload().size(), 102u);

  const uint8_t* slot = rtx.data();
  ASSERT_TRUE(unwrapRtx(rtx, *view, 0xaaaa, 96));
  EXPECT_EQ(toBytes(rtx.span()), expected);
  EXPECT_EQ(rtx.data(), slot + 2) << "in place";
}

TEST(Rtx, PaddingOfTheOriginalIsLeftBehind) {
  PacketPool pool;
  PacketBuf original = pool.copyOf(fromHex("a0600001 00000000 00000001 aabb 000003"));
  PacketBuf rtx = pool.allocate();
  ASSERT_TRUE(wrapRtx(*PacketView::parse(original.span()), 2, 97, 1, rtx));
  const auto view = PacketView::parse(rtx.span());
  ASSERT_TRUE(view);
  EXPECT_EQ(toHex(view->payload()), "0001aabb");
}

TEST(Rtx, ProbesAndShortPayloadsAreRefused) {
  PacketPool pool;
  for (const char* hex : {"80610001 00000000 00000001", "80610001 00000000 00000001 aa",
                          "a0610001 00000000 00000001 00000004"}) {
    PacketBuf packet = pool.copyOf(fromHex(hex));
    const Bytes before = toBytes(packet.span());
    EXPECT_FALSE(unwrapRtx(packet, *PacketView::parse(packet.span()), 1, 96)) << hex;
    EXPECT_EQ(toBytes(packet.span()), before);
  }
}

TEST(Rtx, TooLargeIsRefused) {
  PacketPool pool;
  PacketBuf original = pool.allocate();
  PacketWriter writer(original, {96, true, 1, 1000, 1});
  writer.finish(writer.beginPayload().size());
  PacketBuf rtx = pool.allocate();
  EXPECT_FALSE(wrapRtx(*PacketView::parse(original.span()), 2, 97, 1, rtx));
}

}  // namespace
}  // namespace parley::rtp
