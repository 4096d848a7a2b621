#include "parley/jsep/offer_answer.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::Direction;
using sdp::MediaKind;
using sdp::SetupRole;
using test::names;
using test::negotiate;
using test::numbers;
using test::Peer;

TEST(CreateOffer, WithoutAnythingIsEmptyButValid) {
  Peer a("a");
  const auto d = a.peek();
  EXPECT_TRUE(d.media.empty());
  EXPECT_TRUE(d.groups.empty());
  EXPECT_EQ(d.origin.sessionVersion, 1u);
}

TEST(CreateOffer, DescribesAudioVideoAndData) {
  Peer a("a", 77);
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  a.state.data.wanted = true;
  const auto d = a.peek();
  EXPECT_EQ(d.origin.sessionId, 77u);
  EXPECT_TRUE(d.extmapAllowMixed);
  ASSERT_EQ(d.media.size(), 3u);
  EXPECT_EQ(d.bundleGroup()->mids, (std::vector<std::string>{"0", "1", "2"}));
  for (size_t i = 0; i < 3; ++i) {
    const auto& m = d.media[i];
    EXPECT_EQ(m.mid, std::to_string(i));
    EXPECT_EQ(m.port, 9);
    EXPECT_FALSE(m.bundleOnly);
    EXPECT_EQ(m.transport.iceUfrag, "aufrag1");
    EXPECT_EQ(m.transport.setup, SetupRole::ActPass);
    EXPECT_EQ(m.transport.iceOptions, std::vector<std::string>{"trickle"});
    EXPECT_EQ(m.transport.fingerprints, a.caps.fingerprints);
  }
  const auto& audio = d.media[0];
  EXPECT_EQ(audio.protocol, "UDP/TLS/RTP/SAVPF");
  EXPECT_EQ(audio.direction, Direction::SendRecv);
  EXPECT_TRUE(audio.rtcpMux && audio.rtcpReducedSize);
  EXPECT_EQ(numbers(audio.codecs), (std::vector<int>{111, 63, 0, 8, 110}));
  EXPECT_EQ(sdp::writeFmtp(audio.codecs[1].fmtp), "111/111");
  EXPECT_EQ(audio.msids, (std::vector<sdp::Msid>{{"a-stream", "a-track-1"}}));
  ASSERT_EQ(audio.ssrcs.size(), 1u);
  EXPECT_EQ(audio.ssrcs[0].attribute("cname"), "a-cname");
  EXPECT_TRUE(audio.ssrcGroups.empty());

  const auto& video = d.media[1];
  EXPECT_EQ(names(video.codecs),
            (std::vector<std::string>{"VP8", "rtx", "VP9", "rtx", "H264", "rtx"}));
  EXPECT_EQ(video.ssrcGroups, (std::vector<sdp::SsrcGroup>{{"FID", {1002, 1003}}}));
  EXPECT_EQ(video.extmaps.size(), 3u);
  EXPECT_EQ(video.extmaps[1].id, 4);  // one id for one URI in the whole bundle
  EXPECT_EQ(audio.extmaps[2].id, 4);

  const auto& data = d.media[2];
  EXPECT_EQ(data.protocol, "UDP/DTLS/SCTP");
  EXPECT_EQ(data.formats, std::vector<std::string>{"webrtc-datachannel"});
  EXPECT_EQ(data.sctpPort, 5000);
  EXPECT_EQ(data.maxMessageSize, 262144u);
}

TEST(CreateOffer, IsAFunctionOfItsArguments) {
  Peer a("a");
  a.add(MediaKind::Audio);
  EXPECT_EQ(a.peek(), a.peek());
  a.offer();
  EXPECT_EQ(a.peek(), a.state.pendingLocal->sdp) << "nothing changed, so not even the version";
  a.add(MediaKind::Video);
  EXPECT_EQ(a.peek().origin.sessionVersion, a.state.sessionVersion + 1);
}

