#include "parley/turn/server.h"

#include <map>

#include <gtest/gtest.h>

#include "parley/stun/channel_data.h"

#include "support/alloc_guard.h"
#include "support/hex.h"
#include "unit/turn/raw_client.h"

namespace parley::turn {
namespace {

using stun::AttributeType;
using stun::MessageBuilder;

ServerConfig with(const std::function<void(ServerConfig&)>& change) {
  ServerConfig config;
  change(config);
  return config;
}

TEST(ServerTest, AnswersBindingRequestsWithoutCredentials) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  EXPECT_EQ(client.ask(stun::Method::Binding, [](MessageBuilder&) {}), 0);
  EXPECT_EQ(client.message()->xorAddress(AttributeType::XorMappedAddress), client.source);
  EXPECT_EQ(client.answer.size(), 32u);
  EXPECT_EQ(client.ask(stun::Method::Binding,
                       [](MessageBuilder& b) { b.u32(AttributeType::ChangeRequest, 6); }),
            420);
}

// RFC 5780 section 7.2.
TEST(ServerTest, AnswersFromItsOtherAddressesIfItHasSome) {
  SeededRandom random(1);
  PacketPool pool;
  Environment environment{random, pool};
  const SocketAddress primary{IpAddress::v4(192, 0, 2, 1), 3478};
  const SocketAddress alternate{IpAddress::v4(192, 0, 2, 2), 3479};
  const SocketAddress client{IpAddress::v4(203, 0, 113, 1), 5000};
  ServerConfig config;
  config.discovery = ServerDiscovery{primary, alternate};
  config.listeners = discoveryListeners(*config.discovery);
  Server server(environment, config);
  server.start(Timestamp());
  std::map<SocketAddress, SocketId> sockets;
  Effect effect;
  while (server.pollEffect(effect)) {
    const auto& open = std::get<OpenUdp>(effect);
    sockets[open.local] = open.socket;
    server.handle(SocketOpened{open.socket, open.local}, Timestamp());
  }
  ASSERT_EQ(sockets.size(), 4u);
  for (const auto& [to, socket] : sockets) {
    for (const uint32_t change : {0u, 2u, 4u, 6u}) {
      PacketBuf request = pool.allocate();
      MessageBuilder builder(request, stun::Class::Request, stun::Method::Binding,
                             stun::newTransactionId(random));
      builder.u32(AttributeType::ChangeRequest, change);
      ASSERT_TRUE(builder.finishInto(request));
      server.handle(Datagram{socket, client, to, std::move(request)}, Timestamp());
      TxPacket packet;
      ASSERT_EQ(server.pollTransmit({&packet, 1}), 1u);
      const SocketAddress other{to.ip == primary.ip ? alternate.ip : primary.ip,
                                to.port == primary.port ? alternate.port : primary.port};
      const SocketAddress from{change & 4 ? other.ip : to.ip, change & 2 ? other.port : to.port};
      EXPECT_EQ(packet.to, client);
      EXPECT_EQ(packet.socket, sockets[from]);
      const auto answer = stun::Message::parse(packet.data.span());
      ASSERT_TRUE(answer);
      EXPECT_EQ(answer->xorAddress(AttributeType::XorMappedAddress), client);
      EXPECT_EQ(answer->address(AttributeType::ResponseOrigin), from);
      EXPECT_EQ(answer->address(AttributeType::OtherAddress), other);
    }
  }
}

TEST(ServerTest, ChallengesThenAllocates) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  EXPECT_EQ(client.ask(stun::Method::Allocate, RawClient::udp), 401);
  EXPECT_EQ(client.message()->text(AttributeType::Realm), "example.org");
  EXPECT_TRUE(
      stun::nonceFeatures(*client.message()->text(AttributeType::Nonce))->passwordAlgorithms);
  EXPECT_EQ(client.ask(stun::Method::Allocate, RawClient::udp), 0);
  EXPECT_EQ(client.message()->u32(AttributeType::Lifetime), 600u);
  EXPECT_EQ(client.message()->xorAddress(AttributeType::XorMappedAddress), client.source);
  const auto relayed = client.message()->xorAddress(AttributeType::XorRelayedAddress);
  EXPECT_EQ(relayed->ip, *IpAddress::parse("198.51.100.1"));
  EXPECT_GE(relayed->port, 49152);
  EXPECT_EQ(client.auth.verify(*client.message()), stun::IntegrityCheck::Right);
}

