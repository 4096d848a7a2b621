#include "parley/jsep/description_text.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/sdp/parser.h"
#include "parley/sdp/writer.h"

namespace parley::jsep {
namespace {

constexpr const char* kSdp =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    "a=fingerprint:sha-256 "
    "00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:"
    "00\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=rtcp-mux\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtcp-mux\r\n";

sdp::CandidateLine candidate(int number) {
  return *sdp::parseCandidate("candidate:1 1 udp 2122260223 192.0.2." + std::to_string(number) +
                              " 5000 typ host");
}

class DescriptionTextTest : public ::testing::Test {
 protected:
  DescriptionTextTest() {
    auto parsed = sdp::parse(kSdp);
    EXPECT_TRUE(parsed) << parsed.error().message;
    description = TypedDescription{SdpType::Offer, *parsed};
  }
  static size_t count(const std::string& text, const std::string& what) {
    size_t found = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
      ++found;
    return found;
  }
  Boxed<TypedDescription> description;
};

TEST_F(DescriptionTextTest, IsWhatTheWriterMakesOfIt) {
  DescriptionTexts texts(false);
  const auto shown = texts.show(description);
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->type(), SdpType::Offer);
  ASSERT_TRUE(shown->sdp());
  EXPECT_EQ(*shown->sdp(), *sdp::write(description->sdp));
  EXPECT_EQ(shown->sdp(), shown->sdp()) << "written once";
  EXPECT_FALSE(texts.show({}));
}

TEST_F(DescriptionTextTest, ShowsTheCandidatesOfItsMomentWheneverItIsRead) {
  DescriptionTexts texts(true);
  std::vector<sdp::CandidateLine> lines{candidate(1)};
  const auto at = [&](size_t section, bool complete) {
    const SectionCandidatesView view{section, lines, complete};
    return *texts.show(description, {&view, 1});
  };
  const DescriptionText first = at(0, false);
  lines.push_back(candidate(2));
  const DescriptionText second = at(0, false);
  const DescriptionText complete = at(0, true);
  const DescriptionText other = at(1, false);
  EXPECT_EQ(count(*first.sdp(), "a=candidate:"), 1u);
  EXPECT_EQ(count(*second.sdp(), "a=candidate:"), 2u);
  EXPECT_EQ(count(*second.sdp(), "a=end-of-candidates"), 0u);
  EXPECT_EQ(count(*complete.sdp(), "a=end-of-candidates"), 1u);
  EXPECT_EQ(count(*other.sdp(), "a=candidate:"), 4u) << "sections keep their own";
  EXPECT_EQ(count(*other.sdp(), "c=IN IP4 192.0.2.1"), 2u) << "the default, RFC 8839 section 4.2.1";
}

TEST_F(DescriptionTextTest, RemoteCandidatesAreThoseOfItsMomentToo) {
  DescriptionTexts texts(false);
  const auto before = texts.show(description);
  description->sdp.media[1].candidates.push_back(candidate(7));
  const auto with = texts.show(description);
  description->sdp.media[1].endOfCandidates = true;
  const auto ended = texts.show(description);
  EXPECT_EQ(count(*before->sdp(), "a=candidate:"), 0u);
  EXPECT_EQ(count(*with->sdp(), "a=candidate:"), 1u);
  EXPECT_EQ(count(*with->sdp(), "a=end-of-candidates"), 0u);
  EXPECT_EQ(*ended->sdp(), *sdp::write(description->sdp));
}

TEST_F(DescriptionTextTest, WhatHasNotChangedIsNotWrittenAgain) {
  DescriptionTexts texts(false);
  const std::string* text = texts.show(description)->sdp();
  EXPECT_EQ(texts.show(description)->sdp(), text);
  texts.reset();
  description->type = SdpType::Answer;
  EXPECT_EQ(texts.show(description)->type(), SdpType::Answer);
}

}  // namespace
}  // namespace parley::jsep
