#include "parley/jsep/apply_description.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::Direction;
using sdp::MediaKind;
using sdp::SetupRole;
using test::names;
using test::negotiate;
using test::Peer;

constexpr Direction kDirections[] = {Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly,
                                     Direction::Inactive};

// --- directions ----------------------------------------------------------------------------------

TEST(Directions, AllCombinationsEndUpConsistent) {
  for (const Direction mine : kDirections) {
    for (const Direction theirs : kDirections) {
      Peer a("a"), b("b");
      a.add(MediaKind::Audio, mine);
      b.track(MediaKind::Audio);
      ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
      // A transceiver made by addTrack takes the section only if the offerer receives.
      const TransceiverId id = b.state.findByIndex(0)->id;
      ASSERT_TRUE(setDirection(b.state, id, theirs));
      ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
      const Direction agreed = sdp::intersection(mine, sdp::reversed(theirs));
      EXPECT_EQ(a.at(0).negotiated.currentDirection, agreed);
      EXPECT_EQ(b.state.findByIndex(0)->negotiated.currentDirection, sdp::reversed(agreed));
      EXPECT_EQ(a.at(0).negotiated.media.send, sdp::sends(agreed));
      EXPECT_EQ(a.at(0).negotiated.media.receive, sdp::receives(agreed));
      EXPECT_EQ(b.state.find(id)->negotiated.media.send, sdp::receives(agreed));
      EXPECT_EQ(a.at(0).negotiated.receiver.announced, sdp::receives(agreed));
      EXPECT_EQ(a.last.events.tracks.size(), sdp::receives(agreed) ? 1u : 0u);
      EXPECT_FALSE(isNegotiationNeeded(a.state));
    }
  }
}

TEST(Directions, TrackEventsFollowTheDirection) {
  Peer a("a"), b("b");
  const auto id = a.add(MediaKind::Audio);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  ASSERT_EQ(b.last.events.tracks.size(), 1u) << "announced with the offer";
  EXPECT_EQ(b.last.events.tracks[0].streams, std::vector<std::string>{"a-stream"});
  EXPECT_EQ(b.last.events.addedToStream, (std::vector<StreamTrack>{{"a-stream", b.at(0).id}}));
  EXPECT_EQ(b.at(0).negotiated.receiver.remoteTrackId, "a-track-1");
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
  EXPECT_TRUE(b.last.events.tracks.empty());
  EXPECT_TRUE(a.last.events.tracks.empty());

  ASSERT_TRUE(setDirection(a.state, id, Direction::Inactive));
  ASSERT_TRUE(isNegotiationNeeded(a.state));
  negotiate(a, b);
  EXPECT_FALSE(b.at(0).negotiated.receiver.announced);
  EXPECT_FALSE(b.at(0).negotiated.media.receive);

  ASSERT_TRUE(setDirection(a.state, id, Direction::SendRecv));
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  EXPECT_EQ(b.last.events.tracks.size(), 1u);
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));

  ASSERT_TRUE(removeTrack(a.state, id));
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  EXPECT_EQ(b.last.events.muted, std::vector<TransceiverId>{b.at(0).id});
  EXPECT_EQ(b.last.events.removedFromStream, (std::vector<StreamTrack>{{"a-stream", b.at(0).id}}));
}

TEST(Directions, ATrackThatJoinsAStreamIsToldAnew) {
  Peer a("a"), b("b");
  const auto id = a.add(MediaKind::Audio);
  negotiate(a, b);
  a.state.find(id)->sender.streams = {"other", "third"};
  EXPECT_TRUE(isNegotiationNeeded(a.state));
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  ASSERT_EQ(b.last.events.tracks.size(), 1u);
  EXPECT_EQ(b.last.events.tracks[0].streams.size(), 2u);
  EXPECT_EQ(b.last.events.removedFromStream.size(), 1u);
  EXPECT_EQ(b.last.events.addedToStream.size(), 2u);
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
  a.state.find(id)->sender.streams = {"third"};
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  EXPECT_TRUE(b.last.events.tracks.empty());
}

// --- what media is told --------------------------------------------------------------------------

