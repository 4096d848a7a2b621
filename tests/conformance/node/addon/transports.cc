// The transports of a connection, certificates and candidate lines.

#include "fields.h"

namespace parley::binding {
namespace {

using Pc = PeerConnection;

/// `section`: the one that has the transport for itself; -1: the first transport.
DtlsTransport dtls(const Pc& pc, int section) {
  return DtlsTransport(pc.core(),
                       section < 0 ? std::nullopt : std::optional(static_cast<size_t>(section)));
}
IceTransport ice(const Pc& pc, int section) {
  return dtls(pc, section).iceTransport();
}
int sctpTransportOf(const Context&, Pc pc) {
  const auto own = SctpTransport(pc.core()).transport().ownOf();
  return own ? static_cast<int>(*own) : -1;
}
void watchTransport(const Context&, Pc pc, int section, JsFunction emit) {
  watch(dtls(pc, section), emit);
}

IceRole iceRole(const Context&, Pc pc, int section) {
  return ice(pc, section).role();
}
IceTransportState iceState(const Context&, Pc pc, int section) {
  return ice(pc, section).state();
}
IceGathererState iceGathererState(const Context&, Pc pc, int section) {
  return ice(pc, section).gatheringState();
}
std::vector<IceCandidate> iceLocalCandidates(const Context&, Pc pc, int section) {
  return ice(pc, section).getLocalCandidates();
}
std::vector<IceCandidate> iceRemoteCandidates(const Context&, Pc pc, int section) {
  return ice(pc, section).getRemoteCandidates();
}
std::optional<IceCandidatePair> iceSelectedPair(const Context&, Pc pc, int section) {
  return ice(pc, section).getSelectedCandidatePair();
}
std::optional<IceParameters> iceLocalParameters(const Context&, Pc pc, int section) {
  return ice(pc, section).getLocalParameters();
}
std::optional<IceParameters> iceRemoteParameters(const Context&, Pc pc, int section) {
  return ice(pc, section).getRemoteParameters();
}
DtlsTransportState dtlsState(const Context&, Pc pc, int section) {
  return dtls(pc, section).state();
}
std::vector<Bytes> dtlsRemoteCertificates(const Context&, Pc pc, int section) {
  return dtls(pc, section).getRemoteCertificates();
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

void watch(DtlsTransport transport, const JsFunction& emit) {
  const std::string of = transport.ownOf() ? "@" + std::to_string(*transport.ownOf()) : "";
  const auto tell = [&](const char* kind, const char* what) {
    return [emit, name = kind + of + what](const auto&... given) { emit(name, given...); };
  };
  const auto event = [&](const char* kind, const char* what) {
    return [emit, name = kind + of + what](const auto&...) { emit(name); };
  };
  IceTransport ice = transport.iceTransport();
  ice.onStateChange(event("ice", ".statechange"));
  ice.onGatheringStateChange(event("ice", ".gatheringstatechange"));
  ice.onSelectedCandidatePairChange(event("ice", ".selectedcandidatepairchange"));
  transport.onStateChange(event("dtls", ".statechange"));
  transport.onError(tell("dtls", ".error"));
}

void addTransportFunctions(napi_env env, napi_value exports) {
#define PARLEY_NODE_ADD(name) add<name>(env, exports, #name)
  PARLEY_NODE_ADD(watchTransport);
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
