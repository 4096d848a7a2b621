// webrtc-pc sections 4.4.2 and 5.6: how long a wish for an ICE restart lasts, and what of the
// transports it leaves.

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class Restart : public Peers {
 protected:
  void SetUp() override {
    (void)a.createDataChannel("c");
    negotiate(a, b);
    run();
  }
  static std::string ufrag(const PeerConnection& pc) {
    const std::string sdp = pc.localDescription()->sdp;
    const size_t at = sdp.find("a=ice-ufrag:");
    return sdp.substr(at, sdp.find('\n', at) - at);
  }
  /// Whether `pc` asks for an offer within the next moment.
  bool asks(PeerConnection& pc) {
    bool fired = false;
    pc.onNegotiationNeeded([&] { fired = true; });
    run();
    pc.onNegotiationNeeded({});
    return fired;
  }
};

TEST_F(Restart, S4_4_2_AWishForARestartSurvivesARollback) {
  const std::string before = ufrag(a);
  a.restartIce();
  EXPECT_TRUE(asks(a));
  ASSERT_TRUE(setLocal(a));
  EXPECT_NE(ufrag(a), before);
  a.setLocalDescription({SdpType::Rollback, {}}, [](Result<void>) {});
  EXPECT_TRUE(asks(a));
  EXPECT_EQ(ufrag(a), before) << "as it was agreed";
  negotiate(a, b);
  EXPECT_NE(ufrag(a), before);
  EXPECT_FALSE(asks(a));
}

TEST_F(Restart, S4_4_2_AWishDuringAnOfferIsForTheNextOne) {
  ASSERT_TRUE(setLocal(a));
  const std::string offered = ufrag(a);
  a.restartIce();
  EXPECT_FALSE(asks(a)) << "not before it is stable again";
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  a.setRemoteDescription(*b.localDescription(), [](Result<void>) {});
  EXPECT_TRUE(asks(a));
  EXPECT_EQ(ufrag(a), offered);
  negotiate(a, b);
  EXPECT_NE(ufrag(a), offered);
}

TEST_F(Restart, S4_4_2_AnOfferOfThePeerThatKeepsItsPathLeavesTheWish) {
  const std::string before = ufrag(a);
  a.restartIce();
  EXPECT_TRUE(asks(a));
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  a.setLocalDescription([](Result<void>) {});
  EXPECT_TRUE(asks(a)) << "the answer has changed nothing";
  EXPECT_EQ(ufrag(a), before);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  negotiate(a, b);
  EXPECT_NE(ufrag(a), before);
}

TEST_F(Restart, S4_4_2_ARestartOfThePeerSatisfiesTheWish) {
  const std::string before = ufrag(a);
  a.restartIce();
  EXPECT_TRUE(asks(a));
  b.restartIce();
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  a.setLocalDescription([](Result<void>) {});
  EXPECT_FALSE(asks(a));
  EXPECT_NE(ufrag(a), before) << "its answer has new ones too";
}

TEST_F(Restart, S4_4_2_NothingRestartsOnceClosed) {
  const std::string before = ufrag(a);
  a.close();
  a.restartIce();
  EXPECT_FALSE(asks(a));
  EXPECT_EQ(ufrag(a), before);
}

TEST_F(Restart, S5_6_ARestartLeavesTheTransportsWhatTheyAre) {
  trickle();
  ASSERT_TRUE(setLocal(a, offer(a, {.iceRestart = true}).value()));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  ASSERT_TRUE(runUntil([&] { return a.connectionState() == PeerConnectionState::Connected; }));
  const DtlsTransport dtls = a.sctp().transport();
  const IceTransport ice = dtls.iceTransport();
  const auto certificates = dtls.getRemoteCertificates();
  a.restartIce();
  negotiate(a, b);
  run(Duration::seconds(2));
  EXPECT_EQ(a.sctp().transport(), dtls) << "SameObject";
  EXPECT_EQ(a.sctp().transport().iceTransport(), ice);
  EXPECT_EQ(dtls.state(), DtlsTransportState::Connected) << "no second handshake";
  EXPECT_EQ(dtls.getRemoteCertificates(), certificates);
}

TEST_F(Restart, S5_6_GatheringIsToldByTheTransportFirst) {
  ASSERT_TRUE(runUntil([&] { return a.iceGatheringState() == IceGatheringState::Complete; }));
  IceTransport ice = a.sctp().transport().iceTransport();
  EXPECT_EQ(ice.gatheringState(), IceGathererState::Complete);
  const size_t known = ice.getLocalCandidates().size();
  EXPECT_GT(known, 0u);
  Log log;
  ice.onGatheringStateChange([&](IceGathererState state) {
    EXPECT_EQ(ice.gatheringState(), state);
    log.add(std::string("transport ") + toString(state));
  });
  a.onIceGatheringStateChange(
      [&](IceGatheringState state) { log.add(std::string("connection ") + toString(state)); });
  a.restartIce();
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(runUntil([&] { return log.size() == 4; }));
  EXPECT_EQ(log.take(), (Lines{"transport gathering", "connection gathering", "transport complete",
                               "connection complete"}));
  EXPECT_EQ(ice.getLocalCandidates().size(), known) << "those of this generation alone";
}

}  // namespace
}  // namespace parley::conformance
