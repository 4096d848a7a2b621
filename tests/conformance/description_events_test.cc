// webrtc-pc section 4.4.1.5: what setting a description changes and fires, and in which order.

#include <algorithm>

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class DescriptionEvents : public Peers {};

TEST_F(DescriptionEvents, S4_4_1_5_AllSlotsHaveChangedWhenTheFirstEventFires) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  bool fired = false;
  a.onSignalingStateChange([&](SignalingState state) {
    fired = true;
    EXPECT_EQ(state, SignalingState::HaveLocalOffer);
    EXPECT_EQ(a.signalingState(), state);
    EXPECT_TRUE(a.pendingLocalDescription());
    EXPECT_EQ(transceiver.mid(), "0");
    EXPECT_TRUE(transceiver.sender().transport());
  });
  a.setLocalDescription([&](Result<void>) { EXPECT_TRUE(fired); });
  EXPECT_EQ(a.signalingState(), SignalingState::Stable) << "a task changes it, not the call";
  EXPECT_FALSE(a.localDescription());
  EXPECT_FALSE(transceiver.mid());
  EXPECT_FALSE(transceiver.sender().transport());
  run();
  EXPECT_TRUE(fired);
}

TEST_F(DescriptionEvents, S4_4_1_5_OrderOfARemoteOffer) {
  (void)a.addTrack(audio(), {"stream"});
  (void)a.addTrack(video(), {"stream"});
  ASSERT_TRUE(setLocal(a));
  Log log;
  listen(b, log);
  b.setRemoteDescription(*a.localDescription(),
                         [&](Result<void> r) { log.add(r ? "resolved" : "rejected"); });
  run();
  EXPECT_EQ(log.take(), (Lines{"signalingstatechange have-remote-offer", "addtrack stream",
                               "addtrack stream", "track audio", "track video", "resolved"}));
}

TEST_F(DescriptionEvents, S4_4_1_5_OrderOfARemoval) {
  RtpSender sender = a.addTrack(audio(), {"stream"}).value();
  negotiate(a, b);
  Log log;
  listen(b, log);
  b.getReceivers()[0].track().onMute([&] { log.add("mute"); });
  // Packets have come, so that the track can fall silent.
  ASSERT_TRUE(a.removeTrack(sender));
  ASSERT_TRUE(setLocal(a));
  b.setRemoteDescription(*a.localDescription(), [&](Result<void>) { log.add("resolved"); });
  run();
  EXPECT_EQ(log.take(),
            (Lines{"signalingstatechange have-remote-offer", "removetrack stream", "resolved"}))
      << "no mute: nothing had unmuted it";
  EXPECT_TRUE(b.getReceivers()[0].track().muted());
}

TEST_F(DescriptionEvents, S4_4_1_5_AGlaringOfferRollsBackInAStepOfItsOwn) {
  (void)a.addTrack(audio());
  (void)b.addTrack(video());
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setLocal(b));
  Log log;
  listen(b, log);
  Lines seen;
  b.onSignalingStateChange([&](SignalingState state) {
    EXPECT_EQ(b.signalingState(), state) << "getters agree with the event at each of them";
    log.add(toString(state));
  });
  b.setRemoteDescription(*a.localDescription(), [&](Result<void>) { log.add("resolved"); });
  run();
  EXPECT_EQ(log.take(), (Lines{"stable", "have-remote-offer", "track audio", "resolved"}));
}

TEST_F(DescriptionEvents, S4_4_1_5_AnOfferThatCannotBeAppliedRollsNothingBack) {
  (void)b.addTrack(video());
  ASSERT_TRUE(setLocal(b));
  Log log;
  listen(b, log);
  EXPECT_FALSE(setRemote(b, {SdpType::Offer, "nonsense"}));
  EXPECT_EQ(b.signalingState(), SignalingState::HaveLocalOffer);
  EXPECT_EQ(log.take(), Lines{});
}

