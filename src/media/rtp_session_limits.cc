// TMMBR and TMMBN (RFC 5104 section 4.2): a receiver that wants less of one stream.

#include <algorithm>
#include <utility>

#include "media/rtp_session_impl.h"

namespace parley::media {

namespace rtcp = rtp::rtcp;

namespace {

/// Each request is answered (section 4.2.1.2); a storm of them by one answer per interval.
constexpr Duration kNoticeInterval = Duration::millis(50);

}  // namespace

// RFC 8834 section 5.1.6: senders "MUST implement support for the TMMBR message and MUST follow
// bandwidth limitations set by a TMMBR message received for their SSRC". Section 3.5.4.3 of RFC
// 5104 has them wait before they raise the rate, for others to object: here there are none.
void RtpSession::Impl::handleRateRequest(const rtcp::Tmmb& request, Timestamp now) {
  bool changed = false;
  for (const rtcp::TmmbEntry& entry : request.entries) {
    SendStream* const stream = findBySsrc(entry.ssrc);
    if (stream == nullptr) continue;
    if (stream->limits().request(request.senderSsrc, entry.maxBitrate, entry.overhead))
      changed = true;
    stream->noticeDue = true;
    if (!noticeAt_) noticeAt_ = lastNotice_ ? std::max(now, *lastNotice_ + kNoticeInterval) : now;
  }
  if (changed) describeStreams(now);
}

/// Whoever has left wants nothing any more.
void RtpSession::Impl::forgetRateRequests(uint32_t owner, Timestamp now) {
  bool changed = false;
  for (const auto& stream : streams_) changed = stream->limits().forget(owner) || changed;
  if (changed) describeStreams(now);
}

void RtpSession::Impl::sendNotices() {
  const Timestamp now = clock_.last();
  if (!noticeAt_ || now < *noticeAt_) return;
  noticeAt_.reset();
  lastNotice_ = now;
  for (const auto& stream : streams_) {
    if (!std::exchange(stream->noticeDue, false)) continue;
    rtcp::Tmmb notice;
    notice.isRequest = false;
    notice.senderSsrc = stream->config().ssrc;
    for (const rtcp::TmmbEntry& entry : stream->limits().boundingSet())
      notice.entries.push_back(entry);
    if (feedbackPacket_ && feedbackWriter().remaining() < notice.size()) flushFeedback();
    if (!openFeedback()) continue;
    ByteWriter w = feedbackWriter();
    notice.write(w);
    feedbackSize_ += w.size();
  }
}

}  // namespace parley::media
