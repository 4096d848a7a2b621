#include "parley/sdp/candidate_line.h"

#include "sdp/grammar.h"

namespace parley::sdp {
namespace {

constexpr size_t kMaxLineBytes = 1024;
constexpr size_t kMaxExtensions = 32;
constexpr size_t kMaxExtensionBytes = 700;  // leaves room for all other fields at their longest
constexpr uint32_t kMaxPriority = 0x7FFF'FFFF;

std::optional<CandidateType> parseType(std::string_view text) {
  for (auto type : {CandidateType::Host, CandidateType::ServerReflexive,
                    CandidateType::PeerReflexive, CandidateType::Relay}) {
    if (equalsIgnoreCase(text, toString(type))) return type;
  }
  return std::nullopt;
}

std::optional<TcpCandidateType> parseTcpType(std::string_view text) {
  for (auto type :
       {TcpCandidateType::Active, TcpCandidateType::Passive, TcpCandidateType::SimultaneousOpen}) {
    if (equalsIgnoreCase(text, toString(type))) return type;
  }
  return std::nullopt;
}

/// draft-ietf-mmusic-mdns-ice-candidates section 3.1.1: one label, then ".local".
bool isMdnsName(std::string_view text) {
  constexpr std::string_view kSuffix = ".local";
  if (text.size() <= kSuffix.size() || !equalsIgnoreCase(text.substr(text.size() - 6), kSuffix))
    return false;
  return isMadeOf(text.substr(0, text.size() - 6), 1, 63,
                  [](char c) { return isAlphaNumeric(c) || c == '-'; });
}

bool isUsable(const IpAddress& address) {
  return !address.isUnspecified() && !address.isMulticast() && !address.isBroadcast() &&
         !address.isV4Mapped();
}

/// raddr is informational: a name or a masked address must not cost us the candidate.
IpAddress relatedAddressOrAny(std::string_view text) {
  return IpAddress::parse(text).value_or(IpAddress::any(AddressFamily::V4));
}

bool parseTrailer(std::string_view rest, CandidateLine& out) {
  std::optional<IpAddress> relatedIp;
  std::optional<uint16_t> relatedPort;
  size_t extensionBytes = 0;
  while (!trimmed(rest).empty()) {
    const std::string_view name = cutWord(rest);
    const std::string_view value = cutWord(rest);
    if (value.empty()) return false;
    if (name == "raddr") {
      relatedIp = relatedAddressOrAny(value);
    } else if (name == "rport") {
      relatedPort = parseNumber<uint16_t>(value);
      if (!relatedPort) return false;
    } else if (name == "tcptype") {
      out.tcpType = parseTcpType(value);
      if (!out.tcpType) return false;
    } else {
      extensionBytes += name.size() + value.size() + 2;
      if (out.extensions.size() == kMaxExtensions || extensionBytes > kMaxExtensionBytes)
        return false;
      out.extensions.push_back({std::string(name), std::string(value)});
    }
  }
  if (relatedIp) out.relatedAddress = SocketAddress{*relatedIp, relatedPort.value_or(0)};
  return true;
}

}  // namespace

const char* toString(CandidateTransport transport) {
  return transport == CandidateTransport::Tcp ? "tcp" : "udp";
}

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
  return "host";
}

const char* toString(TcpCandidateType type) {
  switch (type) {
    case TcpCandidateType::Active:
      return "active";
    case TcpCandidateType::Passive:
      return "passive";
    case TcpCandidateType::SimultaneousOpen:
      return "so";
  }
  return "so";
}

std::optional<std::string_view> CandidateLine::extension(std::string_view name) const {
  for (const Extension& e : extensions) {
    if (e.name == name) return e.value;
  }
  return std::nullopt;
}

std::optional<CandidateLine> parseCandidate(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with("a=")) text.remove_prefix(2);
  constexpr std::string_view kPrefix = "candidate:";
  if (!text.starts_with(kPrefix) || text.size() > kMaxLineBytes || !isByteString(text))
    return std::nullopt;
  std::string_view rest = text.substr(kPrefix.size());

  CandidateLine out;
  out.foundation = cutWord(rest);
  if (!isIceChars(out.foundation, 1, 32)) return std::nullopt;

  const auto component = parseNumber<uint16_t>(cutWord(rest));
  if (!component || *component < 1 || *component > 256) return std::nullopt;
  out.component = *component;

  const std::string_view transport = cutWord(rest);
  if (equalsIgnoreCase(transport, "tcp")) {
    out.transport = CandidateTransport::Tcp;
  } else if (!equalsIgnoreCase(transport, "udp")) {
    return std::nullopt;
  }

  const auto priority = parseNumber<uint32_t>(cutWord(rest));
  if (!priority || *priority < 1 || *priority > kMaxPriority) return std::nullopt;
  out.priority = *priority;

  const std::string_view host = cutWord(rest);
  if (const auto address = IpAddress::parse(host)) {
    if (!isUsable(*address)) return std::nullopt;
    out.address = *address;
  } else if (isMdnsName(host)) {
    out.hostname = host;
  } else {
    return std::nullopt;
  }

  const auto port = parseNumber<uint16_t>(cutWord(rest));
  if (!port) return std::nullopt;
  out.port = *port;

  if (cutWord(rest) != "typ") return std::nullopt;
  const auto type = parseType(cutWord(rest));
  if (!type) return std::nullopt;
  out.type = *type;

  if (!parseTrailer(rest, out)) return std::nullopt;
  // RFC 6544 section 4.5 has active candidates say port 9; some peers say 0. Nobody connects to it.
  if (out.port == 0 && out.tcpType != TcpCandidateType::Active) return std::nullopt;
  return out;
}

std::string writeCandidate(const CandidateLine& c) {
  std::string out = "candidate:" + c.foundation + ' ' + std::to_string(c.component) + ' ' +
                    toString(c.transport) + ' ' + std::to_string(c.priority) + ' ' +
                    (c.hostname.empty() ? c.address.toString() : c.hostname) + ' ' +
                    std::to_string(c.port) + " typ " + toString(c.type);
  if (c.relatedAddress) {
    out += " raddr " + c.relatedAddress->ip.toString() + " rport " +
           std::to_string(c.relatedAddress->port);
  }
  if (c.tcpType) out += std::string(" tcptype ") + toString(*c.tcpType);
  for (const CandidateLine::Extension& e : c.extensions) out += ' ' + e.name + ' ' + e.value;
  return out;
}

}  // namespace parley::sdp
