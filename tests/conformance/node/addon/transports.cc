// The transports of a connection (there is one of each), certificates and candidate lines.

#include "fields.h"

namespace parley::binding {
namespace {

using Pc = PeerConnection;

IceTransport ice(const Pc& pc) {
  return IceTransport(pc.core());
}

/// Of the transport that a section has for itself.
DtlsTransportState ownState(const Context&, Pc pc, uint32_t section) {
  return DtlsTransport(pc.core(), section).state();
}
int sctpTransportOf(const Context&, Pc pc) {
  const auto own = SctpTransport(pc.core()).transport().ownOf();
  return own ? static_cast<int>(*own) : -1;
}

IceRole iceRole(const Context&, Pc pc) {
  return ice(pc).role();
}
IceTransportState iceState(const Context&, Pc pc) {
  return ice(pc).state();
}
IceGathererState iceGathererState(const Context&, Pc pc) {
  return ice(pc).gatheringState();
}
std::vector<IceCandidate> iceLocalCandidates(const Context&, Pc pc) {
  return ice(pc).getLocalCandidates();
}
std::vector<IceCandidate> iceRemoteCandidates(const Context&, Pc pc) {
  return ice(pc).getRemoteCandidates();
}
std::optional<IceCandidatePair> iceSelectedPair(const Context&, Pc pc) {
  return ice(pc).getSelectedCandidatePair();
}
std::optional<IceParameters> iceLocalParameters(const Context&, Pc pc) {
  return ice(pc).getLocalParameters();
}
std::optional<IceParameters> iceRemoteParameters(const Context&, Pc pc) {
  return ice(pc).getRemoteParameters();
}
DtlsTransportState dtlsState(const Context&, Pc pc) {
  return DtlsTransport(pc.core()).state();
}
std::vector<Bytes> dtlsRemoteCertificates(const Context&, Pc pc) {
  return DtlsTransport(pc.core()).getRemoteCertificates();
}
bool hasSctp(const Context&, Pc pc) {
  return static_cast<bool>(pc.sctp());
}
SctpTransportState sctpState(const Context&, Pc pc) {
  return SctpTransport(pc.core()).state();
}
std::optional<uint64_t> sctpMaxMessageSize(const Context&, Pc pc) {
  return SctpTransport(pc.core()).maxMessageSize();
}
std::optional<uint16_t> sctpMaxChannels(const Context&, Pc pc) {
  return SctpTransport(pc.core()).maxChannels();
}

Result<Certificate> certificateGenerate(const Context&, double validMs, bool rsa) {
  return Certificate::generate(Duration::millis(static_cast<int64_t>(validMs)),
                               rsa ? CertificateKey::Rsa2048 : CertificateKey::EcdsaP256);
}
int64_t certificateExpires(const Context&, Certificate certificate) {
  return certificate.expires();
}
std::vector<DtlsFingerprint> certificateFingerprints(const Context&, Certificate certificate) {
  return certificate.getFingerprints();
}
bool certificateEquals(const Context&, Certificate a, Certificate b) {
  return a.impl() == b.impl();
}
std::optional<IceCandidate::Parsed> parseCandidate(const Context&, std::string line) {
  IceCandidate candidate;
  candidate.candidate = std::move(line);
  return candidate.parse();
}

}  // namespace

void addTransportFunctions(napi_env env, napi_value exports) {
#define PARLEY_NODE_ADD(name) add<name>(env, exports, #name)
  PARLEY_NODE_ADD(ownState);
  PARLEY_NODE_ADD(sctpTransportOf);
  PARLEY_NODE_ADD(iceRole);
  PARLEY_NODE_ADD(iceState);
  PARLEY_NODE_ADD(iceGathererState);
  PARLEY_NODE_ADD(iceLocalCandidates);
  PARLEY_NODE_ADD(iceRemoteCandidates);
  PARLEY_NODE_ADD(iceSelectedPair);
  PARLEY_NODE_ADD(iceLocalParameters);
  PARLEY_NODE_ADD(iceRemoteParameters);
  PARLEY_NODE_ADD(dtlsState);
  PARLEY_NODE_ADD(dtlsRemoteCertificates);
  PARLEY_NODE_ADD(hasSctp);
  PARLEY_NODE_ADD(sctpState);
  PARLEY_NODE_ADD(sctpMaxMessageSize);
  PARLEY_NODE_ADD(sctpMaxChannels);
  PARLEY_NODE_ADD(certificateGenerate);
  PARLEY_NODE_ADD(certificateExpires);
  PARLEY_NODE_ADD(certificateFingerprints);
  PARLEY_NODE_ADD(certificateEquals);
  PARLEY_NODE_ADD(parseCandidate);
#undef PARLEY_NODE_ADD
}

}  // namespace parley::binding
