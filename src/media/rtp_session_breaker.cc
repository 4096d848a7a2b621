// RtpSession: streams that a circuit breaker stops (RFC 8083), and how they begin again.

#include "parley/base/log.h"

#include "media/rtp_session_impl.h"

namespace parley::media {
namespace {

/// Whoever reports each packet does so many times a second.
constexpr Duration kControlled = Duration::seconds(5);

}  // namespace

const char* toString(CircuitBreakerReason reason) {
  constexpr const char* kNames[] = {"media-timeout", "rtcp-timeout", "congestion"};
  return kNames[static_cast<int>(reason)];
}

bool RtpSession::Impl::isControlled(Timestamp now) const {
  return arrivalsToldAt_ && now - *arrivalsToldAt_ < kControlled;
}

// All streams share the path: a peer that reports each packet need not report by source as well.
void RtpSession::Impl::noteArrivalsTold(Timestamp now) {
  arrivalsToldAt_ = now;
  for (const auto& stream : streams_) stream->breaker().onHeard(now);
}

void RtpSession::Impl::judge(SendStream& stream, std::optional<CircuitBreakerReason> reason,
                             Timestamp now) {
  if (!reason || !config_.circuitBreaker || stream.stopped()) return;
  PARLEY_LOG(environment_.log, Warning, "media", "source %u stops: %s", stream.config().ssrc,
             toString(*reason));
  stream.stop(*reason, pacer_);
  events_.push(SendStreamStopped{stream.id(), reason});
  describeStreams(now);
}

void RtpSession::Impl::checkBreakers(Timestamp now) {
  if (!available_) return;
  for (const auto& stream : streams_) judge(*stream, stream->breaker().check(now), now);
}

Timestamp RtpSession::Impl::breakerDeadline() const {
  Timestamp next = Timestamp::never();
  if (!config_.circuitBreaker) return next;
  for (const auto& stream : streams_) next = earliest(next, stream->breaker().nextDeadline());
  return next;
}

void RtpSession::Impl::startAgain(SendStream& stream, Timestamp now) {
  if (!stream.stopped()) return;
  stream.startAgain();
  events_.push(SendStreamStopped{stream.id(), std::nullopt});
  wantKeyFrame(stream, now);
  describeStreams(now);
}

void RtpSession::Impl::startAllAgain(Timestamp now) {
  for (const auto& stream : streams_) startAgain(*stream, now);
}

/// Section 4.5: not "unless the sender has received information that the congestion has
/// dissipated". A peer that reported on the stream, fell silent and is heard again is such; one
/// that never did is not.
void RtpSession::Impl::noteReport(Timestamp now) {
  for (const auto& stream : streams_) {
    if (stream->stopped() == CircuitBreakerReason::RtcpTimeout && stream->breaker().everReported())
      startAgain(*stream, now);
  }
}

}  // namespace parley::media