TEST(CreateOffer, SenderWithoutStreamSaysSo) {
  Peer a("a");
  TransceiverInit init;
  init.trackId = "t";
  addTransceiver(a.state, MediaKind::Audio, init);
  const auto d = a.peek();
  EXPECT_EQ(d.media[0].msids, (std::vector<sdp::Msid>{{"-", "t"}}));
  EXPECT_TRUE(d.media[0].ssrcs.empty()) << "no SSRC drawn yet";
}

TEST(CreateOffer, ReceivingOnlyNamesNoSource) {
  Peer a("a");
  a.add(MediaKind::Video, Direction::RecvOnly);
  const auto d = a.peek();
  EXPECT_EQ(d.media[0].direction, Direction::RecvOnly);
  EXPECT_TRUE(d.media[0].msids.empty());
  EXPECT_TRUE(d.media[0].ssrcs.empty());
}

TEST(CreateOffer, ASourceThatHasSentKeepsItsNumberWhilePaused) {
  Peer a("a");
  Peer b("b");
  const TransceiverId id = a.add(MediaKind::Video);
  negotiate(a, b);
  const auto sources = a.state.currentLocal->sdp.media[0].ssrcs;
  ASSERT_EQ(sources.size(), 2u);
  a.state.find(id)->direction = Direction::Inactive;
  const auto paused = a.peek();
  EXPECT_EQ(paused.media[0].direction, Direction::Inactive);
  EXPECT_TRUE(paused.media[0].msids.empty());
  EXPECT_EQ(paused.media[0].ssrcs, sources);
}

TEST(CreateOffer, OffersSimulcastByRid) {
  Peer a("a");
  TransceiverInit init;
  init.trackId = "t";
  init.encodings = {a.encoding("h"), a.encoding("m"), a.encoding("l")};
  addTransceiver(a.state, MediaKind::Video, init);
  const auto d = a.peek();
  ASSERT_EQ(d.media[0].rids.size(), 3u);
  EXPECT_EQ(d.media[0].rids[1], (sdp::Rid{"m", true, {}, {}}));
  ASSERT_TRUE(d.media[0].simulcast);
  EXPECT_EQ(d.media[0].simulcast->send.size(), 3u);
  EXPECT_TRUE(d.media[0].ssrcs.empty());
}

TEST(CreateOffer, StoppingBeforeNegotiationLeavesNoSection) {
  Peer a("a");
  stopTransceiver(a.state, a.add(MediaKind::Audio));
  a.add(MediaKind::Video);
  const auto d = a.peek();
  ASSERT_EQ(d.media.size(), 1u);
  EXPECT_EQ(d.media[0].kind(), MediaKind::Video);
}

TEST(CreateOffer, CodecPreferencesNarrowAndOrder) {
  Peer a("a");
  const auto id = a.add(MediaKind::Video);
  const auto vp9 = test::video(0, "VP9"), vp8 = test::video(0, "VP8"),
             rtx = test::codec(0, "rtx", 90000);
  ASSERT_TRUE(setCodecPreferences(a.state, a.caps, id, {vp9, vp8, vp9}));
  EXPECT_EQ(names(a.peek().media[0].codecs), (std::vector<std::string>{"VP9", "VP8"}));
  ASSERT_TRUE(setCodecPreferences(a.state, a.caps, id, {vp9, rtx}));
  EXPECT_EQ(numbers(a.peek().media[0].codecs), (std::vector<int>{98, 99}));
  ASSERT_TRUE(setCodecPreferences(a.state, a.caps, id, {}));
  EXPECT_EQ(a.peek().media[0].codecs.size(), 6u);
  EXPECT_EQ(setCodecPreferences(a.state, a.caps, id, {rtx}).error().code,
            ErrorCode::InvalidModification);
  EXPECT_EQ(setCodecPreferences(a.state, a.caps, id, {test::video(0, "AV1")}).error().code,
            ErrorCode::InvalidModification);
}