TEST_F(DescriptionEvents, S4_7_3_NegotiationNeededWaitsForTheChainAndFiresOnce) {
  Log log;
  listen(a, log);
  (void)a.addTransceiver(MediaKind::Audio);
  (void)a.addTransceiver(MediaKind::Video);
  EXPECT_EQ(log.size(), 0u);
  run();
  EXPECT_EQ(log.take(), Lines{"negotiationneeded"});
  (void)a.createDataChannel("c");
  run();
  EXPECT_EQ(log.take(), Lines{}) << "the flag is up already";
  a.onSignalingStateChange({});
  negotiate(a, b);
  run();
  EXPECT_EQ(log.take(), Lines{});
  (void)a.addTransceiver(MediaKind::Audio);
  a.setLocalDescription([&](Result<void>) { log.add("resolved"); });
  run();
  EXPECT_EQ(log.take(), Lines{"resolved"}) << "not between the offer and its answer";
  ASSERT_TRUE(setLocal(a, {SdpType::Rollback, ""}));
  run();
  EXPECT_EQ(log.take(), Lines{"negotiationneeded"});
}

TEST_F(DescriptionEvents, S4_4_2_RestartIceBeforeAnyDescriptionNeedsNothing) {
  Log log;
  listen(a, log);
  a.restartIce();
  run();
  EXPECT_EQ(log.take(), Lines{});
}

TEST_F(DescriptionEvents, S5_6_GatheringEndsInOneStep) {
  (void)a.createDataChannel("c");
  Log log;
  a.onIceCandidate([&](const std::optional<IceCandidate>& c) {
    if (!c) {
      log.add("null");
      EXPECT_EQ(a.iceGatheringState(), IceGatheringState::Complete);
    } else if (c->candidate.empty()) {
      log.add("end");
      EXPECT_EQ(a.iceGatheringState(), IceGatheringState::Gathering);
    } else {
      EXPECT_NE(a.localDescription()->sdp.find(c->candidate), std::string::npos)
          << "it is in the description when the event fires";
    }
  });
  a.onIceGatheringStateChange([&](IceGatheringState s) { log.add(toString(s)); });
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(runUntil([&] { return a.iceGatheringState() == IceGatheringState::Complete; }));
  EXPECT_EQ(log.take(), (Lines{"gathering", "end", "complete", "null"}));
}

TEST_F(DescriptionEvents, S4_3_3_StatesOfTheTransportComeBeforeThoseOfTheConnection) {
  (void)a.createDataChannel("c");
  Log log;
  ASSERT_TRUE(setLocal(a));
  a.onIceConnectionStateChange([&](IceConnectionState s) {
    log.add(std::string("iceconnection ") + toString(s));
    EXPECT_STREQ(
        toString(a.sctp() ? a.sctp().transport().iceTransport().state() : IceTransportState::New),
        a.sctp() ? toString(s) : "new");
  });
  a.onConnectionStateChange(
      [&](PeerConnectionState s) { log.add(std::string("connection ") + toString(s)); });
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  a.setRemoteDescription(*b.localDescription(), [&](Result<void>) {
    a.sctp().transport().iceTransport().onStateChange(
        [&](IceTransportState s) { log.add(std::string("ice ") + toString(s)); });
    a.sctp().transport().onStateChange(
        [&](DtlsTransportState s) { log.add(std::string("dtls ") + toString(s)); });
  });
  ASSERT_TRUE(runUntil([&] { return a.connectionState() == PeerConnectionState::Connected; }));
  const Lines lines = log.take();
  const auto at = [&](const char* what) {
    return std::find(lines.begin(), lines.end(), what) - lines.begin();
  };
  EXPECT_EQ(at("ice checking") + 1, at("iceconnection checking"));
  EXPECT_EQ(at("iceconnection checking") + 1, at("connection connecting"));
  EXPECT_EQ(at("ice connected") + 1, at("iceconnection connected"));
  EXPECT_EQ(at("dtls connected") + 1, at("connection connected"));
  EXPECT_EQ(a.sctp().transport().getRemoteCertificates().size(), 1u);
}

