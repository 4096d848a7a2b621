// webrtc-pc sections 4.3, 4.4.2, 4.6 and 4.7: states, descriptions, and when to negotiate.

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class Negotiation : public Peers {
 protected:
  static auto stateOf(PeerConnection& pc) { return pc.signalingState(); }
  /// How often negotiationneeded fires because of `change`.
  template <class Change>
  int neededAfter(PeerConnection& pc, Change change) {
    run();
    int fired = 0;
    pc.onNegotiationNeeded([&] { ++fired; });
    change();
    run();
    pc.onNegotiationNeeded({});
    return fired;
  }
};

TEST_F(Negotiation, S4_3_1_StatesOfAnOfferAndItsAnswer) {
  (void)a.addTransceiver(MediaKind::Audio);
  EXPECT_EQ(stateOf(a), SignalingState::Stable);
  ASSERT_TRUE(setLocal(a));
  EXPECT_EQ(stateOf(a), SignalingState::HaveLocalOffer);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  EXPECT_EQ(stateOf(b), SignalingState::HaveRemoteOffer);
  SessionDescription provisional = answer(b).value();
  provisional.type = SdpType::Pranswer;
  ASSERT_TRUE(setLocal(b, provisional));
  EXPECT_EQ(stateOf(b), SignalingState::HaveLocalPranswer);
  ASSERT_TRUE(setRemote(a, provisional));
  EXPECT_EQ(stateOf(a), SignalingState::HaveRemotePranswer);
  ASSERT_TRUE(setLocal(b));
  EXPECT_EQ(stateOf(b), SignalingState::Stable);
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  EXPECT_EQ(stateOf(a), SignalingState::Stable);
  a.close();
  EXPECT_EQ(stateOf(a), SignalingState::Closed);
}

TEST_F(Negotiation, S4_3_2_GatheringBeginsWithADescription) {
  Log log;
  a.onIceGatheringStateChange([&](IceGatheringState s) { log.add(toString(s)); });
  (void)a.createDataChannel("c");
  run(Duration::seconds(1));
  EXPECT_EQ(a.iceGatheringState(), IceGatheringState::New);
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(runUntil([&] { return a.iceGatheringState() == IceGatheringState::Complete; }));
  EXPECT_EQ(log.take(), (Lines{"gathering", "complete"}));
}

TEST_F(Negotiation, S4_3_3_EachStateOfTheConnectionIsToldOnce) {
  Log log;
  a.onConnectionStateChange([&](PeerConnectionState s) {
    EXPECT_EQ(s, a.connectionState());
    log.add(toString(s));
  });
  (void)a.createDataChannel("c");
  connect();
  EXPECT_EQ(log.take(), (Lines{"connecting", "connected"}));
  a.close();
  EXPECT_EQ(a.connectionState(), PeerConnectionState::Closed);
  run();
  EXPECT_EQ(log.size(), 0u) << "closing tells nothing";
}

TEST_F(Negotiation, S4_3_4_StatesOfIceFollowThePath) {
  Log log;
  a.onIceConnectionStateChange([&](IceConnectionState s) { log.add(toString(s)); });
  (void)a.createDataChannel("c");
  connect();
  run(Duration::seconds(3));
  const Lines up = log.take();
  ASSERT_GE(up.size(), 2u);
  EXPECT_EQ(up[0], "checking");
  EXPECT_EQ(up[1], "connected");
  b.closeAndDrain();
  ASSERT_TRUE(runUntil(
      [&] {
        return a.iceConnectionState() != IceConnectionState::Connected &&
               a.iceConnectionState() != IceConnectionState::Completed;
      },
      Duration::seconds(60)));
}

TEST_F(Negotiation, S4_4_1_3_TheConnectionFailsWithItsPath) {
  Log log;
  (void)a.createDataChannel("c");
  connect();
  a.onConnectionStateChange([&](PeerConnectionState s) { log.add(toString(s)); });
  pair.world().removeNode(pair.nodeB());
  EXPECT_TRUE(runUntil([&] { return a.connectionState() == PeerConnectionState::Failed; },
                       Duration::seconds(60)));
  EXPECT_EQ(log.take(), (Lines{"disconnected", "failed"}));
}