TEST(CreateOffer, HeaderExtensionChoicesCount) {
  Peer a("a");
  a.add(MediaKind::Audio);
  a.state.transceivers[0].headerExtensions = {{test::kTwccUri, std::nullopt},
                                              {test::kLevelUri, Direction::RecvOnly}};
  const auto d = a.peek();
  ASSERT_EQ(d.media[0].extmaps.size(), 2u);
  EXPECT_EQ(d.media[0].extmaps[0].uri, test::kLevelUri);
  EXPECT_EQ(d.media[0].extmaps[0].direction, Direction::RecvOnly);
}

TEST(CreateOffer, IceRestartTakesFreshCredentials) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  a.freshIce();
  EXPECT_EQ(a.peek().media[0].transport.iceUfrag, "aufrag1");
  EXPECT_EQ(a.peek({true}).media[0].transport.iceUfrag, "aufrag2");
  restartIce(a.state);
  EXPECT_EQ(a.peek().media[0].transport.iceUfrag, "aufrag2");
  EXPECT_EQ(a.peek().media[0].transport.icePwd, a.caps.freshIce.pwd);
}

// --- answers -------------------------------------------------------------------------------------

TEST(CreateAnswer, MirrorsTheOffer) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video, Direction::SendOnly);
  a.state.data.wanted = true;
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  const auto d = b.peekAnswer();
  ASSERT_EQ(d.media.size(), 3u);
  EXPECT_EQ(d.bundleGroup()->mids, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_TRUE(d.extmapAllowMixed);
  for (const auto& m : d.media) {
    EXPECT_EQ(m.transport.setup, SetupRole::Active);
    EXPECT_EQ(m.transport.iceUfrag, "bufrag1");
    EXPECT_FALSE(m.isRejected());
  }
  EXPECT_EQ(d.media[0].direction, Direction::RecvOnly);
  EXPECT_EQ(d.media[1].direction, Direction::RecvOnly);
  EXPECT_TRUE(d.media[0].msids.empty());
  EXPECT_EQ(d.media[2].sctpPort, 5000);
}

TEST(CreateAnswer, UsesTheOfferersNumbers) {
  Peer a("a"), b("b");
  a.caps.videoCodecs = {test::video(120, "VP8"), test::codec(124, "rtx", 90000, "apt=120"),
                        test::video(96, "VP9"), test::video(45, "AV1")};
  a.caps.videoExtensions = {{test::kMidUri, 7}, {"urn:unknown", 3}};
  a.add(MediaKind::Video);
  b.track(MediaKind::Video);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  const auto d = b.peekAnswer();
  EXPECT_EQ(numbers(d.media[0].codecs), (std::vector<int>{120, 124, 96}));
  EXPECT_EQ(d.media[0].codecs[1].associatedPayloadType(), 120);
  ASSERT_EQ(d.media[0].extmaps.size(), 1u);
  EXPECT_EQ(d.media[0].extmaps[0].id, 7);
}

TEST(CreateAnswer, OwnPreferencesOrderTheAnswer) {
  Peer a("a"), b("b");
  a.add(MediaKind::Video);
  const auto id = b.track(MediaKind::Video);
  ASSERT_TRUE(setCodecPreferences(
      b.state, b.caps, id,
      {test::video(0, "VP9"), test::video(0, "VP8"), test::codec(0, "rtx", 90000)}));
  negotiate(a, b);
  EXPECT_EQ(names(b.state.currentLocal->sdp.media[0].codecs),
            (std::vector<std::string>{"VP9", "rtx", "VP8", "rtx"}));
  EXPECT_EQ(b.at(0).negotiated.media.sendCodecs[0].name, "VP9");
  EXPECT_EQ(a.at(0).negotiated.media.sendCodecs[0].name, "VP9");
}

