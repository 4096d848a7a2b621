#include "parley/sdp/writer.h"

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/sdp/parser.h"

#include "unit/sdp/corpus.h"

namespace parley::sdp {
namespace {

/// Descriptions made of what the grammar allows, nothing else.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  SessionDescription description() {
    SessionDescription d;
    d.origin = {token(), random_.u64() >> 1, random_.u64() >> 1, "IN", "IP4", "192.0.2.1"};
    d.sessionName = line();
    if (coin()) d.connection = Connection{"IN", "IP6", "::1"};
    bandwidths(d.bandwidths);
    d.iceLite = coin();
    d.extmapAllowMixed = coin();
    d.endOfCandidates = coin();
    if (coin()) d.direction = direction();
    transport(d.transport);
    for (uint64_t i = below(6); i > 0; --i) d.media.push_back(section());
    Group bundle{"BUNDLE", {}};
    for (size_t i = 0; i < d.media.size(); ++i) {
      if (!coin()) continue;
      d.media[i].mid = token() + std::to_string(i);
      bundle.mids.push_back(*d.media[i].mid);
    }
    if (coin()) d.groups.push_back(bundle);
    others(d.otherAttributes);
    return d;
  }

 private:
  uint64_t below(uint64_t n) { return random_.below(n); }
  bool coin() { return below(2) == 0; }

  std::string token() {
    constexpr std::string_view kChars = "abcXYZ019!#$%&'*+-.^_`{|}~";
    std::string out;
    for (uint64_t i = 1 + below(12); i > 0; --i) out += kChars[below(kChars.size())];
    return out;
  }
  std::string line() {
    std::string out = token();
    for (uint64_t i = below(3); i > 0; --i) out += " " + token() + ":=;,/\"";
    return out;
  }
  std::string word() { return token() + "/:" + token(); }
  Direction direction() { return static_cast<Direction>(below(4)); }

