#include "parley/ice/candidate.h"

#include <gtest/gtest.h>

namespace parley::ice {
namespace {

// Numbers computed from the formulas of RFC 8445 sections 5.1.2.1 and 6.1.2.3.
TEST(CandidateTest, PrioritiesFollowTheFormula) {
  EXPECT_EQ(candidatePriority(CandidateType::Host, 65535, 1), 2130706431u);
  EXPECT_EQ(candidatePriority(CandidateType::Host, 65535, 2), 2130706430u);
  EXPECT_EQ(candidatePriority(CandidateType::PeerReflexive, 65535, 1), 1862270975u);
  EXPECT_EQ(candidatePriority(CandidateType::ServerReflexive, 65535, 1), 1694498815u);
  EXPECT_EQ(candidatePriority(CandidateType::Relay, 65535, 1), 16777215u);
}

TEST(CandidateTest, PairPrioritiesFollowTheFormula) {
  EXPECT_EQ(pairPriority(2130706431, 1694498815), 7277816997797167103u);
  EXPECT_EQ(pairPriority(1694498815, 2130706431), 7277816997797167102u);
  EXPECT_EQ(pairPriority(2130706431, 2130706431), 9151314442783293438u);
}

TEST(CandidateTest, TcpLocalPreferenceOfRfc6544) {
  EXPECT_EQ(tcpLocalPreference(CandidateType::Host, TcpType::Active, 0), 49152);
  EXPECT_EQ(tcpLocalPreference(CandidateType::Host, TcpType::Passive, 0), 32768);
  EXPECT_EQ(tcpLocalPreference(CandidateType::Host, TcpType::SimultaneousOpen, 0), 16384);
  EXPECT_EQ(tcpLocalPreference(CandidateType::ServerReflexive, TcpType::SimultaneousOpen, 1),
            49153);
}

TEST(CandidateTest, OnlyUuidNamesMayBeResolved) {
  EXPECT_TRUE(isMdnsCandidateName("1f4712db-ea17-4bcf-a596-105139dfd8bf.local"));
  EXPECT_TRUE(isMdnsCandidateName("1F4712DB-EA17-4BCF-A596-105139DFD8BF.LOCAL"));
  for (const char* bad :
       {"", "evil.example.com", "a.b.local", "printer.local", ".local",
        "1f4712db-ea17-4bcf-a596-105139dfd8bf.local.", "1f4712db-ea17-4bcf-a596-105139dfd8bf.locai",
        "1f4712db-ea17-4bcf-a596-105139dfd8b.f.local", "1f4712db-ea17-1bcf-a596-105139dfd8bf.local",
        "1f4712db-ea17-4bcf-a596-105139dfd8bg.local"}) {
    EXPECT_FALSE(isMdnsCandidateName(bad)) << bad;
  }
}

TEST(CandidateTest, RemoteAddressesAreFilteredOnTheirCanonicalForm) {
  const auto accept = [](const char* text, bool denyPrivate) {
    return isAcceptableRemote(*SocketAddress::parse(text), denyPrivate);
  };
  for (const char* never :
       {"192.0.2.1:0", "0.0.0.0:1", "0.1.2.3:1", "255.255.255.255:1", "224.0.0.1:1", "[::]:1",
        "[ff02::1]:1", "[::ffff:127.0.0.1]:1", "[::ffff:192.0.2.1]:1", "[64:ff9b::7f00:1]:1",
        "[64:ff9b::a00:1]:1", "[2002:7f00:1::]:1"}) {
    EXPECT_FALSE(accept(never, false)) << never;
    EXPECT_FALSE(accept(never, true)) << never;
  }
  for (const char* lan :
       {"127.0.0.1:1", "10.0.0.1:1", "172.16.0.1:1", "192.168.1.1:1", "169.254.1.1:1",
        "100.64.0.1:1", "[::1]:1", "[fd00::1]:1", "[fe80::1]:1"}) {
    EXPECT_TRUE(accept(lan, false)) << lan;
    EXPECT_FALSE(accept(lan, true)) << lan;
  }
  EXPECT_TRUE(accept("192.0.2.1:9", true));
  EXPECT_TRUE(accept("[2001:db8::1]:9", true));
  EXPECT_TRUE(accept("[64:ff9b::c000:201]:9", true));
}

TEST(CandidateTest, CredentialsHaveTheLengthsOfRfc8839) {
  SeededRandom random(1);
  const Credentials a = Credentials::generate(random);
  EXPECT_GE(a.ufrag.size(), 4u);
  EXPECT_GE(a.password.size(), 22u);
  EXPECT_NE(a, Credentials::generate(random));
}

}  // namespace
}  // namespace parley::ice
