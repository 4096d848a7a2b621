#include "parley/ice/mdns_resolver.h"

#include <gtest/gtest.h>

#include "ice/dns_message.h"
#include "support/hex.h"

namespace parley::ice {
namespace {

using test::fromHex;

constexpr char kName[] = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local";
const SocketAddress kResponder = *SocketAddress::parse("192.168.1.5:5353");

void putName(ByteWriter& out, std::string_view name) {
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    out.u8(static_cast<uint8_t>(dot));
    out.bytes(asBytes(name.substr(0, dot)));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  out.u8(0);
}

Bytes response(std::string_view name, std::initializer_list<const char*> addresses,
               uint16_t flags = 0x8400) {
  uint8_t raw[512];
  ByteWriter out(raw);
  out.u16(0);
  out.u16(flags);
  out.u16(0);
  out.u16(static_cast<uint16_t>(addresses.size()));
  out.u32(0);
  for (const char* text : addresses) {
    const IpAddress ip = *IpAddress::parse(text);
    if (out.size() == 12) {
      putName(out, name);
    } else {
      out.u16(0xC00C);  // compressed: the first record's name
    }
    out.u16(ip.isV4() ? 1 : 28);
    out.u16(0x8001);
    out.u32(120);
    out.u16(static_cast<uint16_t>(ip.bytes().size()));
    out.bytes(ip.bytes());
  }
  return toBytes(out.written());
}

struct Fixture {
  explicit Fixture(MdnsConfig config = {}) : resolver(env, ids, config) {}
  std::vector<OpenUdp> opens() {
    std::vector<OpenUdp> out;
    Effect effect;
    while (resolver.pollEffect(effect)) {
      if (auto* open = std::get_if<OpenUdp>(&effect)) out.push_back(*open);
      if (auto* join = std::get_if<JoinMulticast>(&effect)) joins.push_back(*join);
      if (auto* close = std::get_if<CloseSocket>(&effect)) closes.push_back(close->socket);
    }
    return out;
  }
  size_t packets() {
    size_t n = 0;
    TxPacket packet;
    while (resolver.pollTransmit(packet)) {
      last = toBytes(packet.data.span());
      to = packet.to;
      ++n;
    }
    return n;
  }
  std::optional<Resolved> result() {
    Resolved out;
    if (!resolver.pollResult(out)) return std::nullopt;
    return out;
  }
  /// Asks on IPv4 alone and opens the socket.
  SocketId ask() {
    resolver.resolve(ResolveId(1), kName, now);
    const auto wishes = opens();
    EXPECT_EQ(wishes.size(), 1u);
    resolver.handleSocketOpened({wishes[0].socket, wishes[0].local}, now);
    return wishes[0].socket;
  }
  void advance(Duration by) {
    now += by;
    resolver.advance(now);
    EXPECT_GT(resolver.nextDeadline(), now);
  }
  PacketPool pool;
  SeededRandom random{1};
  Environment env{random, pool};
  IdAllocator ids;
  Timestamp now = Timestamp::seconds(1);
  std::vector<JoinMulticast> joins;
  std::vector<SocketId> closes;
  Bytes last;
  SocketAddress to;
  MdnsResolver resolver;
};

MdnsConfig v4Only() {
  MdnsConfig config;
  config.ipv6 = false;
  return config;
}

TEST(DnsMessageTest, QueryAsksForBothFamiliesByUnicast) {
  uint8_t out[128];
  const size_t size = writeAddressQuery("ab.local", out);
  EXPECT_EQ(test::toHex(ByteSpan(out).first(size)),
            "000000000002000000000000"
            "026162056c6f63616c0000018001"
            "026162056c6f63616c00001c8001");
  EXPECT_EQ(writeAddressQuery("", out), 0u);
  EXPECT_EQ(writeAddressQuery("a..local", out), 0u);
  EXPECT_EQ(writeAddressQuery(std::string(64, 'a') + ".local", out), 0u);
  EXPECT_EQ(writeAddressQuery("ab.local", MutableByteSpan(out).first(20)), 0u);
}

TEST(DnsMessageTest, ReadsCompressedRecordsInAnyCase) {
  const auto records = parseAddressResponse(response("Host.LOCAL", {"192.0.2.1", "2001:db8::1"}));
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ((*records)[0].name, "host.local");
  EXPECT_EQ((*records)[1].name, "host.local");
  EXPECT_EQ((*records)[1].address, *IpAddress::parse("2001:db8::1"));
}

TEST(DnsMessageTest, MalformedMessagesAreRefused) {
  const Bytes good = response("host.local", {"192.0.2.1"});
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parseAddressResponse(ByteSpan(good).first(size))) << size;
  }
  EXPECT_FALSE(parseAddressResponse(response("host.local", {"192.0.2.1"}, 0x0000))) << "a query";
  EXPECT_FALSE(parseAddressResponse(response("host.local", {"192.0.2.1"}, 0x8403))) << "an error";
  // A name that points at itself, forward, or round in a circle.
  const std::string header = "0000 8400 0000 0001 0000 0000";
  const std::string record = "0001 8001 00000078 0004 c0000201";
  EXPECT_FALSE(parseAddressResponse(fromHex(header + "c00c" + record)));
  EXPECT_FALSE(parseAddressResponse(fromHex(header + "c00e" + record)));
  EXPECT_FALSE(parseAddressResponse(fromHex(header + "0161c00c" + record)));
  EXPECT_FALSE(parseAddressResponse(fromHex(header + "40" + record))) << "reserved label type";
}

