#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::Direction;
using sdp::MediaKind;
using test::negotiate;
using test::Peer;

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
  EXPECT_TRUE(a.last.transport.unused) << "the transport came with the offer";
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

}  // namespace
}  // namespace parley::jsep
