#include "parley/jsep/apply_description.h"

#include "parley/base/random.h"

#include "unit/jsep/peer.h"
#include "unit/sdp/corpus.h"

namespace parley::jsep {
namespace {

using sdp::Direction;
using sdp::MediaKind;
using sdp::SetupRole;
using test::names;
using test::negotiate;
using test::numbers;
using test::Peer;

constexpr Direction kDirections[] = {Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly,
                                     Direction::Inactive};

sdp::SessionDescription browser(const std::string& name) {
  auto parsed = sdp::parse(parley::test::corpus(name));
  EXPECT_TRUE(parsed) << name;
  return *std::move(parsed);
}

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

TEST(Directions, StreamChangesAreReportedWithoutATrackEvent) {
  Peer a("a"), b("b");
  const auto id = a.add(MediaKind::Audio);
  negotiate(a, b);
  a.state.find(id)->sender.streams = {"other", "third"};
  EXPECT_TRUE(isNegotiationNeeded(a.state));
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  EXPECT_TRUE(b.last.events.tracks.empty());
  EXPECT_EQ(b.last.events.removedFromStream.size(), 1u);
  EXPECT_EQ(b.last.events.addedToStream.size(), 2u);
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
  b.caps.audioCodecs[0].setFmtp("stereo", "1");
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
  // Firefox changes the role together with an ICE restart, and means it.
  flipped.media[0].transport.iceUfrag = "newufrag";
  auto accepted = b.tryRemote(SdpType::Answer, flipped);
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(accepted->transport.newDtlsAssociation);
  EXPECT_EQ(accepted->transport.dtlsRole, DtlsRole::Server);
}

TEST(Transport, NewFingerprintMeansANewAssociation) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  negotiate(a, b);
  b.caps.fingerprints[0].bytes[0] ^= 1;
  negotiate(b, a);
  EXPECT_TRUE(a.last.transport.newDtlsAssociation);
  EXPECT_EQ(a.last.transport.remoteFingerprints, b.caps.fingerprints);
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

// --- glare and rollback --------------------------------------------------------------------------

TEST(Rollback, OfAnOwnOfferTakesBackMidsOnly) {
  Peer a("a");
  a.track(MediaKind::Audio);
  a.state.data.wanted = true;
  const SessionState before = a.state;
  const auto offer = a.offer();
  EXPECT_EQ(a.at(0).negotiated.mid, "0");
  a.rollBack();
  EXPECT_EQ(a.state.signaling, SignalingState::Stable);
  EXPECT_FALSE(a.at(0).negotiated.mid || a.at(0).negotiated.mLineIndex);
  EXPECT_FALSE(a.state.data.mid);
  EXPECT_TRUE(a.state.data.wanted);
  EXPECT_EQ(a.state.transport, before.transport);
  EXPECT_EQ(a.at(0), before.transceivers[0]);
  EXPECT_TRUE(a.last.transport.localIceRolledBack);
  EXPECT_FALSE(a.last.transport.localIce);
  ASSERT_EQ(a.last.media.size(), 1u);
  EXPECT_FALSE(a.last.media[0].settings.receive);
  EXPECT_TRUE(a.last.events.signalingStateChanged);
}

TEST(Rollback, OfARemoteOfferRemovesItsTransceivers) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  a.track(MediaKind::Video);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  const auto kept = addTrack(b.state, MediaKind::Video, "mine", {});
  ASSERT_TRUE(kept.reused);
  const TransceiverId gone = b.at(0).id;
  b.rollBack();
  EXPECT_EQ(b.last.removed, std::vector<TransceiverId>{gone});
  ASSERT_EQ(b.state.transceivers.size(), 1u);
  EXPECT_EQ(b.at(0).id, kept.transceiver);
  EXPECT_FALSE(b.at(0).negotiated.mid);
  EXPECT_EQ(b.last.events.muted.size(), 2u);
  EXPECT_EQ(b.last.events.removedFromStream.size(), 2u);
}

TEST(Rollback, RestoresWhatARemoteOfferTookAway) {
  Peer a("a"), b("b");
  const auto id = a.track(MediaKind::Audio);
  negotiate(a, b);
  ASSERT_TRUE(setDirection(a.state, id, Direction::RecvOnly));
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  EXPECT_FALSE(b.at(0).negotiated.receiver.announced);
  b.rollBack();
  EXPECT_TRUE(b.at(0).negotiated.receiver.announced);
  EXPECT_EQ(b.last.events.addedToStream.size(), 1u);
  EXPECT_EQ(b.last.events.tracks.size(), 1u);
  EXPECT_EQ(b.at(0).negotiated.mid, "0");
  EXPECT_EQ(b.at(0).negotiated.currentDirection, Direction::RecvOnly);
}

TEST(Rollback, RestoresEncodingsThatARemoteOfferProposed) {
  Peer sfu("s"), b("b");
  sfu.add(MediaKind::Video, Direction::RecvOnly);
  auto offer = sfu.offer();
  offer.media[0].rids = {{"h", false, {}, {}}, {"l", false, {}, {}}};
  offer.media[0].simulcast = sdp::Simulcast{{}, {{{"h", false}}, {{"l", false}}}};
  b.track(MediaKind::Video);
  const auto before = b.at(0).sender.encodings;
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  b.rollBack();
  EXPECT_EQ(b.at(0).sender.encodings, before);
}

TEST(Rollback, GlareIsSettledByThePolitePeer) {
  for (const bool established : {false, true}) {
    Peer polite("p"), impolite("i");
    if (established) {
      polite.track(MediaKind::Audio);
      negotiate(polite, impolite);
    }
    polite.track(MediaKind::Video);
    impolite.track(MediaKind::Video);
    polite.offer();
    const auto theirs = impolite.offer();
    ASSERT_TRUE(polite.remote(SdpType::Offer, theirs)) << "our own offer is rolled back";
    ASSERT_TRUE(polite.last.rollbackEvents);
    EXPECT_TRUE(polite.last.rollbackEvents->signalingStateChanged);
    EXPECT_TRUE(polite.last.events.signalingStateChanged);
    EXPECT_EQ(polite.state.signaling, SignalingState::HaveRemoteOffer);
    EXPECT_FALSE(polite.state.pendingLocal);
    ASSERT_TRUE(impolite.remote(SdpType::Answer, polite.answer()));
    // The track found its place in the other's section.
    EXPECT_EQ(polite.state.transceivers.size(), established ? 2u : 1u);
    EXPECT_EQ(polite.state.transceivers.back().negotiated.currentDirection, Direction::SendRecv);
    EXPECT_FALSE(isNegotiationNeeded(polite.state));
    EXPECT_EQ(polite.state.transport.localIce, impolite.state.transport.remoteIce);
  }
}

TEST(Rollback, ASecondRemoteOfferMayReplaceThePendingOne) {
  Peer a("a"), b("b"), c("c");
  a.track(MediaKind::Audio);
  c.track(MediaKind::Video);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  auto other = c.offer();
  ASSERT_TRUE(b.remote(SdpType::Offer, other));
  EXPECT_FALSE(b.last.events.signalingStateChanged);
  ASSERT_EQ(b.state.transceivers.size(), 1u);
  EXPECT_EQ(b.at(0).kind, MediaKind::Video);
  // The same sections again keep their transceivers.
  const auto id = b.at(0).id;
  other.origin.sessionVersion++;
  ASSERT_TRUE(b.remote(SdpType::Offer, other));
  EXPECT_EQ(b.at(0).id, id);
  EXPECT_FALSE(b.last.rollbackEvents);
  ASSERT_TRUE(c.remote(SdpType::Answer, b.answer()));
}

TEST(Pranswer, IsAnAnswerThatLeavesTheOfferOpen) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  b.track(MediaKind::Audio);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  const auto early = b.peekAnswer();
  ASSERT_TRUE(b.local(SdpType::Pranswer, early));
  EXPECT_EQ(b.state.signaling, SignalingState::HaveLocalPranswer);
  EXPECT_TRUE(b.state.pendingRemote && b.state.pendingLocal);
  EXPECT_TRUE(b.last.transport.remoteIce);
  ASSERT_TRUE(a.remote(SdpType::Pranswer, early));
  EXPECT_EQ(a.state.signaling, SignalingState::HaveRemotePranswer);
  EXPECT_EQ(a.at(0).negotiated.currentDirection, Direction::SendRecv);
  EXPECT_FALSE(rollback(a.state));
  const auto final = b.answer();
  ASSERT_TRUE(a.remote(SdpType::Answer, final));
  EXPECT_EQ(a.state.signaling, SignalingState::Stable);
  EXPECT_FALSE(a.last.transport.remoteIce) << "nothing new since";
}