TEST_F(Negotiation, S4_4_2_CreateOfferNeedsAStateThatOffers) {
  (void)a.addTransceiver(MediaKind::Audio);
  EXPECT_TRUE(offer(a));
  ASSERT_TRUE(setLocal(a));
  EXPECT_TRUE(offer(a)) << "have-local-offer";
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  expectError(offer(b), ErrorCode::InvalidState);
  b.close();
  expectError(offer(b), ErrorCode::InvalidState);
}

TEST_F(Negotiation, S4_4_2_CreateAnswerNeedsAnOffer) {
  expectError(answer(a), ErrorCode::InvalidState);
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  expectError(answer(a), ErrorCode::InvalidState);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  const Result<SessionDescription> made = answer(b);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->type, SdpType::Answer);
  EXPECT_EQ(stateOf(b), SignalingState::HaveRemoteOffer) << "nothing is applied";
}

TEST_F(Negotiation, S4_4_2_DescriptionsArePendingUntilTheAnswer) {
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  EXPECT_TRUE(a.pendingLocalDescription());
  EXPECT_FALSE(a.currentLocalDescription());
  EXPECT_EQ(a.localDescription()->sdp, a.pendingLocalDescription()->sdp);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  EXPECT_TRUE(b.pendingRemoteDescription());
  EXPECT_FALSE(b.currentRemoteDescription());
  ASSERT_TRUE(setLocal(b));
  EXPECT_TRUE(b.currentLocalDescription() && b.currentRemoteDescription());
  EXPECT_FALSE(b.pendingLocalDescription() || b.pendingRemoteDescription());
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  EXPECT_TRUE(a.currentLocalDescription() && a.currentRemoteDescription());
  EXPECT_FALSE(a.pendingLocalDescription() || a.pendingRemoteDescription());
}

TEST_F(Negotiation, S4_4_2_AnImplicitDescriptionIsWhatTheStateAsksFor) {
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  EXPECT_EQ(a.localDescription()->type, SdpType::Offer);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  EXPECT_EQ(b.localDescription()->type, SdpType::Answer);
}

TEST_F(Negotiation, S4_4_2_CandidatesNeedAPlaceAndADescription) {
  const std::string line = "candidate:1 1 udp 2130706431 10.1.2.3 4000 typ host";
  expectError(addCandidate(a, {line, {}, {}, {}}), ErrorCode::Type);
  expectError(addCandidate(a, {line, "0", {}, {}}), ErrorCode::InvalidState);
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  EXPECT_TRUE(addCandidate(b, {line, "0", {}, {}}));
  EXPECT_TRUE(addCandidate(b, {line, {}, 0, {}}));
  expectError(addCandidate(b, {line, "nosuch", {}, {}}), ErrorCode::Operation);
  expectError(addCandidate(b, {line, {}, 1, {}}), ErrorCode::Operation);
  expectError(addCandidate(b, {line, "0", {}, "nobody"}), ErrorCode::Operation);
  expectError(addCandidate(b, {"candidate:nonsense", "0", {}, {}}), ErrorCode::Operation);
  EXPECT_NE(b.remoteDescription()->sdp.find("10.1.2.3"), std::string::npos);
  a.close();
  expectError(addCandidate(a, {line, {}, {}, {}}), ErrorCode::Type);
  expectError(addCandidate(a, {line, "0", {}, {}}), ErrorCode::InvalidState);
}

TEST_F(Negotiation, S4_4_2_WhetherThePeerTricklesIsKnownWithItsDescription) {
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  EXPECT_FALSE(a.canTrickleIceCandidates());
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  EXPECT_EQ(b.canTrickleIceCandidates(), true);
  SessionDescription silent = offer(a).value();
  for (size_t at; (at = silent.sdp.find("a=ice-options:")) != std::string::npos;)
    silent.sdp.erase(at, silent.sdp.find('\n', at) - at + 1);
  PeerConnection other = make();
  ASSERT_TRUE(setRemote(other, silent));
  EXPECT_EQ(other.canTrickleIceCandidates(), false);
}

