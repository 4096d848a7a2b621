#include "parley/sdp/candidate_line.h"

#include <gtest/gtest.h>

namespace parley::sdp {
namespace {

struct Case {
  const char* line;
  bool accept;
};

// RFC 8839 section 5.1, RFC 6544 section 4.5 and draft-ietf-mmusic-mdns-ice-candidates, with our
// policy.
constexpr Case kCases[] = {
    {"candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host", true},
    {"candidate:1 1 UDP 2130706431 192.0.2.1 3478 typ host", true},
    {"a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host", true},
    {"candidate:842163049 1 udp 1677729535 203.0.113.5 46154 typ srflx raddr 10.0.1.78 rport 46154 "
     "generation 0 ufrag EEtu network-id 3 network-cost 10",
     true},
    {"candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active", true},
    {"candidate:1 1 tcp 1518280447 192.0.2.1 0 typ host tcptype active", true},
    {"candidate:1 1 tcp 1518280447 192.0.2.1 8443 typ host tcptype passive", true},
    {"candidate:1 1 tcp 1518280447 192.0.2.1 8443 typ host tcptype so", true},
    {"candidate:1 1 udp 2130706431 2001:db8::1 5000 typ prflx raddr ::1 rport 9", true},
    {"candidate:1 1 udp 2130706431 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 54596 typ host",
     true},
    {"candidate:1 256 udp 1 192.0.2.1 65535 typ relay raddr x.example rport 1", true},
    {"candidate:1 1 udp 2130706431 fe80::1%eth0 5000 typ host", false},
    {"candidate:1 1 udp 2130706431 evil.example.com 53 typ host", false},
    {"candidate:1 1 udp 2130706431 a.b.local 5000 typ host", false},
    {"candidate:1 1 udp 2130706431 .local 5000 typ host", false},
    {"candidate:1 1 udp 0 192.0.2.1 5000 typ host", false},
    {"candidate:1 1 udp 4294967295 192.0.2.1 5000 typ host", false},
    {"candidate:1 0 udp 1 192.0.2.1 5000 typ host", false},
    {"candidate:1 257 udp 1 192.0.2.1 5000 typ host", false},
    {"candidate:1 1 udp 1 192.0.2.1 65536 typ host", false},
    {"candidate:1 1 udp 1 192.0.2.1 0 typ host", false},
    {"candidate:1 1 udp 1 0.0.0.0 5000 typ host", false},
    {"candidate:1 1 udp 1 :: 5000 typ host", false},
    {"candidate:1 1 udp 1 255.255.255.255 5000 typ host", false},
    {"candidate:1 1 udp 1 224.0.0.1 5000 typ host", false},
    {"candidate:1 1 udp 1 ff02::1 5000 typ host", false},
    {"candidate:1 1 udp 1 ::ffff:127.0.0.1 5000 typ host", false},
    {"candidate:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx 1 udp 1 192.0.2.1 5000 typ host", false},
    {"candidate: 1 udp 1 192.0.2.1 5000 typ host", false},
    {"candidate:1 1 sctp 1 192.0.2.1 5000 typ host", false},
    {"candidate:1 1 udp 1 192.0.2.1 5000 type host", false},
    {"candidate:1 1 udp 1 192.0.2.1 5000 typ magic", false},
    {"candidate:1 1 udp 1 192.0.2.1 5000 typ", false},
    {"candidate:1 1 udp 1 192.0.2.1 5000 typ host generation", false},
    {"candidate:1 1 udp 1 192.0.2.1 5000 typ host rport 70000", false},
    {"candidate:1 1 tcp 1 192.0.2.1 5000 typ host tcptype sideways", false},
    {"1 1 udp 1 192.0.2.1 5000 typ host", false},
    {"candidate:1 1 udp 1 192.0.2.1 5000 typ host\r\na=x", false},
    {"", false},
};

TEST(CandidateLine, AcceptsExactlyWhatTheTableSays) {
  for (const Case& c : kCases) EXPECT_EQ(parseCandidate(c.line).has_value(), c.accept) << c.line;
}

TEST(CandidateLine, SurvivesWritingAndParsing) {
  for (const Case& c : kCases) {
    const auto once = parseCandidate(c.line);
    if (!once) continue;
    const auto twice = parseCandidate(writeCandidate(*once));
    ASSERT_TRUE(twice) << c.line;
    EXPECT_EQ(*twice, *once) << c.line;
  }
}

TEST(CandidateLine, ReadsAllFields) {
  const auto c = parseCandidate(kCases[3].line);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->foundation, "842163049");
  EXPECT_EQ(c->component, 1);
  EXPECT_EQ(c->transport, CandidateTransport::Udp);
  EXPECT_EQ(c->priority, 1677729535u);
  EXPECT_EQ(c->address.toString(), "203.0.113.5");
  EXPECT_EQ(c->port, 46154);
  EXPECT_EQ(c->type, CandidateType::ServerReflexive);
  ASSERT_TRUE(c->relatedAddress);
  EXPECT_EQ(c->relatedAddress->toString(), "10.0.1.78:46154");
  EXPECT_EQ(c->ufrag(), "EEtu");
  EXPECT_EQ(c->extension("network-cost"), "10");
  EXPECT_EQ(c->extensions.size(), 4u);
}

TEST(CandidateLine, KeepsAnMdnsNameUnresolved) {
  const auto c = parseCandidate(
      "candidate:1 1 udp 1 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 54596 typ host");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->hostname, "1f4712db-ea17-4bcf-a596-105139dfd8bf.local");
}

TEST(CandidateLine, WritesTheUsualForm) {
  EXPECT_EQ(writeCandidate(*parseCandidate(
                "a=candidate:7  1 TCP 5 192.0.2.1 9 typ host generation 0 tcptype active")),
            "candidate:7 1 tcp 5 192.0.2.1 9 typ host tcptype active generation 0");
}

TEST(CandidateLine, BoundsExtensions) {
  std::string line = "candidate:1 1 udp 1 192.0.2.1 5000 typ host";
  for (int i = 0; i < 32; ++i) line += " a b";
  EXPECT_TRUE(parseCandidate(line));
  EXPECT_FALSE(parseCandidate(line + " a b"));
}

}  // namespace
}  // namespace parley::sdp
