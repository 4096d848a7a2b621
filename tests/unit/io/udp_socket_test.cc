#include "parley/io/udp_socket.h"

#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "parley/io/interfaces.h"

#include "io/udp_syscalls.h"

namespace parley::io {
namespace {

const SocketAddress kLoopback4{IpAddress::v4(127, 0, 0, 1), 0};
const SocketAddress kLoopback6{IpAddress::loopback(AddressFamily::V6), 0};

class UdpSocketTest : public ::testing::Test {
 protected:
  std::unique_ptr<UdpSocket> open(const SocketAddress& local, UdpSocketOptions options = {}) {
    return UdpSocket::open({SocketId(1), local, false}, options, failure);
  }
  void add(const SocketAddress& to, const std::string& text, TxClass txClass = TxClass::Bulk) {
    TxPacket packet;
    packet.to = to;
    packet.data = pool.copyOf(asBytes(text));
    packet.txClass = txClass;
    packets.push_back(std::move(packet));
  }
  void flushTo(UdpSocket& socket) {
    socket.send(packets, {});
    packets.clear();
  }
  /// Reads until `count` datagrams came; loopback delivers on the sender's stack.
  std::vector<std::string> read(UdpSocket& socket, size_t count) {
    std::vector<std::string> texts;
    while (texts.size() < count) {
      pollfd wait{socket.fd(), POLLIN, 0};
      if (poll(&wait, 1, 2000) <= 0) break;
      for (Datagram& got : socket.receive(pool, received)) {
        last = {got.socket, got.from, got.to, {}, got.ecn};
        texts.emplace_back(asText(got.data.span()));
      }
    }
    return texts;
  }