TEST(CreateAnswer, FeedbackIsTheIntersection) {
  Peer a("a"), b("b");
  a.caps.videoCodecs = {test::video(96, "VP8")};
  a.caps.videoCodecs.edit([](auto& codecs) {
    codecs[0].feedback = {{"nack", ""}, {"ack", "ccfb"}, {"ccm", "fir"}};
  });
  a.add(MediaKind::Video);
  auto offer = a.offer();
  offer.media[0].wildcardFeedback = {{"nack", "pli"}};
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  EXPECT_EQ(b.peekAnswer().media[0].codecs[0].feedback,
            (std::vector<sdp::RtcpFeedback>{
                {"ccm", "fir"}, {"nack", ""}, {"nack", "pli"}, {"ack", "ccfb"}}));
}

// RFC 8888 section 6: one way of reporting. Ours is transport-cc where the peer knows it, on any
// section.
TEST(CreateAnswer, CongestionFeedbackIsTakenWhereThereIsNoTransportCc) {
  for (const bool transportCc : {false, true}) {
    Peer a("a"), b("b");
    a.add(MediaKind::Video);
    a.add(MediaKind::Video);
    auto offer = a.peek();
    for (size_t i = 0; i < 2; ++i) {
      for (auto& codec : offer.media[i].codecs) {
        if (codec.is("rtx")) continue;
        std::erase_if(codec.feedback, [](const auto& f) { return f.type == "transport-cc"; });
        codec.feedback.push_back({"ack", "ccfb"});
      }
    }
    if (transportCc) offer.media[1].codecs[0].feedback.push_back({"transport-cc", ""});
    ASSERT_TRUE(b.remote(SdpType::Offer, offer));
    const auto answer = b.peekAnswer();
    for (const auto& codec : answer.media[0].codecs) {
      if (codec.is("rtx")) continue;
      EXPECT_EQ(codec.hasFeedback("ack", "ccfb"), !transportCc) << codec.name;
    }
  }
}

TEST(CreateAnswer, RejectsWhatItCannotDo) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  a.add(MediaKind::Video);
  a.state.data.wanted = true;
  auto offer = a.peek();
  offer.media[0].media = "text";
  offer.media[1].codecs = {test::video(96, "AV1"), test::codec(97, "rtx", 90000, "apt=96")};
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.peekAnswer();
  EXPECT_TRUE(d.media[0].isRejected());
  EXPECT_EQ(d.media[0].media, "text");
  EXPECT_TRUE(d.media[1].isRejected());
  EXPECT_EQ(numbers(d.media[1].codecs), std::vector<int>{96})
      << "a rejected section still lists a format";
  EXPECT_FALSE(d.media[2].isRejected());
  EXPECT_FALSE(d.media[3].isRejected());
  EXPECT_EQ(d.bundleGroup()->mids, (std::vector<std::string>{"2", "3"}));
}

TEST(CreateAnswer, UnderMaxBundleTakesOnlyTheFirstSectionOfAPeerWithoutBundle) {
  Peer a("a"), b("b");
  b.state.bundlePolicy = BundlePolicy::MaxBundle;
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  auto offer = a.offer();
  offer.groups.clear();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.answer();
  EXPECT_FALSE(d.media[0].isRejected());
  EXPECT_TRUE(d.media[1].isRejected());
  EXPECT_TRUE(d.groups.empty());
  ASSERT_TRUE(a.remote(SdpType::Answer, d));
  EXPECT_EQ(a.last.events.stopped.size(), 1u);
}

TEST(CreateAnswer, SkipsAnUnusableFirstSectionOfAPeerWithoutBundle) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  auto offer = a.offer();
  offer.groups.clear();
  offer.media[0].codecs = {test::codec(100, "SILK", 16000)};
  offer.media[1].transport.iceUfrag = "other";
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.answer();
  EXPECT_TRUE(d.media[0].isRejected());
  EXPECT_FALSE(d.media[1].isRejected());
  EXPECT_EQ(b.last.transport.remoteIce->credentials.ufrag, "other");
}

TEST(CreateAnswer, APeerWithoutBundleMustSayHowToReachTheSection) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  auto offer = a.offer();
  offer.groups.clear();
  offer.media[0].codecs = {test::codec(100, "SILK", 16000)};
  offer.media[1].transport.icePwd.reset();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.answer();
  EXPECT_TRUE(d.media[0].isRejected() && d.media[1].isRejected());
}

