// W3C webrtc-pc section 7: RTCDTMFSender.

#include "peers.h"

namespace parley::conformance {
namespace {

class DtmfTest : public Peers {
 protected:
  /// A sends sound to B.
  void call() {
    connectCandidates(a, b);
    connectCandidates(b, a);
    sender_ =
        a.addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440))).value();
    negotiate(a, b);
    ASSERT_TRUE(runUntil([&] { return sender_.dtmf().canInsertDtmf(); }));
    run(Duration::millis(500));
  }
  static void connectCandidates(PeerConnection& from, PeerConnection to) {
    from.onIceCandidate([to](const std::optional<IceCandidate>& candidate) mutable {
      if (candidate) to.addIceCandidate(*candidate);
    });
  }
  /// Logs tone, what is left, and the milliseconds since the event before.
  void listenToTones() {
    sender_.dtmf().onToneChange([this](const std::string& tone) {
      const Timestamp now = pair.world().now();
      log_.add(tone + "|" + sender_.dtmf().toneBuffer() + "|" +
               std::to_string(last_ ? (now - *last_).millis() : 0));
      last_ = now;
    });
  }

  RtpSender sender_;
  Log log_;
  std::optional<Timestamp> last_;
};

TEST_F(DtmfTest, S7_1_OnlyAudioSendersHaveOne) {
  EXPECT_TRUE(a.addTransceiver(MediaKind::Audio)->sender().dtmf());
  EXPECT_FALSE(a.addTransceiver(MediaKind::Video)->sender().dtmf());
}

TEST_F(DtmfTest, S7_2_TonesNeedAConnectedSender) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  DtmfSender dtmf = transceiver.sender().dtmf();
  EXPECT_FALSE(dtmf.canInsertDtmf());
  expectError(dtmf.insertDtmf("1"), ErrorCode::InvalidState);
  EXPECT_EQ(dtmf.toneBuffer(), "");
  call();
  ASSERT_TRUE(a.getTransceivers().back().setDirection(TransceiverDirection::RecvOnly));
  EXPECT_TRUE(sender_.dtmf().canInsertDtmf());
  negotiate(a, b);
  EXPECT_FALSE(sender_.dtmf().canInsertDtmf());
  expectError(sender_.dtmf().insertDtmf(""), ErrorCode::InvalidState);
}

TEST_F(DtmfTest, S7_2_AStoppedTransceiverPlaysNothing) {
  call();
  ASSERT_TRUE(a.getTransceivers()[0].stop());
  expectError(sender_.dtmf().insertDtmf(""), ErrorCode::InvalidState);
}

TEST_F(DtmfTest, S7_2_CharactersAreCheckedAndMadeUpperCase) {
  call();
  DtmfSender dtmf = sender_.dtmf();
  for (const char* bad : {"123FFABC", "E", "# *", "\x31\x80"}) {
    ASSERT_TRUE(dtmf.insertDtmf("7"));
    expectError(dtmf.insertDtmf(bad), ErrorCode::InvalidCharacter);
    EXPECT_EQ(dtmf.toneBuffer(), "7");  // as it was
  }
  ASSERT_TRUE(dtmf.insertDtmf("0123456789ABCDabcd#*,"));
  EXPECT_EQ(dtmf.toneBuffer(), "0123456789ABCDABCD#*,");
  ASSERT_TRUE(dtmf.insertDtmf("bcd"));
  EXPECT_EQ(dtmf.toneBuffer(), "BCD");
}

TEST_F(DtmfTest, S7_2_TonesChangeInTime) {
  call();
  listenToTones();
  ASSERT_TRUE(sender_.dtmf().insertDtmf("abc"));
  EXPECT_EQ(log_.take(), Lines{});  // in a task
  run(Duration::seconds(1));
  EXPECT_EQ(log_.take(), (Lines{"A|BC|0", "B|C|170", "C||170", "||170"}));
}

TEST_F(DtmfTest, S7_2_DurationAndGapAreClamped) {
  call();
  listenToTones();
  ASSERT_TRUE(sender_.dtmf().insertDtmf("12", Duration::millis(10), Duration::millis(10)));
  run(Duration::seconds(1));
  EXPECT_EQ(log_.take(), (Lines{"1|2|0", "2||70", "||70"}));
  last_.reset();
  ASSERT_TRUE(sender_.dtmf().insertDtmf("9", Duration::seconds(60), Duration::millis(100)));
  run(Duration::seconds(8));
  EXPECT_EQ(log_.take(), (Lines{"9||0", "||6100"}));
}

TEST_F(DtmfTest, S7_2_ACommaWaitsTwoSeconds) {
  call();
  listenToTones();
  ASSERT_TRUE(sender_.dtmf().insertDtmf("A,B"));
  run(Duration::seconds(4));
  EXPECT_EQ(log_.take(), (Lines{"A|,B|0", ",|B|170", "B||2000", "||170"}));
}

TEST_F(DtmfTest, S7_2_NewTonesReplaceThoseThatWait) {
  call();
  listenToTones();
  ASSERT_TRUE(sender_.dtmf().insertDtmf("ABC"));
  run(Duration::millis(200));  // within B
  ASSERT_TRUE(sender_.dtmf().insertDtmf("12"));
  ASSERT_TRUE(sender_.dtmf().insertDtmf("34"));
  run(Duration::seconds(1));
  EXPECT_EQ(log_.take(), (Lines{"A|BC|0", "B|C|170", "3|4|170", "4||170", "||170"}));
  ASSERT_TRUE(sender_.dtmf().insertDtmf("5"));
  run(Duration::millis(50));
  ASSERT_TRUE(sender_.dtmf().insertDtmf(""));
  run(Duration::seconds(1));
  EXPECT_EQ(log_.take().size(), 2u);
}

TEST_F(DtmfTest, S7_2_StoppingEndsTheTones) {
  call();
  listenToTones();
  ASSERT_TRUE(sender_.dtmf().insertDtmf("ABC"));
  run(Duration::millis(200));
  ASSERT_TRUE(a.getTransceivers()[0].stop());
  run(Duration::seconds(1));
  EXPECT_EQ(log_.take(), (Lines{"A|BC|0", "B|C|170"}));
}

TEST_F(DtmfTest, S7_2_TonesGoInPlaceOfSound) {
  call();
  const auto packets = [&] {
    const StatsReport report = await<StatsReport>([&](Completion<StatsReport> done) {
                                 sender_.getStats(std::move(done));
                               }).value();
    return report.ofType("outbound-rtp").front()->number("packetsSent");
  };
  const double before = packets();
  ASSERT_TRUE(sender_.dtmf().insertDtmf("5", Duration::seconds(1)));
  run(Duration::millis(1010));
  // One at 20 ms, one every 50 ms, the end; 50 of sound otherwise.
  EXPECT_NEAR(packets() - before, 1 + 20 + 1, 3);
  run(Duration::seconds(1));
  EXPECT_GT(packets() - before, 60);
}

}  // namespace
}  // namespace parley::conformance
