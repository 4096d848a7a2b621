// Packets out. Each is made when it is polled: control chunks first, then what was lost, then new
// data as windows and pace allow.

#include <algorithm>

#include "sctp/crc32c.h"
#include "sctp/engine/native_association.h"

namespace parley::sctp {
namespace {

constexpr uint8_t kDataLast = 1, kDataFirst = 2, kDataUnordered = 4, kDataImmediate = 8;
constexpr uint16_t kHeartbeatInfo = 1;
/// A rest of a packet smaller than this is not worth a fragment's header.
constexpr size_t kMinFill = 64;
constexpr size_t kMaxForwardStreams = 256;

}  // namespace

bool NativeAssociation::pollTransmit(PacketBuf& out) {
  lastIsPathProbe_ = false;
  if (!replies_.empty()) return buildReply(out);
  if (pathProbeDue_ && buildPathProbe(out)) return true;
  if (!hasOutput()) return false;
  PacketBuf packet = env_.pool.allocate();
  if (!packet) return false;
  const bool isInit = phase_ == Phase::CookieWait;
  const bool needsChecksum = isInit || phase_ == Phase::CookieEchoed;
  PacketBuilder b(packet, needsChecksum ? fullMtu_ : config_.mtu, config_.localPort,
                  config_.remotePort, isInit ? 0 : peerTag_);
  build(b);
  if (b.empty()) return false;
  b.finish();
  finishPacket(packet, needsChecksum);
  out = std::move(packet);
  return true;
}

/// Every packet of every call asks: the answer for an association at rest must be cheap.
bool NativeAssociation::hasOutput() const {
  if (phase_ == Phase::CookieWait) return initDue_;
  if (phase_ == Phase::CookieEchoed) return cookieEchoDue_;
  if (!isUp()) return false;
  if (pathProbeDue_ || sackDue_ || cookieAckDue_ || heartbeatDue_ || !heartbeatAcks_.empty() ||
      !errorDue_.empty() || responseDue_ || (request_ && request_->sendAt <= now_) || forwardDue_ ||
      probeDue_ || shutdownDue_ || mayGoOnShuttingDown()) {
    return true;
  }
  return wantsToTransmit() && mayTransmit();
}

void NativeAssociation::finishPacket(PacketBuf& packet, bool needsChecksum) {
  const bool zero = config_.zeroChecksum && peer_.zeroChecksum && !needsChecksum;
  storeChecksum(packet.mutableSpan(), zero ? 0 : packetChecksum(packet.span()));
  ++stats_.packetsSent;
  stats_.bytesSent += packet.size();
}

bool NativeAssociation::buildReply(PacketBuf& out) {
  PacketBuf packet = env_.pool.allocate();
  if (!packet) return false;
  const Reply reply = std::move(replies_.front());
  replies_.erase(replies_.begin());
  PacketBuilder b(packet, PacketBuf::kMaxPayload, config_.localPort, config_.remotePort, reply.tag);
  b.add(reply.type, reply.flags, reply.value);
  b.finish();
  finishPacket(packet, true);
  out = std::move(packet);
  return true;
}

void NativeAssociation::build(PacketBuilder& b) {
  switch (phase_) {
    case Phase::CookieWait:
      if (!initDue_ || !b.add(chunk::kInit, 0, writeInit(ownInit(localTag_, localTsn_)))) return;
      break;
    case Phase::CookieEchoed:
      if (!cookieEchoDue_ || !buildCookieEcho(b)) return;
      break;
    default:
      buildControl(b);
      buildForward(b);
      fillData(b);
      buildShutdown(b);
      return;
  }
  initDue_ = cookieEchoDue_ = false;
  if (handshakeAttempts_++ == 0) handshakeSince_ = now_;
  handshakeSentAt_ = now_;
  handshakeTimer_ = now_ + rtt_.handshakeRto();
}

void NativeAssociation::buildControl(PacketBuilder& b) {
  if (cookieAckDue_ && b.add(chunk::kCookieAck, 0, ByteSpan{})) cookieAckDue_ = false;
  while (!heartbeatAcks_.empty()) {
    if (!b.add(chunk::kHeartbeatAck, 0, heartbeatAcks_.back())) return;
    heartbeatAcks_.pop_back();
  }
  if (heartbeatDue_) {
    if (uint8_t* p = b.add(chunk::kHeartbeat, 0, 12)) {
      storeU16(p, kHeartbeatInfo);
      storeU16(p + 2, 12);
      storeU64(p + 4, ++heartbeatNonce_);
      heartbeatDue_ = false;
      heartbeatOpen_ = true;
      heartbeatSentAt_ = now_;
      heartbeatTimer_ = now_ + rtt_.rto();
    }
  }
  if (!errorDue_.empty() && b.add(chunk::kError, 0, errorDue_)) errorDue_.clear();
  buildReConfig(b);
  // An acknowledgement that is owed rides along with data.
  if (sackPoints_.size() > 1 && buildSackPoint(b)) return;
  if (sackDue_ || (packetsUnsacked_ > 0 && (!b.empty() || wantsToTransmit()))) buildSack(b);
}

/// An acknowledgement that could have been sent a moment ago; newer ones follow in the next
/// packets.
bool NativeAssociation::buildSackPoint(PacketBuilder& b) {
  uint8_t* p = b.add(chunk::kSack, 0, 12);
  if (p == nullptr) return false;
  storeU32(p, sackPoints_.pop());
  storeU32(p + 4, static_cast<uint32_t>(receiveWindow()));
  storeU32(p + 8, 0);
  return true;
}

void NativeAssociation::buildSack(PacketBuilder& b) {
  constexpr size_t kFixed = 12;
  if (b.room() < kFixed) return;
  const auto& ranges = received_.ranges();
  const auto& duplicates = received_.duplicates();
  const size_t room = (b.room() - kFixed) / 4;
  const size_t gaps = std::min(ranges.size(), room);
  // More gaps than one SACK holds: others take what is not told for taken back, so they hear of the
  // first ones until these are filled. Our own kind hears of all in turn.
  size_t from = 0;
  if (gaps < ranges.size() && isOwnKind()) {
    from = sackRotation_ < ranges.size() ? std::min(sackRotation_, ranges.size() - gaps) : 0;
    sackRotation_ = from + gaps;
  }
  const size_t repeated = std::min(duplicates.size(), room - gaps);
  uint8_t* p = b.add(chunk::kSack, 0, kFixed + 4 * (gaps + repeated));
  if (p == nullptr) return;
  updateReceiveWindow();
  advertised_ = static_cast<uint32_t>(receiveWindow());
  storeU32(p, received_.cumulative());
  storeU32(p + 4, advertised_);
  storeU16(p + 8, static_cast<uint16_t>(gaps));
  storeU16(p + 10, static_cast<uint16_t>(repeated));
  p += kFixed;
  for (size_t i = 0; i < gaps; ++i, p += 4) {
    const ReceivedTsns::Range& range = ranges[from + i];
    storeU16(p, static_cast<uint16_t>(range.first - received_.cumulative()));
    storeU16(p + 2, static_cast<uint16_t>(range.last - received_.cumulative()));
  }
  for (size_t i = 0; i < repeated; ++i, p += 4) storeU32(p, duplicates[i]);
  received_.clearDuplicates();
  sackDue_ = false;
  packetsUnsacked_ = 0;
  sackPoints_.clear();
  sackTimer_ = Timestamp::never();
}

/// FORWARD TSN (RFC 3758 section 3.2) or I-FORWARD-TSN (RFC 8260 section 2.3.1): the abandoned
/// chunks at the front, and per stream the newest message among them.
void NativeAssociation::buildForward(PacketBuilder& b) {
  if (!forwardDue_ || !isUp()) return;
  if (!outstanding_.needsForward()) {
    forwardDue_ = false;
    return;
  }
  struct Skipped {
    uint16_t stream;
    bool unordered;
    uint32_t id;
  };
  const bool interleaving = config_.interleaving && peer_.interleaving;
  const size_t entry = interleaving ? 8 : 4;
  if (b.room() < 4 + entry) return;
  const size_t limit = std::min((b.room() - 4) / entry, kMaxForwardStreams);
  std::vector<Skipped> skipped;
  uint32_t point = outstanding_.cumulativeAck();
  outstanding_.eachForwarded([&](uint32_t tsn, const SentChunk& chunk) {
    const OutMessage& m = *chunk.fragment.message;
    // FORWARD TSN names ordered messages only: unordered ones need no order restored.
    if (interleaving || !m.unordered) {
      const auto known = std::find_if(skipped.begin(), skipped.end(), [&](const Skipped& s) {
        return s.stream == m.stream && s.unordered == m.unordered;
      });
      if (known != skipped.end()) {
        known->id = m.id;
      } else if (skipped.size() == limit) {
        return false;
      } else {
        skipped.push_back({m.stream, m.unordered, m.id});
      }
    }
    point = tsn;
    return true;
  });
  const uint8_t type = interleaving ? chunk::kIForwardTsn : chunk::kForwardTsn;
  uint8_t* p = b.add(type, 0, 4 + entry * skipped.size());
  if (p == nullptr) return;
  storeU32(p, point);
  p += 4;
  for (const Skipped& s : skipped) {
    storeU16(p, s.stream);
    if (interleaving) {
      storeU16(p + 2, s.unordered ? 1 : 0);
      storeU32(p + 4, s.id);
    } else {
      storeU16(p + 2, static_cast<uint16_t>(s.id));
    }
    p += entry;
  }
  forwardDue_ = false;
  forwardSent_ = outstanding_.forwardPoint();
  forwardSentAt_ = now_;
  if (retransmissionTimer_.isNever()) retransmissionTimer_ = now_ + rtt_.rto();
}

/// RFC 9260 section 9.2: SHUTDOWN, and the ACK to one, go when no data is outstanding any more.
bool NativeAssociation::mayGoOnShuttingDown() const {
  return (phase_ == Phase::ShutdownPending || phase_ == Phase::ShutdownReceived) &&
         scheduler_.empty() && outstanding_.empty();
}

void NativeAssociation::buildShutdown(PacketBuilder& b) {
  if (mayGoOnShuttingDown()) {
    phase_ = phase_ == Phase::ShutdownPending ? Phase::ShutdownSent : Phase::ShutdownAckSent;
    shutdownDue_ = true;
  }
  if (!shutdownDue_) return;
  bool added = false;
  if (phase_ == Phase::ShutdownSent) {
    uint8_t* p = b.add(chunk::kShutdown, 0, 4);
    if (p != nullptr) storeU32(p, received_.cumulative());
    added = p != nullptr;
  } else if (phase_ == Phase::ShutdownAckSent) {
    added = b.add(chunk::kShutdownAck, 0, ByteSpan{});
  }
  if (!added) return;
  shutdownDue_ = false;
  shutdownTimer_ = now_ + rtt_.rto();
}

// ---- data

size_t NativeAssociation::dataHeader() const {
  return config_.interleaving && peer_.interleaving ? kIDataHeaderSize : kDataHeaderSize;
}

/// Whether the peer has room for another chunk. RFC 9260 section 6.1 A: one may always be in
/// flight, it asks for the window. Less than a full packet is not begun (silly window avoidance).
bool NativeAssociation::peerWindowOpen() const {
  return !outstanding_.hasInFlight() ||
         peerWindow_ >= outstanding_.inFlightPayload() + config_.mtu - kCommonHeaderSize;
}

/// A chunk that goes although the window has no room for it will be thrown away, and is sent again
/// as soon as there is room.
void NativeAssociation::noteWindowProbe(size_t length) {
  if (peerWindow_ < outstanding_.inFlightPayload() + length) windowProbe_ = true;
}

/// Whether another packet with data may be in flight.
bool NativeAssociation::windowsAllow() const {
  const size_t inFlight = outstanding_.inFlightBytes();
  if (inFlight == 0) return true;
  return inFlight + config_.mtu / 2 < congestion_.window() && inFlight < inFlightLimit_ &&
         peerWindowOpen();
}

bool NativeAssociation::mayTransmit() const {
  return windowsAllow() && congestion_.mayPace(now_);
}

/// Whether there is data that only windows and pace may hold back.
bool NativeAssociation::wantsToTransmit() const {
  if (!maySend()) return false;
  return outstanding_.hasLost() || (scheduler_.hasReady() && !outstanding_.full());
}

void NativeAssociation::fillData(PacketBuilder& b) {
  if (!maySend()) return;
  dropExpired();
  if (probeDue_) fillProbe(b);
  if (!mayTransmit()) return;
  while (fillLost(b)) {
  }
  if (outstanding_.hasLost()) return;
  while (fillNew(b)) {
  }
  // Nothing more to send, or the peer wants no more: what is delivered now tells nothing of the
  // path.
  if ((scheduler_.front() == nullptr && windowsAllow()) || !peerWindowOpen())
    congestion_.onAppLimited(outstanding_.inFlightBytes());
}

/// Lost chunks whose limits are reached are not sent again, whether or not anything may be sent.
void NativeAssociation::dropExpired() {
  while (const std::optional<uint32_t> tsn = outstanding_.nextLost()) {
    const SentChunk& chunk = outstanding_.at(*tsn);
    if (!isOver(*chunk.fragment.message, chunk.transmissions)) return;
    abandon(*chunk.fragment.message, tsn);
  }
}

bool NativeAssociation::fillLost(PacketBuilder& b) {
  dropExpired();
  const std::optional<uint32_t> tsn = outstanding_.nextLost();
  if (!tsn) return false;
  const SentChunk& chunk = outstanding_.at(*tsn);
  if (b.room() < dataHeader() + chunk.fragment.length || !peerWindowOpen()) return false;
  // Large packets may be what gets lost: what is repeated goes in others.
  if (b.size() > kCommonHeaderSize &&
      b.size() + 4 + dataHeader() + chunk.fragment.length > fullMtu_)
    return false;
  verifyPath();
  noteWindowProbe(chunk.fragment.length);
  const DeliveryStamp stamp =
      congestion_.onSend(outstanding_.wireSize(chunk), outstanding_.inFlightBytes(), now_);
  outstanding_.onRetransmitted(*tsn, now_, stamp);
  ++stats_.retransmittedChunks;
  stats_.retransmittedBytes += chunk.fragment.length;
  writeData(b, *tsn, chunk, !outstanding_.hasLost());
  return true;
}

bool NativeAssociation::fillNew(PacketBuilder& b) {
  if (outstanding_.full()) return false;
  OutMessage* message = scheduler_.front();
  while (message != nullptr && isOver(*message, 0)) {
    // RFC 7496 section 4.1: a message whose lifetime ends before it was sent is abandoned.
    abandon(*message, {});
    message = scheduler_.front();
    askResets();  // its stream may have run dry by that
  }
  if (message == nullptr || b.room() <= dataHeader() || !peerWindowOpen()) return false;
  const size_t room = b.room() - dataHeader();
  const size_t full = std::min(config_.mtu, fullMtu_) - kCommonHeaderSize - 4 - dataHeader();
  size_t length = message->waiting;
  if (length > std::min(room, full)) {
    // Small messages travel in one piece, large ones fill every packet.
    const bool canWait = !message->started && length <= full;
    if (room < full && (canWait || room < std::min(kMinFill, full))) return false;
    length = std::min(room, full) & ~size_t{3};
  }
  noteWindowProbe(length);
  const SendScheduler::Fragment fragment = scheduler_.cut(length);
  const size_t wire = 4 + dataHeader() + ((fragment.length + size_t{3}) & ~size_t{3});
  const DeliveryStamp stamp = congestion_.onSend(wire, outstanding_.inFlightBytes(), now_);
  const uint32_t tsn = outstanding_.add(fragment, now_, stamp);
  writeData(b, tsn, outstanding_.at(tsn), !scheduler_.hasReady());
  return true;
}

/// The tail of what was sent may be lost without anything behind it that could tell: it is sent
/// again (RFC 8985 section 7.3), past the congestion window, which one packet does not strain.
void NativeAssociation::fillProbe(PacketBuilder& b) {
  probeDue_ = false;
  ++probesSent_;
  if (fillNew(b)) return;
  const std::optional<uint32_t> tsn = outstanding_.newestInFlight();
  if (!tsn) return;
  const SentChunk& chunk = outstanding_.at(*tsn);
  // Sending it once more counts against its limit.
  if (isOver(*chunk.fragment.message, chunk.transmissions)) return;
  if (b.room() < dataHeader() + chunk.fragment.length) return;
  const size_t wire = outstanding_.wireSize(chunk);
  const DeliveryStamp stamp = congestion_.onSend(wire, outstanding_.inFlightBytes() - wire, now_);
  outstanding_.onRetransmitted(*tsn, now_, stamp);
  ++stats_.retransmittedChunks;
  stats_.retransmittedBytes += chunk.fragment.length;
  writeData(b, *tsn, chunk, true);
}

/// `immediate`: nothing follows for now, so the peer need not wait for more before it acknowledges
/// (RFC 7053).
void NativeAssociation::writeData(PacketBuilder& b, uint32_t tsn, const SentChunk& chunk,
                                  bool immediate) {
  const SendScheduler::Fragment& f = chunk.fragment;
  const OutMessage& m = *f.message;
  const bool interleaving = dataHeader() == kIDataHeaderSize;
  uint8_t flags = 0;
  if (f.last) flags |= kDataLast;
  if (f.first) flags |= kDataFirst;
  if (m.unordered) flags |= kDataUnordered;
  if (immediate) flags |= kDataImmediate;
  uint8_t* p = b.add(interleaving ? chunk::kIData : chunk::kData, flags, dataHeader() + f.length);
  storeU32(p, tsn);
  storeU16(p + 4, m.stream);
  if (interleaving) {
    storeU16(p + 6, 0);
    storeU32(p + 8, m.id);
    storeU32(p + 12, f.first ? m.ppid : f.fsn);
  } else {
    storeU16(p + 6, static_cast<uint16_t>(m.id));
    storeU32(p + 8, m.ppid);
  }
  std::copy_n(f.piece->data.begin() + f.offset, f.length, p + dataHeader());
  if (retransmissionTimer_.isNever()) retransmissionTimer_ = now_ + rtt_.rto();
  armProbe();
  trimTimer_ = now_ + Duration::seconds(1);
}

}  // namespace parley::sctp
