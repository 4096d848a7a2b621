// webrtc-pc section 4.4.1.2: the operations chain, and when its operations are refused and settled.

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class Operations : public Peers {
 protected:
  template <class T>
  static Completion<T> logged(Log& log, std::string name) {
    return [&log, name](Result<T> r) {
      log.add(name + (r ? " ok" : std::string(" ") + toString(r.error().code)));
    };
  }
  // Whether the chain is empty: createAnswer without an offer is refused at once only then.
  bool chainIsEmpty(PeerConnection& pc) {
    bool refused = false;
    pc.createAnswer([&](Result<SessionDescription> r) { refused = !r; });
    pair.loopA()->deliverSettled();
    run();
    return refused;
  }
};

TEST_F(Operations, S4_4_1_2_AWrongStateIsRefusedBeforeAnythingElseRuns) {
  Log log;
  listen(a, log);
  a.restartIce();  // something that waits in the queue of tasks
  a.createAnswer(logged<SessionDescription>(log, "createAnswer"));
  a.setLocalDescription({SdpType::Rollback, ""}, logged<void>(log, "rollback"));
  a.addIceCandidate({"", "0", 0, {}}, logged<void>(log, "addIceCandidate"));
  EXPECT_EQ(log.size(), 0u) << "never inside the call";
  pair.loopA()->deliverSettled();
  EXPECT_EQ(log.take(), (Lines{"createAnswer InvalidStateError", "rollback InvalidStateError",
                               "addIceCandidate InvalidStateError"}));
}

TEST_F(Operations, S4_4_1_2_OneOperationAtATimeInTheOrderOfTheCalls) {
  Log log;
  (void)a.addTransceiver(MediaKind::Audio);
  a.createOffer(logged<SessionDescription>(log, "createOffer"));
  a.createAnswer(logged<SessionDescription>(log, "createAnswer"));
  a.setLocalDescription(logged<void>(log, "setLocalDescription"));
  pair.loopA()->deliverSettled();
  EXPECT_EQ(log.size(), 0u) << "createAnswer waits for createOffer";
  run();
  EXPECT_EQ(log.take(),
            (Lines{"createOffer ok", "createAnswer InvalidStateError", "setLocalDescription ok"}));
}

TEST_F(Operations, S4_4_1_2_EveryOperationOccupiesTheChain) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  run();
  const auto occupied = [&](auto start) {
    Log log;
    start();
    a.createAnswer(logged<SessionDescription>(log, "probe"));
    pair.loopA()->deliverSettled();
    const bool waiting = log.size() == 0;
    run();
    return waiting;
  };
  EXPECT_TRUE(occupied([&] { a.createOffer([](auto) {}); }));
  EXPECT_TRUE(occupied([&] { transceiver.sender().replaceTrack({}, [](auto) {}); }));
  EXPECT_TRUE(occupied([&] { a.setRemoteDescription({SdpType::Offer, "x"}, [](auto) {}); }));
  EXPECT_TRUE(chainIsEmpty(a));
  EXPECT_TRUE(occupied([&] { a.setLocalDescription([](auto) {}); }));
}

TEST_F(Operations, S4_4_1_2_OnAClosedConnectionTheyAreRefused) {
  Log log;
  a.close();
  a.createOffer(logged<SessionDescription>(log, "createOffer"));
  a.createAnswer(logged<SessionDescription>(log, "createAnswer"));
  a.setLocalDescription(logged<void>(log, "setLocalDescription"));
  a.setRemoteDescription({SdpType::Offer, ""}, logged<void>(log, "setRemoteDescription"));
  a.addIceCandidate({"", "0", 0, {}}, logged<void>(log, "addIceCandidate"));
  run();
  EXPECT_EQ(log.take(),
            (Lines{"createOffer InvalidStateError", "createAnswer InvalidStateError",
                   "setLocalDescription InvalidStateError",
                   "setRemoteDescription InvalidStateError", "addIceCandidate InvalidStateError"}));
}