TEST(ServerTest, RepeatedAllocateGetsTheSameAnswer) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  const SocketAddress first = client.relayed;
  client.repeatId = true;
  EXPECT_EQ(client.allocate(), 0);
  EXPECT_EQ(client.relayed, first);
  client.repeatId = false;
  EXPECT_EQ(client.allocate(), 437);
  EXPECT_EQ(raw.server.allocationCount(), 1u);
}

TEST(ServerTest, OrdersOfAttributesThatContradict) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  client.ask(stun::Method::Allocate, RawClient::udp);
  const auto code = [&](const RawClient::Fill& fill) {
    return client.ask(stun::Method::Allocate, fill);
  };
  EXPECT_EQ(code([](MessageBuilder&) {}), 400);
  EXPECT_EQ(code([](MessageBuilder& b) {
              b.u32(AttributeType::RequestedTransport,
                    stun::requestedTransport(stun::RelayTransport::Tcp));
            }),
            400);  // over UDP
  EXPECT_EQ(code([](MessageBuilder& b) { b.u32(AttributeType::RequestedTransport, 132u << 24); }),
            442);  // SCTP
  EXPECT_EQ(code([](MessageBuilder& b) {
              RawClient::udp(b);
              b.u32(AttributeType::RequestedAddressFamily, 3u << 24);
            }),
            440);
  EXPECT_EQ(code([](MessageBuilder& b) {
              RawClient::udp(b);
              b.bytes(AttributeType::EvenPort, test::fromHex("80"))
                  .bytes(AttributeType::ReservationToken, test::fromHex("0011223344556677"));
            }),
            400);
  EXPECT_EQ(code([](MessageBuilder& b) {
              RawClient::udp(b);
              b.flag(AttributeType::DontFragment);
            }),
            420);
  EXPECT_EQ(code([](MessageBuilder& b) {
              RawClient::udp(b);
              b.bytes(AttributeType::ReservationToken, test::fromHex("0011223344556677"));
            }),
            508);
  EXPECT_EQ(code([](MessageBuilder& b) {
              RawClient::udp(b);
              b.flag(AttributeType::MobilityTicket);
            }),
            405);
  EXPECT_EQ(raw.server.allocationCount(), 0u);
  EXPECT_EQ(client.allocate(), 0);
}

TEST(ServerTest, EvenPortAndTheReservedOneAfterIt) {
  RawServer raw;
  RawClient rtp(raw, "203.0.113.1:5000");
  ASSERT_EQ(rtp.allocate(
                [](MessageBuilder& b) { b.bytes(AttributeType::EvenPort, test::fromHex("80")); }),
            0);
  EXPECT_EQ(rtp.relayed.port % 2, 0);
  const Bytes token = toBytes(*rtp.message()->find(AttributeType::ReservationToken));
  const auto withToken = [&](MessageBuilder& b) {
    b.bytes(AttributeType::ReservationToken, token);
  };
  RawClient thief(raw, "203.0.113.9:5001", "bob", "builder");
  EXPECT_EQ(thief.allocate(withToken), 508);
  RawClient rtcp(raw, "203.0.113.1:5001");
  ASSERT_EQ(rtcp.allocate(withToken), 0);
  EXPECT_EQ(rtcp.relayed.port, rtp.relayed.port + 1);
  RawClient again(raw, "203.0.113.1:5002");
  EXPECT_EQ(again.allocate(withToken), 508);
}

TEST(ServerTest, UnclaimedReservationIsReleased) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(
                [](MessageBuilder& b) { b.bytes(AttributeType::EvenPort, test::fromHex("80")); }),
            0);
  EXPECT_TRUE(raw.closed.empty());
  raw.advance(Duration::seconds(31));
  EXPECT_EQ(raw.closed.size(), 1u);
  EXPECT_EQ(raw.server.allocationCount(), 1u);
}

