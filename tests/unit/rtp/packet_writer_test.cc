#include "parley/rtp/packet_writer.h"

#include <gtest/gtest.h>

#include "parley/rtp/extensions/all.h"

#include "support/hex.h"

namespace parley::rtp {
namespace {

using test::toHex;

class PacketWriterTest : public testing::Test {
 protected:
  PacketWriterTest() {
    map_.add(Mid::kUri, 4);
    map_.add(TransportSequenceNumber::kUri, 3);
    map_.add(AbsSendTime::kUri, 2);
  }
  PacketPool pool_;
  ExtensionMap map_;
};

TEST_F(PacketWriterTest, WhatItWritesIsReadBack) {
  PacketBuf buf = pool_.allocate();
  const uint32_t csrcs[] = {7, 8};
  PacketWriter writer(buf, {111, true, 0xfffe, 0x11223344, 0x55667788}, csrcs);
  EXPECT_TRUE(writer.add<Mid>(map_, "audio"));
  EXPECT_TRUE(writer.reserve<TransportSequenceNumber>(map_));
  EXPECT_TRUE(writer.reserve<AbsSendTime>(map_));
  EXPECT_TRUE(writer.add<AudioLevel>(map_, {true, 20})) << "not negotiated: nothing happens";
  MutableByteSpan room = writer.beginPayload();
  room[0] = 0xab;
  writer.finish(1);

  const auto view = PacketView::parse(buf.span());
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->marker());
  EXPECT_EQ(view->payloadType(), 111);
  EXPECT_EQ(view->sequenceNumber(), 0xfffe);
  EXPECT_EQ(view->timestamp(), 0x11223344u);
  EXPECT_EQ(view->ssrc(), 0x55667788u);
  EXPECT_EQ(view->csrc(1), 8u);
  EXPECT_EQ(getExtension<Mid>(*view, map_), "audio");
  EXPECT_EQ(getExtension<TransportSequenceNumber>(*view, map_), 0);
  EXPECT_FALSE(getExtension<AudioLevel>(*view, map_));
  EXPECT_EQ(toHex(view->payload()), "ab");
  EXPECT_EQ(view->headerSize() % 4, 0u);
}

TEST_F(PacketWriterTest, ReservedSlotsAreFilledInPlace) {
  PacketBuf buf = pool_.allocate();
  PacketWriter writer(buf, {96, false, 1, 2, 3});
  writer.reserve<TransportSequenceNumber>(map_);
  writer.reserve<AbsSendTime>(map_);
  writer.finish(0);
  const size_t size = buf.size();
  EXPECT_TRUE(setExtension<TransportSequenceNumber>(buf.mutableSpan(), map_, 0xbeef));
  EXPECT_TRUE(setExtension<AbsSendTime>(buf.mutableSpan(), map_, 0x123456));
  EXPECT_FALSE(setExtension<Mid>(buf.mutableSpan(), map_, "x")) << "no slot was reserved";
  EXPECT_EQ(buf.size(), size);
  const auto view = PacketView::parse(buf.span());
  EXPECT_EQ(getExtension<TransportSequenceNumber>(*view, map_), 0xbeef);
  EXPECT_EQ(getExtension<AbsSendTime>(*view, map_), 0x123456u);
}

TEST_F(PacketWriterTest, OneByteFormRefusesWhatItCannotCarry) {
  PacketBuf buf = pool_.allocate();
  PacketWriter writer(buf, {96, false, 1, 2, 3});
  const Bytes long_(17, 1);
  EXPECT_FALSE(writer.addRaw(1, long_));
  EXPECT_FALSE(writer.addRaw(1, {}));
  EXPECT_FALSE(writer.addRaw(15, Bytes(1)));
  EXPECT_FALSE(writer.addRaw(0, Bytes(1)));
  writer.finish(0);
  EXPECT_FALSE(PacketView::parse(buf.span())->hasExtensions());
}

TEST_F(PacketWriterTest, TwoByteFormCarriesLongAndEmptyElements) {
  PacketBuf buf = pool_.allocate();
  PacketWriter writer(buf, {96, false, 1, 2, 3}, {}, ExtensionForm::TwoByte);
  const Bytes long_(40, 9);
  EXPECT_TRUE(writer.addRaw(200, long_));
  EXPECT_TRUE(writer.addRaw(15, {}));
  writer.finish(0);
  const auto view = PacketView::parse(buf.span());
  ASSERT_TRUE(view->extension(200));
  EXPECT_EQ(toBytes(*view->extension(200)), long_);
  ASSERT_TRUE(view->extension(15));
  EXPECT_TRUE(view->extension(15)->empty());
}

TEST_F(PacketWriterTest, PayloadRoomLeavesSpaceForTheSrtpTrailer) {
  PacketBuf buf = pool_.allocate();
  PacketWriter writer(buf, {96, false, 1, 2, 3});
  const size_t room = writer.beginPayload().size();
  writer.finish(room);
  EXPECT_EQ(buf.size(), PacketBuf::kMaxPayload);
  EXPECT_GE(buf.writable().size() - buf.size(), PacketBuf::kTailroom);
}

TEST_F(PacketWriterTest, PaddingIsAppendedOnce) {
  PacketBuf buf = pool_.allocate();
  PacketWriter writer(buf, {96, false, 1, 2, 3});
  writer.finish(0);
  EXPECT_FALSE(addPadding(buf, 0));
  EXPECT_FALSE(addPadding(buf, 256));
  EXPECT_TRUE(addPadding(buf, 255));
  EXPECT_FALSE(addPadding(buf, 1));
  const auto view = PacketView::parse(buf.span());
  ASSERT_TRUE(view);
  EXPECT_EQ(view->paddingSize(), 255u);
  EXPECT_TRUE(view->payload().empty());
}

TEST(ExtensionMap, KeepsOneIdPerKindAndOneKindPerId) {
  ExtensionMap map;
  EXPECT_TRUE(map.add(Mid::kUri, 1));
  EXPECT_TRUE(map.add(Mid::kUri, 1));
  EXPECT_FALSE(map.add(Rid::kUri, 1)) << "id taken";
  EXPECT_FALSE(map.add("urn:example:unknown", 2));
  EXPECT_FALSE(map.add(Rid::kUri, 0));
  EXPECT_TRUE(map.add(Rid::kUri, 2));
  EXPECT_EQ(map.id<Mid>(), 1);
  EXPECT_EQ(map.kind(2), ExtensionKind::Rid);
  EXPECT_FALSE(map.kind(3));
  EXPECT_FALSE(map.kind(0));
  EXPECT_FALSE(map.needsTwoByteForm());
  EXPECT_TRUE(map.add(AudioLevel::kUri, 16));
  EXPECT_TRUE(map.needsTwoByteForm());
  map.remove(ExtensionKind::Rid);
  EXPECT_FALSE(map.has(ExtensionKind::Rid));
}

TEST(ExtensionMap, EveryKindHasItsUri) {
  for (size_t i = 0; i < kExtensionKindCount; ++i) {
    const auto kind = static_cast<ExtensionKind>(i);
    EXPECT_FALSE(uriOf(kind).empty());
    EXPECT_EQ(extensionKindOf(uriOf(kind)), kind);
  }
}

}  // namespace
}  // namespace parley::rtp
