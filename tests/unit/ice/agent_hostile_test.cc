#include <vector>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/ice/agent.h"
#include "parley/stun/integrity.h"
#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"

#include "support/hex.h"

// One agent against a scripted peer: every datagram is made by hand.

namespace parley::ice {
namespace {

using State = IceConnectionState;
using stun::AttributeType;

const SocketAddress kOurs = *SocketAddress::parse("10.0.0.1:1000");
const SocketAddress kTheirs = *SocketAddress::parse("10.0.0.2:2000");
constexpr SocketId kSocket(1);

/// What a check shall contain; the defaults are right.
struct Check {
  Role role = Role::Controlled;
  uint64_t tieBreaker = 1;
  bool useCandidate = false;
  uint32_t nomination = 0;
  uint16_t extra = 0;  ///< type of a further attribute
  bool integrity = true;
  bool fingerprint = true;
  std::string username;
  std::string password;
};

struct Fixture {
  explicit Fixture(Role role = Role::Controlling, bool known = true, bool renomination = false)
      : agent(env, makeConfig(role, renomination)) {
    addLocal(kOurs, kSocket, 65535);
    if (known) agent.setRemoteCredentials(peer, false, now);
  }
  static AgentConfig makeConfig(Role role, bool renomination) {
    AgentConfig config;
    config.role = role;
    config.renomination = renomination;
    return config;
  }
  void addLocal(const SocketAddress& address, SocketId socket, uint16_t preference) {
    Candidate candidate;
    candidate.foundation = std::to_string(socket.value);
    candidate.address = address;
    candidate.priority = candidatePriority(CandidateType::Host, preference);
    agent.addLocalCandidate(candidate, socket, now);
  }
  void addRemote(const SocketAddress& address, uint16_t preference = 65535) {
    Candidate candidate;
    candidate.foundation = address.toString();
    candidate.address = address;
    candidate.priority = candidatePriority(CandidateType::Host, preference);
    agent.addRemoteCandidate(candidate, now);
  }
  Bytes request(const Check& check = {}) {
    uint8_t out[512];
    stun::MessageBuilder builder(out, stun::Class::Request, stun::Method::Binding,
                                 stun::newTransactionId(random));
    builder
        .text(AttributeType::Username, check.username.empty()
                                           ? agent.localCredentials().ufrag + ":" + peer.ufrag
                                           : check.username)
        .u32(AttributeType::Priority, 12345)
        .u64(check.role == Role::Controlling ? AttributeType::IceControlling
                                             : AttributeType::IceControlled,
             check.tieBreaker);
    if (check.useCandidate) builder.flag(AttributeType::UseCandidate);
    if (check.nomination) builder.u32(AttributeType::GoogNomination, check.nomination);
    if (check.extra) builder.u32(static_cast<AttributeType>(check.extra), 0);
    if (check.integrity) {
      builder.messageIntegrity(
          asBytes(check.password.empty() ? agent.localCredentials().password : check.password));
    }
    if (check.fingerprint) builder.fingerprint();
    return toBytes(builder.written());
  }
  HandleResult receive(const Bytes& datagram, const SocketAddress& from = kTheirs) {
    return agent.handleStun(kSocket, from, kOurs, datagram, now);
  }
  struct Sent {
    SocketAddress to;
    SocketId socket;
    Bytes bytes;
    stun::Message message() const { return *stun::Message::parse(bytes); }
  };
  std::vector<Sent> sent() {
    std::vector<Sent> out;
    TxPacket packet;
    while (agent.pollTransmit(packet)) {
      out.push_back({packet.to, packet.socket, toBytes(packet.data.span())});
    }
    return out;
  }
  std::vector<Sent> sentRequests() {
    std::vector<Sent> out = sent();
    std::erase_if(out,
                  [](const Sent& s) { return s.message().messageClass() != stun::Class::Request; });
    return out;
  }
  Bytes success(const Sent& check, const char* mapped = "10.0.0.1:1000") {
    uint8_t out[256];
    auto builder = stun::MessageBuilder::responseTo(check.message(), stun::Class::Success, out);
    builder.xorAddress(AttributeType::XorMappedAddress, *SocketAddress::parse(mapped))
        .messageIntegrity(asBytes(peer.password))
        .fingerprint();
    return toBytes(builder.written());
  }
  Bytes error(const Sent& check, stun::StunError code, bool sign = true) {
    uint8_t out[256];
    auto builder = stun::MessageBuilder::responseTo(check.message(), stun::Class::Error, out);
    builder.error(code);
    if (sign) builder.messageIntegrity(asBytes(peer.password));
    builder.fingerprint();
    return toBytes(builder.written());
  }
  /// Answers whatever is asked until nothing is.
  void answerAll() {
    for (int i = 0; i < 10; ++i) {
      const auto checks = sentRequests();
      if (checks.empty()) return;
      for (const Sent& check : checks) {
        agent.handleStun(check.socket, check.to, kOurs, success(check), now);
      }
    }
  }
  void advance(Duration by) {
    now += by;
    agent.advance(now);
    EXPECT_GT(agent.nextDeadline(), now);
  }

