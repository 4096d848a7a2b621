// New DTLS associations in the middle of a call, through the facade (RFC 8842 sections 4 and 5).

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;

struct Seen {
  uint64_t frames = 0;
  uint64_t sound = 0;
};

void watch(PeerConnection& pc, Seen& seen) {
  pc.onTrack([&seen](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    if (track.kind() == MediaKind::Video) {
      track.setVideoSink([&seen](const codec::VideoFrame&) { ++seen.frames; });
    } else {
      track.setAudioSink([&seen](const codec::AudioFrame&) { ++seen.sound; });
    }
  });
}

void addMedia(PeerConnection& pc, const std::shared_ptr<Loop>& loop) {
  ASSERT_TRUE(pc.addTrack(MediaStreamTrack::createAudio(loop, createToneSource(440)), {"s"}));
  ASSERT_TRUE(pc.addTrack(
      MediaStreamTrack::createVideo(loop, createTestPatternSource(160, 120, 30)), {"s"}));
}

/// One round in which the test may change what the other side gets to read.
struct Round {
  PeerConnection& offerer;
  PeerConnection& answerer;
  std::function<void(SessionDescription&)> changeAnswer;
  std::vector<std::string> errors;

  void check(const char* step, const Result<void>& result) {
    if (!result) errors.push_back(std::string(step) + ": " + result.error().message);
  }
  void run() {
    offerer.setLocalDescription([this](Result<void> local) {
      check("offer", local);
      answerer.setRemoteDescription(*offerer.localDescription(),
                                    [this](Result<void> r) { check("remote offer", r); });
      answerer.createAnswer([this](Result<SessionDescription> made) {
        if (!made) return check("answer", fail(made.error()));
        SessionDescription answer = *made;
        SessionDescription told = answer;
        changeAnswer(told);
        answerer.setLocalDescription(answer, [this](Result<void> r) { check("local answer", r); });
        offerer.setRemoteDescription(told, [this](Result<void> r) { check("remote answer", r); });
      });
    });
  }
};

void flipSetup(SessionDescription& description) {
  const bool passive = description.sdp.find("a=setup:passive") != std::string::npos;
  const std::string from = passive ? "a=setup:passive" : "a=setup:active";
  const std::string to = passive ? "a=setup:active" : "a=setup:passive";
  size_t at = 0;
  while ((at = description.sdp.find(from, at)) != std::string::npos) {
    description.sdp.replace(at, from.size(), to);
    at += to.size();
  }
}

PARLEY_SIM_TEST(DtlsRenewalSim, ACallMovesToAnotherPeer) {
  Pair pair(world, {});
  Seen atA, atB, atC;
  watch(pair.a(), atA);
  watch(pair.b(), atB);
  addMedia(pair.a(), pair.loopA());
  addMedia(pair.b(), pair.loopB());
  DataChannel old = pair.a().createDataChannel("old").value();
  int errors = 0, closes = 0;
  old.onError([&](const Error&) { ++errors; });
  old.onClose([&] { ++closes; });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(3));
  EXPECT_GT(atB.frames, 50u);

  // The other end of the call is from now on somebody else: other credentials, another
  // certificate, none of the old keys.
  PeerConnection c = PeerConnection::create(pair.loopB(), {}).value();
  watch(c, atC);
  addMedia(c, pair.loopB());
  c.onIceCandidate([&](const std::optional<IceCandidate>& candidate) {
    if (candidate) pair.a().addIceCandidate(*candidate, [](Result<void>) {});
  });
  pair.a().onIceCandidate([&](const std::optional<IceCandidate>& candidate) {
    if (candidate) c.addIceCandidate(*candidate, [](Result<void>) {});
  });
  std::vector<PeerConnectionState> states;
  pair.a().onConnectionStateChange([&](PeerConnectionState s) { states.push_back(s); });
  int greetings = 0;
  c.onDataChannel([&](DataChannel incoming) {
    incoming.onMessage([&](const DataMessage& m) { greetings += asText(m.data) == "hello"; });
  });
  pair.a().restartIce();
  Round round{pair.a(), c, [](SessionDescription&) {}, {}};
  round.run();
  ASSERT_TRUE(pair.runUntil([&] { return c.connectionState() == PeerConnectionState::Connected; },
                            Duration::seconds(10)));
  EXPECT_TRUE(round.errors.empty()) << round.errors.front();
  pair.b().close();
  pair.run(Duration::seconds(1));
  EXPECT_EQ(errors, 1);
  EXPECT_EQ(closes, 1);
  EXPECT_EQ(old.readyState(), DataChannelState::Closed);
  EXPECT_EQ(pair.a().connectionState(), PeerConnectionState::Connected);

  DataChannel fresh = pair.a().createDataChannel("fresh").value();
  ASSERT_TRUE(pair.runUntil([&] { return fresh.readyState() == DataChannelState::Open; },
                            Duration::seconds(5)));
  ASSERT_TRUE(fresh.send("hello"));
  const Seen start = atC;
  const Seen startA = atA;
  pair.run(Duration::seconds(3));
  EXPECT_EQ(greetings, 1);
  EXPECT_GT(atC.frames - start.frames, 60u);
  EXPECT_GT(atC.sound - start.sound, 200u);
  EXPECT_GT(atA.frames - startA.frames, 60u);
  EXPECT_GT(atA.sound - startA.sound, 200u);
  c.close();
  pair.run(Duration::millis(100));
}

PARLEY_SIM_TEST(DtlsRenewalSim, RolesSwappedWithoutConsequenceChangeNothing) {
  // What Firefox does: it offered first, so it is the server; it answers the other side's ICE
  // restart with setup:active and goes on with the association that is there.
  Pair pair(world, {});
  Seen atA, atB;
  watch(pair.a(), atA);
  watch(pair.b(), atB);
  ASSERT_TRUE(
      pair.a().addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"}));
  ASSERT_TRUE(
      pair.b().addTrack(MediaStreamTrack::createAudio(pair.loopB(), createToneSource(880)), {"s"}));
  DataChannel channel = pair.a().createDataChannel("c").value();
  int received = 0;
  pair.b().onDataChannel(
      [&](DataChannel incoming) { incoming.onMessage([&](const DataMessage&) { ++received; }); });
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(2));
  std::vector<PeerConnectionState> states;
  pair.b().onConnectionStateChange([&](PeerConnectionState s) { states.push_back(s); });
  int sent = 0;
  for (int i = 0; i < 2; ++i) {
    pair.b().restartIce();
    Round round{pair.b(), pair.a(), flipSetup, {}};
    round.run();
    const Seen beforeA = atA;
    const Seen beforeB = atB;
    // Longer than a handshake that comes to nothing.
    for (int second = 0; second < 35; ++second, ++sent) {
      EXPECT_TRUE(channel.send("tick"));
      pair.run(Duration::seconds(1));
    }
    EXPECT_TRUE(round.errors.empty()) << round.errors.front();
    EXPECT_EQ(received, sent);
    EXPECT_GT(atA.sound - beforeA.sound, 3400u);
    EXPECT_GT(atB.sound - beforeB.sound, 3400u);
  }
  EXPECT_TRUE(states.empty());
  EXPECT_EQ(channel.readyState(), DataChannelState::Open);
}

}  // namespace
}  // namespace parley
