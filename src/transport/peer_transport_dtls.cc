// What DTLS makes of the path: associations, the keys of SRTP, the life of SCTP.

#include <algorithm>
#include <utility>

#include "parley/transport/peer_transport.h"

namespace parley::transport {
namespace {

// What one round takes from SCTP before the driver gets to send: enough for a GSO batch, and a
// bound on the copies that wait here instead of in the association.
constexpr size_t kMaxQueuedData = 256;

// RTCP of peers that only receive comes from SSRCs that no stream has.
constexpr size_t kReportingSources = 16;
/// A session sends 256 streams at most, each with its retransmissions and FEC; but those that have
/// ended count as well, for as long as the keys are in use their indexes must not begin again (RFC
/// 3711 section 9.1). So many are thousands of streams added and stopped; each takes some 200
/// octets.
constexpr size_t kMaxOwnSources = 16384;

constexpr uint8_t kAlert = 21;
constexpr uint8_t kApplicationData = 23;
constexpr size_t kRecordHeaderSize = 13;

bool isInTheClear(ByteSpan record) {
  return loadU16(&record[3]) == 0;  // epoch
}

bool hasEnded(dtls::State state) {
  return state == dtls::State::Closed || state == dtls::State::Failed;
}

/// For the next SCTP association, over a DTLS association in which we have this role.
void beginChannelsAnew(sctp::DataChannels& channels, std::optional<dtls::Role> role,
                       Timestamp now) {
  channels.restart(now);
  if (role) channels.setDtlsRole(*role == dtls::Role::Client, now);
}

void add(srtp::StatusCounts& sum, const srtp::StatusCounts& more) {
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += more[i];
}

void add(srtp::Counters& sum, const srtp::Counters& more) {
  add(sum.protectRtp, more.protectRtp);
  add(sum.protectRtcp, more.protectRtcp);
  add(sum.unprotectRtp, more.unprotectRtp);
  add(sum.unprotectRtcp, more.unprotectRtcp);
}

}  // namespace

std::unique_ptr<dtls::Connection> PeerTransport::makeDtls() const {
  dtls::Config config;
  config.certificate = config_.certificate;
  config.srtpProfiles = config_.srtpProfiles;
  config.mtu = config_.mtu;
  config.dataMtu = config_.sctp.maxMtu + dtls::Connection::kRecordOverhead;
  return std::make_unique<dtls::Connection>(environment_, std::move(config));
}

void PeerTransport::startDtls(std::vector<dtls::Fingerprint> remote, dtls::Role localRole,
                              Timestamp now) {
  now = clock_.clamp(now);
  dtls_->setRemoteFingerprints(std::move(remote), now);
  if (!dtlsRole_) {
    dtlsRole_ = localRole;
    channels_->setDtlsRole(localRole == dtls::Role::Client, now);
  }
  pump(now);
}

void PeerTransport::setRemoteFingerprints(std::vector<dtls::Fingerprint> remote, Timestamp now) {
  now = clock_.clamp(now);
  dtls_->setRemoteFingerprints(std::move(remote), now);
  pump(now);
}

void PeerTransport::renewDtls(std::vector<dtls::Fingerprint> remote, dtls::Role localRole,
                              DtlsRenewal kind, Timestamp now) {
  if (!dtlsRole_) {
    startDtls(std::move(remote), localRole, now);
    return;
  }
  if (closed_) return;
  now = clock_.clamp(now);
  // One that was to replace a lost peer stays one, whatever comes after it.
  const bool hadNewPeer = renewal_ && renewal_->kind == DtlsRenewal::NewPeer;
  if (hadNewPeer) kind = DtlsRenewal::NewPeer;
  renewal_.emplace(Renewal{makeDtls(), localRole, kind});
  renewal_->required = kind == DtlsRenewal::NewPeer || dtls_->state() != dtls::State::Connected;
  renewal_->dtls->setRemoteFingerprints(std::move(remote), now);
  pump(now);
}

// Two associations share the path while the new one shakes hands: the new one has its records in
// the clear at first and no data yet, the old one has nothing but data and alerts.
void PeerTransport::handleDtls(PacketBuf datagram, Timestamp now) {
  const ByteSpan bytes = datagram.span();
  const bool isForOld =
      !hasEnded(dtls_->state()) && bytes.size() >= kRecordHeaderSize &&
      (bytes[0] == kApplicationData || (bytes[0] == kAlert && !isInTheClear(bytes)));
  dtls::Connection& connection = renewal_ && !isForOld ? *renewal_->dtls : *dtls_;
  connection.handlePacket(std::move(datagram), now);
}

void PeerTransport::pumpDtls(Timestamp now) {
  runDtls(now);
  sendThroughDtls(now);
}

/// On a lossy path the first check may have been repeated and so have measured nothing: what a
/// later one measures is not too late.
void PeerTransport::hintRtt() {
  const std::optional<Duration> rtt = agent_.pathRtt();
  if (!rtt) return;
  dtls_->setRttHint(*rtt);
  if (renewal_) renewal_->dtls->setRttHint(*rtt);
}

/// What came in, and what follows from it but for packets.
void PeerTransport::runDtls(Timestamp now) {
  if (!isSettled()) hintRtt();
  if (!dtlsStarted_ && dtlsRole_ && agent_.sendPath()) {
    dtlsStarted_ = true;
    dtls_->start(*dtlsRole_, now);
  }
  pumpRenewal(now);
  dtls::Event event;
  while (dtls_->pollEvent(event)) {
    if (hasEnded(event.state) && renewal_) {
      if (renewal_->required) {
        // Not the end of the transport, but the keys are void.
        dropSrtpKeys();
        continue;
      }
      renewal_.reset();
    }
    onDtlsEvent(event, now);
  }
  PacketBuf packet;
  while (dtls_->pollData(packet)) {
    if (heardOnPath_) agent_.noteReceived(now);
    channels_->handlePacket(packet.span(), now);
  }
  heardOnPath_ = false;
  noteSctp(now);
}

/// Whether DTLS has nothing to do but to protect data.
bool PeerTransport::isSettled() const {
  return dtls_->state() == dtls::State::Connected && !renewal_;
}

void PeerTransport::sendThroughDtls(Timestamp now) {
  outputDue_ = false;
  PacketBuf packet;
  const bool connected = dtls_->state() == dtls::State::Connected;
  const TxClass txClass = connected ? TxClass::Bulk : TxClass::Control;
  while (!out_.full() && dtls_->pollTransmit(packet)) queueOnPath(std::move(packet), txClass);
  if (!connected) return;
  while (out_.size() < kMaxQueuedData && channels_->pollTransmit(packet)) {
    const bool isProbe = channels_->isPathProbe();
    // A record that DTLS refuses is lost like a datagram; SCTP sends it again.
    if (dtls_->seal(packet, now)) {
      queueOnPath(std::move(packet), txClass, 0, Ecn::NotEct, isProbe);
    } else {
      ++counters_.droppedQueueFull;
    }
  }
  outputDue_ = out_.size() >= kMaxQueuedData;
}

void PeerTransport::pumpRenewal(Timestamp now) {
  if (!renewal_) return;
  // After an ICE restart the former path leads to the former peer.
  if (!renewal_->started && agent_.sendPath() && !agent_.usesFormerPath()) {
    renewal_->started = true;
    renewal_->dtls->start(renewal_->role, now);
  }
  PacketBuf packet;
  while (!out_.full() && renewal_->dtls->pollTransmit(packet))
    queueOnPath(std::move(packet), TxClass::Control);
  dtls::Event event;
  while (renewal_ && renewal_->dtls->pollEvent(event)) {
    if (event.state == dtls::State::Connecting) {
      if (renewal_->required) events_.push_back(DtlsStateChange{event});
    } else if (event.state == dtls::State::Connected || renewal_->required) {
      adoptRenewal(event, now);
    } else {
      PARLEY_LOG(environment_.log, Info, "transport", "the peer goes on with its DTLS association");
      renewal_.reset();
    }
  }
}

void PeerTransport::adoptRenewal(const dtls::Event& event, Timestamp now) {
  const DtlsRenewal kind = renewal_->kind;
  dtls_ = std::move(renewal_->dtls);
  dtlsRole_ = renewal_->role;
  dtlsStarted_ = true;
  renewal_.reset();
  // Without an SCTP association there is nothing to go on with: RFC 8832 section 6 has the parity
  // of streams follow the roles of the DTLS association that is now below.
  if (event.state == dtls::State::Connected && (kind == DtlsRenewal::NewPeer || !sctpStarted_)) {
    beginChannelsAnew(*channels_, dtlsRole_, now);
    sctpStarted_ = false;
  }
  onDtlsEvent(event, now);
}

void PeerTransport::onDtlsEvent(const dtls::Event& event, Timestamp now) {
  noteDtls(event, now);
  if (event.state == dtls::State::Connected) {
    dropSrtpKeys();
    srtpKeying_ = dtls_->srtpKeying();
    if (mediaExpected_) startSrtp();
    startSctp(now);
    events_.push_back(DtlsStateChange{event});
    failWithoutSrtp(now);
    return;
  }
  if (hasEnded(event.state)) {
    // Nothing may go on over keys whose association is over (bad-certificate and close cases
    // alike).
    dropSrtpKeys();
    channels_->closeAll(now);
  }
  events_.push_back(DtlsStateChange{event});
}

void PeerTransport::expectMedia() {
  mediaExpected_ = true;
  startSrtp();
}

/// False while there are no keys.
bool PeerTransport::startSrtp() {
  if (!srtp_ && srtpKeying_) {
    srtp::SrtpOptions options;
    options.maxInboundSources = 2 * environment_.limits.maxReceiveSsrcs + kReportingSources;
    options.maxOutboundSources = kMaxOwnSources;
    options.outboundHeaders = outboundHeaders_;
    options.inboundHeaders = inboundHeaders_;
    auto session =
        srtp::SrtpSession::create(*srtpKeying_, *dtlsRole_ == dtls::Role::Client, options);
    srtpKeying_.reset();
    if (session) srtp_ = *std::move(session);
  }
  return srtp_ != nullptr;
}

void PeerTransport::setHeaderEncryption(const srtp::HeaderEncryption& outbound,
                                        const srtp::HeaderEncryption& inbound) {
  outboundHeaders_ = outbound;
  inboundHeaders_ = inbound;
  if (srtp_) srtp_->setHeaderEncryption(outbound, inbound);
}

void PeerTransport::requireSrtp(bool required, Timestamp now) {
  srtpRequired_ = required;
  failWithoutSrtp(clock_.clamp(now));
  pump(now);
}

void PeerTransport::failWithoutSrtp(Timestamp now) {
  if (!srtpRequired_ || closed_ || dtls_->state() != dtls::State::Connected || startSrtp()) return;
  dtls_->close(now);
  dtls::Event event;
  while (dtls_->pollEvent(event)) {
  }
  event.state = dtls::State::Failed;
  event.reason = dtls::Reason::NoSrtpProfile;
  onDtlsEvent(event, now);
}

void PeerTransport::reset(Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  // Channels that still wait for an association go on waiting: a rolled back offer costs none.
  if (sctpRemotePort_ || sctpStarted_) {
    channels_->closeAll(now);
    pump(now);  // the ABORT leaves
  }
  channels_->restart(now);
  sctpRemotePort_.reset();
  renewal_.reset();
  dtls_ = makeDtls();
  dtlsRole_.reset();
  dropSrtpKeys();
  dtlsStarted_ = sctpStarted_ = mediaExpected_ = srtpRequired_ = false;
  Timeline timeline = std::move(memory_.timeline);
  memory_ = Memory();
  memory_.timeline = std::move(timeline);
  agent_ = ice::Agent(environment_, config_.ice);
  forgetTraffic();
  names_.clear();
  gathering_ = GatheringState::New;
  gatherAt_ = Timestamp::never();
  // The machines that would have told are gone.
  events_.push_back(SelectedPairChange{});
  events_.push_back(IceStateChange{agent_.state()});
  events_.push_back(DtlsStateChange{});
  events_.push_back(GatheringStateChange{gathering_});
}

void PeerTransport::dropSrtpKeys() {
  srtpKeying_.reset();
  if (srtp_) add(srtpBefore_, srtp_->counters());
  srtp_.reset();
}

srtp::Counters PeerTransport::srtpCounters() const {
  srtp::Counters sum = srtpBefore_;
  if (srtp_) add(sum, srtp_->counters());
  return sum;
}

void PeerTransport::releaseSource(uint32_t ssrc) {
  if (srtp_) srtp_->releaseInbound(ssrc);
}

void PeerTransport::enableSctp(uint16_t remotePort, uint64_t remoteMaxMessageSize, Timestamp now) {
  sctpRemotePort_ = remotePort;
  channels_->setRemoteMaxMessageSize(remoteMaxMessageSize);
  pump(now);
}

void PeerTransport::disableSctp(Timestamp now) {
  now = clock_.clamp(now);
  channels_->closeAll(now, "the data section was rejected");
  pump(now);  // the ABORT leaves
  beginChannelsAnew(*channels_, dtlsRole_, now);
  sctpRemotePort_.reset();
  sctpStarted_ = false;
}

bool PeerTransport::swapChannels(PeerTransport& other, Timestamp now) {
  if (sctpRemotePort_ || other.sctpRemotePort_ || closed_ || other.closed_) return false;
  std::swap(channels_, other.channels_);
  for (PeerTransport* end : {this, &other})
    beginChannelsAnew(*end->channels_, end->dtlsRole_, end->clock_.clamp(now));
  return true;
}

void PeerTransport::startSctp(Timestamp now) {
  if (sctpStarted_ || !sctpRemotePort_ || dtls_->state() != dtls::State::Connected) return;
  sctpStarted_ = true;
  sctp::AssociationConfig config = config_.sctp;
  config.remotePort = *sctpRemotePort_;
  config.maxMessageSize = environment_.limits.maxMessageSize;
  config.sendBuffer = config.receiveBuffer = environment_.limits.maxTransferWindow;
  if (const auto rtt = agent_.pathRtt()) config.rttHint = *rtt;
  channels_->start(sctp::createAssociation(environment_, config), now);
  memory_.timeline.note(Milestone::SctpStarted, now);
}

}  // namespace parley::transport