TEST(MediaSettings, NothingIsSentBeforeTheAnswer) {
  Peer a("a"), b("b");
  a.add(MediaKind::Video);
  b.track(MediaKind::Video);
  const auto offer = a.offer();
  ASSERT_EQ(a.last.media.size(), 1u);
  EXPECT_FALSE(a.last.media[0].settings.send);
  EXPECT_TRUE(a.last.media[0].settings.receive) << "media may overtake the answer";
  EXPECT_EQ(a.last.media[0].settings.receiveCodecs.size(), 6u);
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  EXPECT_TRUE(b.last.media.empty()) << "no capture leaves before we have agreed";
  const auto answer = b.answer();
  ASSERT_EQ(b.last.media.size(), 1u);
  EXPECT_TRUE(b.last.media[0].settings.send);
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_TRUE(a.last.media[0].settings.send);
}

TEST(MediaSettings, EachSideUsesTheOthersNumbersAndWishes) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  b.track(MediaKind::Audio);
  b.caps.audioCodecs.edit([](auto& codecs) { codecs[0].setFmtp("stereo", "1"); });
  const auto offer = a.offer();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  auto answer = b.answer();
  answer.media[0].bandwidths = {{"AS", 64}};
  answer.media[0].maxPtime = 40;
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  const MediaSettings& m = a.at(0).negotiated.media;
  EXPECT_EQ(m.mid, "0");
  EXPECT_EQ(m.sendCodecs[0].fmtpValue("stereo"), "1");
  EXPECT_FALSE(m.receiveCodecs[0].fmtpValue("stereo"));
  EXPECT_EQ(m.maxSendBitrate, 64000u);
  EXPECT_EQ(m.maxPtime, 40u);
  EXPECT_TRUE(m.rtcpReducedSize);
  EXPECT_TRUE(m.extmapAllowMixed);
  EXPECT_EQ(m.remoteSsrcs.size(), 1u);
  EXPECT_EQ(m.remoteSsrcs[0].attribute("cname"), "b-cname");
  EXPECT_EQ(m.extensions.size(), 3u);
  EXPECT_TRUE(m.extensions[0].send && m.extensions[0].receive);
}

TEST(MediaSettings, AnUnchangedRoundAsksForNothing) {
  Peer a("a"), b("b");
  a.add(MediaKind::Video);
  b.track(MediaKind::Video);
  a.state.data.wanted = true;
  negotiate(a, b);
  a.offer();
  EXPECT_TRUE(a.last.media.empty());
  a.rollBack();
  negotiate(b, a);
  for (const Peer* p : {&a, &b}) {
    EXPECT_TRUE(p->last.media.empty());
    EXPECT_FALSE(p->last.data);
    EXPECT_EQ(p->last.transport, TransportChange{});
  }
}

// --- transport -----------------------------------------------------------------------------------

TEST(Transport, FirstRoundSetsEverythingUp) {
  Peer a("a"), b("b");
  a.state.data.wanted = true;
  auto offer = a.offer();
  EXPECT_EQ(a.last.transport.localIce, (IceCredentials{"aufrag1", "a-password-of-at-least-22-1"}));
  EXPECT_EQ(a.last.transport.iceControlling, true);
  EXPECT_FALSE(a.last.transport.remoteIce);
  offer.media[0].candidates = {*sdp::parseCandidate("candidate:1 1 udp 1 192.0.2.1 5 typ host"),
                               *sdp::parseCandidate("candidate:1 2 udp 1 192.0.2.1 6 typ host")};
  offer.media[0].endOfCandidates = true;
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  EXPECT_EQ(b.last.transport, TransportChange{}) << "nothing starts before the answer";
  const auto answer = b.answer();
  const TransportChange& t = b.last.transport;
  EXPECT_EQ(t.localIce->ufrag, "bufrag1");
  EXPECT_EQ(t.iceControlling, false);
  EXPECT_EQ(t.remoteIce->credentials.ufrag, "aufrag1");
  EXPECT_TRUE(t.remoteIce->trickle);
  EXPECT_FALSE(t.remoteIceRestart || t.newDtlsAssociation);
  EXPECT_EQ(t.remoteFingerprints, a.caps.fingerprints);
  EXPECT_EQ(t.dtlsRole, DtlsRole::Client);
  EXPECT_EQ(t.remoteCandidates.size(), 1u) << "component 2 is of no use with rtcp-mux";
  EXPECT_TRUE(t.remoteEndOfCandidates);
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_EQ(a.last.transport.dtlsRole, DtlsRole::Server);
  ASSERT_TRUE(a.last.data);
  EXPECT_EQ(a.last.data->settings.remoteMaxMessageSize, 262144u);
}