TEST(Pranswer, MayRejectForNow) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  a.state.data.wanted = true;
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  auto no = b.peekAnswer();
  no.groups.clear();
  for (auto& m : no.media) m.port = 0;
  ASSERT_TRUE(a.remote(SdpType::Pranswer, no));
  EXPECT_FALSE(a.at(0).stopped);
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
  EXPECT_TRUE(a.at(0).negotiated.media.send);
  EXPECT_TRUE(a.state.data.settings);
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

// --- descriptions that contradict the session ----------------------------------------------------

TEST(BadRemote, LeavesTheStateAsItIs) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  a.track(MediaKind::Video);
  a.state.data.wanted = true;
  negotiate(a, b);
  const auto good = b.peek();
  const SessionState before = a.state;
  ASSERT_TRUE(a.tryRemote(SdpType::Offer, good));

  struct Case {
    const char* what;
    std::function<void(sdp::SessionDescription&)> change;
  };
  using D = sdp::SessionDescription&;
  const Case cases[] = {
      {"fewer sections", [](D d) { d.media.pop_back(), d.groups[0].mids.pop_back(); }},
      {"sections reordered", [](D d) { std::swap(d.media[0], d.media[1]); }},
      {"mids swapped", [](D d) { std::swap(d.media[0].mid, d.media[1].mid); }},
      {"another mid", [](D d) { d.media[0].mid = "new", d.groups[0].mids[0] = "new"; }},
      {"another kind", [](D d) { d.media[0].media = "video"; }},
      {"payload type reused", [](D d) { d.media[1].codecs[0].name = "AV1"; }},
      {"no ufrag", [](D d) { d.media[0].transport.iceUfrag.reset(); }},
      {"no pwd", [](D d) { d.media[0].transport.icePwd.reset(); }},
      {"no fingerprint", [](D d) { d.media[0].transport.fingerprints.clear(); }},
      {"holdconn", [](D d) { d.media[0].transport.setup = SetupRole::HoldConn; }},
      {"role flip", [](D d) { d.media[0].transport.setup = SetupRole::Passive; }},
  };
  for (const Case& c : cases) {
    auto bad = good;
    c.change(bad);
    const auto delta = a.tryRemote(SdpType::Offer, bad);
    ASSERT_FALSE(delta) << c.what;
    EXPECT_EQ(delta.error().code, ErrorCode::InvalidAccess)
        << c.what << ": " << delta.error().message;
    EXPECT_EQ(a.state, before);
  }
}

