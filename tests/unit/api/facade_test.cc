// What the facade answers to wrong or early calls: the W3C error and a sentence.

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "parley/api/forwarder.h"
#include "parley/parley.h"

namespace parley {
namespace {

/// A connection on a loop that the test itself turns.
class FacadeTest : public ::testing::Test {
 protected:
  FacadeTest() : pc(make()) {}

  PeerConnection make(Configuration configuration = {}) {
    return PeerConnection::create(loop, std::move(configuration)).value();
  }

  /// Runs an asynchronous member to its end.
  template <class T, class Start>
  Result<T> await(Start start) {
    std::optional<Result<T>> result;
    start([&](Result<T> r) { result.emplace(std::move(r)); });
    for (int i = 0; i < 200 && !result; ++i) loop->process();
    if (!result) return fail(ErrorCode::Abort, "never completed");
    return std::move(*result);
  }
  Result<void> setRemote(SdpType type, std::string sdp) {
    return await<void>([&](Completion<void> done) {
      pc.setRemoteDescription({type, std::move(sdp)}, std::move(done));
    });
  }

  Result<void> setLocal(PeerConnection& of) {
    return await<void>([&](Completion<void> done) { of.setLocalDescription(std::move(done)); });
  }
  /// One round of offer and answer.
  void negotiate(PeerConnection& from, PeerConnection& to) {
    const auto pass = [&](PeerConnection& made, PeerConnection& takes) {
      ASSERT_TRUE(setLocal(made));
      ASSERT_TRUE(await<void>([&](Completion<void> done) {
        takes.setRemoteDescription(*made.localDescription(), std::move(done));
      }));
    };
    pass(from, to);
    pass(to, from);
    for (int i = 0; i < 20; ++i) loop->process();
  }

  template <class T>
  static void expectError(const Result<T>& result, ErrorCode code) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_GT(result.error().message.size(), 10u);
  }

