#include "jsep/candidate_conversion.h"

#include "parley/base/text.h"

namespace parley::jsep {

ice::Candidate toIce(const sdp::CandidateLine& line) {
  ice::Candidate out;
  out.foundation = line.foundation;
  out.component = line.component;
  out.protocol =
      line.transport == sdp::CandidateTransport::Udp ? ice::Protocol::Udp : ice::Protocol::Tcp;
  out.priority = line.priority;
  out.address = {line.address, line.port};
  out.hostname = line.hostname;
  out.type = static_cast<ice::CandidateType>(line.type);
  out.relatedAddress = line.relatedAddress;
  if (line.tcpType) out.tcpType = static_cast<ice::TcpType>(*line.tcpType);
  if (const auto ufrag = line.ufrag()) out.ufrag = std::string(*ufrag);
  if (const auto generation = line.extension("generation"))
    out.generation = parseNumber<uint32_t>(*generation);
  return out;
}

sdp::CandidateLine toLine(const ice::Candidate& candidate, const std::string& ufrag) {
  sdp::CandidateLine out;
  out.foundation = candidate.foundation;
  out.component = static_cast<uint16_t>(candidate.component);
  out.transport = candidate.protocol == ice::Protocol::Udp ? sdp::CandidateTransport::Udp
                                                           : sdp::CandidateTransport::Tcp;
  out.priority = candidate.priority;
  if (candidate.hostname.empty()) out.address = candidate.address.ip;  // else it stays hidden
  out.hostname = candidate.hostname;
  out.port = candidate.address.port;
  out.type = static_cast<sdp::CandidateType>(candidate.type);
  out.relatedAddress = candidate.relatedAddress;
  if (candidate.tcpType) out.tcpType = static_cast<sdp::TcpCandidateType>(*candidate.tcpType);
  if (!ufrag.empty()) out.extensions.push_back({"ufrag", ufrag});
  return out;
}

static_assert(static_cast<int>(sdp::CandidateType::Relay) ==
              static_cast<int>(ice::CandidateType::Relay));
static_assert(static_cast<int>(sdp::CandidateType::ServerReflexive) ==
              static_cast<int>(ice::CandidateType::ServerReflexive));
static_assert(static_cast<int>(sdp::TcpCandidateType::SimultaneousOpen) ==
              static_cast<int>(ice::TcpType::SimultaneousOpen));

}  // namespace parley::jsep