TEST(BadRemote, AnswersMustFitTheOffer) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  a.track(MediaKind::Video);
  stopTransceiver(a.state, a.add(MediaKind::Audio));
  const auto offer = a.offer();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto good = b.answer();
  const SessionState before = a.state;
  struct Case {
    const char* what;
    std::function<void(sdp::SessionDescription&)> change;
  };
  using D = sdp::SessionDescription&;
  const Case cases[] = {
      {"fewer sections", [](D d) { d.media.pop_back(), d.groups[0].mids.pop_back(); }},
      {"more sections", [](D d) { d.media.push_back(d.media[0]), d.media.back().mid = "9"; }},
      {"another mid", [](D d) { d.media[0].mid = "7", d.groups[0].mids[0] = "7"; }},
      {"another kind", [](D d) { std::swap(d.media[0], d.media[1]); }},
      {"actpass", [](D d) { d.media[0].transport.setup = SetupRole::ActPass; }},
      {"no rtcp-mux", [](D d) { d.media[0].rtcpMux = d.media[1].rtcpMux = false; }},
      {"no fingerprint", [](D d) { d.media[0].transport.fingerprints.clear(); }},
      {"another protocol", [](D d) { d.media[1].protocol = "UDP/DTLS/SCTP"; }},
  };
  for (const Case& c : cases) {
    auto bad = good;
    c.change(bad);
    const auto delta = a.tryRemote(SdpType::Answer, bad);
    ASSERT_FALSE(delta) << c.what;
    EXPECT_EQ(delta.error().code, ErrorCode::InvalidAccess) << c.what;
    EXPECT_EQ(a.state, before);
  }
  EXPECT_TRUE(a.tryRemote(SdpType::Answer, good));
}

TEST(BadRemote, AnAnswerCannotReviveARejectedSection) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  a.track(MediaKind::Video);
  negotiate(a, b);
  stopTransceiver(a.state, a.at(1).id);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  auto d = b.peekAnswer();
  d.media[1].port = 9;
  EXPECT_FALSE(a.tryRemote(SdpType::Answer, d));
}

