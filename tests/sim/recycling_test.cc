// A connection that lives long must not keep what its transceivers leave behind.

#include <gtest/gtest.h>

#include "parley/parley.h"
#include "parley/testing/pair.h"

#include "api/peer_connection_core.h"

namespace parley {
namespace {

class RecyclingTest : public ::testing::Test {
 protected:
  RecyclingTest() : pair_(options()) {}

  static testing::PairOptions options() {
    testing::PairOptions out;
    out.signalingDelay = Duration::zero();
    // Without addresses there are no candidates: negotiation alone.
    out.configurationA.useAddress = [](const NetworkInterface&, const IpAddress&) { return false; };
    out.configurationB.useAddress = out.configurationA.useAddress;
    return out;
  }
  template <class Start>
  void done(Start start) {
    bool good = false;
    start([&](const Result<void>& result) { good = result.has_value(); });
    ASSERT_TRUE(pair_.runUntil([&] { return good; }, Duration::seconds(1)));
  }
  void negotiate(PeerConnection& from, PeerConnection& to) {
    done([&](auto then) { from.setLocalDescription(then); });
    done([&](auto then) { to.setRemoteDescription(*from.localDescription(), then); });
    done([&](auto then) { to.setLocalDescription(then); });
    done([&](auto then) { from.setRemoteDescription(*to.localDescription(), then); });
  }
  static size_t kept(PeerConnection& pc) { return pc.core()->slotCount(); }
  void recycle() {
    TransceiverInit init;
    init.streams = {"s"};
    RtpTransceiver transceiver = pair_.a().addTransceiver(MediaKind::Audio, init).value();
    negotiate(pair_.a(), pair_.b());
    ASSERT_EQ(pair_.b().getTransceivers().size(), 1u);
    RtpReceiver receiver = pair_.b().getReceivers()[0];
    (void)receiver.setJitterBufferTarget(50.0);
    receiver.onTelephoneEvent([](const TelephoneEvent&) {});
    (void)receiver.setPacketSink([](const auto&) {});
    (void)transceiver.sender().getParameters();
    ASSERT_TRUE(transceiver.stop());
    negotiate(pair_.a(), pair_.b());
    ASSERT_TRUE(pair_.a().getTransceivers().empty());
  }

  testing::Pair pair_;
};

TEST_F(RecyclingTest, AThousandSectionsLeaveNothingBehind) {
  for (int i = 0; i < 1000; ++i) {
    ASSERT_NO_FATAL_FAILURE(recycle()) << "round " << i;
    ASSERT_LE(kept(pair_.a()), 2u);
    ASSERT_LE(kept(pair_.b()), 2u);
  }
  // Their one section has had a thousand names.
  EXPECT_NE(pair_.a().localDescription()->sdp.find("a=mid:999"), std::string::npos);
  const std::string sdp = pair_.a().localDescription()->sdp;
  EXPECT_EQ(sdp.find("m=", sdp.find("m=") + 2), std::string::npos) << "one section";
}

TEST_F(RecyclingTest, HandlesOutliveTheirTransceiver) {
  bool ended = false;
  RtpTransceiver theirs;
  pair_.b().onTrack([&](const TrackEvent& event) {
    theirs = event.transceiver;
    MediaStreamTrack track = event.track;
    track.onEnded([&] { ended = true; });
  });
  RtpTransceiver ours = pair_.a().addTransceiver(MediaKind::Video).value();
  negotiate(pair_.a(), pair_.b());
  const RtpSender sender = ours.sender();
  ASSERT_TRUE(ours.stop());
  negotiate(pair_.a(), pair_.b());
  pair_.run(Duration::millis(5));
  EXPECT_TRUE(ended);
  for (const RtpTransceiver* t : {&ours, &theirs}) {
    EXPECT_EQ(t->kind(), MediaKind::Video);
    EXPECT_TRUE(t->stopped());
    EXPECT_FALSE(t->mid());
    EXPECT_EQ(t->receiver().track().readyState(), TrackState::Ended);
  }
  EXPECT_EQ(ours.sender(), sender);
  EXPECT_EQ(sender.getParameters().encodings.size(), 1u);
  EXPECT_TRUE(pair_.a().removeTrack(sender));
  EXPECT_EQ(kept(pair_.a()), 1u);
  ours = {};
  recycle();
  EXPECT_LE(kept(pair_.a()), 2u);
}

}  // namespace
}  // namespace parley
