// Sections that are not bundled: RFC 9143 section 7, RFC 9429 section 4.1.1.

#include "parley/jsep/bundle.h"

#include "peer.h"

namespace parley::jsep {
namespace {

using sdp::Direction;
using sdp::MediaKind;
using test::Peer;

/// A round in which `b` does not see that `a` bundles, as a peer without BUNDLE would not.
void negotiateApart(Peer& a, Peer& b) {
  auto offer = a.offer();
  offer.groups.clear();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto answer = b.answer();
  EXPECT_TRUE(answer.groups.empty());
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
}

/// Sound, a picture and data.
struct Apart : ::testing::Test {
  Apart() {
    a.add(MediaKind::Audio);
    a.add(MediaKind::Video);
    a.state.data.wanted = true;
  }
  static std::vector<std::optional<uint32_t>> sections(const Peer& peer) {
    return peer.state.transports.sections;
  }
  using Numbers = std::vector<std::optional<uint32_t>>;
  Peer a{"a"}, b{"b"};
};

TEST_F(Apart, EachSectionGetsATransportOfItsOwn) {
  negotiateApart(a, b);
  for (Peer* peer : {&a, &b}) {
    SCOPED_TRACE(peer->name);
    EXPECT_EQ(sections(*peer), (Numbers{0, 1, 2}));
    ASSERT_EQ(peer->state.transports.sides.size(), 2u);
    EXPECT_EQ(peer->at(0).negotiated.media.transport, 0u);
    EXPECT_EQ(peer->at(1).negotiated.media.transport, 1u);
    ASSERT_TRUE(peer->state.data.settings);
    EXPECT_EQ(peer->state.data.settings->transport, 2u);
    ASSERT_EQ(peer->last.sides.size(), 2u);
    for (const SideTransportChange& side : peer->last.sides) {
      EXPECT_FALSE(side.ended);
      EXPECT_TRUE(side.change.localIce);
      EXPECT_TRUE(side.change.remoteIce);
      EXPECT_EQ(side.change.iceControlling, peer == &a);
      EXPECT_EQ(side.change.dtlsRole, peer == &a ? DtlsRole::Server : DtlsRole::Client);
      EXPECT_FALSE(side.change.remoteFingerprints.empty());
    }
  }
  EXPECT_FALSE(isNegotiationNeeded(a.state));
}

TEST_F(Apart, MaxBundleAcceptsOneSection) {
  b.state.bundlePolicy = BundlePolicy::MaxBundle;
  negotiateApart(a, b);
  const auto& answer = b.state.currentLocal->sdp;
  EXPECT_FALSE(answer.media[0].isRejected());
  EXPECT_TRUE(answer.media[1].isRejected());
  EXPECT_TRUE(answer.media[2].isRejected());
  EXPECT_TRUE(a.state.transports.sides.empty());
}

TEST_F(Apart, AMaxBundleOffererKeepsOneSectionOfAnAnswerWithoutBundle) {
  a.state.bundlePolicy = BundlePolicy::MaxBundle;
  negotiateApart(a, b);
  EXPECT_TRUE(a.state.transports.sides.empty());
  EXPECT_TRUE(a.at(0).negotiated.currentDirection);
  EXPECT_FALSE(a.state.data.settings);
}

TEST_F(Apart, MaxCompatSetsUpEachTransportWithTheFirstOffer) {
  a.state.bundlePolicy = BundlePolicy::MaxCompat;
  const auto offer = a.offer();
  EXPECT_EQ(sections(a), (Numbers{0, 1, 2}));
  ASSERT_EQ(a.last.sides.size(), 2u);
  EXPECT_TRUE(a.last.sides[0].change.localIce);
  // A peer that bundles needs the first only.
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
  EXPECT_EQ(sections(a), (Numbers{0, 0, 0}));
  EXPECT_TRUE(a.state.transports.sides.empty());
  ASSERT_EQ(a.last.sides.size(), 2u);
  EXPECT_TRUE(a.last.sides[0].ended && a.last.sides[1].ended);
  EXPECT_EQ(a.at(1).negotiated.media.transport, 0u);
  // Further offers need no more than the bundle.
  a.add(MediaKind::Audio);
  negotiate(a, b);
  EXPECT_EQ(sections(a), (Numbers{0, 0, 0, 0}));
}

/// Many sections more than there may be transports.
struct FarApart : Apart {
  static constexpr size_t kSections = 60;

