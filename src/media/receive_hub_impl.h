#pragma once

#include <memory>
#include <vector>

#include "parley/media/receive_hub.h"
#include "parley/rtp/payload_format/red.h"

#include "media/audio_receive_stream.h"
#include "media/av_sync.h"
#include "media/ccfb_recorder.h"
#include "media/forward_receive_stream.h"
#include "media/rate_reporter.h"
#include "media/receive_router.h"
#include "media/source_table.h"
#include "media/twcc_recorder.h"
#include "media/video_receive_stream.h"

namespace parley::media {

/// The owner of everything. receive_hub.cc: the way of packets. receive_hub_handle.cc: what
/// ReceiveHub passes on.
class ReceiveHub::Impl {
 public:
  explicit Impl(const Environment& environment)
      : environment_(environment),
        router_(environment.limits),
        ccfb_(environment.limits.maxReceiveSsrcs) {}

  void setReceiver(const ReceiveConfig& config);
  void removeReceiver(ReceiverId id);
  void setRtt(Duration rtt);
  void setMinimumDelay(ReceiverId id, Duration delay);
  void handleRtp(PacketBuf packet, const rtp::PacketView& view, Ecn ecn, Timestamp now);
  void handleSenderReport(const rtp::rtcp::SenderReport& report, Timestamp now);
  void handleBye(uint32_t ssrc, Timestamp now);
  void requestKeyFrame(ReceiverId id, Timestamp now);
  void decoderLostState(ReceiverId id, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  template <class Poll>
  bool pollStreams(Poll poll);
  size_t pollArrivalFeedback(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes);
  size_t writeCongestionFeedback(ByteWriter& w, uint32_t senderSsrc, size_t maxBytes,
                                 Timestamp now);
  void takeReportBlocks(Timestamp now, size_t max, std::vector<rtp::rtcp::ReportBlock>& out);

  void recordArrival(const rtp::PacketView& view, Ecn ecn, Timestamp now);
  bool pollRateReport(RateReport& out);
  void deliverRtx(PacketBuf packet, const rtp::PacketView& view, const ReceiveRouter::Route& route,
                  Timestamp now);
  void deliver(PacketBuf packet, const rtp::PacketView& view, const ReceiveConfig& config,
               const ReceiveCodec& codec, ReceiveStream& stream, Arrival arrival, Timestamp now);
  void deliverRedFec(const ReceiveConfig& config, ReceiveStream& stream, Timestamp now);
  bool deliverFlexfec(PacketBuf& packet, const rtp::PacketView& view, Timestamp now);
  void deliverRestored(ReceiveStream& stream, const ReceiveConfig& config, Timestamp now);
  ReceiveStream* createStream(const ReceiveRouter::Route& route, uint32_t ssrc);
  void announceStart(const ReceiveStream& stream);
  void announceEnds();
  void removeEnded(Timestamp now);
  void enforceLimits(Timestamp now);
  void synchronize();

  struct SyncPair {
    ReceiverId audio;
    ReceiverId video;
    AvSync sync;
  };

  const Environment& environment_;
  MonotonicGuard clock_;
  HeldTotals held_;  // before the streams, which give back their shares
  ReceiveRouter router_;
  ArrivalFeedback mode_ = ArrivalFeedback::None;
  TwccRecorder twcc_;
  CcfbRecorder ccfb_;
  RateReporter rates_;
  uint32_t lastMediaSsrc_ = 0;
  Duration rtt_ = Duration::millis(100);
  bool rttKnown_ = false;
  RecyclingQueue<SourceEvent> events_{64};
  SourceTable sources_;
  std::vector<SyncPair> pairs_;
  Timestamp nextSync_ = Timestamp::never();  // while nothing is heard, nothing drifts
  size_t turn_ = 0;                          // streams take turns in being polled
  uint64_t unrouted_ = 0;
  rtp::RedPayload red_;  // kept for its size
};

template <class Poll>
bool ReceiveHub::Impl::pollStreams(Poll poll) {
  const size_t count = router_.streams().size();
  for (size_t i = 0; i < count; ++i) {
    const size_t at = (turn_ + i) % count;
    if (poll(*router_.streams()[at])) {
      turn_ = at + 1;
      return true;
    }
  }
  return false;
}

}  // namespace parley::media
