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
// Look-ups that may be under way at once; the agent keeps to Limits::maxPendingMdns of a
// generation.
constexpr size_t kMaxNames = 64;

void addTraffic(PairTraffic& sum, const PairTraffic& more) {
  sum.packetsSent += more.packetsSent;
  sum.bytesSent += more.bytesSent;
  sum.packetsReceived += more.packetsReceived;
  sum.bytesReceived += more.bytesReceived;
  sum.packetsDiscarded += more.packetsDiscarded;
  sum.bytesDiscarded += more.bytesDiscarded;
}

}  // namespace

PeerTransport::PeerTransport(Environment& environment, TransportConfig config)
    : environment_(environment),
      config_(std::move(config)),
      ids_(config_.idBase),
      gatherer_(environment, ids_, config_.gatherer),
      agent_(environment, config_.ice,
             config_.credentials ? *config_.credentials
                                 : ice::Credentials::generate(environment.random)),
      dtls_(makeDtls()),
      channels_(std::make_unique<sctp::DataChannels>(environment)),
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
  memory_.timeline.note(Milestone::GatheringStarted, now);
  gatherer_.restart(now);
}

void PeerTransport::setRemoteCredentials(ice::Credentials credentials, bool lite, Timestamp now) {
  if (!std::exchange(memory_.described, true)) {
    memory_.iceSince = clock_.clamp(now);
    memory_.timeline.note(Milestone::RemoteDescribed, memory_.iceSince);
  }
  agent_.setRemoteCredentials(std::move(credentials), lite, now);
  pumpIce(now);
}

void PeerTransport::addRemoteCandidate(const ice::Candidate& candidate, Timestamp now) {
  noteCandidate(candidate, false, clock_.clamp(now));
  if (candidate.hostname.empty()) gatherer_.permit(candidate.address.ip, now);
  agent_.addRemoteCandidate(candidate, now);
  pumpIce(now);
}

void PeerTransport::endRemoteCandidates(Timestamp now) {
  if (!std::exchange(memory_.remoteEnded, true))
    memory_.timeline.note(Milestone::RemoteEnd, clock_.clamp(now));
  agent_.setRemoteEndOfCandidates(now);
  pumpIce(now);
}

void PeerTransport::restartIce(ice::Credentials local, Timestamp now) {
  now = clock_.clamp(now);
  forgetGeneration(now);
  agent_.restart(std::move(local), now);
  gathering_ = GatheringState::New;
  startGathering(now);
  pumpIce(now);
}

bool PeerTransport::queueOnPath(PacketBuf packet, TxClass txClass, uint8_t dscp, Ecn ecn,
                                bool dontFragment) {
  const ice::SendPath* path = agent_.sendPath();
  if (!path) {
    ++counters_.droppedNoPath;
    return false;
  }
  memory_.largestSent = std::max(memory_.largestSent, packet.size());
  TxPacket out;
  out.socket = path->socket;
  out.to = path->remote;
  out.from = path->local;
  out.txClass = txClass;
  out.dscp = dscp;
  out.ecn = ecn;
  out.dontFragment = dontFragment;
  out.data = std::move(packet);
  const size_t size = out.data.size();
  const bool queued = queue(std::move(out));
  if (traffic_.empty()) return queued;
  PairTraffic& traffic = traffic_.back();
  if (queued) {
    ++traffic.packetsSent;
    traffic.bytesSent += size;
    traffic.lastSent = clock_.last();
  } else {
    ++traffic.packetsDiscarded;
    traffic.bytesDiscarded += size;
  }
  return queued;
}

/// Sends through the socket, or through the relay or TCP connection that stands for one.
bool PeerTransport::queue(TxPacket&& packet) {
  counters_.bytesSent += packet.data.size();
  ++counters_.packetsSent;
  bool queued;
  if (gatherer_.isIndirect(packet.socket)) {
    queued = gatherer_.sendIndirect(std::move(packet), clock_.last());
    pollGatherer();
  } else {
    queued = out_.push(std::move(packet));
  }
  if (!queued) ++counters_.droppedQueueFull;
  return queued;
}

void PeerTransport::pollGatherer() {
  TxPacket out;
  while (!out_.full() && gatherer_.pollTransmit(out)) out_.push(std::move(out));
}

