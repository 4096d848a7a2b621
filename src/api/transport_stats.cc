// Statistics of the transport: itself, ICE candidates and their pairs, certificates.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "parley/base/base64.h"

#include "api/peer_connection_core.h"
#include "api/stats_context.h"

namespace parley::api_internal {
namespace {

const char* toString(ice::PairState state) {
  switch (state) {
    case ice::PairState::Frozen:
      return "frozen";
    case ice::PairState::Waiting:
      return "waiting";
    case ice::PairState::InProgress:
      return "in-progress";
    case ice::PairState::Succeeded:
      return "succeeded";
    case ice::PairState::Failed:
      return "failed";
  }
  return "";
}

class TransportStatsBuilder {
 public:
  TransportStatsBuilder(StatsContext& context, uint32_t number)
      : context_(context),
        session_(*context.pc.session()),
        number_(number),
        transport_(*session_.transport(number)) {}

  void addAll() {
    for (const ice::Candidate& candidate : transport_.agent().localCandidates())
      addCandidate(candidate, true);
    for (const ice::Candidate& candidate : transport_.agent().remoteCandidates())
      addCandidate(candidate, false);
    const std::string selected = addPairs();
    addTransport(selected);
  }

 private:
  // What tells it from others of its side. A peer reflexive candidate that is signalled later is
  // still the same one, so the type of a remote one does not count.
  std::string candidateId(const ice::Candidate& candidate, bool local) {
    std::string key = candidate.address.toString() + ' ' + candidate.hostname + ' ' +
                      (candidate.protocol == ice::Protocol::Udp ? "udp" : "tcp") + ' ' +
                      candidate.ufrag;
    if (candidate.tcpType) key += std::string(" ") + ice::toString(*candidate.tcpType);
    if (local) key += std::string(" ") + ice::toString(candidate.type) + ' ' + candidate.url;
    if (number_ != 0) key += ' ' + StatsContext::transportId(number_);
    return context_.ids().of(local ? "IL" : "IR", key);
  }

  void addCandidate(const ice::Candidate& candidate, bool local) {
    const std::string id = candidateId(candidate, local);
    if (context_.has(id)) return;
    Stats stats = context_.make(id, local ? "local-candidate" : "remote-candidate");
    auto& m = stats.members;
    m["transportId"] = StatsContext::transportId(number_);
    // webrtc-stats section 8.18: a name that hides an address stays hidden, and of the peer only
    // what it told itself is shown.
    if (!candidate.hostname.empty()) {
      m["address"] = candidate.hostname;
    } else if (local || candidate.type != ice::CandidateType::PeerReflexive) {
      m["address"] = candidate.address.ip.toString();
    }
    m["port"] = uint64_t{candidate.address.port};
    m["protocol"] = std::string(candidate.protocol == ice::Protocol::Udp ? "udp" : "tcp");
    m["candidateType"] = std::string(ice::toString(candidate.type));
    m["priority"] = uint64_t{candidate.priority};
    m["foundation"] = candidate.foundation;
    if (!candidate.ufrag.empty()) {
      m["usernameFragment"] = candidate.ufrag;
    } else if (local) {
      m["usernameFragment"] = transport_.localCredentials().ufrag;
    }
    if (local && !candidate.url.empty()) m["url"] = candidate.url;
    if (local && !candidate.relayProtocol.empty()) m["relayProtocol"] = candidate.relayProtocol;
    if (candidate.relatedAddress) {
      m["relatedAddress"] = candidate.relatedAddress->ip.toString();
      m["relatedPort"] = uint64_t{candidate.relatedAddress->port};
    }
    if (candidate.tcpType) m["tcpType"] = std::string(ice::toString(*candidate.tcpType));
    context_.report.add(std::move(stats));
  }

  /// Answers with the id of the selected pair.
  std::string addPairs() {
    std::string selected;
    for (const ice::PairStats& pair : transport_.agent().pairStats()) {
      addCandidate(pair.local, true);
      addCandidate(pair.remote, false);
      std::string id = "CP" + std::to_string(pair.id);
      if (number_ != 0) id += '_' + std::to_string(number_);
      Stats stats = context_.make(std::move(id), "candidate-pair");
      auto& m = stats.members;
      m["transportId"] = StatsContext::transportId(number_);
      m["localCandidateId"] = candidateId(pair.local, true);
      m["remoteCandidateId"] = candidateId(pair.remote, false);
      m["state"] = std::string(toString(pair.state));
      m["nominated"] = pair.nominated;
      m["requestsSent"] = pair.requestsSent;
      m["requestsReceived"] = pair.requestsReceived;
      m["responsesSent"] = pair.responsesSent;
      m["responsesReceived"] = pair.responsesReceived;
      m["consentRequestsSent"] = pair.consentRequestsSent;
      m["totalRoundTripTime"] = pair.totalRtt.seconds();
      if (pair.currentRtt) m["currentRoundTripTime"] = pair.currentRtt->seconds();
      addTraffic(pair.id, m);
      if (pair.selected) {
        selected = stats.id;
        const media::RtpSession* rtp = session_.rtp(number_);
        // "the sum of the available bitrate for all the outgoing RTP streams": there is one only
        // where the estimator has something to go by.
        if (rtp && context_.pc.sendsMedia())
          m["availableOutgoingBitrate"] = static_cast<double>(rtp->bandwidth().estimate.bps());
      }
      context_.report.add(std::move(stats));
    }
    return selected;
  }

