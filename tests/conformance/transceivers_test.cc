// webrtc-pc sections 4.4.1.5, 5.1 and 5.4: what stopping, rolling back and closing leave of
// transceivers, and what descriptions bring.

#include "conformance/peers.h"

namespace parley::conformance {
namespace {

class Transceivers : public Peers {};

TEST_F(Transceivers, S5_4_ATaskEndsTheTrackOfOneThatStops) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  MediaStreamTrack track = transceiver.receiver().track();
  TrackState seen = TrackState::Live;
  track.onEnded([&] { seen = track.readyState(); });
  ASSERT_TRUE(transceiver.stop());
  EXPECT_EQ(track.readyState(), TrackState::Live);
  run();
  EXPECT_EQ(seen, TrackState::Ended);
}

TEST_F(Transceivers, S4_4_1_5_ARemoteOfferStopsButTheAnswerTakesAway) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  negotiate(a, b);
  RtpTransceiver remote = b.getTransceivers()[0];
  ASSERT_TRUE(transceiver.stop());
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_EQ(b.getTransceivers().size(), 1u);
  EXPECT_EQ(b.getSenders().size(), 0u);
  EXPECT_TRUE(remote.mid());
  EXPECT_EQ(remote.currentDirection(), TransceiverDirection::Stopped);
  ASSERT_TRUE(setLocal(b));
  EXPECT_EQ(b.getTransceivers().size(), 0u);
  EXPECT_FALSE(remote.mid());
}

TEST_F(Transceivers, S5_4_AnAnswerOnlySilencesWhatIsStopping) {
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  RtpTransceiver transceiver = b.getTransceivers()[0];
  ASSERT_TRUE(transceiver.stop());
  Log log;
  listen(b, log);
  ASSERT_TRUE(setLocal(b));
  EXPECT_EQ(transceiver.currentDirection(), TransceiverDirection::Inactive);
  run();
  EXPECT_EQ(log.take(), (Lines{"signalingstatechange stable", "negotiationneeded"}));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  EXPECT_EQ(a.getTransceivers()[0].currentDirection(), TransceiverDirection::Inactive);
  negotiate(b, a);
  EXPECT_EQ(a.getTransceivers().size(), 0u);
}

TEST_F(Transceivers, S5_4_StoppingAfterCreateOfferLeavesTheOfferGood) {
  RtpTransceiver first = a.addTransceiver(MediaKind::Audio).value();
  (void)a.addTransceiver(MediaKind::Audio);
  const SessionDescription made = offer(a).value();
  ASSERT_TRUE(first.stop());
  ASSERT_TRUE(setLocal(a, made));
  EXPECT_EQ(first.mid(), "0");
}

TEST_F(Transceivers, S4_4_2_ARollbackBelongsToTheSideThatOffered) {
  (void)a.addTransceiver(MediaKind::Audio);
  ASSERT_TRUE(setLocal(a));
  expectError(setRemote(a, {SdpType::Rollback, ""}), ErrorCode::InvalidState);
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  expectError(setLocal(b, {SdpType::Rollback, ""}), ErrorCode::InvalidState);
  EXPECT_TRUE(setRemote(b, {SdpType::Rollback, ""}));
  EXPECT_TRUE(setLocal(a, {SdpType::Rollback, ""}));
}

TEST_F(Transceivers, S4_4_1_5_TheStateIsLookedAtBeforeTheText) {
  expectError(setLocal(a, {SdpType::Answer, "v=0"}), ErrorCode::InvalidState);
  expectError(setRemote(a, {SdpType::Answer, "nonsense"}), ErrorCode::InvalidState);
}

TEST_F(Transceivers, S4_4_1_5_ARollbackDoesNotUseUpTheLastOffer) {
  (void)a.addTransceiver(MediaKind::Audio);
  (void)b.addTransceiver(MediaKind::Audio);
  const SessionDescription made = offer(a).value();
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  ASSERT_TRUE(setRemote(a, {SdpType::Rollback, ""}));
  EXPECT_TRUE(setLocal(a, made));
}

TEST_F(Transceivers, S5_1_RemoveTrackIsWithoutEffectOnceStopped) {
  RtpSender sender = a.addTrack(audio()).value();
  ASSERT_TRUE(a.getTransceivers()[0].stop());
  EXPECT_TRUE(a.removeTrack(sender));
  EXPECT_TRUE(sender.track());
}

TEST_F(Transceivers, S4_4_3_CloseStopsThem) {
  RtpTransceiver transceiver = a.addTransceiver(MediaKind::Audio).value();
  negotiate(a, b);
  a.close();
  EXPECT_TRUE(transceiver.stopped());
  EXPECT_EQ(transceiver.direction(), TransceiverDirection::Stopped);
  EXPECT_EQ(transceiver.currentDirection(), TransceiverDirection::Stopped);
}

