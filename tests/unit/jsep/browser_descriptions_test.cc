#include "unit/jsep/peer.h"
#include "unit/sdp/corpus.h"

namespace parley::jsep {
namespace {

using sdp::MediaKind;
using sdp::SetupRole;
using test::names;
using test::Peer;

sdp::SessionDescription browser(const std::string& name) {
  auto parsed = sdp::parse(parley::test::corpus(name));
  EXPECT_TRUE(parsed) << name;
  return *std::move(parsed);
}

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

TEST(OtherStacks, TheirOffersAreAnswered) {
  struct Case {
    const char* name;
    bool media, data, sends;
  };
  const Case cases[] = {
      {"aiortc1.4-offer-audio-video-data", true, true, true},
      {"aiortc1.4-offer-recvonly", true, false, false},
      {"gstreamer1.22-offer-audio-video-data", true, true, true},
      {"gstreamer1.22-offer-recvonly", true, false, false},
      {"libdatachannel-offer-audio-video-data", true, true, true},
      {"libdatachannel-offer-data-only", false, true, false},
      {"pion3-offer-audio-video-data", true, true, true},
      {"pion3-offer-recvonly", true, false, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const auto offer = browser(c.name);
    Peer us("u");
    us.track(MediaKind::Audio);
    us.track(MediaKind::Video);
    ASSERT_TRUE(us.remote(SdpType::Offer, offer));
    EXPECT_EQ(us.last.events.tracks.size(), c.sends ? 2u : 0u);
    const auto answer = us.answer();
    EXPECT_EQ(us.state.signaling, SignalingState::Stable);
    ASSERT_EQ(answer.media.size(), offer.media.size());
    ASSERT_TRUE(answer.bundleGroup());
    EXPECT_EQ(answer.bundleGroup()->mids, offer.bundleGroup()->mids);
    for (size_t i = 0; i < answer.media.size(); ++i) {
      const auto& m = answer.media[i];
      EXPECT_EQ(m.mid, offer.media[i].mid);
      EXPECT_FALSE(m.isRejected()) << *m.mid;
      EXPECT_EQ(m.protocol, offer.media[i].protocol);
      for (const auto& codec : m.codecs)
        EXPECT_TRUE(sdp::sameFormat(*offer.media[i].codec(codec.payloadType), codec)) << codec.name;
      if (!m.isRtp()) continue;
      EXPECT_TRUE(sdp::sends(answer.directionOf(m)));
      EXPECT_EQ(sdp::receives(answer.directionOf(m)), c.sends);
    }
    EXPECT_EQ(answer.transportOf(answer.media[0]).setup, SetupRole::Active);
    EXPECT_EQ(us.last.data && us.last.data->enabled, c.data);
    EXPECT_EQ(us.at(0).negotiated.media.send && us.at(1).negotiated.media.send, c.media);
    EXPECT_FALSE(us.last.transport.remoteCandidates.empty());
    EXPECT_EQ(us.last.transport.remoteFingerprints.size(), 1u);
    // Its sections end and come back in an offer of ours.
    if (!c.media) continue;
    stopTransceiver(us.state, us.at(1).id);
    const auto again = us.peek();
    EXPECT_TRUE(again.media[*us.at(1).negotiated.mLineIndex].isRejected());
  }
}

TEST(OtherStacks, TheirAnswersToAnOfferOfTheSameShapeApply) {
  for (const std::string stack : {"aiortc1.4", "gstreamer1.22", "libdatachannel", "pion3"}) {
    for (const std::string to : {"chromium156", "firefox153"}) {
      const bool dataOnly = stack == "libdatachannel" && to == "chromium156";
      const std::string name =
          stack + "-answer-to-" + to + (dataOnly ? "-data-only" : "-audio-video-data-gathered");
      SCOPED_TRACE(name);
      Peer us("u");
      if (!dataOnly) {
        us.track(MediaKind::Audio);
        us.track(MediaKind::Video);
      }
      us.state.data.wanted = true;
      us.offer();
      const auto answer = browser(name);
      ASSERT_TRUE(us.remote(SdpType::Answer, answer));
      EXPECT_EQ(us.state.signaling, SignalingState::Stable);
      EXPECT_TRUE(us.state.transport.remoteIce);
      EXPECT_EQ(us.state.transport.dtlsRole, DtlsRole::Server);
      EXPECT_TRUE(us.last.data && us.last.data->enabled);
      for (size_t i = 0; i + 1 < answer.media.size(); ++i) {
        const MediaSettings& m = us.at(i).negotiated.media;
        const sdp::Direction theirs = answer.directionOf(answer.media[i]);
        EXPECT_EQ(m.send, sdp::receives(theirs) && !answer.media[i].isRejected());
        EXPECT_EQ(m.receive, sdp::sends(theirs) && !answer.media[i].isRejected());
        if (m.send) {
          EXPECT_TRUE(answer.media[i].codec(m.sendCodecs[0].payloadType));
        }
      }
      EXPECT_EQ(us.peek().media.size(), answer.media.size());
    }
  }
}

TEST(OtherStacks, AnAnswerWithoutSimulcastToAnOfferWithItSendsOneLayer) {
  Peer us("u");
  TransceiverInit layers;
  layers.encodings = {us.encoding("1"), us.encoding("2"), us.encoding("3")};
  layers.hasTrack = true;
  addTransceiver(us.state, MediaKind::Video, layers);
  us.offer();
  ASSERT_TRUE(us.remote(SdpType::Answer, browser("pion3-answer-to-chromium156-simulcast")));
  EXPECT_TRUE(us.at(0).negotiated.media.send);
}

}  // namespace
}  // namespace parley::jsep
