#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/boxed.h"
#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/ring_queue.h"
#include "parley/dtls/connection.h"
#include "parley/ice/agent.h"
#include "parley/ice/gatherer.h"
#include "parley/sctp/data_channels.h"
#include "parley/srtp/srtp_session.h"
#include "parley/transport/diagnosis.h"

// transport: ICE, DTLS, SRTP and SCTP of one bundled transport, wired together. May use those
// layers and what lies below them; knows nothing of SDP or media streams.
//
// In:  datagram -> classify -> ICE | (known source?) -> DTLS -> SCTP | SRTP -> pollRtp
// Out: sendRtp -> SRTP -> selected pair; DTLS and SCTP -> selected pair; ICE -> where it says

namespace parley::transport {

/// What a renegotiation says of the DTLS association that is there (RFC 8842 section 4).
enum class DtlsRenewal : uint8_t {
  /// Other fingerprints or another tls-id: a new association takes the place of the old one, and
  /// SCTP starts over. The old one stays in use until then.
  NewPeer,
  /// Only the roles were swapped. The RFC wants a new association; Firefox swaps them with an ICE
  /// restart and goes on with the old one. So both are tried, and the old one stays if nothing
  /// comes of the new. SCTP goes on either way.
  RolesSwapped,
};

enum class GatheringState : uint8_t { New, Gathering, Complete };

struct TransportConfig {
  ice::GathererConfig gatherer;
  ice::AgentConfig ice;
  std::optional<ice::Credentials> credentials{};  ///< of the first generation; else random ones
  std::shared_ptr<const dtls::Certificate> certificate;
  /// In order of preference; empty: data only.
  std::vector<crypto::SrtpProfile> srtpProfiles = dtls::Config{}.srtpProfiles;
  sctp::AssociationConfig sctp;
  size_t mtu = 1200;
  /// See IdAllocator: for sessions that have several transports.
  uint32_t idBase = 0;
};

struct IceStateChange {
  ice::IceConnectionState state;
};
struct GatheringStateChange {
  GatheringState state;
};
struct CandidateFound {
  ice::Candidate candidate;
};
struct DtlsStateChange {
  dtls::Event event;
};
struct SelectedPairChange {};
using TransportEvent =
    std::variant<std::monostate, IceStateChange, GatheringStateChange, CandidateFound,
                 ice::CandidateError, DtlsStateChange, SelectedPairChange>;

/// An RTP or RTCP packet in clear.
struct RtpPacket {
  PacketBuf data;
  bool isRtcp = false;
  Ecn ecn = Ecn::NotEct;
  Timestamp arrival;
};

struct TransportCounters {
  // Everything, connectivity checks included.
  uint64_t bytesSent = 0;
  uint64_t bytesReceived = 0;
  uint64_t packetsSent = 0;
  uint64_t packetsReceived = 0;
  /// RFC 8445: how often the pair that carries data became another one, none included.
  uint32_t selectedPairChanges = 0;
  uint64_t droppedUnknownClass = 0;
  uint64_t droppedUnknownSource = 0;  ///< not from a pair that ICE has authenticated
  uint64_t droppedBeforeKeys = 0;     ///< SRTP before DTLS was done
  uint64_t droppedUnauthentic = 0;    ///< SRTP that failed its check
  uint64_t droppedNoPath = 0;         ///< nothing selected to send on
  uint64_t droppedQueueFull = 0;
};

/// What a candidate pair has carried while it was the selected one: DTLS, SRTP and what is within,
/// without connectivity checks. Bytes are those of the UDP payload.
struct PairTraffic {
  uint32_t pair = 0;  ///< ice::PairStats::id
  uint64_t packetsSent = 0;
  uint64_t bytesSent = 0;
  uint64_t packetsReceived = 0;
  uint64_t bytesReceived = 0;
  uint64_t packetsDiscarded = 0;  ///< the queue to the socket was full
  uint64_t bytesDiscarded = 0;
  std::optional<Timestamp> lastSent{};
  std::optional<Timestamp> lastReceived{};
};

/// One bundled transport: a machine. RTP waits in a queue of 512 packets; the newest is dropped
/// when full.
class PARLEY_EXPORT PeerTransport {
 public:
  PeerTransport(Environment& environment, TransportConfig config);
  ~PeerTransport();
  PeerTransport(const PeerTransport&) = delete;
  PeerTransport& operator=(const PeerTransport&) = delete;

  // ICE.
  bool iceLite() const { return config_.ice.lite; }
  const TransportConfig& config() const { return config_; }
  const ice::Credentials& localCredentials() const { return agent_.localCredentials(); }
  void setIceRole(ice::Role role, Timestamp now);
  ice::Role iceRole() const { return agent_.role(); }
  void startGathering(Timestamp now);
  /// See ice::Gatherer::reconfigure.
  void setServers(ice::GathererConfig config) { gatherer_.reconfigure(std::move(config)); }
  void setRemoteCredentials(ice::Credentials credentials, bool lite, Timestamp now);
  void addRemoteCandidate(const ice::Candidate& candidate, Timestamp now);
  void endRemoteCandidates(Timestamp now);
  /// New local credentials; the old path stays in use until a new one is found (RFC 8445 section
  /// 9).
  void restartIce(ice::Credentials local, Timestamp now);
  /// See ice::Agent.
  bool selectPair(uint32_t pair, Timestamp now);
  bool removePair(uint32_t pair, Timestamp now);
  /// See ice::Gatherer.
  bool pollName(ice::HostName& out) { return gatherer_.pollName(out); }
  /// Takes back a restart whose offer was rolled back.
  void rollbackIceRestart(Timestamp now);

