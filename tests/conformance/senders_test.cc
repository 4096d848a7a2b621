// webrtc-pc sections 5.1 to 5.4, 5.7, 8.4 and 9: tracks, senders, receivers and transceivers.

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class Senders : public Peers {};

TEST_F(Senders, S5_1_ATrackIsAddedOnce) {
  const MediaStreamTrack track = audio();
  EXPECT_TRUE(a.addTrack(track));
  expectError(a.addTrack(track), ErrorCode::InvalidAccess);
  expectError(a.addTrack({}), ErrorCode::Type);
  a.close();
  expectError(a.addTrack(audio()), ErrorCode::InvalidState);
}

TEST_F(Senders, S5_1_ATrackOfAStoppedSenderMayBeAddedAgain) {
  const MediaStreamTrack track = MediaStreamTrack::createAudio(pair.loopB());
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  ASSERT_TRUE(b.addTrack(track));
  negotiate(a, b);
  ASSERT_TRUE(transceiver.stop());
  expectError(b.addTrack(track), ErrorCode::InvalidAccess);
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_EQ(b.getTransceivers().size(), 1u) << "until the answer";
  EXPECT_TRUE(b.addTrack(track)) << "CollectSenders leaves out what has stopped";
  ASSERT_EQ(b.getSenders().size(), 1u);
  EXPECT_TRUE(await<StatsReport>([&](auto done) { b.getStats(track, done); }))
      << "section 8.2: one of the senders that there are has it";
}

TEST_F(Senders, S5_1_AddTrackTakesASenderThatHasNotSentYet) {
  const RtpTransceiver receiving =
      a.addTransceiver(MediaKind::Audio, {.direction = TransceiverDirection::RecvOnly}).value();
  const RtpSender reused = a.addTrack(audio()).value();
  EXPECT_EQ(reused, receiving.sender());
  EXPECT_EQ(receiving.direction(), TransceiverDirection::SendRecv);
  const RtpSender another = a.addTrack(audio()).value();
  EXPECT_NE(another, reused);
  EXPECT_EQ(a.getTransceivers().size(), 2u);
}

TEST_F(Senders, S5_1_AddTrackNeverTakesASenderThatHasSent) {
  const RtpSender first = a.addTrack(audio()).value();
  negotiate(a, b);
  ASSERT_TRUE(a.removeTrack(first));
  EXPECT_NE(a.addTrack(audio()).value(), first);
}

TEST_F(Senders, S5_1_RemoveTrackTurnsTheDirection) {
  const RtpSender sender = a.addTrack(audio()).value();
  const RtpTransceiver transceiver = a.getTransceivers()[0];
  ASSERT_TRUE(a.removeTrack(sender));
  EXPECT_FALSE(sender.track());
  EXPECT_EQ(transceiver.direction(), TransceiverDirection::RecvOnly);
  EXPECT_TRUE(a.removeTrack(sender)) << "without a track it does nothing";
  const RtpSender other = b.addTrack(MediaStreamTrack::createAudio(pair.loopB())).value();
  expectError(a.removeTrack(other), ErrorCode::InvalidAccess);
  a.close();
  expectError(a.removeTrack(sender), ErrorCode::InvalidState);
}

TEST_F(Senders, S5_1_AddTransceiverMakesOneAlways) {
  const RtpTransceiver first = a.addTransceiver(MediaKind::Audio).value();
  const RtpTransceiver second = a.addTransceiver(audio()).value();
  EXPECT_NE(first, second);
  EXPECT_EQ(first.direction(), TransceiverDirection::SendRecv);
  EXPECT_FALSE(first.currentDirection());
  EXPECT_FALSE(first.mid());
  EXPECT_FALSE(first.sender().track());
  EXPECT_TRUE(second.sender().track());
  EXPECT_EQ(second.receiver().track().kind(), MediaKind::Audio);
  EXPECT_TRUE(second.receiver().track().muted());
  expectError(a.addTransceiver(MediaKind::Audio, {.direction = TransceiverDirection::Stopped}),
              ErrorCode::Type);
  expectError(a.addTransceiver(MediaStreamTrack{}), ErrorCode::Type);
  a.close();
  expectError(a.addTransceiver(MediaKind::Audio), ErrorCode::InvalidState);
}

TEST_F(Senders, S5_1_StoppedOnesHaveNoSenderAndNoReceiver) {
  RtpTransceiver first = a.addTransceiver(MediaKind::Audio).value();
  (void)a.addTransceiver(MediaKind::Video);
  negotiate(a, b);
  ASSERT_TRUE(first.stop());
  EXPECT_EQ(a.getTransceivers().size(), 2u);
  EXPECT_EQ(a.getSenders().size(), 2u) << "it is stopping until that is negotiated";
  EXPECT_EQ(a.getReceivers().size(), 2u);
  negotiate(a, b);
  EXPECT_EQ(a.getTransceivers().size(), 1u);
  EXPECT_EQ(a.getSenders().size(), 1u);
  EXPECT_EQ(a.getReceivers().size(), 1u);
  EXPECT_EQ(b.getTransceivers().size(), 1u);
}