  PacketPool pool;
  SeededRandom random{1};
  Environment env{random, pool};
  Timestamp now = Timestamp::seconds(10);
  Credentials peer{"peerufrag", "peerpasswordpeerpassword"};
  Agent agent;
};

TEST(AgentHostileTest, MalformedAndForeignDatagramsChangeNothing) {
  Fixture f;
  const Bytes good = f.request();
  EXPECT_EQ(f.receive(toBytes("not stun")), HandleResult::NotForUs);
  for (size_t size = 20; size < good.size(); ++size) {
    EXPECT_EQ(f.receive(Bytes(good.begin(), good.begin() + static_cast<long>(size))),
              HandleResult::Dropped);
  }
  Check noFingerprint;
  noFingerprint.fingerprint = false;
  EXPECT_EQ(f.receive(f.request(noFingerprint)), HandleResult::Dropped);
  EXPECT_TRUE(f.sent().empty());
  EXPECT_TRUE(f.agent.remoteCandidates().empty());
  EXPECT_FALSE(f.agent.isValidSource(kSocket, kTheirs));
}

TEST(AgentHostileTest, UnknownUfragMeetsSilence) {
  Fixture f;
  Check check;
  check.username = "somebody:" + f.peer.ufrag;
  EXPECT_EQ(f.receive(f.request(check)), HandleResult::NotForUs);
  EXPECT_TRUE(f.sent().empty());
  EXPECT_EQ(f.agent.counters().unknownUfrag, 1u);
}

TEST(AgentHostileTest, WrongPasswordGets401AndMissingIntegrity400OncePerSecond) {
  Fixture f;
  Check wrong;
  wrong.password = "guess";
  for (int i = 0; i < 5; ++i) EXPECT_EQ(f.receive(f.request(wrong)), HandleResult::Dropped);
  auto sent = f.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].message().error()->code, 401);
  EXPECT_LE(sent[0].bytes.size(), f.request(wrong).size());
  EXPECT_FALSE(sent[0].message().hasMessageIntegrity());

  f.advance(Duration::seconds(1));
  Check missing;
  missing.integrity = false;
  EXPECT_EQ(f.receive(f.request(missing)), HandleResult::Dropped);
  sent = f.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].message().error()->code, 400);
  EXPECT_TRUE(f.agent.remoteCandidates().empty());
}

TEST(AgentHostileTest, ErrorAnswersAreBoundedInAll) {
  Fixture f;
  Check wrong;
  wrong.password = "guess";
  for (uint16_t port = 1; port <= 500; ++port) {
    f.receive(f.request(wrong), {kTheirs.ip, port});
  }
  EXPECT_EQ(f.sent().size(), 20u);
}

TEST(AgentHostileTest, UnknownRequiredAttributeGetsSigned420) {
  Fixture f;
  Check check;
  check.extra = 0x7fff;
  EXPECT_EQ(f.receive(f.request(check)), HandleResult::Consumed);
  const auto sent = f.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].message().error()->code, 420);
  EXPECT_EQ(test::toHex(*sent[0].message().find(AttributeType::UnknownAttributes)), "7fff");
  EXPECT_EQ(verifyMessageIntegrity(sent[0].message(), asBytes(f.agent.localCredentials().password)),
            stun::IntegrityCheck::Right);
}