  FarApart() {
    while (a.state.transceivers.size() < kSections) a.add(MediaKind::Audio);
  }
  static size_t accepted(const sdp::SessionDescription& d) {
    return static_cast<size_t>(std::count_if(d.media.begin(), d.media.end(),
                                             [](const auto& m) { return !m.isRejected(); }));
  }
};

TEST_F(FarApart, SectionsBeyondTheMostAreRejected) {
  negotiateApart(a, b);
  EXPECT_EQ(accepted(b.state.currentLocal->sdp), kMaxTransports);
  for (Peer* peer : {&a, &b}) {
    SCOPED_TRACE(peer->name);
    EXPECT_EQ(peer->state.transports.sides.size(), kMaxTransports - 1);
    EXPECT_EQ(peer->last.sides.size(), kMaxTransports - 1);
  }
  EXPECT_TRUE(b.at(kMaxTransports - 1).negotiated.currentDirection);
}

TEST_F(FarApart, APeerThatBundlesMayHaveAllOfThem) {
  negotiate(a, b);
  EXPECT_EQ(accepted(b.state.currentLocal->sdp), kSections + 1);
  EXPECT_TRUE(b.state.transports.sides.empty());
}

TEST_F(FarApart, WhatAPeerAcceptsBeyondTheMostCarriesNothing) {
  auto offer = a.offer();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  auto answer = b.answer();
  answer.groups.clear();
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_EQ(a.state.transports.sides.size(), kMaxTransports - 1);
  EXPECT_EQ(sections(a)[kMaxTransports - 1], kMaxTransports - 1);
  EXPECT_FALSE(sections(a)[kMaxTransports]);
  EXPECT_TRUE(a.last.sides.size() == kMaxTransports - 1);
}

/// All places are taken, by sections 0 to 16 without the fourth; that one is to be taken again.
struct FarApartAndFull : FarApart {
  static constexpr size_t kFreed = 3;
  static constexpr size_t kLast = kMaxTransports;

