#pragma once

#include <span>
#include <vector>

#include "parley/base/driven.h"
#include "parley/ice/gatherer.h"

namespace parley::ice {

constexpr size_t kMaxHostAddresses = 32;

/// The local addresses that become host candidates, best first (RFC 8445 section 5.1.1.1, RFC 8835
/// section 3.2): no loopback or link-local ones unless asked for, nothing deprecated by its form
/// (site-local, IPv4-mapped), families taking turns (RFC 8421 section 4), loopback last. Where an
/// interface has several IPv6 addresses in one /64 those that spell out a hardware address are left
/// out: they would make the user trackable.
std::vector<IpAddress> selectHostAddresses(std::span<const NetworkInterface> interfaces,
                                           const GathererConfig& config);

}  // namespace parley::ice
