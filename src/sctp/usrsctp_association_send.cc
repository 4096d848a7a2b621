// Messages on their way to the engine.

#include <algorithm>
#include <cerrno>
#include <string>
#include <usrsctp.h>
#include <utility>

#include "sctp/usrsctp_association.h"

namespace parley::sctp {
namespace {

/// Unsent bytes the engine may hold. The rest waits in our queue, where it can be reordered by
/// priority, expire and be counted; one acknowledgement releases far less than this.
constexpr size_t kEngineBudget = 128 * 1024;
/// Packets that wait to be polled, in bytes, beyond which the engine gets nothing to make more of.
constexpr size_t kMaxLeaving = 1u << 20;

// Not in usrsctp.h 0.9.5, but in the library: bytes in the socket's buffers.
constexpr int kSctpGetSendBufferUse = 0x00001101;
struct SendBufferUse {
  sctp_assoc_t associationId;
  uint32_t outgoingBytes;
  uint32_t incomingBytes;
};

}  // namespace

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
  waiting.beyondLimit = options.beyondLimit;
  if (!queue_.push(stream, std::move(waiting))) {
    return fail(ErrorCode::ResourceExhausted, "the send buffer is full");
  }
  lastActivity_ = now_;
  Guard guard(stack_, port_);
  stack_.tick(port_, clockLink_, now_);
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
    const size_t leaving = port_.outbox.bytes() + outgoing_.bytes();
    const size_t held = queue_.engineBytes() - std::min(queue_.engineBytes(), leaving);
    return leaving > kMaxLeaving || (held > 0 && held + message->data.size() > kEngineBudget);
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

/// Partial reliability lets the engine drop data that never left, and it does not report all of
/// that. What it holds in all, in flight or not, bounds what can still be unsent.
void UsrSctpAssociation::settleBooks() {
  if (!alive() || !partialReliabilityUsed_ || queue_.engineBytes() == 0 || !outgoing_.empty() ||
      !port_.outbox.empty()) {
    return;
  }
  SendBufferUse use{};
  socklen_t size = sizeof use;
  if (usrsctp_getsockopt(socket_, IPPROTO_SCTP, kSctpGetSendBufferUse, &use, &size) != 0) return;
  queue_.limitEngine(use.outgoingBytes);
}

}  // namespace parley::sctp