TEST(ServerTest, TakenPortsAreTriedElsewhereUntilItGivesUp) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  raw.takenPorts = 5;
  EXPECT_EQ(client.allocate(), 0);
  RawClient unlucky(raw, "203.0.113.2:5000");
  raw.takenPorts = 1000;
  EXPECT_EQ(unlucky.allocate(), 508);
  EXPECT_EQ(raw.server.allocationCount(), 1u);
}

TEST(ServerTest, LifetimesAreClampedRefreshedAndEnd) {
  RawServer raw(with([](ServerConfig& c) { c.maxLifetime = Duration::seconds(1200); }));
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  EXPECT_EQ(client.refresh(60), 0);
  EXPECT_EQ(client.message()->u32(AttributeType::Lifetime), 600u);
  EXPECT_EQ(client.refresh(100'000), 0);
  EXPECT_EQ(client.message()->u32(AttributeType::Lifetime), 1200u);
  raw.advance(Duration::seconds(1199));
  EXPECT_EQ(raw.server.allocationCount(), 1u);
  raw.advance(Duration::seconds(2));
  EXPECT_EQ(raw.server.allocationCount(), 0u);
  EXPECT_EQ(raw.server.counters().allocationsExpired, 1u);
  EXPECT_EQ(client.refresh(600), 437);
  ASSERT_EQ(client.allocate(), 0);
  EXPECT_EQ(client.refresh(0), 0);
  EXPECT_EQ(client.message()->u32(AttributeType::Lifetime), 0u);
  EXPECT_EQ(raw.server.allocationCount(), 0u);
  EXPECT_EQ(raw.closed.size(), 2u);
}

TEST(ServerTest, AllocationBelongsToItsUser) {
  RawServer raw;
  RawClient alice(raw, "203.0.113.1:5000");
  ASSERT_EQ(alice.allocate(), 0);
  RawClient bob(raw, "203.0.113.1:5000", "bob", "builder");
  EXPECT_EQ(bob.ask(stun::Method::Refresh, [](MessageBuilder&) {}), 401);
  EXPECT_EQ(bob.refresh(0), 441);
  EXPECT_EQ(raw.server.allocationCount(), 1u);
}

TEST(ServerTest, NoncesExpireAndBelongToAnAddress) {
  RawServer raw(with([](ServerConfig& c) { c.nonceLifetime = Duration::seconds(60); }));
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  raw.advance(Duration::seconds(61));
  EXPECT_EQ(client.refresh(600), 438);
  EXPECT_EQ(client.refresh(600), 0);
  client.source = address("203.0.113.2:5000");
  EXPECT_EQ(client.refresh(600), 438);
}

TEST(ServerTest, ShortenedAlgorithmListIsRefused) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  client.ask(stun::Method::Allocate, RawClient::udp);
  // Somebody on the path takes SHA-256 out of the list: the request then carries another list.
  const Bytes real = client.answer;
  std::array<uint8_t, 512> forged;
  MessageBuilder builder(forged, stun::Class::Error, stun::Method::Allocate, client.id);
  const std::array<stun::PasswordAlgorithm, 1> md5{stun::PasswordAlgorithm::Md5};
  const auto message = stun::Message::parse(real);
  builder.error(stun::StunError::Unauthenticated)
      .text(AttributeType::Realm, *message->text(AttributeType::Realm))
      .text(AttributeType::Nonce, *message->text(AttributeType::Nonce))
      .bytes(AttributeType::PasswordAlgorithms, stun::writePasswordAlgorithms(md5));
  ASSERT_TRUE(client.auth.challenge(*stun::Message::parse(builder.written())));
  EXPECT_EQ(client.ask(stun::Method::Allocate, RawClient::udp), 400);
}

TEST(ServerTest, RelaysThroughPermissionsAndChannels) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  const SocketId relay = raw.opened.back().socket;
  const SocketAddress peer = address("203.0.113.77:9000");
  client.sendData(peer, "too early");
  EXPECT_EQ(raw.server.counters().droppedNoPermission, 1u);

  ASSERT_EQ(client.permit("203.0.113.77"), 0);
  client.sendData(peer, "hello");
  EXPECT_EQ(raw.sent.back().socket, relay);
  EXPECT_EQ(raw.sent.back().to, peer);
  EXPECT_EQ(asText(raw.sent.back().data.span()), "hello");

  raw.datagram(relay, peer, asBytes("world"));
  const auto indication = stun::Message::parse(raw.sent.back().data.span());
  ASSERT_TRUE(indication && indication->is(stun::Class::Indication, stun::Method::Data));
  EXPECT_EQ(indication->text(AttributeType::Data), "world");
  EXPECT_EQ(indication->xorAddress(AttributeType::XorPeerAddress), peer);
  EXPECT_EQ(raw.sent.back().to, client.source);

  ASSERT_EQ(client.bind(0x4001, "203.0.113.77:9000"), 0);
  raw.datagram(relay, peer, asBytes("world"));
  EXPECT_EQ(test::toHex(raw.sent.back().data.span()), "40010005776f726c64");
  raw.datagram(raw.listener, client.source, test::fromHex("4001000568656c6c6f000000"));
  EXPECT_EQ(asText(raw.sent.back().data.span()), "hello");
  EXPECT_EQ(raw.sent.back().to, peer);

  const size_t before = raw.sent.size();
  raw.datagram(raw.listener, client.source, test::fromHex("4002000568656c6c6f"));
  raw.datagram(raw.listener, client.source, test::fromHex("4001000668656c6c6f"));
  raw.datagram(raw.listener, address("203.0.113.2:1"), test::fromHex("4001000568656c6c6f"));
  EXPECT_EQ(raw.sent.size(), before);
}

