#include "media/fec_decoder.h"

#include <map>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/rtp/packet_writer.h"

#include "media/fec_encoder.h"
#include "support/alloc_guard.h"
#include "support/hex.h"

namespace parley::media {
namespace {

constexpr uint32_t kSsrc = 0x1111;

class FecTest : public testing::Test {
 protected:
  ~FecTest() override {
    decoder_.clear();
    EXPECT_EQ(pool_.inUse(), 0u);
  }

  Bytes packet(int64_t sequence) {
    PacketBuf buf = pool_.allocate();
    const bool marker = sequence % 3 == 0;
    rtp::PacketWriter writer(buf, {96, marker, static_cast<uint16_t>(sequence),
                                   static_cast<uint32_t>(sequence / 3 * 3000), kSsrc});
    if (sequence % 4 == 0) writer.addRaw(4, parley::test::fromHex("31"));
    MutableByteSpan room = writer.beginPayload();
    const size_t size = 1 + random_.below(900);
    for (size_t i = 0; i < size; ++i) room[i] = static_cast<uint8_t>(random_.u32());
    writer.finish(size);
    return toBytes(buf.span());
  }
  /// FEC packets with a body, as they come from the network.
  std::vector<PacketBuf> protect(rtp::FecScheme scheme, const std::map<int64_t, Bytes>& packets,
                                 size_t repairs, LossPattern pattern = LossPattern::Single) {
    FecEncoder encoder(pool_, scheme);
    for (const auto& [sequence, bytes] : packets) {
      const auto view = rtp::PacketView::parse(bytes);
      encoder.add(sequence, view->payloadType(), ByteSpan(bytes).first(view->headerSize()),
                  view->payload());
    }
    encoder.plan(repairs, pattern);
    std::vector<PacketBuf> out;
    for (size_t i = 0; i < encoder.repairs(); ++i) {
      PacketBuf buf = pool_.allocate();
      const uint32_t csrc = kSsrc;
      const bool names = scheme == rtp::FecScheme::Flexfec;
      rtp::PacketWriter writer(buf, {49, false, static_cast<uint16_t>(i), 0, 0xfec},
                               std::span(&csrc, names ? 1 : 0));
      const size_t size = encoder.write(i, kSsrc, writer.beginPayload());
      EXPECT_GT(size, 0u);
      writer.finish(size);
      out.push_back(std::move(buf));
    }
    encoder.clear();
    return out;
  }
  void media(int64_t sequence, const Bytes& bytes) {
    decoder_.addMedia(sequence, pool_.copyOf(bytes));
    collect();
  }
  bool fec(rtp::FecScheme scheme, PacketBuf packet, int64_t near) {
    rtp::FecPacket parsed;
    const auto view = rtp::PacketView::parse(packet.span());
    EXPECT_TRUE(rtp::FecPacket::parse(scheme, *view, parsed));
    const int64_t base =
        near + static_cast<int16_t>(parsed.sequenceBase - static_cast<uint16_t>(near));
    const bool kept = decoder_.addFec(std::move(packet), parsed, base, Timestamp::seconds(1));
    collect();
    return kept;
  }
  void collect() {
    PacketBuf out;
    while (decoder_.poll(out)) {
      restored_[rtp::PacketView::parse(out.span())->sequenceNumber()] = toBytes(out.span());
    }
  }

