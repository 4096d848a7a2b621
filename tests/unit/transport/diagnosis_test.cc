#include "parley/transport/diagnosis.h"

#include <gtest/gtest.h>

namespace parley::transport {
namespace {

using ice::IceConnectionState;

Timestamp at(int64_t ms) {
  return Timestamp::seconds(100) + Duration::millis(ms);
}

TEST(Timeline, KeepsTheBeginningAndTheEnd) {
  Timeline timeline;
  EXPECT_EQ(timeline.age(at(5)), Duration());
  for (int i = 0; i < 1000; ++i)
    timeline.note(Milestone::ServerFailed, at(i), 0, static_cast<uint16_t>(i));
  const auto entries = timeline.entries();
  ASSERT_EQ(entries.size(), Timeline::kKept);
  EXPECT_EQ(timeline.forgotten(), 1000 - Timeline::kKept);
  for (size_t i = 0; i < Timeline::kKept / 2; ++i) {
    EXPECT_EQ(entries[i].value, i);
    EXPECT_EQ(entries[Timeline::kKept / 2 + i].value, 1000 - Timeline::kKept / 2 + i);
  }
  EXPECT_EQ(entries.back().when(), Duration::millis(999));
  EXPECT_EQ(timeline.age(at(2000)), Duration::seconds(2));
}

TEST(Timeline, TimesStopAtTheirGreatest) {
  Timeline timeline;
  timeline.note(Milestone::GatheringStarted, at(0));
  timeline.note(Milestone::Closed, at(0) + Duration::seconds(100 * 86'400));
  EXPECT_EQ(timeline.entries()[1].at, UINT32_MAX);
}

TEST(CandidateKind, TellsTypeVersionAndProtocol) {
  ice::Candidate candidate;
  candidate.type = ice::CandidateType::Relay;
  candidate.address = {IpAddress::loopback(AddressFamily::V6), 1};
  EXPECT_EQ(CandidateKind::of(candidate).toString(), "relay IPv6");
  candidate.type = ice::CandidateType::Host;
  candidate.protocol = ice::Protocol::Tcp;
  candidate.address = {IpAddress::v4(192, 0, 2, 1), 9};
  EXPECT_EQ(CandidateKind::of(candidate).toString(), "host IPv4 TCP");
  candidate.hostname = "x.local";
  const CandidateKind name = CandidateKind::of(candidate);
  EXPECT_EQ(name.toString(), "host mDNS TCP");
  CandidateTally tally;
  tally.add(name);
  EXPECT_EQ(tally.total(), 1u);
  EXPECT_EQ(tally.names, 1u);
  EXPECT_EQ(tally.of(false), 0u);
}

TEST(Verdict, TheHandshakesEndBeatsWhatIceSays) {
  DiagnosisFacts facts;
  facts.gathering = facts.described = true;
  facts.ice = IceConnectionState::Connected;
  facts.dtls = dtls::State::Failed;
  const std::pair<dtls::Reason, VerdictCode> kCases[] = {
      {dtls::Reason::CertificateRejected, VerdictCode::FingerprintMismatch},
      {dtls::Reason::PeerAlert, VerdictCode::PeerRefused},
      {dtls::Reason::HandshakeTimeout, VerdictCode::HandshakeTimeout},
      {dtls::Reason::HandshakeFailed, VerdictCode::HandshakeFailed},
      {dtls::Reason::InternalError, VerdictCode::HandshakeFailed},
      {dtls::Reason::NoSrtpProfile, VerdictCode::NoSrtpProfile}};
  for (const auto& [reason, code] : kCases) {
    facts.dtlsReason = reason;
    EXPECT_EQ(judge(facts).code, code) << dtls::toString(reason);
  }
  facts.dtlsReason = dtls::Reason::PeerAlert;
  facts.receivedAlert = uint8_t{42};
  EXPECT_EQ(judge(facts).code, VerdictCode::FingerprintMismatch);
  facts.closed = true;
  EXPECT_EQ(judge(facts).code, VerdictCode::Closed);
}

TEST(Verdict, EachServerErrorHasItsWords) {
  DiagnosisFacts facts;
  facts.gathering = facts.gathered = facts.described = true;
  facts.ice = IceConnectionState::Failed;
  facts.relayOnly = true;
  const std::pair<uint16_t, const char*> kCases[] = {
      {401, "wrong credentials"}, {441, "wrong credentials"},
      {403, "forbidden"},         {486, "quota"},
      {508, "no capacity"},       {438, "nonces"},
      {300, "another server"},    {400, "what the server says"}};
  for (const auto& [code, words] : kCases) {
    facts.problems = {{"turns:turn.example", code, "what the server says"}};
    const Verdict verdict = judge(facts);
    EXPECT_EQ(verdict.code, VerdictCode::RelayRefused);
    EXPECT_NE(verdict.text.find(words), std::string::npos) << verdict.text;
    EXPECT_EQ(verdict.text.rfind("TURN/TLS answered " + std::to_string(code), 0), 0u)
        << verdict.text;
  }
}

TEST(Verdict, UdpCountsAsBlockedOnlyWithoutAnyAnswer) {
  DiagnosisFacts facts;
  facts.gathering = facts.gathered = facts.described = true;
  facts.ice = IceConnectionState::Failed;
  facts.udpServers = facts.streamServers = 1;
  ice::Candidate candidate;
  candidate.address = {IpAddress::v4(192, 0, 2, 1), 9};
  facts.local.add(CandidateKind::of(candidate));
  facts.remote.add(CandidateKind::of(candidate));
  EXPECT_EQ(judge(facts).code, VerdictCode::UdpBlocked);
  DiagnosisFacts answered = facts;
  answered.udpAnswered = true;
  EXPECT_EQ(judge(answered).code, VerdictCode::ChecksTimeOut);
  DiagnosisFacts heard = facts;
  heard.checksReceived = 1;
  EXPECT_EQ(judge(heard).code, VerdictCode::ChecksOneWay);
}

TEST(Diagnosis, WritesJsonThatKeepsStrangeTextApart) {
  Diagnosis diagnosis;
  diagnosis.verdict = {VerdictCode::RelayRefused, "said \"no\""};
  diagnosis.facts.problems = {{"turn:x", 400, "a\\b\n"}};
  const std::string json = diagnosis.json();
  EXPECT_NE(json.find(R"("summary":"said \"no\"")"), std::string::npos) << json;
  EXPECT_NE(json.find(R"({"url":"turn:x","code":400,"text":"a\\b\u000a"})"), std::string::npos)
      << json;
}

}  // namespace
}  // namespace parley::transport
