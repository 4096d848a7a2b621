#include "parley/ice/candidate.h"

#include <algorithm>

#include "parley/base/text.h"

namespace parley::ice {

const char* toString(CandidateType type) {
  switch (type) {
    case CandidateType::Host:
      return "host";
    case CandidateType::ServerReflexive:
      return "srflx";
    case CandidateType::PeerReflexive:
      return "prflx";
    case CandidateType::Relay:
      return "relay";
  }
  return "?";
}

const char* toString(TcpType type) {
  switch (type) {
    case TcpType::Active:
      return "active";
    case TcpType::Passive:
      return "passive";
    case TcpType::SimultaneousOpen:
      return "so";
  }
  return "?";
}

const char* toString(Role role) {
  return role == Role::Controlling ? "controlling" : "controlled";
}

Credentials Credentials::generate(Random& random) {
  return {random.iceChars(8), random.iceChars(24)};
}

uint32_t typePreference(CandidateType type, Protocol protocol) {
  if (protocol == Protocol::Tcp) {
    switch (type) {
      case CandidateType::Host:
        return 90;
      case CandidateType::PeerReflexive:
        return 80;
      case CandidateType::ServerReflexive:
        return 70;
      case CandidateType::Relay:
        return 0;
    }
  }
  switch (type) {
    case CandidateType::Host:
      return 126;
    case CandidateType::PeerReflexive:
      return 110;
    case CandidateType::ServerReflexive:
      return 100;
    case CandidateType::Relay:
      return 0;
  }
  return 0;
}

uint32_t candidatePriority(CandidateType type, uint16_t localPreference, uint32_t component,
                           Protocol protocol) {
  return typePreference(type, protocol) << 24 | static_cast<uint32_t>(localPreference) << 8 |
         (256 - std::clamp(component, 1u, 256u));
}

uint16_t tcpLocalPreference(CandidateType type, TcpType tcpType, uint16_t other) {
  const bool reflexive =
      type == CandidateType::ServerReflexive || type == CandidateType::PeerReflexive;
  unsigned direction = 0;
  switch (tcpType) {
    case TcpType::Active:
      direction = reflexive ? 4 : 6;
      break;
    case TcpType::Passive:
      direction = reflexive ? 2 : 4;
      break;
    case TcpType::SimultaneousOpen:
      direction = reflexive ? 6 : 2;
      break;
  }
  return static_cast<uint16_t>(direction << 13 | (other & 0x1FFFu));
}

TcpType counterpartOf(TcpType type) {
  switch (type) {
    case TcpType::Active:
      return TcpType::Passive;
    case TcpType::Passive:
      return TcpType::Active;
    case TcpType::SimultaneousOpen:
      break;
  }
  return TcpType::SimultaneousOpen;
}

uint64_t pairPriority(uint32_t controlling, uint32_t controlled) {
  const uint64_t low = std::min(controlling, controlled);
  const uint64_t high = std::max(controlling, controlled);
  return (low << 32) + 2 * high + (controlling > controlled ? 1 : 0);
}

bool isMdnsCandidateName(std::string_view hostname) {
  constexpr std::string_view kSuffix = ".local";
  constexpr size_t kUuidLength = 36;
  if (hostname.size() != kUuidLength + kSuffix.size()) return false;
  if (!equalsIgnoreCase(hostname.substr(kUuidLength), kSuffix)) return false;
  for (size_t i = 0; i < kUuidLength; ++i) {
    const char c = hostname[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return hostname[14] == '4';
}

bool isAcceptableRemote(const SocketAddress& address, bool denyPrivate) {
  if (address.port == 0 || address.ip.isV4Mapped()) return false;
  const IpAddress ip = address.ip.canonical();
  if (ip.isUnspecified() || ip.isMulticast() || ip.isBroadcast()) return false;
  // 0.0.0.0/8 is "this network" (RFC 1122 section 3.2.1.3): some systems deliver it locally.
  if (ip.isV4() && ip.bytes()[0] == 0) return false;
  const bool inner = ip.isLoopback() || ip.isLinkLocal() || ip.isPrivate();
  // An address that translates into IPv4 is for reaching the public IPv4 network, nothing else.
  if (ip != address.ip && inner) return false;
  return !(denyPrivate && inner);
}

bool isAcceptableTcpPort(uint16_t port, bool denyPrivate) {
  return port >= 1024 || (!denyPrivate && (port == 80 || port == 443));
}

}  // namespace parley::ice