TEST(DnsMessageTest, LongNamesAndManyRecordsAreBounded) {
  Bytes many = response("a.local", {"192.0.2.1"});
  many[6] = 0xff;
  EXPECT_FALSE(parseAddressResponse(many)) << "more records announced than there are";
  uint8_t raw[1500];
  ByteWriter out(raw);
  out.u16(0);
  out.u16(0x8400);
  out.u16(0);
  out.u16(1);
  out.u32(0);
  for (int i = 0; i < 130; ++i) out.u16(0x0161);
  out.u8(0);
  out.zeros(10);
  EXPECT_FALSE(parseAddressResponse(out.written()));
}

TEST(MdnsResolverTest, AsksTheGroupAndReportsTheAddress) {
  Fixture f(v4Only());
  const SocketId socket = f.ask();
  f.opens();
  ASSERT_EQ(f.joins.size(), 1u);
  EXPECT_EQ(f.joins[0].group, *IpAddress::parse("224.0.0.251"));
  EXPECT_EQ(f.packets(), 1u);
  EXPECT_EQ(f.to, *SocketAddress::parse("224.0.0.251:5353"));
  EXPECT_TRUE(
      f.resolver.handleDatagram(socket, kResponder, response(kName, {"192.168.1.5"}), f.now));
  const auto result = f.result();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->id, ResolveId(1));
  EXPECT_EQ(result->addresses, std::vector<IpAddress>{*IpAddress::parse("192.168.1.5")});
}

TEST(MdnsResolverTest, BothFamiliesAreAsked) {
  Fixture f;
  f.resolver.resolve(ResolveId(1), kName, f.now);
  const auto wishes = f.opens();
  ASSERT_EQ(wishes.size(), 2u);
  for (const OpenUdp& open : wishes) {
    EXPECT_TRUE(open.reuseAddress);
    EXPECT_EQ(open.local.port, 5353);
    f.resolver.handleSocketOpened({open.socket, open.local}, f.now);
  }
  EXPECT_EQ(f.packets(), 2u);
}