  PacketPool pool_;
  SeededRandom random_{7};
  FecDecoder decoder_{pool_, kSsrc};
  std::map<uint16_t, Bytes> restored_;
};

TEST_F(FecTest, WhatWasLostComesBackByteForByte) {
  for (const auto scheme :
       {rtp::FecScheme::Ulpfec, rtp::FecScheme::Flexfec03, rtp::FecScheme::Flexfec}) {
    decoder_.clear();
    restored_.clear();
    // Across the wrap of the sequence number.
    std::map<int64_t, Bytes> packets;
    for (int64_t s = 65'530; s < 65'546; ++s) packets[s] = packet(s);
    auto repairs = protect(scheme, packets, 5);
    for (const auto& [sequence, bytes] : packets) {
      if (sequence != 65'533 && sequence != 65'536 && sequence != 65'545) media(sequence, bytes);
    }
    for (PacketBuf& p : repairs) fec(scheme, std::move(p), 65'536);
    ASSERT_EQ(restored_.size(), 3u);
    EXPECT_EQ(restored_[65'533], packets[65'533]);
    EXPECT_EQ(restored_[0], packets[65'536]);
    EXPECT_EQ(restored_[9], packets[65'545]);
    EXPECT_EQ(decoder_.held(), 16u) << "what was of no use is gone";
  }
}

TEST_F(FecTest, ARunOfLossesAndFecBeforeMedia) {
  std::map<int64_t, Bytes> packets;
  for (int64_t s = 100; s < 120; ++s) packets[s] = packet(s);
  auto repairs = protect(rtp::FecScheme::Flexfec03, packets, 3, LossPattern::Bursts);
  media(99, packet(99));
  for (PacketBuf& p : repairs) fec(rtp::FecScheme::Flexfec03, std::move(p), 99);
  for (const auto& [sequence, bytes] : packets) {
    if (sequence < 110 || sequence > 112) media(sequence, bytes);
  }
  ASSERT_EQ(restored_.size(), 3u);
  for (uint16_t s = 110; s < 113; ++s) EXPECT_EQ(restored_[s], packets[s]);
}

TEST_F(FecTest, GapsInTheSourcesNumbersAreNotCovered) {
  std::map<int64_t, Bytes> packets;
  for (const int64_t s : {100, 101, 105, 130, 145}) packets[s] = packet(s);
  auto repairs = protect(rtp::FecScheme::Flexfec03, packets, 1);
  for (const int64_t s : {100, 101, 105, 145}) media(s, packets[s]);
  fec(rtp::FecScheme::Flexfec03, std::move(repairs[0]), 100);
  ASSERT_EQ(restored_.size(), 1u);
  EXPECT_EQ(restored_[130], packets[130]);
}

TEST_F(FecTest, ARepetitionFillsTheGapButDoesNotHelp) {
  std::map<int64_t, Bytes> packets;
  for (int64_t s = 10; s < 14; ++s) packets[s] = packet(s);
  auto repairs = protect(rtp::FecScheme::Ulpfec, packets, 1);
  media(10, packets[10]);
  media(13, packets[13]);
  decoder_.noteArrival(11);
  fec(rtp::FecScheme::Ulpfec, std::move(repairs[0]), 10);
  EXPECT_TRUE(restored_.empty()) << "its header extensions are not those that were protected";
  EXPECT_EQ(decoder_.discarded(), 1u);
}

TEST_F(FecTest, ARepetitionInFlexfecIsThePacket) {
  media(0x101, packet(0x101));
  PacketBuf p =
      pool_.copyOf(parley::test::fromHex("803100070000000000000fec"
                                         "80e0010200000005000011119988"));
  fec(rtp::FecScheme::Flexfec, std::move(p), 0x101);
  ASSERT_EQ(restored_.size(), 1u);
  EXPECT_EQ(restored_[0x102], parley::test::fromHex("80e0010200000005000011119988"));
}

TEST_F(FecTest, WhatIsFarAwayIsRefused) {
  std::map<int64_t, Bytes> packets;
  for (int64_t s = 1000; s < 1004; ++s) packets[s] = packet(s);
  EXPECT_FALSE(
      fec(rtp::FecScheme::Ulpfec, std::move(protect(rtp::FecScheme::Ulpfec, packets, 1)[0]), 1000))
      << "nothing has come yet";
  media(2000, packet(2000));
  EXPECT_FALSE(
      fec(rtp::FecScheme::Ulpfec, std::move(protect(rtp::FecScheme::Ulpfec, packets, 1)[0]), 1000));
  media(600, packet(600));
  decoder_.clear();
  media(600, packet(600));
  EXPECT_FALSE(
      fec(rtp::FecScheme::Ulpfec, std::move(protect(rtp::FecScheme::Ulpfec, packets, 1)[0]), 1000));
  EXPECT_EQ(decoder_.held(), 1u);
}

TEST_F(FecTest, FloodsStayWithinBounds) {
  std::map<int64_t, Bytes> packets;
  for (int64_t s = 0; s < 40; ++s) packets[s] = packet(s);
  media(40, packet(40));
  for (int i = 0; i < 100; ++i) {
    for (PacketBuf& p : protect(rtp::FecScheme::Flexfec03, packets, 3))
      fec(rtp::FecScheme::Flexfec03, std::move(p), 40);
  }
  EXPECT_LE(decoder_.held(), FecDecoder::kMaxFec + 1);
  for (int64_t s = 41; s < 3000; ++s) media(s, packets[s % 40]);
  EXPECT_LE(decoder_.held(), 256u);
  EXPECT_TRUE(restored_.empty());
}

TEST_F(FecTest, ALyingLengthRestoresNothing) {
  std::map<int64_t, Bytes> packets;
  for (int64_t s = 10; s < 12; ++s) packets[s] = packet(s);
  auto repairs = protect(rtp::FecScheme::Flexfec03, packets, 1);
  storeU16(repairs[0].data() + 12 + 2, 0xffff);
  media(10, packets[10]);
  fec(rtp::FecScheme::Flexfec03, std::move(repairs[0]), 10);
  EXPECT_TRUE(restored_.empty());
  EXPECT_EQ(decoder_.discarded(), 1u);
}

TEST_F(FecTest, MutatedFecPacketsHarmNobody) {
  std::map<int64_t, Bytes> packets;
  for (int64_t s = 10; s < 22; ++s) packets[s] = packet(s);
  for (int round = 0; round < 400; ++round) {
    const auto scheme = static_cast<rtp::FecScheme>(round % 3);
    decoder_.clear();
    for (const auto& [sequence, bytes] : packets) {
      if (random_.below(4) != 0) media(sequence, bytes);
    }
    for (PacketBuf& p : protect(scheme, packets, 3)) {
      for (int i = 0; i < 3; ++i)
        p.data()[12 + random_.below(28)] = static_cast<uint8_t>(random_.u32());
      rtp::FecPacket parsed;
      const auto view = rtp::PacketView::parse(p.span());
      if (!view || !rtp::FecPacket::parse(scheme, *view, parsed)) continue;
      decoder_.addFec(std::move(p), parsed, parsed.sequenceBase, Timestamp::seconds(1));
      PacketBuf out;
      while (decoder_.poll(out)) EXPECT_TRUE(rtp::PacketView::parse(out.span()));
    }
  }
}

TEST_F(FecTest, SteadyStateDoesNotAllocate) {
  if (!test::AllocGuard::isActive()) GTEST_SKIP() << "allocations are not counted in this build";
  std::map<int64_t, Bytes> packets;
  for (int64_t s = 0; s < 40; ++s) packets[s] = packet(s);
  FecEncoder encoder(pool_, rtp::FecScheme::Flexfec03);
  PacketBuf payload = pool_.allocate();
  const auto round = [&](int64_t start) {
    for (const auto& [i, bytes] : packets) {
      encoder.add(start + i, 96, ByteSpan(bytes).first(12), ByteSpan(bytes).subspan(12));
      if (i % 9 != 0) decoder_.addMedia(start + i, pool_.copyOf(bytes));
    }
    encoder.plan(8, LossPattern::Single);
    for (size_t i = 0; i < encoder.repairs(); ++i) {
      PacketBuf copy = pool_.allocate();
      copy.resize(1400);
      const uint8_t header[12] = {0x80};
      std::copy(header, header + 12, copy.data());
      copy.resize(12 + encoder.write(i, kSsrc, copy.mutableSpan().subspan(12)));
      rtp::FecPacket parsed;
      if (!rtp::FecPacket::parse(rtp::FecScheme::Flexfec03, *rtp::PacketView::parse(copy.span()),
                                 parsed))
        continue;
      decoder_.addFec(std::move(copy), parsed, start + (parsed.sequenceBase - start % 65'536),
                      Timestamp::seconds(1));
      PacketBuf out;
      while (decoder_.poll(out)) {
      }
    }
    encoder.clear();
  };
  for (int64_t i = 0; i < 20; ++i) round(i * 40);
  const test::AllocGuard guard;
  for (int64_t i = 20; i < 100; ++i) round(i * 40);
  EXPECT_EQ(guard.count(), 0u);
}

}  // namespace
}  // namespace parley::media
