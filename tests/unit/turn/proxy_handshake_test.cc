#include "turn/proxy_handshake.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::turn {
namespace {

using Status = ProxyHandshake::Status;
using test::fromHex;
using test::toHex;

Proxy http() {
  return {Proxy::Kind::HttpConnect, "proxy", 8080};
}
Proxy socks() {
  return {Proxy::Kind::Socks5, "proxy", 1080};
}

struct Exchange {
  explicit Exchange(ProxyHandshake h) : handshake(std::move(h)) { first = handshake.start(); }
  /// Feeds in pieces of `chunk` bytes.
  Status feed(ByteSpan bytes, size_t chunk = 1000) {
    Status status = Status::NeedMore;
    rest = bytes;
    while (!rest.empty() && status == Status::NeedMore) {
      ByteSpan piece = rest.first(std::min(chunk, rest.size()));
      const size_t before = piece.size();
      Bytes more;
      status = handshake.handle(piece, more);
      reply.insert(reply.end(), more.begin(), more.end());
      rest = rest.subspan(before - piece.size());
    }
    return status;
  }
  ProxyHandshake handshake;
  Bytes first;
  Bytes reply;
  ByteSpan rest;
};

TEST(HttpConnectTest, AsksForTheTunnelAndLeavesItsFirstBytes) {
  for (const size_t chunk : {1u, 7u, 1000u}) {
    Exchange x(ProxyHandshake(http(), "turn.example", 5349));
    EXPECT_EQ(asText(x.first),
              "CONNECT turn.example:5349 HTTP/1.1\r\nHost: turn.example:5349\r\n\r\n");
    const std::string answer = "HTTP/1.1 200 Connection established\r\nVia: p\r\n\r\ntunnel";
    EXPECT_EQ(x.feed(asBytes(answer), chunk), Status::Done);
    EXPECT_EQ(asText(x.rest), "tunnel");
    EXPECT_TRUE(x.reply.empty());
  }
}

TEST(HttpConnectTest, SendsCredentialsAndBracketsIpv6) {
  Proxy proxy = http();
  proxy.username = "Aladdin";
  proxy.password = "open sesame";
  const Bytes first = ProxyHandshake(proxy, "2001:db8::1", 3478).start();
  // RFC 7617 section 2 has this pair.
  EXPECT_EQ(asText(first),
            "CONNECT [2001:db8::1]:3478 HTTP/1.1\r\nHost: [2001:db8::1]:3478\r\n"
            "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

TEST(HttpConnectTest, RefusalsSayWhy) {
  const auto error = [](const char* answer) {
    Exchange x(ProxyHandshake(http(), "turn.example", 5349));
    EXPECT_EQ(x.feed(asBytes(answer)), Status::Failed);
    return x.handshake.error();
  };
  EXPECT_EQ(error("HTTP/1.1 403 Forbidden\r\n\r\n"), "proxy: it answers 403 Forbidden");
  EXPECT_EQ(error("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
            "proxy: it wants another user name or password (407)");
  EXPECT_EQ(error("SSH-2.0-OpenSSH_9\r\n\r\n"), "proxy: the answer is not HTTP");
  EXPECT_EQ(error(std::string(10'000, 'x').c_str()), "proxy: the answer does not end");
}

TEST(Socks5Test, ConnectsByName) {
  for (const size_t chunk : {1u, 1000u}) {
    Exchange x(ProxyHandshake(socks(), "turn.example", 5349));
    EXPECT_EQ(toHex(x.first), "050100");
    EXPECT_EQ(x.feed(fromHex("0500"), chunk), Status::NeedMore);
    EXPECT_EQ(toHex(x.reply), "050100030c7475726e2e6578616d706c6514e5");
    const Bytes answer = fromHex("0500000101020304aabb 16030300");
    EXPECT_EQ(x.feed(answer, chunk), Status::Done);
    EXPECT_EQ(toHex(x.rest), "16030300");
  }
}

TEST(Socks5Test, LogsInAndConnectsByAddress) {
  Proxy proxy = socks();
  proxy.username = "me";
  proxy.password = "pw";
  Exchange x(ProxyHandshake(proxy, "192.0.2.1", 3478));
  EXPECT_EQ(toHex(x.first), "05020002");
  EXPECT_EQ(x.feed(fromHex("0502")), Status::NeedMore);
  EXPECT_EQ(toHex(x.reply), "01026d65027077");
  x.reply.clear();
  EXPECT_EQ(x.feed(fromHex("0100")), Status::NeedMore);
  EXPECT_EQ(toHex(x.reply), "05010001c00002010d96");
  EXPECT_EQ(x.feed(fromHex("0500000307757365642e6279 1234")), Status::Done);
  EXPECT_TRUE(x.rest.empty());
}

TEST(Socks5Test, RefusalsSayWhy) {
  const auto error = [](Proxy proxy, std::vector<const char*> answers) {
    Exchange x(ProxyHandshake(proxy, "192.0.2.1", 3478));
    Status status = Status::NeedMore;
    for (const char* answer : answers) status = x.feed(fromHex(answer));
    EXPECT_EQ(status, Status::Failed);
    return x.handshake.error();
  };
  Proxy login = socks();
  login.username = "me";
  EXPECT_EQ(error(socks(), {"05ff"}), "proxy: it wants an authentication that is not there");
  EXPECT_EQ(error(socks(), {"0502"}), "proxy: it wants an authentication that is not there");
  EXPECT_EQ(error(login, {"0502", "0101"}), "proxy: it refuses the user name or password");
  EXPECT_EQ(error(socks(), {"0500", "0502000100"}), "proxy: connection not allowed by its rules");
  EXPECT_EQ(error(socks(), {"0500", "0505000100"}), "proxy: connection refused");
  EXPECT_EQ(error(socks(), {"0500", "0500000900"}),
            "proxy: the answer has an unknown address type");
  EXPECT_EQ(error(socks(), {"4854"}), "proxy: the answer is not SOCKS 5");
}

}  // namespace
}  // namespace parley::turn