TEST(ServerTest, PermissionsEndAfterFiveMinutesChannelsAfterTen) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_EQ(client.bind(0x4000, "203.0.113.77:9000"), 0);
  const Bytes data = test::fromHex("4000000568656c6c6f");
  const auto passes = [&] {
    const size_t before = raw.sent.size();
    raw.datagram(raw.listener, client.source, data);
    return raw.sent.size() > before;
  };
  EXPECT_TRUE(passes());
  raw.advance(Duration::seconds(299));
  EXPECT_TRUE(passes());
  raw.advance(Duration::seconds(2));
  EXPECT_FALSE(passes());
  ASSERT_EQ(client.permit("203.0.113.77"), 0);
  EXPECT_TRUE(passes());
  ASSERT_EQ(client.refresh(3600), 0);
  raw.advance(Duration::seconds(300));
  ASSERT_EQ(client.permit("203.0.113.77"), 0);
  EXPECT_FALSE(passes());  // 601 s after the binding
  // For five minutes more neither may be bound otherwise.
  EXPECT_EQ(client.bind(0x4000, "203.0.113.78:9000"), 400);
  EXPECT_EQ(client.bind(0x4001, "203.0.113.77:9000"), 400);
  EXPECT_EQ(client.bind(0x4000, "203.0.113.77:9000"), 0);
  EXPECT_TRUE(passes());
}

TEST(ServerTest, ChannelRules) {
  RawServer raw(with([](ServerConfig& c) { c.maxChannels = 2; }));
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  EXPECT_EQ(client.bind(0x3FFF, "203.0.113.77:9000"), 400);
  EXPECT_EQ(client.bind(0x7FFF, "203.0.113.77:9000"), 400);
  EXPECT_EQ(client.bind(0x4000, "203.0.113.77:0"), 400);
  EXPECT_EQ(client.bind(0x4000, "[2001:db8::1]:9000"), 443);
  EXPECT_EQ(client.bind(0x4000, "203.0.113.77:9000"), 0);
  EXPECT_EQ(client.bind(0x4000, "203.0.113.77:9000"), 0);
  // Clients of RFC 5766 use higher numbers.
  EXPECT_EQ(client.bind(0x7FFE, "203.0.113.77:9001"), 0);
  EXPECT_EQ(client.bind(0x4002, "203.0.113.77:9002"), 508);
}