  void bandwidths(std::vector<Bandwidth>& out) {
    for (uint64_t i = below(3); i > 0; --i) out.push_back({token(), random_.u64()});
  }
  void others(std::vector<Attribute>& out) {
    for (uint64_t i = below(4); i > 0; --i) {
      out.push_back({"x-" + token(), coin() ? std::optional<std::string>(line()) : std::nullopt});
    }
  }
  void transport(TransportAttributes& t) {
    if (coin()) t.iceUfrag = random_.iceChars(4 + below(20));
    if (coin()) t.icePwd = random_.iceChars(22 + below(20));
    for (uint64_t i = below(3); i > 0; --i) t.iceOptions.push_back(token());
    for (uint64_t i = below(3); i > 0; --i) {
      Fingerprint f{"sha-256", std::vector<uint8_t>(32)};
      random_.fill(f.bytes);
      t.fingerprints.push_back(f);
    }
    if (coin()) t.setup = static_cast<SetupRole>(below(4));
    if (coin()) t.tlsId = random_.iceChars(20);
  }
  std::vector<FmtpParameter> fmtp() {
    std::vector<FmtpParameter> out;
    for (uint64_t i = below(4); i > 0; --i) {
      out.push_back(
          {"k" + token(), coin() ? std::optional<std::string>(token() + "=") : std::nullopt});
    }
    return out;
  }
  std::vector<RtcpFeedback> feedback() {
    std::vector<RtcpFeedback> out;
    for (uint64_t i = below(4); i > 0; --i) {
      out.push_back(
          {token() + std::to_string(i), coin() ? token() + " " + token() : std::string()});
    }
    return out;
  }
  CandidateLine candidate() {
    CandidateLine c;
    c.foundation = random_.iceChars(1 + below(32));
    c.component = static_cast<uint16_t>(1 + below(256));
    c.transport = coin() ? CandidateTransport::Udp : CandidateTransport::Tcp;
    c.priority = static_cast<uint32_t>(1 + below(0x7FFFFFFF));
    if (coin()) {
      c.hostname = random_.uuid() + ".local";
    } else {
      c.address = IpAddress::v4(192, 0, 2, static_cast<uint8_t>(below(256)));
    }
    c.port = static_cast<uint16_t>(1 + below(65535));
    c.type = static_cast<CandidateType>(below(4));
    if (coin()) c.relatedAddress = SocketAddress{IpAddress::loopback(AddressFamily::V6), 9};
    if (coin()) c.tcpType = static_cast<TcpCandidateType>(below(3));
    for (uint64_t i = below(3); i > 0; --i) c.extensions.push_back({"x" + token(), token()});
    return c;
  }
  MediaDescription section() {
    MediaDescription m;
    m.media = coin() ? "audio" : token();
    m.port = static_cast<uint16_t>(1 + below(65535));
    m.bundleOnly = coin();
    if (coin()) m.connection = Connection{};
    bandwidths(m.bandwidths);
    if (coin()) m.direction = direction();
    transport(m.transport);
    for (uint64_t i = below(3); i > 0; --i) m.candidates.push_back(candidate());
    m.endOfCandidates = coin();
    m.rtcpMux = coin();
    m.rtcpMuxOnly = coin();
    m.rtcpReducedSize = coin();
    m.extmapAllowMixed = coin();
    if (coin()) m.ptime = 20;
    if (coin()) m.maxPtime = 120;
    if (coin()) {
      rtp(m);
    } else {
      m.protocol = "UDP/DTLS/SCTP";
      m.formats = {"webrtc-datachannel", token()};
    }
    for (uint64_t i = below(3); i > 0; --i)
      m.msids.push_back({word(), coin() ? std::optional(token()) : std::nullopt});
    if (coin()) m.sctpPort = static_cast<uint16_t>(below(65536));
    if (coin()) m.maxMessageSize = random_.u64();
    if (coin())
      m.sctpMap = SctpMap{5000, token(), coin() ? std::optional<uint32_t>(3) : std::nullopt};
    others(m.otherAttributes);
    return m;
  }
  void rtp(MediaDescription& m) {
    for (uint64_t i = 0; i < 1 + below(5); ++i) {
      CodecParams c;
      c.payloadType = static_cast<uint8_t>(96 + i);
      if (coin()) {
        c.name = token();
        c.clockRate = random_.u32() | 1;
        c.channels = static_cast<uint8_t>(1 + below(8));
      }
      c.fmtp = fmtp();
      c.feedback = feedback();
      m.codecs.push_back(c);
    }
    m.wildcardFeedback = feedback();
    for (uint64_t i = below(5); i > 0; --i) {
      m.extmaps.push_back({static_cast<uint16_t>(i),
                           coin() ? std::optional(direction()) : std::nullopt, word(),
                           coin() ? line() : std::string()});
    }
    for (uint64_t i = below(3); i > 0; --i) {
      SsrcDescription s{static_cast<uint32_t>(random_.u32() * 4 + i), {}};
      s.attributes = {{"cname", line()}, {token(), std::nullopt}, {token(), ""}};
      m.ssrcs.push_back(s);
      m.ssrcGroups.push_back({"FID", {s.ssrc, random_.u32()}});
    }
    Simulcast simulcast;
    for (uint64_t i = below(4); i > 0; --i) {
      const std::string id = "r-_" + std::to_string(i);
      m.rids.push_back(
          {id, coin(), coin() ? std::vector<uint8_t>{96, 97} : std::vector<uint8_t>{}, fmtp()});
      (coin() ? simulcast.send : simulcast.recv).push_back({{id, coin()}, {id + "x", coin()}});
    }
    if (!simulcast.send.empty() || !simulcast.recv.empty()) m.simulcast = simulcast;
  }

  SeededRandom random_;
};