TEST(Transport, RoleStaysOverTenRoundsInBothDirections) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  for (int i = 0; i < 10; ++i) {
    a.freshIce();
    b.freshIce();
    Peer& offerer = i % 2 ? a : b;
    Peer& answerer = i % 2 ? b : a;
    negotiate(offerer, answerer, {i % 3 == 0});
    EXPECT_EQ(a.state.transport.dtlsRole, DtlsRole::Server);
    EXPECT_EQ(b.state.transport.dtlsRole, DtlsRole::Client);
    EXPECT_EQ(offerer.state.currentLocal->sdp.media[0].transport.setup, SetupRole::ActPass);
    EXPECT_FALSE(a.last.transport.newDtlsAssociation || b.last.transport.newDtlsAssociation);
    EXPECT_EQ(a.last.transport.remoteIceRestart, i % 3 == 0);
    EXPECT_EQ(a.state.transport.remoteIce, b.state.transport.localIce);
    EXPECT_EQ(b.state.transport.remoteIce, a.state.transport.localIce);
  }
}

TEST(Transport, IceRestartIsAnsweredWithNewCredentials) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  restartIce(a.state);
  EXPECT_TRUE(isNegotiationNeeded(a.state));
  a.freshIce();
  b.freshIce();
  const auto offer = a.offer();
  EXPECT_EQ(a.last.transport.localIce->ufrag, "aufrag2");
  EXPECT_TRUE(isNegotiationNeeded(a.state)) << "until the answer is in";
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto answer = b.answer();
  EXPECT_EQ(answer.media[0].transport.iceUfrag, "bufrag2");
  EXPECT_TRUE(b.last.transport.remoteIceRestart);
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_FALSE(isNegotiationNeeded(a.state));
}

TEST(Transport, APeerThatKeepsItsCredentialsInARestartIsTakenAtItsWord) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  a.freshIce();
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer({true})));
  const auto answer = b.answer();  // b draws no new ones here
  EXPECT_EQ(answer.media[0].transport.iceUfrag, "bufrag1");
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  ASSERT_TRUE(a.last.transport.remoteIce);
  EXPECT_TRUE(a.last.transport.remoteIceRestart);
}

TEST(Transport, RestartWishSurvivesRollback) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  restartIce(a.state);
  a.freshIce();
  a.offer();
  a.rollBack();
  EXPECT_TRUE(a.last.transport.localIceRolledBack);
  EXPECT_EQ(a.last.transport.localIce->ufrag, "aufrag1");
  EXPECT_TRUE(isNegotiationNeeded(a.state));
}

TEST(Transport, RoleFlipNeedsANewBeginning) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  ASSERT_TRUE(a.remote(SdpType::Offer, b.offer()));
  auto flipped = a.peekAnswer();
  EXPECT_EQ(flipped.media[0].transport.setup, SetupRole::Passive);
  flipped.media[0].transport.setup = SetupRole::Active;
  EXPECT_EQ(b.tryRemote(SdpType::Answer, flipped).error().code, ErrorCode::InvalidAccess);
  // Firefox changes the role together with an ICE restart.
  flipped.media[0].transport.iceUfrag = "newufrag";
  auto accepted = b.tryRemote(SdpType::Answer, flipped);
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(accepted->transport.newDtlsAssociation);
  EXPECT_FALSE(accepted->transport.newDtlsPeer);
  EXPECT_EQ(accepted->transport.dtlsRole, DtlsRole::Server);
}