TEST(AgentHostileTest, BrowserAttributesAreTolerated) {
  Fixture f;
  for (int type : {0xC001, 0xC057, 0xC05B, 0xC05C, 0xC070, 0xC071}) {
    Check check;
    check.extra = static_cast<uint16_t>(type);
    EXPECT_EQ(f.receive(f.request(check)), HandleResult::Authenticated) << type;
  }
}

TEST(AgentHostileTest, RequestForAnotherSocketOrAddressIsDropped) {
  Fixture f;
  EXPECT_EQ(f.agent.handleStun(SocketId(9), kTheirs, kOurs, f.request(), f.now),
            HandleResult::Dropped);
  EXPECT_TRUE(f.sent().empty()) << "a relay-only agent must not show its host addresses";
}

TEST(AgentHostileTest, PeerReflexiveFloodIsCapped) {
  Fixture f;
  for (uint16_t port = 1; port <= 200; ++port) {
    f.receive(f.request(), {kTheirs.ip, port});
    f.sent();
  }
  EXPECT_EQ(f.agent.remoteCandidates().size(), 32u);
  EXPECT_GT(f.agent.counters().overLimit, 100u);
}

TEST(AgentHostileTest, NatThatRebindsAgainAndAgainIsFollowed) {
  Fixture f;
  for (uint16_t i = 0; i < 100; ++i) {
    const SocketAddress from{kTheirs.ip, static_cast<uint16_t>(3000 + i)};
    EXPECT_EQ(f.receive(f.request(), from), HandleResult::Authenticated) << i;
    f.answerAll();
    EXPECT_TRUE(f.agent.isValidSource(kSocket, from)) << i;
    for (int s = 0; s < 5; ++s) f.advance(Duration::seconds(1));
  }
  EXPECT_LE(f.agent.remoteCandidates().size(), 32u);
}

TEST(AgentHostileTest, PrivateSourcesAreNotLearntWhereTheyAreDenied) {
  AgentConfig config;
  config.denyPrivateRemotes = true;
  Fixture f;
  f.agent = Agent(f.env, config);
  f.addLocal(kOurs, kSocket, 65535);
  f.agent.setRemoteCredentials(f.peer, false, f.now);
  EXPECT_EQ(f.receive(f.request()), HandleResult::Dropped);
  EXPECT_TRUE(f.sent().empty());
  EXPECT_EQ(f.receive(f.request(), *SocketAddress::parse("203.0.113.7:2000")),
            HandleResult::Authenticated);
}

TEST(AgentHostileTest, SignalledCandidatesAndPairsAreCapped) {
  Fixture f;
  for (uint16_t i = 2; i < 4; ++i) {
    f.addLocal({IpAddress::v4(10, 0, 0, static_cast<uint8_t>(i)), 1}, SocketId(i), i);
  }
  for (uint16_t port = 1; port <= 1000; ++port) f.addRemote({kTheirs.ip, port}, port);
  EXPECT_EQ(f.agent.remoteCandidates().size(), 64u);
  EXPECT_EQ(f.agent.pairStats().size(), 100u);
}

TEST(AgentHostileTest, ForbiddenCandidateAddressesAreIgnored) {
  Fixture f;
  for (const char* address : {"0.0.0.0:1", "255.255.255.255:1", "224.0.0.1:1", "10.0.0.2:0",
                              "[::ffff:10.0.0.2]:1", "[64:ff9b::7f00:1]:1"}) {
    f.addRemote(*SocketAddress::parse(address));
  }
  Candidate tcp;
  tcp.protocol = Protocol::Tcp;
  tcp.address = kTheirs;
  f.agent.addRemoteCandidate(tcp, f.now);
  EXPECT_TRUE(f.agent.remoteCandidates().empty());
  EXPECT_EQ(f.agent.counters().candidatesIgnored, 7u);
  f.addRemote(*SocketAddress::parse("127.0.0.1:1"));
  EXPECT_TRUE(f.agent.pairStats().empty()) << "loopback pairs with loopback only";
}