TEST(ServerTest, InnerAddressesAreForbiddenInEveryDisguise) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  for (const char* peer :
       {"127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "0.1.2.3"}) {
    EXPECT_EQ(client.permit(peer), 403) << peer;
    EXPECT_EQ(client.bind(0x4000, (std::string(peer) + ":80").c_str()), 403) << peer;
  }
  EXPECT_EQ(client.permit("203.0.113.9"), 0);
  for (const char* peer : {"::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1",
                           "2002:7f00:1::", "fe80::1", "fc00::1", "fd00::1", "ff02::1", "fec0::1",
                           "2001:0:1::1", "::7f00:1"}) {
    EXPECT_TRUE(isSpecialPurpose(*IpAddress::parse(peer))) << peer;
  }
  EXPECT_FALSE(isSpecialPurpose(*IpAddress::parse("2001:db8::1")));
  EXPECT_FALSE(isSpecialPurpose(*IpAddress::parse("8.8.8.8")));
}

TEST(ServerTest, ListsOfPeersOverrideTheDefault) {
  RawServer raw(with([](ServerConfig& c) {
    c.allowedPeers = {*AddressRange::parse("10.1.0.0/16")};
    c.deniedPeers = {*AddressRange::parse("203.0.113.0/25")};
  }));
  RawClient client(raw, "203.0.113.200:5000");
  ASSERT_EQ(client.allocate(), 0);
  EXPECT_EQ(client.permit("10.1.2.3"), 0);
  EXPECT_EQ(client.permit("10.2.2.3"), 403);
  EXPECT_EQ(client.permit("203.0.113.5"), 403);
  EXPECT_EQ(client.permit("203.0.113.130"), 0);
}

TEST(ServerTest, TwoClientsOfOneServerMeetWithoutADetour) {
  RawServer raw;
  RawClient alice(raw, "203.0.113.1:5000");
  RawClient bob(raw, "203.0.113.2:5000", "bob", "builder");
  ASSERT_EQ(alice.allocate(), 0);
  ASSERT_EQ(bob.allocate(), 0);
  ASSERT_EQ(alice.permit("198.51.100.1"), 0);
  const size_t before = raw.sent.size();
  alice.sendData(bob.relayed, "hello bob");
  EXPECT_EQ(raw.sent.size(), before);  // bob has not permitted it yet
  ASSERT_EQ(bob.permit("198.51.100.1"), 0);
  alice.sendData(bob.relayed, "hello bob");
  EXPECT_EQ(raw.sent.back().to, bob.source);
  const auto indication = stun::Message::parse(raw.sent.back().data.span());
  EXPECT_EQ(indication->text(AttributeType::Data), "hello bob");
  EXPECT_EQ(indication->xorAddress(AttributeType::XorPeerAddress), alice.relayed);
}

TEST(ServerTest, OwnInnerAddressLeadsToRelaysOnly) {
  ServerConfig config = RawServer::fill({});
  RawServer raw(
      with([](ServerConfig& c) { c.deniedPeers = {*AddressRange::parse("198.51.100.1")}; }));
  RawClient alice(raw, "203.0.113.1:5000");
  ASSERT_EQ(alice.allocate(), 0);
  ASSERT_EQ(alice.permit("198.51.100.1"), 0);
  const size_t before = raw.sent.size();
  alice.sendData(address("198.51.100.1:22"), "ssh?");
  EXPECT_EQ(raw.sent.size(), before);
  EXPECT_EQ(raw.server.counters().forbiddenPeers, 1u);
}

TEST(ServerTest, QuotasCapacityAndPermissionsAreLimited) {
  RawServer raw(with([](ServerConfig& c) {
    c.maxAllocationsPerUser = 2;
    c.maxAllocations = 3;
    c.maxPermissions = 3;
  }));
  std::vector<RawClient> alices;
  for (const char* from : {"203.0.113.1:1", "203.0.113.1:2", "203.0.113.1:3"})
    alices.emplace_back(raw, from);
  EXPECT_EQ(alices[0].allocate(), 0);
  EXPECT_EQ(alices[1].allocate(), 0);
  EXPECT_EQ(alices[2].allocate(), 486);
  RawClient bob(raw, "203.0.113.2:1", "bob", "builder");
  RawClient bob2(raw, "203.0.113.2:2", "bob", "builder");
  EXPECT_EQ(bob.allocate(), 0);
  EXPECT_EQ(bob2.allocate(), 508);
  EXPECT_EQ(bob.permit("203.0.113.10"), 0);
  EXPECT_EQ(bob.permit("203.0.113.11"), 0);
  EXPECT_EQ(bob.permit("203.0.113.12"), 0);
  EXPECT_EQ(bob.permit("203.0.113.13"), 508);
  EXPECT_EQ(bob.permit("203.0.113.12"), 0);
  raw.advance(Duration::seconds(301));
  EXPECT_EQ(bob.permit("203.0.113.13"), 0);
  EXPECT_EQ(alices[0].refresh(0), 0);
  EXPECT_EQ(alices[2].allocate(), 0);
}