TEST_F(Transceivers, S4_4_3_CloseLeavesThemTheirMidAndTheirTransport) {
  RtpTransceiver first = a.addTransceiver(MediaKind::Audio).value();
  negotiate(a, b);
  RtpTransceiver second = a.addTransceiver(MediaKind::Audio).value();
  const DtlsTransport transport = first.sender().transport();
  ASSERT_TRUE(transport);
  a.close();
  EXPECT_EQ(first.mid(), "0");
  EXPECT_EQ(first.sender().transport(), transport);
  EXPECT_EQ(first.receiver().transport(), transport);
  EXPECT_EQ(transport.state(), DtlsTransportState::Closed);
  EXPECT_EQ(transport.iceTransport().state(), IceTransportState::Closed);
  EXPECT_FALSE(second.mid());
  EXPECT_FALSE(second.sender().transport());
  run(Duration::seconds(5));
  EXPECT_EQ(first.mid(), "0") << "also when the session is gone";
  EXPECT_EQ(first.sender().transport().state(), DtlsTransportState::Closed);
}

TEST_F(Transceivers, S5_1_StreamIdsThatSdpCannotCarryAreRefused) {
  const std::vector<std::vector<std::string>> bad = {
      {"living room"}, {""}, {"a\r\na=x"}, {"-"}, {"good", "tab\t"}, {std::string(300, 'x')}};
  for (const auto& streams : bad) {
    expectError(a.addTrack(audio(), streams), ErrorCode::Type);
    TransceiverInit init;
    init.streams = streams;
    expectError(a.addTransceiver(MediaKind::Audio, init), ErrorCode::Type);
  }
  std::vector<std::string> many;
  for (int i = 0; i < 65; ++i) many.push_back("s" + std::to_string(i));
  expectError(a.addTrack(audio(), many), ErrorCode::Type);
  EXPECT_TRUE(a.getTransceivers().empty()) << "nothing comes of a refused call";
  RtpSender sender = a.addTrack(audio(), {"one", "two", "one"}).value();
  for (const auto& streams : bad) expectError(sender.setStreams(streams), ErrorCode::Type);
  negotiate(a, b);
  const std::string sdp = a.localDescription()->sdp;
  const size_t one = sdp.find("a=msid:one");
  EXPECT_NE(one, std::string::npos);
  EXPECT_EQ(sdp.find("a=msid:one", one + 1), std::string::npos) << "each once";
  EXPECT_NE(sdp.find("a=msid:two"), std::string::npos);
}

TEST_F(Transceivers, S5_2_ARemoteOfferAloneBringsNoTransport) {
  (void)a.addTransceiver(MediaKind::Audio);
  (void)a.createDataChannel("c");
  ASSERT_TRUE(setLocal(a));
  EXPECT_TRUE(a.getSenders()[0].transport());
  EXPECT_TRUE(a.sctp());
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  EXPECT_FALSE(b.getSenders()[0].transport());
  EXPECT_TRUE(b.sctp());
  ASSERT_TRUE(setRemote(b, {SdpType::Rollback, ""}));
  EXPECT_FALSE(b.sctp());
}

TEST_F(Transceivers, S4_4_2_AnEndOfCandidatesWithoutPlaceIsForEverySection) {
  (void)a.addTransceiver(MediaKind::Audio);
  (void)a.addTransceiver(MediaKind::Video);
  ASSERT_TRUE(setLocal(a));
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(addCandidate(b, {"", {}, {}, {}}));
  const std::string sdp = b.remoteDescription()->sdp;
  const size_t first = sdp.find("a=end-of-candidates");
  ASSERT_NE(first, std::string::npos);
  EXPECT_NE(sdp.find("a=end-of-candidates", first + 1), std::string::npos);
  expectError(addCandidate(b, {"", {}, {}, "nobody"}), ErrorCode::Operation);
}

TEST_F(Transceivers, S4_4_1_5_ADescriptionWithoutMsidHasAStream) {
  (void)a.addTransceiver(MediaKind::Audio);
  SessionDescription made = offer(a).value();
  const size_t at = made.sdp.find("a=msid:");
  ASSERT_NE(at, std::string::npos);
  made.sdp.erase(at, made.sdp.find('\n', at) - at + 1);
  std::vector<std::string> streams;
  b.onTrack([&](const TrackEvent& e) { streams = e.streams; });
  ASSERT_TRUE(setRemote(b, made));
  EXPECT_EQ(streams.size(), 1u);
}

