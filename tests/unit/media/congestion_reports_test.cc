// What is counted of reports of RFC 8888 at both ends.

#include "session_pair.h"

namespace parley::media {
namespace {

congestion::PacketResult result(bool received, bool wasReportedLost, Ecn sentAs, Ecn arrivedAs) {
  congestion::PacketResult out;
  if (received) out.receiveTime = Timestamp::seconds(1);
  out.wasReportedLost = wasReportedLost;
  out.sentAs = sentAs;
  out.arrivedAs = arrivedAs;
  return out;
}

TEST(CongestionReportStats, EachPacketIsCountedForWhatItWas) {
  CongestionReportStats stats;
  stats.add(result(true, false, Ecn::Ect1, Ecn::Ect1));
  stats.add(result(true, false, Ecn::Ect1, Ecn::Ect1));
  stats.add(result(true, false, Ecn::Ect1, Ecn::Ce));
  stats.add(result(true, false, Ecn::Ect1, Ecn::NotEct));
  stats.add(result(true, false, Ecn::NotEct, Ecn::NotEct));
  for (int i = 0; i < 3; ++i) stats.add(result(false, false, Ecn::Ect1, Ecn::NotEct));
  stats.add(result(true, true, Ecn::Ect1, Ecn::Ect1));
  EXPECT_EQ(stats.packetsReceivedWithEct1, 3u);
  EXPECT_EQ(stats.packetsReceivedWithCe, 1u);
  EXPECT_EQ(stats.packetsWithBleachedEct1Marking, 1u) << "neither lost ones nor unmarked ones";
  EXPECT_EQ(stats.packetsReportedAsLost, 3u);
  EXPECT_EQ(stats.packetsReportedAsLostButRecovered, 1u);
}

TEST(CongestionReports, BothEndsCountTheSameLosses) {
  SessionPair::Options options;
  options.transportFeedback = false;
  options.congestionFeedback = true;
  SessionPair pair(options);
  pair.link.loss = 0.05;
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(10));
  pair.link.loss = 0;
  pair.sending = false;
  pair.run(Duration::seconds(2));
  const auto told = pair.sent().congestionReports;
  const InboundStats counted = pair.received();
  ASSERT_TRUE(told);
  ASSERT_TRUE(counted.packetsReportedAsLost);
  EXPECT_GT(told->packetsReportedAsLost, 10u);
  EXPECT_EQ(told->packetsReportedAsLost, *counted.packetsReportedAsLost);
  EXPECT_EQ(told->packetsReportedAsLostButRecovered, 0u) << "a repetition is another packet";
  EXPECT_EQ(*counted.packetsReportedAsLostButRecovered, 0u);
}

TEST(CongestionReports, NothingIsCountedWithoutThem) {
  SessionPair pair({});
  pair.link.loss = 0.05;
  pair.addVideo();
  pair.connect();
  pair.run(Duration::seconds(3));
  EXPECT_FALSE(pair.sent().congestionReports);
  EXPECT_FALSE(pair.received().packetsReportedAsLost);
  EXPECT_FALSE(pair.received().packetsReportedAsLostButRecovered);
}

TEST(CongestionReports, EarlierStreamsAreAdded) {
  InboundStats sum, earlier;
  sum += earlier;
  EXPECT_FALSE(sum.packetsReportedAsLost);
  earlier.packetsReportedAsLost = 3;
  sum += earlier;
  sum += earlier;
  EXPECT_EQ(sum.packetsReportedAsLost, 6u);
  EXPECT_FALSE(sum.packetsReportedAsLostButRecovered);
}

}  // namespace
}  // namespace parley::media
