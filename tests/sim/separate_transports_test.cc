// Calls with a peer that does not bundle: sound, picture and data each over a transport of its own
// (RFC 9143 section 7, RFC 9429 section 4.1.1).

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

class SeparateTransportsSim : public ::testing::Test {
 protected:
  struct End {
    uint64_t frames = 0;
    uint64_t sound = 0;
    std::vector<std::string> messages;
    std::vector<std::string> states;
  };

  void setUp(BundlePolicy policy, bool fromBoth = true) {
    PairOptions options;
    options.configurationA.bundlePolicy = policy;
    pair = std::make_unique<Pair>(options);
    watch(pair->a(), atA);
    watch(pair->b(), atB);
    addMedia(pair->a(), pair->loopA());
    if (fromBoth) addMedia(pair->b(), pair->loopB());
    channel = pair->a().createDataChannel("data").value();
    channel.onMessage(
        [this](const DataMessage& m) { atA.messages.push_back(std::string(m.text())); });
  }
  static void addMedia(PeerConnection& pc, const std::shared_ptr<Loop>& loop) {
    ASSERT_TRUE(pc.addTrack(MediaStreamTrack::createAudio(loop, createToneSource(440)), {"s"}));
    ASSERT_TRUE(pc.addTrack(
        MediaStreamTrack::createVideo(loop, createTestPatternSource(160, 120, 30)), {"s"}));
  }
  static void watch(PeerConnection& pc, End& end) {
    pc.onTrack([&end](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      if (track.kind() == MediaKind::Video) {
        track.setVideoSink([&end](const codec::VideoFrame&) { ++end.frames; });
      } else {
        track.setAudioSink([&end](const codec::AudioFrame&) { ++end.sound; });
      }
    });
    pc.onDataChannel([&end](DataChannel made) {
      made.onMessage([&end, made](const DataMessage& m) mutable {
        end.messages.push_back(std::string(m.text()));
        (void)made.send("answer");
      });
    });
    pc.onConnectionStateChange(
        [&end](PeerConnectionState s) { end.states.push_back(toString(s)); });
  }

  /// Neither sees that the other would bundle.
  static SessionDescription withoutGroup(SessionDescription d) {
    const size_t at = d.sdp.find("a=group:BUNDLE");
    if (at != std::string::npos) d.sdp.erase(at, d.sdp.find("\r\n", at) + 2 - at);
    return d;
  }
  void negotiate(bool apart = true, bool offerFromB = false) {
    PeerConnection& from = offerFromB ? pair->b() : pair->a();
    PeerConnection& to = offerFromB ? pair->a() : pair->b();
    std::vector<std::string> failed;
    const auto note = [&](Result<void> r) {
      if (!r) failed.push_back(r.error().message);
    };
    from.setLocalDescription(note);
    pair->run(Duration::millis(5));
    const SessionDescription offer = *from.localDescription();
    to.setRemoteDescription(apart ? withoutGroup(offer) : offer, note);
    to.setLocalDescription(note);
    pair->run(Duration::millis(5));
    const SessionDescription answer = *to.localDescription();
    from.setRemoteDescription(apart ? withoutGroup(answer) : answer, note);
    pair->run(Duration::millis(5));
    ASSERT_TRUE(failed.empty()) << failed.front();
  }
  bool isConnected() {
    return pair->a().connectionState() == PeerConnectionState::Connected &&
           pair->b().connectionState() == PeerConnectionState::Connected;
  }
  bool connect() {
    return pair->runUntil([&] { return isConnected(); }, Duration::seconds(10));
  }
  /// Everything flows, both ways.
  void expectFlow() {
    const End a = atA, b = atB;
    if (channel.readyState() != DataChannelState::Open)
      pair->runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                     Duration::seconds(5));
    ASSERT_TRUE(channel.send("hello"));
    pair->run(Duration::seconds(3));
    EXPECT_GT(atA.frames, a.frames + 60);
    EXPECT_GT(atB.frames, b.frames + 60);
    EXPECT_GT(atA.sound, a.sound + 250);
    EXPECT_GT(atB.sound, b.sound + 250);
    EXPECT_EQ(atB.messages.size(), b.messages.size() + 1);
    EXPECT_EQ(atA.messages.size(), a.messages.size() + 1);
    EXPECT_TRUE(pair->errors().empty()) << pair->errors().front();
  }
  StatsReport stats(PeerConnection& pc) {
    StatsReport out;
    pc.getStats([&](Result<StatsReport> r) { out = *std::move(r); });
    pair->run(Duration::millis(1));
    return out;
  }

  std::unique_ptr<Pair> pair;
  DataChannel channel;
  End atA, atB;
};