TEST(ServerTest, BandwidthCapsDropWhatIsTooMuch) {
  RawServer raw(with([](ServerConfig& c) { c.maxRatePerAllocation = DataRate::kbps(1000); }));
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_EQ(client.bind(0x4000, "203.0.113.77:9000"), 0);
  Bytes data(1004);
  storeU16(&data[0], 0x4000);
  storeU16(&data[2], 1000);
  raw.sent.clear();
  for (int second = 0; second < 10; ++second) {
    for (int i = 0; i < 250; ++i) {  // 2 Mbit/s
      raw.datagram(raw.listener, client.source, data);
      raw.now += Duration::millis(4);
    }
  }
  EXPECT_NEAR(static_cast<double>(raw.sent.size()), 1250 + 64, 30);
  EXPECT_EQ(raw.server.counters().droppedRate, 2500 - raw.sent.size());
}

TEST(ServerTest, FloodFromOneSourceGetsNoMoreBytesThanItSent) {
  RawServer raw;
  SeededRandom random(2);
  size_t in = 0;
  for (int i = 0; i < 3'000; ++i) {
    RawClient client(raw, "203.0.113.66:5000");
    client.random = SeededRandom(static_cast<uint64_t>(i));
    const Bytes request =
        client.build(stun::Class::Request, i % 2 ? stun::Method::Allocate : stun::Method::Binding,
                     [](MessageBuilder&) {});
    in += request.size();
    raw.datagram(raw.listener, client.source, request);
  }
  size_t out = 0;
  for (const TxPacket& packet : raw.sent) out += packet.data.size();
  EXPECT_LE(out, in + 1024);
  EXPECT_GT(raw.server.counters().overBudget, 800u);
  EXPECT_EQ(raw.pool.inUse(), raw.sent.size());
  // Others are served meanwhile.
  RawClient honest(raw, "203.0.113.1:5000");
  EXPECT_EQ(honest.allocate(), 0);
}

TEST(ServerTest, JunkLeavesNothingBehind) {
  RawServer raw;
  SeededRandom random(2);
  std::array<uint8_t, 64> junk;
  for (int i = 0; i < 8'000; ++i) {
    random.fill(junk);
    if (i % 2) {
      junk[0] &= 3;
      storeU32(&junk[4], stun::kMagicCookie);
      if (i % 4 == 1) storeU16(&junk[2], 44);
    }
    raw.datagram(raw.listener, {IpAddress::v4(random.u32()), static_cast<uint16_t>(i)}, junk);
  }
  EXPECT_EQ(raw.server.allocationCount(), 0u);
  EXPECT_TRUE(raw.server.nextDeadline().isNever());
  EXPECT_GT(raw.server.counters().malformed, 3'000u);
}

TEST(ServerTest, RelayingAllocatesNothing) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  ASSERT_EQ(client.bind(0x4000, "203.0.113.77:9000"), 0);
  const SocketId relay = raw.opened.back().socket;
  const Bytes data = test::fromHex("4000000568656c6c6f");
  raw.sent.clear();
  raw.sent.reserve(1000);
  raw.datagram(raw.listener, client.source, data);
  raw.datagram(relay, address("203.0.113.77:9000"), asBytes("world"));
  test::AllocGuard guard;
  for (int i = 0; i < 200; ++i) {
    raw.datagram(raw.listener, client.source, data);
    raw.datagram(relay, address("203.0.113.77:9000"), asBytes("world"));
    raw.sent.clear();
  }
  EXPECT_EQ(guard.count(), 0u);
}