TEST(MdnsResolverTest, RepeatsAfterOneAndThreeSecondsAndGivesUpAfterFour) {
  Fixture f(v4Only());
  f.ask();
  const Timestamp start = f.now;
  std::vector<int64_t> sent;
  std::optional<Resolved> result;
  while (!(result = f.result())) {
    if (f.packets() != 0) sent.push_back((f.now - start).millis());
    f.advance(f.resolver.nextDeadline() - f.now);
  }
  EXPECT_EQ(sent, (std::vector<int64_t>{0, 1000, 3000}));
  EXPECT_EQ(f.now - start, Duration::seconds(4));
  EXPECT_TRUE(result->addresses.empty());
}

TEST(MdnsResolverTest, AmbiguousNamesAreIgnored) {
  Fixture f(v4Only());
  const SocketId socket = f.ask();
  f.resolver.handleDatagram(socket, kResponder, response(kName, {"192.168.1.5", "10.0.0.1"}),
                            f.now);
  const auto result = f.result();
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->addresses.empty());
}

TEST(MdnsResolverTest, AnswersFromOtherPortsOrForOtherNamesAreIgnored) {
  Fixture f(v4Only());
  const SocketId socket = f.ask();
  f.resolver.handleDatagram(socket, *SocketAddress::parse("192.168.1.5:5354"),
                            response(kName, {"192.168.1.5"}), f.now);
  f.resolver.handleDatagram(socket, kResponder, response("printer.local", {"192.168.1.5"}), f.now);
  f.resolver.handleDatagram(socket, kResponder, fromHex("00"), f.now);
  EXPECT_FALSE(f.result());
  EXPECT_FALSE(f.resolver.handleDatagram(SocketId(99), kResponder, {}, f.now));
}

TEST(MdnsResolverTest, OtherNamesAreNeverAsked) {
  Fixture f;
  f.resolver.resolve(ResolveId(5), "evil.example.com", f.now);
  EXPECT_TRUE(f.opens().empty());
  const auto result = f.result();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->id, ResolveId(5));
  EXPECT_TRUE(result->addresses.empty());
}

TEST(MdnsResolverTest, OneQueryServesAllWhoWaitForTheName) {
  Fixture f(v4Only());
  const SocketId socket = f.ask();
  f.resolver.resolve(ResolveId(2), kName, f.now);
  EXPECT_EQ(f.packets(), 1u);
  f.resolver.cancel(ResolveId(1));
  f.advance(Duration::seconds(1));
  EXPECT_EQ(f.packets(), 1u) << "the second asks in the first one's stead";
  f.resolver.handleDatagram(socket, kResponder, response(kName, {"192.168.1.5"}), f.now);
  EXPECT_EQ(f.result()->id, ResolveId(2));
  EXPECT_FALSE(f.result());
}

TEST(MdnsResolverTest, FallsBackToAnotherPortThenAnswersNothing) {
  Fixture f(v4Only());
  f.resolver.resolve(ResolveId(1), kName, f.now);
  auto wishes = f.opens();
  EXPECT_TRUE(
      f.resolver.handleSocketFailed({wishes.at(0).socket, SocketFailure::AddressInUse}, f.now));
  wishes = f.opens();
  ASSERT_EQ(wishes.size(), 1u);
  EXPECT_EQ(wishes[0].local.port, 0);
  EXPECT_TRUE(f.resolver.handleSocketFailed({wishes[0].socket, SocketFailure::Denied}, f.now));
  const auto result = f.result();
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->addresses.empty());
}

TEST(MdnsResolverTest, ASocketThatFailsIsGivenBack) {
  Fixture f(v4Only());
  const SocketId socket = f.ask();
  EXPECT_TRUE(f.resolver.handleSocketFailed({socket, SocketFailure::Other}, f.now));
  f.opens();
  EXPECT_EQ(f.closes, std::vector<SocketId>{socket});
}