TEST_F(Operations, S4_4_1_2_NothingSettlesAfterClose) {
  Log log;
  listen(a, log);
  (void)a.addTransceiver(MediaKind::Audio);
  a.setLocalDescription(logged<void>(log, "setLocalDescription"));
  a.createOffer(logged<SessionDescription>(log, "createOffer"));
  a.close();
  run(Duration::seconds(1));
  EXPECT_EQ(log.take(), Lines{});
}

TEST_F(Operations, S4_4_1_2_ClosingInAnEventEndsTheStep) {
  Log log;
  listen(a, log);
  (void)a.addTransceiver(MediaKind::Audio);
  a.onSignalingStateChange([&](SignalingState) {
    log.add("signalingstatechange");
    a.close();
    EXPECT_EQ(a.signalingState(), SignalingState::Closed);
  });
  a.setLocalDescription(logged<void>(log, "setLocalDescription"));
  run(Duration::seconds(1));
  EXPECT_EQ(log.take(), Lines{"signalingstatechange"});
}

TEST_F(Operations, S4_4_2_OnlyTheLastCreatedOfferMayBeSet) {
  (void)a.addTransceiver(MediaKind::Audio);
  const SessionDescription first = offer(a).value();
  (void)a.addTransceiver(MediaKind::Video);
  const SessionDescription second = offer(a).value();
  expectError(setLocal(a, first), ErrorCode::InvalidModification);
  SessionDescription changed = second;
  changed.sdp += "a=x-nothing\r\n";
  expectError(setLocal(a, changed), ErrorCode::InvalidModification);
  EXPECT_EQ(a.signalingState(), SignalingState::Stable);
  EXPECT_TRUE(setLocal(a, second));
  EXPECT_EQ(a.localDescription()->sdp, second.sdp);
}

TEST_F(Operations, S4_4_2_AnEmptyDescriptionMeansTheLastCreatedOne) {
  (void)a.addTransceiver(MediaKind::Audio);
  EXPECT_TRUE(setLocal(a, {SdpType::Offer, ""}));
  EXPECT_EQ(a.signalingState(), SignalingState::HaveLocalOffer);
  EXPECT_TRUE(setRemote(b, *a.localDescription()));
  EXPECT_TRUE(setLocal(b, {SdpType::Pranswer, ""}));
  EXPECT_EQ(b.signalingState(), SignalingState::HaveLocalPranswer);
  EXPECT_TRUE(setLocal(b));
  EXPECT_EQ(b.signalingState(), SignalingState::Stable);
  expectError(setLocal(b, {SdpType::Answer, ""}), ErrorCode::InvalidState);
}

TEST_F(Operations, S4_4_2_ARemoteSyntaxErrorHasItsLine) {
  const Result<void> result = setRemote(
      a, {SdpType::Offer, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio x y\r\n"});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().detail, ErrorDetail::SdpSyntaxError);
  EXPECT_EQ(result.error().sdpLineNumber, 5);
  EXPECT_STREQ(toString(ErrorDetail::SdpSyntaxError), "sdp-syntax-error");
}

TEST_F(Operations, S4_4_2_ReplaceTrackChecksItsKindBeforeTheChain) {
  RtpSender sender = a.addTransceiver(MediaKind::Audio).value().sender();
  Log log;
  a.createOffer(logged<SessionDescription>(log, "createOffer"));
  sender.replaceTrack(video(), logged<void>(log, "replaceTrack"));
  pair.loopA()->deliverSettled();
  EXPECT_EQ(log.take(), Lines{"replaceTrack TypeError"});
  EXPECT_TRUE(a.getTransceivers()[0].stop());
  sender.replaceTrack(audio(), logged<void>(log, "replaceTrack"));
  run();
  EXPECT_EQ(log.take(), (Lines{"createOffer ok", "replaceTrack InvalidStateError"}));
}

}  // namespace
}  // namespace parley::conformance