TEST_F(SeparateTransportsSim, EachSectionHasItsOwn) {
  for (const BundlePolicy policy : {BundlePolicy::Balanced, BundlePolicy::MaxCompat}) {
    SCOPED_TRACE(toString(policy));
    atA = atB = {};
    setUp(policy);
    negotiate();
    ASSERT_TRUE(connect());
    expectFlow();
    for (PeerConnection* pc : {&pair->a(), &pair->b()}) {
      EXPECT_EQ(pc->iceConnectionState(),
                pc == &pair->a() ? IceConnectionState::Completed : pc->iceConnectionState());
      EXPECT_EQ(pc->iceGatheringState(), IceGatheringState::Complete);
      std::vector<DtlsTransport> all;
      for (RtpTransceiver& t : pc->getTransceivers()) {
        all.push_back(t.sender().transport());
        EXPECT_EQ(t.sender().transport(), t.receiver().transport());
      }
      all.push_back(pc->sctp().transport());
      ASSERT_EQ(all.size(), 3u);
      std::set<std::string> ports;
      for (size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(all[i].state(), DtlsTransportState::Connected);
        EXPECT_EQ(all[i].getRemoteCertificates().size(), 1u);
        EXPECT_EQ(all[i].iceTransport().gatheringState(), IceGathererState::Complete);
        EXPECT_FALSE(all[i].iceTransport().getLocalCandidates().empty());
        EXPECT_FALSE(all[i].iceTransport().getRemoteCandidates().empty());
        EXPECT_TRUE(all[i].iceTransport().getLocalParameters());
        EXPECT_TRUE(all[i].iceTransport().getRemoteParameters());
        const auto selected = all[i].iceTransport().getSelectedCandidatePair();
        ASSERT_TRUE(selected);
        ports.insert(selected->local.candidate);
        for (size_t k = 0; k < i; ++k) EXPECT_FALSE(all[i] == all[k]);
      }
      EXPECT_EQ(ports.size(), 3u) << "no two share a socket";
      const StatsReport report = stats(*pc);
      std::set<std::string> transports;
      for (const Stats* t : report.ofType("transport")) {
        EXPECT_EQ(t->text("dtlsState"), "connected");
        EXPECT_GT(t->number("packetsReceived"), 5);
        transports.insert(t->id);
      }
      EXPECT_EQ(transports.size(), 3u);
      std::set<std::string> used;
      for (const char* type : {"outbound-rtp", "inbound-rtp", "sctp-transport"}) {
        for (const Stats* s : report.ofType(type)) used.insert(s->text("transportId"));
      }
      EXPECT_EQ(used, transports);
    }
  }
}

TEST_F(SeparateTransportsSim, UnderMaxCompatAPeerThatBundlesLeavesOne) {
  setUp(BundlePolicy::MaxCompat);
  DtlsTransport own;
  pair->a().onSignalingStateChange([&](SignalingState s) {
    if (s == SignalingState::HaveLocalOffer)
      own = pair->a().getTransceivers()[1].sender().transport();
  });
  negotiate(false);
  ASSERT_TRUE(connect());
  expectFlow();
  ASSERT_TRUE(own);
  EXPECT_EQ(own.ownOf(), 1u);
  EXPECT_EQ(own.state(), DtlsTransportState::Closed);
  EXPECT_EQ(own.iceTransport().state(), IceTransportState::Closed);
  EXPECT_EQ(pair->a().getTransceivers()[1].sender().transport(),
            pair->a().getTransceivers()[0].sender().transport());
  EXPECT_EQ(stats(pair->a()).ofType("transport").size(), 1u);
}

TEST_F(SeparateTransportsSim, RestartsAndFurtherOffersKeepThemApart) {
  setUp(BundlePolicy::Balanced);
  negotiate();
  ASSERT_TRUE(connect());
  expectFlow();
  const auto before = pair->a().getTransceivers()[1].sender().transport().iceTransport();
  const std::string ufrag = before.getLocalParameters()->usernameFragment;
  pair->a().restartIce();
  negotiate();
  EXPECT_NE(before.getLocalParameters()->usernameFragment, ufrag);
  pair->run(Duration::seconds(2));
  expectFlow();
  negotiate(true, true);
  expectFlow();
}

