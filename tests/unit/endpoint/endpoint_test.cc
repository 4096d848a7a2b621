#include "parley/endpoint/endpoint.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "parley/stun/message.h"

#include "unit/endpoint/endpoint_fixture.h"

namespace parley::endpoint {
namespace {

using test::EndpointTest;
using test::sessionConfig;

// --- sessions -----------------------------------------------------------------------------------

TEST_F(EndpointTest, AnOldIdNeverReachesANewSession) {
  const SessionId first = create();
  EXPECT_NE(endpoint.session(first), nullptr);
  endpoint.destroySession(first);
  EXPECT_EQ(endpoint.session(first), nullptr);
  EXPECT_EQ(endpoint.sessionCount(), 0u);
  const SessionId second = create();
  EXPECT_NE(first, second);
  EXPECT_EQ(endpoint.session(first), nullptr);
  EXPECT_NE(endpoint.session(second), nullptr);
  endpoint.destroySession(first);
  endpoint.touch(first, now);
  EXPECT_EQ(endpoint.sessionCount(), 1u);
  EXPECT_EQ(endpoint.session(SessionId(12345)), nullptr);
}

TEST_F(EndpointTest, SlotsAreUsedAgain) {
  std::set<uint32_t> ids;
  for (int i = 0; i < 200; ++i) {
    const SessionId id = create();
    EXPECT_TRUE(ids.insert(id.value).second) << "no id twice within 4096 lives of a slot";
    EXPECT_LT(id.value & 0xFFFFF, 1u) << "one slot is enough";
    endpoint.destroySession(id);
  }
}

TEST_F(EndpointTest, ASessionWithNothingToDoCostsNothing) {
  for (int i = 0; i < 100; ++i) create();
  pass(Duration::seconds(1));
  (void)effects();
  EXPECT_TRUE(endpoint.nextDeadline().isNever());
  EXPECT_TRUE(transmits().empty());
}

// --- sockets ------------------------------------------------------------------------------------

TEST_F(EndpointTest, EachSessionOpensItsOwnSocketsUnderNumbersOfTheEndpoint) {
  const auto [a, b] = call();
  pass(Duration::millis(1));
  EXPECT_EQ(only<WatchInterfaces>(effects()).size(), 1u) << "asked once for all";
  interfaces({"10.0.0.1"});
  const auto opens = only<OpenUdp>(effects());
  ASSERT_EQ(opens.size(), 2u);
  EXPECT_NE(opens[0].socket, opens[1].socket);
  opened(opens[0].socket, "10.0.0.1:4001");
  opened(opens[1].socket, "10.0.0.1:4002");
  const auto ofA = eventsOf<jsep::LocalCandidate>(a);
  const auto ofB = eventsOf<jsep::LocalCandidate>(b);
  ASSERT_FALSE(ofA.empty() || ofB.empty());
  EXPECT_NE(ofA[0].candidate.find(" 4001 "), std::string::npos);
  EXPECT_NE(ofB[0].candidate.find(" 4002 "), std::string::npos);
}

TEST_F(EndpointTest, ADatagramReachesTheOwnerOfItsSocketOnly) {
  const auto [a, b] = call();
  pass(Duration::millis(1));
  interfaces({"10.0.0.1"});
  const auto opens = only<OpenUdp>(effects());
  ASSERT_EQ(opens.size(), 2u);
  opened(opens[0].socket, "10.0.0.1:4001");
  opened(opens[1].socket, "10.0.0.1:4002");
  const uint8_t junk[20] = {0x80};
  deliver(opens[0].socket, junk);
  deliver(opens[0].socket, junk);
  deliver(opens[1].socket, junk);
  EXPECT_EQ(at(a).transport().counters().packetsReceived, 2u);
  EXPECT_EQ(at(b).transport().counters().packetsReceived, 1u);
  EXPECT_EQ(endpoint.counters().datagramsUnrouted, 0u);
  deliver(SocketId(4711), junk);
  deliver(SocketId{}, junk);
  endpoint.handle(TcpAccepted{}, now);
  endpoint.handle(StreamBytes{SocketId(4711), {}}, now);
  EXPECT_EQ(endpoint.counters().datagramsUnrouted, 3u);
  EXPECT_EQ(endpoint.counters().streamsUnrouted, 1u);
  EXPECT_EQ(at(a).transport().counters().packetsReceived, 2u);
}

TEST_F(EndpointTest, ADestroyedSessionClosesItsSocketsAndIsForgotten) {
  const auto [a, b] = call();
  pass(Duration::millis(1));
  interfaces({"10.0.0.1", "10.0.0.2"});
  const auto opens = only<OpenUdp>(effects());
  ASSERT_EQ(opens.size(), 4u);
  for (const OpenUdp& open : opens) opened(open.socket, "10.0.0.1:4001");
  endpoint.destroySession(a);
  const auto closed = only<CloseSocket>(effects());
  ASSERT_EQ(closed.size(), 2u);
  const uint8_t junk[20] = {0x80};
  for (const CloseSocket& close : closed) deliver(close.socket, junk);
  EXPECT_EQ(endpoint.counters().datagramsUnrouted, 2u);
  EXPECT_TRUE(transmits().empty() || endpoint.session(b) != nullptr);
  SessionId ready;
  while (endpoint.pollReady(ready)) EXPECT_EQ(ready, b);
  pass(Duration::seconds(60));
  EXPECT_NE(endpoint.session(b), nullptr);
}

TEST_F(EndpointTest, OutputOfADestroyedSessionGoesNowhere) {
  const auto [a, b] = call();
  pass(Duration::millis(1));
  interfaces({"10.0.0.1"});
  const auto opens = only<OpenUdp>(effects());
  for (const OpenUdp& open : opens) opened(open.socket, "10.0.0.1:4001");
  const char* candidate = "candidate:1 1 udp 2122260223 10.0.0.7 4007 typ host";
  for (const SessionId id : {a, b}) {
    ASSERT_TRUE(at(id).addIceCandidate(candidate, "0", {}, {}, now));
    endpoint.touch(id, now);
  }
  endpoint.destroySession(a);
  const auto sent = transmits();
  ASSERT_FALSE(sent.empty());
  for (const TxPacket& packet : sent) EXPECT_EQ(packet.socket, opens[1].socket);
  // The slot's next owner is not taken for the former one.
  const SessionId c = create();
  EXPECT_TRUE(transmits().empty());
  EXPECT_FALSE(at(c).hasTransmits());
}

TEST_F(EndpointTest, SessionsTakeTurnsInSending) {
  const auto [a, b] = call();
  pass(Duration::millis(1));
  interfaces({"10.0.0.1"});
  const auto opens = only<OpenUdp>(effects());
  for (const OpenUdp& open : opens) opened(open.socket, "10.0.0.1:4001");
  // Checks of many candidates at once are the packets at hand; the agent lets go of some at a time.
  std::vector<SocketId> order;
  for (int round = 0; round < 40; ++round) {
    for (const SessionId id : {a, b}) {
      const std::string port = std::to_string(6000 + round);
      (void)at(id).addIceCandidate(
          "candidate:" + port + " 1 udp 2122260223 10.0.0.7 " + port + " typ host", "0", {}, {},
          now);
      at(id).advance(now);
    }
    now = now + Duration::millis(50);
    endpoint.touch(a, now);
    endpoint.touch(b, now);
    at(a).advance(now);
    at(b).advance(now);
  }
  for (const TxPacket& packet : transmits()) order.push_back(packet.socket);
  ASSERT_GT(order.size(), 70u);
  size_t longest = 0, length = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    length = i > 0 && order[i] == order[i - 1] ? length + 1 : 1;
    longest = std::max(longest, length);
  }
  EXPECT_LE(longest, 32u);
  EXPECT_NE(order[0], order[32]) << "the second has its turn before the first is done";
}

// --- interfaces ---------------------------------------------------------------------------------

TEST_F(EndpointTest, InterfacesAreToldToThoseWhoGather) {
  const auto [a, b] = call();
  const SessionId idle = create();
  pass(Duration::millis(1));
  (void)effects();
  interfaces({"10.0.0.1"});
  EXPECT_EQ(only<OpenUdp>(effects()).size(), 2u);
  // Who comes later is told at once what is known, and the driver is not asked again.
  const auto [c, d] = call();
  pass(Duration::millis(1));
  const auto later = effects();
  EXPECT_EQ(only<OpenUdp>(later).size(), 2u);
  EXPECT_TRUE(only<WatchInterfaces>(later).empty());
  interfaces({"10.0.0.1", "10.0.0.5"});
  EXPECT_EQ(only<OpenUdp>(effects()).size(), 4u) << "one more for each of the four";
  EXPECT_EQ(at(idle).transport().agent().localCandidates().size(), 0u);
  (void)a, (void)b, (void)c, (void)d;
}

// --- readiness ----------------------------------------------------------------------------------

TEST_F(EndpointTest, ReadySessionsAreNamedOnceInTheOrderTheyWokeUp) {
  const auto [a, b] = call();
  endpoint.touch(b, now);
  endpoint.touch(a, now);
  SessionId ready;
  ASSERT_TRUE(endpoint.pollReady(ready));
  EXPECT_EQ(ready, a);
  ASSERT_TRUE(endpoint.pollReady(ready));
  EXPECT_EQ(ready, b);
  EXPECT_FALSE(endpoint.pollReady(ready));
  // Still unread: named again when something more happens.
  endpoint.touch(b, now);
  ASSERT_TRUE(endpoint.pollReady(ready));
  EXPECT_EQ(ready, b);
  endpoint.destroySession(a);
  EXPECT_FALSE(endpoint.pollReady(ready));
}

TEST_F(EndpointTest, ADestroyedSessionIsNotReady) {
  const auto [a, b] = call();
  endpoint.destroySession(a);
  const SessionId c = create();
  SessionId ready;
  ASSERT_TRUE(endpoint.pollReady(ready));
  EXPECT_EQ(ready, b);
  EXPECT_FALSE(endpoint.pollReady(ready)) << "the slot's new owner has nothing to tell";
  EXPECT_NE(c, a);
}

// --- names --------------------------------------------------------------------------------------

class EndpointNamesTest : public EndpointTest {
 protected:
  explicit EndpointNamesTest(EndpointConfig config = {}) : EndpointTest(config) {}