  void addTraffic(uint32_t pair, StatsContext::Members& m) {
    const auto& all = transport_.pairTraffic();
    const auto known = std::find_if(all.begin(), all.end(),
                                    [pair](const auto& traffic) { return traffic.pair == pair; });
    const transport::PairTraffic traffic = known == all.end() ? transport::PairTraffic{} : *known;
    m["packetsSent"] = traffic.packetsSent;
    m["packetsReceived"] = traffic.packetsReceived;
    m["bytesSent"] = traffic.bytesSent;
    m["bytesReceived"] = traffic.bytesReceived;
    m["packetsDiscardedOnSend"] = traffic.packetsDiscarded;
    m["bytesDiscardedOnSend"] = traffic.bytesDiscarded;
    if (traffic.lastSent) m["lastPacketSentTimestamp"] = context_.toUnixMs(*traffic.lastSent);
    if (traffic.lastReceived)
      m["lastPacketReceivedTimestamp"] = context_.toUnixMs(*traffic.lastReceived);
  }

  void addTransport(const std::string& selectedPair) {
    Stats stats = context_.make(StatsContext::transportId(number_), "transport");
    auto& m = stats.members;
    const transport::TransportCounters& counters = transport_.counters();
    const transport::PairTraffic traffic = transport_.totalTraffic();
    m["packetsSent"] = traffic.packetsSent;
    m["packetsReceived"] = traffic.packetsReceived;
    m["bytesSent"] = traffic.bytesSent;
    m["bytesReceived"] = traffic.bytesReceived;
    const VisibleTransport* shown = context_.pc.shown(number_);
    const VisibleTransport& visible = shown ? *shown : context_.pc.visible;
    m["dtlsState"] = std::string(parley::toString(visible.dtls));
    m["iceState"] = std::string(parley::toString(visible.iceTransport));
    m["iceRole"] = std::string(parley::toString(context_.pc.iceRole(number_)));
    m["iceLocalUsernameFragment"] = transport_.localCredentials().ufrag;
    m["dtlsRole"] = std::string("unknown");
    if (transport_.dtlsRole()) {
      m["dtlsRole"] =
          std::string(*transport_.dtlsRole() == dtls::Role::Client ? "client" : "server");
    }
    const dtls::Connection& dtls = transport_.dtls();
    if (!dtls.tlsVersion().empty()) m["tlsVersion"] = dtls.tlsVersion();
    if (!dtls.cipherName().empty()) m["dtlsCipher"] = dtls.cipherName();
    if (const auto profile = dtls.srtpProfile())
      m["srtpCipher"] = std::string(crypto::toString(*profile));
    if (!selectedPair.empty()) m["selectedCandidatePairId"] = selectedPair;
    m["selectedCandidatePairChanges"] = uint64_t{counters.selectedPairChanges};
    const media::RtpSession* rtp = session_.rtp(number_);
    const media::BandwidthStats bandwidth = rtp ? rtp->bandwidth() : media::BandwidthStats{};
    m["ccfbMessagesSent"] = bandwidth.congestionFeedbackSent;
    m["ccfbMessagesReceived"] = bandwidth.congestionFeedbackReceived;
    m["localCertificateId"] = addCertificate(transport_.certificate().der());
    if (!dtls.remoteCertificateDer().empty())
      m["remoteCertificateId"] = addCertificate(dtls.remoteCertificateDer());
    // Ours, beyond webrtc-stats: what was dropped, and why.
    m["parleyDroppedUnknownSource"] = counters.droppedUnknownSource;
    m["parleyDroppedUnauthentic"] = counters.droppedUnauthentic;
    m["parleyDroppedUnknownClass"] = counters.droppedUnknownClass;
    m["parleyDroppedBeforeKeys"] = counters.droppedBeforeKeys;
    m["parleyDroppedQueueFull"] = counters.droppedQueueFull;
    context_.report.add(std::move(stats));
  }

  std::string addCertificate(ByteSpan der) {
    const auto fingerprint = dtls::Fingerprint::ofCertificate("sha-256", der);
    if (!fingerprint) return {};
    const std::string hex = fingerprint->toString().substr(fingerprint->algorithm.size() + 1);
    const std::string id = "CF" + hex;
    if (context_.has(id)) return id;  // both ends in one process may share one
    Stats stats = context_.make(id, "certificate");
    stats.members["fingerprint"] = hex;
    stats.members["fingerprintAlgorithm"] = fingerprint->algorithm;
    stats.members["base64Certificate"] = base64(der);
    context_.report.add(std::move(stats));
    return id;
  }

  StatsContext& context_;
  jsep::Session& session_;
  const uint32_t number_;
  const transport::PeerTransport& transport_;
};

}  // namespace

void addTransportStats(StatsContext& context) {
  // Before a description there is no RTCIceTransport and no RTCDtlsTransport to tell of.
  if (!context.pc.hasDescription()) return;
  for (const uint32_t number : context.pc.session()->transports())
    TransportStatsBuilder(context, number).addAll();
}

}  // namespace parley::api_internal