TEST(BadLocal, ForeignSectionsAreRefused) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  auto d = a.peek();
  d.media.push_back(d.media[0]);
  d.media.back().mid = "9";
  EXPECT_EQ(applyLocal(a.state, SdpType::Offer, d).error().code, ErrorCode::InvalidModification);
  d = a.peek();
  d.media[0].transport = {};
  EXPECT_EQ(applyLocal(a.state, SdpType::Offer, d).error().code, ErrorCode::InvalidModification);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  auto answer = b.peekAnswer();
  answer.media.clear();
  EXPECT_EQ(applyLocal(b.state, SdpType::Answer, answer).error().code,
            ErrorCode::InvalidModification);
}

TEST(BadRemote, RandomDamageNeverBreaksTheDance) {
  // Sections with random attributes removed either apply or are refused; the next good round works.
  SeededRandom random(7);
  for (int i = 0; i < 60; ++i) {
    Peer a("a"), b("b");
    a.track(MediaKind::Audio);
    a.track(MediaKind::Video);
    b.track(MediaKind::Video);
    a.state.data.wanted = true;
    const auto damage = [&](sdp::SessionDescription d) {
      for (auto& m : d.media) {
        switch (random.below(12)) {
          case 0:
            m.codecs.clear();
            break;
          case 1:
            m.port = 0;
            break;
          case 2:
            m.rtcpMux = false;
            break;
          case 3:
            m.transport = {};
            break;
          case 4:
            m.direction = static_cast<Direction>(random.below(4));
            break;
          case 5:
            m.extmaps.clear();
            break;
          case 6:
            m.mid.reset(), d.groups.clear();
            break;
          case 7:
            m.ssrcs.clear(), m.msids.clear();
            break;
          case 8:
            m.formats.clear(), m.sctpPort.reset();
            break;
          default:
            break;
        }
      }
      return d;
    };
    auto toB = b.tryRemote(SdpType::Offer, damage(a.offer()));
    if (!toB) continue;
    b.commit(*std::move(toB));
    const auto answer = b.answer();
    auto toA = a.tryRemote(SdpType::Answer, damage(answer));
    if (toA) a.commit(*std::move(toA));
  }
}

// --- browsers ------------------------------------------------------------------------------------

struct BrowserCase {
  const char* name;
  std::vector<std::string> audio;  // accepted
  std::vector<std::string> video;
};

TEST(Browsers, TheirOffersAreAnswered) {
  const std::vector<std::string> opus = {"opus", "red", "PCMU", "PCMA", "telephone-event"};
  const std::vector<std::string> chromiumVideo = {"VP8", "rtx", "H264", "rtx", "VP9", "rtx"};
  const std::vector<std::string> firefoxAudio = {"opus", "PCMU", "PCMA"};
  const std::vector<std::string> firefoxVideo = {"VP8", "rtx", "VP9", "rtx"};
  const BrowserCase cases[] = {
      {"chromium156-offer-audio-video-data", opus, chromiumVideo},
      {"chromium156-offer-audio-video-data-gathered", opus, chromiumVideo},
      {"chromium156-flag-ScreamV2-offer", opus, chromiumVideo},
      {"chromium156-flag-FlexFEC-offer", opus, chromiumVideo},
      {"chromium156-offer-recvonly", opus, chromiumVideo},
      {"chromium156-offer-audio-only", opus, {}},
      {"chromium156-offer-data-only", {}, {}},
      {"chromium156-offer-always-negotiate-data", opus, {}},
      {"chromium156-offer-simulcast", {}, chromiumVideo},
      {"firefox153-offer-audio-video-data", firefoxAudio, firefoxVideo},
      {"firefox153-offer-audio-video-data-gathered", firefoxAudio, firefoxVideo},
      {"firefox153-offer-simulcast", {}, firefoxVideo},
      {"firefox153-reoffer-vp9-refused-by-chromium156", firefoxAudio, {"VP9", "rtx"}},
      {"jsep-offer-A1", {"opus", "PCMU", "PCMA", "telephone-event"}, {"VP8", "H264", "rtx", "rtx"}},
  };
  for (const BrowserCase& c : cases) {
    SCOPED_TRACE(c.name);
    const auto offer = browser(c.name);
    Peer us("u");
    us.track(MediaKind::Audio);
    us.track(MediaKind::Video);
    ASSERT_TRUE(us.remote(SdpType::Offer, offer));
    const auto answer = us.answer();
    ASSERT_EQ(answer.media.size(), offer.media.size());
    EXPECT_EQ(us.state.signaling, SignalingState::Stable);
    EXPECT_EQ(answer.bundleGroup()->mids, offer.bundleGroup()->mids);
    for (size_t i = 0; i < answer.media.size(); ++i) {
      const auto& m = answer.media[i];
      EXPECT_EQ(m.mid, offer.media[i].mid);
      EXPECT_FALSE(m.isRejected());
      EXPECT_EQ(m.protocol, offer.media[i].protocol);
      EXPECT_EQ(m.transport.setup, SetupRole::Active);
      for (const auto& codec : m.codecs) {
        EXPECT_TRUE(sdp::sameFormat(*offer.media[i].codec(codec.payloadType), codec)) << codec.name;
      }
      for (const auto& e : m.extmaps) {
        const auto same =
            std::find_if(offer.media[i].extmaps.begin(), offer.media[i].extmaps.end(),
                         [&](const auto& o) { return o.id == e.id && o.uri == e.uri; });
        EXPECT_NE(same, offer.media[i].extmaps.end()) << e.uri;
      }
      auto accepted = names(m.codecs);
      if (m.kind() == MediaKind::Audio) {
        EXPECT_EQ(accepted, c.audio);
      }
      if (m.kind() == MediaKind::Video) {
        auto expected = c.video;
        std::sort(expected.begin(), expected.end());
        std::sort(accepted.begin(), accepted.end());
        EXPECT_EQ(accepted, expected);
      }
    }
    EXPECT_TRUE(us.last.transport.remoteIce);
    EXPECT_EQ(us.last.transport.remoteFingerprints.size(), 1u);
  }
}

