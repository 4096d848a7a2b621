// Sections of a call that end while it goes on: stopped transceivers, refused data.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

struct Watched {
  uint64_t frames = 0;
  uint64_t sound = 0;
  void watch(PeerConnection& pc) {
    pc.onTrack([this](const TrackEvent& event) {
      MediaStreamTrack track = event.track;
      if (track.kind() == MediaKind::Video) {
        track.setVideoSink([this](const codec::VideoFrame&) { ++frames; });
      } else {
        track.setAudioSink([this](const codec::AudioFrame&) { ++sound; });
      }
    });
  }
};

MediaStreamTrack picture(const std::shared_ptr<Loop>& loop) {
  return MediaStreamTrack::createVideo(loop, createTestPatternSource(160, 120, 30));
}

RtpTransceiver videoOf(PeerConnection& pc) {
  for (const RtpTransceiver& transceiver : pc.getTransceivers()) {
    if (transceiver.kind() == MediaKind::Video) return transceiver;
  }
  return {};
}

// W3C: stop() ends sending and receiving at once; the negotiation only tells the other side.
TEST(SectionsSim, StopEndsMediaInBothDirectionsBeforeAnyNegotiation) {
  Pair pair;
  Watched atA, atB;
  atA.watch(pair.a());
  atB.watch(pair.b());
  ASSERT_TRUE(pair.a().addTrack(picture(pair.loopA()), {"v"}));
  ASSERT_TRUE(pair.b().addTrack(picture(pair.loopB()), {"v"}));
  ASSERT_TRUE(
      pair.a().addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"v"}));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(2));
  ASSERT_GT(atA.frames, 30u);
  ASSERT_GT(atB.frames, 30u);

  ASSERT_TRUE(videoOf(pair.a()).stop());
  pair.run(Duration::millis(100));
  atA = atB = {};
  pair.run(Duration::seconds(3));
  EXPECT_EQ(atA.frames, 0u);
  EXPECT_EQ(atB.frames, 0u);
  EXPECT_GT(atB.sound, 200u);
  // An answer to an offer from before must not bring it back either.
  pair.negotiate(true);
  pair.run(Duration::seconds(2));
  EXPECT_EQ(atA.frames + atB.frames, 0u);
  pair.negotiate();
  pair.run(Duration::seconds(2));
  EXPECT_EQ(atA.frames + atB.frames, 0u);
  EXPECT_GT(atB.sound, 600u);
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
}

/// One round, offered by A. What B sees has the data section outside of the bundle, as a peer
/// without BUNDLE would have it; B, under max-bundle, has one transport only, so it refuses.
void negotiateWithoutData(Pair& pair) {
  std::vector<std::string> failed;
  const auto note = [&](Result<void> r) {
    if (!r) failed.push_back(r.error().message);
  };
  pair.a().setLocalDescription(note);
  pair.run(Duration::millis(5));
  SessionDescription offer = *pair.a().localDescription();
  const size_t mid = offer.sdp.find("a=mid:", offer.sdp.find("m=application")) + 6;
  const std::string data = " " + offer.sdp.substr(mid, offer.sdp.find('\r', mid) - mid);
  offer.sdp.erase(offer.sdp.find(data, offer.sdp.find("a=group:BUNDLE")), data.size());
  pair.b().setRemoteDescription(offer, note);
  pair.b().setLocalDescription(note);
  pair.run(Duration::millis(5));
  const SessionDescription answer = *pair.b().localDescription();
  ASSERT_NE(answer.sdp.find("m=application 0"), std::string::npos) << answer.sdp;
  pair.a().setRemoteDescription(answer, note);
  pair.run(Duration::millis(5));
  ASSERT_TRUE(failed.empty()) << failed.front();
}

struct Channel {
  explicit Channel(DataChannel made) : handle(made) {
    handle.onError([this](const Error& error) { failure = error.message; });
    handle.onClose([this] { closed = true; });
  }
  DataChannel handle;
  std::string failure;
  bool closed = false;
};

