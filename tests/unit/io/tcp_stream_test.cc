#include "parley/io/tcp_stream.h"

#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "unit/io/event_loop_fixture.h"

namespace parley::io {
namespace {

class TcpTest : public EventLoopTest {
 protected:
  void SetUp() override { loop.add(b); }
  void connect() {
    b.effects.push_back(ListenTcp{SocketId(9), kLoopback});
    loop.process();
    loop.process();
    ASSERT_EQ(b.opened.size(), 1u);
    a.effects.push_back(OpenTcp{SocketId(1), openedAddress(b), {}});
    loop.wake();
    runUntil([&] { return !a.opened.empty() && !b.accepted.empty(); });
  }
};

TEST_F(TcpTest, ConnectsAcceptsAndCarriesBothWays) {
  connect();
  EXPECT_EQ(b.accepted[0].listener, SocketId(9));
  EXPECT_GE(b.accepted[0].socket.value, 0x80000000u);
  EXPECT_EQ(b.accepted[0].remote, openedAddress(a));
  EXPECT_EQ(b.accepted[0].local, openedAddress(b));
  a.send(1, {}, "to b");
  b.send(b.accepted[0].socket, {}, "to a");
  loop.wake();
  runUntil([&] { return !a.stream.empty() && !b.stream.empty(); });
  EXPECT_EQ(b.stream, "to b");
  EXPECT_EQ(a.stream, "to a");
}

TEST_F(TcpTest, BytesWrittenWhileConnectingArrive) {
  b.effects.push_back(ListenTcp{SocketId(9), kLoopback});
  loop.process();
  loop.process();
  a.effects.push_back(OpenTcp{SocketId(1), openedAddress(b), {}});
  loop.process();
  a.send(1, {}, "early");
  loop.wake();
  runUntil([&] { return b.stream == "early"; });
}

TEST_F(TcpTest, ConnectsFromTheAddressItListensOn) {
  a.effects.push_back(ListenTcp{.socket = SocketId(8), .local = kLoopback, .mayConnect = true});
  b.effects.push_back(ListenTcp{.socket = SocketId(9), .local = kLoopback, .mayConnect = true});
  loop.process();
  loop.process();
  const SocketAddress own = openedAddress(a);
  a.effects.push_back(OpenTcp{SocketId(1), openedAddress(b), own.ip, own.port});
  loop.wake();
  runUntil([&] { return a.opened.size() == 2 && !b.accepted.empty(); });
  EXPECT_EQ(b.accepted[0].remote, own);
  // There it is: the other side cannot open it as well.
  b.effects.push_back(OpenTcp{SocketId(2), own, openedAddress(b).ip, openedAddress(b).port});
  loop.wake();
  runUntil([&] { return !b.failed.empty(); });
  a.send(1, {}, "to b");
  loop.wake();
  runUntil([&] { return b.stream == "to b"; });
}

TEST_F(TcpTest, LargeTransferArrivesWholeAndCloseFollows) {
  connect();
  std::string expected;
  for (int i = 0; i < 900; ++i) {
    const std::string chunk(1000, static_cast<char>('a' + i % 26));
    expected += chunk;
    a.send(1, {}, chunk);
  }
  loop.process();
  a.effects.push_back(CloseSocket{SocketId(1)});
  loop.wake();
  runUntil([&] { return !b.failed.empty(); });
  EXPECT_EQ(b.stream, expected);
  EXPECT_EQ(b.failed[0].socket, b.accepted[0].socket);
  EXPECT_EQ(b.failed[0].reason, SocketFailure::Closed);
  EXPECT_TRUE(a.failed.empty());
}

TEST_F(TcpTest, RefusedConnectionFails) {
  b.effects.push_back(ListenTcp{SocketId(9), kLoopback});
  loop.process();
  loop.process();
  b.effects.push_back(CloseSocket{SocketId(9)});
  loop.wake();
  loop.process();
  a.effects.push_back(OpenTcp{SocketId(1), openedAddress(b), {}});
  loop.wake();
  runUntil([&] { return !a.failed.empty(); });
  EXPECT_EQ(a.failed[0].reason, SocketFailure::Refused);
  EXPECT_TRUE(a.opened.empty());
}

TEST_F(TcpTest, ConnectingHasFiveSecondsAndAConnectionHasNoDeadline) {
  SocketFailure failure{};
  auto listener = TcpListener::listen({SocketId(1), kLoopback}, failure);
  auto stream =
      TcpStream::connect({SocketId(2), listener->local(), {}}, Timestamp::seconds(100), failure);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->deadline(), Timestamp::seconds(105));
  std::optional<SocketFailure> ended;
  EXPECT_TRUE(stream->finishConnecting(ended));
  EXPECT_TRUE(stream->deadline().isNever());
  stream->close(Timestamp::seconds(200));
  EXPECT_TRUE(stream->isDone());
}

TEST_F(TcpTest, ProgramsThatAreStartedInheritNoDescriptor) {
  const auto inheritable = [] {
    std::vector<int> found;
    for (int fd = 0; fd < 1024; ++fd) {
      const int flags = fcntl(fd, F_GETFD);
      if (flags >= 0 && (flags & FD_CLOEXEC) == 0) found.push_back(fd);
    }
    return found;
  };
  const std::vector<int> before = inheritable();
  SocketFailure failure{};
  const auto listener = TcpListener::listen({SocketId(1), kLoopback}, failure);
  ASSERT_NE(listener, nullptr);
  EXPECT_EQ(inheritable(), before);
}

TEST_F(TcpTest, AHeldStreamSlowsItsSenderDownAndLosesNothing) {
  connect();
  const SocketId held = b.accepted[0].socket;
  b.effects.push_back(HoldStream{held, true});
  loop.wake();
  loop.process();
  loop.process();
  std::string expected;
  // More than the system's buffers take.
  while (a.pressure.empty() && expected.size() < 64'000'000) {
    for (int i = 0; i < 60; ++i) {
      const std::string chunk(1000, static_cast<char>('a' + (expected.size() / 1000) % 26));
      expected += chunk;
      a.send(1, {}, chunk);
    }
    loop.wake();
    loop.process();
  }
  ASSERT_FALSE(a.pressure.empty());
  EXPECT_TRUE(a.pressure[0]);
  EXPECT_EQ(b.stream, "");
  a.effects.push_back(CloseSocket{SocketId(1)});
  loop.wake();
  loop.process();
  EXPECT_TRUE(b.failed.empty());
  b.effects.push_back(HoldStream{held, false});
  loop.wake();
  runUntil([&] { return !b.failed.empty(); });
  EXPECT_EQ(b.failed[0].reason, SocketFailure::Closed);
  EXPECT_EQ(b.stream.size(), expected.size());
  EXPECT_TRUE(b.stream == expected);
}

// A reset is told though nobody reads, and does not have the loop spin.
TEST_F(TcpTest, AHeldStreamThatIsResetFails) {
  connect();
  const SocketId held = b.accepted[0].socket;
  a.send(1, {}, "unread");
  loop.process();
  b.effects.push_back(HoldStream{held, true});
  a.effects.push_back(HoldStream{SocketId(1), true});
  loop.wake();
  loop.process();
  b.send(held, {}, "unread by a, so that its end is a reset");
  loop.wake();
  loop.process();
  a.effects.push_back(CloseSocket{SocketId(1)});
  loop.wake();
  runUntil([&] { return !b.failed.empty(); });
  EXPECT_EQ(b.failed[0].reason, SocketFailure::Reset);
  b.effects.push_back(HoldStream{held, false});  // one that is gone
  loop.wake();
  loop.process();
}

TEST_F(TcpTest, ConnectingMayBeGivenMoreTime) {
  SocketFailure failure{};
  auto listener = TcpListener::listen({SocketId(1), kLoopback}, failure);
  OpenTcp request{SocketId(2), listener->local(), {}};
  request.timeout = Duration::seconds(30);
  auto stream = TcpStream::connect(request, Timestamp::seconds(100), failure);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->deadline(), Timestamp::seconds(130));
}

