// Video that comes, goes and comes again in a running call.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/testing/pair.h"

#include "sim/support/sim_case.h"

namespace parley {
namespace {

using testing::Pair;
using testing::PairOptions;

/// What happens to the video tracks of one side, in order, and its pictures.
struct Video {
  std::vector<std::string> happened;
  uint64_t frames = 0;
};

void watch(PeerConnection& pc, Video& into) {
  pc.onTrack([&into](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    if (track.kind() != MediaKind::Video) return;
    into.happened.push_back(track.muted() ? "track" : "track, already unmuted");
    track.setVideoSink([&into](const codec::VideoFrame&) { ++into.frames; });
    track.onMute([&into] { into.happened.push_back("mute"); });
    track.onUnmute([&into] { into.happened.push_back("unmute"); });
    track.onEnded([&into] { into.happened.push_back("ended"); });
  });
}

MediaStreamTrack picture(const std::shared_ptr<Loop>& loop) {
  return MediaStreamTrack::createVideo(loop, createTestPatternSource(160, 120, 30));
}

RtpSender videoSender(const PeerConnection& pc) {
  for (const RtpSender& sender : pc.getSenders()) {
    if (sender.track() && sender.track().kind() == MediaKind::Video) return sender;
  }
  return {};
}

void addAndRemove(sim::World& world, Duration signalingDelay) {
  PairOptions options;
  options.signalingDelay = signalingDelay;
  Pair pair(world, options);
  Video atA, atB;
  watch(pair.a(), atA);
  watch(pair.b(), atB);
  for (auto [pc, loop] : {std::pair{pair.a(), pair.loopA()}, std::pair{pair.b(), pair.loopB()}})
    ASSERT_TRUE(pc.addTrack(MediaStreamTrack::createAudio(loop, createToneSource(440)), {"s"}));
  ASSERT_TRUE(pair.connect());
  pair.run(Duration::seconds(1));

  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    atA = atB = {};
    ASSERT_TRUE(pair.a().addTrack(picture(pair.loopA()), {"v"}));
    ASSERT_TRUE(pair.b().addTrack(picture(pair.loopB()), {"v"}));
    pair.negotiate();
    pair.run(Duration::seconds(3));
    for (const Video* side : {&atA, &atB}) {
      EXPECT_GT(side->frames, 60u);
      EXPECT_EQ(side->happened, (std::vector<std::string>{"track", "unmute"}));
    }

    ASSERT_TRUE(pair.a().removeTrack(videoSender(pair.a())));
    ASSERT_TRUE(pair.b().removeTrack(videoSender(pair.b())));
    pair.negotiate();
    pair.run(Duration::seconds(1));
    const uint64_t before = atA.frames + atB.frames;
    pair.run(Duration::seconds(1));
    EXPECT_EQ(atA.frames + atB.frames, before);
    for (const Video* side : {&atA, &atB}) {
      EXPECT_EQ(side->happened, (std::vector<std::string>{"track", "unmute", "mute"}));
    }
  }
  EXPECT_TRUE(pair.errors().empty()) << pair.errors().front();
}

PARLEY_SIM_TEST(RenegotiationSim, VideoComesAndGoes) {
  addAndRemove(world, Duration::millis(1));
}

// The answerer's pictures arrive long before its answer does.
PARLEY_SIM_TEST(RenegotiationSim, VideoOvertakesTheAnswer) {
  addAndRemove(world, Duration::millis(200));
}

}  // namespace
}  // namespace parley