TEST(Transport, NewFingerprintMeansANewAssociation) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  b.caps.fingerprints[0].bytes[0] ^= 1;
  negotiate(b, a);
  EXPECT_TRUE(a.last.transport.newDtlsAssociation);
  EXPECT_TRUE(a.last.transport.newDtlsPeer);
  EXPECT_FALSE(a.last.transport.dtlsRole) << "nobody asked for another role";
  EXPECT_EQ(a.last.transport.remoteFingerprints, b.caps.fingerprints);
}

TEST(Transport, ANewTlsIdMeansANewAssociation) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  const auto negotiateWithId = [&](const char* id) {
    auto offer = b.offer();
    offer.media[0].transport.tlsId = id;
    ASSERT_TRUE(a.remote(SdpType::Offer, offer));
    ASSERT_TRUE(b.remote(SdpType::Answer, a.answer()));
  };
  negotiateWithId("abc3de65cddef001be82");
  EXPECT_FALSE(a.last.transport.newDtlsAssociation) << "the first one names what is there";
  negotiateWithId("abc3de65cddef001be82");
  EXPECT_FALSE(a.last.transport.newDtlsAssociation);
  negotiateWithId("0123456789abcdef0123");
  EXPECT_TRUE(a.last.transport.newDtlsAssociation);
  EXPECT_TRUE(a.last.transport.newDtlsPeer);
}

TEST(Transport, WeControlALitePeer) {
  Peer a("a"), b("b");
  a.caps.iceLite = true;
  a.add(MediaKind::Audio);
  negotiate(a, b);
  EXPECT_EQ(b.state.transport.iceControlling, true);
  EXPECT_EQ(a.state.transport.iceControlling, false);
  EXPECT_TRUE(b.last.transport.remoteIce->lite);
}

TEST(Transport, IsUnusedWhenTheLastSectionGoes) {
  Peer a("a"), b("b");
  const auto id = a.add(MediaKind::Audio);
  negotiate(a, b);
  stopTransceiver(a.state, id);
  negotiate(a, b);
  EXPECT_TRUE(a.last.transport.unused && b.last.transport.unused);
  EXPECT_TRUE(a.state.transceivers.empty() && b.state.transceivers.empty());
  // Whatever comes next starts from the beginning.
  a.freshIce();
  a.add(MediaKind::Video);
  negotiate(a, b);
  EXPECT_EQ(b.last.transport.remoteIce->credentials.ufrag, "aufrag2");
  EXPECT_FALSE(b.last.transport.remoteIceRestart);
  EXPECT_TRUE(b.last.transport.dtlsRole);
}

// --- renegotiation -------------------------------------------------------------------------------

TEST(Renegotiation, VideoJoinsAnAudioCall) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  b.track(MediaKind::Audio);
  negotiate(a, b);
  const auto version = a.state.sessionVersion;
  b.track(MediaKind::Video);
  negotiate(b, a);
  ASSERT_EQ(a.state.transceivers.size(), 2u);
  EXPECT_EQ(a.at(1).negotiated.mid, "1");
  EXPECT_TRUE(a.at(1).negotiated.media.receive);
  EXPECT_GT(a.state.sessionVersion, version);
  EXPECT_EQ(a.last.media.size(), 1u) << "the audio goes on undisturbed";
}

TEST(Renegotiation, NumbersStayWhoeverOffers) {
  Peer a("a"), b("b");
  a.caps.videoCodecs = {test::video(120, "VP8"), test::codec(124, "rtx", 90000, "apt=120")};
  a.caps.videoExtensions = {{test::kMidUri, 9}};
  a.add(MediaKind::Video);
  negotiate(a, b);
  const auto d = b.peek();
  EXPECT_EQ(d.media[0].codecs[0].payloadType, 120);
  EXPECT_EQ(d.media[0].codecs[1].payloadType, 124);
  EXPECT_EQ(d.media[0].extmaps[1].uri, test::kMidUri);
  EXPECT_EQ(d.media[0].extmaps[1].id, 9);
  EXPECT_EQ(names(d.media[0].codecs).size(), 6u) << "what we can beyond that is offered too";
}