  void SetUp() override {
    auto offer = a.offer();
    offer.groups.clear();
    offer.media[kFreed].port = 0;
    ASSERT_TRUE(b.remote(SdpType::Offer, offer));
    ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
    negotiateApart(a, b);
    ASSERT_TRUE(sections(b)[kLast]);
    living = sections(a)[kLast];
    ASSERT_TRUE(living);
    ASSERT_FALSE(sections(a)[kFreed]);
    a.add(MediaKind::Video);
  }
  std::optional<uint32_t> living;
};

TEST_F(FarApartAndFull, ASectionInAFormerPlacePushesNoneOut) {
  auto offer = a.offer();
  ASSERT_FALSE(offer.media[kFreed].isRejected());
  offer.groups.clear();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto answer = b.answer();
  EXPECT_TRUE(answer.media[kFreed].isRejected());
  EXPECT_FALSE(answer.media[kLast].isRejected());
  EXPECT_TRUE(sections(b)[kLast]);
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_EQ(sections(a)[kLast], living);
  ASSERT_EQ(a.last.sides.size(), 1u);
  EXPECT_TRUE(a.last.sides[0].ended) << "what the offer had set up for the new one";
  EXPECT_NE(a.last.sides[0].id, living);
}

TEST_F(FarApartAndFull, NorDoesOneThatThePeerAcceptsAllTheSame) {
  auto offer = a.offer();
  offer.groups = {{"BUNDLE", {}}};
  for (const auto& section : offer.media) {
    if (!section.isRejected()) offer.groups[0].mids.push_back(*section.mid);
  }
  Peer all("b");
  ASSERT_TRUE(all.remote(SdpType::Offer, offer));
  auto answer = all.answer();
  answer.groups.clear();
  ASSERT_FALSE(answer.media[kFreed].isRejected());
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_EQ(sections(a)[kLast], living);
  EXPECT_FALSE(sections(a)[kFreed]);
}

TEST_F(FarApart, MaxCompatSetsUpNoMore) {
  a.state.bundlePolicy = BundlePolicy::MaxCompat;
  const auto offer = a.offer();
  EXPECT_EQ(a.state.transports.sides.size(), kMaxTransports - 1);
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
  EXPECT_TRUE(a.state.transports.sides.empty());
  EXPECT_EQ(sections(a), Numbers(kSections + 1, 0));
}

TEST_F(Apart, RollbackTakesTheTransportsOfTheOfferAlong) {
  a.state.bundlePolicy = BundlePolicy::MaxCompat;
  a.offer();
  a.rollBack();
  EXPECT_TRUE(a.state.transports.sides.empty());
  EXPECT_EQ(sections(a), Numbers{});
  ASSERT_EQ(a.last.sides.size(), 2u);
  EXPECT_TRUE(a.last.sides[0].ended);
}

// RFC 9143 section 7.5.1: they may be bundled later.
TEST_F(Apart, SectionsJoinABundleLater) {
  negotiateApart(a, b);
  auto offer = b.offer();
  EXPECT_TRUE(offer.groups.empty()) << "who was not bundled is not asked again";
  offer.groups = {{"BUNDLE", {"0", "1", "2"}}};
  ASSERT_TRUE(a.remote(SdpType::Offer, offer));
  const auto answer = a.answer();
  EXPECT_EQ(answer.groups.size(), 1u);
  EXPECT_EQ(sections(a), (Numbers{0, 0, 0}));
  ASSERT_EQ(a.last.sides.size(), 2u);
  EXPECT_TRUE(a.last.sides[0].ended);
  EXPECT_EQ(a.at(1).negotiated.media.transport, 0u);
  EXPECT_EQ(a.state.data.settings->transport, 0u);
}

// RFC 9429 section 5.2.2.
TEST_F(Apart, NewSectionsFormABundle) {
  negotiateApart(a, b);
  a.add(MediaKind::Audio);
  a.add(MediaKind::Video);
  const auto offer = a.offer();
  ASSERT_EQ(offer.groups.size(), 1u);
  EXPECT_EQ(offer.groups[0].mids, (std::vector<std::string>{"3", "4"}));
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
  EXPECT_EQ(sections(a), (Numbers{0, 1, 2, 3, 3}));
  EXPECT_EQ(sections(b), (Numbers{0, 1, 2, 3, 3}));
}

TEST_F(Apart, SeveralBundlesStayWhatTheyAre) {
  a.add(MediaKind::Video);
  auto offer = a.offer();
  offer.groups = {{"BUNDLE", {"0", "1"}}, {"BUNDLE", {"2", "3"}}};
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto answer = b.answer();
  EXPECT_EQ(answer.groups, offer.groups);
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_EQ(sections(a), (Numbers{0, 0, 1, 1}));
  EXPECT_EQ(sections(b), (Numbers{0, 0, 1, 1}));
  EXPECT_EQ(b.peek().groups, offer.groups);
}

// RFC 9143 section 9.1 asks for it within a bundle only.
TEST_F(Apart, ANumberMayMeanSomethingElseOnAnotherTransport) {
  auto offer = a.offer();
  offer.groups.clear();
  offer.media[0].codecs = {test::codec(96, "opus", 48000, "", 2)};
  offer.media[0].extmaps = {{4, {}, test::kLevelUri, ""}};
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto answer = b.answer();
  ASSERT_FALSE(answer.media[0].isRejected());
  ASSERT_FALSE(answer.media[1].isRejected());
  EXPECT_EQ(answer.media[0].codecs[0].payloadType, 96);
  EXPECT_EQ(answer.media[1].codecs[0].payloadType, 96);
  EXPECT_EQ(answer.media[1].extmaps.size(), 3u);
  const auto again = b.offer();
  EXPECT_EQ(again.media[0].codecs[0].name, "opus");
  EXPECT_EQ(again.media[0].codecs[0].payloadType, 96);
  EXPECT_EQ(again.media[1].codecs[0].name, "VP8");
  EXPECT_EQ(again.media[1].codecs[0].payloadType, 96);
}

// webrtc-pc section 4.4.1.5, [[LocalIceCredentialsToReplace]]: one transport at a time.
TEST_F(Apart, IceRestartsOfOneTransportLeaveTheOthersAlone) {
  negotiateApart(a, b);
  b.freshIce();
  auto offer = a.peek();
  offer.media[1].transport.iceUfrag = "another";
  offer.media[1].transport.icePwd = "another-password-of-24-c";
  ++offer.origin.sessionVersion;
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  restartIce(b.state);
  const auto answer = b.answer();
  EXPECT_EQ(answer.media[0].transport.iceUfrag, "bufrag1");
  EXPECT_EQ(answer.media[1].transport.iceUfrag, "bufrag2");
  EXPECT_EQ(answer.media[2].transport.iceUfrag, "bufrag1");
  ASSERT_EQ(b.last.sides.size(), 1u) << "nothing changes for the others";
  EXPECT_EQ(b.last.sides[0].id, 1u);
  EXPECT_TRUE(b.last.sides[0].change.remoteIceRestart);
  EXPECT_TRUE(isNegotiationNeeded(b.state)) << "two still have the old ones";
  b.freshIce();
  const auto next = b.offer();
  EXPECT_EQ(next.media[0].transport.iceUfrag, "bufrag3");
  EXPECT_EQ(next.media[1].transport.iceUfrag, "bufrag2") << "restarted already";
  EXPECT_EQ(next.media[2].transport.iceUfrag, "bufrag3");
}

TEST_F(Apart, CandidatesGoToTheTransportOfTheirSection) {
  negotiateApart(a, b);
  const auto line = *sdp::parseCandidate("candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host");
  for (const auto& [mid, number] :
       std::vector<std::pair<std::string, uint32_t>>{{"0", 0}, {"1", 1}, {"2", 2}}) {
    const auto accepted = addRemoteCandidate(a.state, {line, mid, {}, {}});
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->transports, std::vector<uint32_t>{number});
  }
  const auto end = addRemoteCandidate(a.state, {});
  ASSERT_TRUE(end);
  EXPECT_EQ(end->transports, (std::vector<uint32_t>{0, 1, 2})) << "the end of all of them";
}

// A place that is taken again comes first in the bundle, but brings no transport.
TEST_F(Apart, ANewSectionThatLeadsABundleRidesOnItsTransport) {
  negotiate(a, b);
  stopTransceiver(a.state, a.at(0).id);
  negotiate(a, b);
  EXPECT_EQ(sections(a), (Numbers{std::nullopt, 0, 0}));
  a.add(MediaKind::Audio);
  const auto offer = a.offer();
  EXPECT_EQ(offer.groups[0].mids.front(), *offer.media[0].mid);
  EXPECT_EQ(offer.media[0].transport.iceUfrag, "aufrag1");
  EXPECT_EQ(sections(a), (Numbers{0, 0, 0}));
  EXPECT_TRUE(a.last.sides.empty());
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  ASSERT_TRUE(a.remote(SdpType::Answer, b.answer()));
  EXPECT_EQ(sections(b), (Numbers{0, 0, 0}));
  EXPECT_TRUE(b.state.transports.sides.empty());
  EXPECT_TRUE(a.state.transports.sides.empty());
}

// RFC 9143 section 7.2: the bundle's transport is that of the offer, whoever is turned down.
TEST_F(Apart, ABundleWhoseFirstSectionIsTurnedDownKeepsItsTransport) {
  Peer c("c"), d("d");
  c.add(MediaKind::Audio);
  negotiate(c, d);
  c.add(MediaKind::Video);
  const auto offer = c.offer();
  ASSERT_TRUE(d.remote(SdpType::Offer, offer));
  auto answer = d.peekAnswer();
  answer.media[0].port = 0;
  answer.groups[0].mids = {"1"};
  ASSERT_TRUE(d.local(SdpType::Answer, answer));
  ASSERT_TRUE(c.remote(SdpType::Answer, answer));
  EXPECT_EQ(sections(c), (Numbers{std::nullopt, 0}));
  EXPECT_EQ(sections(d), (Numbers{std::nullopt, 0}));
}

TEST_F(Apart, TheEndOfASectionIsTheEndOfItsTransport) {
  negotiateApart(a, b);
  stopTransceiver(a.state, a.at(1).id);
  negotiateApart(a, b);
  EXPECT_EQ(sections(a), (Numbers{0, std::nullopt, 2}));
  ASSERT_EQ(a.state.transports.sides.size(), 1u);
  ASSERT_EQ(a.last.sides.size(), 1u);
  EXPECT_EQ(a.last.sides[0].id, 1u);
  EXPECT_TRUE(a.last.sides[0].ended);
  // Also of the first, whatever else goes on.
  stopTransceiver(a.state, a.at(0).id);
  negotiateApart(a, b);
  EXPECT_TRUE(a.last.transport.unused);
  EXPECT_EQ(a.state.data.settings->transport, 2u);
}

TEST_F(Apart, AnAnswerThatTellsTooLittleOfOneTransportIsRefused) {
  auto offer = a.offer();
  offer.groups.clear();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  auto answer = b.answer();
  answer.media[1].transport.fingerprints.clear();
  EXPECT_FALSE(a.tryRemote(SdpType::Answer, answer));
  answer = b.state.currentLocal->sdp;
  answer.media[1].rtcpMux = false;
  EXPECT_FALSE(a.tryRemote(SdpType::Answer, answer));
}

TEST_F(Apart, AnOfferedSectionThatTellsTooLittleIsTurnedDownAlone) {
  auto offer = a.offer();
  offer.groups.clear();
  offer.media[1].transport.iceUfrag.reset();
  offer.media[2].transport.fingerprints.clear();
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto answer = b.answer();
  EXPECT_FALSE(answer.media[0].isRejected());
  EXPECT_TRUE(answer.media[1].isRejected());
  EXPECT_TRUE(answer.media[2].isRejected());
}

}  // namespace
}  // namespace parley::jsep
