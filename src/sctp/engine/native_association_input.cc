// Packets in: the gate, then chunk by chunk (RFC 9260 sections 6 to 9, RFC 3758, RFC 8260).

#include <algorithm>
#include <utility>

#include "parley/base/seq_num.h"

#include "sctp/crc32c.h"
#include "sctp/engine/native_association.h"

namespace parley::sctp {
namespace {

constexpr size_t kMaxAbortText = 128;
constexpr size_t kMaxHeartbeatAcks = 4;
constexpr size_t kMaxHeartbeatInfo = 512;
constexpr size_t kMaxErrorEcho = 64;
constexpr size_t kManyGaps = 64;
constexpr Duration kSackDelay = Duration::millis(20);
constexpr uint8_t kFlagTagReflected = 1;
constexpr uint8_t kDataLast = 1, kDataFirst = 2, kDataUnordered = 4, kDataImmediate = 8;
constexpr uint16_t kCauseInvalidStream = 1;
constexpr uint16_t kCauseStaleCookie = 3;
constexpr uint16_t kCauseUnrecognizedChunk = 6;
constexpr uint16_t kCauseNoUserData = 9;
constexpr uint16_t kCauseProtocolViolation = 13;
/// What a full receive buffer still takes: the one fragment that may set it free.
constexpr size_t kReserve = 128 * 1024;

/// Text of a peer for a log or a message: printable ASCII only, bounded.
std::string printable(ByteSpan text) {
  std::string out;
  for (const uint8_t c : text.first(std::min(text.size(), kMaxAbortText))) {
    out.push_back(c >= 0x20 && c < 0x7F ? static_cast<char>(c) : '?');
  }
  return out;
}

struct Skipped {
  uint16_t stream = 0;
  bool unordered = false;
  uint32_t id = 0;
};

/// The list of a FORWARD TSN, each stream once with its last entry: going through a stream's
/// fragments is dear, and a peer may name it as often as it likes.
std::vector<Skipped> readSkipped(ByteSpan list, bool interleaving) {
  std::vector<Skipped> out;
  const size_t entry = interleaving ? 8 : 4;
  out.reserve(list.size() / entry);
  for (size_t i = 0; i + entry <= list.size(); i += entry) {
    if (interleaving) {
      out.push_back({loadU16(&list[i]), (list[i + 3] & 1) != 0, loadU32(&list[i + 4])});
    } else {
      out.push_back({loadU16(&list[i]), false, loadU16(&list[i + 2])});
    }
  }
  const auto key = [](const Skipped& s) { return s.stream * 2 + (s.unordered ? 1 : 0); };
  std::stable_sort(out.begin(), out.end(),
                   [&](const Skipped& a, const Skipped& b) { return key(a) < key(b); });
  const auto sameLane = [&](const Skipped& a, const Skipped& b) { return key(a) == key(b); };
  // Of those of one lane the last one stays: std::unique keeps the first, so it runs backwards.
  out.erase(out.begin(), std::unique(out.rbegin(), out.rend(), sameLane).base());
  return out;
}

bool isUnusedExtension(uint8_t type) {
  return type == chunk::kAuth || type == chunk::kAsconf || type == chunk::kAsconfAck ||
         type == chunk::kPacketDropped || type == chunk::kEcnEcho || type == chunk::kCwr ||
         type == chunk::kNrSack || type == chunk::kPad;
}

}  // namespace

// ---- the gate

/// RFC 9653 section 5.3: having offered it, we take a zero field except where CRC32c is demanded.
bool NativeAssociation::checksumFits(ByteSpan packet, const PacketSummary& summary) const {
  const uint32_t field = loadChecksum(packet);
  if (field == 0 && config_.zeroChecksum && !summary.needsChecksum) return true;
  return field == packetChecksum(packet);
}

/// Ports and verification tag (RFC 9260 section 8.5).
bool NativeAssociation::isForUs(ByteSpan packet, const PacketSummary& summary) {
  const uint8_t type = packet[kCommonHeaderSize];
  const uint8_t flags = packet[kCommonHeaderSize + 1];
  const uint32_t tag = loadU32(&packet[4]);
  const bool portsFit =
      loadU16(&packet[0]) == config_.remotePort && loadU16(&packet[2]) == config_.localPort;
  if (type == chunk::kInit) {
    if (tag != 0) return false;
    if (portsFit) return true;
    // Nothing will come of it: the two descriptions disagree about the ports.
    const uint32_t peerTag = loadU32(&packet[kCommonHeaderSize + 4]);
    if (peerTag != 0) queueReply({chunk::kAbort, 0, peerTag, {}});
    return false;
  }
  static_cast<void>(summary);
  if (!portsFit) return false;
  const bool mayReflect = type == chunk::kAbort || type == chunk::kShutdownComplete;
  if (mayReflect && (flags & kFlagTagReflected) != 0) return peerTag_ != 0 && tag == peerTag_;
  // The tag of a COOKIE ECHO is held against its cookie.
  return tag == localTag_ || type == chunk::kCookieEcho;
}

void NativeAssociation::feed(ByteSpan packet) {
  const std::optional<PacketSummary> summary = inspect(packet);
  if (!summary || !checksumFits(packet, *summary) || !isForUs(packet, *summary)) {
    ++stats_.packetsDropped;
    return;
  }
  ++stats_.packetsReceived;
  stats_.bytesReceived += packet.size();
  packetHadData_ = false;
  const uint32_t tag = loadU32(&packet[4]);
  bool reported = false;
  bool isFirst = true;
  ChunkCursor cursor(packet);
  ChunkView c;
  while (phase_ != Phase::Ended && cursor.next(c)) {
    if (c.type == chunk::kCookieEcho) {
      if (isFirst) handleCookieEcho(c, tag);
      if (tag != localTag_) return;
    } else if (c.type == chunk::kInit || c.type == chunk::kInitAck ||
               c.type == chunk::kShutdownComplete) {
      // Section 4.3: these travel alone.
      if (!isFirst || cursor.more()) return;
      if (!handleChunk(c, reported)) return;
    } else if (!handleChunk(c, reported)) {
      break;
    }
    isFirst = false;
  }
  if (phase_ == Phase::Ended || !packetHadData_) return;
  // Section 6.2: every second packet is acknowledged. Window growth by RFC 9260 counts SACKs, so
  // one for all packets that came together would slow the peer.
  const bool steady = received_.ranges().empty() || received_.ranges().size() > kManyGaps;
  if (++packetsUnsacked_ >= (isOwnKind() && steady ? 4 : 2)) {
    if (!isOwnKind() && received_.ranges().empty()) sackPoints_.push(received_.cumulative());
    packetsUnsacked_ = 0;
    sackDue_ = true;
  }
  if (!sackDue_) sackTimer_ = earliest(sackTimer_, now_ + kSackDelay);
  if (phase_ == Phase::ShutdownSent) shutdownDue_ = true;
}

bool NativeAssociation::handleChunk(const ChunkView& c, bool& reported) {
  switch (c.type) {
    case chunk::kData:
    case chunk::kIData:
      handleData(c);
      return true;
    case chunk::kInit:
      handleInit(c);
      return true;
    case chunk::kInitAck:
      handleInitAck(c);
      return true;
    case chunk::kSack:
      handleSack(c);
      return true;
    case chunk::kHeartbeat:
      if (peerTag_ != 0 && heartbeatAcks_.size() < kMaxHeartbeatAcks &&
          c.value.size() <= kMaxHeartbeatInfo) {
        heartbeatAcks_.push_back(toBytes(c.value));
      }
      return true;
    case chunk::kHeartbeatAck:
      handleHeartbeatAck(c);
      return true;
    case chunk::kAbort:
      handleAbort(c);
      return true;
    case chunk::kError:
      handleError(c);
      return true;
    case chunk::kShutdown:
      handleShutdown(c);
      return true;
    case chunk::kShutdownAck:
      if (phase_ == Phase::ShutdownSent || phase_ == Phase::ShutdownAckSent) {
        queueReply({chunk::kShutdownComplete, 0, peerTag_, {}});
        wasShutDown_ = true;
        end(AssociationState::Closed, "shut down", {});
      }
      return true;
    case chunk::kShutdownComplete:
      if (phase_ == Phase::ShutdownAckSent) end(AssociationState::Closed, "shut down", {});
      return true;
    case chunk::kCookieAck:
      handleCookieAck();
      return true;
    case chunk::kReConfig:
      if (isUp()) handleReConfig(c);
      return true;
    case chunk::kForwardTsn:
    case chunk::kIForwardTsn:
      if (isUp()) handleForwardTsn(c);
      return true;
    default:
      return isUnusedExtension(c.type) || handleUnknown(c, reported);
  }
}

/// Section 3.2: the two upper bits of a type say what those do who do not know it.
bool NativeAssociation::handleUnknown(const ChunkView& c, bool& reported) {
  const bool goOn = (c.type & 0x80) != 0;
  const bool report = (c.type & 0x40) != 0;
  if (report && !reported && peerTag_ != 0) {
    reported = true;
    const size_t echoed = std::min(c.value.size(), kMaxErrorEcho);
    errorDue_.assign(8 + echoed, 0);
    storeU16(&errorDue_[0], kCauseUnrecognizedChunk);
    storeU16(&errorDue_[2], static_cast<uint16_t>(8 + echoed));
    errorDue_[4] = c.type;
    errorDue_[5] = c.flags;
    storeU16(&errorDue_[6], static_cast<uint16_t>(4 + echoed));
    std::copy_n(c.value.begin(), echoed, errorDue_.begin() + 8);
  }
  return goOn;
}

// ---- data

/// Whether the peer's data may come now: RFC 9260 section 6.
void NativeAssociation::handleData(const ChunkView& c) {
  const bool mayCome = phase_ == Phase::Established || phase_ == Phase::ShutdownPending ||
                       phase_ == Phase::ShutdownSent;
  const bool interleaving = config_.interleaving && peer_.interleaving;
  if (!mayCome) return;
  // RFC 8260 section 2.2.2 demands ABORT for the kind that was not negotiated; a packet of the
  // handshake's other outcome is simply old.
  if ((c.type == chunk::kIData) != interleaving) return;
  const size_t header = interleaving ? kIDataHeaderSize : kDataHeaderSize;
  if (c.value.size() == header) {
    failWith(kCauseNoUserData, "the peer sent a chunk without data", c.value.first(4));
    return;
  }
  packetHadData_ = true;
  const uint32_t tsn = loadU32(c.value.data());
  switch (received_.classify(tsn)) {
    case ReceivedTsns::Kind::Duplicate:
      received_.noteDuplicate(tsn);
      sackDue_ = true;
      return;
    case ReceivedTsns::Kind::OutOfRange:
      sackDue_ = true;
      return;
    case ReceivedTsns::Kind::Next:
      acceptData(c, tsn, true);
      return;
    case ReceivedTsns::Kind::Gap:
      acceptData(c, tsn, false);
      return;
  }
}

void NativeAssociation::acceptData(const ChunkView& c, uint32_t tsn, bool isNext) {
  const bool interleaving = c.type == chunk::kIData;
  const size_t header = interleaving ? kIDataHeaderSize : kDataHeaderSize;
  // A window is an offer, and no more is taken: what comes beyond it is as if lost.
  const size_t room = receiveTarget_ + kReserve / (isNext ? 1 : 4);
  if (reassembly_.heldBytes() + c.value.size() > room) {
    sackDue_ = true;
    return;
  }
  Reassembly::Fragment f;
  f.stream = loadU16(&c.value[4]);
  f.unordered = (c.flags & kDataUnordered) != 0;
  f.first = (c.flags & kDataFirst) != 0;
  f.last = (c.flags & kDataLast) != 0;
  f.data = c.value.subspan(header);
  if (interleaving) {
    f.id = loadU32(&c.value[8]);
    // The same field is the PPID in the first fragment and the FSN in the others.
    f.ppid = loadU32(&c.value[12]);
    f.position = loadU32(&c.value[12]);
  } else {
    f.id = loadU16(&c.value[6]);
    f.ppid = loadU32(&c.value[8]);
    f.position = received_.unwrap(tsn);
  }
  // Section 6.7: gaps are reported at once; very many of them, to one that counts bytes, by the
  // packet count like everything.
  const bool manyGaps = isOwnKind() && received_.ranges().size() > kManyGaps;
  const bool hasGaps = !isNext || !received_.ranges().empty();
  if ((hasGaps && !manyGaps) || (c.flags & kDataImmediate) != 0) sackDue_ = true;
  received_.add(tsn);
  trimTimer_ = now_ + Duration::seconds(1);
  if (f.stream >= peer_.outgoingStreams) {
    // Section 6.5: acknowledged, reported, thrown away.
    errorDue_.assign(8, 0);
    storeU16(&errorDue_[0], kCauseInvalidStream);
    storeU16(&errorDue_[2], 8);
    storeU16(&errorDue_[4], f.stream);
    return;
  }
  if (!reassembly_.add(f)) {
    failWith(kCauseProtocolViolation, "the peer sent fragments that contradict each other");
    return;
  }
  if (isNext) onTsnProgress();
}

void NativeAssociation::onTsnProgress() {
  if (heldReset_) openHeldReset();
}

void NativeAssociation::handleForwardTsn(const ChunkView& c) {
  const bool interleaving = config_.interleaving && peer_.interleaving;
  if ((c.type == chunk::kIForwardTsn) != interleaving) return;
  const uint32_t cumulative = loadU32(c.value.data());
  // The SACK that answers is due in any case: the last one may have been lost.
  sackDue_ = true;
  if (cumulative - received_.cumulative() > Outstanding::kMaxChunks) return;
  if (!received_.forward(cumulative)) return;
  const ByteSpan list = c.value.subspan(4);
  if (!interleaving) reassembly_.dropBefore(received_.unwrap(cumulative));
  for (const Skipped& s : readSkipped(list, interleaving)) {
    if (interleaving) {
      reassembly_.skip(s.stream, s.unordered, s.id);
    } else {
      reassembly_.skip(s.stream, static_cast<uint16_t>(s.id));
    }
  }
  onTsnProgress();
}

// ---- acknowledgements

void NativeAssociation::handleSack(const ChunkView& c) {
  if (!isUp()) return;
  const size_t gaps = size_t{4} * loadU16(&c.value[8]);
  const size_t duplicates = size_t{4} * loadU16(&c.value[10]);
  const uint32_t cumulative = loadU32(&c.value[0]);
  if (isNewer(outstanding_.cumulativeAck(), cumulative)) return;
  const uint32_t before = peerWindow_;
  if (!processAck(cumulative, c.value.subspan(12, gaps), c.value.subspan(12 + gaps, duplicates),
                  loadU32(&c.value[4]))) {
    return;
  }
  // A window that opens again: what was sent into the closed one has been thrown away.
  if (windowProbe_ && peerWindow_ > before && peerWindow_ >= config_.mtu) {
    windowProbe_ = false;
    outstanding_.loseFirst();
  }
}

bool NativeAssociation::processAck(uint32_t cumulative, std::optional<ByteSpan> gaps,
                                   ByteSpan duplicates, std::optional<uint32_t> window) {
  const Outstanding::AckResult result = outstanding_.onSack(cumulative, gaps, duplicates, now_);
  if (!result.valid) return false;
  if (window) peerWindow_ = *window;
  // RFC 9260 section 8.1: the counter is reset each time that DATA is acknowledged. A SACK may say
  // instead that a closed window is still closed, which is no error either (section 6.1 A); a
  // SHUTDOWN has no window, and one that repeats the old point says nothing.
  if (window || result.advanced) errors_ = 0;
  if (result.rtt) noteRtt(*result.rtt);
  const size_t lost = outstanding_.detectLosses(rtt_.smoothed(), now_);
  CongestionControl::Ack ack;
  ack.acked = result.ackedBytes;
  ack.lost = lost;
  ack.inFlight = outstanding_.inFlightBytes();
  ack.stamp = result.stamp;
  ack.rtt = result.rtt;
  congestion_.onAck(ack, now_);
  if (result.advanced) windowProbe_ = false;
  if (result.ackedBytes > 0 || result.advanced) {
    rtt_.clearBackoff();
    probesSent_ = 0;
    armRetransmission();
    growInFlight();
    trimTimer_ = now_ + Duration::seconds(1);
  }
  dropExpired();
  if (outstanding_.needsForward() &&
      (outstanding_.forwardPoint() != forwardSent_ || now_ - forwardSentAt_ >= rtt_.smoothed())) {
    forwardDue_ = true;
  }
  armProbe();
  askResets();
  return true;
}

// ---- the rest

void NativeAssociation::handleHeartbeatAck(const ChunkView& c) {
  // The information parameter that we sent: type, length, a number of ours.
  if (c.value.size() != 12) return;
  const uint64_t nonce = loadU64(&c.value[4]);
  // A full queue answers late: the last few probes count.
  if (pathProbeNonce_ - nonce < pathProbeSizes_.size()) {
    notePassed(std::exchange(pathProbeSizes_[nonce % pathProbeSizes_.size()], 0));
    return;
  }
  if (!heartbeatOpen_ || nonce != heartbeatNonce_) return;
  heartbeatOpen_ = false;
  errors_ = 0;
  rtt_.clearBackoff();
  noteRtt(now_ - heartbeatSentAt_);
  heartbeatTimer_ = now_ + Duration::seconds(30);
}

void NativeAssociation::handleShutdown(const ChunkView& c) {
  if (!isUp()) return;
  processAck(loadU32(c.value.data()), std::nullopt, {}, std::nullopt);
  switch (phase_) {
    case Phase::Established:
      phase_ = Phase::ShutdownReceived;
      setState(AssociationState::ShuttingDown);
      return;
    case Phase::ShutdownPending:
      phase_ = Phase::ShutdownReceived;
      return;
    case Phase::ShutdownSent:
      // Section 9.2: both ended at once.
      phase_ = Phase::ShutdownAckSent;
      shutdownDue_ = true;
      return;
    case Phase::ShutdownAckSent:
      shutdownDue_ = true;
      return;
    default:
      return;
  }
}

void NativeAssociation::handleAbort(const ChunkView& c) {
  std::optional<uint16_t> cause;
  std::string text;
  if (c.value.size() >= 4) {
    cause = loadU16(&c.value[0]);
    const size_t length = loadU16(&c.value[2]);
    if (*cause == 12 && length >= 4 && length <= c.value.size())
      text = printable(c.value.subspan(4, length - 4));
  }
  if (!isUp()) {
    end(AssociationState::Failed, "the peer refused the association", cause);
    return;
  }
  end(AssociationState::Failed,
      text.empty() ? "the association was aborted" : "the association was aborted: " + text, cause);
}

void NativeAssociation::handleError(const ChunkView& c) {
  if (c.value.size() < 4) return;
  // Section 5.2.6: our cookie was too old for the peer. Ask for another one.
  if (loadU16(&c.value[0]) != kCauseStaleCookie || phase_ != Phase::CookieEchoed) return;
  phase_ = Phase::CookieWait;
  cookieEchoDue_ = false;
  initDue_ = true;
  peerTag_ = 0;
}

}  // namespace parley::sctp