  static std::string nameOf(int number) {
    char text[64];
    std::snprintf(text, sizeof text, "0a1b2c3d-0000-4000-8000-%012d.local", number);
    return text;
  }
  void addHidden(SessionId id, int number) {
    ASSERT_TRUE(at(id).addIceCandidate("candidate:" + std::to_string(number) +
                                           " 1 udp 2122260223 " + nameOf(number) + " 5000 typ host",
                                       "0", {}, {}, now));
    endpoint.touch(id, now);
  }
  /// A response with one A record.
  static Bytes answer(const std::string& name, const IpAddress& address) {
    Bytes out = {0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    for (size_t begin = 0; begin < name.size();) {
      const size_t end = std::min(name.find('.', begin), name.size());
      out.push_back(static_cast<uint8_t>(end - begin));
      out.insert(out.end(), name.begin() + static_cast<std::ptrdiff_t>(begin),
                 name.begin() + static_cast<std::ptrdiff_t>(end));
      begin = end + 1;
    }
    const uint8_t tail[] = {0, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4};
    out.insert(out.end(), std::begin(tail), std::end(tail));
    const ByteSpan bytes = address.bytes();
    out.insert(out.end(), bytes.begin(), bytes.end());
    return out;
  }
  std::vector<OpenUdp> multicastSockets(const std::vector<Effect>& all) const {
    auto opens = only<OpenUdp>(all);
    std::erase_if(opens, [](const OpenUdp& open) { return open.local.port != 5353; });
    return opens;
  }
};

TEST_F(EndpointNamesTest, AllSessionsShareOnePairOfMulticastSockets) {
  const auto [a, b] = call();
  const auto [c, d] = call();
  addHidden(a, 1);
  addHidden(c, 2);
  addHidden(d, 1);
  const auto all = effects();
  const auto sockets = multicastSockets(all);
  ASSERT_EQ(sockets.size(), 2u) << "one per address family";
  EXPECT_TRUE(only<Resolve>(all).empty());
  opened(sockets[0].socket, "0.0.0.0:5353");
  EXPECT_EQ(only<JoinMulticast>(effects()).size(), 1u);
  auto queries = transmits();
  ASSERT_EQ(queries.size(), 2u) << "two names, though three wait";
  for (const TxPacket& query : queries) {
    EXPECT_EQ(query.socket, sockets[0].socket);
    EXPECT_EQ(query.to, *SocketAddress::parse("224.0.0.251:5353"));
  }
  const IpAddress found = IpAddress::v4(10, 0, 0, 77);
  deliver(sockets[0].socket, answer(nameOf(1), found), "10.0.0.77:5353");
  const auto resolvedIn = [&](SessionId id) {
    const auto remotes = at(id).transport().agent().remoteCandidates();
    return std::any_of(remotes.begin(), remotes.end(),
                       [&](const ice::Candidate& r) { return r.address.ip == found; });
  };
  EXPECT_TRUE(resolvedIn(a));
  EXPECT_FALSE(resolvedIn(b));
  EXPECT_FALSE(resolvedIn(c));
  EXPECT_TRUE(resolvedIn(d));
}

TEST_F(EndpointNamesTest, ASessionThatGoesTakesItsQuestionsAlong) {
  const auto [a, b] = call();
  addHidden(a, 1);
  const auto sockets = multicastSockets(effects());
  ASSERT_EQ(sockets.size(), 2u);
  opened(sockets[0].socket, "0.0.0.0:5353");
  (void)transmits();
  endpoint.destroySession(a);
  const SessionId next = create();
  deliver(sockets[0].socket, answer(nameOf(1), IpAddress::v4(10, 0, 0, 77)), "10.0.0.77:5353");
  EXPECT_TRUE(at(next).transport().agent().remoteCandidates().empty());
  pass(Duration::seconds(10));
  EXPECT_TRUE(transmits().empty()) << "no question is repeated";
  EXPECT_EQ(only<CloseSocket>(effects()).size(), 2u) << "and the sockets are given back";
  (void)b;
}

TEST_F(EndpointNamesTest, NamesThatNobodyKnowsAreGivenUp) {
  const auto [a, b] = call();
  addHidden(a, 1);
  const auto sockets = multicastSockets(effects());
  opened(sockets[0].socket, "0.0.0.0:5353");
  pass(Duration::millis(4500));
  EXPECT_EQ(transmits().size(), 3u) << "at 0, 1 and 3 s";
  EXPECT_TRUE(at(a).transport().agent().remoteCandidates().empty());
  (void)b;
}

class EndpointFewNamesTest : public EndpointNamesTest {
 protected:
  static EndpointConfig config() {
    EndpointConfig config;
    config.limits.maxEndpointMdns = 3;
    return config;
  }
  EndpointFewNamesTest() : EndpointNamesTest(config()) {}
};

TEST_F(EndpointFewNamesTest, WaitingQuestionsAreBounded) {
  for (int i = 0; i < 10; ++i) {
    const auto [a, b] = call();
    addHidden(a, i);
    (void)b;
  }
  const auto sockets = multicastSockets(effects());
  ASSERT_EQ(sockets.size(), 2u);
  opened(sockets[0].socket, "0.0.0.0:5353");
  EXPECT_EQ(transmits().size(), 3u);
  pass(Duration::seconds(30));
  EXPECT_EQ(endpoint.sessionCount(), 20u);
}

TEST_F(EndpointTest, OtherNamesAreTheDriversToLookUp) {
  std::vector<SessionId> ids;
  for (int i = 0; i < 2; ++i) {
    jsep::SessionConfig config = sessionConfig();
    config.transport.gatherer.stunServers = {{"stun.example", 3478, "stun:stun.example"}};
    ids.push_back(endpoint.createSession(std::move(config), now));
    ASSERT_TRUE(at(ids[static_cast<size_t>(i)]).createDataChannel({.label = "x"}, now));
    ASSERT_TRUE(at(ids[static_cast<size_t>(i)]).setLocalDescription({}, "", now));
    endpoint.touch(ids[static_cast<size_t>(i)], now);
  }
  pass(Duration::millis(1));
  interfaces({"10.0.0.1"});
  const auto all = effects();
  const auto looks = only<Resolve>(all);
  const auto opens = only<OpenUdp>(all);
  ASSERT_EQ(looks.size(), 2u);
  ASSERT_EQ(opens.size(), 2u);
  EXPECT_NE(looks[0].id, looks[1].id) << "sessions number their own, the endpoint ours";
  EXPECT_EQ(looks[0].host, "stun.example");
  for (const OpenUdp& open : opens) opened(open.socket, "10.0.0.1:4001");
  (void)transmits();
  endpoint.handle(Resolved{looks[1].id, {IpAddress::v4(192, 0, 2, 1)}}, now);
  pass(Duration::millis(200));
  const auto sent = transmits();
  ASSERT_FALSE(sent.empty());
  for (const TxPacket& packet : sent) {
    EXPECT_EQ(packet.socket, opens[1].socket) << "the one that asked";
    EXPECT_EQ(packet.to, *SocketAddress::parse("192.0.2.1:3478"));
  }
  endpoint.destroySession(ids[0]);
  endpoint.handle(Resolved{looks[0].id, {IpAddress::v4(192, 0, 2, 1)}}, now);
  endpoint.handle(Resolved{looks[1].id, {IpAddress::v4(192, 0, 2, 1)}}, now);
  endpoint.handle(Resolved{ResolveId(4711), {}}, now);
}

// --- time ---------------------------------------------------------------------------------------

TEST_F(EndpointTest, OnlyWhoIsDueIsWoken) {
  const auto [a, b] = call();
  pass(Duration::millis(1));
  interfaces({"10.0.0.1"});
  for (const OpenUdp& open : only<OpenUdp>(effects())) opened(open.socket, "10.0.0.1:4001");
  // One checks a candidate, the other has none.
  ASSERT_TRUE(at(a).addIceCandidate("candidate:1 1 udp 2122260223 10.0.0.7 4007 typ host", "0", {},
                                    {}, now));
  endpoint.touch(a, now);
  EXPECT_EQ(endpoint.nextDeadline(), earliest(at(a).nextDeadline(), at(b).nextDeadline()));
  (void)transmits();
  for (int i = 0; i < 20 && !endpoint.nextDeadline().isNever(); ++i) {
    ASSERT_GT(endpoint.nextDeadline(), now);
    now = endpoint.nextDeadline();
    endpoint.advance(now);
    (void)transmits();
    EXPECT_EQ(endpoint.nextDeadline(), earliest(at(a).nextDeadline(), at(b).nextDeadline()));
  }
  EXPECT_GT(at(a).transport().agent().pairStats().at(0).requestsSent, 2u);
}

TEST_F(EndpointTest, AThousandSessionsAreServedEachAtItsTime) {
  std::vector<SessionId> ids;
  for (int i = 0; i < 250; ++i) {
    const SessionId id = create();
    ids.push_back(id);
    ASSERT_TRUE(at(id).createDataChannel({.label = "x"}, now));
    ASSERT_TRUE(at(id).setLocalDescription({}, "", now));
    endpoint.touch(id, now);
    now = now + Duration::nanos(10);
  }
  pass(Duration::millis(1));
  interfaces({"10.0.0.1"});
  const auto opens = only<OpenUdp>(effects());
  ASSERT_EQ(opens.size(), ids.size());
  for (const OpenUdp& open : opens) opened(open.socket, "10.0.0.1:4001");
  pass(Duration::seconds(1));
  for (const SessionId id : ids) EXPECT_FALSE(eventsOf<jsep::LocalCandidate>(id).empty());
  for (size_t i = 0; i < ids.size(); i += 2) endpoint.destroySession(ids[i]);
  EXPECT_EQ(only<CloseSocket>(effects()).size(), ids.size() / 2);
  EXPECT_EQ(endpoint.sessionCount(), ids.size() / 2);
}

TEST_F(EndpointTest, SessionsAskForConsentTogetherAndNoneTooOften) {
  constexpr size_t kSessions = 40;
  std::vector<SessionId> ids;
  for (size_t i = 0; i < kSessions; i += 2) {
    const auto [a, b] = call();
    ids.insert(ids.end(), {a, b});
  }
  pass(Duration::millis(1));
  interfaces({"10.0.0.1"});
  const auto opens = only<OpenUdp>(effects());
  ASSERT_EQ(opens.size(), kSessions);
  std::map<SocketAddress, SocketId> sockets;
  const auto addressOf = [](size_t i) {
    return SocketAddress{IpAddress::v4(10, 0, 0, 1), static_cast<uint16_t>(4000 + i)};
  };
  for (size_t i = 0; i < kSessions; ++i) {
    sockets[addressOf(i)] = opens[i].socket;
    opened(opens[i].socket, addressOf(i).toString().c_str());
  }
  for (size_t i = 0; i < kSessions; ++i) {
    const std::string port = std::to_string(4000 + (i ^ 1));
    ASSERT_TRUE(at(ids[i]).addIceCandidate(
        "candidate:1 1 udp 2122260223 10.0.0.1 " + port + " typ host", "0", {}, {}, now));
    endpoint.touch(ids[i], now);
  }
  std::map<SocketId, std::vector<Timestamp>> asked;
  std::set<Timestamp> times;
  const auto run = [&](Duration time) {
    for (const Timestamp end = now + time;;) {
      for (auto packets = transmits(); !packets.empty(); packets = transmits()) {
        for (TxPacket& packet : packets) {
          const auto message = stun::Message::parse(packet.data.span());
          if (message && message->is(stun::Class::Request, stun::Method::Binding)) {
            asked[packet.socket].push_back(now);
            times.insert(now);
          }
          const auto from = std::find_if(sockets.begin(), sockets.end(), [&](const auto& entry) {
            return entry.second == packet.socket;
          });
          deliver(sockets.at(packet.to), packet.data.span(), from->first.toString().c_str());
        }
      }
      if (endpoint.nextDeadline() > end) break;
      now = std::max(now, endpoint.nextDeadline());
      endpoint.advance(now);
    }
  };
  run(Duration::seconds(20));
  asked.clear();
  times.clear();
  run(Duration::seconds(60));
  ASSERT_EQ(asked.size(), kSessions);
  for (const auto& [socket, at] : asked) {
    EXPECT_GE(at.size(), 10u);
    for (size_t i = 1; i < at.size(); ++i) {
      EXPECT_GE(at[i] - at[i - 1], Duration::seconds(4));
      EXPECT_LE(at[i] - at[i - 1], Duration::seconds(6));
    }
  }
  EXPECT_LE(times.size(), 60u) << "of hundreds, had each asked at a time of its own";
}

// --- the machine rules that the other tests leave
// -------------------------------------------------

TEST_F(EndpointTest, BackwardAndRepeatedTimeIsHarmless) {
  const auto [a, b] = call();
  for (int i = 0; i < 5; ++i) {
    endpoint.advance(now);
    endpoint.advance(Timestamp{});
    endpoint.touch(a, Timestamp{});
    EXPECT_GT(endpoint.nextDeadline(), now);
    now = std::min(endpoint.nextDeadline(), now + Duration::millis(10));
  }
  (void)b;
}

TEST_F(EndpointTest, DrivenByHalvesItStaysCorrect) {
  // Effects and packets taken one at a time, with inputs between.
  const auto [a, b] = call();
  pass(Duration::millis(1));
  (void)effects();
  interfaces({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  Effect effect;
  uint16_t port = 4000;
  while (endpoint.pollEffect(effect)) {
    if (const auto* open = std::get_if<OpenUdp>(&effect)) {
      endpoint.handle(SocketOpened{open->socket, {open->local.ip, ++port}}, now);
      endpoint.advance(now);
    }
  }
  EXPECT_EQ(at(a).transport().agent().localCandidates().size(), 3u);
  EXPECT_EQ(at(b).transport().agent().localCandidates().size(), 3u);
  EXPECT_EQ(endpoint.pollTransmit({}), 0u);
}

TEST_F(EndpointTest, GoodByesLeaveBeforeTheSessionGoes) {
  const auto [a, b] = call();
  pass(Duration::millis(1));
  interfaces({"10.0.0.1"});
  for (const OpenUdp& open : only<OpenUdp>(effects())) opened(open.socket, "10.0.0.1:4001");
  at(a).close(now);
  endpoint.touch(a, now);
  (void)transmits();
  EXPECT_TRUE(at(a).drained());
  endpoint.destroySession(a);
  EXPECT_EQ(only<CloseSocket>(effects()).size(), 1u);
  (void)b;
}

TEST_F(EndpointTest, MayBeDestroyedWithEverythingUnderWay) {
  for (int millis = 0; millis < 40; millis += 5) {
    SeededRandom dice(static_cast<uint64_t>(millis));
    Endpoint other(dice, nullLog());
    const SessionId id = other.createSession(sessionConfig(), now);
    ASSERT_TRUE(other.session(id)->createDataChannel({.label = "x"}, now));
    ASSERT_TRUE(other.session(id)->setLocalDescription({}, "", now));
    other.touch(id, now);
    other.advance(now + Duration::millis(millis));
    other.handle(InterfacesChanged{{{"eth0", 1, {IpAddress::v4(10, 0, 0, 1)}}}}, now);
  }
}

}  // namespace
}  // namespace parley::endpoint
