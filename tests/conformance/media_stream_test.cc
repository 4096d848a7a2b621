// W3C mediacapture-streams section 4.2, and webrtc-pc section 4.4.1.5 for those of the peer.

#include "parley/api/media_stream.h"

#include "peers.h"

namespace parley::conformance {
namespace {

class MediaStreamTest : public Peers {};

TEST_F(MediaStreamTest, MediaCapture_S4_2_AStreamIsASetOfTracks) {
  const MediaStreamTrack sound = audio();
  const MediaStreamTrack picture = video();
  MediaStream stream = MediaStream::create({sound, picture, sound});
  EXPECT_EQ(stream.getTracks(), (std::vector{sound, picture}));
  EXPECT_EQ(stream.getAudioTracks(), std::vector{sound});
  EXPECT_EQ(stream.getVideoTracks(), std::vector{picture});
  EXPECT_EQ(stream.getTrackById(picture.id()), picture);
  EXPECT_FALSE(stream.getTrackById("nothing"));
  EXPECT_EQ(stream.id().size(), 36u);
  EXPECT_NE(MediaStream::create().id(), stream.id());
  stream.removeTrack(sound);
  stream.removeTrack(sound);
  EXPECT_EQ(stream.getTracks(), std::vector{picture});
  int events = 0;
  stream.onAddTrack([&](const MediaStreamTrack&) { ++events; });
  stream.addTrack(sound);  // by the application: no event
  EXPECT_EQ(events, 0);
}

TEST_F(MediaStreamTest, MediaCapture_S4_2_AStreamIsActiveWhileATrackLives) {
  EXPECT_FALSE(MediaStream::create().active());
  MediaStreamTrack sound = audio();
  MediaStreamTrack picture = video();
  MediaStream stream = MediaStream::create({sound, picture});
  sound.stop();
  EXPECT_TRUE(stream.active());
  picture.stop();
  EXPECT_FALSE(stream.active());
  stream.addTrack(video());
  EXPECT_TRUE(stream.active());
}

TEST_F(MediaStreamTest, MediaCapture_S4_2_ACloneHasClonesOfTheTracks) {
  MediaStream stream = MediaStream::create({audio(), video()});
  MediaStream clone = stream.clone();
  EXPECT_NE(clone.id(), stream.id());
  ASSERT_EQ(clone.getTracks().size(), 2u);
  EXPECT_NE(clone.getTracks()[0].id(), stream.getTracks()[0].id());
  EXPECT_EQ(clone.getTracks()[1].kind(), MediaKind::Video);
}

TEST_F(MediaStreamTest, S4_4_1_5_StreamsOfThePeerFollowItsTracks) {
  RemoteStreams remote(b);
  Log log;
  remote.onAddStream([&](const MediaStream& stream) {
    log.add("stream " + stream.id());
    MediaStream(stream).onAddTrack([&log, id = stream.id()](const MediaStreamTrack& track) {
      log.add("add " + id + ' ' + media::toString(track.kind()));
    });
    MediaStream(stream).onRemoveTrack([&log, id = stream.id()](const MediaStreamTrack& track) {
      log.add("remove " + id + ' ' + media::toString(track.kind()));
    });
  });
  b.onTrack([&](const TrackEvent& event) {
    for (const std::string& id : event.streams)
      EXPECT_EQ(remote.stream(id).getTrackById(event.track.id()), event.track);
    log.add(std::string("track ") + media::toString(event.track.kind()));
  });
  RtpSender sound = a.addTrack(audio(), {"one", "two"}).value();
  ASSERT_TRUE(a.addTrack(video(), {"one"}));
  negotiate(a, b);
  EXPECT_EQ(log.take(), (Lines{"stream one", "add one audio", "stream two", "add two audio",
                               "add one video", "track audio", "track video"}));
  EXPECT_EQ(remote.streams().size(), 2u);
  EXPECT_TRUE(remote.stream("one").active());
  MediaStream held = remote.stream("one");
  ASSERT_TRUE(sound.setStreams({"one"}));
  negotiate(a, b);
  EXPECT_EQ(log.take(), (Lines{"remove two audio"}));
  EXPECT_FALSE(remote.stream("two"));  // nobody holds it
  ASSERT_EQ(remote.streams().size(), 1u);
  EXPECT_EQ(remote.streams()[0], held);
  for (const RtpSender& sender : a.getSenders()) ASSERT_TRUE(a.removeTrack(sender));
  negotiate(a, b);
  EXPECT_EQ(log.take(), (Lines{"remove one audio", "remove one video"}));
  EXPECT_TRUE(remote.streams().empty());
  EXPECT_EQ(remote.stream("one"), held);  // and the same again if it comes back
}

}  // namespace
}  // namespace parley::conformance
