#include <gtest/gtest.h>

#include "parley/rtp/rtcp/all.h"

#include "support/hex.h"

namespace parley::rtp::rtcp {
namespace {

using test::fromHex;
using test::toHex;

// The first packet of a datagram that must be well-formed as a whole.
Block only(const Bytes& bytes) {
  EXPECT_TRUE(CompoundReader::isWellFormed(bytes));
  CompoundReader reader(bytes);
  Block block;
  EXPECT_TRUE(reader.next(block));
  return block;
}

template <class T>
std::string written(const T& packet) {
  uint8_t buffer[1500];
  ByteWriter w(buffer);
  packet.write(w);
  EXPECT_TRUE(w.ok());
  EXPECT_EQ(w.size(), packet.size());
  return toHex(w.written());
}

TEST(Compound, RefusesBrokenFraming) {
  struct {
    const char* hex;
    const char* why;
  } const bad[] = {
      {"", "empty"},
      {"80c9", "shorter than a header"},
      {"40c80006000000000000000000000000000000000000000000000000", "version"},
      {"80c800060000000000000000000000000000000000000000", "length beyond the datagram"},
      {"a0c90001123456ff", "padding count above the length"},
      {"a0c9000112345600", "padding count zero"},
      {"a0c900011234560480c9000112345678", "padding on a packet that is not the last"},
      {"80c9000112345678ffff", "trailing bytes"},
  };
  for (const auto& b : bad) EXPECT_FALSE(CompoundReader::isWellFormed(fromHex(b.hex))) << b.why;
}

TEST(Compound, UnknownTypesAreSteppedOverByLength) {
  const Bytes bytes =
      fromHex("80c9000112345678 85d2000200000001ffffffff 81ce000200000001 00000002");
  ASSERT_TRUE(CompoundReader::isWellFormed(bytes));
  CompoundReader reader(bytes);
  Block block;
  ASSERT_TRUE(reader.next(block));
  EXPECT_EQ(block.type, kReceiverReport);
  ASSERT_TRUE(reader.next(block));
  EXPECT_EQ(block.type, 210);
  EXPECT_EQ(block.body.size(), 8u);
  ASSERT_TRUE(reader.next(block));
  EXPECT_TRUE(Pli::parse(block));
  EXPECT_FALSE(reader.next(block));
}

TEST(Compound, PaddingOfTheLastPacketIsCutOff) {
  const Bytes bytes = fromHex("a0c9000212345678 00000004");
  const Block block = only(bytes);
  EXPECT_EQ(block.body.size(), 4u);
  EXPECT_TRUE(ReceiverReport::parse(block));
}

TEST(SenderReport, RoundTrips) {
  SenderReport sr;
  sr.senderSsrc = 0x01020304;
  sr.ntp.value = 0xe8fe6f8080000000;
  sr.rtpTimestamp = 90'000;
  sr.packetCount = 10;
  sr.octetCount = 1000;
  ReportBlock rb;
  rb.ssrc = 0xaabbccdd;
  rb.fractionLost = 64;
  rb.cumulativeLost = -3;
  rb.extendedHighestSequence = 0x00010002;
  rb.jitter = 5;
  rb.lastSr = 6;
  rb.delaySinceLastSr = 7;
  sr.blocks.push_back(rb);
  const std::string hex = written(sr);
  EXPECT_EQ(hex,
            "81c8000c01020304e8fe6f808000000000015f900000000a000003e8"
            "aabbccdd40fffffd00010002000000050000000600000007");
  const Bytes bytes = fromHex(hex);
  const auto parsed = SenderReport::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->ntp.compact(), 0x6f808000u);
  EXPECT_EQ(parsed->octetCount, 1000u);
  EXPECT_EQ(parsed->blocks, sr.blocks);
}

TEST(ReportBlock, CumulativeLossIsClampedTo24Bits) {
  ReceiverReport rr;
  ReportBlock rb;
  rb.cumulativeLost = 0x7fffffff;
  rr.blocks.push_back(rb);
  rb.cumulativeLost = -0x7fffffff;
  rr.blocks.push_back(rb);
  const Bytes bytes = fromHex(written(rr));
  const auto parsed = ReceiverReport::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->blocks[0].cumulativeLost, 0x7fffff);
  EXPECT_EQ(parsed->blocks[1].cumulativeLost, -0x800000);
}

TEST(ReceiverReport, RefusesShortBodies) {
  EXPECT_FALSE(ReceiverReport::parse(only(fromHex("80c90000")))) << "no SSRC";
  const Bytes overrun = fromHex("85c9000112345678");
  EXPECT_FALSE(ReceiverReport::parse(only(overrun))) << "RC=5 without blocks";
  EXPECT_FALSE(SenderReport::parse(only(overrun))) << "another type";
}

