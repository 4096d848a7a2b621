#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "parley/base/address.h"
#include "parley/base/bytes.h"

// What a control point of an Internet Gateway Device says and hears: SSDP (UPnP Device Architecture
// 1.1, section 1), descriptions (section 2) and SOAP (section 3) of WANIPConnection:1, :2 and
// WANPPPConnection:1.

namespace parley::ice::upnp {

/// Where devices listen for searches.
inline constexpr uint16_t kSearchPort = 1900;
IpAddress searchGroup();

/// An http URL of a host on this link. Names are not looked up: a router knows its address.
struct Url {
  SocketAddress host;
  std::string path;  ///< printable ASCII, beginning with '/'
  bool operator==(const Url&) const = default;
};
std::optional<Url> parseUrl(std::string_view text);
/// RFC 3986 section 5.2, without "..". Nothing if it leads to another host than `base`.
std::optional<Url> resolveUrl(const Url& base, std::string_view reference);

/// Asks all gateways to tell where their descriptions are; `version` of the device.
std::string writeSearch(int version);
/// Where the description of a gateway is that answered from `from`. What leads elsewhere is none:
/// else anybody on the link could have us talk to any host.
std::optional<Url> parseSearchAnswer(ByteSpan datagram, const IpAddress& from);

/// A service that maps ports.
struct Service {
  std::string type;
  Url control;
  bool any = false;  ///< it chooses a free port where the wanted one is taken
};
std::optional<Service> parseDescription(std::string_view xml, const Url& location);

std::string writeGet(const Url& url);

struct PortMapping {
  uint16_t external = 0;
  SocketAddress internal;
  uint32_t lifetime = 0;  ///< seconds; 0: until it is deleted
  bool anyPort = false;   ///< AddAnyPortMapping
};
std::string writeAddressRequest(const Service& service);
std::string writeMap(const Service& service, const PortMapping& mapping);
std::string writeUnmap(const Service& service, uint16_t external);

/// What an answer to a SOAP request holds of what we ask for.
struct Answer {
  std::optional<int> error;
  std::optional<IpAddress> address;
  std::optional<uint16_t> port;
};
/// Nothing if it is no answer.
std::optional<Answer> parseAnswer(int httpCode, std::string_view xml);

// Error codes of WANIPConnection:1 section 2.4.16 and :2 section 2.5.16.
inline constexpr int kConflict = 718;
inline constexpr int kSamePortWanted = 724;
inline constexpr int kOnlyPermanent = 725;

}  // namespace parley::ice::upnp