TEST_F(DescriptionEvents, S4_4_1_5_ARejectedDescriptionChangesNothing) {
  (void)a.addTrack(audio(), {"stream"});
  (void)b.addTrack(video(), {"stream"});
  ASSERT_TRUE(setLocal(a));
  std::string good = a.localDescription()->sdp;
  const auto without = [&](const std::string& line) {
    std::string text = good;
    const size_t at = text.find(line);
    EXPECT_NE(at, std::string::npos) << line;
    return text.erase(at, text.find('\n', at) + 1 - at);
  };
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
    return text;
  };
  Log log;
  listen(b, log);
  const std::string bad[] = {without("a=rtcp-mux"),
                             without("a=ice-ufrag"),
                             without("a=fingerprint"),
                             replaced("111", "72"),
                             replaced("a=ice-ufrag:", "a=ice-ufrag:$"),
                             good + "nonsense\r\n"};
  for (const std::string& text : bad) {
    const Result<void> result = setRemote(b, {SdpType::Offer, text});
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(b.signalingState(), SignalingState::Stable);
    EXPECT_FALSE(b.remoteDescription());
    EXPECT_EQ(b.getTransceivers().size(), 1u);
  }
  EXPECT_EQ(log.take(), Lines{});
  EXPECT_TRUE(setRemote(b, {SdpType::Offer, good}));
}

TEST_F(DescriptionEvents, S4_4_1_5_ARollbackBringsTracksBackToTheirStreams) {
  RtpSender sender = a.addTrack(audio(), {"one"}).value();
  negotiate(a, b);
  ASSERT_TRUE(sender.setStreams({"two"}));
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  Log log;
  listen(b, log);
  ASSERT_TRUE(setRemote(b, {SdpType::Rollback, {}}));
  EXPECT_EQ(log.take(), (Lines{"signalingstatechange stable", "removetrack two", "addtrack one",
                               "track audio"}));
}

TEST_F(DescriptionEvents, S4_4_1_4_NoTransportLeftMeansNew) {
  RtpTransceiver only = a.addTransceiver(MediaKind::Audio).value();
  negotiate(a, b);
  ASSERT_TRUE(runUntil([&] { return a.iceGatheringState() == IceGatheringState::Complete; }));
  ASSERT_TRUE(only.stop());
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  EXPECT_EQ(b.iceGatheringState(), IceGatheringState::New);
  bool fired = false;
  a.onIceGatheringStateChange([&](IceGatheringState state) {
    fired = true;
    EXPECT_EQ(state, IceGatheringState::New);
  });
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  EXPECT_TRUE(fired);
}

TEST_F(DescriptionEvents, S4_2_1_APoolIsGatheredBeforeItIsTold) {
  Configuration configuration;
  configuration.iceCandidatePoolSize = 1;
  PeerConnection pc = make(configuration);
  std::vector<std::string> told;
  pc.onIceCandidate([&](const std::optional<IceCandidate>& candidate) {
    if (candidate && !candidate->candidate.empty()) told.push_back(candidate->candidate);
  });
  run(Duration::seconds(2));
  EXPECT_TRUE(told.empty());
  EXPECT_EQ(pc.iceGatheringState(), IceGatheringState::New);
  (void)pc.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(pc));
  run();
  EXPECT_FALSE(told.empty());
  EXPECT_EQ(pc.iceGatheringState(), IceGatheringState::Complete) << "no time has passed";
  EXPECT_NE(pc.localDescription()->sdp.find("a=candidate"), std::string::npos);
  pc.close();

  // A policy that comes in time is kept.
  PeerConnection hidden = make(configuration);
  run(Duration::seconds(1));
  Configuration relayed = hidden.getConfiguration();
  relayed.iceTransportPolicy = IceTransportPolicy::Relay;
  ASSERT_TRUE(hidden.setConfiguration(relayed));
  (void)hidden.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(hidden));
  run(Duration::seconds(2));
  EXPECT_EQ(hidden.localDescription()->sdp.find("a=candidate"), std::string::npos)
      << hidden.localDescription()->sdp;
  hidden.close();
}