TEST(MdnsResolverTest, SocketsCloseWhenNobodyAsks) {
  Fixture f(v4Only());
  const SocketId socket = f.ask();
  f.resolver.handleDatagram(socket, kResponder, response(kName, {"192.168.1.5"}), f.now);
  f.advance(Duration::seconds(5));
  f.opens();
  EXPECT_EQ(f.closes, std::vector<SocketId>{socket});
  EXPECT_TRUE(f.resolver.nextDeadline().isNever());
  f.resolver.resolve(ResolveId(9), kName, f.now);
  EXPECT_EQ(f.opens().size(), 1u);
}

TEST(MdnsResolverTest, WaitingQuestionsAreBounded) {
  Fixture f(v4Only());
  for (uint32_t i = 1; i <= 100; ++i) f.resolver.resolve(ResolveId(i), kName, f.now);
  size_t refused = 0;
  while (f.result()) ++refused;
  EXPECT_EQ(refused, 36u);
}

// ---- answering

/// A query for the name: A, AAAA or both.
Bytes query(std::string_view name, std::initializer_list<uint16_t> types, bool unicast = false,
            const char* known = nullptr) {
  uint8_t raw[512];
  ByteWriter out(raw);
  out.u16(known ? 0 : 7);
  out.u16(0);
  out.u16(static_cast<uint16_t>(types.size()));
  out.u16(known ? 1 : 0);
  out.u32(0);
  for (const uint16_t type : types) {
    putName(out, name);
    out.u16(type);
    out.u16(unicast ? 0x8001 : 1);
  }
  if (known) {
    putName(out, name);
    out.u16(1);
    out.u16(1);
    out.u32(100);
    out.u16(4);
    out.bytes(IpAddress::parse(known)->bytes());
  }
  return toBytes(out.written());
}

const SocketAddress kAsker = *SocketAddress::parse("192.168.1.9:5353");

struct ResponderFixture : Fixture {
  ResponderFixture() : Fixture(v4Only()) {
    resolver.publish(kName, *IpAddress::parse("192.168.1.5"), 3, now);
    const auto wishes = opens();
    EXPECT_EQ(wishes.size(), 1u);
    if (wishes.empty()) return;
    socket = wishes[0].socket;
    resolver.handleSocketOpened({socket, wishes[0].local}, now);
    (void)opens();
  }
  size_t askedBy(const SocketAddress& from, const Bytes& bytes) {
    EXPECT_TRUE(resolver.handleDatagram(socket, from, bytes, now));
    return packets();
  }
  SocketId socket{};
};

TEST(MdnsResponderTest, TellsItsAddressAndThatThereIsNoOther) {
  ResponderFixture f;
  ASSERT_EQ(f.joins.size(), 2u);  // where the system chooses, and where the address is
  EXPECT_EQ(f.joins[1].interfaceIndex, 3u);
  EXPECT_EQ(f.packets(), 0u) << "nothing is announced";
  ASSERT_EQ(f.askedBy(kAsker, query("1F4712DB-EA17-4BCF-A596-105139DFD8BF.LOCAL", {1, 28})), 1u);
  EXPECT_EQ(f.to.toString(), "224.0.0.251:5353");
  const auto records = parseAddressResponse(f.last);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 1u);
  EXPECT_EQ(records->front().name, kName);
  EXPECT_EQ(records->front().address.toString(), "192.168.1.5");
  EXPECT_EQ(records->front().ttl, 120u);
  // NSEC (RFC 4034 section 4.1): this name again, window 0, one byte, bit 1 (A).
  EXPECT_EQ(test::toHex(ByteSpan(f.last).last(17)),
            "c00c002f80010000007800"
            "05"
            "c00c000140");
  // For AAAA alone the same answer says that there is none.
  f.advance(Duration::seconds(2));
  EXPECT_EQ(f.askedBy(kAsker, query(kName, {28})), 1u);
}