  std::shared_ptr<Loop> loop = Loop::create();
  PeerConnection pc;
};

TEST_F(FacadeTest, ConfigurationIsChecked) {
  const auto withUrl = [&](const char* url, std::optional<std::string> user = {}) {
    Configuration configuration;
    configuration.iceServers = {{{url}, user, user}};
    return PeerConnection::create(loop, configuration);
  };
  for (const char* url :
       {"", "stun:", "stun:host:", "stun:host:0", "stun:host:65536", "stun:ho st", "http://host",
        "stun:[::1", "stun:[nonsense]:3478", "stun:host?transport=udp", "turn:", "turn:host?",
        "turn:host?transport=sctp", "turn:host?protocol=tcp", "turn:host:99999?transport=udp"}) {
    expectError(withUrl(url), ErrorCode::Syntax);
  }
  expectError(withUrl("stuns:host"), ErrorCode::NotSupported);
  for (const char* url : {"turn:host", "TURN:host:80", "turn:host?transport=udp",
                          "turn:[2001:db8::1]:3478?transport=TCP", "turns:host?transport=tcp",
                          "turns:192.0.2.1:443", "turns:host?transport=udp"}) {
    expectError(withUrl(url), ErrorCode::InvalidAccess);
    EXPECT_TRUE(withUrl(url, "alice")) << url;
    EXPECT_TRUE(withUrl(url, "")) << "empty is not absent";
  }
  Configuration roots;
  roots.iceServers = {{{"turns:host"}, "alice", "wonderland", true, "not PEM"}};
  expectError(PeerConnection::create(loop, roots), ErrorCode::Syntax);
  for (const char* url : {"stun:stun.example", "STUN:192.0.2.1:3479", "stun:[2001:db8::1]",
                          "stun:[2001:db8::1]:3478"}) {
    EXPECT_TRUE(withUrl(url)) << url;
  }
  Configuration rates;
  rates.startBitrate = DataRate::kbps(10);
  expectError(PeerConnection::create(loop, rates), ErrorCode::Range);
  expectError(PeerConnection::create(nullptr), ErrorCode::Type);
}

TEST_F(FacadeTest, CertificatesCanBeGivenAndReadBack) {
  const Certificate made = Certificate::generate().value();
  const Certificate read = Certificate::fromPem(made.toPem()).value();
  ASSERT_EQ(made.getFingerprints().size(), 1u);
  EXPECT_EQ(made.getFingerprints()[0].value, read.getFingerprints()[0].value);
  EXPECT_EQ(made.getFingerprints()[0].algorithm, "sha-256");
  expectError(Certificate::fromPem("nonsense"), ErrorCode::Syntax);
  expectError(Certificate::generate(Duration::millis(-1)), ErrorCode::Range);
  EXPECT_EQ(Certificate::generate(Duration::seconds(60), CertificateKey::Rsa2048)
                .value()
                .getFingerprints()
                .size(),
            1u);
  Configuration expired;
  expired.certificates = {Certificate::generate(Duration::zero()).value()};
  expectError(PeerConnection::create(loop, expired), ErrorCode::InvalidAccess);
  expired.certificates.insert(expired.certificates.begin(), Certificate::generate().value());
  expectError(PeerConnection::create(loop, expired), ErrorCode::InvalidAccess);

  Configuration configuration;
  configuration.certificates = {read};
  PeerConnection own = make(configuration);
  (void)own.createDataChannel("c");
  const auto offer = await<SessionDescription>(
      [&](Completion<SessionDescription> done) { own.createOffer(std::move(done)); });
  ASSERT_TRUE(offer);
  std::string upper = read.getFingerprints()[0].value;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_NE(offer->sdp.find(upper), std::string::npos);
}

TEST_F(FacadeTest, DataChannelOptionsAreChecked) {
  DataChannelInit both;
  both.maxRetransmits = 1;
  both.maxPacketLifeTime = 1;
  expectError(pc.createDataChannel("c", both), ErrorCode::Type);
  DataChannelInit noId;
  noId.negotiated = true;
  expectError(pc.createDataChannel("c", noId), ErrorCode::Type);
  DataChannelInit lastId = noId;
  lastId.id = 65535;
  expectError(pc.createDataChannel("c", lastId), ErrorCode::Type);
  expectError(pc.createDataChannel(std::string(65536, 'x')), ErrorCode::Type);
  DataChannelInit fine = noId;
  fine.id = 7;
  DataChannel channel = pc.createDataChannel("c", fine).value();
  EXPECT_EQ(channel.id(), 7);
  EXPECT_EQ(channel.readyState(), DataChannelState::Connecting);
  expectError(pc.createDataChannel("again", fine), ErrorCode::Operation);
  expectError(channel.send("early"), ErrorCode::InvalidState);
}

TEST_F(FacadeTest, DescriptionsAreCheckedAndLeaveTheStateAlone) {
  expectError(setRemote(SdpType::Offer, "v=0\r\nnonsense\r\n"), ErrorCode::Syntax);
  const auto broken =
      setRemote(SdpType::Offer, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio x y\r\n");
  expectError(broken, ErrorCode::Syntax);
  EXPECT_EQ(broken.error().sdpLineNumber, 5);
  expectError(setRemote(SdpType::Answer, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"),
              ErrorCode::InvalidState);
  expectError(setRemote(SdpType::Rollback, ""), ErrorCode::InvalidState);
  expectError(await<SessionDescription>(
                  [&](Completion<SessionDescription> done) { pc.createAnswer(std::move(done)); }),
              ErrorCode::InvalidState);
  expectError(await<void>([&](Completion<void> done) {
                pc.addIceCandidate({"candidate:1 1 udp 1 192.0.2.1 9 typ host", "0", 0, {}},
                                   std::move(done));
              }),
              ErrorCode::InvalidState);
  EXPECT_EQ(pc.signalingState(), SignalingState::Stable);
  EXPECT_FALSE(pc.localDescription());
  EXPECT_FALSE(pc.remoteDescription());
}

TEST_F(FacadeTest, StatesChangeOnlyInTheStepThatAnnouncesThem) {
  (void)pc.createDataChannel("c");
  bool announced = false;
  pc.onSignalingStateChange([&](SignalingState state) {
    announced = true;
    EXPECT_EQ(state, SignalingState::HaveLocalOffer);
    EXPECT_EQ(pc.signalingState(), state);
  });
  bool completed = false;
  pc.setLocalDescription([&](Result<void> result) {
    EXPECT_TRUE(result);
    EXPECT_TRUE(announced) << "the event comes before the completion";
    completed = true;
  });
  EXPECT_EQ(pc.signalingState(), SignalingState::Stable) << "nothing has been announced yet";
  EXPECT_FALSE(pc.pendingLocalDescription());
  for (int i = 0; i < 100 && !completed; ++i) loop->process();
  EXPECT_TRUE(completed);
  EXPECT_EQ(pc.signalingState(), SignalingState::HaveLocalOffer);
  ASSERT_TRUE(pc.pendingLocalDescription());
  EXPECT_FALSE(pc.currentLocalDescription());
}

TEST_F(FacadeTest, TracksAndSendersAreChecked) {
  MediaStreamTrack track = MediaStreamTrack::createVideo(loop);
  RtpSender sender = pc.addTrack(track, {"s"}).value();
  expectError(pc.addTrack(track), ErrorCode::InvalidAccess);
  expectError(pc.addTrack({}), ErrorCode::Type);
  PeerConnection other = make();
  expectError(other.removeTrack(sender), ErrorCode::InvalidAccess);
  expectError(await<void>([&](Completion<void> done) {
                sender.replaceTrack(MediaStreamTrack::createAudio(loop), std::move(done));
              }),
              ErrorCode::Type);
  EXPECT_TRUE(
      await<void>([&](Completion<void> done) { sender.replaceTrack({}, std::move(done)); }));
  EXPECT_FALSE(sender.track());

  TransceiverInit tooSmall;
  tooSmall.sendEncodings = {RtpEncodingParameters{}};
  tooSmall.sendEncodings[0].scaleResolutionDownBy = 0.5;
  expectError(pc.addTransceiver(MediaKind::Video, tooSmall), ErrorCode::Range);
  TransceiverInit stopped;
  stopped.direction = TransceiverDirection::Stopped;
  expectError(pc.addTransceiver(MediaKind::Video, stopped), ErrorCode::Type);

  RtpTransceiver transceiver = pc.addTransceiver(MediaKind::Audio).value();
  EXPECT_EQ(transceiver.direction(), TransceiverDirection::SendRecv);
  EXPECT_FALSE(transceiver.currentDirection());
  EXPECT_FALSE(transceiver.mid());
  EXPECT_TRUE(transceiver.stop());
  expectError(transceiver.setDirection(TransceiverDirection::SendOnly), ErrorCode::InvalidState);
  expectError(MediaStreamTrack::createAudio(loop).push(codec::VideoFrame{}), ErrorCode::Type);
  track.stop();
  expectError(track.push(codec::VideoFrame{}), ErrorCode::InvalidState);
}

TEST_F(FacadeTest, ParametersNeedTheLatestTransaction) {
  RtpSender sender = pc.addTrack(MediaStreamTrack::createVideo(loop)).value();
  const auto set = [&](RtpSendParameters p) {
    return await<void>([&](Completion<void> done) { sender.setParameters(p, std::move(done)); });
  };
  RtpSendParameters parameters = sender.getParameters();
  parameters.transactionId += "x";
  expectError(set(parameters), ErrorCode::InvalidModification);
  parameters = sender.getParameters();
  parameters.encodings[0].maxFramerate = -1;
  expectError(set(parameters), ErrorCode::Range);
  parameters = sender.getParameters();
  parameters.encodings[0].maxFramerate = 15;
  parameters.encodings[0].maxBitrate = DataRate::kbps(300);
  EXPECT_TRUE(set(parameters));
  expectError(set(parameters), ErrorCode::InvalidState);
  EXPECT_EQ(sender.getParameters().encodings[0].maxFramerate, 15);
}

TEST_F(FacadeTest, CodecPreferencesShapeTheOffer) {
  RtpTransceiver transceiver = pc.addTransceiver(MediaKind::Video).value();
  std::vector<RtpCodec> vp9;
  for (const RtpCodec& codec : PeerConnection::receiverCapabilities(MediaKind::Video)) {
    if (codec.mimeType == "video/VP9" || codec.mimeType == "video/rtx") vp9.push_back(codec);
  }
  ASSERT_GE(vp9.size(), 2u);
  EXPECT_TRUE(transceiver.setCodecPreferences(vp9));
  const auto offer = await<SessionDescription>(
      [&](Completion<SessionDescription> done) { pc.createOffer(std::move(done)); });
  ASSERT_TRUE(offer);
  EXPECT_NE(offer->sdp.find("VP9/90000"), std::string::npos);
  EXPECT_EQ(offer->sdp.find("VP8/90000"), std::string::npos);
  RtpCodec unknown;
  unknown.mimeType = "video/nothing";
  unknown.clockRate = 90'000;
  expectError(transceiver.setCodecPreferences({unknown}), ErrorCode::InvalidModification);
}

TEST_F(FacadeTest, AClosedConnectionSaysSo) {
  DataChannel channel = pc.createDataChannel("c").value();
  pc.close();
  pc.close();
  EXPECT_EQ(pc.signalingState(), SignalingState::Closed);
  EXPECT_EQ(pc.connectionState(), PeerConnectionState::Closed);
  EXPECT_EQ(pc.iceConnectionState(), IceConnectionState::Closed);
  expectError(pc.createDataChannel("d"), ErrorCode::InvalidState);
  expectError(pc.addTransceiver(MediaKind::Audio), ErrorCode::InvalidState);
  expectError(channel.send("x"), ErrorCode::InvalidState);
  expectError(await<SessionDescription>(
                  [&](Completion<SessionDescription> done) { pc.createOffer(std::move(done)); }),
              ErrorCode::InvalidState);
}

TEST_F(FacadeTest, CandidatesShowTheirParts) {
  IceCandidate candidate;
  candidate.candidate =
      "candidate:842163049 1 udp 1677729535 192.0.2.7 46154 typ srflx raddr 10.0.0.17 rport 46154 "
      "generation 0";
  const auto parsed = candidate.parse();
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->foundation, "842163049");
  EXPECT_EQ(parsed->address, "192.0.2.7");
  EXPECT_EQ(parsed->port, 46154);
  EXPECT_EQ(parsed->type, IceCandidateType::ServerReflexive);
  EXPECT_EQ(parsed->relatedAddress, "10.0.0.17");
  EXPECT_FALSE(IceCandidate{}.parse());
}

TEST_F(FacadeTest, StatisticsAreValidJsonAndFindable) {
  (void)pc.createDataChannel("a \"quoted\" label\n");
  const auto report =
      await<StatsReport>([&](Completion<StatsReport> done) { pc.getStats(std::move(done)); });
  ASSERT_TRUE(report);
  // No description, no transport.
  EXPECT_TRUE(report->ofType("transport").empty());
  EXPECT_EQ(report->ofType("peer-connection").size(), 1u);
  ASSERT_EQ(report->ofType("data-channel").size(), 1u);
  EXPECT_EQ(report->ofType("data-channel")[0]->text("state"), "connecting");
  EXPECT_NE(report->toJson().find("\\\"quoted\\\" label\\u000a"), std::string::npos);
  EXPECT_EQ(report->find("nothing"), nullptr);
}

TEST_F(FacadeTest, ATransceiverOfARemoteOfferIsWholeBeforeTheAnswer) {
  PeerConnection viewer = make();
  TransceiverInit init;
  init.direction = TransceiverDirection::RecvOnly;
  ASSERT_TRUE(viewer.addTransceiver(MediaKind::Video, init));
  const auto offer = await<SessionDescription>(
      [&](Completion<SessionDescription> done) { viewer.createOffer(std::move(done)); });
  ASSERT_TRUE(offer);
  ASSERT_TRUE(setRemote(SdpType::Offer, offer->sdp));
  ASSERT_EQ(pc.getTransceivers().size(), 1u);
  RtpTransceiver transceiver = pc.getTransceivers()[0];
  EXPECT_EQ(transceiver.kind(), MediaKind::Video);
  ASSERT_TRUE(transceiver.receiver().track());
  EXPECT_TRUE(transceiver.receiver().track().muted());
  EXPECT_TRUE(await<void>([&](Completion<void> done) {
    transceiver.sender().replaceTrack(MediaStreamTrack::createVideo(loop), std::move(done));
  }));
}

TEST_F(FacadeTest, WhatThePeerHasJustTakenAwayIsNotForwarded) {
  PeerConnection peer = make();
  RtpTransceiver video = peer.addTransceiver(MediaKind::Video).value();
  RtpTransceiver audio = peer.addTransceiver(MediaKind::Audio).value();
  negotiate(peer, pc);
  ASSERT_EQ(pc.getTransceivers().size(), 2u);
  const RtpTransceiver stays = pc.getTransceivers()[0];
  const RtpTransceiver goes = pc.getTransceivers()[1];
  ASSERT_TRUE(audio.stop());
  negotiate(peer, pc);
  ASSERT_EQ(pc.getTransceivers().size(), 1u);
  Forwarder room(loop);
  expectError(room.publish(goes.receiver()), ErrorCode::InvalidState);
  const Result<PublicationId> publication = room.publish(stays.receiver());
  ASSERT_TRUE(publication);
  expectError(room.subscribe(*publication, goes.sender()), ErrorCode::InvalidState);
  EXPECT_TRUE(room.subscribe(*publication, stays.sender()));
}

}  // namespace
}  // namespace parley
