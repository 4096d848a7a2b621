#include "parley/base/random.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::Direction;
using sdp::MediaKind;
using sdp::SetupRole;
using test::negotiate;
using test::Peer;

/// What stands in a description at the line that a refusal names.
std::string refusedLine(const Error& error, const std::string& text) {
  const int number = error.sdpLineNumber.value_or(0);
  EXPECT_TRUE(error.message.starts_with("line " + std::to_string(number) + ": ")) << error.message;
  size_t at = 0;
  for (int i = 1; i < number && at != std::string::npos; ++i) {
    at = text.find('\n', at);
    if (at != std::string::npos) ++at;
  }
  if (number < 1 || at == std::string::npos) return "no line";
  return text.substr(at, text.find('\r', at) - at);
}

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
    const char* line;  ///< how it begins
    std::function<void(sdp::SessionDescription&)> change;
  };
  using D = sdp::SessionDescription&;
  const Case cases[] = {
      {"fewer sections", "m=video", [](D d) { d.media.pop_back(), d.groups[0].mids.pop_back(); }},
      {"sections reordered", "m=video", [](D d) { std::swap(d.media[0], d.media[1]); }},
      {"mids swapped", "a=mid:1", [](D d) { std::swap(d.media[0].mid, d.media[1].mid); }},
      {"another mid", "a=mid:new",
       [](D d) { d.media[0].mid = "new", d.groups[0].mids[0] = "new"; }},
      {"another kind", "m=video", [](D d) { d.media[0].media = "video"; }},
      {"payload type reused", "m=video", [](D d) { d.media[1].codecs[0].name = "AV1"; }},
      {"no ufrag", "m=audio", [](D d) { d.media[0].transport.iceUfrag.reset(); }},
      {"no pwd", "m=audio", [](D d) { d.media[0].transport.icePwd.reset(); }},
      {"no fingerprint", "m=audio", [](D d) { d.media[0].transport.fingerprints.clear(); }},
      {"no rtcp-mux", "m=audio", [](D d) { d.media[0].rtcpMux = d.media[1].rtcpMux = false; }},
      {"a payload type of RTCP's", "m=video", [](D d) { d.media[1].codecs[0].payloadType = 72; }},
      {"extension id reused", "m=audio", [](D d) { d.media[0].extmaps[0].uri = "urn:another"; }},
      {"holdconn", "m=audio", [](D d) { d.media[0].transport.setup = SetupRole::HoldConn; }},
      {"role flip", "m=audio", [](D d) { d.media[0].transport.setup = SetupRole::Passive; }},
  };
  for (const Case& c : cases) {
    auto bad = good;
    c.change(bad);
    const std::string text = *sdp::write(bad);
    const auto parsed = sdp::parse(text);
    ASSERT_TRUE(parsed) << c.what << ": " << parsed.error().message;
    const auto delta = a.tryRemote(SdpType::Offer, *parsed);
    ASSERT_FALSE(delta) << c.what;
    EXPECT_EQ(delta.error().code, ErrorCode::InvalidAccess)
        << c.what << ": " << delta.error().message;
    EXPECT_TRUE(refusedLine(delta.error(), text).starts_with(c.line))
        << c.what << ": " << delta.error().message << "\n"
        << text;
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
    const char* line;  ///< how it begins
    std::function<void(sdp::SessionDescription&)> change;
  };
  using D = sdp::SessionDescription&;
  const Case cases[] = {
      {"fewer sections", "m=audio", [](D d) { d.media.pop_back(), d.groups[0].mids.pop_back(); }},
      {"more sections", "m=audio",
       [](D d) { d.media.push_back(d.media[0]), d.media.back().mid = "9"; }},
      {"another mid", "a=mid:7", [](D d) { d.media[0].mid = "7", d.groups[0].mids[0] = "7"; }},
      {"another kind", "m=video", [](D d) { std::swap(d.media[0], d.media[1]); }},
      {"actpass", "m=audio", [](D d) { d.media[0].transport.setup = SetupRole::ActPass; }},
      {"no rtcp-mux", "m=audio", [](D d) { d.media[0].rtcpMux = d.media[1].rtcpMux = false; }},
      {"no fingerprint", "m=audio", [](D d) { d.media[0].transport.fingerprints.clear(); }},
      {"another protocol", "m=video",
       [](D d) { d.media[1].protocol = "UDP/DTLS/SCTP", d.media[1].formats = {"x"}; }},
  };
  for (const Case& c : cases) {
    auto bad = good;
    c.change(bad);
    const std::string text = *sdp::write(bad);
    const auto parsed = sdp::parse(text);
    ASSERT_TRUE(parsed) << c.what << ": " << parsed.error().message;
    const auto delta = a.tryRemote(SdpType::Answer, *parsed);
    ASSERT_FALSE(delta) << c.what;
    EXPECT_EQ(delta.error().code, ErrorCode::InvalidAccess) << c.what;
    EXPECT_TRUE(refusedLine(delta.error(), text).starts_with(c.line))
        << c.what << ": " << delta.error().message << "\n"
        << text;
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

/// Random attributes of sections removed or changed.
sdp::SessionDescription damaged(SeededRandom& random, sdp::SessionDescription d) {
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
}

struct Dancers {
  Dancers() {
    a.track(MediaKind::Audio);
    a.track(MediaKind::Video);
    b.track(MediaKind::Video);
    a.state.data.wanted = true;
  }
  /// A round without damage: both are stable, and all that `a` has is there.
  void expectGoodRound() {
    negotiate(a, b);
    ASSERT_EQ(a.state.signaling, SignalingState::Stable);
    ASSERT_EQ(b.state.signaling, SignalingState::Stable);
    for (const TransceiverState& t : a.state.transceivers) {
      EXPECT_TRUE(t.negotiated.mid);
      EXPECT_TRUE(t.negotiated.currentDirection);
    }
    EXPECT_TRUE(a.state.data.settings && b.state.data.settings);
  }
  Peer a{"a"};
  Peer b{"b"};
};

TEST(BadRemote, AfterADamagedOfferTheGoodOneWorks) {
  SeededRandom random(7);
  int refused = 0, taken = 0;
  for (int i = 0; i < 40; ++i) {
    Dancers d;
    const auto offer = d.a.offer();
    const SessionState before = d.b.state;
    auto toB = d.b.tryRemote(SdpType::Offer, damaged(random, offer));
    EXPECT_EQ(d.b.state, before);
    if (toB) {
      ++taken;
      d.b.commit(*std::move(toB));
      d.b.rollBack();
    } else {
      ++refused;
    }
    ASSERT_TRUE(d.b.remote(SdpType::Offer, offer));
    ASSERT_TRUE(d.a.remote(SdpType::Answer, d.b.answer()));
    d.expectGoodRound();
    if (::testing::Test::HasFailure()) FAIL() << "round " << i;
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(taken, 0);
}

TEST(BadRemote, AfterADamagedAnswerTheGoodOneWorks) {
  SeededRandom random(8);
  int refused = 0, taken = 0;
  for (int i = 0; i < 40; ++i) {
    Dancers d;
    ASSERT_TRUE(d.b.remote(SdpType::Offer, d.a.offer()));
    const auto answer = d.b.answer();
    const SessionState before = d.a.state;
    const auto toA = d.a.tryRemote(SdpType::Answer, damaged(random, answer));
    EXPECT_EQ(d.a.state, before);
    ++(toA ? taken : refused);
    // One that was taken is not committed: the two ends would know different things.
    ASSERT_TRUE(d.a.remote(SdpType::Answer, answer));
    d.expectGoodRound();
    if (::testing::Test::HasFailure()) FAIL() << "round " << i;
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(taken, 0);
}

}  // namespace
}  // namespace parley::jsep