bool PeerTransport::sendRtp(PacketBuf packet, bool isRtcp, TxClass txClass, uint8_t dscp, Ecn ecn) {
  if (closed_ || !startSrtp()) {
    ++counters_.droppedBeforeKeys;
    return false;
  }
  const srtp::Status status = isRtcp ? srtp_->protectRtcp(packet) : srtp_->protectRtp(packet);
  if (status != srtp::Status::Ok || !queueOnPath(std::move(packet), txClass, dscp, ecn))
    return false;
  if (!std::exchange(memory_.mediaSent, true))
    memory_.timeline.note(Milestone::FirstMediaSent, clock_.last());
  return true;
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

bool PeerTransport::selectPair(uint32_t pair, Timestamp now) {
  const bool known = agent_.selectPair(pair, clock_.clamp(now));
  pumpIce(now);
  return known;
}

bool PeerTransport::removePair(uint32_t pair, Timestamp now) {
  const bool known = agent_.removePair(pair, clock_.clamp(now));
  pumpIce(now);
  return known;
}

void PeerTransport::handle(Input&& input, Timestamp now) {
  now = clock_.clamp(now);
  // Socket and resolver news belong to whoever wished for them; the ids tell them apart.
  if (auto* datagram = std::get_if<Datagram>(&input)) {
    handleDatagram(std::move(*datagram), now);
  } else if (auto* bytes = std::get_if<StreamBytes>(&input)) {
    gatherer_.handleStream(std::move(*bytes), now);
  } else if (const auto* accepted = std::get_if<TcpAccepted>(&input)) {
    gatherer_.handleAccepted(*accepted, now);
  } else if (const auto* pressure = std::get_if<StreamPressure>(&input)) {
    gatherer_.handlePressure(*pressure, now);
  } else if (const auto* changed = std::get_if<InterfacesChanged>(&input)) {
    gatherer_.handleInterfaces(*changed, now);
  } else if (const auto* opened = std::get_if<SocketOpened>(&input)) {
    gatherer_.handleSocketOpened(*opened, now);
  } else if (const auto* failed = std::get_if<SocketFailed>(&input)) {
    gatherer_.handleSocketFailed(*failed, now);
  } else if (auto* resolved = std::get_if<Resolved>(&input)) {
    handleResolved(std::move(*resolved), now);
  }
  pump(now);
}

void PeerTransport::handleResolved(Resolved&& resolved, Timestamp now) {
  const auto asked = std::find_if(names_.begin(), names_.end(),
                                  [&](const auto& name) { return name.first == resolved.id; });
  if (asked == names_.end()) {
    gatherer_.handleResolved(resolved, now);
    return;
  }
  resolved.id = asked->second;
  names_.erase(asked);
  agent_.handleResolved(resolved, now);
}

void PeerTransport::handleDatagrams(std::span<Datagram> datagrams, Timestamp now) {
  now = clock_.clamp(now);
  for (Datagram& datagram : datagrams) {
    const bool wasSettled = isSettled();
    handleDatagram(std::move(datagram), now);
    // Until then each may open the way for the next.
    if (!wasSettled || !isSettled()) pump(now);
  }
  // Acknowledgements are made when they are polled, and share a packet with what is sent until
  // then.
  pumpIce(now);
  startSctp(now);
  runDtls(now);
  outputDue_ = true;
}

void PeerTransport::handleStun(const Datagram& datagram, Timestamp now) {
  if (gatherer_.handleDatagram(datagram.socket, datagram.from, datagram.data.span(), now)) return;
  const ice::HandleResult result =
      agent_.handleStun(datagram.socket, datagram.from, datagram.to, datagram.data.span(), now);
  if (result != ice::HandleResult::Authenticated) return;
  memory_.heardAt = now;
  gatherer_.markProven(datagram.socket, datagram.from);
}

void PeerTransport::handleDatagram(Datagram&& datagram, Timestamp now) {
  if (gatherer_.leadsToServer(datagram.socket)) {
    gatherer_.handleFromServer(std::move(datagram), now);
    return;
  }
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
  memory_.heardAt = now;
  if (!traffic_.empty()) {
    PairTraffic& traffic = traffic_.back();
    ++traffic.packetsReceived;
    traffic.bytesReceived += datagram.data.size();
    traffic.lastReceived = now;
  }
  if (packetClass == PacketClass::Dtls) {
    heardOnPath_ = heardOnPath_ || isOnPath(datagram);
    handleDtls(std::move(datagram.data), now);
    return;
  }
  handleRtp(std::move(datagram), now);
}

/// What comes by another way, from behind a NAT that has forgotten its binding, says nothing of the
/// path that is in use here.
bool PeerTransport::isOnPath(const Datagram& datagram) const {
  const ice::SendPath* path = agent_.sendPath();
  return path && path->socket == datagram.socket && path->remote == datagram.from;
}

void PeerTransport::handleRtp(Datagram&& datagram, Timestamp now) {
  if (!startSrtp()) {
    ++counters_.droppedBeforeKeys;
    return;
  }
  const bool onPath = isOnPath(datagram);
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
  if (onPath) agent_.noteReceived(now);
  if (!std::exchange(memory_.mediaReceived, true))
    memory_.timeline.note(Milestone::FirstMediaReceived, now);
  if (!rtp_.push(std::move(packet))) ++counters_.droppedQueueFull;
}

void PeerTransport::onGathererEvent(ice::GathererEvent&& event, Timestamp now) {
  if (const auto* gone = std::get_if<ice::SocketGone>(&event)) {
    agent_.removeSocket(gone->socket, now);
    return;
  }
  if (const auto* lost = std::get_if<ice::ConnectionLost>(&event)) {
    agent_.handleConnectionLost(lost->socket, lost->remote, now);
    return;
  }
  // Between a restart and the gathering it asks for: what is still true will be told again.
  if (gathering_ == GatheringState::New) return;
  if (auto* found = std::get_if<ice::CandidateGathered>(&event)) {
    noteCandidate(found->candidate, true, now);
    agent_.addLocalCandidate(found->candidate, found->socket, now);
    events_.push_back(CandidateFound{std::move(found->candidate)});
  } else if (auto* error = std::get_if<ice::CandidateError>(&event)) {
    noteProblem(*error, now);
    events_.push_back(std::move(*error));
  } else if (std::holds_alternative<ice::GatheringDone>(event)) {
    agent_.setLocalEndOfCandidates(now);
    if (gathering_ == GatheringState::Complete) return;
    gathering_ = GatheringState::Complete;
    memory_.timeline.note(Milestone::GatheringDone, now);
    events_.push_back(GatheringStateChange{gathering_});
  }
}

void PeerTransport::pumpIce(Timestamp now) {
  ice::GathererEvent gathered;
  while (gatherer_.pollEvent(gathered)) onGathererEvent(std::move(gathered), now);
  Datagram relayed;
  while (gatherer_.pollIndirect(relayed)) handleDatagram(std::move(relayed), now);
  ice::AgentEvent event;
  while (agent_.pollEvent(event)) {
    if (const auto* changed = std::get_if<ice::StateChanged>(&event)) {
      noteIceState(changed->state, now);
      events_.push_back(IceStateChange{changed->state});
    } else if (std::holds_alternative<ice::SelectedPairChanged>(event)) {
      onSelectedPair(now);
    }
  }
  pollGatherer();
  TxPacket out;
  while (!out_.full() && agent_.pollTransmit(out)) queue(std::move(out));
}

void PeerTransport::onSelectedPair(Timestamp now) {
  events_.push_back(SelectedPairChange{});
  notePath(now);
  const auto pair = agent_.selectedPair();
  followTraffic(pair ? std::optional(pair->id) : std::nullopt);
  if (!pair) return;
  gatherer_.stopKeepalives();
  hintRtt();
  // RFC 8445 section 12.1: data may flow as soon as there is a valid pair; nomination is not
  // awaited.
  if (dtlsStarted_) dtls_->resendFlightNow(now);
  if (renewal_ && renewal_->started) renewal_->dtls->resendFlightNow(now);
}

// Traffic is counted for the pair in use, which is the last of the list.
void PeerTransport::followTraffic(std::optional<uint32_t> pair) {
  constexpr size_t kMaxPairs = 16;
  if (pair == selectedPair_) return;
  selectedPair_ = pair;
  ++counters_.selectedPairChanges;
  if (!pair) return;
  const auto known = std::find_if(traffic_.begin(), traffic_.end(),
                                  [&](const PairTraffic& t) { return t.pair == *pair; });
  if (known != traffic_.end()) {
    std::rotate(known, known + 1, traffic_.end());
    return;
  }
  if (traffic_.size() == kMaxPairs) {
    addTraffic(formerTraffic_, traffic_.front());
    traffic_.erase(traffic_.begin());
  }
  traffic_.push_back({*pair});
}

// The agent that numbered them is gone.
void PeerTransport::forgetTraffic() {
  followTraffic(std::nullopt);
  formerTraffic_ = totalTraffic();
  traffic_.clear();
}

PairTraffic PeerTransport::totalTraffic() const {
  PairTraffic total = formerTraffic_;
  for (const PairTraffic& traffic : traffic_) addTraffic(total, traffic);
  return total;
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
  dtls_->advance(now);
  if (renewal_) renewal_->dtls->advance(now);
  channels_->advance(now);
  pump(now);
}

Timestamp PeerTransport::nextDeadline() const {
  return earliest(gatherAt_, gatherer_.nextDeadline(), agent_.nextDeadline(), dtls_->nextDeadline(),
                  channels_->nextDeadline(),
                  renewal_ ? renewal_->dtls->nextDeadline() : Timestamp::never());
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

void PeerTransport::askForConsent(Timestamp now) {
  now = clock_.clamp(now);
  agent_.askForConsent(now);
  pumpIce(now);
}

void PeerTransport::expectTransmits(Timestamp now) {
  clock_.clamp(now);
  outputDue_ = true;
}

bool PeerTransport::pollEffect(Effect& out) {
  if (gatherer_.pollEffect(out)) return true;
  while (agent_.pollEffect(out)) {
    auto* resolve = std::get_if<Resolve>(&out);
    if (!resolve) continue;
    // Answers to names of a former generation may never be asked for.
    if (names_.size() == kMaxNames) names_.erase(names_.begin());
    names_.emplace_back(ids_.nextResolve(), resolve->id);
    resolve->id = names_.back().first;
    return true;
  }
  return false;
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
  channels_->closeAll(now);
  pump(now);
  closed_ = true;
  memory_.timeline.note(Milestone::Closed, now);
  renewal_.reset();
  dtls_->close(now);
  pumpDtls(now);
  dropSrtpKeys();
  agent_.close(now);
  gatherer_.closeRelays(now);
  pollGatherer();
  // The sockets stay open until the good-byes have left: their owner closes them with the session.
}

}  // namespace parley::transport
