// webrtc-stats: what reports of RFC 8888 tell of packets and their marks, counted at both ends of a
// path that loses, delays and marks packets.

#include "stats_fixture.h"

namespace parley::conformance {
namespace {

class StatsReports : public StatsTest {
 protected:
  explicit StatsReports(testing::PairOptions options = path()) : StatsTest(std::move(options)) {}

  static testing::PairOptions path() {
    testing::PairOptions options = manual();
    // Packets leave as ECT(1): see there.
    options.configurationA.congestionControl = CongestionControl::Scream;
    options.configurationB.congestionControl = CongestionControl::Scream;
    options.aToB.queue.rate = DataRate::kbps(600);
    options.aToB.queue.markAbove = Duration::millis(3);
    options.bToA.emplace();
    return options;
  }
  /// A call that has ended, with all reports of it.
  void wholeCall() {
    call();
    run(Duration::seconds(12));
    sound_.stop();
    picture_.stop();
    run(Duration::seconds(3));
    sent = stats(a);
    got = stats(b);
  }
  StatsReport sent, got;
};

class StatsOfALossyPath : public StatsReports {
 protected:
  StatsOfALossyPath() : StatsReports(lossy()) {}

 private:
  static testing::PairOptions lossy() {
    testing::PairOptions options = path();
    options.aToB.loss = sim::LossModel::bernoulli(0.03);
    // Longer than reports wait.
    options.aToB.reorder = 0.03;
    options.aToB.reorderBy = Duration::millis(200);
    return options;
  }
};

TEST_F(StatsOfALossyPath, Stats_BothEndsCountWhatReportsCallLost) {
  wholeCall();
  for (const char* kind : {"audio", "video"}) {
    const Stats& in = only(got, "inbound-rtp", kind);
    const Stats& remote = only(sent, "remote-inbound-rtp", kind);
    for (const char* name : {"packetsReportedAsLost", "packetsReportedAsLostButRecovered"}) {
      ASSERT_TRUE(in.has(name)) << kind;
      ASSERT_TRUE(remote.has(name)) << kind;
      EXPECT_GT(in.number(name), 0) << kind << '.' << name;
      EXPECT_EQ(in.number(name), remote.number(name)) << kind << '.' << name;
    }
    EXPECT_LT(in.number("packetsReportedAsLostButRecovered"), in.number("packetsReportedAsLost"));
  }
  EXPECT_EQ(only(sent, "transport").number("ccfbMessagesReceived"),
            only(got, "transport").number("ccfbMessagesSent"));
}

TEST_F(StatsReports, Stats_MarksAreCountedAtBothEnds) {
  wholeCall();
  double congested = 0;
  for (const char* kind : {"audio", "video"}) {
    const Stats& in = only(got, "inbound-rtp", kind);
    const Stats& remote = only(sent, "remote-inbound-rtp", kind);
    const Stats& out = only(sent, "outbound-rtp", kind);
    EXPECT_EQ(out.number("packetsSentWithEct1"), out.number("packetsSent")) << kind;
    EXPECT_GT(remote.number("packetsReceivedWithEct1"), 100) << kind;
    EXPECT_EQ(remote.number("packetsWithBleachedEct1Marking"), 0) << kind;
    congested += remote.number("packetsReceivedWithCe");
    if (kind == std::string_view("video")) continue;  // repetitions and probes have another SSRC
    for (const char* name : {"packetsReceivedWithEct1", "packetsReceivedWithCe"})
      EXPECT_EQ(in.number(name), remote.number(name)) << name;
    EXPECT_EQ(in.number("packetsReceivedWithEct1") + in.number("packetsReceivedWithCe"),
              out.number("packetsSentWithEct1"));
  }
  EXPECT_GT(congested, 0);
}

class StatsOfAPathThatBleaches : public StatsReports {
 protected:
  StatsOfAPathThatBleaches() : StatsReports(bleaching()) {}

 private:
  static testing::PairOptions bleaching() {
    testing::PairOptions options = path();
    options.aToB.bleachEcn = true;
    return options;
  }
};

TEST_F(StatsOfAPathThatBleaches, Stats_MarksThatWereTakenOffAreCounted) {
  wholeCall();
  for (const char* kind : {"audio", "video"}) {
    const Stats& remote = only(sent, "remote-inbound-rtp", kind);
    EXPECT_GT(remote.number("packetsWithBleachedEct1Marking"), 100) << kind;
    EXPECT_EQ(remote.number("packetsReceivedWithEct1"), 0) << kind;
    EXPECT_EQ(remote.number("packetsReceivedWithCe"), 0) << kind;
    EXPECT_EQ(only(got, "inbound-rtp", kind).number("packetsReceivedWithEct1"), 0) << kind;
  }
}

}  // namespace
}  // namespace parley::conformance
