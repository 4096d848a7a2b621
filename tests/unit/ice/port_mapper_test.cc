#include "parley/ice/port_mapper.h"

#include <vector>

#include <gtest/gtest.h>

#include "ice/port_mapping_message.h"

namespace parley::ice {
namespace {

using port_mapping::Answer;
using port_mapping::parseAnswer;

const IpAddress kOwn = IpAddress::v4(192, 168, 1, 2);
const SocketAddress kRouter{IpAddress::v4(192, 168, 1, 1), 5351};
const SocketAddress kExternal{IpAddress::v4(203, 0, 113, 5), 40'000};

Bytes pcpAnswer(ByteSpan request, uint8_t result, uint32_t lifetime, uint32_t epoch,
                const SocketAddress& external) {
  Bytes out = toBytes(request);
  out[1] = 0x81;
  out[3] = result;
  storeU32(&out[4], lifetime);
  storeU32(&out[8], epoch);
  std::fill_n(&out[12], 12, uint8_t{0});
  storeU16(&out[42], external.port);
  const ByteSpan ip = external.ip.bytes();
  std::copy(ip.begin(), ip.end(), &out[56]);
  return out;
}

struct MapperTest : ::testing::Test {
  /// Router and socket are known: the first request is out.
  void begin(std::vector<SocketId> sockets = {SocketId(7)}) {
    for (const SocketId socket : sockets)
      mapper.add(socket, {kOwn, static_cast<uint16_t>(5000 + socket.value)}, now);
    Effect effect;
    while (mapper.pollEffect(effect)) {
      if (const auto* name = std::get_if<Resolve>(&effect)) {
        EXPECT_EQ(name->host, "_gateway");
        mapper.handleResolved({name->id, {kRouter.ip}}, now);
      } else if (const auto* open = std::get_if<OpenUdp>(&effect)) {
        client = open->socket;
        EXPECT_EQ(open->local, (SocketAddress{kOwn, 0}));
        mapper.handleSocketOpened({client, {kOwn, 6000}}, now);
      }
    }
  }
  std::vector<Bytes> sent() {
    std::vector<Bytes> out;
    TxPacket packet;
    while (mapper.pollTransmit(packet)) {
      EXPECT_EQ(packet.to, kRouter);
      EXPECT_EQ(packet.socket, client);
      out.push_back(toBytes(packet.data.span()));
    }
    return out;
  }
  std::optional<SocketAddress> mapped() {
    PortMapperEvent event;
    while (mapper.pollEvent(event)) {
      if (const auto* m = std::get_if<PortMapped>(&event)) return m->external;
    }
    return std::nullopt;
  }
  void answer(ByteSpan bytes, const SocketAddress& from = kRouter) {
    EXPECT_TRUE(mapper.handleDatagram(client, from, bytes, now));
  }
  void pass(Duration time) {
    const Timestamp end = now + time;
    while (mapper.nextDeadline() <= end) {
      now = std::max(now, mapper.nextDeadline());
      mapper.advance(now);
      ASSERT_GT(mapper.nextDeadline(), now);
    }
    now = end;
  }

  SeededRandom random{1};
  PacketPool pool;
  Environment environment{random, pool};
  IdAllocator ids;
  PortMapper mapper{environment, ids};
  Timestamp now = Timestamp::seconds(1000);
  SocketId client{};
};

TEST_F(MapperTest, PcpRequestsHaveTheLayoutOfRfc6887) {
  begin();
  const auto requests = sent();
  ASSERT_EQ(requests.size(), 1u);
  const Bytes& r = requests[0];
  ASSERT_EQ(r.size(), 60u);
  EXPECT_EQ(r[0], 2);
  EXPECT_EQ(r[1], 1);
  EXPECT_EQ(loadU32(&r[4]), 7200u);
  EXPECT_EQ(loadU32(&r[16]), 0x0000FFFFu);
  EXPECT_EQ(loadU32(&r[20]), kOwn.v4HostOrder());
  EXPECT_EQ(r[36], 17);
  EXPECT_EQ(loadU16(&r[40]), 5007);
  EXPECT_EQ(loadU16(&r[42]), 5007);
  answer(pcpAnswer(r, 0, 3600, 10, kExternal));
  EXPECT_EQ(mapped(), kExternal);
  EXPECT_TRUE(mapper.settled());
}

TEST_F(MapperTest, SilenceIsGivenUpAfterFourRequests) {
  begin();
  EXPECT_FALSE(mapper.settled());
  pass(Duration::seconds(3));
  EXPECT_EQ(sent().size(), 4u);
  EXPECT_TRUE(mapper.settled());
  EXPECT_TRUE(mapper.nextDeadline().isNever());
}

TEST_F(MapperTest, StrangersAndForgeriesChangeNothing) {
  begin();
  const Bytes request = sent()[0];
  const Bytes good = pcpAnswer(request, 0, 3600, 10, kExternal);
  answer(good, {kRouter.ip, 5352});
  answer(good, {IpAddress::v4(192, 168, 1, 9), 5351});
  EXPECT_EQ(mapper.counters().unmatched, 2u);
  Bytes nonce = good;
  nonce[30] ^= 1;
  answer(nonce);
  Bytes port = good;
  port[41] ^= 1;
  answer(port);
  EXPECT_EQ(mapper.counters().unmatched, 4u);
  for (size_t size = 0; size < good.size(); ++size) answer(ByteSpan(good).first(size));
  answer(request);  // an echo
  EXPECT_EQ(mapper.counters().malformed, good.size() + 1);
  EXPECT_EQ(mapped(), std::nullopt);
  answer(good);
  EXPECT_EQ(mapped(), kExternal);
}

TEST_F(MapperTest, RoutersThatKnowNatPmpOnlyAreAskedInIt) {
  begin();
  (void)sent();
  const uint8_t wrong[8] = {0, 0x81, 0, 1, 0, 0, 0, 9};
  answer(wrong);
  const auto requests = sent();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0], (Bytes{0, 0}));
  ASSERT_EQ(requests[1].size(), 12u);
  EXPECT_EQ(requests[1][1], 1);
  EXPECT_EQ(loadU16(&requests[1][4]), 5007);
  Bytes map{0, 129, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 14, 16};
  storeU16(&map[8], 5007);
  storeU16(&map[10], 40'000);
  const Bytes address{0, 128, 0, 0, 0, 0, 0, 9, 203, 0, 113, 5};
  // In either order.
  answer(map);
  EXPECT_EQ(mapped(), std::nullopt);
  answer(address);
  EXPECT_EQ(mapped(), kExternal);
}

TEST_F(MapperTest, AnEpochThatFellBehindAsksForAllMappingsAnew) {
  begin({SocketId(1), SocketId(2)});
  auto requests = sent();
  ASSERT_EQ(requests.size(), 2u);
  answer(pcpAnswer(requests[0], 0, 7200, 50'000, kExternal));
  answer(pcpAnswer(requests[1], 0, 3600, 50'000, {kExternal.ip, 40'001}));
  // The second is renewed first, by a router that has just begun.
  while (sent().empty() && mapper.nextDeadline() < now + Duration::seconds(3000)) {
    now = mapper.nextDeadline();
    mapper.advance(now);
    requests = sent();
    if (!requests.empty()) break;
  }
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(loadU16(&requests[0][42]), 40'001) << "the same port, if it can be had";
  answer(pcpAnswer(requests[0], 0, 3600, 5, {kExternal.ip, 40'001}));
  EXPECT_EQ(mapper.counters().restarts, 1u);
  EXPECT_EQ(sent().size(), 1u);
}

TEST_F(MapperTest, AMappingThatIsNotRenewedEndsWithItsLifetime) {
  begin();
  answer(pcpAnswer(sent()[0], 0, 600, 10, kExternal));
  EXPECT_EQ(mapped(), kExternal);
  pass(Duration::seconds(599));
  PortMapperEvent event;
  EXPECT_FALSE(mapper.pollEvent(event));
  pass(Duration::seconds(2));
  ASSERT_TRUE(mapper.pollEvent(event));
  EXPECT_TRUE(std::holds_alternative<PortUnmapped>(event));
  EXPECT_GT(sent().size(), 8u);
}

TEST_F(MapperTest, ClosingEndsMappingsBeforeTheSocketGoes) {
  begin();
  answer(pcpAnswer(sent()[0], 0, 600, 10, kExternal));
  mapper.close(now);
  const auto last = sent();
  ASSERT_EQ(last.size(), 1u);
  EXPECT_EQ(loadU32(&last[0][4]), 0u);
  Effect effect;
  EXPECT_FALSE(mapper.pollEffect(effect));
  pass(Duration::seconds(1));
  ASSERT_TRUE(mapper.pollEffect(effect));
  EXPECT_EQ(std::get<CloseSocket>(effect).socket, client);
  EXPECT_TRUE(mapper.nextDeadline().isNever());
}

TEST_F(MapperTest, LifetimesThatAreNoneAreBounded) {
  begin();
  answer(pcpAnswer(sent()[0], 0, 1, 10, kExternal));
  const Timestamp before = now;
  EXPECT_GE(mapper.nextDeadline() - before, Duration::seconds(60)) << "not every second";
}

TEST_F(MapperTest, OtherSocketsAreNoneOfItsBusiness) {
  mapper.add(SocketId(1), {IpAddress::loopback(AddressFamily::V4), 5000}, now);
  mapper.add(SocketId(2), {IpAddress::loopback(AddressFamily::V6), 5000}, now);
  Effect effect;
  EXPECT_FALSE(mapper.pollEffect(effect));
  EXPECT_TRUE(mapper.settled());
  EXPECT_FALSE(mapper.handleDatagram(SocketId(1), kRouter, {}, now));
  EXPECT_FALSE(mapper.handleResolved({ResolveId(0), {}}, now));
}

}  // namespace
}  // namespace parley::ice