TEST(Renegotiation, RemovedAndAddedThreeTimes) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  negotiate(a, b);
  std::vector<std::string> mids;
  for (int round = 0; round < 3; ++round) {
    Peer& adds = round % 2 ? b : a;
    Peer& other = round % 2 ? a : b;
    const auto id = adds.add(round == 1 ? MediaKind::Audio : MediaKind::Video);
    negotiate(adds, other);
    ASSERT_EQ(a.state.currentLocal->sdp.media.size(), 2u) << "the slot is used again";
    ASSERT_EQ(a.state.transceivers.size(), 2u);
    const std::string mid = *adds.state.find(id)->negotiated.mid;
    EXPECT_EQ(std::find(mids.begin(), mids.end(), mid), mids.end()) << "under a new mid";
    mids.push_back(mid);
    EXPECT_EQ(a.state.currentLocal->sdp.bundleGroup()->mids, (std::vector<std::string>{"0", mid}));

    // The other end stops it.
    const TransceiverId theirs = other.state.findByIndex(1)->id;
    stopTransceiver(other.state, theirs);
    EXPECT_TRUE(isNegotiationNeeded(other.state));
    const auto offer = other.offer();
    EXPECT_TRUE(offer.media[1].isRejected());
    EXPECT_EQ(offer.bundleGroup()->mids, std::vector<std::string>{"0"});
    ASSERT_TRUE(adds.remote(SdpType::Offer, offer));
    EXPECT_EQ(adds.last.events.stopped, std::vector<TransceiverId>{id});
    ASSERT_TRUE(other.remote(SdpType::Answer, adds.answer()));
    EXPECT_EQ(a.state.transceivers.size(), 1u);
    EXPECT_EQ(b.state.transceivers.size(), 1u);
    EXPECT_EQ(adds.last.removed, std::vector<TransceiverId>{id});
    EXPECT_EQ(other.last.removed, std::vector<TransceiverId>{theirs});
    EXPECT_FALSE(isNegotiationNeeded(a.state) || isNegotiationNeeded(b.state));
  }
}

TEST(Renegotiation, ARejectedSlotStaysUntilItIsReused) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  negotiate(a, b);
  stopTransceiver(a.state, a.at(0).id);
  negotiate(a, b);
  const auto again = b.peek();
  ASSERT_EQ(again.media.size(), 2u);
  EXPECT_TRUE(again.media[0].isRejected());
  EXPECT_EQ(again.media[0].codecs.size(), 1u);
  EXPECT_EQ(again.bundleGroup()->mids, std::vector<std::string>{"1"});
  negotiate(b, a);
  EXPECT_EQ(b.state.transceivers.size(), 1u);
}

TEST(Renegotiation, DataCanJoinLeaveAndReturn) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  b.state.data.wanted = true;
  EXPECT_TRUE(isNegotiationNeeded(b.state));
  negotiate(b, a);
  EXPECT_FALSE(isNegotiationNeeded(b.state));
  EXPECT_TRUE(a.last.data->enabled);
  // A peer may reject the section later.
  auto offer = a.offer();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  auto answer = b.peekAnswer();
  answer.media[1].port = 0;
  answer.groups[0].mids.pop_back();
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  ASSERT_TRUE(a.last.data);
  EXPECT_FALSE(a.last.data->enabled);
  EXPECT_FALSE(a.state.data.mLineIndex);
}

TEST(Renegotiation, AddTrackReusesAnIdleSender) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  negotiate(a, b);
  const auto added = addTrack(b.state, MediaKind::Audio, "t", {"s"});
  EXPECT_TRUE(added.reused);
  EXPECT_EQ(b.state.transceivers.size(), 1u);
  EXPECT_EQ(b.at(0).direction, Direction::SendRecv);
  negotiate(b, a);
  EXPECT_EQ(a.at(0).negotiated.currentDirection, Direction::SendRecv);
  ASSERT_TRUE(removeTrack(b.state, added.transceiver));
  EXPECT_FALSE(addTrack(b.state, MediaKind::Audio, "t2", {}).reused) << "it has sent before";
}

