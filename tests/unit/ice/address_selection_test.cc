#include "ice/address_selection.h"

#include <vector>

#include <gtest/gtest.h>

#include "unit/ice/gatherer_fixture.h"

namespace parley::ice {
namespace {

TEST(AddressSelectionTest, TakesUsableAddressesFamiliesInTurn) {
  const std::vector<NetworkInterface> all = {
      interface("lo", {ip("127.0.0.1"), ip("::1")}),
      interface("eth0", {ip("192.0.2.1"), ip("192.0.2.2"), ip("2001:db8::1"), ip("fe80::1"),
                         ip("::ffff:192.0.2.1"), ip("fec0::1"), ip("0.0.0.0")}),
  };
  GathererConfig config;
  EXPECT_EQ(selectHostAddresses(all, config),
            (std::vector<IpAddress>{ip("2001:db8::1"), ip("192.0.2.1"), ip("192.0.2.2")}));
  config.ipv6 = false;
  config.includeLoopback = true;
  EXPECT_EQ(selectHostAddresses(all, config),
            (std::vector<IpAddress>{ip("192.0.2.1"), ip("192.0.2.2"), ip("127.0.0.1")}));
}

TEST(AddressSelectionTest, PrefersUntrackableIpv6) {
  const std::vector<NetworkInterface> all = {
      interface("eth0", {ip("2001:db8::211:22ff:fe33:4455"), ip("2001:db8::7a1e:91c2:1:2")}),
      interface("eth1", {ip("2001:db8:1::211:22ff:fe33:4455")}),
  };
  EXPECT_EQ(selectHostAddresses(all, {}),
            (std::vector<IpAddress>{ip("2001:db8::7a1e:91c2:1:2"),
                                    ip("2001:db8:1::211:22ff:fe33:4455")}));
}

TEST(AddressSelectionTest, InterfacesThatAreDownAreSkipped) {
  NetworkInterface down = interface("eth0", {ip("192.0.2.1")});
  down.isUp = false;
  EXPECT_TRUE(selectHostAddresses({&down, 1}, {}).empty());
}

}  // namespace
}  // namespace parley::ice
