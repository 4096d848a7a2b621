#include <string>

#include "parley/base/address.h"
#include "parley/base/text.h"

#include "api/configuration_check.h"

namespace parley::api_internal {
namespace {

constexpr uint16_t kDefaultStunPort = 3478;  // RFC 8489 section 8.1

bool isHostName(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (char c : host) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '.' || c == '_';
    if (!ok) return false;
  }
  return true;
}

Failure badUrl(std::string_view url, const char* what) {
  return fail(ErrorCode::Syntax,
              "ICE server URL \"" + std::string(url.substr(0, 128)) + "\": " + what);
}

}  // namespace

Result<ice::StunServer> parseIceUrl(std::string_view url) {
  std::string_view rest = url;
  const std::string scheme = toLower(cutToken(rest, ':'));
  if (scheme == "turn" || scheme == "turns" || scheme == "stuns") {
    return fail(ErrorCode::NotSupported, "ICE server URL \"" + std::string(url.substr(0, 128)) +
                                             "\": this version knows only stun: servers");
  }
  if (scheme != "stun") return badUrl(url, "expected stun:host[:port]");
  if (rest.find('?') != std::string_view::npos) return badUrl(url, "a stun: URL has no query");

  ice::StunServer server;
  server.url = std::string(url);
  server.port = kDefaultStunPort;
  std::string_view port;
  if (!rest.empty() && rest.front() == '[') {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos)
      return badUrl(url, "the bracket of the IPv6 address is not closed");
    server.host = std::string(rest.substr(1, close - 1));
    if (!IpAddress::parse(server.host)) return badUrl(url, "that is not an IPv6 address");
    port = rest.substr(close + 1);
    if (!port.empty() && port.front() != ':')
      return badUrl(url, "expected a colon and a port after the address");
    if (!port.empty()) port.remove_prefix(1);
    if (port.empty() && close + 1 < rest.size()) return badUrl(url, "the port is missing");
  } else {
    const bool hasPort = rest.find(':') != std::string_view::npos;
    server.host = std::string(cutToken(rest, ':'));
    if (!isHostName(server.host))
      return badUrl(url, "the host is missing or has impossible characters");
    if (hasPort && rest.empty()) return badUrl(url, "the port is missing");
    port = rest;
  }
  if (!port.empty()) {
    const auto number = parseNumber<uint16_t>(port);
    if (!number || *number == 0) return badUrl(url, "the port must be a number from 1 to 65535");
    server.port = *number;
  }
  return server;
}

}  // namespace parley::api_internal