TEST_F(Negotiation, S4_4_2_RestartIceAsksForAnOfferWithNewCredentials) {
  (void)a.createDataChannel("c");
  negotiate(a, b);
  const std::string before = a.sctp().transport().iceTransport().getLocalParameters()->password;
  EXPECT_EQ(neededAfter(a, [&] { a.restartIce(); }), 1);
  ASSERT_TRUE(setLocal(a));
  EXPECT_NE(a.sctp().transport().iceTransport().getLocalParameters()->password, before);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  EXPECT_EQ(neededAfter(a, [] {}), 0) << "once";
}

TEST_F(Negotiation, S4_4_2_CloseIsDoneWhenItReturns) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  DataChannel channel = a.createDataChannel("c").value();
  connect();
  const DtlsTransport dtls = a.sctp().transport();
  const SctpTransport sctp = a.sctp();
  Log log;
  listen(a, log);
  a.onConnectionStateChange([&](PeerConnectionState) { log.add("connectionstatechange"); });
  a.close();
  EXPECT_EQ(stateOf(a), SignalingState::Closed);
  EXPECT_EQ(a.connectionState(), PeerConnectionState::Closed);
  EXPECT_EQ(a.iceConnectionState(), IceConnectionState::Closed);
  EXPECT_TRUE(transceiver.stopped());
  EXPECT_EQ(transceiver.receiver().track().readyState(), TrackState::Ended);
  EXPECT_EQ(channel.readyState(), DataChannelState::Closed);
  EXPECT_EQ(dtls.state(), DtlsTransportState::Closed);
  EXPECT_EQ(dtls.iceTransport().state(), IceTransportState::Closed);
  EXPECT_EQ(sctp.state(), SctpTransportState::Closed);
  a.close();
  run(Duration::millis(10));
  EXPECT_EQ(log.size(), 0u);
}

TEST_F(Negotiation, S4_6_1_TypesAreSpelledAsTheSpecificationDoes) {
  for (const auto& [type, name] :
       {std::pair{SdpType::Offer, "offer"}, std::pair{SdpType::Pranswer, "pranswer"},
        std::pair{SdpType::Answer, "answer"}, std::pair{SdpType::Rollback, "rollback"}}) {
    EXPECT_STREQ(toString(type), name);
    EXPECT_EQ(fromString<SdpType>(name), type);
  }
}

TEST_F(Negotiation, S4_6_2_TheTextOfARollbackIsNotLookedAt) {
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  EXPECT_TRUE(setLocal(a, {SdpType::Rollback, "whatever"}));
  EXPECT_EQ(stateOf(a), SignalingState::Stable);
  EXPECT_FALSE(a.localDescription());
}

TEST_F(Negotiation, S4_7_1_WhatNeedsNoNegotiationAsksForNone) {
  (void)a.addTrack(audio(), {"s"});
  (void)a.createDataChannel("c");
  negotiate(a, b);
  EXPECT_EQ(neededAfter(a, [&] { (void)a.createDataChannel("another"); }), 0);
  EXPECT_EQ(neededAfter(a, [&] { a.getSenders()[0].replaceTrack(audio(), {}); }), 0);
  EXPECT_EQ(neededAfter(a, [&] { (void)a.setConfiguration(a.getConfiguration()); }), 0);
}

TEST_F(Negotiation, S4_7_2_ItIsClearedByWhatUndoesTheChange) {
  negotiate(a, b);
  RtpTransceiver transceiver;
  EXPECT_EQ(neededAfter(a, [&] { transceiver = a.addTransceiver(MediaKind::Audio).value(); }), 1);
  negotiate(a, b);
  EXPECT_EQ(neededAfter(a,
                        [&] {
                          (void)transceiver.setDirection(TransceiverDirection::Inactive);
                          (void)transceiver.setDirection(TransceiverDirection::SendRecv);
                        }),
            0)
      << "within one turn";
}