  // DTLS.
  /// `localRole` follows from a=setup; once given it stays for the life of the association. The
  /// parity of data channel ids follows from the first role and stays.
  void startDtls(std::vector<dtls::Fingerprint> remote, dtls::Role localRole, Timestamp now);
  void setRemoteFingerprints(std::vector<dtls::Fingerprint> remote, Timestamp now);
  /// A further association. Its handshake waits for a path of the newest ICE generation.
  void renewDtls(std::vector<dtls::Fingerprint> remote, dtls::Role localRole, DtlsRenewal renewal,
                 Timestamp now);
  /// Of the association in use, like `dtls`.
  std::optional<dtls::Role> dtlsRole() const { return dtlsRole_; }
  const dtls::Connection& dtls() const { return *dtls_; }
  const dtls::Certificate& certificate() const { return *config_.certificate; }
  const ice::Agent& agent() const { return agent_; }
  /// Of all keys that were in use so far.
  srtp::Counters srtpCounters() const;
  /// What of RTP headers is encrypted from now on, with these keys and later ones.
  void setHeaderEncryption(const srtp::HeaderEncryption& outbound,
                           const srtp::HeaderEncryption& inbound);

  // Data. The association starts when it has been enabled and DTLS is up.
  void enableSctp(uint16_t remotePort, uint64_t remoteMaxMessageSize, Timestamp now);
  /// The data section is gone: ABORT to the peer, all channels fail. A section that comes back
  /// starts a new association.
  void disableSctp(Timestamp now);
  sctp::DataChannels& dataChannels() { return *channels_; }
  const sctp::DataChannels& dataChannels() const { return *channels_; }
  /// Gives the channels that wait for an association to a transport that has none either, and takes
  /// the other's. False if one has its association already.
  bool swapChannels(PeerTransport& other, Timestamp now);
  bool sctpEnabled() const { return sctpRemotePort_.has_value(); }

  // Media.
  bool readyForMedia() const {
    return (srtp_ != nullptr || srtpKeying_.has_value()) && agent_.sendPath() != nullptr;
  }
  /// There is or will be media: SRTP is made ready with the handshake. Without it that waits for
  /// the first packet, and a connection that carries data only never pays for it.
  void expectMedia();
  /// Protects and queues a plaintext packet. False (and counted) if it cannot leave.
  bool sendRtp(PacketBuf packet, bool isRtcp, TxClass txClass, uint8_t dscp = 0,
               Ecn ecn = Ecn::NotEct);
  bool pollRtp(RtpPacket& out);
  /// Media sections are in force: an association without SRTP keys then fails the transport (RFC
  /// 5764 section 4.1), with a DtlsStateChange of its own.
  void requireSrtp(bool required, Timestamp now);
  /// The source of incoming RTP seems to be gone: another may take its place among the
  /// 2 * Limits::maxReceiveSsrcs that SRTP keeps (each with its retransmissions).
  void releaseSource(uint32_t ssrc);

