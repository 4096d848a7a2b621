#include "parley/io/interfaces.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/sockaddr.h"

namespace parley::io {
namespace {

uint32_t mtuOf(int fd, const char* name) {
  constexpr uint32_t kEthernet = 1500;
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request) != 0) return kEthernet;
  return static_cast<uint32_t>(request.ifr_mtu);
}

}  // namespace

std::vector<NetworkInterface> listInterfaces() {
  std::vector<NetworkInterface> list;
  ifaddrs* entries = nullptr;
  if (getifaddrs(&entries) != 0) return list;
  const Fd probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const ifaddrs* entry = entries; entry; entry = entry->ifa_next) {
    const uint32_t index = if_nametoindex(entry->ifa_name);
    auto at = std::find_if(list.begin(), list.end(),
                           [index](const NetworkInterface& i) { return i.index == index; });
    if (at == list.end()) {
      NetworkInterface interface;
      interface.name = entry->ifa_name;
      interface.index = index;
      interface.isLoopback = (entry->ifa_flags & IFF_LOOPBACK) != 0;
      interface.isUp = (entry->ifa_flags & IFF_UP) && (entry->ifa_flags & IFF_RUNNING);
      interface.mtu = mtuOf(probe.get(), entry->ifa_name);
      at = list.insert(list.end(), std::move(interface));
    }
    if (!entry->ifa_addr) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, entry->ifa_addr,
                family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    at->addresses.push_back(fromSockaddr(storage).ip);
  }
  freeifaddrs(entries);
  std::sort(list.begin(), list.end(),
            [](const NetworkInterface& a, const NetworkInterface& b) { return a.index < b.index; });
  return list;
}

InterfaceWatcher::InterfaceWatcher() {
  fd_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd_ >= 0) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }
  // Listed after subscribing, so that no change falls in between.
  list_ = listInterfaces();
}

InterfaceWatcher::~InterfaceWatcher() {
  if (fd_ >= 0) ::close(fd_);
}

bool InterfaceWatcher::refresh() {
  // What the notices say does not matter, and an overrun (ENOBUFS) is one more reason to list anew.
  std::array<uint8_t, 4096> ignored;
  while (fd_ >= 0 && ::recv(fd_, ignored.data(), ignored.size(), 0) > 0) {
  }
  std::vector<NetworkInterface> fresh = listInterfaces();
  if (fresh == list_) return false;
  list_ = std::move(fresh);
  return true;
}

}  // namespace parley::io