TEST_F(SeparateTransportsSim, SectionsMoveIntoABundleThatComesLater) {
  setUp(BundlePolicy::Balanced);
  negotiate();
  ASSERT_TRUE(connect());
  expectFlow();
  // As a peer would offer that has learnt to bundle. Channels end with their association.
  pair->b().setLocalDescription([](Result<void>) {});
  pair->run(Duration::millis(5));
  SessionDescription offer = *pair->b().localDescription();
  ASSERT_EQ(offer.sdp.find("a=group"), std::string::npos);
  offer.sdp.insert(offer.sdp.find("m=audio"), "a=group:BUNDLE 0 1\r\n");
  std::vector<std::string> failed;
  const auto note = [&](Result<void> r) {
    if (!r) failed.push_back(r.error().message);
  };
  pair->a().setRemoteDescription(offer, note);
  pair->a().setLocalDescription(note);
  pair->run(Duration::millis(5));
  pair->b().setRemoteDescription(*pair->a().localDescription(), note);
  pair->run(Duration::seconds(1));
  ASSERT_TRUE(failed.empty()) << failed.front();
  EXPECT_EQ(stats(pair->a()).ofType("transport").size(), 2u);
  EXPECT_EQ(stats(pair->b()).ofType("transport").size(), 2u);
  expectFlow();
}

TEST_F(SeparateTransportsSim, OneThatFailsFailsTheConnection) {
  setUp(BundlePolicy::Balanced);
  negotiate();
  ASSERT_TRUE(connect());
  expectFlow();
  ASSERT_TRUE(pair->a().getTransceivers()[0].stop());
  negotiate();
  pair->run(Duration::seconds(2));
  EXPECT_EQ(pair->a().connectionState(), PeerConnectionState::Connected);
  EXPECT_EQ(pair->b().connectionState(), PeerConnectionState::Connected);
  atA = atB = {};
  pair->run(Duration::seconds(2));
  EXPECT_GT(atB.frames, 40u) << "the picture goes on without the first section";
  EXPECT_EQ(atB.sound, 0u);
  pair->b().close();
  EXPECT_TRUE(pair->runUntil(
      [&] {
        return pair->a().getTransceivers()[0].sender().transport().state() ==
               DtlsTransportState::Closed;
      },
      Duration::seconds(5)));
}

TEST_F(SeparateTransportsSim, TheDiagnosisIsOfAllOfThem) {
  setUp(BundlePolicy::MaxCompat);
  negotiate();
  ASSERT_TRUE(connect());
  const Diagnosis works = pair->a().diagnose();
  EXPECT_EQ(works.verdict.code, VerdictCode::Working) << works.text();
  EXPECT_NE(works.verdict.text.find("the first of 3 transports"), std::string::npos);
  EXPECT_EQ(works.mid, "0");
  ASSERT_EQ(works.others.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(works.others[i].mid, std::to_string(i + 1));
    EXPECT_EQ(works.others[i].verdict.code, VerdictCode::Working);
    EXPECT_FALSE(works.others[i].timeline.empty());
    EXPECT_TRUE(works.others[i].others.empty());
  }
  EXPECT_NE(works.json().find("\"others\":[{\"verdict\":\"working\""), std::string::npos);
  EXPECT_NE(works.text().find("section \"2\": connected"), std::string::npos) << works.text();
  // The way of one of them is cut.
  const std::string sdp = pair->a().currentLocalDescription()->sdp;
  std::set<uint16_t> blocked;
  for (size_t at = sdp.find("a=candidate:", sdp.find("m=application")); at != std::string::npos;
       at = sdp.find("a=candidate:", at + 1)) {
    // a=candidate:FOUNDATION COMPONENT PROTOCOL PRIORITY ADDRESS PORT
    size_t port = at;
    for (int word = 0; word < 5; ++word) port = sdp.find(' ', port) + 1;
    blocked.insert(static_cast<uint16_t>(std::stoi(sdp.substr(port))));
  }
  ASSERT_FALSE(blocked.empty());
  pair->hostA().port(0).up.dropAll(
      [blocked](const sim::Packet& packet) { return blocked.contains(packet.from.port); });
  ASSERT_TRUE(pair->runUntil(
      [&] { return pair->b().connectionState() == PeerConnectionState::Disconnected; },
      Duration::seconds(60)));
  const Diagnosis broken = pair->b().diagnose();
  EXPECT_EQ(broken.verdict.code, VerdictCode::PeerSilent) << broken.text();
  EXPECT_EQ(broken.verdict.text.rfind("section \"2\": nothing", 0), 0u) << broken.text();
}

}  // namespace
}  // namespace parley