TEST(CreateAnswer, KeepsASectionThatIsBundleOnly) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  auto offer = a.offer();
  offer.media[1].port = 0;
  offer.media[1].bundleOnly = true;
  offer.media[1].transport = {};
  offer.media[1].rtcpMux = false;  // stands in the tagged section (RFC 9143 section 7.1.3)
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.answer();
  EXPECT_FALSE(d.media[1].isRejected());
  EXPECT_EQ(d.media[1].port, 9);
  EXPECT_EQ(d.bundleGroup()->mids.size(), 2u);
}

TEST(CreateAnswer, FirstOfTheGroupMayBeRejected) {
  Peer a("a"), b("b");
  a.add(MediaKind::Video);
  a.add(MediaKind::Audio);
  b.caps.videoCodecs = {};
  negotiate(a, b);
  EXPECT_EQ(b.state.currentLocal->sdp.bundleGroup()->mids, std::vector<std::string>{"1"});
  EXPECT_EQ(b.state.transport.remoteIce->ufrag, "aufrag1");
  EXPECT_EQ(a.state.transport.remoteIce->ufrag, "bufrag1");
  ASSERT_EQ(a.state.transceivers.size(), 1u);
  EXPECT_TRUE(a.at(0).negotiated.media.send);
}

TEST(CreateAnswer, ChoosesTheOtherDtlsRole) {
  for (const auto& [offered, expected] : {std::pair{SetupRole::ActPass, SetupRole::Active},
                                          {SetupRole::Active, SetupRole::Passive},
                                          {SetupRole::Passive, SetupRole::Active}}) {
    Peer a("a"), b("b");
    a.add(MediaKind::Audio);
    auto offer = a.offer();
    offer.media[0].transport.setup = offered;
    ASSERT_TRUE(b.remote(SdpType::Offer, offer));
    EXPECT_EQ(b.answer().media[0].transport.setup, expected);
    EXPECT_EQ(b.last.transport.dtlsRole,
              expected == SetupRole::Active ? DtlsRole::Client : DtlsRole::Server);
  }
}

TEST(CreateAnswer, OnlyOfferedLeewayIsTaken) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  auto offer = a.offer();
  offer.extmapAllowMixed = false;
  offer.media[0].rtcpReducedSize = false;
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.answer();
  EXPECT_FALSE(d.extmapAllowMixed || d.media[0].extmapAllowMixed);
  EXPECT_FALSE(d.media[0].rtcpReducedSize);
}

TEST(CreateAnswer, AnswersTheOldDataFormInKind) {
  Peer a("a"), b("b");
  a.state.data.wanted = true;
  auto offer = a.offer();
  auto& m = offer.media[0];
  m.protocol = "DTLS/SCTP";
  m.formats = {"5001"};
  m.sctpPort.reset();
  m.maxMessageSize.reset();
  m.sctpMap = sdp::SctpMap{5001, "webrtc-datachannel", 16};
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.answer();
  EXPECT_EQ(d.media[0].protocol, "DTLS/SCTP");
  EXPECT_EQ(d.media[0].formats, std::vector<std::string>{"5000"});
  EXPECT_EQ(d.media[0].sctpMap->port, 5000);
  ASSERT_TRUE(b.last.data);
  EXPECT_TRUE(b.last.data->enabled);
  EXPECT_EQ(b.last.data->settings.remotePort, 5001);
  EXPECT_EQ(b.last.data->settings.remoteMaxMessageSize, 65536u);
}

TEST(CreateAnswer, DataWithoutPortMeansTheUsualPort) {
  for (const bool zero : {false, true}) {
    Peer a("a"), b("b");
    a.state.data.wanted = true;
    auto offer = a.offer();
    offer.media[0].sctpPort.reset();
    if (zero) offer.media[0].sctpPort = uint16_t{0};
    ASSERT_TRUE(b.remote(SdpType::Offer, offer));
    EXPECT_EQ(b.answer().media[0].isRejected(), zero);
    if (!zero) {
      EXPECT_EQ(b.last.data->settings.remotePort, 5000);
    }
  }
}

