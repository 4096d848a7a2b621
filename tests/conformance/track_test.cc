// W3C mediacapture-streams section 4.3 and mst-content-hint: clones and hints of tracks; and the
// spelling of enumerations.

#include "parley/api/enum_text.h"

#include "peers.h"

namespace parley::conformance {
namespace {

class TrackTest : public Peers {};

codec::VideoFrame picture(int width, int height) {
  codec::VideoFrame frame;
  const auto buffer = codec::I420Buffer::create(width, height);
  buffer->fill(100, 128, 128);
  frame.buffer = buffer;
  return frame;
}

TEST_F(TrackTest, MediaCapture_S4_3_3_ACloneHasItsOwnIdAndState) {
  MediaStreamTrack track = video();
  track.setEnabled(false);
  track.setContentHint("text");
  MediaStreamTrack clone = track.clone();
  EXPECT_NE(clone.id(), track.id());
  EXPECT_EQ(clone.kind(), track.kind());
  EXPECT_FALSE(clone.enabled());
  EXPECT_EQ(clone.contentHint(), "text");
  clone.setEnabled(true);
  EXPECT_FALSE(track.enabled());
  track.stop();
  EXPECT_EQ(track.readyState(), TrackState::Ended);
  EXPECT_EQ(clone.readyState(), TrackState::Live);
  EXPECT_TRUE(track.push(picture(16, 16)));  // the clone takes it
  clone.stop();
  expectError(track.push(picture(16, 16)), ErrorCode::InvalidState);
  EXPECT_EQ(track.clone().readyState(), TrackState::Ended);
}

TEST_F(TrackTest, MediaCapture_S4_3_3_ClonesCarryOnWhenTheFirstIsGone) {
  MediaStreamTrack clone;
  {
    MediaStreamTrack track =
        MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 20));
    clone = track.clone();
    track.stop();
  }
  int pictures = 0;
  pair.b().onTrack([&](const TrackEvent& event) {
    MediaStreamTrack track = event.track;
    track.setVideoSink([&](const codec::VideoFrame&) { ++pictures; });
  });
  ASSERT_TRUE(pair.a().addTrack(clone));
  testing::Pair* const world = &pair;
  a.onIceCandidate([this](const std::optional<IceCandidate>& c) {
    if (c) b.addIceCandidate(*c);
  });
  b.onIceCandidate([this](const std::optional<IceCandidate>& c) {
    if (c) a.addIceCandidate(*c);
  });
  negotiate(a, b);
  world->run(Duration::seconds(2));
  EXPECT_GT(pictures, 15);
}

TEST_F(TrackTest, MediaCapture_S4_3_3_RemoteTracksCanBeCloned) {
  a.onIceCandidate([this](const std::optional<IceCandidate>& c) {
    if (c) b.addIceCandidate(*c);
  });
  b.onIceCandidate([this](const std::optional<IceCandidate>& c) {
    if (c) a.addIceCandidate(*c);
  });
  MediaStreamTrack first, clone;
  int pictures = 0;
  int cloned = 0;
  int unmuted = 0;
  int ended = 0;
  b.onTrack([&](const TrackEvent& event) {
    first = event.track;
    clone = first.clone();
    first.setVideoSink([&](const codec::VideoFrame&) { ++pictures; });
    clone.setVideoSink([&](const codec::VideoFrame&) { ++cloned; });
    clone.onUnmute([&] { ++unmuted; });
    clone.onEnded([&] { ++ended; });
  });
  ASSERT_TRUE(a.addTrack(
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 20))));
  negotiate(a, b);
  run(Duration::seconds(2));
  EXPECT_GT(pictures, 15);
  EXPECT_EQ(cloned, pictures);
  EXPECT_EQ(unmuted, 1);
  EXPECT_FALSE(clone.muted());
  const int before = pictures;
  clone.setEnabled(false);
  run(Duration::seconds(1));
  EXPECT_GT(pictures, before);
  EXPECT_EQ(cloned, before);
  ASSERT_TRUE(b.getTransceivers()[0].stop());
  run();
  EXPECT_EQ(clone.readyState(), TrackState::Ended);
  EXPECT_EQ(ended, 1);
}