  PacketPool pool;
  std::vector<TxPacket> packets;
  UdpReceiveBuffer received;
  Datagram last;
  SocketFailure failure = SocketFailure::Other;
};

TEST_F(UdpSocketTest, IsBoundToTheDeviceAskedFor) {
  UdpSocketOptions options;
  options.device = "lo";
  const auto socket = open(kLoopback4, options);
  if (!socket && failure == SocketFailure::Denied) GTEST_SKIP() << "a privilege before Linux 5.7";
  ASSERT_NE(socket, nullptr);
  char device[16] = {};
  socklen_t length = sizeof device;
  ASSERT_EQ(getsockopt(socket->fd(), SOL_SOCKET, SO_BINDTODEVICE, device, &length), 0);
  EXPECT_STREQ(device, "lo");
  options.device = "no-such-device";
  EXPECT_EQ(open(kLoopback4, options), nullptr);
  EXPECT_EQ(failure, SocketFailure::AddressNotAvailable);
}

TEST_F(UdpSocketTest, CarriesDatagramsWithAddressesAndEcn) {
  for (const SocketAddress& loopback : {kLoopback4, kLoopback6}) {
    auto a = open(loopback);
    auto b = open({IpAddress::any(loopback.ip.family()), 0});
    if (!a || !b) continue;  // a machine without IPv6
    const SocketAddress target{loopback.ip, b->local().port};
    add(target, "hello");
    packets.back().ecn = Ecn::Ect1;
    packets.back().dscp = 46;
    flushTo(*a);
    EXPECT_EQ(read(*b, 1), std::vector<std::string>{"hello"});
    EXPECT_EQ(last.from, a->local());
    EXPECT_EQ(last.to, target);
    EXPECT_EQ(last.ecn, Ecn::Ect1);
  }
}

TEST_F(UdpSocketTest, SendsFromTheAskedSourceAddress) {
  auto a = open({IpAddress::any(AddressFamily::V4), 0});
  auto b = open(kLoopback4);
  add(b->local(), "x");
  packets.back().from = IpAddress::v4(127, 0, 0, 77);
  flushTo(*a);
  ASSERT_EQ(read(*b, 1).size(), 1u);
  EXPECT_EQ(last.from, (SocketAddress{IpAddress::v4(127, 0, 0, 77), a->local().port}));
}

TEST_F(UdpSocketTest, EqualSizesBecomeOneSegmentedMessage) {
  auto a = open(kLoopback4);
  auto b = open(kLoopback4);
  for (int i = 0; i < 9; ++i) add(b->local(), std::string(1000, static_cast<char>('a' + i)));
  add(b->local(), "tail");
  flushTo(*a);
  const auto texts = read(*b, 10);
  ASSERT_EQ(texts.size(), 10u);
  EXPECT_EQ(texts[8], std::string(1000, 'i'));
  EXPECT_EQ(texts[9], "tail");
  EXPECT_EQ(a->counters().segmentedMessages, 1u);
  EXPECT_EQ(a->counters().segmentedDatagrams, 10u);
  EXPECT_EQ(a->counters().sendCalls, 1u);
}

TEST_F(UdpSocketTest, RunsOfDatagramsArriveWholeAndInOrder) {
  auto a = open(kLoopback4);
  auto b = open(kLoopback4);
  auto plain = open(kLoopback4, {.coalescing = false});
  for (const size_t size : {100u, 1200u, 1836u}) {
    for (UdpSocket* to : {b.get(), plain.get()}) {
      std::vector<std::string> sent;
      for (size_t i = 0; i < 40; ++i) {
        sent.push_back(std::string(i == 39 ? 7 : size, static_cast<char>('0' + i)));
        add(to->local(), sent.back());
      }
      flushTo(*a);
      EXPECT_EQ(read(*to, sent.size()), sent) << size;
      EXPECT_EQ(last.from, a->local());
    }
  }
  EXPECT_EQ(plain->counters().coalescedMessages, 0u);
  EXPECT_EQ(b->counters().datagramsReceived, 120u);
  received = {};
  EXPECT_EQ(pool.inUse(), 0u);
}

TEST_F(UdpSocketTest, DifferentDestinationsSizesAndMarksAreNotMerged) {
  auto a = open(kLoopback4);
  auto b = open(kLoopback4);
  auto c = open(kLoopback4);
  add(b->local(), "1000");
  add(c->local(), "1000");
  add(b->local(), "10000");
  add(b->local(), "10");
  add(b->local(), "10");
  packets.back().ecn = Ecn::Ect0;
  flushTo(*a);
  EXPECT_EQ(read(*b, 4), (std::vector<std::string>{"1000", "10000", "10", "10"}));
  EXPECT_EQ(read(*c, 1), std::vector<std::string>{"1000"});
  EXPECT_EQ(a->counters().segmentedDatagrams, 2u);  // "10000" and the shorter "10"
}

TEST_F(UdpSocketTest, OpenReportsWhyItFails) {
  auto a = open(kLoopback4);
  EXPECT_EQ(open(a->local()), nullptr);
  EXPECT_EQ(failure, SocketFailure::AddressInUse);
  EXPECT_EQ(open({IpAddress::v4(192, 0, 2, 1), 0}), nullptr);
  EXPECT_EQ(failure, SocketFailure::AddressNotAvailable);
}

TEST_F(UdpSocketTest, TooLargeArrivalsAreDroppedAndCounted) {
  auto a = open(kLoopback4);
  auto b = open(kLoopback4);
  PacketBuf big = pool.allocate();
  big.resize(big.writable().size());
  std::fill_n(big.data(), big.size(), uint8_t{'x'});
  TxPacket packet;
  packet.to = b->local();
  packet.data = std::move(big);
  packets.push_back(std::move(packet));
  add(b->local(), "small");
  flushTo(*a);
  EXPECT_EQ(read(*b, 1), std::vector<std::string>{"small"});
  EXPECT_EQ(b->counters().truncated, 1u);
}

TEST_F(UdpSocketTest, EmptyPoolDropsInsteadOfSpinning) {
  auto a = open(kLoopback4);
  auto b = open(kLoopback4);
  add(b->local(), "one");
  add(b->local(), "three");  // larger: a message of its own
  flushTo(*a);
  PacketPool empty(0);
  UdpReceiveBuffer nothing;
  EXPECT_TRUE(b->receive(empty, nothing).empty());
  EXPECT_EQ(b->counters().poolExhausted, 1u);
  EXPECT_EQ(read(*b, 1), std::vector<std::string>{"three"});
}

TEST_F(UdpSocketTest, IcmpErrorsDoNotEndTheSocket) {
  auto a = open(kLoopback4);
  auto gone = open(kLoopback4);
  auto b = open(kLoopback4);
  const SocketAddress dead = gone->local();
  gone.reset();
  for (int i = 0; i < 5; ++i) {
    add(dead, "nobody");
    add(b->local(), "somebody");
    flushTo(*a);
  }
  EXPECT_EQ(read(*b, 5).size(), 5u);
  EXPECT_EQ(a->counters().datagramsSent, 10u);
}

TEST_F(UdpSocketTest, UnsendableDatagramsAreCountedAndSkipped) {
  auto a = open(kLoopback4);
  auto b = open(kLoopback4);
  add({IpAddress::v4(192, 0, 2, 1), 9}, "from loopback there is no way out");
  add(b->local(), "fine");
  flushTo(*a);
  EXPECT_EQ(read(*b, 1), std::vector<std::string>{"fine"});
  EXPECT_EQ(a->counters().sendErrors, 1u);
}

// ---- with other system calls in place ----

int failures = 0;
int failureErrno = 0;
std::vector<size_t> segmentsSeen;

int failingSend(int fd, mmsghdr* messages, unsigned count, int flags) {
  segmentsSeen.push_back(messages[0].msg_hdr.msg_iovlen);
  if (failures-- > 0) {
    errno = failureErrno;
    return -1;
  }
  return ::sendmmsg(fd, messages, count, flags);
}

class UdpFaultTest : public UdpSocketTest {
 protected:
  void SetUp() override {
    segmentsSeen.clear();
    a = open(kLoopback4);
    b = open(kLoopback4);
    a->setSyscalls({.sendmmsg = failingSend});
  }
  void failNext(int count, int error) {
    failures = count;
    failureErrno = error;
  }
  std::unique_ptr<UdpSocket> a, b;
};

std::vector<int> discoveries;  // what IP_MTU_DISCOVER was for each datagram

int notingSend(int fd, mmsghdr* messages, unsigned count, int flags) {
  int value = -1;
  socklen_t length = sizeof value;
  getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &length);
  discoveries.insert(discoveries.end(), count, value);
  return ::sendmmsg(fd, messages, count, flags);
}

TEST_F(UdpFaultTest, OnlyQuestionsAboutThePathForbidFragments) {
  discoveries.clear();
  a->setSyscalls({.sendmmsg = notingSend});
  add(b->local(), "usual");
  add(b->local(), "probe");
  packets.back().dontFragment = true;
  add(b->local(), "after");
  flushTo(*a);
  EXPECT_EQ(discoveries, (std::vector<int>{IP_PMTUDISC_DONT, IP_PMTUDISC_PROBE, IP_PMTUDISC_DONT}));
}

TEST_F(UdpFaultTest, FullSocketQueuesByPriority) {
  failNext(1, EAGAIN);
  add(b->local(), "bulk!", TxClass::Bulk);
  add(b->local(), "video", TxClass::Media);
  add(b->local(), "audio", TxClass::Audio);
  add(b->local(), "stun!", TxClass::Control);
  flushTo(*a);
  EXPECT_TRUE(a->wantsWritable());
  add(b->local(), "dtls!", TxClass::Control);
  flushTo(*a);
  a->flush({});
  EXPECT_FALSE(a->wantsWritable());
  EXPECT_EQ(read(*b, 5), (std::vector<std::string>{"stun!", "dtls!", "audio", "video", "bulk!"}));
}

TEST_F(UdpFaultTest, OldMediaIsDroppedOnceTheSocketDrains) {
  failNext(2, EAGAIN);
  add(b->local(), "video", TxClass::Media);
  add(b->local(), "bulk", TxClass::Bulk);
  flushTo(*a);
  a->flush(Timestamp::millis(50));
  EXPECT_TRUE(a->wantsWritable());
  a->flush(Timestamp::millis(500));
  EXPECT_EQ(read(*b, 1), std::vector<std::string>{"bulk"});
  EXPECT_EQ(a->counters().queueDrops, 1u);
}

TEST_F(UdpFaultTest, SegmentationFallsBackForGood) {
  for (const int error : {EINVAL, EIO}) {
    SetUp();
    failNext(1, error);
    for (int i = 0; i < 3; ++i) add(b->local(), "same");
    flushTo(*a);
    for (int i = 0; i < 3; ++i) add(b->local(), "same");
    flushTo(*a);
    EXPECT_EQ(read(*b, 6).size(), 6u);
    EXPECT_EQ(segmentsSeen, (std::vector<size_t>{3, 1, 1}));
    EXPECT_EQ(a->counters().segmentedMessages, 0u);
    EXPECT_EQ(a->counters().sendErrors, 0u);
  }
}

TEST_F(UdpFaultTest, WhatCannotBeSentAtAllSaysNothingAboutSegmentation) {
  for (int i = 0; i < 2; ++i) add({b->local().ip, 0}, "to no port");
  flushTo(*a);
  EXPECT_EQ(a->counters().sendErrors, 2u);
  for (int i = 0; i < 3; ++i) add(b->local(), "same");
  flushTo(*a);
  EXPECT_EQ(read(*b, 3).size(), 3u);
  EXPECT_EQ(a->counters().segmentedDatagrams, 3u);
}

// RFC 768: "Source Port is an optional field ... If not used, a value of zero is inserted."
TEST_F(UdpSocketTest, WhoCannotBeAnsweredIsNotHeard) {
  auto b = open(kLoopback4);
  const int raw = ::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
  if (raw < 0) GTEST_SKIP() << "needs a privilege";
  const uint16_t port = htons(b->local().port);
  const std::array<uint16_t, 5> datagram{0, port, htons(10), 0, 0x6868};
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::sendto(raw, datagram.data(), 10, 0, reinterpret_cast<sockaddr*>(&to), sizeof to), 10);
  ::close(raw);
  auto a = open(kLoopback4);
  add(b->local(), "with a port");
  flushTo(*a);
  EXPECT_EQ(read(*b, 1), std::vector<std::string>{"with a port"});
  EXPECT_EQ(b->counters().datagramsReceived, 1u);
}

