// What the engine delivers: messages, in whole or in parts, and notifications; and stream resets,
// which are asked for in one and confirmed in the other.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <usrsctp.h>

#include "sctp/usrsctp_association.h"

namespace parley::sctp {
namespace {

/// Messages read ahead of the application, so that events behind them are seen.
constexpr size_t kInboxBytes = 64 * 1024;
constexpr size_t kInboxMessages = 256;
constexpr Duration kResetRetry = Duration::millis(500);
constexpr uint32_t kMaxResetAttempts = 10;

}  // namespace

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

size_t UsrSctpAssociation::assemblyBytes() const {
  size_t sum = 0;
  for (const Assembly& a : assemblies_) sum += a.data.size();
  return sum;
}

void UsrSctpAssociation::receivePart(ByteSpan part, uint16_t stream, uint32_t ppid, bool unordered,
                                     bool complete) {
  Assembly* open = assembly(stream, unordered);
  if (open == nullptr && complete && part.size() <= config_.maxMessageSize) {
    Bytes data = queue_.takeSpare();
    data.assign(part.begin(), part.end());
    finishMessage(stream, ppid, unordered, std::move(data));
    return;
  }
  if (open == nullptr) {
    assemblies_.push_back({stream, unordered, false, {}});
    open = &assemblies_.back();
  }
  if (!open->tooBig && (open->data.size() + part.size() > config_.maxMessageSize ||
                        assemblyBytes() + part.size() > env_.limits.maxKeptDataBytes)) {
    open->tooBig = true;
    open->data = {};
    pushInbound(Inbound::Kind::TooBig, stream);
  }
  if (!open->tooBig) open->data.insert(open->data.end(), part.begin(), part.end());
  if (!complete) return;
  Assembly done = std::move(*open);
  assemblies_.erase(assemblies_.begin() + (open - assemblies_.data()));
  if (!done.tooBig) finishMessage(stream, ppid, unordered, std::move(done.data));
}

void UsrSctpAssociation::finishMessage(uint16_t stream, uint32_t ppid, bool unordered,
                                       Bytes&& data) {
  Inbound in;
  in.stream = stream;
  in.ppid = ppid;
  in.unordered = unordered;
  in.data = std::move(data);
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

// ---- stream resets

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
  Guard guard(stack_, port_);
  stack_.tick(port_, clockLink_, now_);
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

}  // namespace parley::sctp