  void handle(Input&& input, Timestamp now);
  /// The same for datagrams that arrived together.
  void handleDatagrams(std::span<Datagram> datagrams, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  bool pollTransmit(TxPacket& out);
  /// See ice::Agent.
  Timestamp consentFrom() const { return agent_.consentFrom(); }
  void askForConsent(Timestamp now);
  /// Whether pollTransmit() is to be called; it may turn out to have nothing.
  bool hasTransmits() const { return outputDue_ || !out_.empty(); }
  /// Closed, but not everything has left yet that is to be said.
  bool isEnding() const { return hasTransmits() || gatherer_.isEnding(); }
  bool pollEffect(Effect& out);
  bool pollEvent(TransportEvent& out);
  bool pollChannelEvent(sctp::ChannelEvent& out) { return channels_->pollEvent(out); }
  /// dataChannels() was given something to send: pollTransmit() will look there. pump() is still
  /// due.
  void expectTransmits(Timestamp now);
  /// To be called after using dataChannels() directly: moves what it produced on.
  void pump(Timestamp now);

  /// No section uses the transport any more (RFC 9429 section 5.11): back to how it was before the
  /// first negotiation, with other ICE credentials. Only the sockets stay. Whatever comes later
  /// begins anew, as it does with browsers, which destroy their transport here.
  void reset(Timestamp now);

  /// Says good-bye (SCTP ABORT, DTLS close_notify); nothing is accepted afterwards.
  void close(Timestamp now);

  const TransportCounters& counters() const { return counters_; }
  /// Of the pairs that were selected lately (the last 16), the present one last.
  const std::vector<PairTraffic>& pairTraffic() const { return traffic_; }
  /// The sum over all that ever were.
  PairTraffic totalTraffic() const;

  /// What has happened so far and what it means. Takes a look at everything: not for every packet.
  Diagnosis diagnose(Timestamp now) const;

 private:
  void handleDatagram(Datagram&& datagram, Timestamp now);
  void handleStun(const Datagram& datagram, Timestamp now);
  void handleResolved(Resolved&& resolved, Timestamp now);
  void gather(Timestamp now);
  void onGathererEvent(ice::GathererEvent&& event, Timestamp now);
  void handleRtp(Datagram&& datagram, Timestamp now);
  bool isOnPath(const Datagram& datagram) const;
  void pumpIce(Timestamp now);

  // peer_transport_dtls.cc
  void handleDtls(PacketBuf datagram, Timestamp now);
  std::unique_ptr<dtls::Connection> makeDtls() const;
  void pumpDtls(Timestamp now);
  void runDtls(Timestamp now);
  void hintRtt();
  bool isSettled() const;
  void sendThroughDtls(Timestamp now);
  void pumpRenewal(Timestamp now);
  void adoptRenewal(const dtls::Event& event, Timestamp now);
  void onDtlsEvent(const dtls::Event& event, Timestamp now);
  void dropSrtpKeys();
  void failWithoutSrtp(Timestamp now);
  bool startSrtp();
  void startSctp(Timestamp now);

  void onSelectedPair(Timestamp now);

  // peer_transport_diagnosis.cc
  DiagnosisFacts facts(Timestamp now) const;
  void forgetGeneration(Timestamp now);
  void noteCandidate(const ice::Candidate& candidate, bool local, Timestamp now);
  void noteProblem(const ice::CandidateError& error, Timestamp now);
  void noteIceState(ice::IceConnectionState state, Timestamp now);
  void notePath(Timestamp now);
  void noteDtls(const dtls::Event& event, Timestamp now);
  void noteSctp(Timestamp now);

  void followTraffic(std::optional<uint32_t> pair);
  void forgetTraffic();
  bool queueOnPath(PacketBuf packet, TxClass txClass, uint8_t dscp = 0, Ecn ecn = Ecn::NotEct,
                   bool dontFragment = false);
  bool queue(TxPacket&& packet);
  void pollGatherer();

  Environment& environment_;
  const TransportConfig config_;
  IdAllocator ids_;
  ice::Gatherer gatherer_;
  ice::Agent agent_;
  /// Look-ups of the agent under way: our number, its number.
  std::vector<std::pair<ResolveId, ResolveId>> names_;
  std::unique_ptr<dtls::Connection> dtls_;
  /// The association that is to take the place of `dtls_`, until it is connected.
  struct Renewal {
    std::unique_ptr<dtls::Connection> dtls;
    dtls::Role role;
    DtlsRenewal kind;
    bool required = true;  ///< without it the transport has failed
    bool started = false;
  };
  std::optional<Renewal> renewal_;
  bool mediaExpected_ = false;
  bool srtpRequired_ = false;
  Boxed<crypto::SrtpKeying> srtpKeying_;  ///< until `srtp_` is made of it
  std::unique_ptr<srtp::SrtpSession> srtp_;
  srtp::HeaderEncryption outboundHeaders_;
  srtp::HeaderEncryption inboundHeaders_;
  srtp::Counters srtpBefore_;  ///< of keys no longer in use
  std::unique_ptr<sctp::DataChannels> channels_;
  std::optional<dtls::Role> dtlsRole_;
  bool dtlsStarted_ = false;
  bool closed_ = false;
  std::optional<uint16_t> sctpRemotePort_;
  bool sctpStarted_ = false;
  GatheringState gathering_ = GatheringState::New;
  Timestamp gatherAt_ = Timestamp::never();
  RingQueue<TxPacket> out_;
  bool heardOnPath_ = false;  ///< DTLS, by the way that is in use
  bool outputDue_ = false;    ///< packets came in: SCTP may have something to send
  RingQueue<RtpPacket> rtp_;
  std::deque<TransportEvent> events_;
  MonotonicGuard clock_;
  TransportCounters counters_;

  /// What only diagnose() reads.
  struct Memory {
    Timeline timeline;
    CandidateTally local;  ///< of this ICE generation, as is the rest up to `hadPath`
    CandidateTally remote;
    std::vector<ServerProblem> problems;
    bool described = false;
    bool remoteEnded = false;
    bool udpAnswered = false;
    bool hadPath = false;
    bool mediaSent = false;
    bool mediaReceived = false;
    Timestamp iceSince = Timestamp::never();
    Timestamp dtlsSince = Timestamp::never();
    Timestamp heardAt = Timestamp::never();
    std::optional<Duration> silence;  ///< before the path was given up
    dtls::Event dtls;
    sctp::AssociationState sctp = sctp::AssociationState::New;
    size_t largestSent = 0;
  };
  Memory memory_;
  std::vector<PairTraffic> traffic_;
  PairTraffic formerTraffic_;  ///< of pairs no longer in the list
  std::optional<uint32_t> selectedPair_;
};

}  // namespace parley::transport