TEST(Renegotiation, ARemoteOfferTakesTransceiversOfAddTrackOnly) {
  Peer a("a"), b("b");
  b.add(MediaKind::Audio);
  const auto byTrack = b.track(MediaKind::Audio);
  a.add(MediaKind::Audio);
  a.add(MediaKind::Audio, Direction::SendOnly);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  ASSERT_EQ(b.state.transceivers.size(), 3u);
  EXPECT_FALSE(b.at(0).negotiated.mid);
  EXPECT_EQ(b.state.find(byTrack)->negotiated.mid, "0");
  EXPECT_EQ(b.at(2).negotiated.mid, "1");
  EXPECT_EQ(b.at(2).direction, Direction::RecvOnly);
  EXPECT_EQ(b.last.created, std::vector<TransceiverId>{b.at(2).id});
}

// --- the state machine ---------------------------------------------------------------------------

TEST(SignalingState, AdmitsExactlyTheCallsOfTheSpecification) {
  // Peers in each state, all with the same first section.
  Peer stable("x"), localOffer("x"), remoteOffer("x"), localPranswer("x"), remotePranswer("x"),
      closed("x");
  Peer other("o");
  other.track(MediaKind::Audio);
  const auto theirOffer = other.peek();
  for (Peer* p : {&stable, &localOffer, &remoteOffer, &localPranswer, &remotePranswer, &closed})
    p->track(MediaKind::Audio);
  const auto ourOffer = localOffer.offer();
  Peer answerer("o");
  ASSERT_TRUE(answerer.remote(SdpType::Offer, ourOffer));
  const auto theirAnswer = answerer.answer();
  remoteOffer.remote(SdpType::Offer, theirOffer);
  const auto ourAnswer = remoteOffer.peekAnswer();
  localPranswer.remote(SdpType::Offer, theirOffer);
  localPranswer.local(SdpType::Pranswer, ourAnswer);
  remotePranswer.local(SdpType::Offer, ourOffer);
  remotePranswer.remote(SdpType::Pranswer, theirAnswer);
  closed.state.signaling = SignalingState::Closed;

  struct Row {
    const Peer* peer;
    // createOffer, createAnswer, local offer/answer/pranswer, remote offer/answer/pranswer,
    // rollback
    std::string_view allowed;
  };
  const Row rows[] = {
      {&stable, "y- y-- y-- -"},         {&localOffer, "y- y-- yyy y"},
      {&remoteOffer, "-y -yy y-- y"},    {&localPranswer, "-y -yy --- -"},
      {&remotePranswer, "-- --- -yy -"}, {&closed, "-- --- --- -"},
  };
  for (const Row& row : rows) {
    const SessionState& s = row.peer->state;
    std::string seen;
    const auto note = [&](const auto& result) {
      seen += result ? 'y' : '-';
      if (!result) {
        EXPECT_EQ(result.error().code, ErrorCode::InvalidState)
            << toString(s.signaling) << ": " << result.error().message;
      }
    };
    note(createOffer(s, row.peer->caps));
    note(createAnswer(s, row.peer->caps));
    seen += ' ';
    note(applyLocal(s, SdpType::Offer, ourOffer));
    note(applyLocal(s, SdpType::Answer, ourAnswer));
    note(applyLocal(s, SdpType::Pranswer, ourAnswer));
    seen += ' ';
    note(applyRemote(s, SdpType::Offer, theirOffer));
    note(applyRemote(s, SdpType::Answer, theirAnswer));
    note(applyRemote(s, SdpType::Pranswer, theirAnswer));
    seen += ' ';
    note(applyLocal(s, SdpType::Rollback, {}));
    EXPECT_EQ(seen, row.allowed) << toString(s.signaling);
  }
}

TEST(SignalingState, HasTheNamesOfTheSpecification) {
  EXPECT_STREQ(toString(SignalingState::HaveRemotePranswer), "have-remote-pranswer");
  EXPECT_EQ(parseSdpType("rollback"), SdpType::Rollback);
  EXPECT_FALSE(parseSdpType("Offer"));
}

}  // namespace
}  // namespace parley::jsep
