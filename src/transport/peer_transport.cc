#include "parley/transport/peer_transport.h"

#include <algorithm>
#include <utility>

#include "parley/transport/classify.h"

namespace parley::transport {
namespace {

constexpr size_t kMaxQueuedRtp = 512;
// Gathering begins in a step of its own: the call that asked for it completes first (W3C 4.4.1.5
// starts it "in parallel"), so a peer never hears of candidates before the description they belong
// to.
constexpr Duration kGatheringDelay = Duration::micros(1);
// What one round takes from SCTP before the driver gets to send: enough for a GSO batch, and a
// bound on the copies that wait here instead of in the association.
constexpr size_t kMaxQueuedData = 256;

dtls::Config dtlsConfig(const TransportConfig& config) {
  dtls::Config out;
  out.certificate = config.certificate;
  out.mtu = config.mtu;
  return out;
}

}  // namespace

PeerTransport::PeerTransport(Environment& environment, TransportConfig config)
    : environment_(environment),
      config_(std::move(config)),
      gatherer_(environment, ids_, config_.gatherer),
      agent_(environment, config_.ice),
      dtls_(environment, dtlsConfig(config_)),
      channels_(environment),
      out_(environment.limits.maxQueuedTransmits),
      rtp_(kMaxQueuedRtp) {}

PeerTransport::~PeerTransport() = default;

void PeerTransport::setIceRole(ice::Role role, Timestamp now) {
  agent_.setRole(role, now);
  pumpIce(now);
}

void PeerTransport::startGathering(Timestamp now) {
  if (gathering_ != GatheringState::New) return;
  gatherAt_ = clock_.clamp(now) + kGatheringDelay;
}

void PeerTransport::gather(Timestamp now) {
  gatherAt_ = Timestamp::never();
  gathering_ = GatheringState::Gathering;
  events_.push_back(GatheringStateChange{gathering_});
  gatherer_.restart(now);
}

void PeerTransport::setRemoteCredentials(ice::Credentials credentials, bool lite, Timestamp now) {
  agent_.setRemoteCredentials(std::move(credentials), lite, now);
  pumpIce(now);
}

void PeerTransport::addRemoteCandidate(const ice::Candidate& candidate, Timestamp now) {
  agent_.addRemoteCandidate(candidate, now);
  pumpIce(now);
}

void PeerTransport::endRemoteCandidates(Timestamp now) {
  agent_.setRemoteEndOfCandidates(now);
  pumpIce(now);
}

void PeerTransport::restartIce(ice::Credentials local, Timestamp now) {
  now = clock_.clamp(now);
  agent_.restart(std::move(local), now);
  gathering_ = GatheringState::New;
  startGathering(now);
  pumpIce(now);
}

void PeerTransport::startDtls(std::vector<dtls::Fingerprint> remote, dtls::Role localRole,
                              Timestamp now) {
  dtls_.setRemoteFingerprints(std::move(remote), now);
  if (!dtlsRole_) {
    dtlsRole_ = localRole;
    channels_.setDtlsRole(localRole == dtls::Role::Client, now);
  }
  pump(now);
}

void PeerTransport::setRemoteFingerprints(std::vector<dtls::Fingerprint> remote, Timestamp now) {
  dtls_.setRemoteFingerprints(std::move(remote), now);
  pump(now);
}

void PeerTransport::enableSctp(uint16_t remotePort, uint64_t remoteMaxMessageSize, Timestamp now) {
  sctpRemotePort_ = remotePort;
  channels_.setRemoteMaxMessageSize(remoteMaxMessageSize);
  pump(now);
}

void PeerTransport::disableSctp(Timestamp now) {
  now = clock_.clamp(now);
  channels_.closeAll(now, "the data section was rejected");
  pump(now);  // the ABORT leaves
  channels_.restart(now);
  if (dtlsRole_) channels_.setDtlsRole(*dtlsRole_ == dtls::Role::Client, now);
  sctpRemotePort_.reset();
  sctpStarted_ = false;
}

void PeerTransport::startSctp(Timestamp now) {
  if (sctpStarted_ || !sctpRemotePort_ || dtls_.state() != dtls::State::Connected) return;
  sctpStarted_ = true;
  sctp::AssociationConfig config = config_.sctp;
  config.remotePort = *sctpRemotePort_;
  config.maxMessageSize = environment_.limits.maxMessageSize;
  if (const auto pair = agent_.selectedPair(); pair && pair->rtt) config.rttHint = *pair->rtt;
  channels_.start(sctp::createAssociation(environment_, config), now);
}

bool PeerTransport::queueOnPath(PacketBuf packet, TxClass txClass) {
  const ice::SendPath* path = agent_.sendPath();
  if (!path) {
    ++counters_.droppedNoPath;
    return false;
  }
  TxPacket out;
  out.socket = path->socket;
  out.to = path->remote;
  out.from = path->local;
  out.txClass = txClass;
  counters_.bytesSent += packet.size();
  ++counters_.packetsSent;
  out.data = std::move(packet);
  if (out_.push(std::move(out))) return true;
  ++counters_.droppedQueueFull;
  return false;
}

void PeerTransport::expectMedia() {
  mediaExpected_ = true;
  startSrtp();
}

/// False while there are no keys.
bool PeerTransport::startSrtp() {
  if (!srtp_ && srtpKeying_) {
    auto session = srtp::SrtpSession::create(*srtpKeying_, *dtlsRole_ == dtls::Role::Client);
    srtpKeying_.reset();
    if (session) srtp_ = *std::move(session);
  }
  return srtp_ != nullptr;
}

bool PeerTransport::sendRtp(PacketBuf packet, bool isRtcp, TxClass txClass) {
  if (closed_ || !startSrtp()) {
    ++counters_.droppedBeforeKeys;
    return false;
  }
  const srtp::Status status = isRtcp ? srtp_->protectRtcp(packet) : srtp_->protectRtp(packet);
  if (status != srtp::Status::Ok) return false;
  return queueOnPath(std::move(packet), txClass);
}

bool PeerTransport::pollRtp(RtpPacket& out) {
  if (rtp_.empty()) return false;
  out = rtp_.pop();
  return true;
}

void PeerTransport::rollbackIceRestart(Timestamp now) {
  agent_.rollbackRestart(clock_.clamp(now));
  pumpIce(now);
}

void PeerTransport::handle(Input&& input, Timestamp now) {
  now = clock_.clamp(now);
  // Socket and resolver news belong to whoever wished for them; the ids tell them apart.
  if (auto* datagram = std::get_if<Datagram>(&input)) {
    handleDatagram(std::move(*datagram), now);
  } else if (const auto* changed = std::get_if<InterfacesChanged>(&input)) {
    gatherer_.handleInterfaces(*changed, now);
  } else if (const auto* opened = std::get_if<SocketOpened>(&input)) {
    if (!gatherer_.handleSocketOpened(*opened, now) && mdns_)
      mdns_->handleSocketOpened(*opened, now);
  } else if (const auto* failed = std::get_if<SocketFailed>(&input)) {
    if (!gatherer_.handleSocketFailed(*failed, now) && mdns_)
      mdns_->handleSocketFailed(*failed, now);
  } else if (const auto* resolved = std::get_if<Resolved>(&input)) {
    gatherer_.handleResolved(*resolved, now);
  }
  pump(now);
}

void PeerTransport::handleStun(const Datagram& datagram, Timestamp now) {
  if (gatherer_.handleDatagram(datagram.socket, datagram.from, datagram.data.span(), now)) return;
  agent_.handleStun(datagram.socket, datagram.from, datagram.to, datagram.data.span(), now);
}

void PeerTransport::handleDatagram(Datagram&& datagram, Timestamp now) {
  if (mdns_ && mdns_->handleDatagram(datagram.socket, datagram.from, datagram.data.span(), now))
    return;
  counters_.bytesReceived += datagram.data.size();
  ++counters_.packetsReceived;
  const PacketClass packetClass = classify(datagram.data.span());
  if (packetClass == PacketClass::Stun) {
    handleStun(datagram, now);
    return;
  }
  if (packetClass == PacketClass::Unknown) {
    ++counters_.droppedUnknownClass;
    return;
  }
  // Nothing but STUN is looked at unless ICE has authenticated where it comes from: the handshake
  // of a stranger must not win against the peer's (RFC 8826 section 4.2; the ClientHello race).
  if (!agent_.isValidSource(datagram.socket, datagram.from)) {
    ++counters_.droppedUnknownSource;
    return;
  }
  if (packetClass == PacketClass::Dtls) {
    dtls_.handlePacket(std::move(datagram.data), now);
    return;
  }
  handleRtp(std::move(datagram), now);
}

void PeerTransport::handleRtp(Datagram&& datagram, Timestamp now) {
  if (!startSrtp()) {
    ++counters_.droppedBeforeKeys;
    return;
  }
  RtpPacket packet;
  packet.isRtcp = isRtcp(datagram.data.span());
  packet.data = std::move(datagram.data);
  packet.ecn = datagram.ecn;
  packet.arrival = now;
  const srtp::Status status =
      packet.isRtcp ? srtp_->unprotectRtcp(packet.data) : srtp_->unprotectRtp(packet.data);
  if (status != srtp::Status::Ok) {
    ++counters_.droppedUnauthentic;
    return;
  }
  agent_.noteReceived(now);
  if (!rtp_.push(std::move(packet))) ++counters_.droppedQueueFull;
}

void PeerTransport::onGathererEvent(ice::GathererEvent&& event, Timestamp now) {
  if (const auto* gone = std::get_if<ice::SocketGone>(&event)) {
    agent_.removeSocket(gone->socket, now);
    return;
  }
  // Between a restart and the gathering it asks for: what is still true will be told again.
  if (gathering_ == GatheringState::New) return;
  if (auto* found = std::get_if<ice::CandidateGathered>(&event)) {
    agent_.addLocalCandidate(found->candidate, found->socket, now);
    events_.push_back(CandidateFound{std::move(found->candidate)});
  } else if (auto* error = std::get_if<ice::CandidateError>(&event)) {
    events_.push_back(std::move(*error));
  } else if (std::holds_alternative<ice::GatheringDone>(event)) {
    agent_.setLocalEndOfCandidates(now);
    if (gathering_ == GatheringState::Complete) return;
    gathering_ = GatheringState::Complete;
    events_.push_back(GatheringStateChange{gathering_});
  }
}

void PeerTransport::pumpMdns(Timestamp now) {
  Effect effect;
  while (agent_.pollEffect(effect)) {
    const auto* resolve = std::get_if<Resolve>(&effect);
    if (!resolve) continue;
    if (!mdns_) mdns_ = std::make_unique<ice::MdnsResolver>(environment_, ids_);
    mdns_->resolve(resolve->id, resolve->host, now);
  }
  if (!mdns_) return;
  Resolved resolved;
  while (mdns_->pollResult(resolved)) agent_.handleResolved(resolved, now);
  TxPacket out;
  while (!out_.full() && mdns_->pollTransmit(out)) out_.push(std::move(out));
}

void PeerTransport::pumpIce(Timestamp now) {
  ice::GathererEvent gathered;
  while (gatherer_.pollEvent(gathered)) onGathererEvent(std::move(gathered), now);
  pumpMdns(now);
  ice::AgentEvent event;
  while (agent_.pollEvent(event)) {
    if (const auto* changed = std::get_if<ice::StateChanged>(&event)) {
      events_.push_back(IceStateChange{changed->state});
    } else if (std::holds_alternative<ice::SelectedPairChanged>(event)) {
      onSelectedPair(now);
    }
  }
  TxPacket out;
  while (!out_.full() && gatherer_.pollTransmit(out)) out_.push(std::move(out));
  while (!out_.full() && agent_.pollTransmit(out)) {
    counters_.bytesSent += out.data.size();
    ++counters_.packetsSent;
    out_.push(std::move(out));
  }
}

void PeerTransport::onSelectedPair(Timestamp now) {
  events_.push_back(SelectedPairChange{});
  const auto pair = agent_.selectedPair();
  if (!pair) return;
  gatherer_.stopKeepalives();
  if (pair->rtt) dtls_.setRttHint(*pair->rtt);
  // RFC 8445 section 12.1: data may flow as soon as there is a valid pair; nomination is not
  // awaited.
  if (dtlsStarted_) dtls_.resendFlightNow(now);
}

void PeerTransport::pumpDtls(Timestamp now) {
  if (!dtlsStarted_ && dtlsRole_ && agent_.sendPath()) {
    dtlsStarted_ = true;
    dtls_.start(*dtlsRole_, now);
  }
  dtls::Event event;
  while (dtls_.pollEvent(event)) onDtlsEvent(event, now);
  PacketBuf packet;
  while (dtls_.pollData(packet)) {
    agent_.noteReceived(now);
    channels_.handlePacket(packet.span(), now);
  }
  const bool connected = dtls_.state() == dtls::State::Connected;
  const TxClass txClass = connected ? TxClass::Bulk : TxClass::Control;
  while (!out_.full() && dtls_.pollTransmit(packet)) queueOnPath(std::move(packet), txClass);
  if (!connected) return;
  while (out_.size() < kMaxQueuedData && channels_.pollTransmit(packet)) {
    // A record that DTLS refuses is lost like a datagram; SCTP sends it again.
    if (dtls_.seal(packet, now)) {
      queueOnPath(std::move(packet), txClass);
    } else {
      ++counters_.droppedQueueFull;
    }
  }
}

void PeerTransport::onDtlsEvent(const dtls::Event& event, Timestamp now) {
  if (event.state == dtls::State::Connected) {
    srtpKeying_ = dtls_.srtpKeying();
    if (mediaExpected_) startSrtp();
    startSctp(now);
  } else if (event.state == dtls::State::Failed || event.state == dtls::State::Closed) {
    // Nothing may go on over keys whose association is over (bad-certificate and close cases
    // alike).
    srtpKeying_.reset();
    srtp_.reset();
    channels_.closeAll(now);
  }
  events_.push_back(DtlsStateChange{event});
}

void PeerTransport::pump(Timestamp now) {
  now = clock_.clamp(now);
  pumpIce(now);
  startSctp(now);
  pumpDtls(now);
}

void PeerTransport::advance(Timestamp now) {
  now = clock_.clamp(now);
  if (gatherAt_ <= now) gather(now);
  gatherer_.advance(now);
  agent_.advance(now);
  if (mdns_) mdns_->advance(now);
  dtls_.advance(now);
  channels_.advance(now);
  pump(now);
}

Timestamp PeerTransport::nextDeadline() const {
  return earliest(gatherAt_, gatherer_.nextDeadline(), agent_.nextDeadline(), dtls_.nextDeadline(),
                  channels_.nextDeadline(), mdns_ ? mdns_->nextDeadline() : Timestamp::never());
}

bool PeerTransport::pollTransmit(TxPacket& out) {
  if (out_.empty()) {
    // The queue is kept short on purpose: data waits in the association, where it can still be
    // dropped or reordered by priority.
    pumpDtls(clock_.last());
    if (out_.empty()) return false;
  }
  out = out_.pop();
  return true;
}

bool PeerTransport::pollEffect(Effect& out) {
  return gatherer_.pollEffect(out) || (mdns_ && mdns_->pollEffect(out));
}

bool PeerTransport::pollEvent(TransportEvent& out) {
  if (events_.empty()) return false;
  out = std::move(events_.front());
  events_.pop_front();
  return true;
}

void PeerTransport::close(Timestamp now) {
  if (closed_) return;
  now = clock_.clamp(now);
  channels_.closeAll(now);
  pump(now);
  closed_ = true;
  dtls_.close(now);
  pumpDtls(now);
  srtpKeying_.reset();
  srtp_.reset();
  agent_.close(now);
  // The sockets stay open until the good-byes have left: their owner closes them with the session.
}

}  // namespace parley::transport
