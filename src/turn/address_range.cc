#include "parley/turn/address_range.h"

#include <algorithm>
#include <array>

#include "parley/base/text.h"

namespace parley::turn {
namespace {

struct V4Range {
  uint32_t network;
  uint32_t mask;
};
constexpr V4Range v4(uint32_t a, uint32_t b, uint32_t c, unsigned prefix) {
  return {a << 24 | b << 16 | c << 8, prefix == 0 ? 0u : ~uint32_t{0} << (32 - prefix)};
}
// RFC 6890. Documentation ranges are not among them: nobody is there.
constexpr std::array<V4Range, 12> kV4{
    v4(0, 0, 0, 8),       // this network
    v4(10, 0, 0, 8),      // private
    v4(100, 64, 0, 10),   // carrier NAT
    v4(127, 0, 0, 8),     // loopback
    v4(169, 254, 0, 16),  // link-local, cloud metadata
    v4(172, 16, 0, 12),   // private
    v4(192, 0, 0, 24),    // protocol assignments
    v4(192, 88, 99, 24),  // 6to4 relays
    v4(192, 168, 0, 16),  // private
    v4(198, 18, 0, 15),   // benchmarking
    v4(224, 0, 0, 4),     // multicast
    v4(240, 0, 0, 4),     // reserved, broadcast
};

bool isSpecialV6(ByteSpan b) {
  const uint16_t first = loadU16(&b[0]);
  const bool zeros = std::all_of(b.begin(), b.begin() + 15, [](uint8_t x) { return x == 0; });
  return (zeros && b[15] <= 1) ||                       // unspecified, loopback
         (first & 0xFE00) == 0xFC00 ||                  // unique local
         (first & 0xFF80) == 0xFE80 ||                  // link-local; site-local, deprecated
         (first & 0xFF00) == 0xFF00 ||                  // multicast
         (first & 0xFFC0) == 0xFEC0 ||                  // site-local
         loadU32(&b[0]) == 0x20010000 ||                // Teredo: IPv4 inside
         loadU32(&b[0]) == 0x0064FF9B ||                // NAT64, well-known and local-use prefixes
         loadU64(&b[0]) == 0x0100000000000000 ||        // discard
         (loadU64(&b[0]) == 0 && loadU32(&b[8]) == 0);  // IPv4-compatible, deprecated
}

}  // namespace

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto network = IpAddress::parse(text.substr(0, slash));
  if (!network) return std::nullopt;
  const uint8_t most = network->isV4() ? 32 : 128;
  if (slash == std::string_view::npos) return AddressRange{*network, most};
  const auto prefix = parseNumber<uint8_t>(text.substr(slash + 1));
  if (!prefix || *prefix > most) return std::nullopt;
  return AddressRange{*network, *prefix};
}

bool AddressRange::contains(const IpAddress& address) const {
  if (address.family() != network.family()) return false;
  const ByteSpan a = address.bytes();
  const ByteSpan b = network.bytes();
  const size_t whole = prefix / 8u;
  if (!std::equal(a.begin(), a.begin() + static_cast<ptrdiff_t>(whole), b.begin())) return false;
  const unsigned rest = prefix % 8u;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool isSpecialPurpose(const IpAddress& address) {
  const IpAddress plain = address.canonical();
  if (plain.isV6()) return isSpecialV6(plain.bytes());
  // Nobody needs an IPv4 peer in IPv6's clothes: with a public address inside, too.
  if (address.isV6()) return true;
  const uint32_t value = plain.v4HostOrder();
  return std::any_of(kV4.begin(), kV4.end(), [value](const V4Range& range) {
    return (value & range.mask) == range.network;
  });
}

}  // namespace parley::turn
