// Packets of real browsers (tests/vectors/rtp) through every parser.
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "parley/base/seq_num.h"
#include "parley/base/time.h"
#include "parley/rtp/extensions/all.h"
#include "parley/rtp/packet_view.h"
#include "parley/rtp/rtcp/all.h"

#include "support/hex.h"

namespace parley::rtp {
namespace {

std::vector<Bytes> allPackets() {
  std::vector<Bytes> out;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(PARLEY_TEST_DATA) + "/rtp")) {
    if (entry.path().extension() != ".txt") continue;
    std::ifstream in(entry.path());
    int64_t ms = 0;
    std::string hex;
    while (in >> ms >> hex) out.push_back(test::fromHex(hex));
  }
  return out;
}

TEST(Capture, EveryRtpPacketAndItsExtensionsParse) {
  ExtensionMap map;
  map.add(AbsSendTime::kUri, 2);
  map.add(TransportSequenceNumber::kUri, 3);
  map.add(Mid::kUri, 4);
  size_t packets = 0;
  size_t numbered = 0;
  for (const Bytes& bytes : allPackets()) {
    if (classify(bytes) != PacketKind::Rtp) continue;
    const auto view = PacketView::parse(bytes);
    ASSERT_TRUE(view);
    ++packets;
    numbered += getExtension<TransportSequenceNumber>(*view, map).has_value();
    const auto mid = getExtension<Mid>(*view, map);
    if (mid) {
      EXPECT_TRUE(*mid == "0" || *mid == "1") << *mid;
    }
  }
  EXPECT_GT(packets, 150u);
  EXPECT_GT(numbered, packets / 2);
}

TEST(Capture, EveryRtcpPacketParses) {
  std::map<int, size_t> seen;
  rtcp::TransportFeedback twcc;
  rtcp::CongestionFeedback ccfb;
  for (const Bytes& bytes : allPackets()) {
    if (classify(bytes) != PacketKind::Rtcp) continue;
    ASSERT_TRUE(rtcp::CompoundReader::isWellFormed(bytes)) << test::toHex(bytes);
    rtcp::CompoundReader reader(bytes);
    rtcp::Block block;
    while (reader.next(block)) {
      const bool feedback = block.type == rtcp::kTransportFeedback;
      ++seen[block.type * 100 + (feedback ? block.count : 0)];
      switch (block.type) {
        case rtcp::kSenderReport:
          EXPECT_TRUE(rtcp::SenderReport::parse(block));
          break;
        case rtcp::kReceiverReport:
          EXPECT_TRUE(rtcp::ReceiverReport::parse(block));
          break;
        case rtcp::kSourceDescription:
          ASSERT_TRUE(rtcp::SourceDescription::parse(block));
          // Chromium sends an empty CNAME for some simulcast sources, so no more is asked.
          EXPECT_EQ(rtcp::SourceDescription::parse(block)->chunks.size(), 1u);
          break;
        case rtcp::kExtendedReport:
          EXPECT_TRUE(rtcp::ExtendedReport::parse(block));
          break;
        case rtcp::kTransportFeedback:
          if (block.count == rtcp::TransportFeedback::kFormat) {
            EXPECT_TRUE(rtcp::TransportFeedback::parse(block, twcc)) << test::toHex(bytes);
            EXPECT_FALSE(twcc.received.empty());
          } else if (block.count == rtcp::CongestionFeedback::kFormat) {
            EXPECT_TRUE(rtcp::CongestionFeedback::parse(block, ccfb)) << test::toHex(bytes);
            EXPECT_FALSE(ccfb.streams.empty());
          }
          break;
        default:
          break;
      }
    }
  }
  for (int kind : {20000, 20100, 20200, 20511, 20515, 20700}) EXPECT_GT(seen[kind], 0u) << kind;
}

// Modular arithmetic of RTP (RFC 3550 section 5.1, RFC 1982) and NTP time (RFC 3550 section 4).
TEST(Arithmetic, SequenceNumbersTimestampsAndNtp) {
  EXPECT_TRUE(isNewer<uint16_t>(1, 0));
  EXPECT_FALSE(isNewer<uint16_t>(0, 1));
  EXPECT_TRUE(isNewer<uint16_t>(0, 65535));
  EXPECT_FALSE(isNewer<uint16_t>(65535, 0));
  EXPECT_TRUE(isNewer<uint16_t>(32767, 0));
  EXPECT_FALSE(isNewer<uint16_t>(0, 32768));
  EXPECT_FALSE(isNewer<uint16_t>(5, 5));
  struct {
    uint32_t previous, next;
    int64_t delta;
  } const unwraps[] = {{4294967280u, 16, 32}, {16, 4294967280u, -32}, {0, 2147483647, 2147483647}};
  for (const auto& u : unwraps) {
    SeqUnwrapper<uint32_t> unwrapper;
    const int64_t first = unwrapper.unwrap(u.previous);
    EXPECT_EQ(unwrapper.unwrap(u.next) - first, u.delta);
  }
  const WallClock clock{Timestamp::seconds(5), 1'700'000'000'500'000'000};
  EXPECT_EQ(clock.ntpAt(Timestamp::seconds(5)).value, 0xe8fe6f8080000000u);
  EXPECT_EQ(clock.ntpAt(Timestamp::seconds(5)).compact(), 0x6f808000u);
}

}  // namespace
}  // namespace parley::rtp