TEST(AgentHostileTest, ResponsesNeedTransactionIntegrityAndSource) {
  Fixture f;
  f.addRemote(kTheirs);
  const auto checks = f.sentRequests();
  ASSERT_EQ(checks.size(), 1u);
  const Bytes good = f.success(checks[0]);

  Bytes otherId = good;
  otherId[10] ^= 1;
  EXPECT_NE(f.receive(otherId), HandleResult::Authenticated);
  const Credentials right = f.peer;
  f.peer.password = "forgedforgedforgedforged";
  EXPECT_EQ(f.receive(f.success(checks[0])), HandleResult::Dropped);
  EXPECT_EQ(f.receive(f.error(checks[0], stun::StunError::RoleConflict)), HandleResult::Dropped);
  f.peer = right;
  EXPECT_EQ(f.receive(f.error(checks[0], stun::StunError::RoleConflict, false)),
            HandleResult::Dropped);
  EXPECT_EQ(f.agent.state(), State::Checking);
  EXPECT_EQ(f.agent.role(), Role::Controlling);

  EXPECT_EQ(f.receive(good), HandleResult::Authenticated);
  EXPECT_EQ(f.agent.state(), State::Connected);
  EXPECT_EQ(f.receive(good), HandleResult::NotForUs) << "a duplicate answers nothing";
}

TEST(AgentHostileTest, ResponseFromAnotherSourceFailsThePair) {
  Fixture f;
  f.addRemote(kTheirs);
  const auto checks = f.sentRequests();
  EXPECT_EQ(f.receive(f.success(checks.at(0)), *SocketAddress::parse("10.0.0.3:2000")),
            HandleResult::Dropped);
  EXPECT_EQ(f.agent.pairStats().at(0).state, PairState::Failed);
  EXPECT_EQ(f.agent.counters().wrongSource, 1u);
}

// Each of these answers ends its transaction; none may leave a pair (and so the agent) waiting.
enum class Unusable { NoMappedAddress, ErrorWithoutCode, OneConflictTooMany };

void answerUnusably(Fixture& f, const Fixture::Sent& check, Unusable how) {
  if (how == Unusable::OneConflictTooMany) {
    f.receive(f.error(check, stun::StunError::RoleConflict));
    return;
  }
  uint8_t out[256];
  const bool success = how == Unusable::NoMappedAddress;
  auto builder = stun::MessageBuilder::responseTo(
      check.message(), success ? stun::Class::Success : stun::Class::Error, out);
  builder.messageIntegrity(asBytes(f.peer.password)).fingerprint();
  f.receive(toBytes(builder.written()));
}

TEST(AgentHostileTest, AuthenticButUnusableAnswersEndInFailure) {
  for (const Unusable how :
       {Unusable::NoMappedAddress, Unusable::ErrorWithoutCode, Unusable::OneConflictTooMany}) {
    SCOPED_TRACE(static_cast<int>(how));
    Fixture f;
    f.addRemote(kTheirs);
    for (int i = 0; i < 600 && f.agent.state() != State::Failed; ++i) {
      for (const auto& check : f.sentRequests()) answerUnusably(f, check, how);
      f.advance(Duration::millis(100));
    }
    EXPECT_EQ(f.agent.state(), State::Failed);
  }
}

TEST(AgentHostileTest, UnusableAnswerToANominationLetsAnotherPairBeNominated) {
  for (const bool wrongSource : {false, true}) {
    Fixture f;
    f.addRemote(kTheirs);
    f.receive(f.success(f.sentRequests().at(0)));
    const auto nomination = f.sentRequests();
    ASSERT_EQ(nomination.size(), 1u);
    ASSERT_TRUE(nomination[0].message().has(AttributeType::UseCandidate));
    if (wrongSource) {
      f.receive(f.success(nomination[0]), *SocketAddress::parse("10.0.0.3:2000"));
    } else {
      answerUnusably(f, nomination[0], Unusable::NoMappedAddress);
    }
    f.addRemote(*SocketAddress::parse("10.0.0.4:2000"), 1);
    for (int i = 0; i < 20; ++i) {
      f.answerAll();
      f.advance(Duration::millis(50));
    }
    ASSERT_TRUE(f.agent.selectedPair());
    EXPECT_TRUE(f.agent.selectedPair()->nominated);
    EXPECT_EQ(f.agent.selectedPair()->remote.address.toString(), "10.0.0.4:2000");
  }
}

