#include "parley/jsep/remote_candidates.h"

#include "parley/jsep/bundle.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::MediaKind;
using test::negotiate;
using test::Peer;

sdp::CandidateLine line(int port, const std::string& more = {}) {
  return *sdp::parseCandidate("candidate:1 1 udp 1 192.0.2.1 " + std::to_string(port) +
                              " typ host" + more);
}

struct Connected {
  Connected() {
    a.add(MediaKind::Audio);
    a.add(MediaKind::Video);
    negotiate(a, b);
  }
  Peer a{"a"};
  Peer b{"b"};
};

TEST(AddRemoteCandidate, NeedsADescriptionAndASection) {
  Peer p("p");
  EXPECT_EQ(addRemoteCandidate(p.state, {line(1), "0"}).error().code, ErrorCode::InvalidState);
  Connected c;
  SessionState& s = c.a.state;
  const SessionState before = s;
  EXPECT_EQ(addRemoteCandidate(s, {line(1)}).error().code, ErrorCode::Type);
  EXPECT_EQ(addRemoteCandidate(s, {line(1), "x"}).error().code, ErrorCode::Operation);
  EXPECT_EQ(addRemoteCandidate(s, {line(1), "x", uint16_t{0}}).error().code, ErrorCode::Operation)
      << "mid counts first";
  EXPECT_EQ(addRemoteCandidate(s, {line(1), {}, uint16_t{2}}).error().code, ErrorCode::Operation);
  EXPECT_TRUE(s == before) << "an error changes nothing";
  EXPECT_TRUE(addRemoteCandidate(s, {line(1), "0", uint16_t{9}}));
  EXPECT_TRUE(addRemoteCandidate(s, {line(1), {}, uint16_t{1}}));
  EXPECT_EQ(addRemoteCandidate(s, {line(2), ""}).error().code, ErrorCode::Operation);
  EXPECT_TRUE(addRemoteCandidate(s, {line(2), "", uint16_t{0}})->useNow) << "as Pion sends them";
}

TEST(AddRemoteCandidate, BelongsToTheGenerationOfItsUfrag) {
  Connected c;
  SessionState& s = c.a.state;
  EXPECT_TRUE(addRemoteCandidate(s, {line(1), "0", {}, "bufrag1"})->useNow);
  EXPECT_TRUE(addRemoteCandidate(s, {line(1, " ufrag bufrag1"), "0"})->useNow);
  EXPECT_EQ(addRemoteCandidate(s, {line(1), "0", {}, "old"}).error().code, ErrorCode::Operation);
  EXPECT_EQ(addRemoteCandidate(s, {line(1, " ufrag old"), "0"}).error().code, ErrorCode::Operation);
}

TEST(AddRemoteCandidate, BecomesPartOfTheDescription) {
  Connected c;
  const sdp::MediaDescription& section = c.a.state.currentRemote->sdp.media[0];
  ASSERT_TRUE(addRemoteCandidate(c.a.state, {line(7), "0"}));
  ASSERT_TRUE(addRemoteCandidate(c.a.state, {line(7), "0"}));
  EXPECT_EQ(section.candidates, std::vector<sdp::CandidateLine>{line(7)}) << "once is enough";
  EXPECT_TRUE(addRemoteCandidate(c.a.state, {std::nullopt, "0"})->useNow);
  EXPECT_TRUE(section.endOfCandidates);
}

TEST(AddRemoteCandidate, EndWithoutSectionEndsTheTransportsSection) {
  Connected c;
  auto end = addRemoteCandidate(c.a.state, {});
  ASSERT_TRUE(end && end->useNow);
  EXPECT_TRUE(c.a.state.currentRemote->sdp.media[0].endOfCandidates);
}

TEST(AddRemoteCandidate, OfASectionOnAnothersTransportIsNotUsed) {
  Connected c;
  auto r = addRemoteCandidate(c.a.state, {line(7), "1"});
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->useNow);
}

TEST(AddRemoteCandidate, BeforeTheAnswerItWaitsInTheDescription) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  ASSERT_TRUE(b.remote(SdpType::Offer, a.offer()));
  auto r = addRemoteCandidate(b.state, {line(7), "0"});
  ASSERT_TRUE(r);
  EXPECT_FALSE(r->useNow);
  b.answer();
  EXPECT_EQ(b.last.transport.remoteCandidates, std::vector<sdp::CandidateLine>{line(7)});
}

TEST(AddRemoteCandidate, ThousandsAreIgnored) {
  Connected c;
  for (int i = 1; i < 200; ++i) ASSERT_TRUE(addRemoteCandidate(c.a.state, {line(i), "0"}));
  EXPECT_EQ(c.a.state.currentRemote->sdp.media[0].candidates.size(), 64u);
}

TEST(CanTrickle, AsThePeerSays) {
  Connected c;
  EXPECT_FALSE(canTrickle(SessionState{}));
  EXPECT_EQ(canTrickle(c.a.state), true);
  for (auto& m : c.a.state.currentRemote->sdp.media) m.transport.iceOptions.clear();
  EXPECT_EQ(canTrickle(c.a.state), false);
}

TEST(AddLocalCandidates, SetsTheDefaultCandidate) {
  Connected c;
  sdp::SessionDescription d = c.a.state.currentLocal->sdp;
  const auto relay =
      *sdp::parseCandidate("candidate:2 1 udp 1 198.51.100.9 3 typ relay raddr 0.0.0.0 rport 0");
  const std::vector<sdp::CandidateLine> list = {line(5), relay};
  addLocalCandidates(d, 0, list, true);
  EXPECT_EQ(d.media[0].candidates.size(), 2u);
  EXPECT_TRUE(d.media[0].endOfCandidates);
  EXPECT_EQ(d.media[0].port, 3);
  EXPECT_EQ(d.media[0].connection->address, "198.51.100.9");
  EXPECT_TRUE(d.media[1].candidates.empty());

  sdp::SessionDescription hidden = c.a.state.currentLocal->sdp;
  const std::vector<sdp::CandidateLine> mdns = {*sdp::parseCandidate(
      "candidate:1 1 udp 1 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 5 typ host")};
  addLocalCandidates(hidden, 0, mdns, false);
  EXPECT_EQ(hidden.media[0].port, 9);
  EXPECT_EQ(hidden.media[0].connection->address, "0.0.0.0");
}

TEST(AddLocalCandidates, DoNotCountAsAChangeOfTheDescription) {
  Connected c;
  const std::vector<sdp::CandidateLine> list = {line(5)};
  c.a.offer();
  const auto version = c.a.state.sessionVersion;
  addLocalCandidates(c.a.state.pendingLocal->sdp, 0, list, true);
  EXPECT_EQ(c.a.peek().origin.sessionVersion, version);
}

}  // namespace
}  // namespace parley::jsep