TEST(SectionsSim, ChannelsOfARefusedDataSectionFailAndLaterOnesWork) {
  for (const bool refusedAtFirst : {true, false}) {
    SCOPED_TRACE(refusedAtFirst);
    PairOptions options;
    options.configurationB.bundlePolicy = BundlePolicy::MaxBundle;
    Pair pair(options);
    Watched atB;
    atB.watch(pair.b());
    int incoming = 0, received = 0;
    pair.b().onDataChannel([&](DataChannel channel) {
      ++incoming;
      channel.onMessage([&](const DataMessage&) { ++received; });
    });
    ASSERT_TRUE(pair.a().addTrack(
        MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"}));
    Channel first(pair.a().createDataChannel("first").value());
    if (!refusedAtFirst) {
      ASSERT_TRUE(pair.connect());
      pair.run(Duration::seconds(1));
      ASSERT_EQ(incoming, 1);
    }
    negotiateWithoutData(pair);
    pair.run(Duration::seconds(2));
    EXPECT_TRUE(first.closed);
    EXPECT_FALSE(first.failure.empty());  // ours, or the ABORT that came before the answer
    EXPECT_EQ(first.handle.readyState(), DataChannelState::Closed);
    EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);

    for (int round = 0; round < 2; ++round) {
      incoming = received = 0;
      atB = {};
      DataChannel again = pair.a().createDataChannel("again").value();
      pair.negotiate();
      EXPECT_TRUE(pair.runUntil([&] { return again.readyState() == DataChannelState::Open; },
                                Duration::seconds(5)));
      EXPECT_TRUE(again.send("hello"));
      pair.run(Duration::seconds(2));
      EXPECT_EQ(incoming, 1);
      EXPECT_EQ(received, 1);
      EXPECT_GT(atB.sound, 100u);
    }
    EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
  }
}

// Browsers build a new transport for the section that comes back, so nothing of the old one may be
// kept: neither credentials nor keys nor roles.
TEST(SectionsSim, CallThatLostItsLastSectionComesBack) {
  for (const bool offerFromB : {false, true}) {
    SCOPED_TRACE(offerFromB);
    Pair pair;
    Watched atB;
    atB.watch(pair.b());
    ASSERT_TRUE(pair.a().addTrack(picture(pair.loopA()), {"v"}));
    ASSERT_TRUE(pair.connect());
    pair.run(Duration::seconds(2));
    ASSERT_GT(atB.frames, 30u);
    for (int round = 0; round < 3; ++round) {
      const std::string before = pair.a().localDescription()->sdp;
      ASSERT_TRUE(videoOf(pair.a()).stop());
      pair.negotiate();
      pair.run(Duration::seconds(2));
      EXPECT_EQ(pair.a().iceConnectionState(), IceConnectionState::New);
      EXPECT_EQ(pair.b().iceConnectionState(), IceConnectionState::New);
      EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::New);
      // Time enough for consent, heartbeats and retransmissions of the old transport to fail.
      const size_t sent = pair.hostA().counters().sent + pair.hostB().counters().sent;
      pair.run(Duration::seconds(40));
      EXPECT_EQ(pair.hostA().counters().sent + pair.hostB().counters().sent, sent);

      ASSERT_TRUE(pair.a().addTrack(picture(pair.loopA()), {"v"}));
      if (offerFromB) {
        ASSERT_TRUE(pair.b().addTrack(picture(pair.loopB()), {"v"}));
      }
      pair.negotiate(offerFromB);
      EXPECT_TRUE(pair.runUntil(
          [&] { return pair.a().connectionState() == PeerConnectionState::Connected; },
          Duration::seconds(5)));
      atB = {};
      pair.run(Duration::seconds(2));
      EXPECT_GT(atB.frames, 40u) << "round " << round;
      const std::string after = pair.a().localDescription()->sdp;
      const auto line = [](const std::string& sdp, const char* name) {
        const size_t at = sdp.find(name);
        return sdp.substr(at, sdp.find('\r', at) - at);
      };
      EXPECT_NE(line(before, "a=ice-ufrag"), line(after, "a=ice-ufrag"));
      EXPECT_NE(after.find("a=candidate"), std::string::npos);
    }
    EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
  }
}

TEST(SectionsSim, DataAloneComesBackAfterTheLastSectionWent) {
  Pair pair;
  int received = 0;
  pair.b().onDataChannel(
      [&](DataChannel channel) { channel.onMessage([&](const DataMessage&) { ++received; }); });
  ASSERT_TRUE(pair.a().addTrack(picture(pair.loopA()), {"v"}));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));
  ASSERT_TRUE(videoOf(pair.a()).stop());
  pair.negotiate();
  pair.run(Duration::seconds(1));
  DataChannel channel = pair.a().createDataChannel("later").value();
  pair.negotiate();
  EXPECT_TRUE(pair.runUntil([&] { return channel.readyState() == DataChannelState::Open; },
                            Duration::seconds(5)));
  EXPECT_TRUE(channel.send("hello"));
  pair.run(Duration::seconds(1));
  EXPECT_EQ(received, 1);
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
}

}  // namespace
}  // namespace parley