TEST_F(TrackTest, ContentHint_HintsOfTheOtherKindAreIgnored) {
  MediaStreamTrack pictures = video();
  EXPECT_EQ(pictures.contentHint(), "");
  for (const char* hint : {"motion", "detail", "text", ""}) {
    pictures.setContentHint(hint);
    EXPECT_EQ(pictures.contentHint(), hint);
  }
  pictures.setContentHint("detail");
  pictures.setContentHint("music");
  EXPECT_EQ(pictures.contentHint(), "detail");
  MediaStreamTrack sound = audio();
  sound.setContentHint("speech-recognition");
  sound.setContentHint("motion");
  EXPECT_EQ(sound.contentHint(), "speech-recognition");
}

template <class E>
void expectSpellings(const std::vector<const char*>& names) {
  ASSERT_EQ(kEnumSize<E>, names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_STREQ(toString(static_cast<E>(i)), names[i]);
    EXPECT_EQ(fromString<E>(names[i]), static_cast<E>(i));
  }
  EXPECT_FALSE(fromString<E>(""));
  EXPECT_FALSE(fromString<E>("Nonsense"));
}

TEST(EnumText, All_EnumerationsAreSpelledAsTheSpecificationsDo) {
  expectSpellings<IceTransportPolicy>({"all", "relay", "no-host"});
  expectSpellings<BundlePolicy>({"balanced", "max-compat", "max-bundle"});
  expectSpellings<RtcpMuxPolicy>({"require"});
  expectSpellings<SignalingState>({"stable", "have-local-offer", "have-remote-offer",
                                   "have-local-pranswer", "have-remote-pranswer", "closed"});
  expectSpellings<SdpType>({"offer", "pranswer", "answer", "rollback"});
  expectSpellings<IceGatheringState>({"new", "gathering", "complete"});
  expectSpellings<IceConnectionState>(
      {"new", "checking", "connected", "completed", "disconnected", "failed", "closed"});
  expectSpellings<PeerConnectionState>(
      {"new", "connecting", "connected", "disconnected", "failed", "closed"});
  expectSpellings<TransceiverDirection>(
      {"sendrecv", "sendonly", "recvonly", "inactive", "stopped"});
  expectSpellings<PriorityType>({"very-low", "low", "medium", "high"});
  expectSpellings<IceProtocol>({"udp", "tcp"});
  expectSpellings<IceCandidateType>({"host", "srflx", "prflx", "relay"});
  expectSpellings<IceTcpCandidateType>({"active", "passive", "so"});
  expectSpellings<IceServerTransportProtocol>({"udp", "tcp", "tls"});
  expectSpellings<DegradationPreference>({"maintain-framerate", "maintain-resolution", "balanced",
                                          "maintain-framerate-and-resolution"});
  expectSpellings<IceTransportState>(
      {"new", "checking", "connected", "completed", "disconnected", "failed", "closed"});
  expectSpellings<IceGathererState>({"new", "gathering", "complete"});
  expectSpellings<IceRole>({"unknown", "controlling", "controlled"});
  expectSpellings<IceComponent>({"rtp", "rtcp"});
  expectSpellings<DtlsTransportState>({"new", "connecting", "connected", "closed", "failed"});
  expectSpellings<SctpTransportState>({"connecting", "connected", "closed"});
  expectSpellings<DataChannelState>({"connecting", "open", "closing", "closed"});
  expectSpellings<ErrorDetail>({"data-channel-failure", "dtls-failure", "fingerprint-failure",
                                "sctp-failure", "sdp-syntax-error",
                                "hardware-encoder-not-available", "hardware-encoder-error"});
  expectSpellings<TrackState>({"live", "ended"});
  expectSpellings<MediaKind>({"audio", "video"});
}

}  // namespace
}  // namespace parley::conformance