TEST_F(Negotiation, S4_7_3_TheFirstChannelAndTheFirstTransceiverAskForAnOffer) {
  EXPECT_EQ(neededAfter(a, [&] { (void)a.createDataChannel("c"); }), 1);
  EXPECT_EQ(neededAfter(a, [&] { (void)a.addTransceiver(MediaKind::Video); }), 0)
      << "it has been asked for";
  EXPECT_EQ(neededAfter(b, [&] { (void)b.addTransceiver(MediaKind::Video); }), 1);
}

TEST_F(Negotiation, S4_7_3_ChangesOfATransceiverAskForAnOffer) {
  RtpSender sender = a.addTrack(audio(), {"s"}).value();
  negotiate(a, b);
  RtpTransceiver transceiver = a.getTransceivers()[0];
  EXPECT_EQ(neededAfter(a, [&] { (void)transceiver.setDirection(TransceiverDirection::Inactive); }),
            1);
  negotiate(a, b);
  EXPECT_EQ(neededAfter(a, [&] { (void)transceiver.setDirection(TransceiverDirection::SendRecv); }),
            1);
  negotiate(a, b);
  EXPECT_EQ(neededAfter(a, [&] { (void)sender.setStreams({"another"}); }), 1);
  negotiate(a, b);
  EXPECT_EQ(neededAfter(a, [&] { (void)a.removeTrack(sender); }), 1);
  negotiate(a, b);
  EXPECT_EQ(neededAfter(a, [&] { (void)transceiver.stop(); }), 1);
  negotiate(a, b);
  EXPECT_EQ(neededAfter(a, [] {}), 0);
}

TEST_F(Negotiation, S4_7_3_TheAnswererIsAskedForWhatItsAnswerDidNotGive) {
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  int fired = 0;
  b.onNegotiationNeeded([&] { ++fired; });
  (void)b.addTransceiver(MediaKind::Video);
  run();
  EXPECT_EQ(fired, 0) << "not before it is stable again";
  ASSERT_TRUE(setLocal(b));
  run();
  EXPECT_EQ(fired, 1);
}

TEST_F(Negotiation, S4_7_3_ARollbackAsksAgain) {
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  EXPECT_EQ(neededAfter(a,
                        [&] {
                          a.setLocalDescription({SdpType::Rollback, {}}, [](Result<void>) {});
                        }),
            1);
}

TEST_F(Negotiation, S4_4_1_5_AProvisionalAnswerConnects) {
  (void)a.createDataChannel("c");
  trickle();
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  SessionDescription provisional = answer(b).value();
  provisional.type = SdpType::Pranswer;
  ASSERT_TRUE(setLocal(b, provisional));
  ASSERT_TRUE(setRemote(a, provisional));
  EXPECT_TRUE(runUntil([&] { return a.connectionState() == PeerConnectionState::Connected; }));
  EXPECT_EQ(stateOf(a), SignalingState::HaveRemotePranswer);
  EXPECT_FALSE(a.currentLocalDescription());
}

TEST_F(Negotiation, S4_4_1_5_AnAnswerMustFitItsOffer) {
  (void)a.addTransceiver(MediaKind::Audio);
  (void)a.addTransceiver(MediaKind::Video);
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  const SessionDescription good = answer(b).value();
  SessionDescription shorter = good;
  shorter.sdp.erase(shorter.sdp.find("m=video"));
  const std::string group = "a=group:BUNDLE 0 1";
  shorter.sdp.replace(shorter.sdp.find(group), group.size(), "a=group:BUNDLE 0");
  expectError(setRemote(a, shorter), ErrorCode::InvalidAccess);
  SessionDescription other = good;
  other.sdp.replace(other.sdp.find("m=audio"), 7, "m=video");
  expectError(setRemote(a, other), ErrorCode::InvalidAccess);
  EXPECT_EQ(stateOf(a), SignalingState::HaveLocalOffer);
  EXPECT_TRUE(setRemote(a, good));
}

}  // namespace
}  // namespace parley::conformance