TEST(SourceDescription, RoundTripsAllAlignments) {
  for (const char* name : {"a", "ab", "abc", "abcd", "abcde"}) {
    SourceDescription sdes;
    sdes.chunks.push_back({1, name});
    sdes.chunks.push_back({2, "x"});
    const Bytes bytes = fromHex(written(sdes));
    const auto parsed = SourceDescription::parse(only(bytes));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->chunks, sdes.chunks);
  }
}

TEST(SourceDescription, OtherItemsAreSkipped) {
  // NAME "xy", CNAME "c", end.
  const Bytes bytes = fromHex("81ca000300000001 02027879 01016300");
  const auto parsed = SourceDescription::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->chunks[0].cname, "c");
}

TEST(SourceDescription, RefusesAnItemPastTheChunk) {
  const Bytes bytes = fromHex("81ca00021234567801040102");
  EXPECT_FALSE(SourceDescription::parse(only(bytes)));
}

TEST(Bye, WithoutSourcesIsLegal) {
  const Bytes bytes = fromHex("80cb0000");
  const auto bye = Bye::parse(only(bytes));
  ASSERT_TRUE(bye);
  EXPECT_TRUE(bye->ssrcs.empty());
}

TEST(Bye, RoundTripsWithReason) {
  Bye bye;
  bye.ssrcs.push_back(9);
  bye.reason = "gone";
  const Bytes bytes = fromHex(written(bye));
  const auto parsed = Bye::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->ssrcs, bye.ssrcs);
  EXPECT_EQ(parsed->reason, "gone");
  const Bytes overrun = fromHex("81cb000200000009ff616263");
  const auto kept = Bye::parse(only(overrun));
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->reason.empty());
  EXPECT_FALSE(Bye::parse(only(fromHex("82cb000100000009"))));
}

TEST(Nack, ListsWrapAround) {
  const uint16_t lost[] = {65500, 65516, 65534, 65535, 0, 1, 3, 20, 100};
  uint8_t buffer[200];
  ByteWriter w(buffer);
  EXPECT_EQ(Nack::write(w, 1, 2, lost, 200), std::size(lost));
  const Bytes bytes = toBytes(w.written());
  EXPECT_EQ(toHex(bytes),
            "81cd00060000000100000002"
            "ffdc8000fffe001700140000"
            "00640000");
  const auto parsed = Nack::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->senderSsrc, 1u);
  EXPECT_EQ(parsed->mediaSsrc, 2u);
  EXPECT_TRUE(std::equal(parsed->sequences.begin(), parsed->sequences.end(), std::begin(lost),
                         std::end(lost)));
}

TEST(Nack, WritesOnlyWhatFits) {
  const uint16_t lost[] = {1, 100, 200};
  uint8_t buffer[200];
  ByteWriter w(buffer);
  EXPECT_EQ(Nack::write(w, 1, 2, lost, 20), 2u);
  EXPECT_EQ(w.size(), 20u);
  EXPECT_EQ(Nack::write(w, 1, 2, lost, 12), 0u);
  EXPECT_EQ(Nack::write(w, 1, 2, {}, 100), 0u);
  EXPECT_EQ(w.size(), 20u);
}

TEST(Nack, RefusesAnEmptyListAndStopsAtTheCap) {
  EXPECT_FALSE(Nack::parse(only(fromHex("81cd00021234567823456789"))));
  Bytes big = fromHex("81cd00661234567823456789");
  for (int i = 0; i < 100; ++i) {
    const Bytes pair = fromHex("0001ffff");
    big.insert(big.end(), pair.begin(), pair.end());
  }
  const auto parsed = Nack::parse(only(big));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->sequences.size(), Nack::kMaxSequences);
}

TEST(Pli, RoundTrips) {
  EXPECT_EQ(written(Pli{1, 2}), "81ce00020000000100000002");
  const Bytes bytes = fromHex("81ce00020000000100000002");
  ASSERT_TRUE(Pli::parse(only(bytes)));
  EXPECT_EQ(Pli::parse(only(bytes))->mediaSsrc, 2u);
}

TEST(Fir, TargetsStandInTheEntries) {
  Fir fir;
  fir.senderSsrc = 0x10;
  fir.entries.push_back({0x20, 13});
  EXPECT_EQ(written(fir),
            "84ce0004000000100000000000000020"
            "0d000000");
  const Bytes bytes = fromHex(written(fir));
  const auto parsed = Fir::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->entries, fir.entries);
  EXPECT_FALSE(Fir::parse(only(fromHex("84ce00020000001000000000"))));
}

