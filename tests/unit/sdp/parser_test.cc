#include "parley/sdp/parser.h"

#include <gtest/gtest.h>

#include "parley/sdp/writer.h"

#include "unit/sdp/corpus.h"

namespace parley::sdp {
namespace {

const std::string kHead = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
const std::string kVideo = "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n";

SessionDescription good(const std::string& text) {
  auto parsed = parse(text);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed ? *std::move(parsed) : SessionDescription{};
}

void bad(const std::string& text, int line, ErrorCode code = ErrorCode::Syntax) {
  const auto parsed = parse(text);
  ASSERT_FALSE(parsed) << text;
  EXPECT_EQ(parsed.error().code, code);
  EXPECT_EQ(parsed.error().sdpLineNumber, line) << parsed.error().message << "\n" << text;
}

TEST(SdpCorpus, EveryDescriptionParsesAndSurvivesWriting) {
  const auto names = test::corpusNames();
  ASSERT_GT(names.size(), 30u);
  for (const std::string& name : names) {
    const auto once = parse(test::corpus(name));
    ASSERT_TRUE(once) << name << ": " << once.error().message;
    const auto text = write(*once);
    ASSERT_TRUE(text) << name << ": " << text.error().message;
    const auto twice = parse(*text);
    ASSERT_TRUE(twice) << name << ": " << twice.error().message;
    EXPECT_EQ(*once, *twice) << name;
  }
}

TEST(SdpParser, ReadsAChromiumOffer) {
  const auto d = good(test::corpus("chromium156-offer-audio-video-data"));
  EXPECT_EQ(d.origin.sessionId, 3370345429665110418u);
  EXPECT_EQ(d.origin.sessionVersion, 2u);
  ASSERT_EQ(d.media.size(), 3u);
  EXPECT_EQ(d.bundleGroup()->mids, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_TRUE(d.extmapAllowMixed);

  const auto& audio = d.media[0];
  EXPECT_EQ(audio.kind(), MediaKind::Audio);
  EXPECT_EQ(audio.mid, "0");
  EXPECT_EQ(audio.direction, Direction::SendRecv);
  EXPECT_EQ(audio.transport.iceUfrag, "IxR5");
  EXPECT_EQ(audio.transport.icePwd, "ziamOYdqM+g8/jzf7jxHJWO5");
  EXPECT_EQ(audio.transport.setup, SetupRole::ActPass);
  ASSERT_EQ(audio.transport.fingerprints.size(), 1u);
  EXPECT_EQ(audio.transport.fingerprints[0].algorithm, "sha-256");
  EXPECT_EQ(audio.transport.fingerprints[0].bytes.size(), 32u);
  EXPECT_EQ(audio.transport.fingerprints[0].bytes[0], 0xFF);
  EXPECT_TRUE(audio.rtcpMux && audio.rtcpReducedSize);
  ASSERT_EQ(audio.codecs.size(), 8u);
  EXPECT_EQ(audio.codecs[0].name, "opus");
  EXPECT_EQ(audio.codecs[0].channels, 2);
  EXPECT_EQ(audio.codecs[0].fmtpNumber("minptime"), 10u);
  EXPECT_TRUE(audio.codecs[0].hasFeedback("transport-cc"));
  EXPECT_EQ(audio.extmaps.size(), 4u);
  ASSERT_EQ(audio.msids.size(), 1u);
  EXPECT_EQ(audio.msids[0].stream, "a640d160-5bd3-46d6-9cdd-28fc78862122");
  EXPECT_EQ(audio.ssrc(2917295006)->attribute("cname"), "NzEXh32EXJjTS7AL");

  const auto& video = d.media[1];
  EXPECT_EQ(video.codec(97)->associatedPayloadType(), 96);
  EXPECT_TRUE(video.codec(96)->hasFeedback("nack", "pli"));
  ASSERT_EQ(video.ssrcGroups.size(), 1u);
  EXPECT_EQ(video.ssrcGroups[0], (SsrcGroup{"FID", {844242205, 1965512140}}));

  const auto& data = d.media[2];
  EXPECT_TRUE(data.isSctp());
  EXPECT_EQ(data.formats, std::vector<std::string>{"webrtc-datachannel"});
  EXPECT_EQ(data.effectiveSctpPort(), 5000);
  EXPECT_EQ(data.maxMessageSize, 262144u);
}

TEST(SdpParser, FirefoxSessionLevelAttributesReachTheSections) {
  const auto d = good(test::corpus("firefox153-offer-audio-video-data"));
  EXPECT_TRUE(d.media[0].transport.fingerprints.empty());
  const auto t = d.transportOf(d.media[0]);
  EXPECT_EQ(t.fingerprints.size(), 1u);
  EXPECT_EQ(t.iceOptions, std::vector<std::string>{"trickle"});
  EXPECT_TRUE(t.iceUfrag && t.icePwd);
  EXPECT_EQ(t.setup, SetupRole::ActPass);
  EXPECT_EQ(d.media[1].extmaps[3].direction, Direction::RecvOnly);
  EXPECT_EQ(d.media[2].maxMessageSize, 1073741823u);
}

TEST(SdpParser, SkipsLeftoverLinesOfUnlistedPayloadTypes) {
  const auto d = good(test::corpus("firefox153-reoffer-vp9-refused-by-chromium156"));
  ASSERT_EQ(d.media[1].codecs.size(), 2u);
  EXPECT_EQ(d.media[1].codecs[0].name, "VP9");
  EXPECT_EQ(d.media[1].codecs[0].feedback.size(), 5u);
  EXPECT_TRUE(d.media[1].codecs[1].feedback.empty());
}

TEST(SdpParser, ReadsSimulcast) {
  const auto d = good(test::corpus("chromium156-offer-simulcast"));
  const auto& m = d.media[0];
  ASSERT_EQ(m.rids.size(), 3u);
  EXPECT_EQ(m.rids[0], (Rid{"h", true, {}, {}}));
  ASSERT_TRUE(m.simulcast);
  ASSERT_EQ(m.simulcast->send.size(), 3u);
  EXPECT_EQ(m.simulcast->send[2][0].id, "l");

  const auto r = good(kHead + kVideo +
                      "a=rid:a send pt=96,97;max-width=640\r\na=rid:b send\r\na=rid:c recv\r\n"
                      "a=simulcast:send ~a,b recv c\r\n");
  EXPECT_EQ(r.media[0].rids[0], (Rid{"a", true, {96, 97}, {{"max-width", "640"}}}));
  EXPECT_EQ(r.media[0].simulcast->send,
            (std::vector<std::vector<SimulcastRid>>{{{"a", true}, {"b", false}}}));
  EXPECT_EQ(r.media[0].simulcast->recv.size(), 1u);
}

TEST(SdpParser, BundleOnlyPortZeroIsNotRejected) {
  const auto d = good(test::corpus("jsep-offer-B1"));
  EXPECT_EQ(d.media[1].port, 0);
  EXPECT_TRUE(d.media[1].bundleOnly);
  EXPECT_FALSE(d.media[1].isRejected());
}

TEST(SdpParser, AcceptsLineFeedsAloneAndAMissingLastOne) {
  const auto crlf = good(kHead + kVideo + "a=rtpmap:96 VP8/90000\r\n");
  std::string lf = kHead + kVideo + "a=rtpmap:96 VP8/90000";
  std::erase(lf, '\r');
  EXPECT_EQ(good(lf), crlf);
}

TEST(SdpParser, KeepsUnknownAttributesVerbatim) {
  const auto d = good(kHead + "a=x-session\r\na=y: two  words \r\n" + kVideo + "a=z:\r\n");
  EXPECT_EQ(d.otherAttributes, (std::vector<Attribute>{{"x-session", {}}, {"y", " two  words "}}));
  EXPECT_EQ(*d.media[0].attribute("z"), (Attribute{"z", ""}));
  EXPECT_EQ(good(*write(d)), d);
}

TEST(SdpParser, ToleratesOtherLines) {
  const auto d = good(
      "v=0\no=- 1 2 IN IP4 127.0.0.1\ns= \ni=info\nu=http://x\ne=a@b\np=+1\nc=IN IP4 "
      "1.2.3.4\nb=AS:100\nb=X-y:abc\n"
      "t=0 0\nr=7d 1h 0 25h\nz=0 0\nk=clear:x\ny=future\nm=audio 9 RTP/AVP "
      "0\nb=TIAS:64000\nb=AS:99999999999999999999999\n");
  EXPECT_EQ(d.bandwidths, (std::vector<Bandwidth>{{"AS", 100}}));
  EXPECT_EQ(d.media[0].bandwidths[0], (Bandwidth{"TIAS", 64000}));
  EXPECT_EQ(d.media[0].bandwidths[1].value, UINT64_MAX);
  EXPECT_EQ(d.media[0].codecs[0].name, "PCMU");
}

TEST(SdpParser, AcceptsTheProtocolsOfOldPeers) {
  for (const char* p :
       {"RTP/AVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF"}) {
    EXPECT_TRUE(good(kHead + "m=audio 9 " + p + " 0\r\n").media[0].isRtp()) << p;
  }
  const auto d =
      good(kHead + "m=application 9 DTLS/SCTP 5000\r\na=sctpmap:5000 webrtc-datachannel 1024\r\n");
  EXPECT_TRUE(d.media[0].isSctp());
  EXPECT_EQ(d.media[0].effectiveSctpPort(), 5000);
  EXPECT_EQ(d.media[0].sctpMap->streams, 1024u);
}

TEST(SdpParser, FmtpMayStandBeforeItsRtpmap) {
  const auto d = good(kHead + kVideo +
                      "a=fmtp:97 apt=96\r\na=rtpmap:97 rtx/90000\r\na=rtpmap:96 VP8/90000\r\n");
  EXPECT_EQ(d.media[0].codecs[1].associatedPayloadType(), 96);
}

TEST(SdpParser, KeepsTheWildcardFeedbackApart) {
  const auto d =
      good(kHead + kVideo + "a=rtcp-fb:* ccm fir\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack\r\n");
  EXPECT_EQ(d.media[0].wildcardFeedback, (std::vector<RtcpFeedback>{{"ccm", "fir"}}));
  EXPECT_EQ(d.media[0].codecs[0].feedback.size(), 1u);
}

TEST(SdpParser, ReadsMsidForms) {
  const auto d = good(kHead + kVideo + "a=msid:s1 t1\r\na=msid:- t1\r\na=msid:s2\r\n");
  EXPECT_EQ(d.media[0].msids, (std::vector<Msid>{{"s1", "t1"}, {"-", "t1"}, {"s2", {}}}));
}

TEST(SdpParser, ClampsAHugeMaxMessageSize) {
  const std::string app = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=max-message-size:";
  EXPECT_EQ(good(kHead + app + "0\r\n").media[0].maxMessageSize, 0u);
  EXPECT_EQ(good(kHead + app + "99999999999999999999999999\r\n").media[0].maxMessageSize,
            UINT64_MAX);
  bad(kHead + app + "-1\r\n", 6);
  bad(kHead + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:65536\r\n", 6);
}

TEST(SdpParser, IgnoresCandidatesItCannotUse) {
  const auto d =
      good(kHead + kVideo +
           "a=candidate:1 1 udp 1 evil.example.com 53 typ host\r\na=candidate:rubbish\r\n"
           "a=candidate:1 1 udp 1 192.0.2.1 53 typ host\r\na=end-of-candidates\r\n");
  EXPECT_EQ(d.media[0].candidates.size(), 1u);
  EXPECT_TRUE(d.media[0].endOfCandidates);
}

TEST(SdpParser, NamesTheLineOfTheFirstMistake) {
  bad("", 1);
  bad("hello", 1);
  bad("v=1\r\n", 1);
  bad("v=0\r\n", 1);
  bad("v=0\r\ns=-\r\no=- 1 1 IN IP4 0.0.0.0\r\n", 2);
  bad("v=0\r\no=- 1 1 IN IP4\r\ns=-\r\n", 2);
  bad("v=0\r\no=- 9223372036854775808 1 IN IP4 0.0.0.0\r\ns=-\r\n", 2);
  bad("v=0\r\no=- 1 -1 IN IP4 0.0.0.0\r\ns=-\r\n", 2);
  bad(kHead + "v=0\r\n", 5);
  bad(kHead + "nonsense\r\n", 5);
  bad(kHead + "A=x\r\n", 5);
  bad(kHead + std::string("a=x\0y\r\n", 7), 5);
  bad(kHead + "a=x\ry\r\n", 5);
  bad(kHead + "m=video\r\n", 5);
  bad(kHead + "m=video 65536 RTP/AVP 96\r\n", 5);
  bad(kHead + "m=video 9 RTP/AVP\r\n", 5);
  bad(kHead + "m=video 9 RTP/AVP 128\r\n", 5);
  bad(kHead + "m=video 9 RTP/AVP -1\r\n", 5);
  bad(kHead + "m=video 9 RTP/AVP 96 96\r\n", 5);
  bad(kHead + "c=IN IP4\r\n", 5);
  for (const char* line : {"a=rtpmap:96 VP8/0",
                           "a=rtpmap:96 VP8",
                           "a=rtpmap:x VP8/90000",
                           "a=rtpmap:128 VP8/90000",
                           "a=rtpmap:96 VP8/90000/0",
                           "a=fmtp:x apt=1",
                           "a=rtcp-fb:96",
                           "a=mid:two words",
                           "a=mid:1",
                           "a=fingerprint:sha-256",
                           "a=fingerprint:sha-256 0:1",
                           "a=fingerprint:sha-256 ZZ",
                           "a=setup:maybe",
                           "a=extmap:0 urn:x",
                           "a=extmap:256 urn:x",
                           "a=extmap:4352 urn:x",
                           "a=extmap:1",
                           "a=extmap:1/up urn:x",
                           "a=ssrc:4294967296 cname:x",
                           "a=ssrc:1",
                           "a=ssrc-group:FID x",
                           "a=msid:",
                           "a=:x",
                           "a=sctpmap:x y"}) {
    bad(kHead + kVideo + line + "\r\n", 8);
  }
  for (const char* line : {"a=ice-ufrag:abc", "a=ice-pwd:short", "a=ice-ufrag:abc!"})
    bad(kHead + kVideo + line + "\r\n", 8, ErrorCode::InvalidAccess);
}

TEST(SdpParser, AttributesWithNamesOfNoTokensAreIgnored) {
  const auto d = good(kHead + kVideo + "a=not ssrc1 cname:x\r\na=known\r\n");
  ASSERT_EQ(d.media[0].otherAttributes.size(), 1u);
  EXPECT_EQ(d.media[0].otherAttributes[0].name, "known");
}

TEST(SdpParser, IceOptionsMayStandBetweenCommas) {
  EXPECT_EQ(good(kHead + "a=ice-options:ice2,trickle\r\n" + kVideo).transport.iceOptions,
            (std::vector<std::string>{"ice2", "trickle"}));
}

TEST(SdpParser, AnExtmapSaidTwiceCountsOnce) {
  const auto d = good(kHead + kVideo + "a=extmap:1 urn:x\r\na=extmap:1 urn:x\r\n");
  EXPECT_EQ(d.media[0].extmaps.size(), 1u);
}

TEST(SdpParser, RidsUsedTwiceCountOnce) {
  const auto twice = good(kHead + kVideo +
                          "a=rid:a send\r\na=rid:b send\r\na=rid:a recv\r\n"
                          "a=simulcast:send a;b,a;a\r\n");
  ASSERT_EQ(twice.media[0].rids.size(), 2u);
  EXPECT_TRUE(twice.media[0].rids[0].send);
  EXPECT_EQ(twice.media[0].simulcast->send,
            (std::vector<std::vector<SimulcastRid>>{{{"a", false}}, {{"b", false}}}));
}

TEST(SdpParser, MalformedRidsAreAsGoodAsNone) {
  const auto d =
      good(kHead + kVideo +
           "a=rid:a sideways\r\na=rid:b! send\r\na=simulcast:send x;;y\r\na=simulcast:up a\r\n");
  EXPECT_TRUE(d.media[0].rids.empty());
  EXPECT_FALSE(d.media[0].simulcast);
}

TEST(SdpParser, RefusesContradictoryMids) {
  const std::string two = "m=audio 9 RTP/AVP 0\r\na=mid:x\r\nm=audio 9 RTP/AVP 0\r\na=mid:y\r\n";
  good(kHead + "a=group:BUNDLE x y\r\na=group:LS x y\r\n" + two);
  good(kHead + "a=group:LS x z\r\n" + two);
  bad(kHead + "a=group:BUNDLE x z\r\n" + two, 5);
  bad(kHead + "a=group:BUNDLE x x\r\n" + two, 5);
  bad(kHead + "a=group:LS x\r\na=group:BUNDLE x\r\na=group:BUNDLE y x\r\n" + two, 7);
  bad(kHead + "m=audio 9 RTP/AVP 0\r\na=mid:x\r\nm=audio 9 RTP/AVP 0\r\na=mid:x\r\n", 8);
}

TEST(SdpParser, RefusesTwoMeaningsOfOneExtensionId) {
  bad(kHead + kVideo + "a=extmap:1 urn:x\r\na=extmap:1 urn:y\r\n", 9);
  good(kHead + kVideo + "a=extmap:1 urn:x\r\na=extmap:2 urn:x\r\n");
}

std::string repeat(const std::string& line, int count, bool numbered = false) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    std::string copy = line;
    if (numbered) copy.replace(copy.find('#'), 1, std::to_string(i + 1));
    out += copy + "\r\n";
  }
  return out;
}

TEST(SdpParser, EnforcesItsBounds) {
  const std::string head = kHead + kVideo;
  const auto edge = [&](const std::string& line, int limit) {
    const bool numbered = line.find('#') != std::string::npos;
    EXPECT_TRUE(parse(head + repeat(line, limit, numbered))) << line;
    EXPECT_FALSE(parse(head + repeat(line, limit + 1, numbered))) << line;
  };
  edge("a=extmap:# urn:x", 64);
  edge("a=candidate:1 1 udp 1 192.0.2.1 53 typ host", 128);
  edge("a=ssrc:# cname:x", 64);
  edge("a=rid:# send", 32);
  edge("a=msid:a b", 64);
  edge("a=ssrc:1 x#:y", 64);
  edge("a=rtcp-fb:96 x#", 64);
  edge("a=fmtp:96 x=#", 128);
  edge("a=fingerprint:sha-256 AA", 64);
  edge("a=ssrc-group:FID 1 2", 64);
  EXPECT_TRUE(parse(kHead + repeat("m=audio 9 RTP/AVP 0", 256)));
  EXPECT_FALSE(parse(kHead + repeat("m=audio 9 RTP/AVP 0", 257)));
  EXPECT_TRUE(parse(kHead + "a=" + std::string(8190, 'x').replace(1, 1, ":") + "\r\n"));
  EXPECT_FALSE(parse(kHead + "a=" + std::string(8191, 'x').replace(1, 1, ":") + "\r\n"));
  EXPECT_FALSE(parse(kHead + repeat("a=x:" + std::string(8000, 'y'), 132)));
  std::string streams = "a=simulcast:send r1";
  for (int i = 2; i <= 16; ++i) streams += ";r" + std::to_string(i);
  EXPECT_TRUE(parse(head + streams + "\r\n"));
  EXPECT_FALSE(parse(head + streams + ";r17\r\n"));
}

TEST(SdpParser, EveryPrefixAndEveryFlippedByteIsHandled) {
  const std::string text = test::corpus("jsep-offer-A1");
  for (size_t n = 0; n < text.size(); n += 41) (void)parse(std::string_view(text).substr(0, n));
  for (size_t i = 0; i < text.size(); i += 19) {
    std::string copy = text;
    copy[i] = static_cast<char>(copy[i] ^ (1 << (i % 8)));
    const auto parsed = parse(copy);
    if (!parsed) continue;
    const auto again = write(*parsed);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*parse(*again), *parsed);
  }
}

}  // namespace
}  // namespace parley::sdp
