#include "api/stats_builder.h"

#include <string>
#include <utility>

#include "api/media_stats.h"
#include "api/peer_connection_core.h"

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

std::string candidateId(const ice::Candidate& candidate, bool local) {
  // Stable while the candidate lives: made of what identifies it (RFC 8445 section 5.1.3).
  return std::string(local ? "IL" : "IR") + candidate.address.toString() + candidate.hostname +
         ice::toString(candidate.type) +
         (candidate.tcpType ? ice::toString(*candidate.tcpType) : "");
}

void addCandidate(StatsReport& report, double timestamp, const ice::Candidate& candidate,
                  bool local) {
  const std::string id = candidateId(candidate, local);
  if (report.find(id)) return;
  Stats stats{id, local ? "local-candidate" : "remote-candidate", timestamp, {}};
  stats.members["transportId"] = std::string("T0");
  // A name that hides an address stays hidden (webrtc-stats section 7.2: address).
  if (candidate.hostname.empty()) {
    stats.members["address"] = candidate.address.ip.toString();
  } else {
    stats.members["address"] = candidate.hostname;
  }
  stats.members["port"] = uint64_t{candidate.address.port};
  stats.members["protocol"] = std::string(candidate.protocol == ice::Protocol::Udp ? "udp" : "tcp");
  if (candidate.tcpType) stats.members["tcpType"] = std::string(ice::toString(*candidate.tcpType));
  stats.members["candidateType"] = std::string(ice::toString(candidate.type));
  stats.members["priority"] = uint64_t{candidate.priority};
  stats.members["foundation"] = candidate.foundation;
  if (!candidate.ufrag.empty()) stats.members["usernameFragment"] = candidate.ufrag;
  if (local && !candidate.url.empty()) stats.members["url"] = candidate.url;
  if (local && !candidate.relayProtocol.empty())
    stats.members["relayProtocol"] = candidate.relayProtocol;
  if (candidate.relatedAddress) {
    stats.members["relatedAddress"] = candidate.relatedAddress->ip.toString();
    stats.members["relatedPort"] = uint64_t{candidate.relatedAddress->port};
  }
  report.add(std::move(stats));
}

std::string addPairs(StatsReport& report, double timestamp,
                     const transport::PeerTransport& transport) {
  std::string selected;
  for (const ice::PairStats& pair : transport.agent().pairStats()) {
    addCandidate(report, timestamp, pair.local, true);
    addCandidate(report, timestamp, pair.remote, false);
    Stats stats{"CP" + std::to_string(pair.id), "candidate-pair", timestamp, {}};
    stats.members["transportId"] = std::string("T0");
    stats.members["localCandidateId"] = candidateId(pair.local, true);
    stats.members["remoteCandidateId"] = candidateId(pair.remote, false);
    stats.members["state"] = std::string(toString(pair.state));
    stats.members["nominated"] = pair.nominated;
    stats.members["requestsSent"] = pair.requestsSent;
    stats.members["requestsReceived"] = pair.requestsReceived;
    stats.members["responsesSent"] = pair.responsesSent;
    stats.members["responsesReceived"] = pair.responsesReceived;
    stats.members["consentRequestsSent"] = pair.consentRequestsSent;
    stats.members["totalRoundTripTime"] = pair.totalRtt.seconds();
    if (pair.currentRtt) stats.members["currentRoundTripTime"] = pair.currentRtt->seconds();
    if (pair.selected) {
      selected = stats.id;
      stats.members["packetsSent"] = transport.counters().packetsSent;
      stats.members["packetsReceived"] = transport.counters().packetsReceived;
      stats.members["bytesSent"] = transport.counters().bytesSent;
      stats.members["bytesReceived"] = transport.counters().bytesReceived;
    }
    report.add(std::move(stats));
  }
  return selected;
}

void addTransport(StatsReport& report, double timestamp, const transport::PeerTransport& transport,
                  const std::string& selectedPair) {
  Stats stats{"T0", "transport", timestamp, {}};
  const transport::TransportCounters& counters = transport.counters();
  stats.members["packetsSent"] = counters.packetsSent;
  stats.members["packetsReceived"] = counters.packetsReceived;
  stats.members["bytesSent"] = counters.bytesSent;
  stats.members["bytesReceived"] = counters.bytesReceived;
  stats.members["dtlsState"] = std::string(dtls::toString(transport.dtls().state()));
  stats.members["iceState"] = std::string(ice::toString(transport.agent().state()));
  stats.members["iceRole"] = std::string(ice::toString(transport.iceRole()));
  stats.members["iceLocalUsernameFragment"] = transport.localCredentials().ufrag;
  if (transport.dtlsRole()) {
    stats.members["dtlsRole"] =
        std::string(*transport.dtlsRole() == dtls::Role::Client ? "client" : "server");
  }
  if (!transport.dtls().tlsVersion().empty())
    stats.members["tlsVersion"] = transport.dtls().tlsVersion();
  if (!transport.dtls().cipherName().empty())
    stats.members["dtlsCipher"] = transport.dtls().cipherName();
  if (const auto profile = transport.dtls().srtpProfile()) {
    stats.members["srtpCipher"] = std::string(crypto::toString(*profile));
  }
  if (!selectedPair.empty()) stats.members["selectedCandidatePairId"] = selectedPair;
  stats.members["localCertificateId"] = std::string("CFlocal");
  // Ours, beyond webrtc-stats: what was dropped, and why.
  stats.members["parleyDroppedUnknownSource"] = counters.droppedUnknownSource;
  stats.members["parleyDroppedUnauthentic"] = counters.droppedUnauthentic;
  stats.members["parleyDroppedUnknownClass"] = counters.droppedUnknownClass;
  stats.members["parleyDroppedBeforeKeys"] = counters.droppedBeforeKeys;
  stats.members["parleyDroppedQueueFull"] = counters.droppedQueueFull;
  report.add(std::move(stats));
}

