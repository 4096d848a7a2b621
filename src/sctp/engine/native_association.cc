// The association's life, and what the application does with it. Packets in:
// native_association_input.cc, the handshake: _handshake.cc, packets out: _output.cc, stream
// resets: _reset.cc, timers and buffers: _timers.cc.

#include "sctp/engine/native_association.h"

#include <algorithm>
#include <utility>

namespace parley::sctp {
namespace {

constexpr size_t kMaxEarlyPackets = 16;
constexpr size_t kMaxReplies = 4;
constexpr size_t kFirstWindow = 1u << 20;
constexpr uint16_t kCauseUserInitiatedAbort = 12;

}  // namespace

NativeAssociation::NativeAssociation(Environment& environment, const AssociationConfig& config)
    : env_(environment),
      config_(config),
      streams_(std::max<uint16_t>(config.streams, 1)),
      events_(environment.limits.maxQueuedEvents),
      scheduler_(pool_, environment.limits.maxBufferedAmount),
      outstanding_(pool_),
      congestion_(std::clamp<size_t>(config.mtu & ~size_t{3}, 512, PacketBuf::kMaxPayload)),
      inFlightLimit_(0),
      inFlightMemory_(environment.memory),
      reassembly_(config.maxMessageSize, std::max<size_t>(config.receiveBuffer, 64 * 1024)),
      receiveMemory_(environment.memory),
      receiveTarget_(0) {
  config_.mtu =
      std::clamp<size_t>(config_.mtu & ~size_t{3}, 512, PacketBuf::kMaxPayload & ~size_t{3});
  config_.sendBuffer = std::clamp<size_t>(config_.sendBuffer, 64 * 1024, size_t{1} << 30);
  config_.receiveBuffer = std::clamp<size_t>(config_.receiveBuffer, 64 * 1024, size_t{1} << 30);
  fullMtu_ = config_.mtu;
  maxMtu_ = std::clamp<size_t>(config_.maxMtu & ~size_t{3}, fullMtu_,
                               PacketBuf::kMaxPayload & ~size_t{3});
  inFlightLimit_ = std::min(config_.sendBuffer, kFirstWindow);
  receiveTarget_ = std::min(config_.receiveBuffer, kFirstWindow);
  if (config_.rttHint > Duration::zero()) rtt_.hint(config_.rttHint);
}

NativeAssociation::~NativeAssociation() = default;

size_t NativeAssociation::maxSendSize() const {
  return env_.limits.maxBufferedAmount;
}

void NativeAssociation::setState(AssociationState state) {
  state_ = state;
  events_.push(AssociationStateChanged{state, {}, {}});
}

void NativeAssociation::connect(Timestamp now) {
  note(now);
  if (phase_ != Phase::New) return;
  do {
    localTag_ = env_.random.u32();
  } while (localTag_ == 0);
  localTsn_ = env_.random.u32();
  cookieSecret_ = env_.random.u64();
  heartbeatNonce_ = env_.random.u64();
  pathProbeNonce_ = ~heartbeatNonce_;
  // RFC 6525 section 5.1.1: request numbers begin with the initial TSN.
  nextRequest_ = localTsn_;
  phase_ = Phase::CookieWait;
  initDue_ = true;
  setState(AssociationState::Connecting);
  for (const Bytes& packet : std::exchange(earlyPackets_, {})) feed(packet);
}

void NativeAssociation::handlePacket(ByteSpan packet, Timestamp now) {
  note(now);
  if (phase_ == Phase::New) {
    if (earlyPackets_.size() < kMaxEarlyPackets) earlyPackets_.push_back(toBytes(packet));
    return;
  }
  if (phase_ == Phase::Ended) {
    answerAfterTheEnd(packet);
  } else {
    feed(packet);
  }
}

/// Our last word may have been lost: RFC 9260 section 8.4, rule 5. Who was aborted, by either side,
/// says no more, although rule 8 would have ABORTs: DTLS ends with the association, and tells.
void NativeAssociation::answerAfterTheEnd(ByteSpan packet) {
  const std::optional<PacketSummary> summary = inspect(packet);
  if (!wasShutDown_ || !summary || packet[kCommonHeaderSize] != chunk::kShutdownAck ||
      !checksumFits(packet, *summary) || !isForUs(packet, *summary)) {
    ++stats_.packetsDropped;
    return;
  }
  queueReply({chunk::kShutdownComplete, 0, peerTag_, {}});
}

// ---- sending

Result<void> NativeAssociation::checkSend(uint16_t stream, size_t size,
                                          const SendOptions& options) {
  if (phase_ != Phase::Established) {
    return fail(ErrorCode::InvalidState, "the SCTP association is not connected");
  }
  if (options.maxRetransmits && options.lifetime) {
    return fail(ErrorCode::Type,
                "a message may have a retransmission limit or a lifetime, not both");
  }
  if (stream >= streams_) return fail(ErrorCode::Range, "the stream was not negotiated");
  if (isBeingReset(stream)) return fail(ErrorCode::InvalidState, "the stream is being reset");
  if (!options.beyondLimit && !scheduler_.fits(size)) {
    return fail(ErrorCode::ResourceExhausted, "the send buffer is full");
  }
  return ok();
}

SendScheduler::Request NativeAssociation::request(uint16_t stream, uint32_t ppid,
                                                  const SendOptions& options) const {
  SendScheduler::Request out;
  out.stream = stream;
  out.ppid = ppid;
  out.unordered = options.unordered;
  out.weight = options.priority;
  out.control = options.control;
  if (options.maxRetransmits) out.maxRetransmits = *options.maxRetransmits;
  if (options.lifetime) out.expires = now_ + *options.lifetime;
  return out;
}

Result<void> NativeAssociation::send(uint16_t stream, uint32_t ppid, ByteSpan message,
                                     const SendOptions& options, Timestamp now) {
  note(now);
  if (message.empty() || message.size() > maxSendSize()) {
    return fail(ErrorCode::Type,
                "an SCTP message has 1 to " + std::to_string(maxSendSize()) + " bytes");
  }
  if (Result<void> allowed = checkSend(stream, message.size(), options); !allowed) return allowed;
  if (scheduler_.isGrowing(stream)) {
    return fail(ErrorCode::InvalidState, "a message sent in parts is not ended yet");
  }
  scheduler_.push(request(stream, ppid, options), message, true);
  return ok();
}

Result<void> NativeAssociation::sendPart(uint16_t stream, uint32_t ppid, ByteSpan part, bool last,
                                         const SendOptions& options, Timestamp now) {
  note(now);
  const bool growing = scheduler_.isGrowing(stream);
  if (part.empty() && !(last && growing && scheduler_.canEndEmpty(stream))) {
    return fail(ErrorCode::Type, "only the last part may be empty, while bytes wait before it");
  }
  if (Result<void> allowed = checkSend(stream, part.size(), options); !allowed) return allowed;
  if (growing) {
    scheduler_.append(stream, part, last);
  } else {
    scheduler_.push(request(stream, ppid, options), part, last);
  }
  return ok();
}

void NativeAssociation::setPartSize(uint16_t stream, size_t bytes) {
  reassembly_.setPartSize(stream, bytes);
}

void NativeAssociation::discardQueued(uint16_t stream) {
  // A message cut off in the middle is given up in whole, or the peer would wait for its end.
  if (OutMessage* begun = scheduler_.begun(stream)) abandon(*begun, {});
  scheduler_.discard(stream);
}

bool NativeAssociation::isOver(const OutMessage& message, uint32_t transmissions) const {
  if (!peer_.forwardTsn && message.started) return false;
  return message.expires <= now_ || (transmissions > 0 && message.maxRetransmits < transmissions);
}

void NativeAssociation::abandon(OutMessage& message, std::optional<uint32_t> tsn) {
  if (!message.abandoned) ++stats_.messagesAbandoned;
  // The queue may hold the last reference but ours.
  ++message.refs;
  scheduler_.abandon(message);
  if (message.started) {
    outstanding_.abandon(message, tsn);
    if (!message.sentLast) {
      outstanding_.addAbandoned(message);
      message.sentLast = true;
    }
  }
  pool_.release(&message);
  if (outstanding_.needsForward() && outstanding_.forwardPoint() != forwardSent_)
    forwardDue_ = true;
}

// ---- the end

void NativeAssociation::shutdown(Timestamp now) {
  note(now);
  if (phase_ == Phase::New || phase_ == Phase::CookieWait || phase_ == Phase::CookieEchoed) {
    abort(now);
    return;
  }
  if (phase_ != Phase::Established) return;
  phase_ = Phase::ShutdownPending;
  setState(AssociationState::ShuttingDown);
}

void NativeAssociation::abort(Timestamp now) {
  note(now);
  if (phase_ != Phase::New && phase_ != Phase::Ended && peerTag_ != 0) {
    Bytes cause(4);
    storeU16(&cause[0], kCauseUserInitiatedAbort);
    storeU16(&cause[2], 4);
    replies_.clear();
    queueReply({chunk::kAbort, 0, peerTag_, std::move(cause)});
  }
  wasShutDown_ = false;
  end(AssociationState::Closed, "aborted locally", {});
}

/// The peer broke the protocol: ABORT with the cause, and the association has failed.
void NativeAssociation::failWith(uint16_t causeCode, std::string reason, ByteSpan causeInfo) {
  Bytes cause(4);
  storeU16(&cause[0], causeCode);
  storeU16(&cause[2], static_cast<uint16_t>(4 + causeInfo.size()));
  cause.insert(cause.end(), causeInfo.begin(), causeInfo.end());
  replies_.clear();
  queueReply({chunk::kAbort, 0, peerTag_, std::move(cause)});
  end(AssociationState::Failed, std::move(reason), causeCode);
}

void NativeAssociation::end(AssociationState state, std::string reason,
                            std::optional<uint16_t> causeCode) {
  if (phase_ == Phase::Ended) return;
  phase_ = Phase::Ended;
  state_ = state;
  scheduler_.clear();
  outstanding_.clear();
  reassembly_.clear();
  pool_.trim();
  wantedResets_.clear();
  request_.reset();
  heartbeatAcks_.clear();
  earlyPackets_.clear();
  inFlightMemory_.resize(0);
  receiveMemory_.resize(0);
  PARLEY_LOG(env_.log, Info, "sctp", "association %s: %s", toString(state), reason.c_str());
  events_.push(AssociationStateChanged{state, std::move(reason), causeCode});
}

void NativeAssociation::queueReply(Reply reply) {
  if (replies_.size() < kMaxReplies) replies_.push_back(std::move(reply));
}

// ---- polling

bool NativeAssociation::pollInbound(Inbound& out) {
  if (!reassembly_.poll(out)) return false;
  consumed_ += out.data.size();
  if (!isUp()) return true;
  // The window is announced again once a fair part more of it is open than the peer knows.
  if (receiveWindow() >= advertised_ + receiveTarget_ / 4) sackDue_ = true;
  if (heldReset_) openHeldReset();
  return true;
}

bool NativeAssociation::pollEvent(AssociationEvent& out) {
  if (!events_.empty()) {
    out = events_.pop();
    return true;
  }
  uint16_t stream = 0;
  if (!scheduler_.pollDecreased(stream)) return false;
  out = BufferedAmountDecreased{stream};
  return true;
}

AssociationStats NativeAssociation::stats() const {
  AssociationStats out = stats_;
  out.mtu = static_cast<uint32_t>(config_.mtu);
  out.congestionWindow = static_cast<uint32_t>(congestion_.window());
  out.receiverWindow = peerWindow_;
  out.localReceiverWindow = static_cast<uint32_t>(receiveTarget_);
  out.receivedBytesHeld = reassembly_.heldBytes();
  out.smoothedRtt = rtt_.smoothed();
  out.minRtt = congestion_.minRtt().isInfinite() ? Duration::zero() : congestion_.minRtt();
  out.pacingRate = static_cast<uint64_t>(congestion_.pacingRate());
  out.unackedChunks = static_cast<uint32_t>(outstanding_.chunks());
  out.bytesInFlight = static_cast<uint32_t>(outstanding_.inFlightBytes());
  out.zeroChecksum = config_.zeroChecksum && peer_.zeroChecksum;
  out.interleaving = isUp() && config_.interleaving && peer_.interleaving;
  out.unansweredTimeouts = static_cast<uint32_t>(errors_);
  return out;
}

}  // namespace parley::sctp
