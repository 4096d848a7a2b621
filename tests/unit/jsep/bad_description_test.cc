#include "parley/base/random.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::Direction;
using sdp::MediaKind;
using sdp::SetupRole;
using test::negotiate;
using test::Peer;

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
      {"no rtcp-mux", [](D d) { d.media[0].rtcpMux = d.media[1].rtcpMux = false; }},
      {"a payload type of RTCP's", [](D d) { d.media[1].codecs[0].payloadType = 72; }},
      {"extension id reused", [](D d) { d.media[0].extmaps[0].uri = "urn:another"; }},
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

TEST(BadRemote, NumbersThatWereTurnedDownMayGetAnotherMeaning) {
  Peer a("a"), b("b");
  a.track(MediaKind::Video);
  negotiate(a, b);
  auto offer = b.peek();
  sdp::CodecParams extra = offer.media[0].codecs[0];
  extra.payloadType = 45;
  extra.name = "X-UNKNOWN";
  offer.media[0].codecs.push_back(extra);
  ASSERT_TRUE(a.remote(SdpType::Offer, Peer::throughText(offer)));
  const auto answer = a.answer();
  ASSERT_EQ(answer.media[0].codec(45), nullptr);
  offer.media[0].codecs.back().name = "X-OTHER";
  EXPECT_TRUE(a.tryRemote(SdpType::Offer, offer)) << "as Firefox does after glare";
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
  for (int i = 0; i < 16; ++i) {
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

}  // namespace
}  // namespace parley::jsep