TEST(MdnsResponderTest, OtherNamesTypesAndKnownAnswersMeetSilence) {
  ResponderFixture f;
  EXPECT_EQ(f.askedBy(kAsker, query("0f4712db-ea17-4bcf-a596-105139dfd8bf.local", {1})), 0u);
  EXPECT_EQ(f.askedBy(kAsker, query(kName, {12, 33})), 0u);
  EXPECT_EQ(f.askedBy(kAsker, query(kName, {1}, false, "192.168.1.5")), 0u);
  EXPECT_EQ(f.askedBy(kAsker, query(kName, {1}, false, "192.168.1.6")), 1u);
}

TEST(MdnsResponderTest, OneSecondPassesBetweenMulticasts) {
  ResponderFixture f;
  EXPECT_EQ(f.askedBy(kAsker, query(kName, {1})), 1u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(f.askedBy(kAsker, query(kName, {1})), 0u);
  // Who asks for an answer of its own gets one meanwhile.
  EXPECT_EQ(f.askedBy(kAsker, query(kName, {1}, true)), 1u);
  EXPECT_EQ(f.to, kAsker);
  f.advance(Duration::millis(999));
  EXPECT_EQ(f.packets(), 0u);
  f.advance(Duration::millis(1));
  EXPECT_EQ(f.packets(), 1u);
  EXPECT_TRUE(f.to.ip.isMulticast());
  f.advance(Duration::seconds(5));
  EXPECT_EQ(f.packets(), 0u);
}

TEST(MdnsResponderTest, PlainDnsAskersGetTheirQuestionBack) {
  ResponderFixture f;
  const SocketAddress plain = *SocketAddress::parse("192.168.1.9:40000");
  ASSERT_EQ(f.askedBy(plain, query(kName, {1})), 1u);
  EXPECT_EQ(f.to, plain);
  EXPECT_EQ(loadU16(f.last.data()), 7);  // its id
  EXPECT_EQ(loadU16(&f.last[4]), 1);     // its question
  const auto records = parseAddressResponse(f.last);
  ASSERT_TRUE(records && records->size() == 1);
  EXPECT_LE(records->front().ttl, 10u);
}

TEST(MdnsResponderTest, AWithdrawnNameSaysGoodbyeAndClosesTheSockets) {
  ResponderFixture f;
  f.advance(Duration::seconds(60));
  EXPECT_TRUE(f.opens().empty());
  EXPECT_TRUE(f.closes.empty()) << "a name keeps them open";
  (void)f.askedBy(kAsker, query(kName, {1}));
  f.resolver.withdraw(kName, f.now);
  ASSERT_EQ(f.packets(), 1u);
  EXPECT_EQ(parseAddressResponse(f.last)->at(0).ttl, 0u);
  EXPECT_EQ(f.askedBy(kAsker, query(kName, {1})), 0u);
  f.advance(Duration::seconds(6));
  (void)f.opens();
  EXPECT_EQ(f.closes.size(), 1u);
}

TEST(MdnsResponderTest, OwnNamesNeedNoNetwork) {
  ResponderFixture f;
  f.resolver.resolve(ResolveId(9), kName, f.now);
  const auto result = f.result();
  ASSERT_TRUE(result && result->addresses.size() == 1);
  EXPECT_EQ(result->addresses[0].toString(), "192.168.1.5");
  EXPECT_EQ(f.packets(), 0u);
}

TEST(MdnsResponderTest, AFloodOfQueriesIsAnsweredWithinBounds) {
  ResponderFixture f;
  const Bytes asked = query(kName, {1, 28}, true);
  for (int i = 0; i < 10'000; ++i) f.resolver.handleDatagram(f.socket, kAsker, asked, f.now);
  EXPECT_LE(f.packets(), 64u);
  Bytes junk = asked;
  for (size_t i = 0; i < junk.size(); ++i) {
    junk[i] ^= 0xFF;
    f.resolver.handleDatagram(f.socket, kAsker, junk, f.now);
    f.resolver.handleDatagram(f.socket, kAsker, ByteSpan(asked).first(i), f.now);
    junk[i] ^= 0xFF;
  }
}

}  // namespace
}  // namespace parley::ice
