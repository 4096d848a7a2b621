#include "ice/address_selection.h"

#include <algorithm>

namespace parley::ice {
namespace {

bool isUsable(const IpAddress& ip, const NetworkInterface& interface,
              const GathererConfig& config) {
  if (!(ip.isV4() ? config.ipv4 : config.ipv6)) return false;
  if (ip.isUnspecified() || ip.isMulticast() || ip.isBroadcast() || ip.isV4Mapped()) return false;
  const bool siteLocal = ip.isV6() && ip.bytes()[0] == 0xfe && (ip.bytes()[1] & 0xc0) == 0xc0;
  if (siteLocal) return false;
  if (config.useAddress && !config.useAddress(interface, ip)) return false;
  if (ip.isLoopback() || interface.isLoopback) return config.includeLoopback;
  return !ip.isLinkLocal() || config.includeLinkLocal;
}

/// RFC 4291 appendix A: an interface identifier made from a MAC address has ff:fe in its middle.
bool spellsHardwareAddress(const IpAddress& ip) {
  return ip.isV6() && ip.bytes()[11] == 0xff && ip.bytes()[12] == 0xfe;
}

bool samePrefix64(const IpAddress& a, const IpAddress& b) {
  return a.isV6() && b.isV6() &&
         std::equal(a.bytes().begin(), a.bytes().begin() + 8, b.bytes().begin());
}

void dropTrackable(std::vector<IpAddress>& addresses) {
  const std::vector<IpAddress> all = addresses;
  std::erase_if(addresses, [&](const IpAddress& ip) {
    return spellsHardwareAddress(ip) && std::any_of(all.begin(), all.end(), [&](const auto& other) {
             return samePrefix64(ip, other) && !spellsHardwareAddress(other);
           });
  });
}

}  // namespace

std::vector<IpAddress> selectHostAddresses(std::span<const NetworkInterface> interfaces,
                                           const GathererConfig& config) {
  std::vector<IpAddress> v6;
  std::vector<IpAddress> v4;
  std::vector<IpAddress> loopback;
  for (const NetworkInterface& interface : interfaces) {
    if (!interface.isUp) continue;
    std::vector<IpAddress> addresses;
    for (const IpAddress& ip : interface.addresses) {
      if (isUsable(ip, interface, config)) addresses.push_back(ip);
    }
    dropTrackable(addresses);
    for (const IpAddress& ip : addresses) {
      (ip.isLoopback() ? loopback : ip.isV6() ? v6 : v4).push_back(ip);
    }
  }

  std::vector<IpAddress> ranked;
  const auto append = [&](const IpAddress& ip) {
    const bool known = std::find(ranked.begin(), ranked.end(), ip) != ranked.end();
    if (!known && ranked.size() < kMaxHostAddresses) ranked.push_back(ip);
  };
  for (size_t i = 0; i < std::max(v6.size(), v4.size()); ++i) {
    if (i < v6.size()) append(v6[i]);
    if (i < v4.size()) append(v4[i]);
  }
  for (const IpAddress& ip : loopback) append(ip);
  return ranked;
}

}  // namespace parley::ice