TEST_F(TcpTest, MediaIsDroppedBeforeAnUnreadStreamFails) {
  PacketPool pool;
  SocketFailure failure{};
  auto listener = TcpListener::listen({SocketId(1), kLoopback}, failure);
  auto stream = TcpStream::connect({SocketId(2), listener->local(), {}}, {}, failure);
  SocketAddress remote;
  pollfd wait{listener->fd(), POLLIN, 0};
  ASSERT_EQ(poll(&wait, 1, 2000), 1);
  auto peer = listener->accept(remote);
  std::optional<SocketFailure> ended;
  ASSERT_TRUE(stream->finishConnecting(ended));
  const auto write = [&](TxClass txClass) {
    TxPacket packet;
    packet.txClass = txClass;
    packet.data = pool.allocate();
    packet.data.resize(1500);
    return stream->write(std::move(packet));
  };
  EXPECT_EQ(stream->takePressureChange(), std::nullopt);
  // Nobody reads: the kernel's buffers fill, then ours.
  while (stream->droppedMedia() == 0) ASSERT_FALSE(write(TxClass::Media).has_value());
  EXPECT_EQ(stream->takePressureChange(), true);
  EXPECT_EQ(stream->takePressureChange(), std::nullopt);
  EXPECT_FALSE(write(TxClass::Control).has_value());
  while (!ended) ended = write(TxClass::Control);
  EXPECT_EQ(*ended, SocketFailure::Other);
  EXPECT_LE(pool.inUse() * 1500, TcpStream::kMaxQueued);
}

TEST(TcpLimit, ListenerClosesWhatIsTooMany) {
  test::ScriptedDriven server;
  test::ScriptedDriven client;
  EventLoop loop(server);
  loop.add(client);
  server.effects.push_back(ListenTcp{.socket = SocketId(1), .local = kLoopback, .maxAccepted = 2});
  loop.process();
  loop.process();
  for (uint32_t i = 1; i <= 3; ++i)
    client.effects.push_back(OpenTcp{SocketId(i), server.opened.at(0).local, {}});
  const auto step = [&](auto done) {
    for (int i = 0; i < 1000 && !done(); ++i) {
      pollfd wait{loop.fd(), POLLIN, 0};
      loop.wake();
      poll(&wait, 1, 10);
      loop.process();
    }
    EXPECT_TRUE(done());
  };
  step([&] { return client.failed.size() == 1; });
  EXPECT_EQ(server.accepted.size(), 2u);
  // One that goes makes room.
  server.effects.push_back(CloseSocket{server.accepted[0].socket});
  step([&] { return client.failed.size() == 2; });
  client.effects.push_back(OpenTcp{SocketId(4), server.opened.at(0).local, {}});
  step([&] { return server.accepted.size() == 3; });
}

}  // namespace
}  // namespace parley::io