TEST(ServerTest, TicketIsWorthNothingWithoutItsOwner) {
  RawServer raw(with([](ServerConfig& c) { c.mobility = true; }));
  RawClient alice(raw, "203.0.113.1:5000");
  ASSERT_EQ(alice.allocate([](MessageBuilder& b) { b.flag(AttributeType::MobilityTicket); }), 0);
  const Bytes ticket = toBytes(*alice.message()->find(AttributeType::MobilityTicket));
  const auto move = [&](MessageBuilder& b) { b.bytes(AttributeType::MobilityTicket, ticket); };
  RawClient bob(raw, "203.0.113.2:5000", "bob", "builder");
  EXPECT_EQ(bob.ask(stun::Method::Refresh, move), 401);
  EXPECT_EQ(bob.ask(stun::Method::Refresh, move), 437);
  alice.source = address("203.0.113.3:6000");
  EXPECT_EQ(alice.ask(stun::Method::Refresh, move), 438);
  EXPECT_EQ(alice.ask(stun::Method::Refresh, move), 0);
  EXPECT_NE(toBytes(*alice.message()->find(AttributeType::MobilityTicket)), ticket);
  EXPECT_EQ(raw.server.allocations(raw.now)[0].client, alice.source);
  // An old ticket is spent.
  alice.source = address("203.0.113.3:7000");
  EXPECT_EQ(alice.ask(stun::Method::Refresh, move), 437);
}

TEST(ServerTest, CloseClosesEverySocket) {
  RawServer raw;
  RawClient client(raw, "203.0.113.1:5000");
  ASSERT_EQ(client.allocate(), 0);
  raw.server.close(raw.now);
  raw.pump();
  EXPECT_EQ(raw.closed.size(), raw.opened.size());
  EXPECT_TRUE(raw.server.nextDeadline().isNever());
  raw.datagram(raw.listener, client.source, asBytes("late"));
}

TEST(ServerTest, ImpossibleConfigurationsAreRefused) {
  const auto code = [](const std::function<void(ServerConfig&)>& change) {
    ServerConfig config = RawServer::fill({});
    change(config);
    return Server::check(config).has_value();
  };
  EXPECT_TRUE(code([](ServerConfig&) {}));
  EXPECT_FALSE(code([](ServerConfig& c) { c.listeners.clear(); }));
  EXPECT_FALSE(code([](ServerConfig& c) { c.listeners[0].transport = Transport::Tls; }));
  EXPECT_FALSE(code([](ServerConfig& c) { c.listeners[0].transport = Transport::Dtls; }));
  EXPECT_FALSE(code([](ServerConfig& c) { c.minPort = 60000, c.maxPort = 50000; }));
  EXPECT_FALSE(code([](ServerConfig& c) { c.relays = {{IpAddress()}}; }));
  EXPECT_FALSE(code([](ServerConfig& c) { c.realm.clear(); }));
}

TEST(AddressRangeTest, ParsesAndContains) {
  EXPECT_TRUE(AddressRange::parse("10.0.0.0/8")->contains(*IpAddress::parse("10.255.1.2")));
  EXPECT_FALSE(AddressRange::parse("10.0.0.0/8")->contains(*IpAddress::parse("11.0.0.0")));
  EXPECT_TRUE(AddressRange::parse("192.0.2.128/25")->contains(*IpAddress::parse("192.0.2.200")));
  EXPECT_FALSE(AddressRange::parse("192.0.2.128/25")->contains(*IpAddress::parse("192.0.2.1")));
  EXPECT_TRUE(AddressRange::parse("0.0.0.0/0")->contains(*IpAddress::parse("1.2.3.4")));
  EXPECT_FALSE(AddressRange::parse("0.0.0.0/0")->contains(*IpAddress::parse("::1")));
  EXPECT_TRUE(AddressRange::parse("::1")->contains(*IpAddress::parse("::1")));
  for (const char* bad : {"", "10.0.0.0/33", "::/129", "10.0.0.0/", "host/8", "10.0.0.0/8/9"})
    EXPECT_FALSE(AddressRange::parse(bad)) << bad;
}

}  // namespace
}  // namespace parley::turn