TEST(Remb, RoundTripsAndSaturates) {
  Remb remb;
  remb.senderSsrc = 1;
  remb.bitrate = DataRate::bps(522'022);
  remb.ssrcs.push_back(2);
  const std::string hex = written(remb);
  EXPECT_EQ(hex, "8fce0005000000010000000052454d420107fb9300000002");
  const Bytes bytes = fromHex(hex);
  const auto parsed = Remb::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->bitrate.bps(), 522'022 / 2 * 2);
  const Bytes huge = fromHex("8fce0004000000010000000052454d4200ffffff");
  EXPECT_TRUE(Remb::parse(only(huge))->bitrate.isInfinite());
  const Bytes zero = fromHex("8fce0004000000010000000052454d4200fc0000");
  EXPECT_TRUE(Remb::parse(only(zero))->bitrate.isZero());
  EXPECT_FALSE(Remb::parse(only(fromHex("8fce0005000000010000000052454d42021a20df4874ed16"))))
      << "two SSRCs announced, one present";
  EXPECT_FALSE(Remb::parse(only(fromHex("8fce0004000000010000000052454d4300000000"))));
}

TEST(Tmmb, ReadsRequestsAndNotifications) {
  // Exponent 2, mantissa 1000, overhead 40.
  const uint32_t v = 2u << 26 | 1000u << 9 | 40;
  uint8_t buffer[20];
  ByteWriter w(buffer);
  {
    BlockWriter block(w, kTransportFeedback, Tmmb::kRequestFormat);
    w.u32(1);
    w.u32(0);
    w.u32(7);
    w.u32(v);
  }
  Bytes bytes = toBytes(w.written());
  const auto parsed = Tmmb::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->isRequest);
  EXPECT_EQ(parsed->entries[0], (TmmbEntry{7, DataRate::bps(4000), 40}));
  // Written with the smallest exponent, and no more than 17 bits and 9 bits of the two.
  Tmmb notice;
  notice.isRequest = false;
  notice.senderSsrc = 1;
  notice.entries.push_back({7, DataRate::kbps(400), 40});
  notice.entries.push_back({8, DataRate::infinite(), 0xffff});
  EXPECT_EQ(written(notice), "84cd00060000000100000000000000070b0d402800000008bbffffff");
  const Bytes again = fromHex(written(notice));
  EXPECT_EQ(Tmmb::parse(only(again))->entries[0], notice.entries[0]);
  const Bytes empty = fromHex("84cd00020000000100000000");
  ASSERT_TRUE(Tmmb::parse(only(empty)));
  EXPECT_FALSE(Tmmb::parse(only(empty))->isRequest);
  EXPECT_FALSE(Tmmb::parse(only(fromHex("83cd00020000000100000000"))));
}

TEST(ExtendedReport, CarriesReferenceTimeAndDlrr) {
  ExtendedReport xr;
  xr.senderSsrc = 1;
  xr.receiverReferenceTime = NtpTime{0x0102030405060708};
  xr.dlrr.push_back({2, 3, 4});
  const std::string hex = written(xr);
  EXPECT_EQ(hex,
            "80cf000800000001"
            "0400000201020304050607080"
            "5000003000000020000000300000004");
  const Bytes bytes = fromHex(hex);
  const auto parsed = ExtendedReport::parse(only(bytes));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->receiverReferenceTime, xr.receiverReferenceTime);
  EXPECT_EQ(parsed->dlrr, xr.dlrr);
  const Bytes unknown = fromHex("80cf0003000000010a000001ffffffff");
  EXPECT_TRUE(ExtendedReport::parse(only(unknown))) << "unknown blocks are skipped";
  EXPECT_FALSE(ExtendedReport::parse(only(fromHex("80cf0002000000010a000002"))))
      << "block longer than the packet";
}

TEST(Rtcp, NoParserReadsPastATruncatedBody) {
  // Every prefix of a rich body, offered to every parser: nothing may crash under a sanitizer.
  Bytes body(120);
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<uint8_t>(i * 37);
  TransportFeedback feedback;
  CongestionFeedback ccfb;
  for (uint8_t type = 200; type <= 207; ++type) {
    for (uint8_t count = 0; count < 32; ++count) {
      for (size_t size = 0; size <= body.size(); size += 4) {
        const Bytes copy(body.begin(), body.begin() + static_cast<ptrdiff_t>(size));
        const Block block{type, count, copy};
        (void)SenderReport::parse(block);
        (void)ReceiverReport::parse(block);
        (void)SourceDescription::parse(block);
        (void)Bye::parse(block);
        (void)Nack::parse(block);
        (void)Pli::parse(block);
        (void)Fir::parse(block);
        (void)Remb::parse(block);
        (void)Tmmb::parse(block);
        (void)ExtendedReport::parse(block);
        (void)TransportFeedback::parse(block, feedback);
        (void)CongestionFeedback::parse(block, ccfb);
      }
    }
  }
}

}  // namespace
}  // namespace parley::rtp::rtcp