TEST_F(UdpFaultTest, TooBigForThePathIsGivenUpAlone) {
  failNext(1, EMSGSIZE);
  add(b->local(), "too big");
  add(b->local(), "fits after all");
  flushTo(*a);
  EXPECT_EQ(read(*b, 1), std::vector<std::string>{"fits after all"});
  EXPECT_EQ(a->counters().sendErrors, 1u);
}

TEST_F(UdpFaultTest, PendingRefusalIsNotThisDatagramsFault) {
  failNext(1, ECONNREFUSED);
  add(b->local(), "x");
  flushTo(*a);
  EXPECT_EQ(read(*b, 1).size(), 1u);
}

TEST(Interfaces, ListHoldsTheLoopback) {
  const auto list = listInterfaces();
  const auto loopback = std::find_if(list.begin(), list.end(),
                                     [](const NetworkInterface& i) { return i.isLoopback; });
  ASSERT_NE(loopback, list.end());
  EXPECT_TRUE(loopback->isUp);
  EXPECT_NE(loopback->index, 0u);
  EXPECT_GT(loopback->mtu, 1500u);
  EXPECT_EQ(std::count(loopback->addresses.begin(), loopback->addresses.end(),
                       IpAddress::v4(127, 0, 0, 1)),
            1);
}

TEST(Interfaces, WatcherSeesNoChangeWhereNoneIs) {
  InterfaceWatcher watcher;
  EXPECT_EQ(watcher.interfaces(), listInterfaces());
  EXPECT_FALSE(watcher.refresh());
}

}  // namespace
}  // namespace parley::io
