// The names that hide the addresses of host candidates: draft-ietf-mmusic-mdns-ice-candidates.

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "ice/gatherer_core.h"

namespace parley::ice {
namespace {

/// A version 4 UUID (RFC 9562 section 5.4), as section 3.1.1 of the draft wants it.
std::string randomName(Random& random) {
  std::array<uint8_t, 16> bytes{};
  random.fill(bytes);
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out + ".local";
}

}  // namespace

void GathererCore::hide(Candidate& candidate) {
  if (!config_.hideHosts) return;
  if (candidate.type == CandidateType::ServerReflexive) {
    // Section 3.1.2.2 of the draft: nor may the address be told beside another.
    candidate.relatedAddress = SocketAddress{IpAddress::any(candidate.address.ip.family()), 0};
  }
  const bool announced = candidate.base && candidate.base->ip != candidate.address.ip;
  if (candidate.type != CandidateType::Host || announced) return;
  candidate.hostname = nameOf(candidate.address.ip);
}

/// One name for an address, whatever uses it: a peer may tell from two that they are one.
const std::string& GathererCore::nameOf(const IpAddress& address) {
  for (const HostName& known : names_) {
    if (known.address == address) return known.name;
  }
  if (names_.size() == kMaxNames) {
    names_.front().inUse = false;
    nameChanges_.push(names_.front());
    names_.erase(names_.begin());
  }
  names_.push_back({randomName(env_.random), address});
  nameChanges_.push(names_.back());
  return names_.back().name;
}

void GathererCore::forgetNames(const std::vector<IpAddress>& addresses) {
  for (size_t i = names_.size(); i-- > 0;) {
    if (std::find(addresses.begin(), addresses.end(), names_[i].address) != addresses.end())
      continue;
    names_[i].inUse = false;
    nameChanges_.push(names_[i]);
    names_.erase(names_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace parley::ice
