#include <string>

#include "parley/base/address.h"
#include "parley/base/text.h"

#include "api/configuration_check.h"

namespace parley::api_internal {
namespace {

constexpr uint16_t kDefaultStunPort = 3478;  // RFC 8489 section 8.1, RFC 7065 section 3.2
constexpr uint16_t kDefaultTurnsPort = 5349;

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

/// host[:port]; `port` keeps its default if there is none.
Result<void> parseHostPort(std::string_view url, std::string_view rest, std::string& host,
                           uint16_t& port) {
  std::string_view portText;
  if (!rest.empty() && rest.front() == '[') {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos)
      return badUrl(url, "the bracket of the IPv6 address is not closed");
    host = std::string(rest.substr(1, close - 1));
    if (!IpAddress::parse(host)) return badUrl(url, "that is not an IPv6 address");
    portText = rest.substr(close + 1);
    if (!portText.empty() && portText.front() != ':')
      return badUrl(url, "expected a colon and a port after the address");
    if (!portText.empty()) portText.remove_prefix(1);
    if (portText.empty() && close + 1 < rest.size()) return badUrl(url, "the port is missing");
  } else {
    const bool hasPort = rest.find(':') != std::string_view::npos;
    host = std::string(cutToken(rest, ':'));
    if (!isHostName(host)) return badUrl(url, "the host is missing or has impossible characters");
    if (hasPort && rest.empty()) return badUrl(url, "the port is missing");
    portText = rest;
  }
  if (portText.empty()) return ok();
  const auto number = parseNumber<uint16_t>(portText);
  if (!number || *number == 0) return badUrl(url, "the port must be a number from 1 to 65535");
  port = *number;
  return ok();
}

/// RFC 7065 section 3.2: the query decides between datagrams and a stream, the scheme whether it is
/// secure.
Result<turn::Transport> parseTransport(std::string_view url, std::string_view query, bool hasQuery,
                                       bool secure) {
  constexpr std::string_view kKey = "transport=";
  bool stream = secure;
  if (hasQuery) {
    if (!query.starts_with(kKey)) return badUrl(url, "expected ?transport=udp or ?transport=tcp");
    const std::string value = toLower(query.substr(kKey.size()));
    if (value != "udp" && value != "tcp") return badUrl(url, "the transport must be udp or tcp");
    stream = value == "tcp";
  }
  if (secure) return stream ? turn::Transport::Tls : turn::Transport::Dtls;
  return stream ? turn::Transport::Tcp : turn::Transport::Udp;
}

}  // namespace

Result<IceUrl> parseIceUrl(std::string_view url) {
  std::string_view rest = url;
  const std::string scheme = toLower(cutToken(rest, ':'));
  if (scheme == "stuns") {
    return fail(ErrorCode::NotSupported, "ICE server URL \"" + std::string(url.substr(0, 128)) +
                                             "\": STUN over TLS is of no use for UDP candidates");
  }
  const bool isTurn = scheme == "turn" || scheme == "turns";
  if (scheme != "stun" && !isTurn)
    return badUrl(url, "expected stun:host[:port], turn:host[:port] or turns:host[:port]");
  const size_t question = rest.find('?');
  const bool hasQuery = question != std::string_view::npos;
  const std::string_view query = hasQuery ? rest.substr(question + 1) : std::string_view{};
  if (hasQuery && !isTurn) return badUrl(url, "a stun: URL has no query");

  std::string host;
  const bool secure = scheme == "turns";
  uint16_t port = secure ? kDefaultTurnsPort : kDefaultStunPort;
  if (const auto parsed = parseHostPort(url, rest.substr(0, question), host, port); !parsed)
    return fail(parsed.error());
  if (!isTurn) return IceUrl(ice::StunServer{host, port, std::string(url)});
  const auto transport = parseTransport(url, query, hasQuery, secure);
  if (!transport) return fail(transport.error());
  ice::TurnServer server;
  server.host = host;
  server.port = port;
  server.transport = *transport;
  server.url = std::string(url);
  return IceUrl(std::move(server));
}

}  // namespace parley::api_internal