TEST(AgentHostileTest, UseCandidateBehindIntegrityDoesNotNominate) {
  Fixture f(Role::Controlled);
  f.addRemote(kTheirs);
  uint8_t out[256];
  stun::MessageBuilder builder(out, stun::Class::Request, stun::Method::Binding,
                               stun::newTransactionId(f.random));
  builder.text(AttributeType::Username, f.agent.localCredentials().ufrag + ":" + f.peer.ufrag)
      .u64(AttributeType::IceControlling, 1)
      .messageIntegrity(asBytes(f.agent.localCredentials().password))
      .flag(AttributeType::UseCandidate)
      .fingerprint();
  EXPECT_EQ(f.receive(toBytes(builder.written())), HandleResult::Authenticated);
  f.answerAll();
  ASSERT_TRUE(f.agent.selectedPair());
  EXPECT_FALSE(f.agent.selectedPair()->nominated);
}

TEST(AgentHostileTest, RoleFlipsEndAfterEight) {
  Fixture f;
  for (int i = 0; i < 50; ++i) {
    Check check;
    check.role = f.agent.role();
    // Whatever makes us turn round: a winning tie-breaker against a controlling agent, a losing one
    // against a controlled agent.
    check.tieBreaker = f.agent.role() == Role::Controlling ? ~uint64_t{0} : 0;
    f.receive(f.request(check));
    f.sent();
  }
  AgentEvent event;
  int changes = 0;
  while (f.agent.pollEvent(event)) changes += std::holds_alternative<RoleChanged>(event);
  EXPECT_EQ(changes, 8);
}

TEST(AgentHostileTest, EqualTieBreakersAnswer487WhenControlling) {
  Fixture f;
  f.addRemote(kTheirs);
  const auto checks = f.sentRequests();
  const uint64_t ours = *checks.at(0).message().u64(AttributeType::IceControlling);
  Check check;
  check.role = Role::Controlling;
  check.tieBreaker = ours;
  f.receive(f.request(check));
  const auto sent = f.sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].message().error()->code, 487);
  EXPECT_TRUE(sent[0].message().hasMessageIntegrity());
}

TEST(AgentHostileTest, Received487SwitchesTakesANewTieBreakerAndChecksAgain) {
  Fixture f;
  f.addRemote(kTheirs);
  const auto checks = f.sentRequests();
  const uint64_t before = *checks.at(0).message().u64(AttributeType::IceControlling);
  f.receive(f.error(checks[0], stun::StunError::RoleConflict));
  EXPECT_EQ(f.agent.role(), Role::Controlled);
  const auto again = f.sentRequests();
  ASSERT_EQ(again.size(), 1u);
  const auto after = again[0].message().u64(AttributeType::IceControlled);
  ASSERT_TRUE(after);
  EXPECT_NE(*after, before);
}

TEST(AgentHostileTest, NominationBeforeOurOwnSuccessIsRemembered) {
  Fixture f(Role::Controlled);
  f.addRemote(kTheirs);
  Check check;
  check.role = Role::Controlling;
  check.useCandidate = true;
  f.receive(f.request(check));
  EXPECT_FALSE(f.agent.selectedPair());
  f.answerAll();
  ASSERT_TRUE(f.agent.selectedPair());
  EXPECT_TRUE(f.agent.selectedPair()->nominated);
}

TEST(AgentHostileTest, ControlledFollowsTheHigherOfCloseAndTheLatestOfDistantNominations) {
  Fixture f(Role::Controlled);
  const SocketAddress low = *SocketAddress::parse("10.0.0.3:3000");
  f.addRemote(kTheirs, 500);
  f.addRemote(low, 100);
  f.answerAll();
  Check nominate;
  nominate.role = Role::Controlling;
  nominate.useCandidate = true;
  const auto selected = [&] { return f.agent.selectedPair()->remote.address; };
  f.receive(f.request(nominate), low);
  EXPECT_EQ(selected(), low);
  f.receive(f.request(nominate), kTheirs);
  EXPECT_EQ(selected(), kTheirs) << "better";
  f.receive(f.request(nominate), low);
  EXPECT_EQ(selected(), kTheirs) << "an aggressive peer nominates all at once";
  f.advance(Duration::millis(501));
  f.receive(f.request(nominate), low);
  EXPECT_EQ(selected(), low) << "the peer moved on";
}

