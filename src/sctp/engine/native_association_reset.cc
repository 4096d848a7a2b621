// Stream resets (RFC 6525), by which data channels close (RFC 8831 section 6.7).

#include <algorithm>
#include <utility>

#include "parley/base/seq_num.h"

#include "sctp/engine/native_association.h"

namespace parley::sctp {
namespace {

constexpr uint16_t kParamOutgoingReset = 13;
constexpr uint16_t kParamIncomingReset = 14;
constexpr uint16_t kParamTsnReset = 15;
constexpr uint16_t kParamResponse = 16;
constexpr uint16_t kParamAddOutgoing = 17;
constexpr uint16_t kParamAddIncoming = 18;
constexpr uint32_t kResultNothingToDo = 0, kResultPerformed = 1, kResultDenied = 2,
                   kResultBadSequence = 5, kResultInProgress = 6;
/// usrsctp denies requests for more.
constexpr size_t kMaxStreamsPerRequest = 200;
constexpr int kMaxAttempts = 10;

}  // namespace

void NativeAssociation::resetStreams(std::span<const uint16_t> streams, Timestamp now) {
  note(now);
  if (phase_ != Phase::Established) return;
  for (const uint16_t stream : streams) {
    if (stream >= streams_ || isBeingReset(stream)) continue;
    // A message that was not ended never will be.
    if (scheduler_.isGrowing(stream)) {
      if (OutMessage* begun = scheduler_.begun(stream); begun != nullptr && !begun->complete)
        abandon(*begun, {});
      scheduler_.breakOff(stream);
    }
    wantedResets_.emplace(stream, std::nullopt);
  }
  askResets();
}

/// Makes a request of the streams that have run dry. RFC 6525 section 5.1.1: one outstanding at a
/// time. We ask when everything sent on them is acknowledged, although section 5.1.2 lets the
/// receiver wait: not every peer keeps a postponed request well.
void NativeAssociation::askResets() {
  if (wantedResets_.empty() || request_ || !maySend()) return;
  std::vector<uint16_t> ready;
  for (auto& [stream, after] : wantedResets_) {
    if (scheduler_.hasQueued(stream)) continue;
    if (!after) after = outstanding_.nextTsn() - 1;
    if (isNewer(*after, outstanding_.cumulativeAck())) continue;
    ready.push_back(stream);
    if (ready.size() == kMaxStreamsPerRequest) break;
  }
  if (ready.empty()) return;
  request_ = ResetRequest{nextRequest_++, std::move(ready), now_, Timestamp::never(), 0};
  // A peer that cannot: nothing to wait for.
  if (!peer_.reConfig) finishReset(false);
}

void NativeAssociation::finishReset(bool performed) {
  OutgoingStreamsReset done{std::move(request_->streams)};
  request_.reset();
  for (const uint16_t stream : done.streams) {
    wantedResets_.erase(stream);
    if (performed) scheduler_.resetNumbers(stream);
  }
  events_.push(std::move(done));
  askResets();
}

void NativeAssociation::buildReConfig(PacketBuilder& b) {
  if (!isUp()) return;
  if (responseDue_) {
    if (uint8_t* p = b.add(chunk::kReConfig, 0, 12)) {
      storeU16(p, kParamResponse);
      storeU16(p + 2, 12);
      storeU32(p + 4, responseDue_->sequence);
      storeU32(p + 8, responseDue_->result);
      responseDue_.reset();
    }
  }
  if (!request_ || request_->sendAt > now_) return;
  const size_t size = 16 + 2 * request_->streams.size();
  uint8_t* p = b.add(chunk::kReConfig, 0, size);
  if (p == nullptr) return;
  storeU16(p, kParamOutgoingReset);
  storeU16(p + 2, static_cast<uint16_t>(size));
  storeU32(p + 4, request_->sequence);
  storeU32(p + 8, expectedRequest_ - 1);
  // The last TSN of these streams is acknowledged; the last assigned at all may not be, and has
  // nothing to do with them. A receiver only compares it with what has arrived.
  storeU32(p + 12, outstanding_.cumulativeAck());
  p += 16;
  for (const uint16_t stream : request_->streams) {
    storeU16(p, stream);
    p += 2;
  }
  request_->sendAt = Timestamp::never();
  request_->retryAt = now_ + rtt_.rto();
}

void NativeAssociation::onResetTimer() {
  request_->retryAt = Timestamp::never();
  request_->sendAt = now_;
  rtt_.backOff();
  if (++request_->attempts > kMaxAttempts) {
    finishReset(false);
    return;
  }
  countError();
}

// ---- the peer's

void NativeAssociation::handleReConfig(const ChunkView& c) {
  for (size_t at = 0; at + 4 <= c.value.size() && isUp();) {
    const uint16_t type = loadU16(&c.value[at]);
    const size_t length = loadU16(&c.value[at + 2]);
    if (length < 4 || length > c.value.size() - at) return;
    const ByteSpan parameter = c.value.subspan(at, length);
    switch (type) {
      case kParamOutgoingReset:
        if (length >= 16) handleResetRequest(parameter);
        break;
      case kParamAddOutgoing:
        if (length >= 12) handleAddStreams(parameter);
        break;
      case kParamIncomingReset:
      case kParamTsnReset:
      case kParamAddIncoming:
        // Nobody needs these for data channels (RFC 8831 section 6.7).
        if (length >= 8 && isExpectedRequest(loadU32(&parameter[4])))
          respond(loadU32(&parameter[4]), kResultDenied);
        break;
      case kParamResponse:
        if (length >= 12) handleResetResponse(parameter);
        break;
      default:
        break;
    }
    at += (length + 3) & ~size_t{3};
  }
}

/// RFC 6525 section 5.2.1: the next number is new, the last one gets its answer again, any other is
/// wrong.
bool NativeAssociation::isExpectedRequest(uint32_t sequence) {
  if (heldReset_ && heldReset_->sequence == sequence) return false;  // still waits for data
  if (sequence == expectedRequest_ && !heldReset_) return true;
  if (lastResponse_ && lastResponse_->sequence == sequence) {
    responseDue_ = lastResponse_;
  } else {
    responseDue_ = ResetResponse{sequence, kResultBadSequence};
  }
  return false;
}

void NativeAssociation::respond(uint32_t sequence, uint32_t result) {
  lastResponse_ = responseDue_ = ResetResponse{sequence, result};
  expectedRequest_ = sequence + 1;
}

void NativeAssociation::handleResetRequest(ByteSpan parameter) {
  const uint32_t sequence = loadU32(&parameter[4]);
  if (!isExpectedRequest(sequence)) return;
  HeldReset request;
  request.sequence = sequence;
  request.lastTsn = loadU32(&parameter[12]);
  const size_t count = (parameter.size() - 16) / 2;
  request.streams.reserve(count);
  for (size_t i = 0; i < count; ++i) request.streams.push_back(loadU16(&parameter[16 + 2 * i]));
  // Section 5.2.2 E2 would answer "in progress" while data is missing, and have the peer ask again.
  // No answer has it ask again too, and cannot be misread.
  heldReset_ = std::move(request);
  openHeldReset();
}

void NativeAssociation::openHeldReset() {
  if (isNewer(heldReset_->lastTsn, received_.cumulative())) return;
  // Each reset is something to be read, and counts like data.
  if (reassembly_.heldBytes() > receiveTarget_) return;
  const HeldReset request = std::move(*heldReset_);
  heldReset_.reset();
  if (request.streams.empty()) {
    reassembly_.resetAll();
    reassembly_.push(Inbound::Kind::AllStreamsReset, 0);
  }
  for (const uint16_t stream : request.streams) {
    if (stream >= peer_.outgoingStreams) continue;
    reassembly_.resetStream(stream);
    reassembly_.push(Inbound::Kind::StreamReset, stream);
  }
  respond(request.sequence, kResultPerformed);
}

/// RFC 6525 section 4.5: the peer wants to send on more streams. They cost nothing until used.
void NativeAssociation::handleAddStreams(ByteSpan parameter) {
  const uint32_t sequence = loadU32(&parameter[4]);
  if (!isExpectedRequest(sequence)) return;
  const uint32_t wanted = uint32_t{peer_.outgoingStreams} + loadU16(&parameter[8]);
  if (wanted > config_.streams) {
    respond(sequence, kResultDenied);
    return;
  }
  peer_.outgoingStreams = static_cast<uint16_t>(wanted);
  streams_ = std::min({config_.streams, peer_.outgoingStreams, peer_.incomingStreams});
  respond(sequence, kResultPerformed);
}

void NativeAssociation::handleResetResponse(ByteSpan parameter) {
  if (!request_ || request_->sequence != loadU32(&parameter[4]) || !request_->sendAt.isNever())
    return;
  errors_ = 0;
  rtt_.clearBackoff();
  const uint32_t result = loadU32(&parameter[8]);
  if (result == kResultPerformed || result == kResultNothingToDo) {
    finishReset(true);
    return;
  }
  if (++request_->attempts > kMaxAttempts) {
    finishReset(false);
    return;
  }
  // "In progress" is no answer for good, and others may change: asked again, as a new request.
  static_cast<void>(kResultInProgress);
  if (result != kResultBadSequence) request_->sequence = nextRequest_++;
  request_->sendAt = now_ + rtt_.rto();
  request_->retryAt = Timestamp::never();
}

}  // namespace parley::sctp
