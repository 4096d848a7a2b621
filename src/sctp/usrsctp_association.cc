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
/// The next chance after an advance().
constexpr Duration kSoon = Duration::millis(1);
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
constexpr size_t kMaxAbortText = 128;

// Not in usrsctp.h 0.9.5, but in the library: RFC 8260's option (value as in FreeBSD).
constexpr int kSctpInterleavingSupported = 0x00001206;

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

std::unique_ptr<Association> createUsrSctpAssociation(Environment& environment,
                                                      const AssociationConfig& config) {
  return std::make_unique<UsrSctpAssociation>(environment, config);
}

UsrSctpAssociation::UsrSctpAssociation(Environment& environment, const AssociationConfig& config)
    : env_(environment),
      config_(config),
      stack_(UsrSctpStack::instance()),
      port_(PacketBuf::kMaxPayload, environment.limits.maxQueuedTransmits),
      streams_(std::clamp<uint16_t>(config.streams, 1, 1024)),
      outgoing_(PacketBuf::kMaxPayload, environment.limits.maxQueuedTransmits),
      queue_(environment.limits.maxBufferedAmount),
      inbox_(kMaxInboxItems),
      events_(environment.limits.maxQueuedEvents) {
  config_.mtu =
      std::clamp<size_t>(config_.mtu & ~size_t{3}, 512, PacketBuf::kMaxPayload & ~size_t{3});
  config_.sendBuffer = std::clamp<size_t>(config_.sendBuffer, 64 * 1024, 4u << 20);
  config_.receiveBuffer = std::clamp<size_t>(config_.receiveBuffer, 64 * 1024, 4u << 20);
  config_.streams = std::min<uint16_t>(config_.streams, 1024);
}

UsrSctpAssociation::~UsrSctpAssociation() {
  Guard guard(stack_, port_);
  closeSocket();
}

size_t UsrSctpAssociation::maxSendSize() const {
  // A message goes to the engine in one piece, beside what is in flight.
  return config_.sendBuffer / 2;
}

void UsrSctpAssociation::note(Timestamp now) {
  now_ = clock_.clamp(now);
  mayHaveOutput_ = true;
  deadline_.reset();
}

// ---- set-up and end

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
  Guard guard(stack_, port_);
  stack_.tick(port_, clockLink_, now_);
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
  Guard guard(stack_, port_);
  stack_.tick(port_, clockLink_, now_);
  pump();
}

void UsrSctpAssociation::abort(Timestamp now) {
  note(now);
  Guard guard(stack_, port_);
  // usrsctp_close() detaches before the port is asked: the ABORT is in the outbox by then.
  end(AssociationState::Closed, "aborted locally", {});
}

// ---- packets in

void UsrSctpAssociation::handlePacket(ByteSpan packet, Timestamp now) {
  note(now);
  if (state_ == AssociationState::New) {
    if (earlyPackets_.size() < kMaxEarlyPackets) earlyPackets_.push_back(toBytes(packet));
    return;
  }
  if (!alive()) return;
  Guard guard(stack_, port_);
  stack_.tick(port_, clockLink_, now_);
  lastTick_ = now_;
  feed(packet);
  drain();
  pump();
}

void UsrSctpAssociation::feed(ByteSpan packet) {
  const std::optional<PacketSummary> summary = inspect(packet);
  // RFC 9653 section 5.3: having offered it, we take a zero field except where CRC32c is demanded.
  const auto checksumFits = [&] {
    const uint32_t field = loadChecksum(packet);
    if (field == 0 && config_.zeroChecksum && !summary->needsChecksum) return true;
    return field == packetChecksum(packet);
  };
  if (!summary || !checksumFits()) {
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
    port_.ackedMillis = stack_.nowMillis();
  }
  noteArrivals(packet, *summary);
  if (summary->hasData && !sackOwed_) {
    sackOwed_ = true;
    sackOwedSince_ = now_;
  }
  if (summary->abortCause) {
    abortCause_ = summary->abortCause;
    abortText_ = printable(summary->abortText);
  }
  void* const address = reinterpret_cast<void*>(port_.id);
  if (summary->hasFiltered || summary->hasReConfig) {
    Bytes copy = toBytes(packet);
    neutralise(copy);
    if (summary->hasReConfig) resetGate_.filter(copy);
    usrsctp_conninput(address, copy.data(), copy.size(), 0);
  } else {
    usrsctp_conninput(address, packet.data(), packet.size(), 0);
  }
  openResetGate();
  // Notifications do not all come with an upcall.
  port_.readable = true;
}

