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
      {"chromium156-offer-max-bundle", opus, chromiumVideo},
      {"chromium156-offer-max-compat", opus, chromiumVideo},
      {"chromium156-offer-reoffer-ice-restart", opus, chromiumVideo},
      {"chromium156-offer-cryptex-require", opus, chromiumVideo},
      {"chromium156-offer-vp8-only", {}, {"VP8", "rtx"}},
      {"chromium156-offer-vp9-only", {}, {"VP9"}},
      {"chromium156-flag-DependencyDescriptor-offer", opus, chromiumVideo},
      {"chromium156-flag-EncryptedRtpHeaderExtensions-offer", opus, chromiumVideo},
      {"chromium156-flag-SNAP-SPED-PQC-offer", opus, chromiumVideo},
      {"chromium156-flag-cryptexA-offer", opus, chromiumVideo},
      {"chromium156-flag-trial-RFC8888-offer-offer", opus, chromiumVideo},
      {"firefox153-offer-audio-video-data", firefoxAudio, firefoxVideo},
      {"firefox153-offer-audio-video-data-gathered", firefoxAudio, firefoxVideo},
      {"firefox153-offer-simulcast", {}, firefoxVideo},
      {"firefox153-offer-recvonly", firefoxAudio, firefoxVideo},
      {"firefox153-offer-audio-only", firefoxAudio, {}},
      {"firefox153-offer-data-only", {}, {}},
      {"firefox153-offer-max-bundle", firefoxAudio, firefoxVideo},
      {"firefox153-offer-max-compat", firefoxAudio, firefoxVideo},
      {"firefox153-offer-reoffer-ice-restart", firefoxAudio, firefoxVideo},
      {"firefox153-offer-vp8-only", {}, {"VP8", "rtx"}},
      {"firefox153-offer-vp9-only", {}, {"VP9"}},
      {"firefox153-reoffer-VP8-rtx", {}, {"VP8", "rtx"}},
      {"firefox153-reoffer-VP9-rtx", {}, {"VP9", "rtx"}},
      {"firefox153-reoffer-VP9", {}, {"VP9"}},
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
  for (const char* name :
       {"chromium156-answer-to-chromium156-audio-video-data-gathered",
        "chromium156-answer-to-firefox153-audio-video-data-gathered",
        "chromium156-flag-EncryptedRtpHeaderExtensions-answer",
        "chromium156-flag-SNAP-SPED-PQC-answer", "chromium156-flag-ScreamV2-answer",
        "chromium156-flag-cryptexA-answer", "chromium156-flag-trial-RFC8888-offer-answer",
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
      const auto& theirs = us.state.currentRemote->sdp.media[i];
      const sdp::Direction direction = us.state.currentRemote->sdp.directionOf(theirs);
      EXPECT_EQ(m.send, sdp::receives(direction));
      EXPECT_EQ(m.receive, sdp::sends(direction));
      EXPECT_TRUE(theirs.codec(m.sendCodecs[0].payloadType)) << "sending in the peer's numbers";
      EXPECT_TRUE(us.state.currentLocal->sdp.media[i].codec(m.receiveCodecs[0].payloadType));
    }
    EXPECT_FALSE(isNegotiationNeeded(us.state));
    const auto again = us.peek();
    EXPECT_EQ(again.media.size(), 3u);
  }
}

/// What a browser that made `offer` offers next, with other credentials.
sdp::SessionDescription restarted(sdp::SessionDescription offer) {
  ++offer.origin.sessionVersion;
  for (auto& section : offer.media) {
    section.candidates.clear();
    section.endOfCandidates = false;
    if (section.transport.iceUfrag) section.transport.iceUfrag = "earlier1";
    if (section.transport.icePwd) section.transport.icePwd = "earlier-password-of-22-characters";
  }
  return offer;
}

TEST(Browsers, TheirIceRestartsAreFollowed) {
  for (const char* name :
       {"chromium156-offer-reoffer-ice-restart", "firefox153-offer-reoffer-ice-restart"}) {
    SCOPED_TRACE(name);
    const auto offer = browser(name);
    Peer us("u");
    us.track(MediaKind::Audio);
    us.track(MediaKind::Video);
    ASSERT_TRUE(us.remote(SdpType::Offer, restarted(offer)));
    const auto first = us.answer();
    EXPECT_EQ(us.state.transport.remoteIce->ufrag, "earlier1");
    us.freshIce();
    ASSERT_TRUE(us.remote(SdpType::Offer, offer));
    const auto second = us.answer();
    EXPECT_TRUE(us.last.transport.remoteIceRestart);
    EXPECT_EQ(us.state.transport.remoteIce->ufrag, offer.transportOf(offer.media[0]).iceUfrag);
    EXPECT_NE(first.transportOf(first.media[0]).iceUfrag,
              second.transportOf(second.media[0]).iceUfrag);
    EXPECT_FALSE(us.last.transport.newDtlsAssociation) << "the association goes on";
    EXPECT_EQ(us.state.signaling, SignalingState::Stable);
  }
}

TEST(Browsers, SectionsThatTheyRecycleAreTakenAnew) {
  for (const char* name :
       {"chromium156-offer-audio-video-data", "firefox153-offer-audio-video-data"}) {
    SCOPED_TRACE(name);
    auto offer = browser(name);
    Peer us("u");
    us.track(MediaKind::Audio);
    us.track(MediaKind::Video);
    ASSERT_TRUE(us.remote(SdpType::Offer, offer));
    us.answer();
    const TransceiverId old = us.at(1).id;
    // Its transceiver stops: port 0, out of the group.
    const sdp::MediaDescription video = offer.media[1];
    offer.media[1].port = 0;
    std::erase(offer.groups[0].mids, *video.mid);
    ASSERT_TRUE(us.remote(SdpType::Offer, offer));
    EXPECT_TRUE(us.answer().media[1].isRejected());
    EXPECT_EQ(us.state.find(old), nullptr);
    // Another takes the place, under a mid of its own.
    offer.media[1] = video;
    offer.media[1].mid = "7";
    offer.groups[0].mids.push_back("7");
    ASSERT_TRUE(us.remote(SdpType::Offer, offer));
    const auto answer = us.answer();
    EXPECT_FALSE(answer.media[1].isRejected());
    EXPECT_EQ(answer.media[1].mid, "7");
    ASSERT_NE(us.state.findByIndex(1), nullptr);
    EXPECT_NE(us.state.findByIndex(1)->id, old);
    EXPECT_EQ(us.state.signaling, SignalingState::Stable);
    // A section of ours comes behind it, under a number that was never in use.
    us.track(MediaKind::Video);
    us.add(MediaKind::Audio);
    EXPECT_EQ(us.peek().media.back().mid, "8");
  }
}

TEST(Browsers, CryptexThatTheyOfferIsAgreed) {
  Peer us("u");
  us.track(MediaKind::Audio);
  us.track(MediaKind::Video);
  us.caps.headerEncryption = HeaderEncryptionPolicy::Negotiate;
  const auto offer = browser("chromium156-flag-cryptexA-offer");
  ASSERT_TRUE(us.remote(SdpType::Offer, offer));
  const auto answer = us.answer();
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(offer.cryptexIn(offer.media[i]));
    EXPECT_TRUE(answer.cryptexIn(answer.media[i]));
    EXPECT_TRUE(us.at(i).negotiated.media.cryptex);
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