TEST_F(Senders, S5_2_StreamsAreToldByTheNextNegotiation) {
  RtpSender sender = a.addTrack(audio(), {"one"}).value();
  std::vector<std::string> log;
  b.onStreamTrackChange(
      [&](const StreamTrackEvent& e) { log.push_back((e.added ? "+" : "-") + e.stream); });
  negotiate(a, b);
  ASSERT_TRUE(sender.setStreams({"two", "two", "three"}));
  EXPECT_EQ(log.size(), 1u);
  negotiate(a, b);
  std::sort(log.begin() + 1, log.end());
  EXPECT_EQ(log, (std::vector<std::string>{"+one", "+three", "+two", "-one"}));
  a.close();
  expectError(sender.setStreams({}), ErrorCode::InvalidState);
}

TEST_F(Senders, S5_2_CapabilitiesAreListedByKind) {
  for (const MediaKind kind : {MediaKind::Audio, MediaKind::Video}) {
    const RtpCapabilities send = RtpSender::getCapabilities(kind);
    const RtpCapabilities receive = RtpReceiver::getCapabilities(kind);
    for (const RtpCapabilities* all : {&send, &receive}) {
      EXPECT_FALSE(all->codecs.empty());
      EXPECT_FALSE(all->headerExtensions.empty());
      for (const RtpCodec& codec : all->codecs) {
        EXPECT_EQ(codec.mimeType.rfind(media::toString(kind), 0), 0u) << codec.mimeType;
        EXPECT_GT(codec.clockRate, 0u);
        EXPECT_EQ(codec.channels.has_value(), kind == MediaKind::Audio);
      }
    }
  }
}

TEST_F(Senders, S5_2_ReplacingATrackNeedsNoNegotiation) {
  RtpSender sender = a.addTrack(audio()).value();
  negotiate(a, b);
  const MediaStreamTrack other = audio();
  int needed = 0;
  a.onNegotiationNeeded([&] { ++needed; });
  const auto replace = [&](MediaStreamTrack track) {
    return await<void>([&](Completion<void> done) { sender.replaceTrack(track, done); });
  };
  EXPECT_TRUE(replace(other));
  EXPECT_EQ(sender.track(), other);
  EXPECT_TRUE(replace({}));
  EXPECT_FALSE(sender.track());
  EXPECT_EQ(needed, 0);
  ASSERT_TRUE(a.getTransceivers()[0].stop());
  expectError(replace(other), ErrorCode::InvalidState);
}

TEST_F(Senders, S5_3_TheTrackIsThereFromTheStart) {
  const RtpTransceiver transceiver = a.addTransceiver(MediaKind::Video).value();
  const MediaStreamTrack track = transceiver.receiver().track();
  EXPECT_TRUE(track);
  EXPECT_TRUE(track.muted());
  EXPECT_EQ(track.readyState(), TrackState::Live);
  negotiate(a, b);
  EXPECT_EQ(transceiver.receiver().track(), track);
}

TEST_F(Senders, S5_4_DirectionsAreSeenFromBothEnds) {
  RtpTransceiver transceiver =
      a.addTransceiver(MediaKind::Audio, {.direction = TransceiverDirection::SendOnly}).value();
  negotiate(a, b);
  EXPECT_EQ(transceiver.currentDirection(), TransceiverDirection::SendOnly);
  EXPECT_EQ(b.getTransceivers()[0].currentDirection(), TransceiverDirection::RecvOnly);
  EXPECT_EQ(b.getTransceivers()[0].direction(), TransceiverDirection::RecvOnly);
  ASSERT_TRUE(transceiver.setDirection(TransceiverDirection::SendRecv));
  EXPECT_EQ(transceiver.direction(), TransceiverDirection::SendRecv);
  EXPECT_EQ(transceiver.currentDirection(), TransceiverDirection::SendOnly) << "not negotiated";
  negotiate(a, b);
  EXPECT_EQ(transceiver.currentDirection(), TransceiverDirection::SendOnly)
      << "the other end only receives";
}