TEST_F(DescriptionEvents, S4_2_4_SectionsHaveTransportsOfTheirOwnUntilTheyAreBundled) {
  for (const BundlePolicy policy :
       {BundlePolicy::Balanced, BundlePolicy::MaxCompat, BundlePolicy::MaxBundle}) {
    Configuration configuration;
    configuration.bundlePolicy = policy;
    PeerConnection pc = make(configuration);
    PeerConnection other = make();
    std::vector<RtpTransceiver> all;
    for (const MediaKind kind : {MediaKind::Audio, MediaKind::Video, MediaKind::Video})
      all.push_back(pc.addTransceiver(kind).value());
    ASSERT_TRUE(setLocal(pc));
    const auto transport = [&](size_t i) { return all[i].sender().transport(); };
    EXPECT_EQ(transport(0) == transport(1), policy == BundlePolicy::MaxBundle);
    EXPECT_EQ(transport(1) == transport(2), policy != BundlePolicy::MaxCompat);
    const DtlsTransport second = transport(1);
    EXPECT_EQ(second.state(), DtlsTransportState::New);
    EXPECT_EQ(second, all[1].receiver().transport());
    ASSERT_TRUE(setRemote(other, *pc.localDescription()));
    ASSERT_TRUE(setLocal(other));
    ASSERT_TRUE(setRemote(pc, *other.localDescription()));
    EXPECT_EQ(transport(0), transport(1));
    EXPECT_EQ(transport(0), transport(2));
    EXPECT_NE(transport(0).state(), DtlsTransportState::Closed);
    if (policy != BundlePolicy::MaxBundle) {
      EXPECT_EQ(second.state(), DtlsTransportState::Closed);
      EXPECT_EQ(second.iceTransport().state(), IceTransportState::Closed);
    }
    pc.close();
    other.close();
  }
}

TEST_F(DescriptionEvents, S4_4_1_5_ARolledBackOfferLeavesChannelsWaiting) {
  DataChannel channel = b.createDataChannel("c").value();
  (void)a.addTransceiver(MediaKind::Video);
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(b, offer(a).value()));
  ASSERT_TRUE(setLocal(b));
  EXPECT_EQ(channel.readyState(), DataChannelState::Connecting);
  ASSERT_TRUE(setLocal(b));
  EXPECT_NE(b.localDescription()->sdp.find("m=application"), std::string::npos);
  run();
  EXPECT_EQ(channel.readyState(), DataChannelState::Connecting);
}

TEST_F(DescriptionEvents, S4_4_1_5_ARolledBackOfferTakesItsTransportAlong) {
  (void)a.createDataChannel("early");
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(runUntil([&] { return a.iceGatheringState() == IceGatheringState::Complete; }));
  const std::string before = a.localDescription()->sdp;
  ASSERT_TRUE(setLocal(a, {SdpType::Rollback, {}}));
  EXPECT_EQ(a.iceGatheringState(), IceGatheringState::New);
  ASSERT_TRUE(setLocal(a));
  const auto ufrag = [](const std::string& sdp) {
    const size_t at = sdp.find("a=ice-ufrag:");
    return sdp.substr(at, sdp.find('\n', at) - at);
  };
  EXPECT_NE(ufrag(a.localDescription()->sdp), ufrag(before));
  ASSERT_TRUE(runUntil([&] { return a.iceGatheringState() == IceGatheringState::Complete; }));
}

}  // namespace
}  // namespace parley::conformance
