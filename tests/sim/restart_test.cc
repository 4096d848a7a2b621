// ICE restart and renegotiation through the facade, on the simulated network.

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;

std::string ufragOf(const std::string& sdp) {
  const size_t at = sdp.find("a=ice-ufrag:");
  return at == std::string::npos ? "" : sdp.substr(at + 12, sdp.find('\r', at) - at - 12);
}

TEST(RestartSim, BothSidesGetNewCredentialsAndDataGoesOn) {
  for (const bool fromB : {false, true}) {
    Pair pair;
    DataChannel channel = pair.a().createDataChannel("c").value();
    int received = 0;
    pair.b().onDataChannel(
        [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++received; }); });
    ASSERT_TRUE(pair.connect());
    ASSERT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                              Duration::seconds(5)));
    const std::string oldA = ufragOf(pair.a().localDescription()->sdp);
    const std::string oldB = ufragOf(pair.b().localDescription()->sdp);
    (fromB ? pair.b() : pair.a()).restartIce();
    pair.negotiate(fromB);
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(channel.send("tick"));
      pair.run(Duration::millis(20));
    }
    pair.run(Duration::seconds(3));
    EXPECT_NE(ufragOf(pair.a().localDescription()->sdp), oldA);
    EXPECT_NE(ufragOf(pair.b().localDescription()->sdp), oldB);
    EXPECT_NE(pair.a().localDescription()->sdp.find("a=candidate:"), std::string::npos);
    EXPECT_EQ(received, 50);
    EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);
    EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
  }
}

// Consent expires after 30 s (RFC 7675), so ICE has failed when the network comes back.
TEST(RestartSim, RestartIceRevivesACallWhoseNetworkWasAwayFor45Seconds) {
  for (const bool fromB : {false, true}) {
    SCOPED_TRACE(fromB);
    Pair pair;
    DataChannel channel = pair.a().createDataChannel("c").value();
    int received = 0;
    pair.b().onDataChannel(
        [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++received; }); });
    ASSERT_TRUE(pair.a().addTrack(
        MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 30)), {"s"}));
    uint64_t frames = 0;
    pair.b().onTrack([&](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      track.setVideoSink([&](const codec::VideoFrame&) { ++frames; });
    });
    ASSERT_TRUE(pair.connect());
    pair.run(Duration::seconds(1));
    EXPECT_GT(frames, 15u);

    pair.hostA().setUp(pair.hostA().port(0), false);
    pair.run(Duration::seconds(45));
    EXPECT_EQ(pair.a().iceConnectionState(), IceConnectionState::Failed);
    EXPECT_EQ(pair.b().iceConnectionState(), IceConnectionState::Failed);
    pair.hostA().setUp(pair.hostA().port(0), true);
    pair.run(Duration::seconds(1));
    (fromB ? pair.b() : pair.a()).restartIce();
    pair.negotiate(fromB);
    ASSERT_TRUE(pair.runUntil(
        [&] {
          return pair.a().connectionState() == PeerConnectionState::Connected &&
                 pair.b().connectionState() == PeerConnectionState::Connected;
        },
        Duration::seconds(10)));
    frames = 0;
    ASSERT_TRUE(channel.send("back"));
    pair.run(Duration::seconds(10));
    EXPECT_GT(frames, 200u);
    EXPECT_EQ(received, 1);
    EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
  }
}

TEST(RestartSim, RolledBackRestartLeavesTheDescriptionAsItWas) {
  Pair pair;
  (void)pair.a().createDataChannel("c");
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  const std::string before = pair.a().localDescription()->sdp;
  ASSERT_NE(before.find("a=candidate:"), std::string::npos);
  const auto fine = [](Result<void> r) { EXPECT_TRUE(r); };
  for (int round = 0; round < 2; ++round) {
    pair.a().restartIce();
    pair.a().setLocalDescription(fine);
    pair.run(Duration::millis(round == 0 ? 0 : 500));
    pair.a().setLocalDescription(SessionDescription{SdpType::Rollback, ""}, fine);
    pair.run(Duration::seconds(1));
    EXPECT_EQ(pair.a().localDescription()->sdp, before);
  }
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);
}

TEST(RestartSim, VideoIsAddedRemovedAndAddedAgain) {
  Pair pair;
  ASSERT_TRUE(
      pair.a().addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"}));
  uint64_t frames = 0, sound = 0;
  int tracks = 0;
  pair.b().onTrack([&](const TrackEvent& event) {
    ++tracks;
    MediaStreamTrack track = event.track;
    if (track.kind() == MediaKind::Video) {
      track.setVideoSink([&](const codec::VideoFrame&) { ++frames; });
    } else {
      track.setAudioSink([&](const codec::AudioFrame&) { ++sound; });
    }
  });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(2));
  EXPECT_GT(sound, 100u);
  for (int round = 0; round < 3; ++round) {
    MediaStreamTrack video =
        MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 30));
    RtpSender sender = pair.a().addTrack(video, {"s"}).value();
    pair.negotiate();
    frames = 0;
    pair.run(Duration::seconds(3));
    EXPECT_GT(frames, 60u) << "round " << round;
    ASSERT_TRUE(pair.a().removeTrack(sender));
    pair.negotiate();
    pair.run(Duration::seconds(1));
    frames = 0;
    sound = 0;
    pair.run(Duration::seconds(1));
    EXPECT_EQ(frames, 0u) << "round " << round;
    EXPECT_GT(sound, 80u) << "round " << round;
  }
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
}

TEST(RestartSim, NegotiationNeededFiresOnceForManyChanges) {
  Pair pair;
  int needed = 0;
  pair.a().onNegotiationNeeded([&] { ++needed; });
  (void)pair.a().createDataChannel("one");
  (void)pair.a().createDataChannel("two");
  (void)pair.a().addTransceiver(MediaKind::Audio);
  pair.run(Duration::millis(10));
  EXPECT_EQ(needed, 1);
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  EXPECT_EQ(needed, 1);
  (void)pair.a().addTransceiver(MediaKind::Video);
  pair.run(Duration::millis(10));
  EXPECT_EQ(needed, 2);
}

TEST(RestartSim, GlareEndsInOneNegotiationAtATime) {
  // Both offer at once; the polite side's offer is rolled back by the other's (perfect
  // negotiation).
  Pair pair;
  (void)pair.a().createDataChannel("from a");
  (void)pair.b().addTransceiver(MediaKind::Audio);
  std::vector<SignalingState> states;
  pair.b().onSignalingStateChange([&](SignalingState s) { states.push_back(s); });
  pair.b().setLocalDescription([](Result<void> r) { EXPECT_TRUE(r); });
  pair.negotiate();
  ASSERT_TRUE(
      pair.runUntil([&] { return pair.a().connectionState() == PeerConnectionState::Connected; },
                    Duration::seconds(10)));
  EXPECT_EQ(states, (std::vector{SignalingState::HaveLocalOffer, SignalingState::Stable,
                                 SignalingState::HaveRemoteOffer, SignalingState::Stable}));
  // What the rolled back offer wanted is still wanted, and comes with the next round.
  pair.negotiate(true);
  pair.run(Duration::seconds(1));
  EXPECT_EQ(pair.a().getTransceivers().size(), 1u);
  EXPECT_EQ(pair.b().getTransceivers().size(), 1u);
  // Candidates of the rolled back offer found no description to belong to; nothing else went wrong.
  for (const std::string& error : pair.errors())
    EXPECT_EQ(error.find("addIceCandidate"), 0u) << error;
}

}  // namespace
}  // namespace parley