// A peer that has checked without nominating means each nomination: the sides may see priorities
// differently, and would else stay on different pairs.
TEST(AgentHostileTest, NominationsOfAPeerThatAlsoChecksPlainlyAreFollowedInTheirOrder) {
  Fixture f(Role::Controlled);
  const SocketAddress low = *SocketAddress::parse("10.0.0.3:3000");
  f.addRemote(kTheirs, 500);
  f.addRemote(low, 100);
  f.answerAll();
  Check check;
  check.role = Role::Controlling;
  f.receive(f.request(check), kTheirs);
  check.useCandidate = true;
  f.receive(f.request(check), kTheirs);
  EXPECT_EQ(f.agent.selectedPair()->remote.address, kTheirs);
  f.receive(f.request(check), low);
  EXPECT_EQ(f.agent.selectedPair()->remote.address, low);
}

TEST(AgentHostileTest, NumberedNominationsCountByNumber) {
  Fixture f(Role::Controlled, true, true);
  const SocketAddress low = *SocketAddress::parse("10.0.0.3:3000");
  f.addRemote(kTheirs, 500);
  f.addRemote(low, 100);
  f.answerAll();
  Check nominate;
  nominate.role = Role::Controlling;
  nominate.useCandidate = true;
  nominate.nomination = 2;
  f.receive(f.request(nominate), low);
  nominate.nomination = 1;
  f.receive(f.request(nominate), kTheirs);
  EXPECT_EQ(f.agent.selectedPair()->remote.address, low);
  nominate.nomination = 3;
  f.receive(f.request(nominate), kTheirs);
  EXPECT_EQ(f.agent.selectedPair()->remote.address, kTheirs);
}

TEST(AgentHostileTest, LitePeerIsNominatedByItsAnswersAlone) {
  Fixture f(Role::Controlled, false);
  f.agent.setRemoteCredentials(f.peer, true, f.now);
  f.addRemote(kTheirs);
  f.answerAll();
  ASSERT_TRUE(f.agent.selectedPair());
  EXPECT_TRUE(f.agent.selectedPair()->nominated);
}

TEST(AgentHostileTest, EagerPeerDoesNotMultiplyOurChecks) {
  Fixture f;
  f.addRemote(kTheirs);
  size_t requests = f.sentRequests().size();
  for (int i = 0; i < 20; ++i) {  // a peer that checks every 50 ms and never answers
    f.receive(f.request());
    requests += f.sentRequests().size();
    f.advance(Duration::millis(50));
    requests += f.sentRequests().size();
  }
  EXPECT_LE(requests, 13u) << "at most one per 100 ms";
}

TEST(AgentHostileTest, ExhaustedPoolLosesPacketsAndNothingElse) {
  PacketPool pool(0);
  SeededRandom random(1);
  Environment env{random, pool};
  Agent agent(env, {});
  Timestamp now = Timestamp::seconds(1);
  Candidate local;
  local.foundation = "1";
  local.address = kOurs;
  local.priority = 100;
  agent.addLocalCandidate(local, kSocket, now);
  agent.setRemoteCredentials({"ufrag", "passwordpasswordpassword"}, false, now);
  local.address = kTheirs;
  agent.addRemoteCandidate(local, now);
  for (int i = 0; i < 100; ++i) {
    now = agent.nextDeadline();
    if (now.isNever()) break;
    agent.advance(now);
    EXPECT_GT(agent.nextDeadline(), now);
  }
  EXPECT_EQ(agent.state(), State::Failed);
  EXPECT_EQ(agent.counters().notSent, 7u);
}

TEST(AgentHostileTest, TransmitQueueIsBounded) {
  Fixture f;
  for (int i = 0; i < 500; ++i) f.receive(f.request());
  EXPECT_LE(f.sent().size(), 64u);
}

}  // namespace
}  // namespace parley::ice