TEST(SdpWriter, ParsingUndoesWriting) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const SessionDescription d = Generator(seed).description();
    const auto text = write(d);
    ASSERT_TRUE(text) << text.error().message;
    const auto parsed = parse(*text);
    ASSERT_TRUE(parsed) << parsed.error().message << "\n" << *text;
    ASSERT_EQ(*parsed, d) << "seed " << seed << "\n" << *text;
  }
}

TEST(SdpWriter, EndsEveryLineWithCrLf) {
  const std::string text = *write(*parse(test::corpus("jsep-offer-B2")));
  ASSERT_TRUE(text.ends_with("\r\n"));
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') {
      EXPECT_EQ(text[i - 1], '\r');
    }
  }
}

TEST(SdpWriter, RefusesInjectedLines) {
  const SessionDescription base = *parse(test::corpus("jsep-offer-B2"));
  const auto refuses = [&](auto&& change, const char* what) {
    for (const char* evil : {"x\r\na=evil", "x\ny", "x\ry"}) {
      SessionDescription d = base;
      change(d, std::string(evil));
      const auto text = write(d);
      ASSERT_FALSE(text) << what;
      EXPECT_EQ(text.error().code, ErrorCode::Type);
    }
    SessionDescription d = base;
    change(d, std::string("x\0y", 3));
    EXPECT_FALSE(write(d)) << what;
  };
  using D = SessionDescription&;
  using S = const std::string&;
  refuses([](D d, S s) { d.media[0].mid = s; }, "mid");
  refuses([](D d, S s) { d.groups[0].mids[0] = s; }, "group");
  refuses([](D d, S s) { d.media[0].msids[0].stream = s; }, "stream");
  refuses([](D d, S s) { d.media[0].msids[0].track = s; }, "track");
  refuses([](D d, S s) { d.media[0].ssrcs.push_back({1, {{"cname", s}}}); }, "cname");
  refuses([](D d, S s) { d.media[2].rids[0].id = s; }, "rid");
  refuses([](D d, S s) { d.media[2].simulcast->send[0][0].id = s; }, "simulcast");
  refuses([](D d, S s) { d.media[0].transport.iceUfrag = s; }, "ufrag");
  refuses([](D d, S s) { d.media[0].transport.icePwd = s; }, "pwd");
  refuses([](D d, S s) { d.media[0].transport.iceOptions = {s}; }, "ice-options");
  refuses([](D d, S s) { d.media[0].transport.fingerprints[0].algorithm = s; }, "fingerprint");
  refuses([](D d, S s) { d.media[0].codecs[0].name = s; }, "codec");
  refuses([](D d, S s) { d.media[0].codecs[0].setFmtp("k", s); }, "fmtp");
  refuses([](D d, S s) { d.media[0].codecs[0].feedback.push_back({s}); }, "rtcp-fb");
  refuses([](D d, S s) { d.media[0].extmaps[0].uri = s; }, "extmap");
  refuses(
      [](D d, S s) {
        d.media[0].candidates[0].extensions.push_back({"ufrag", s});
      },
      "candidate");
  refuses([](D d, S s) { d.media[0].candidates[0].foundation = s; }, "foundation");
  refuses([](D d, S s) { d.media[0].otherAttributes.push_back({"x", s}); }, "other value");
  refuses([](D d, S s) { d.media[0].otherAttributes.push_back({s, {}}); }, "other name");
  refuses([](D d, S s) { d.media[1].formats[0] = s; }, "format");
  refuses([](D d, S s) { d.media[1].protocol = s; }, "protocol");
  refuses([](D d, S s) { d.media[1].media = s; }, "media");
  refuses([](D d, S s) { d.sessionName = s; }, "session name");
  refuses([](D d, S s) { d.origin.username = s; }, "origin");
  refuses([](D d, S s) { d.media[0].connection->address = s; }, "connection");
  refuses([](D d, S s) { d.timing = s; }, "timing");
}

}  // namespace
}  // namespace parley::sdp