TEST(CreateAnswer, EchoesProtocolsOfOlderPeers) {
  for (const char* protocol : {"RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVP"}) {
    Peer a("a"), b("b");
    a.add(MediaKind::Audio);
    auto offer = a.offer();
    offer.media[0].protocol = protocol;
    ASSERT_TRUE(b.remote(SdpType::Offer, offer));
    EXPECT_EQ(b.answer().media[0].protocol, protocol);
  }
}

TEST(CreateAnswer, SectionWithoutMidIsAcceptedWithoutOne) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  auto offer = a.offer();
  offer.media[0].mid.reset();
  offer.groups.clear();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  ASSERT_TRUE(b.at(0).negotiated.mid);
  const auto d = b.answer();
  EXPECT_FALSE(d.media[0].mid);
  EXPECT_FALSE(d.media[0].isRejected());
  ASSERT_TRUE(a.remote(SdpType::Answer, d));
}

TEST(CreateAnswer, ExtensionDirectionsTurnRound) {
  Peer a("a"), b("b");
  a.caps.videoExtensions = {{test::kMidUri, 1, Direction::SendOnly},
                            {test::kTwccUri, 2, Direction::RecvOnly}};
  a.add(MediaKind::Video);
  b.caps.videoExtensions = {{test::kMidUri}, {test::kTwccUri, 0, Direction::RecvOnly}};
  negotiate(a, b);
  const auto& m = b.state.currentLocal->sdp.media[0];
  ASSERT_EQ(m.extmaps.size(), 1u) << "they only receive TWCC and so do we";
  EXPECT_EQ(m.extmaps[0].direction, Direction::RecvOnly);
  EXPECT_EQ(a.at(0).negotiated.media.extensions,
            (std::vector<NegotiatedExtension>{{1, test::kMidUri, true, false}}));
  EXPECT_EQ(b.at(0).negotiated.media.extensions,
            (std::vector<NegotiatedExtension>{{1, test::kMidUri, false, true}}));
}

TEST(CreateAnswer, ProvisionalExtensionIdsAreRenumbered) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  auto offer = a.offer();
  offer.media[0].extmaps = {{1, {}, test::kLevelUri, ""}, {4096, {}, test::kMidUri, ""}};
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.answer();
  ASSERT_EQ(d.media[0].extmaps.size(), 2u);
  EXPECT_EQ(d.media[0].extmaps[1].id, 2);
}

TEST(CreateAnswer, DropsAnExtensionIdThatMeansSomethingElseInTheBundle) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  auto offer = a.offer();
  offer.media[0].extmaps = {{1, {}, test::kMidUri, ""}, {2, {}, test::kLevelUri, ""}};
  offer.media[1].extmaps = {{1, {}, test::kMidUri, ""}, {2, {}, test::kTwccUri, ""}};
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto d = b.answer();
  EXPECT_EQ(d.media[0].extmaps.size(), 2u);
  EXPECT_EQ(d.media[1].extmaps.size(), 1u);
}

TEST(CreateAnswer, SendsTheSimulcastLayersThatAServerAsksFor) {
  Peer sfu("s"), b("b");
  sfu.add(MediaKind::Video, Direction::RecvOnly);
  auto offer = sfu.offer();
  offer.media[0].rids = {{"h", false, {}, {}}, {"l", false, {}, {}}};
  offer.media[0].simulcast = sdp::Simulcast{{}, {{{"h", false}}, {{"l", false}}}};
  b.track(MediaKind::Video);
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  EXPECT_EQ(b.at(0).sender.encodings.size(), 2u);
  const auto d = b.answer();
  ASSERT_TRUE(d.media[0].simulcast);
  EXPECT_EQ(d.media[0].simulcast->send.size(), 2u);
  EXPECT_EQ(d.media[0].rids[0], (sdp::Rid{"h", true, {}, {}}));
  EXPECT_EQ(b.at(0).negotiated.media.sendRids, (std::vector<std::string>{"h", "l"}));
}

