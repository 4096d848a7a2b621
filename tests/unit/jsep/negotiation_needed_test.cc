#include "parley/jsep/negotiation_needed.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::Direction;
using sdp::MediaKind;
using test::negotiate;
using test::Peer;

/// A connected pair with an audio transceiver that both ends send on.
struct Pair {
  Pair() {
    a.track(MediaKind::Audio);
    b.track(MediaKind::Audio);
    negotiate(a, b);
  }
  Peer a{"a"};
  Peer b{"b"};
};

TEST(NegotiationNeeded, NotForAFreshConnection) {
  EXPECT_FALSE(isNegotiationNeeded(SessionState{}));
}

TEST(NegotiationNeeded, NotOnceClosed) {
  Peer a("a");
  a.add(MediaKind::Audio);
  EXPECT_TRUE(isNegotiationNeeded(a.state));
  a.state.signaling = SignalingState::Closed;
  EXPECT_FALSE(isNegotiationNeeded(a.state));
}

TEST(NegotiationNeeded, Table) {
  struct Case {
    const char* what;
    bool needed;
    std::function<void(Peer&)> change;
  };
  const Case cases[] = {
      {"nothing", false, [](Peer&) {}},
      {"a new transceiver", true, [](Peer& p) { p.add(MediaKind::Video); }},
      {"a new transceiver, stopped", true,
       [](Peer& p) { stopTransceiver(p.state, p.add(MediaKind::Video)); }},
      {"stop", true, [](Peer& p) { stopTransceiver(p.state, p.at(0).id); }},
      {"direction", true,
       [](Peer& p) { (void)setDirection(p.state, p.at(0).id, Direction::RecvOnly); }},
      {"direction to what it is", false,
       [](Peer& p) { (void)setDirection(p.state, p.at(0).id, Direction::SendRecv); }},
      {"removeTrack", true, [](Peer& p) { (void)removeTrack(p.state, p.at(0).id); }},
      {"streams", true, [](Peer& p) { p.state.transceivers[0].sender.streams = {"x"}; }},
      {"no streams", true, [](Peer& p) { p.state.transceivers[0].sender.streams.clear(); }},
      {"data", true, [](Peer& p) { p.state.data.wanted = true; }},
      {"restartIce", true, [](Peer& p) { restartIce(p.state); }},
      {"codec preferences", false,
       [](Peer& p) {
         (void)setCodecPreferences(p.state, p.caps, p.at(0).id, {test::codec(0, "PCMU", 8000)});
       }},
  };
  for (const Case& c : cases) {
    for (const bool offerer : {true, false}) {
      Pair pair;
      Peer& p = offerer ? pair.a : pair.b;
      c.change(p);
      EXPECT_EQ(isNegotiationNeeded(p.state), c.needed)
          << c.what << (offerer ? " by the offerer" : " by the answerer");
    }
  }
}

TEST(NegotiationNeeded, AnAnswererThatWantsMoreThanWasOffered) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio, Direction::SendOnly);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  (void)addTrack(b.state, MediaKind::Audio, "t", {"s"});
  const auto answer = b.answer();
  EXPECT_EQ(answer.media[0].direction, Direction::RecvOnly);
  ASSERT_EQ(answer.media[0].msids.size(), 1u) << "what the transceiver wants, RFC 9429 5.2.1";
  ASSERT_TRUE(a.remote(SdpType::Answer, answer));
  EXPECT_EQ(b.at(0).negotiated.currentDirection, Direction::RecvOnly);
  EXPECT_FALSE(isNegotiationNeeded(b.state)) << "the answer gave what the offer allowed";
}

// Each end's wish is answered with silence, and neither has a reason to ask again.
TEST(NegotiationNeeded, TwoThatOnlyWantToSendComeToRest) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  b.track(MediaKind::Audio);
  negotiate(a, b);
  ASSERT_TRUE(setDirection(a.state, a.at(0).id, Direction::SendOnly));
  ASSERT_TRUE(setDirection(b.state, b.at(0).id, Direction::SendOnly));
  negotiate(a, b);
  EXPECT_EQ(a.at(0).negotiated.currentDirection, Direction::Inactive);
  EXPECT_FALSE(isNegotiationNeeded(a.state));
  EXPECT_FALSE(isNegotiationNeeded(b.state));
  negotiate(b, a);
  EXPECT_FALSE(isNegotiationNeeded(a.state));
  EXPECT_FALSE(isNegotiationNeeded(b.state));
}

TEST(NegotiationNeeded, NotWhenThePeerLimitsADirection) {
  Peer a("a"), b("b");
  a.track(MediaKind::Audio);
  negotiate(a, b);
  EXPECT_EQ(a.at(0).negotiated.currentDirection, Direction::SendOnly);
  EXPECT_FALSE(isNegotiationNeeded(a.state));
  EXPECT_FALSE(isNegotiationNeeded(b.state));
}

}  // namespace
}  // namespace parley::jsep