TEST(Browsers, FirefoxCandidatesOfTheTaggedSectionAreUsed) {
  Peer us("u");
  ASSERT_TRUE(us.remote(SdpType::Offer, browser("firefox153-offer-audio-video-data-gathered")));
  us.answer();
  EXPECT_EQ(us.last.transport.remoteCandidates.size(), 8u);
  EXPECT_TRUE(us.last.transport.remoteEndOfCandidates);
  EXPECT_TRUE(us.last.data->enabled);
  EXPECT_EQ(us.last.data->settings.remoteMaxMessageSize, 1073741823u);
}

TEST(Browsers, ChromiumStreamsAndSourcesAreUnderstood) {
  Peer us("u");
  ASSERT_TRUE(us.remote(SdpType::Offer, browser("chromium156-offer-audio-video-data")));
  ASSERT_EQ(us.last.events.tracks.size(), 2u);
  EXPECT_EQ(us.last.events.tracks[1].streams,
            std::vector<std::string>{"b4922f41-3e5c-4a23-9e9e-dd5d3b4fa847"});
  us.answer();
  const MediaSettings& m = us.at(1).negotiated.media;
  EXPECT_EQ(m.remoteSsrcGroups[0].ssrcs, (std::vector<uint32_t>{844242205, 1965512140}));
  EXPECT_TRUE(m.receive);
  EXPECT_FALSE(m.send);
  EXPECT_TRUE(m.sendCodecs[0].hasFeedback("transport-cc"));
}

TEST(Browsers, TheirAnswersToAnOfferOfTheSameShapeApply) {
  // The answers were given to other offers, so ours takes their mids and credentials do not matter.
  for (const char* name : {"chromium156-answer-to-chromium156-audio-video-data-gathered",
                           "chromium156-answer-to-firefox153-audio-video-data-gathered",
                           "firefox153-answer-to-chromium156-audio-video-data-gathered",
                           "firefox153-answer-to-firefox153-audio-video-data-gathered"}) {
    SCOPED_TRACE(name);
    Peer us("u");
    us.track(MediaKind::Audio);
    us.track(MediaKind::Video);
    us.state.data.wanted = true;
    us.offer();
    ASSERT_TRUE(us.remote(SdpType::Answer, browser(name)));
    EXPECT_EQ(us.state.transport.dtlsRole, DtlsRole::Server);
    EXPECT_TRUE(us.last.data->enabled);
    for (size_t i = 0; i < 2; ++i) {
      const MediaSettings& m = us.at(i).negotiated.media;
      EXPECT_TRUE(m.send && m.receive);
      const auto& theirs = us.state.currentRemote->sdp.media[i];
      EXPECT_TRUE(theirs.codec(m.sendCodecs[0].payloadType)) << "sending in the peer's numbers";
      EXPECT_TRUE(us.state.currentLocal->sdp.media[i].codec(m.receiveCodecs[0].payloadType));
    }
    EXPECT_FALSE(isNegotiationNeeded(us.state));
    const auto again = us.peek();
    EXPECT_EQ(again.media.size(), 3u);
  }
}

}  // namespace
}  // namespace parley::jsep
