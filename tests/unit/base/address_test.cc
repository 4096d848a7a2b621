#include "parley/base/address.h"

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(IpAddress, TextRoundTripsInRfc5952Form) {
  for (const char* text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::1",
                           "2001:db8:0:1:1:1:1:1", "fe80::1:0:0:1", "::ffff:192.0.2.1"}) {
    const auto a = IpAddress::parse(text);
    ASSERT_TRUE(a) << text;
    EXPECT_EQ(a->toString(), text);
  }
  EXPECT_EQ(IpAddress::parse("2001:0DB8:0:0::0:1")->toString(), "2001:db8::1");
}

TEST(IpAddress, RefusesWhatIsNotAnAddress) {
  for (const char* text :
       {"", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::12345", "fe80::1%eth0", "::1.2.3",
        "1.2.3.4::", "host.example", "1:2:3:4:5:6:7::8"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(IpAddress, CanonicalUndoesIpv4InIpv6Encodings) {
  const IpAddress loopback = IpAddress::v4(127, 0, 0, 1);
  EXPECT_EQ(IpAddress::parse("::ffff:127.0.0.1")->canonical(), loopback);
  EXPECT_EQ(IpAddress::parse("64:ff9b::7f00:1")->canonical(), loopback);
  EXPECT_EQ(IpAddress::parse("2002:7f00:1::")->canonical(), loopback);
}

TEST(SocketAddress, ParsesBothFamilies) {
  EXPECT_EQ(SocketAddress::parse("[::1]:80")->toString(), "[::1]:80");
  EXPECT_EQ(SocketAddress::parse("192.0.2.1:65535")->port, 65535);
  EXPECT_FALSE(SocketAddress::parse("::1:80"));
  EXPECT_FALSE(SocketAddress::parse("192.0.2.1:65536"));
}

}  // namespace
}  // namespace parley