void addCertificate(StatsReport& report, double timestamp, const char* id,
                    const dtls::Fingerprint& fingerprint) {
  Stats stats{id, "certificate", timestamp, {}};
  stats.members["fingerprint"] = fingerprint.toString().substr(fingerprint.algorithm.size() + 1);
  stats.members["fingerprintAlgorithm"] = fingerprint.algorithm;
  report.add(std::move(stats));
}

}  // namespace

void PeerConnectionCore::addDataStats(StatsReport& report, double timestamp) {
  sctp::DataChannels* channels = session()->dataChannels();
  if (!channels) return;
  for (const auto& [id, body] : channels_) {
    const sctp::ChannelStats counted = channels->stats(id);
    Stats stats{"D" + std::to_string(id.value), "data-channel", timestamp, {}};
    stats.members["label"] = body->init.label;
    stats.members["protocol"] = body->init.protocol;
    if (body->streamId) stats.members["dataChannelIdentifier"] = uint64_t{*body->streamId};
    stats.members["state"] = std::string(parley::toString(body->visibleState));
    stats.members["messagesSent"] = counted.messagesSent;
    stats.members["bytesSent"] = counted.bytesSent;
    stats.members["messagesReceived"] = counted.messagesReceived;
    stats.members["bytesReceived"] = counted.bytesReceived;
    report.add(std::move(stats));
  }
  if (channels->maxChannels()) {
    const sctp::AssociationStats a = channels->associationStats();
    Stats stats{"S", "sctp-transport", timestamp, {}};
    stats.members["transportId"] = std::string("T0");
    stats.members["smoothedRoundTripTime"] = a.smoothedRtt.seconds();
    stats.members["congestionWindow"] = uint64_t{a.congestionWindow};
    stats.members["receiverWindow"] = uint64_t{a.receiverWindow};
    stats.members["mtu"] = uint64_t{a.mtu};
    stats.members["unackData"] = uint64_t{a.unackedChunks};
    stats.members["parleyBytesInFlight"] = uint64_t{a.bytesInFlight};
    stats.members["parleyMinRoundTripTime"] = a.minRtt.seconds();
    stats.members["parleyPacingRate"] = a.pacingRate;
    stats.members["parleyPacketsSent"] = a.packetsSent;
    stats.members["parleyPacketsReceived"] = a.packetsReceived;
    stats.members["parleyRetransmittedChunks"] = a.retransmittedChunks;
    stats.members["parleyRetransmittedBytes"] = a.retransmittedBytes;
    stats.members["parleyTimeouts"] = a.timeouts;
    stats.members["parleyMessagesAbandoned"] = a.messagesAbandoned;
    stats.members["parleyInterleaving"] = a.interleaving;
    stats.members["parleyZeroChecksum"] = a.zeroChecksum;
    report.add(std::move(stats));
  }
  Stats pc{"P", "peer-connection", timestamp, {}};
  pc.members["dataChannelsOpened"] = channelsOpened_;
  pc.members["dataChannelsClosed"] = channelsClosed_;
  report.add(std::move(pc));
}

StatsReport buildStats(PeerConnectionCore& pc, Timestamp now) {
  StatsReport report;
  const jsep::Session& session = *pc.session();
  const double timestamp =
      static_cast<double>(pc.loop().endpoint().environment().wallClock.unixNanosAt(now)) / 1e6;
  const transport::PeerTransport& transport = session.transport();
  const std::string selected = addPairs(report, timestamp, transport);
  addTransport(report, timestamp, transport, selected);
  addCertificate(report, timestamp, "CFlocal", transport.certificate().fingerprints().front());
  if (!transport.dtls().remoteCertificateDer().empty()) {
    if (const auto remote =
            dtls::Fingerprint::ofCertificate("sha-256", transport.dtls().remoteCertificateDer())) {
      addCertificate(report, timestamp, "CFremote", *remote);
    }
  }
  pc.addDataStats(report, timestamp);
  addMediaStats(report, pc, timestamp);
  return report;
}

}  // namespace parley::api_internal
