#include "parley/api/ice_candidate.h"

#include <string>
#include <string_view>

#include "parley/api/enum_text.h"
#include "parley/sdp/candidate_line.h"

#include "api/candidate_text.h"
#include "jsep/candidate_conversion.h"

namespace parley {
namespace {

/// As it stands in the line: it may be a name, which is none of ours to resolve.
std::string relatedAddressOf(std::string_view line) {
  constexpr std::string_view kKey = " raddr ";
  const size_t at = line.find(kKey);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + kKey.size());
  return std::string(line.substr(0, line.find(' ')));
}

}  // namespace

std::optional<IceCandidate::Parsed> IceCandidate::parse() const {
  const auto line = sdp::parseCandidate(candidate);
  if (!line) return std::nullopt;
  Parsed out;
  out.foundation = line->foundation;
  out.component = line->component;
  out.priority = line->priority;
  out.address = line->hostname.empty() ? line->address.toString() : line->hostname;
  out.protocol = line->transport;
  out.port = line->port;
  out.type = line->type;
  out.tcpType = line->tcpType;
  if (line->relatedAddress) {
    out.relatedAddress = relatedAddressOf(candidate);
    out.relatedPort = line->relatedAddress->port;
  }
  return out;
}

const char* toString(IceServerTransportProtocol protocol) {
  constexpr const char* kNames[] = {"udp", "tcp", "tls"};
  return kNames[static_cast<int>(protocol)];
}

namespace api_internal {

IceCandidate toApi(const ice::Candidate& candidate, const std::string& mid, uint16_t mLineIndex) {
  IceCandidate out;
  out.candidate = sdp::writeCandidate(jsep::toLine(candidate, candidate.ufrag));
  out.sdpMid = mid;
  out.sdpMLineIndex = mLineIndex;
  if (!candidate.ufrag.empty()) out.usernameFragment = candidate.ufrag;
  if (!candidate.url.empty()) out.url = candidate.url;
  out.relayProtocol = fromString<IceServerTransportProtocol>(candidate.relayProtocol);
  return out;
}

}  // namespace api_internal

}  // namespace parley