TEST_F(Transceivers, S5_3_ReceiversHaveCodecsOnceTheyAreNegotiated) {
  RtpReceiver receiver = a.addTransceiver(MediaKind::Video).value().receiver();
  ASSERT_TRUE(setLocal(a));
  EXPECT_TRUE(receiver.getParameters().codecs.empty());
  ASSERT_TRUE(setRemote(b, *a.localDescription()));
  ASSERT_TRUE(setLocal(b));
  ASSERT_TRUE(setRemote(a, *b.localDescription()));
  EXPECT_FALSE(receiver.getParameters().codecs.empty());
  std::vector<RtpHeaderExtensionCapability> list =
      a.getTransceivers()[0].getHeaderExtensionsToNegotiate();
  list[0].uri.clear();
  expectError(a.getTransceivers()[0].setHeaderExtensionsToNegotiate(list), ErrorCode::Type);
}

// Fills up to what bufferedAmount shows, and goes on when told that it fell: nobody may wait for
// ever, however fast the path takes what is sent.
TEST_F(Transceivers, S6_2_BufferedAmountLowFollowsWhatWasShown) {
  DataChannel channel = a.createDataChannel("c").value();
  DataChannel far;
  size_t received = 0;
  b.onDataChannel([&](DataChannel c) {
    far = c;
    far.onMessage([&](const DataMessage&) { ++received; });
  });
  constexpr size_t kMessages = 2000;
  size_t sent = 0;
  const auto fill = [&] {
    while (sent < kMessages && channel.bufferedAmount() < 200'000) {
      ASSERT_TRUE(channel.send(std::string(1000, 'x')));
      ++sent;
    }
  };
  channel.setBufferedAmountLowThreshold(100'000);
  channel.onBufferedAmountLow(fill);
  channel.onOpen(fill);
  a.onIceCandidate([&](const std::optional<IceCandidate>& c) {
    if (c) b.addIceCandidate(*c);
  });
  b.onIceCandidate([&](const std::optional<IceCandidate>& c) {
    if (c) a.addIceCandidate(*c);
  });
  negotiate(a, b);
  EXPECT_TRUE(runUntil([&] { return received == kMessages; }));
  EXPECT_EQ(received, kMessages);
}

TEST_F(Transceivers, S6_2_WhatATurnHasSentIsBufferedUntilItsEnd) {
  DataChannel channel = a.createDataChannel("c").value();
  DataChannel far;
  b.onDataChannel([&](DataChannel c) { far = c; });
  uint64_t inTurn = 0;
  uint64_t closed = 0;
  channel.onOpen([&] {
    EXPECT_TRUE(channel.send("hello"));
    EXPECT_TRUE(channel.send("world"));
    inTurn = channel.bufferedAmount();
    a.close();
    closed = channel.bufferedAmount();
  });
  std::optional<Error> failure;
  a.onIceCandidate([&](const std::optional<IceCandidate>& c) {
    if (c) b.addIceCandidate(*c);
  });
  b.onIceCandidate([&](const std::optional<IceCandidate>& c) {
    if (c) a.addIceCandidate(*c);
  });
  negotiate(a, b);
  ASSERT_TRUE(runUntil([&] { return static_cast<bool>(far); }));
  far.onError([&](const Error& e) { failure = e; });
  bool ended = false;
  far.onClose([&] { ended = true; });
  ASSERT_TRUE(runUntil([&] { return ended; }));
  EXPECT_EQ(inTurn, 10u);
  EXPECT_EQ(closed, 10u);
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->detail, ErrorDetail::SctpFailure);
}

TEST_F(Transceivers, S5_1_WhatAddTrackKeptTakesTheNextOffer) {
  (void)a.addTrack(audio(), {"s"});
  ASSERT_TRUE(setLocal(a));
  const SessionDescription offered = *a.localDescription();
  ASSERT_TRUE(setRemote(b, offered));
  (void)b.addTrack(MediaStreamTrack::createAudio(pair.loopB()), {"t"});
  ASSERT_TRUE(setRemote(b, {SdpType::Rollback, {}}));
  ASSERT_EQ(b.getTransceivers().size(), 1u);
  EXPECT_FALSE(b.getTransceivers()[0].mid());
  ASSERT_TRUE(setRemote(b, offered));
  ASSERT_EQ(b.getTransceivers().size(), 1u);
  EXPECT_EQ(b.getTransceivers()[0].mid(), "0");
}

TEST_F(Transceivers, S5_3_AGoodByeMutesTheTrack) {
  for (PeerConnection* pc : {&a, &b}) {
    PeerConnection* other = pc == &a ? &b : &a;
    pc->onIceCandidate([other](const std::optional<IceCandidate>& candidate) {
      if (candidate) other->addIceCandidate(*candidate);
    });
  }
  (void)a.addTrack(MediaStreamTrack::createAudio(pair.loopA(), createToneSource(440)), {"s"});
  negotiate(a, b);
  const MediaStreamTrack track = b.getReceivers()[0].track();
  ASSERT_TRUE(runUntil([&] { return !track.muted(); }));
  ASSERT_TRUE(a.getTransceivers()[0].stop());
  EXPECT_TRUE(runUntil([&] { return track.muted(); }, Duration::seconds(4)));
}

}  // namespace
}  // namespace parley::conformance
