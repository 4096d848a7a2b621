// Cryptex (RFC 9335) and header extensions encrypted one by one (RFC 6904) in descriptions.

#include "parley/jsep/codec_negotiation.h"

#include "unit/jsep/peer.h"

namespace parley::jsep {
namespace {

using sdp::MediaKind;
using test::negotiate;
using test::Peer;

class Cryptex : public ::testing::TestWithParam<std::pair<HeaderEncryptionPolicy, bool>> {};

TEST_P(Cryptex, IsUsedIfBothCanAndWant) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  b.track(MediaKind::Audio);
  a.caps.headerEncryption = HeaderEncryptionPolicy::Negotiate;
  b.caps.headerEncryption = GetParam().first;
  negotiate(a, b);
  EXPECT_TRUE(a.state.currentLocal->sdp.cryptex);
  EXPECT_EQ(b.state.currentLocal->sdp.cryptex, GetParam().second);
  EXPECT_EQ(a.at(0).negotiated.media.cryptex, GetParam().second);
  EXPECT_EQ(b.at(0).negotiated.media.cryptex, GetParam().second);
}
INSTANTIATE_TEST_SUITE_P(Policies, Cryptex,
                         ::testing::Values(std::pair(HeaderEncryptionPolicy::Disable, false),
                                           std::pair(HeaderEncryptionPolicy::Negotiate, true),
                                           std::pair(HeaderEncryptionPolicy::Require, true)));

TEST(CryptexInText, StandsAtEitherLevel) {
  Peer a("a"), b("b");
  a.add(MediaKind::Video);
  a.caps.headerEncryption = HeaderEncryptionPolicy::Negotiate;
  b.caps.headerEncryption = HeaderEncryptionPolicy::Negotiate;
  sdp::SessionDescription offer = a.peek();
  const std::string text = sdp::write(offer).value();
  EXPECT_NE(text.find("\r\na=cryptex\r\n"), std::string::npos);
  EXPECT_TRUE(sdp::parse(text).value() == offer);
  // At media level the answer says it there as well.
  offer.cryptex = false;
  offer.media[0].cryptex = true;
  ASSERT_TRUE(a.local(SdpType::Offer, offer));
  ASSERT_TRUE(b.remote(SdpType::Offer, offer));
  const auto answer = createAnswer(b.state, b.caps).value();
  EXPECT_FALSE(answer.cryptex);
  EXPECT_TRUE(answer.media[0].cryptex);
}

TEST(EncryptedExtensions, AreOfferedBesidePlainOnesAndTaken) {
  Peer a("a"), b("b");
  a.add(MediaKind::Audio);
  b.track(MediaKind::Audio);
  a.caps.audioExtensions.edit([](std::vector<HeaderExtensionCapability>& list) {
    for (HeaderExtensionCapability& e : list) e.encrypted = e.uri == test::kLevelUri;
  });
  negotiate(a, b);
  const auto offered = a.state.currentLocal->sdp.media[0].extmaps;
  ASSERT_EQ(offered.size(), 4u);
  EXPECT_EQ(offered[0].uri, test::kLevelUri);
  EXPECT_EQ(offered[1].uri, sdp::kEncryptedExtensionUri);
  EXPECT_EQ(offered[1].attributes, test::kLevelUri);
  EXPECT_NE(offered[0].id, offered[1].id);
  for (const Peer* peer : {&a, &b}) {
    const auto& agreed = peer->at(0).negotiated.media.extensions;
    ASSERT_EQ(agreed.size(), 3u);
    EXPECT_EQ(agreed[0].uri, test::kLevelUri);
    EXPECT_EQ(agreed[0].id, offered[1].id);
    EXPECT_TRUE(agreed[0].encrypted);
    EXPECT_FALSE(agreed[1].encrypted);
  }
  // The ids stay what they are.
  a.add(MediaKind::Video);
  negotiate(a, b);
  EXPECT_TRUE(a.at(0).negotiated.media.extensions[0].encrypted);
  EXPECT_EQ(a.at(0).negotiated.media.extensions[0].id, offered[1].id);
}

TEST(EncryptedExtensions, UnknownOnesAreLeftOut) {
  const std::vector<HeaderExtensionCapability> ours = {{test::kMidUri, 4}};
  sdp::Extmap plain, encrypted, strange;
  plain.id = 1;
  plain.uri = test::kMidUri;
  encrypted.id = 2;
  encrypted.uri = sdp::kEncryptedExtensionUri;
  encrypted.attributes = std::string(test::kMidUri) + " with=attributes";
  strange.id = 3;
  strange.uri = sdp::kEncryptedExtensionUri;
  strange.attributes = "urn:example:unknown";
  ExtensionMemory memory;
  const auto answer = answerExtensions({plain, encrypted, strange}, ours, {}, memory);
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_EQ(answer[0].id, 2);
  EXPECT_EQ(answer[0].attributes, test::kMidUri);
  ExtensionMemory other;
  const auto plainOnly = answerExtensions({plain, strange}, ours, {}, other);
  ASSERT_EQ(plainOnly.size(), 1u);
  EXPECT_EQ(plainOnly[0].id, 1);
}

TEST(H265, BothKeepToTheLowerLevel) {
  sdp::MediaDescription section;
  section.media = "video";
  section.codecs = {test::video(100, "H265", "level-id=60;profile-id=1;tier-flag=0;tx-mode=SRST")};
  FormatMemory memory;
  auto codecs = answerCodecs(section, {test::video(96, "H265", "level-id=93")}, {}, memory);
  ASSERT_EQ(codecs.size(), 1u);
  EXPECT_EQ(codecs[0].fmtpValue("level-id"), "60");
  section.codecs[0].setFmtp("level-id", "180");
  FormatMemory second;
  codecs = answerCodecs(section, {test::video(96, "H265", "level-id=93")}, {}, second);
  EXPECT_EQ(codecs[0].fmtpValue("level-id"), "93");
  section.codecs[0].setFmtp("tx-mode", "MRST");
  FormatMemory third;
  EXPECT_TRUE(answerCodecs(section, {test::video(96, "H265")}, {}, third).empty());
}

}  // namespace
}  // namespace parley::jsep
