#include "parley/api/ice_candidate.h"

#include "parley/sdp/candidate_line.h"

#include "api/candidate_text.h"
#include "jsep/candidate_conversion.h"

namespace parley {

std::optional<IceCandidate::Parsed> IceCandidate::parse() const {
  const auto line = sdp::parseCandidate(candidate);
  if (!line) return std::nullopt;
  Parsed out;
  out.foundation = line->foundation;
  out.component = line->component;
  out.priority = line->priority;
  out.address = line->hostname.empty() ? line->address.toString() : line->hostname;
  out.protocol = sdp::toString(line->transport);
  out.port = line->port;
  out.type = sdp::toString(line->type);
  if (line->tcpType) out.tcpType = sdp::toString(*line->tcpType);
  if (line->relatedAddress) {
    out.relatedAddress = line->relatedAddress->ip.toString();
    out.relatedPort = line->relatedAddress->port;
  }
  return out;
}

namespace api_internal {

IceCandidate toApi(const ice::Candidate& candidate, const std::string& mid, uint16_t mLineIndex) {
  IceCandidate out;
  out.candidate = sdp::writeCandidate(jsep::toLine(candidate, candidate.ufrag));
  out.sdpMid = mid;
  out.sdpMLineIndex = mLineIndex;
  if (!candidate.ufrag.empty()) out.usernameFragment = candidate.ufrag;
  if (!candidate.url.empty()) out.url = candidate.url;
  if (!candidate.relayProtocol.empty()) out.relayProtocol = candidate.relayProtocol;
  return out;
}

}  // namespace api_internal

}  // namespace parley