TEST_F(Senders, S5_4_DirectionsOfStoppedOnesCannotBeSet) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  expectError(transceiver.setDirection(TransceiverDirection::Stopped), ErrorCode::Type);
  ASSERT_TRUE(transceiver.stop());
  EXPECT_TRUE(transceiver.stop()) << "again";
  EXPECT_EQ(transceiver.direction(), TransceiverDirection::Stopped);
  EXPECT_FALSE(transceiver.stopped()) << "until it is negotiated";
  expectError(transceiver.setDirection(TransceiverDirection::SendOnly), ErrorCode::InvalidState);
  a.close();
  expectError(transceiver.stop(), ErrorCode::InvalidState);
  EXPECT_TRUE(transceiver.stopped());
}

TEST_F(Senders, S5_4_CodecPreferencesOrderTheOffer) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  std::vector<RtpCodec> codecs = RtpSender::getCapabilities(MediaKind::Audio).codecs;
  const auto pcmu = std::find_if(codecs.begin(), codecs.end(),
                                 [](const RtpCodec& c) { return c.mimeType == "audio/PCMU"; });
  ASSERT_NE(pcmu, codecs.end());
  ASSERT_TRUE(transceiver.setCodecPreferences({*pcmu}));
  EXPECT_NE(offer(a)->sdp.find("RTP/SAVPF 0\r\n"), std::string::npos);
  ASSERT_TRUE(transceiver.setCodecPreferences({}));
  EXPECT_EQ(offer(a)->sdp.find("RTP/SAVPF 0\r\n"), std::string::npos) << "the defaults again";
}

TEST_F(Senders, S5_7_ATrackEventHasAllItsParts) {
  (void)a.addTrack(audio(), {"one", "two"});
  std::optional<TrackEvent> event;
  b.onTrack([&](const TrackEvent& e) { event = e; });
  negotiate(a, b);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->transceiver, b.getTransceivers()[0]);
  EXPECT_EQ(event->receiver, event->transceiver.receiver());
  EXPECT_EQ(event->track, event->receiver.track());
  EXPECT_EQ(event->streams, (std::vector<std::string>{"one", "two"}));
}

TEST_F(Senders, S5_7_ATrackThatComesBackIsToldAgain) {
  RtpTransceiver transceiver = a.addTransceiver(audio(), {.streams = {"s"}}).value();
  int told = 0;
  b.onTrack([&](const TrackEvent&) { ++told; });
  negotiate(a, b);
  negotiate(a, b);
  EXPECT_EQ(told, 1);
  ASSERT_TRUE(transceiver.setDirection(TransceiverDirection::Inactive));
  negotiate(a, b);
  ASSERT_TRUE(transceiver.setDirection(TransceiverDirection::SendRecv));
  negotiate(a, b);
  EXPECT_EQ(told, 2);
}

TEST_F(Senders, S9_1_IdsOfTracksAreThisEndsOwn) {
  const MediaStreamTrack track = audio();
  (void)a.addTrack(track, {"together"});
  EXPECT_EQ(track.id().size(), 36u) << "a UUID";
  negotiate(a, b);
  EXPECT_NE(b.getReceivers()[0].track().id(), track.id());
}

TEST_F(Senders, S9_2_StreamsHaveTheIdsThatThePeerGave) {
  (void)a.addTrack(audio(), {"together"});
  (void)a.addTrack(video(), {"together"});
  RemoteStreams remote(b);
  negotiate(a, b);
  ASSERT_EQ(remote.streams().size(), 1u);
  EXPECT_EQ(remote.streams()[0].id(), "together");
  EXPECT_EQ(remote.streams()[0].getTracks().size(), 2u);
}

TEST_F(Senders, S9_3_ATrackIsMutedUntilMediaCome) {
  (void)a.addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"});
  Log log;
  b.onTrack([&](const TrackEvent& e) {
    EXPECT_TRUE(e.track.muted());
    MediaStreamTrack track = e.track;
    track.onUnmute([&, track] {
      EXPECT_FALSE(track.muted());
      log.add("unmute");
    });
    track.onMute([&] { log.add("mute"); });
    track.onEnded([&] { log.add("ended"); });
  });
  connect();
  ASSERT_TRUE(runUntil([&] { return log.size() == 1; }));
  ASSERT_TRUE(a.removeTrack(a.getSenders()[0]));
  negotiate(a, b);
  EXPECT_EQ(log.take(), (Lines{"unmute", "mute"}));
  ASSERT_TRUE(a.getTransceivers()[0].stop());
  negotiate(a, b);
  run();
  EXPECT_EQ(log.take(), (Lines{"ended"}));
}

TEST_F(Senders, S9_3_ATrackThatHasEndedLetsGoWhatItsCallbacksOwn) {
  (void)a.addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"});
  auto owned = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = owned;
  b.onTrack([&](const TrackEvent& e) {
    MediaStreamTrack track = e.track;
    track.onUnmute([track, owned = std::exchange(owned, nullptr)] {});
  });
  connect();
  EXPECT_FALSE(watched.expired());
  ASSERT_TRUE(a.getTransceivers()[0].stop());
  negotiate(a, b);
  run();
  EXPECT_TRUE(watched.expired()) << "the track owns itself";
}