TEST(CreateAnswer, LayersThatAreNamedTwiceCountOnce) {
  Peer sfu("s"), b("b");
  TransceiverInit init;
  init.direction = Direction::RecvOnly;
  init.receiveRids = {"h", "l"};
  addTransceiver(sfu.state, MediaKind::Video, init);
  auto offer = sfu.offer();
  offer.media[0].simulcast->recv.push_back({{"h", false}});
  b.track(MediaKind::Video);
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  EXPECT_EQ(b.at(0).sender.encodings.size(), 2u);
  const auto d = b.answer();
  ASSERT_TRUE(d.media[0].simulcast);
  EXPECT_EQ(d.media[0].simulcast->send.size(), 2u);
  EXPECT_EQ(d.media[0].rids.size(), 2u);
}

// RFC 8853 section 5.3.1.
TEST(CreateOffer, AsksForLayersThatTheApplicationNames) {
  Peer sfu("s"), b("b");
  TransceiverInit init;
  init.direction = Direction::RecvOnly;
  init.receiveRids = {"h", "l"};
  addTransceiver(sfu.state, MediaKind::Video, init);
  b.track(MediaKind::Video);
  negotiate(sfu, b);
  const auto& offer = sfu.state.currentLocal->sdp.media[0];
  ASSERT_TRUE(offer.simulcast);
  EXPECT_TRUE(offer.simulcast->send.empty());
  EXPECT_EQ(offer.simulcast->recv.size(), 2u);
  EXPECT_EQ(offer.rids[0], (sdp::Rid{"h", false, {}, {}}));
  EXPECT_EQ(sfu.at(0).negotiated.media.receiveRids, (std::vector<std::string>{"h", "l"}));
  EXPECT_EQ(b.at(0).negotiated.media.sendRids, (std::vector<std::string>{"h", "l"}));
  sfu.state.find(sfu.at(0).id)->direction = Direction::Inactive;
  EXPECT_FALSE(sfu.peek().media[0].simulcast) << "nothing is received";
  sfu.state.find(sfu.at(0).id)->direction = Direction::RecvOnly;
  negotiate(b, sfu);
  EXPECT_EQ(sfu.at(0).negotiated.media.receiveRids.size(), 2u) << "also in an answer";
}

// RFC 3264 section 8.3.2.
TEST(CreateOffer, EachSectionKeepsTheNumbersOfThePeerThatOfferedIt) {
  Peer a("a"), b("b");
  a.add(MediaKind::Video);
  a.add(MediaKind::Video);
  auto offer = a.offer();
  offer.media[1].codecs = {test::video(120, "VP8"), test::codec(121, "rtx", 90000, "apt=120")};
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  b.answer();
  const auto again = b.offer();
  EXPECT_EQ(again.media[0].codecs[0].payloadType, 96);
  EXPECT_EQ(again.media[1].codecs[0].payloadType, 120);
  EXPECT_EQ(again.media[1].codecs[1].payloadType, 121);
}

TEST(CreateAnswer, AcceptsSimulcastOnlyIfItCanReceiveIt) {
  for (const bool able : {false, true}) {
    Peer a("a"), b("b");
    TransceiverInit init;
    init.encodings = {a.encoding("h"), a.encoding("l")};
    addTransceiver(a.state, MediaKind::Video, init);
    b.caps.receiveSimulcast = able;
    negotiate(a, b);
    EXPECT_EQ(a.at(0).sender.encodings.size(), able ? 2u : 1u);
    EXPECT_EQ(a.at(0).negotiated.media.sendRids.size(), able ? 2u : 0u);
    EXPECT_EQ(b.at(0).negotiated.media.receiveRids.size(), able ? 2u : 0u);
  }
}

}  // namespace
}  // namespace parley::jsep
