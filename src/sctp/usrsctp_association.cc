#include "sctp/usrsctp_association.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <usrsctp.h>

#include "parley/base/seq_num.h"

#include "sctp/crc32c.h"

namespace parley::sctp {
namespace {

constexpr size_t kMaxEarlyPackets = 16;
/// Unsent bytes the engine may hold. The rest waits in our queue, where it can be reordered by
/// priority, expire and be counted; one acknowledgement releases far less than this.
constexpr size_t kEngineBudget = 128 * 1024;
/// Messages read ahead of the application, so that events behind them are seen.
constexpr size_t kInboxBytes = 64 * 1024;
constexpr size_t kInboxMessages = 256;

constexpr Duration kBusyCadence = Duration::millis(10);
constexpr Duration kRecentCadence = Duration::millis(100);
constexpr Duration kIdleCadence = Duration::seconds(1);
constexpr Duration kRecent = Duration::seconds(1);
/// A SACK that the engine does not send within this was not owed after all.
constexpr Duration kSackPatience = Duration::millis(500);
/// Unacknowledged data makes a packet at least once per maximal RTO (5 s). Longer silence:
/// abandoned data whose FORWARD TSN got lost, which the engine mentions again only with the next
/// message.
constexpr Duration kWirePatience = Duration::seconds(6);
constexpr Duration kResetRetry = Duration::millis(500);
constexpr uint32_t kMaxResetAttempts = 10;
constexpr size_t kMaxAbortText = 128;

// Not in usrsctp.h 0.9.5, but in the library: RFC 8260's option (value as in FreeBSD).
constexpr int kSctpInterleavingSupported = 0x00001206;
// The same: bytes in the socket's buffers.
constexpr int kSctpGetSendBufferUse = 0x00001101;
struct SendBufferUse {
  sctp_assoc_t associationId;
  uint32_t outgoingBytes;
  uint32_t incomingBytes;
};

template <class T>
void setOption(struct socket* s, int level, int name, const T& value) {
  usrsctp_setsockopt(s, level, name, &value, sizeof value);
}

/// Text of a peer for a log or a message: printable ASCII only, bounded.
std::string printable(ByteSpan text) {
  std::string out;
  for (const uint8_t c : text.first(std::min(text.size(), kMaxAbortText))) {
    out.push_back(c >= 0x20 && c < 0x7F ? static_cast<char>(c) : '?');
  }
  return out;
}

}  // namespace

const char* toString(AssociationState state) {
  switch (state) {
    case AssociationState::New:
      return "new";
    case AssociationState::Connecting:
      return "connecting";
    case AssociationState::Connected:
      return "connected";
    case AssociationState::ShuttingDown:
      return "shutting-down";
    case AssociationState::Closed:
      return "closed";
    case AssociationState::Failed:
      return "failed";
  }
  return "?";
}

std::unique_ptr<Association> createUsrSctpAssociation(Environment& environment,
                                                      const AssociationConfig& config) {
  return std::make_unique<UsrSctpAssociation>(environment, config);
}

UsrSctpAssociation::UsrSctpAssociation(Environment& environment, const AssociationConfig& config)
    : env_(environment),
      config_(config),
      stack_(UsrSctpStack::instance()),
      port_(PacketBuf::kMaxPayload, environment.limits.maxQueuedTransmits),
      streams_(std::max<uint16_t>(config.streams, 1)),
      outgoing_(PacketBuf::kMaxPayload, environment.limits.maxQueuedTransmits),
      queue_(environment.limits.maxBufferedAmount),
      inbox_(kInboxMessages + 65'536),
      events_(environment.limits.maxQueuedEvents) {
  config_.mtu =
      std::clamp<size_t>(config_.mtu & ~size_t{3}, 512, PacketBuf::kMaxPayload & ~size_t{3});
  config_.sendBuffer = std::clamp<size_t>(config_.sendBuffer, 64 * 1024, size_t{1} << 30);
  config_.receiveBuffer = std::clamp<size_t>(config_.receiveBuffer, 64 * 1024, size_t{1} << 30);
}

UsrSctpAssociation::~UsrSctpAssociation() {
  Guard guard(stack_);
  closeSocket();
}

size_t UsrSctpAssociation::maxSendSize() const {
  // A message goes to the engine in one piece, beside what is in flight.
  return config_.sendBuffer / 2;
}

void UsrSctpAssociation::note(Timestamp now) {
  now_ = clock_.clamp(now);
}

// ---- set-up and end
// -------------------------------------------------------------------------------

bool UsrSctpAssociation::openSocket() {
  socket_ = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, nullptr, nullptr, 0, nullptr);
  if (socket_ == nullptr) return false;
  stack_.attach(port_);
  setOptions();
  sockaddr_conn address{};
  address.sconn_family = AF_CONN;
  address.sconn_port = htons(config_.localPort);
  address.sconn_addr = reinterpret_cast<void*>(port_.id);
  if (usrsctp_bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return false;
  address.sconn_port = htons(config_.remotePort);
  return usrsctp_connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ||
         errno == EINPROGRESS;
}

void UsrSctpAssociation::setOptions() {
  usrsctp_set_non_blocking(socket_, 1);
  usrsctp_set_upcall(
      socket_,
      [](struct socket*, void* arg, int) {
        static_cast<UsrSctpStack::Port*>(arg)->readable = true;
      },
      &port_);
  // close() sends ABORT and frees at once: without it timers of a dead association go on calling.
  setOption(socket_, SOL_SOCKET, SO_LINGER, linger{1, 0});
  setOption(socket_, SOL_SOCKET, SO_SNDBUF, static_cast<int>(config_.sendBuffer));
  setOption(socket_, SOL_SOCKET, SO_RCVBUF, static_cast<int>(config_.receiveBuffer));
  setOption(socket_, IPPROTO_SCTP, SCTP_NODELAY, int{1});
  setOption(socket_, IPPROTO_SCTP, SCTP_RECVRCVINFO, int{1});
  setOption(socket_, IPPROTO_SCTP, SCTP_INITMSG,
            sctp_initmsg{config_.streams, config_.streams, 0, 0});
  setOption(socket_, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET,
            sctp_assoc_value{SCTP_ALL_ASSOC,
                             SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ});
  // 1: a partly delivered message is not interleaved with others; 2 is a condition of I-DATA.
  setOption(socket_, IPPROTO_SCTP, SCTP_FRAGMENT_INTERLEAVE, int{config_.interleaving ? 2 : 1});
  if (config_.interleaving) {
    setOption(socket_, IPPROTO_SCTP, kSctpInterleavingSupported,
              sctp_assoc_value{SCTP_FUTURE_ASSOC, 1});
  }
  sctp_paddrparams path{};
  path.spp_address.ss_family = AF_CONN;
  path.spp_flags = SPP_PMTUD_DISABLE;
  // For AF_CONN the engine takes this as the room for chunks.
  path.spp_pathmtu = static_cast<uint32_t>(config_.mtu - kCommonHeaderSize);
  setOption(socket_, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, path);
  for (const int type : {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT, SCTP_SEND_FAILED_EVENT,
                         SCTP_PARTIAL_DELIVERY_EVENT}) {
    sctp_event event{};
    event.se_assoc_id = SCTP_FUTURE_ASSOC;
    event.se_type = static_cast<uint16_t>(type);
    event.se_on = 1;
    setOption(socket_, IPPROTO_SCTP, SCTP_EVENT, event);
  }
}

void UsrSctpAssociation::closeSocket() {
  if (socket_ != nullptr) {
    usrsctp_close(socket_);
    socket_ = nullptr;
  }
  stack_.detach(port_);
}

void UsrSctpAssociation::end(AssociationState state, std::string reason,
                             std::optional<uint16_t> causeCode) {
  if (state_ == AssociationState::Closed || state_ == AssociationState::Failed) return;
  closeSocket();
  state_ = state;
  resets_.clear();
  assemblies_.clear();
  PARLEY_LOG(env_.log, Info, "sctp", "association %s: %s", toString(state), reason.c_str());
  events_.push(AssociationStateChanged{state, std::move(reason), causeCode});
}

void UsrSctpAssociation::connect(Timestamp now) {
  note(now);
  if (state_ != AssociationState::New) return;
  Guard guard(stack_);
  stack_.tick(clockLink_, now_);
  lastTick_ = lastActivity_ = now_;
  state_ = AssociationState::Connecting;
  if (!openSocket()) {
    end(AssociationState::Failed, "the SCTP engine refused to connect", {});
    return;
  }
  events_.push(AssociationStateChanged{state_, {}, {}});
  // An INIT that came before our own would make a half-open association of its own: only now.
  for (const Bytes& packet : earlyPackets_) feed(packet);
  earlyPackets_.clear();
  drain();
}

void UsrSctpAssociation::shutdown(Timestamp now) {
  note(now);
  if (state_ == AssociationState::New || state_ == AssociationState::Connecting) {
    abort(now);
    return;
  }
  if (state_ != AssociationState::Connected) return;
  shutdownWanted_ = true;
  state_ = AssociationState::ShuttingDown;
  events_.push(AssociationStateChanged{state_, {}, {}});
  Guard guard(stack_);
  stack_.tick(clockLink_, now_);
  pump();
}

void UsrSctpAssociation::abort(Timestamp now) {
  note(now);
  Guard guard(stack_);
  // usrsctp_close() detaches before the port is asked: the ABORT is in the outbox by then.
  end(AssociationState::Closed, "aborted locally", {});
}

// ---- packets in
// -------------------------------------------------------------------------------------

void UsrSctpAssociation::handlePacket(ByteSpan packet, Timestamp now) {
  note(now);
  if (state_ == AssociationState::New) {
    if (earlyPackets_.size() < kMaxEarlyPackets) earlyPackets_.push_back(toBytes(packet));
    return;
  }
  if (!alive()) return;
  Guard guard(stack_);
  stack_.tick(clockLink_, now_);
  lastTick_ = now_;
  feed(packet);
  drain();
  pump();
}

void UsrSctpAssociation::feed(ByteSpan packet) {
  const std::optional<PacketSummary> summary = inspect(packet);
  const bool zeroAllowed = config_.zeroChecksum && summary && !summary->needsChecksum;
  if (!summary || (packetChecksum(packet) != loadChecksum(packet) &&
                   !(zeroAllowed && loadChecksum(packet) == 0))) {
    ++stats_.packetsDropped;
    return;
  }
  ++stats_.packetsReceived;
  stats_.bytesReceived += packet.size();
  lastActivity_ = lastWire_ = now_;
  if (summary->hasInit) peerAcceptsZeroChecksum_ = summary->acceptsZeroChecksum;
  if (summary->cumulativeAck && anySent_ && isNewer(*summary->cumulativeAck, cumulativeAck_) &&
      !isNewer(*summary->cumulativeAck, highestTsn_)) {
    cumulativeAck_ = *summary->cumulativeAck;
  }
  if (summary->hasData && !sackOwed_) {
    sackOwed_ = true;
    sackOwedSince_ = now_;
  }
  if (summary->abortCause) {
    abortCause_ = summary->abortCause;
    abortText_ = printable(summary->abortText);
  }
  void* const address = reinterpret_cast<void*>(port_.id);
  if (summary->hasFiltered) {
    Bytes copy = toBytes(packet);
    neutralise(copy);
    usrsctp_conninput(address, copy.data(), copy.size(), 0);
  } else {
    usrsctp_conninput(address, packet.data(), packet.size(), 0);
  }
  // Notifications do not all come with an upcall.
  port_.readable = true;
}

bool UsrSctpAssociation::inboxFull() const {
  return inboxBytes_ >= kInboxBytes || inbox_.size() >= kInboxMessages;
}

void UsrSctpAssociation::drain() {
  while (alive() && port_.readable && !inboxFull()) {
    const MutableByteSpan scratch = stack_.scratch();
    sockaddr_conn from{};
    socklen_t fromSize = sizeof from;
    sctp_rcvinfo info{};
    socklen_t infoSize = sizeof info;
    unsigned int infoType = 0;
    int flags = 0;
    const ssize_t n =
        usrsctp_recvv(socket_, scratch.data(), scratch.size(), reinterpret_cast<sockaddr*>(&from),
                      &fromSize, &info, &infoSize, &infoType, &flags);
    if (n <= 0) {
      const bool wouldBlock = n < 0 && errno == EWOULDBLOCK;
      port_.readable = false;
      if (!wouldBlock) checkAlive();
      return;
    }
    const ByteSpan part = scratch.first(static_cast<size_t>(n));
    if ((flags & MSG_NOTIFICATION) != 0) {
      if ((flags & MSG_EOR) != 0) handleNotification(part);
      continue;
    }
    if (infoType != SCTP_RECVV_RCVINFO) continue;
    receivePart(part, info.rcv_sid, ntohl(info.rcv_ppid), (info.rcv_flags & SCTP_UNORDERED) != 0,
                (flags & MSG_EOR) != 0);
  }
}

UsrSctpAssociation::Assembly* UsrSctpAssociation::assembly(uint16_t stream, bool unordered) {
  for (Assembly& a : assemblies_) {
    if (a.stream == stream && a.unordered == unordered) return &a;
  }
  return nullptr;
}

void UsrSctpAssociation::receivePart(ByteSpan part, uint16_t stream, uint32_t ppid, bool unordered,
                                     bool complete) {
  Assembly* open = assembly(stream, unordered);
  if (open == nullptr && complete && part.size() <= config_.maxMessageSize) {
    finishMessage({Inbound::Kind::Message, stream, ppid, unordered, [&] {
                     Bytes data = queue_.takeSpare();
                     data.assign(part.begin(), part.end());
                     return data;
                   }()});
    return;
  }
  if (open == nullptr) {
    assemblies_.push_back({stream, unordered, false, {}});
    open = &assemblies_.back();
  }
  if (!open->tooBig && open->data.size() + part.size() > config_.maxMessageSize) {
    open->tooBig = true;
    open->data = {};
    pushInbound(Inbound::Kind::TooBig, stream);
  }
  if (!open->tooBig) open->data.insert(open->data.end(), part.begin(), part.end());
  if (!complete) return;
  Assembly done = std::move(*open);
  assemblies_.erase(assemblies_.begin() + (open - assemblies_.data()));
  if (!done.tooBig)
    finishMessage({Inbound::Kind::Message, stream, ppid, unordered, std::move(done.data)});
}

void UsrSctpAssociation::finishMessage(Inbound&& in) {
  inboxBytes_ += in.data.size();
  inbox_.push(std::move(in));
}

void UsrSctpAssociation::pushInbound(Inbound::Kind kind, uint16_t stream) {
  Inbound in;
  in.kind = kind;
  in.stream = stream;
  inbox_.push(std::move(in));
}

void UsrSctpAssociation::dropAssembly(uint16_t stream) {
  std::erase_if(assemblies_, [stream](const Assembly& a) { return a.stream == stream; });
}

// ---- notifications
// ------------------------------------------------------------------------------------

void UsrSctpAssociation::handleNotification(ByteSpan bytes) {
  sctp_notification n{};
  if (bytes.size() < sizeof n.sn_header) return;
  std::memcpy(&n, bytes.data(), std::min(bytes.size(), sizeof n));
  switch (n.sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
      handleAssociationChange(n, bytes.size());
      break;
    case SCTP_STREAM_RESET_EVENT: {
      // Copied whole: the stream list lies behind the union.
      handleStreamReset(reinterpret_cast<const sctp_notification&>(*bytes.data()), bytes.size());
      break;
    }
    case SCTP_SEND_FAILED_EVENT:
      if ((n.sn_send_failed_event.ssfe_flags & SCTP_DATA_UNSENT) != 0 &&
          bytes.size() > sizeof(sctp_send_failed_event)) {
        queue_.onAbandoned(n.sn_send_failed_event.ssfe_info.snd_sid,
                           bytes.size() - sizeof(sctp_send_failed_event));
      }
      break;
    case SCTP_PARTIAL_DELIVERY_EVENT:
      if (n.sn_pdapi_event.pdapi_indication == SCTP_PARTIAL_DELIVERY_ABORTED) {
        dropAssembly(static_cast<uint16_t>(n.sn_pdapi_event.pdapi_stream));
      }
      break;
    default:
      break;
  }
}

void UsrSctpAssociation::handleAssociationChange(const sctp_notification& n, size_t size) {
  if (size < sizeof(sctp_assoc_change)) return;
  const sctp_assoc_change& change = n.sn_assoc_change;
  switch (change.sac_state) {
    case SCTP_COMM_UP:
      if (state_ != AssociationState::Connecting) return;
      streams_ = std::min(change.sac_outbound_streams, change.sac_inbound_streams);
      state_ = AssociationState::Connected;
      PARLEY_LOG(env_.log, Info, "sctp", "association up, %u streams out, %u in",
                 unsigned{change.sac_outbound_streams}, unsigned{change.sac_inbound_streams});
      events_.push(AssociationStateChanged{state_, {}, {}});
      return;
    case SCTP_SHUTDOWN_COMP:
      end(AssociationState::Closed, "shut down", {});
      return;
    case SCTP_CANT_STR_ASSOC:
      end(AssociationState::Failed,
          abortCause_ ? "the peer refused the association" : "the peer did not answer",
          abortCause_);
      return;
    case SCTP_RESTART:
      // RFC 8261 ties an association to its DTLS connection: a peer that starts anew within one has
      // lost all channels, and so have we.
      end(AssociationState::Failed, "the peer restarted the association", {});
      return;
    case SCTP_COMM_LOST:
      if (abortCause_ || change.sac_error != 0) {
        const uint16_t cause = abortCause_ ? *abortCause_ : change.sac_error;
        end(AssociationState::Failed,
            abortText_.empty() ? "the association was aborted"
                               : "the association was aborted: " + abortText_,
            cause);
      } else {
        end(AssociationState::Failed, "the association was lost", {});
      }
      return;
    default:
      return;
  }
}

void UsrSctpAssociation::handleStreamReset(const sctp_notification& n, size_t size) {
  if (size < sizeof(sctp_stream_reset_event)) return;
  const sctp_stream_reset_event& event = n.sn_strreset_event;
  const size_t count = (size - sizeof event) / sizeof(uint16_t);
  const bool failed =
      (event.strreset_flags & (SCTP_STREAM_RESET_DENIED | SCTP_STREAM_RESET_FAILED)) != 0;
  if ((event.strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN) != 0 && !failed) {
    if (count == 0) pushInbound(Inbound::Kind::AllStreamsReset, 0);
    for (size_t i = 0; i < count; ++i) {
      dropAssembly(event.strreset_stream_list[i]);
      pushInbound(Inbound::Kind::StreamReset, event.strreset_stream_list[i]);
    }
  }
  if ((event.strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN) == 0) return;
  OutgoingStreamsReset done;
  for (size_t i = 0; i < count; ++i) {
    const uint16_t stream = event.strreset_stream_list[i];
    Reset* reset = findReset(stream);
    if (reset == nullptr) continue;
    if (failed && ++reset->attempts < kMaxResetAttempts) {
      reset->state = ResetState::Wanted;
      reset->retryAt = now_ + kResetRetry;
      continue;
    }
    std::erase_if(resets_, [stream](const Reset& r) { return r.stream == stream; });
    done.streams.push_back(stream);
  }
  if (!done.streams.empty()) events_.push(std::move(done));
}

void UsrSctpAssociation::checkAlive() {
  if (!alive() || state_ == AssociationState::Connecting) return;
  sctp_status status{};
  socklen_t size = sizeof status;
  if (usrsctp_getsockopt(socket_, IPPROTO_SCTP, SCTP_STATUS, &status, &size) == 0) return;
  if (state_ == AssociationState::ShuttingDown && !abortCause_) {
    end(AssociationState::Closed, "shut down", {});
  } else {
    end(AssociationState::Failed, "the association was lost", abortCause_);
  }
}

// ---- messages out
// ---------------------------------------------------------------------------------

Result<void> UsrSctpAssociation::send(uint16_t stream, uint32_t ppid, ByteSpan message,
                                      const SendOptions& options, Timestamp now) {
  note(now);
  if (state_ != AssociationState::Connected) {
    return fail(ErrorCode::InvalidState, "the SCTP association is not connected");
  }
  if (options.maxRetransmits && options.lifetime) {
    return fail(ErrorCode::Type,
                "a message may have a retransmission limit or a lifetime, not both");
  }
  if (message.empty() || message.size() > maxSendSize()) {
    return fail(ErrorCode::Type,
                "an SCTP message has 1 to " + std::to_string(maxSendSize()) + " bytes");
  }
  if (stream >= streams_) return fail(ErrorCode::Range, "the stream was not negotiated");
  if (findReset(stream) != nullptr)
    return fail(ErrorCode::InvalidState, "the stream is being reset");
  SendQueue::Waiting waiting;
  waiting.ppid = ppid;
  waiting.data = queue_.takeSpare();
  waiting.data.assign(message.begin(), message.end());
  waiting.unordered = options.unordered;
  waiting.maxRetransmits = options.maxRetransmits;
  if (options.lifetime) waiting.expires = now_ + *options.lifetime;
  waiting.weight = options.priority;
  waiting.control = options.control;
  if (!queue_.push(stream, std::move(waiting))) {
    return fail(ErrorCode::ResourceExhausted, "the send buffer is full");
  }
  lastActivity_ = now_;
  Guard guard(stack_);
  stack_.tick(clockLink_, now_);
  pump();
  return ok();
}

void UsrSctpAssociation::pump() {
  if (state_ != AssociationState::Connected && state_ != AssociationState::ShuttingDown) return;
  while (alive() && sendFront()) {
  }
  if (!alive()) return;
  askResets();
  if (shutdownWanted_ && !queue_.waiting()) {
    shutdownWanted_ = false;
    usrsctp_shutdown(socket_, SHUT_WR);
  }
}

/// Hands the next message to the engine. False: nothing to do, or the engine is full.
bool UsrSctpAssociation::sendFront() {
  uint16_t stream = 0;
  SendQueue::Waiting* message = queue_.front(stream);
  if (message == nullptr) return false;
  if (message->expires <= now_) {
    // RFC 7496 section 4.1: a message whose lifetime ends before it was sent is abandoned.
    ++stats_.messagesAbandoned;
    queue_.popDropped();
    return true;
  }
  const auto overBudget = [&] {
    return queue_.engineBytes() > 0 && queue_.engineBytes() + message->data.size() > kEngineBudget;
  };
  if (overBudget()) settleBooks();
  if (overBudget()) return false;
  sctp_sendv_spa info{};
  info.sendv_flags = SCTP_SEND_SNDINFO_VALID;
  info.sendv_sndinfo.snd_sid = stream;
  info.sendv_sndinfo.snd_ppid = htonl(message->ppid);
  info.sendv_sndinfo.snd_flags = message->unordered ? SCTP_UNORDERED : 0;
  if (message->maxRetransmits) {
    info.sendv_flags |= SCTP_SEND_PRINFO_VALID;
    info.sendv_prinfo = {SCTP_PR_SCTP_RTX, *message->maxRetransmits};
  } else if (!message->expires.isNever()) {
    const int64_t left = std::max<int64_t>(1, (message->expires - now_).millis());
    info.sendv_flags |= SCTP_SEND_PRINFO_VALID;
    info.sendv_prinfo = {SCTP_PR_SCTP_TTL,
                         static_cast<uint32_t>(std::min<int64_t>(left, 0x7FFFFFFF))};
  }
  const ssize_t n = usrsctp_sendv(socket_, message->data.data(), message->data.size(), nullptr, 0,
                                  &info, sizeof info, SCTP_SENDV_SPA, 0);
  if (n < 0 && (errno == EWOULDBLOCK || errno == EAGAIN)) return false;
  if (n < 0) {
    PARLEY_LOG(env_.log, Warning, "sctp", "the engine refused a message on stream %u: errno %d",
               unsigned{stream}, errno);
    queue_.popDropped();
    return true;
  }
  partialReliabilityUsed_ =
      partialReliabilityUsed_ || (info.sendv_flags & SCTP_SEND_PRINFO_VALID) != 0;
  queue_.popToEngine();
  return true;
}

// ---- stream resets
// ----------------------------------------------------------------------------------

UsrSctpAssociation::Reset* UsrSctpAssociation::findReset(uint16_t stream) {
  for (Reset& r : resets_) {
    if (r.stream == stream) return &r;
  }
  return nullptr;
}

void UsrSctpAssociation::resetStreams(std::span<const uint16_t> streams, Timestamp now) {
  note(now);
  if (state_ != AssociationState::Connected) return;
  for (const uint16_t stream : streams) {
    if (stream < streams_ && findReset(stream) == nullptr)
      resets_.push_back({stream, ResetState::Wanted, 0, now_});
  }
  lastActivity_ = now_;
  Guard guard(stack_);
  stack_.tick(clockLink_, now_);
  pump();
}

/// Asks for resets of streams whose messages the engine has all taken. The engine itself waits
/// until they are acknowledged, and keeps one request outstanding (RFC 6525 section 5.1.1).
void UsrSctpAssociation::askResets() {
  OutgoingStreamsReset impossible;
  for (Reset& reset : resets_) {
    if (reset.state != ResetState::Wanted || reset.retryAt > now_ || queue_.waiting(reset.stream))
      continue;
    alignas(sctp_reset_streams) uint8_t storage[sizeof(sctp_reset_streams) + sizeof(uint16_t)] = {};
    auto* request = reinterpret_cast<sctp_reset_streams*>(storage);
    request->srs_assoc_id = SCTP_ALL_ASSOC;
    request->srs_flags = SCTP_STREAM_RESET_OUTGOING;
    request->srs_number_streams = 1;
    std::memcpy(storage + sizeof(sctp_reset_streams), &reset.stream, sizeof reset.stream);
    const int result =
        usrsctp_setsockopt(socket_, IPPROTO_SCTP, SCTP_RESET_STREAMS, storage, sizeof storage);
    // EALREADY: noted, goes out when the outstanding request is answered.
    if (result == 0 || errno == EALREADY || errno == EINPROGRESS) {
      reset.state = ResetState::Asked;
    } else if (errno == EOPNOTSUPP) {
      impossible.streams.push_back(reset.stream);  // a peer without RFC 6525: nothing to wait for
    } else {
      reset.retryAt = now_ + kResetRetry;
    }
  }
  if (impossible.streams.empty()) return;
  for (const uint16_t stream : impossible.streams) {
    std::erase_if(resets_, [stream](const Reset& r) { return r.stream == stream; });
  }
  events_.push(std::move(impossible));
}

void UsrSctpAssociation::discardQueued(uint16_t stream) {
  queue_.discardWaiting(stream);
}

// ---- outputs
// ------------------------------------------------------------------------------------------

/// Reads from a packet that leaves what the engine does not tell: new data, repeated data, SACKs.
void UsrSctpAssociation::account(MutableByteSpan packet, bool& needsChecksum) {
  ChunkCursor cursor(packet);
  ChunkView c;
  while (cursor.next(c)) {
    switch (c.type) {
      case chunk::kData:
      case chunk::kIData: {
        const size_t header = c.type == chunk::kData ? kDataHeaderSize : kIDataHeaderSize;
        if (c.value.size() < header) break;
        const uint32_t tsn = loadU32(c.value.data());
        if (!anySent_) {
          anySent_ = true;
          highestTsn_ = cumulativeAck_ = tsn - 1;
        }
        if (isNewer(tsn, highestTsn_)) {
          highestTsn_ = tsn;
          queue_.onTransmitted(loadU16(&c.value[4]), c.value.size() - header);
        } else {
          ++stats_.retransmittedChunks;
        }
        break;
      }
      case chunk::kForwardTsn:
      case chunk::kIForwardTsn: {
        // The peer will acknowledge numbers that were given up before they were ever sent.
        const uint32_t tsn = c.value.size() >= 4 ? loadU32(c.value.data()) : highestTsn_;
        if (anySent_ && isNewer(tsn, highestTsn_)) highestTsn_ = tsn;
        break;
      }
      case chunk::kSack:
        sackOwed_ = false;
        break;
      case chunk::kInit:
      case chunk::kInitAck:
      case chunk::kCookieEcho:
        needsChecksum = true;
        break;
      case chunk::kAbort:
        if ((c.flags & 1) != 0) needsChecksum = true;
        break;
      default:
        break;
    }
  }
}

bool UsrSctpAssociation::pollTransmit(PacketBuf& out) {
  if (outgoing_.empty()) {
    Guard guard(stack_);
    if (port_.outbox.empty()) pump();
    outgoing_.swap(port_.outbox);
  }
  if (outgoing_.empty()) return false;
  PacketBuf packet = env_.pool.copyOf(outgoing_.front());
  if (!packet) return false;
  outgoing_.pop();
  if (config_.zeroChecksum) {
    const size_t size = packet.size();
    packet.resize(
        appendZeroChecksumParameter(packet.writable().first(PacketBuf::kMaxPayload), size));
  }
  bool needsChecksum = false;
  account(packet.mutableSpan(), needsChecksum);
  stats_.zeroChecksum = config_.zeroChecksum && peerAcceptsZeroChecksum_;
  storeChecksum(packet.mutableSpan(),
                needsChecksum || !stats_.zeroChecksum ? packetChecksum(packet.span()) : 0);
  ++stats_.packetsSent;
  lastWire_ = now_;
  stats_.bytesSent += packet.size();
  out = std::move(packet);
  return true;
}

bool UsrSctpAssociation::pollInbound(Inbound& out) {
  if (inbox_.empty() || inboxFull()) {
    Guard guard(stack_);
    drain();
  }
  if (inbox_.empty()) return false;
  Inbound in = inbox_.pop();
  inboxBytes_ -= in.data.size();
  std::swap(out.data, in.data);
  out.kind = in.kind;
  out.stream = in.stream;
  out.ppid = in.ppid;
  out.unordered = in.unordered;
  return true;
}

bool UsrSctpAssociation::pollEvent(AssociationEvent& out) {
  if (!events_.empty()) {
    out = events_.pop();
    return true;
  }
  uint16_t stream = 0;
  if (!queue_.pollDecreased(stream)) return false;
  out = BufferedAmountDecreased{stream};
  return true;
}

void UsrSctpAssociation::advance(Timestamp now) {
  note(now);
  if (!alive()) return;
  Guard guard(stack_);
  stack_.tick(clockLink_, now_);
  lastTick_ = now_;
  port_.readable = true;
  drain();
  // With a full inbox the end of the association may stand unread behind data.
  if (inboxFull()) checkAlive();
  settleBooks();
  pump();
}

/// Partial reliability lets the engine drop data that never left, and it does not report all of
/// that. What it holds in all, in flight or not, bounds what can still be unsent.
void UsrSctpAssociation::settleBooks() {
  if (!partialReliabilityUsed_ || queue_.engineBytes() == 0 || !outgoing_.empty() ||
      !port_.outbox.empty()) {
    return;
  }
  SendBufferUse use{};
  socklen_t size = sizeof use;
  if (usrsctp_getsockopt(socket_, IPPROTO_SCTP, kSctpGetSendBufferUse, &use, &size) != 0) return;
  queue_.limitEngine(use.outgoingBytes);
}

bool UsrSctpAssociation::isBusy() const {
  return state_ == AssociationState::Connecting || state_ == AssociationState::ShuttingDown ||
         queue_.waiting() || queue_.engineBytes() > 0 || !resets_.empty() ||
         (anySent_ && cumulativeAck_ != highestTsn_ && now_ - lastWire_ < kWirePatience) ||
         (sackOwed_ && now_ - sackOwedSince_ < kSackPatience);
}

/// usrsctp cannot say when its next timer is due, so it is asked often while one may be running.
Timestamp UsrSctpAssociation::nextDeadline() const {
  if (!alive()) return Timestamp::never();
  if (isBusy()) return lastTick_ + kBusyCadence;
  return lastTick_ + (lastTick_ - lastActivity_ < kRecent ? kRecentCadence : kIdleCadence);
}

AssociationStats UsrSctpAssociation::stats() const {
  AssociationStats out = stats_;
  out.mtu = static_cast<uint32_t>(config_.mtu);
  Guard guard(stack_);
  sctp_status status{};
  socklen_t size = sizeof status;
  if (socket_ != nullptr &&
      usrsctp_getsockopt(socket_, IPPROTO_SCTP, SCTP_STATUS, &status, &size) == 0) {
    out.congestionWindow = status.sstat_primary.spinfo_cwnd;
    out.receiverWindow = status.sstat_rwnd;
    out.smoothedRtt = Duration::millis(status.sstat_primary.spinfo_srtt);
    out.unackedChunks = status.sstat_unackdata;
  }
  return out;
}

}  // namespace parley::sctp