void UsrSctpAssociation::noteArrivals(ByteSpan packet, const PacketSummary& summary) {
  if (summary.initialTsn) resetGate_.start(*summary.initialTsn);
  if (!summary.hasData) return;
  ChunkCursor cursor(packet);
  ChunkView c;
  while (cursor.next(c)) {
    if (c.type == chunk::kData || c.type == chunk::kIData)
      resetGate_.onData(loadU32(c.value.data()));
  }
}

void UsrSctpAssociation::openResetGate() {
  if (!resetGate_.holds()) return;
  if (port_.sackedTsn) resetGate_.onSacked(*port_.sackedTsn);
  if (const std::optional<Bytes> request = resetGate_.release()) {
    usrsctp_conninput(reinterpret_cast<void*>(port_.id), request->data(), request->size(), 0);
  }
}

// ---- outputs

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
    if (!mayHaveOutput_ && !port_.attention) return false;
    deadline_.reset();
    Guard guard(stack_, port_);
    if (port_.outbox.empty()) {
      settleBooks();
      pump();
    }
    outgoing_.swap(port_.outbox);
    mayHaveOutput_ = !outgoing_.empty();
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
  mayHaveOutput_ = true;  // the window may open
  deadline_.reset();
  if (inbox_.empty() || inboxFull()) {
    Guard guard(stack_, port_);
    drain();
  }
  if (inbox_.empty()) return false;
  Inbound in = inbox_.pop();
  inboxBytes_ -= in.data.size();
  std::swap(out.data, in.data);
  queue_.returnSpare(std::move(in.data));
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
  const bool resting = deadline_ && !mayHaveOutput_ && !port_.attention;
  if (resting && clock_.clamp(now) < *deadline_) return;
  note(now);
  if (!alive()) return;
  Guard guard(stack_, port_);
  stack_.tick(port_, clockLink_, now_);
  lastTick_ = now_;
  openResetGate();
  port_.readable = true;
  drain();
  // With a full inbox the end of the association may stand unread behind data.
  if (inboxFull()) checkAlive();
  pump();
}

bool UsrSctpAssociation::isBusy() const {
  return state_ == AssociationState::Connecting || state_ == AssociationState::ShuttingDown ||
         queue_.waiting() || queue_.engineBytes() > 0 || !resets_.empty() ||
         (anySent_ && cumulativeAck_ != highestTsn_ && now_ - lastWire_ < kWirePatience) ||
         (sackOwed_ && now_ - sackOwedSince_ < kSackPatience);
}

/// Without hooks nobody knows when the engine's next timer is due: it is asked often while one may
/// be running.
Timestamp UsrSctpAssociation::pollingDeadline() const {
  if (isBusy()) return lastTick_ + kBusyCadence;
  return lastTick_ + (lastTick_ - lastActivity_ < kRecent ? kRecentCadence : kIdleCadence);
}

Timestamp UsrSctpAssociation::nextDeadline() const {
  if (!alive()) return Timestamp::never();
  if (!deadline_ || port_.attention) deadline_ = computeDeadline();
  return *deadline_;
}

Timestamp UsrSctpAssociation::computeDeadline() const {
  Guard guard(stack_, port_);
  if (!stack_.timersHooked()) return pollingDeadline();
  Timestamp next = stack_.nextTimer(port_, clockLink_);
  if (port_.attention || !port_.outbox.empty()) next = earliest(next, lastTick_ + kSoon);
  for (const Reset& reset : resets_) {
    if (reset.state == ResetState::Wanted && reset.retryAt > now_)
      next = earliest(next, reset.retryAt);
  }
  // What no timer stands for: books to settle, the end of the association behind unread data.
  if (partialReliabilityUsed_ && queue_.waiting()) next = earliest(next, lastTick_ + kBusyCadence);
  if (inboxFull()) next = earliest(next, lastTick_ + kIdleCadence);
  return next > lastTick_ ? next : lastTick_ + kSoon;
}

AssociationStats UsrSctpAssociation::stats() const {
  AssociationStats out = stats_;
  out.mtu = static_cast<uint32_t>(config_.mtu);
  Guard guard(stack_, port_);
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