TEST_F(Senders, S9_3_ATrackThatIsNotEnabledSendsSilence) {
  MediaStreamTrack track = MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440, 0.5));
  (void)a.addTrack(track, {"s"});
  int loudest = 0;
  size_t pieces = 0;
  b.onTrack([&](const TrackEvent& e) {
    MediaStreamTrack heard = e.track;
    heard.setAudioSink([&](const codec::AudioFrame& frame) {
      ++pieces;
      for (const int16_t sample : frame.data) loudest = std::max(loudest, std::abs(int{sample}));
    });
  });
  connect();
  run(Duration::seconds(1));
  EXPECT_GT(loudest, 5000);
  track.setEnabled(false);
  run(Duration::seconds(1));
  loudest = 0;
  pieces = 0;
  run(Duration::millis(500));
  EXPECT_GT(pieces, 20u);
  EXPECT_LT(loudest, 200);
}

TEST_F(Senders, S5_1_AddTrackTakesWhatARemoteOfferHasMade) {
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  const RtpTransceiver offered = b.getTransceivers().at(0);
  EXPECT_EQ(offered.direction(), TransceiverDirection::RecvOnly);
  const RtpSender sender = b.addTrack(MediaStreamTrack::createAudio(pair.loopB())).value();
  EXPECT_EQ(sender, offered.sender());
  EXPECT_EQ(offered.direction(), TransceiverDirection::SendRecv);
  ASSERT_TRUE(setLocal(b));
  EXPECT_EQ(offered.currentDirection(), TransceiverDirection::SendRecv);
}

TEST_F(Senders, S5_3_SourcesShowWhatIsHeard) {
  (void)a.addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440, 0.5)), {"s"});
  connect();
  run(Duration::seconds(2));
  const RtpReceiver receiver = b.getReceivers().at(0);
  const auto sources = receiver.getSynchronizationSources();
  ASSERT_EQ(sources.size(), 1u);
  EXPECT_NE(sources[0].source, 0u);
  EXPECT_GT(sources[0].timestampMs, 0);
  ASSERT_TRUE(sources[0].audioLevel);
  EXPECT_GT(*sources[0].audioLevel, 0.1);
  EXPECT_LE(*sources[0].audioLevel, 1.0);
  EXPECT_TRUE(receiver.getContributingSources().empty()) << "nobody mixes";
  ASSERT_TRUE(a.removeTrack(a.getSenders()[0]));
  run(Duration::seconds(11));
  EXPECT_TRUE(receiver.getSynchronizationSources().empty()) << "ten seconds are over";
}

TEST_F(Senders, S5_4_PreferencesCannotConsistOfCompanionsAlone) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Video).value();
  std::vector<RtpCodec> codecs = RtpSender::getCapabilities(MediaKind::Video).codecs;
  std::erase_if(codecs, [](const RtpCodec& c) { return c.mimeType != "video/rtx"; });
  ASSERT_FALSE(codecs.empty());
  expectError(transceiver.setCodecPreferences({codecs[0]}), ErrorCode::InvalidModification);
  RtpCodec unknown;
  unknown.mimeType = "video/nonsense";
  unknown.clockRate = 90'000;
  expectError(transceiver.setCodecPreferences({unknown}), ErrorCode::InvalidModification);
}

TEST_F(Senders, S9_3_PicturesOfATrackThatIsNotEnabledAreBlack) {
  MediaStreamTrack track =
      MediaStreamTrack::createVideo(pair.loopA(), createTestPatternSource(160, 120, 20));
  (void)a.addTrack(track, {"s"});
  int brightest = 0;
  size_t pictures = 0;
  b.onTrack([&](const TrackEvent& e) {
    MediaStreamTrack seen = e.track;
    seen.setVideoSink([&](const codec::VideoFrame& frame) {
      ++pictures;
      const uint8_t* const luma = frame.buffer->dataY();
      for (int i = 0; i < frame.width() * frame.height(); ++i)
        brightest = std::max(brightest, int{luma[i]});
    });
  });
  connect();
  run(Duration::seconds(1));
  EXPECT_GT(brightest, 100);
  track.setEnabled(false);
  run(Duration::seconds(1));
  brightest = 0;
  pictures = 0;
  run(Duration::millis(500));
  EXPECT_GT(pictures, 0u);
  EXPECT_LT(brightest, 40);
}

}  // namespace
}  // namespace parley::conformance
