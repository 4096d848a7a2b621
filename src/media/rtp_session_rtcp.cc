// RtpSession: both directions of RTCP. A received compound is parsed once, as a whole, and each
// block goes by (packet type, format) to the one place that wants it.

#include <algorithm>

#include "parley/base/seq_num.h"

#include "media/rtp_session_impl.h"

namespace parley::media {

namespace rtcp = rtp::rtcp;

namespace {

/// RFC 3550 section 6.4: whoever sent since the second last report counts as a sender.
constexpr Duration kSenderMemory = Duration::seconds(10);
constexpr size_t kSdesItem = 2;

size_t sdesChunkSize(std::string_view cname) {
  // SSRC, item header, text, terminating zero, padded to 32 bits (RFC 3550 section 6.5).
  return (4 + kSdesItem + cname.size() + 1 + 3) / 4 * 4;
}

}  // namespace

// --- in

void RtpSession::Impl::handleRtcp(ByteSpan packet, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_) return;
  if (!rtcp::CompoundReader::isWellFormed(packet)) {
    ++drops_.malformedRtcp;
    return;
  }
  reporters_.clear();
  rtcp::CompoundReader reader(packet);
  rtcp::Block block;
  while (reader.next(block)) handleBlock(block, now);
  settle(now);
}

void RtpSession::Impl::handleBlock(const rtcp::Block& block, Timestamp now) {
  switch (block.type) {
    case rtcp::kSenderReport:
      if (const auto report = rtcp::SenderReport::parse(block)) {
        reporters_.push_back(report->senderSsrc);
        hub_.handleSenderReport(*report, now);
        handleReports(report->blocks, now);
        noteReport(now);
      }
      break;
    case rtcp::kReceiverReport:
      if (const auto report = rtcp::ReceiverReport::parse(block)) {
        reporters_.push_back(report->senderSsrc);
        handleReports(report->blocks, now);
        noteReport(now);
      }
      break;
    case rtcp::kBye:
      if (const auto bye = rtcp::Bye::parse(block)) {
        for (const uint32_t ssrc : bye->ssrcs) {
          hub_.handleBye(ssrc, now);
          forgetRateRequests(ssrc, now);
        }
      }
      break;
    case rtcp::kSourceDescription:
      // The CNAME is known from signalling; here it tells whose the SSRC is.
      if (const auto sdes = rtcp::SourceDescription::parse(block)) checkReporter(*sdes, now);
      break;
    case rtcp::kTransportFeedback:
      handleTransportFeedback(block, now);
      break;
    case rtcp::kPayloadFeedback:
      handlePayloadFeedback(block, now);
      break;
    case rtcp::kExtendedReport:
      if (const auto report = rtcp::ExtendedReport::parse(block))
        handleExtendedReport(*report, now);
      break;
    default:  // APP and unknown types are not for us
      break;
  }
}

void RtpSession::Impl::handleReports(const rtcp::ReportBlocks& blocks, Timestamp now) {
  congestion::LossReport loss;
  loss.time = now;
  for (const rtcp::ReportBlock& block : blocks) {
    SendStream* stream = findBySsrc(block.ssrc);
    if (stream == nullptr) continue;
    const auto rtt = rtt_.onEcho(block.lastSr, block.delaySinceLastSr, now);
    stream->onReportBlock(block, rtt, now);
    const Duration way = rtt_.smoothed().value_or(Duration::zero());
    judge(*stream, stream->breaker().onReport(block, way, isControlled(now), now), now);
    if (rtt) applyUpdate(controller_->onRoundTripTime({now, *rtt}), now);
    auto state = std::find_if(lossStates_.begin(), lossStates_.end(),
                              [&](const LossState& s) { return s.ssrc == block.ssrc; });
    if (state == lossStates_.end()) {
      lossStates_.push_back({block.ssrc, block.cumulativeLost, block.extendedHighestSequence});
      continue;
    }
    if (isNewer(block.extendedHighestSequence, state->highest)) {
      const int64_t expected = block.extendedHighestSequence - state->highest;
      const int64_t lost = std::clamp<int64_t>(block.cumulativeLost - state->lost, 0, expected);
      loss.packetsLost += static_cast<uint64_t>(lost);
      loss.packetsReceived += static_cast<uint64_t>(expected - lost);
    }
    state->lost = block.cumulativeLost;
    state->highest = block.extendedHighestSequence;
  }
  updateRtt();
  losses_.add(loss.packetsLost, loss.packetsReceived, now);
  if (loss.packetsLost + loss.packetsReceived > 0)
    applyUpdate(controller_->onLossReport(loss), now);
}

void RtpSession::Impl::handleTransportFeedback(const rtcp::Block& block, Timestamp now) {
  if (block.count == rtcp::TransportFeedback::kFormat) {
    handleArrivalFeedback(block, now);
  } else if (block.count == rtcp::CongestionFeedback::kFormat) {
    handleCongestionFeedback(block, now);
  } else if (block.count == rtcp::Tmmb::kRequestFormat) {
    if (const auto request = rtcp::Tmmb::parse(block)) handleRateRequest(*request, now);
  } else if (block.count == rtcp::Nack::kFormat) {
    const auto nack = rtcp::Nack::parse(block);
    if (!nack) return;
    SendStream* stream = findBySsrc(nack->mediaSsrc);
    if (stream != nullptr && stream->config().takesPackets) {
      ++stream->stats().nackCount;
      for (const uint16_t sequence : nack->sequences) missing_.push({stream->id(), sequence});
    } else if (stream != nullptr && !stream->stopped()) {
      stream->onNack({nack->sequences.data(), nack->sequences.size()}, pacer_,
                     rtt_.smoothed().value_or(Duration::zero()), now);
    }
  }
}

void RtpSession::Impl::handleArrivalFeedback(const rtcp::Block& block, Timestamp now) {
  if (!rtcp::TransportFeedback::parse(block, arrivalFeedback_)) return;
  arrivals_.clear();
  for (const auto& received : arrivalFeedback_.received)
    arrivals_.push_back({received.sequence, received.delta});
  congestion::FeedbackAdapter::Feedback feedback;
  feedback.baseSequence = arrivalFeedback_.baseSequence;
  feedback.statusCount = arrivalFeedback_.statusCount;
  feedback.referenceTime = arrivalFeedback_.referenceTime;
  feedback.arrivals = arrivals_;
  if (const auto report = adapter_.onFeedback(feedback, now)) {
    losses_.add(report->packets, now);
    noteArrivalsTold(now);
    applyUpdate(controller_->onTransportFeedback(*report), now);
  }
}

void RtpSession::Impl::handleCongestionFeedback(const rtcp::Block& block, Timestamp now) {
  // Without the agreement packets were counted by the transport-wide number, if at all.
  if (!config_.peerReportsRfc8888 || !rtcp::CongestionFeedback::parse(block, congestionFeedback_))
    return;
  ++congestionFeedbackReceived_;
  rtpArrivals_.clear();
  for (const auto& report : congestionFeedback_.reports)
    rtpArrivals_.push_back({report.received, report.ecn, report.arrivalOffset});
  rtpStreams_.clear();
  for (const auto& stream : congestionFeedback_.streams) {
    // Each costs a walk over what is in flight.
    if (!ssrcInUse(stream.ssrc)) continue;
    if (rtpStreams_.size() >= 3 * streams_.size()) break;
    rtpStreams_.push_back({stream.ssrc, stream.beginSequence,
                           std::span(rtpArrivals_).subspan(stream.firstReport, stream.count)});
  }
  if (const auto report =
          adapter_.onRtpFeedback(congestionFeedback_.reportTimestamp, rtpStreams_, now)) {
    countReported(report->packets);
    losses_.add(report->packets, now);
    noteArrivalsTold(now);
    applyUpdate(controller_->onTransportFeedback(*report), now);
  }
}

// What is counted is the media's SSRC, as in receiver reports; repetitions have one of their own.
void RtpSession::Impl::countReported(std::span<const congestion::PacketResult> packets) {
  SendStream* stream = nullptr;
  for (const congestion::PacketResult& packet : packets) {
    if (stream == nullptr || stream->config().ssrc != packet.ssrc) stream = findBySsrc(packet.ssrc);
    if (stream != nullptr) stream->noteReported(packet);
  }
}

void RtpSession::Impl::handlePayloadFeedback(const rtcp::Block& block, Timestamp now) {
  if (block.count == rtcp::Pli::kFormat) {
    const auto pli = rtcp::Pli::parse(block);
    if (!pli) return;
    SendStream* const stream = findBySsrc(pli->mediaSsrc);
    if (stream != nullptr && stream->onPli(now)) events_.push(KeyFrameRequested{stream->id()});
  } else if (block.count == rtcp::Fir::kFormat) {
    const auto fir = rtcp::Fir::parse(block);
    if (!fir) return;
    for (const auto& entry : fir->entries) {
      SendStream* const stream = findBySsrc(entry.ssrc);
      if (stream != nullptr && stream->onFir(entry.sequence, now))
        events_.push(KeyFrameRequested{stream->id()});
    }
  } else if (block.count == rtcp::Remb::kFormat) {
    if (const auto remb = rtcp::Remb::parse(block))
      applyUpdate(controller_->onRemoteBitrate({now, remb->bitrate}), now);
  }
}

void RtpSession::Impl::handleExtendedReport(const rtcp::ExtendedReport& report, Timestamp now) {
  if (report.receiverReferenceTime) {
    const RemoteReference reference{report.senderSsrc, report.receiverReferenceTime->compact(),
                                    now};
    auto* known = std::find_if(remoteReferences_.begin(), remoteReferences_.end(),
                               [&](const RemoteReference& r) { return r.ssrc == reference.ssrc; });
    if (known != remoteReferences_.end()) {
      *known = reference;
    } else {
      remoteReferences_.push_back(reference);
    }
  }
  for (const rtcp::DlrrEntry& entry : report.dlrr) {
    // The SSRC is whichever of ours reported; the stamp itself proves that it was us.
    const auto rtt = rtt_.onEcho(entry.lastRr, entry.delaySinceLastRr, now);
    if (!rtt) continue;
    hub_.noteRoundTrip(*rtt);
    updateRtt();
  }
}

void RtpSession::Impl::updateRtt() {
  if (rtt_.smoothed()) hub_.setRtt(*rtt_.smoothed());
}

// --- out

uint32_t RtpSession::Impl::reportingSsrc() const {
  return streams_.empty() ? ownSsrc_ : streams_.front()->config().ssrc;
}

void RtpSession::Impl::finishRtcp(PacketBuf packet, size_t size) {
  packet.resize(size);
  push({std::move(packet), true, TxClass::Control});
}

void RtpSession::Impl::writeExtendedReport(ByteWriter& w, bool sending, Timestamp now) {
  rtcp::ExtendedReport report;
  report.senderSsrc = reportingSsrc();
  if (config_.receiverReferenceTime && (!sending || !reportBlocks_.empty())) {
    report.receiverReferenceTime = environment_.wallClock.ntpAt(now);
  }
  for (const RemoteReference& r : remoteReferences_) {
    const auto delay = static_cast<uint32_t>((now - r.received).seconds() * 65'536);
    report.dlrr.push_back({r.ssrc, r.compactNtp, delay});
  }
  if ((!report.receiverReferenceTime && report.dlrr.empty()) || report.size() > w.remaining())
    return;
  report.write(w);
  if (report.receiverReferenceTime) rtt_.onStampSent(report.receiverReferenceTime->compact(), now);
  remoteReferences_.clear();
}

void RtpSession::Impl::sendReports(Timestamp now) {
  schedule_.onReported(now);
  const size_t chunk = sdesChunkSize(config_.cname);
  reportBlocks_.clear();
  hub_.takeReportBlocks(now, rtcp::kMaxReportBlocks, reportBlocks_);
  size_t nextStream = 0;
  size_t nextBlock = 0;
  const auto nextSender = [&]() -> SendStream* {
    while (nextStream < streams_.size()) {
      SendStream* stream = streams_[nextStream].get();
      stream->cull(now, rtt_.smoothed().value_or(Duration::zero()));
      if (stream->sentSince(now - kSenderMemory)) return stream;
      ++nextStream;
    }
    return nullptr;
  };
  bool first = true;
  // RTP-14: several local sources share compounds, as many as fit.
  while (first || nextSender() != nullptr || nextBlock < reportBlocks_.size()) {
    PacketBuf packet = environment_.pool.allocate();
    if (!packet) {
      ++drops_.packetPool;
      return;
    }
    ByteWriter w(packet.writable().first(config_.maxPacketSize));
    rtcp::SourceDescription sdes;
    const auto takeBlocks = [&](rtcp::ReportBlocks& blocks, size_t room) {
      while (nextBlock < reportBlocks_.size() && room >= rtcp::ReportBlock::kSize &&
             blocks.push_back(reportBlocks_[nextBlock])) {
        ++nextBlock;
        room -= rtcp::ReportBlock::kSize;
      }
    };
    SendStream* sender = nextSender();
    const bool sending = sender != nullptr;
    if (!sending) {
      rtcp::ReceiverReport report;
      report.senderSsrc = reportingSsrc();
      takeBlocks(report.blocks, w.remaining() - 8 - 4 - chunk);
      report.write(w);
      sdes.chunks.push_back({report.senderSsrc, config_.cname});
    }
    while (sender != nullptr && !sdes.chunks.full()) {
      const size_t needed = 28 + 4 + (sdes.chunks.size() + 1) * chunk;
      if (!sdes.chunks.empty() && w.remaining() < needed) break;
      rtcp::SenderReport report = sender->senderReport(environment_.wallClock, now);
      rtt_.onStampSent(report.ntp.compact(), now);
      if (sdes.chunks.empty()) takeBlocks(report.blocks, w.remaining() - needed);
      report.write(w);
      sdes.chunks.push_back({report.senderSsrc, config_.cname});
      ++nextStream;
      sender = nextSender();
    }
    sdes.write(w);
    if (first) writeExtendedReport(w, sending, now);
    first = false;
    if (!w.ok()) return;  // a CNAME longer than any packet
    finishRtcp(std::move(packet), w.size());
  }
}

bool RtpSession::Impl::openFeedback() {
  if (feedbackPacket_) return true;
  feedbackPacket_ = environment_.pool.allocate();
  if (!feedbackPacket_) {
    ++drops_.packetPool;
    return false;
  }
  ByteWriter w(feedbackPacket_.writable().first(config_.maxPacketSize));
  if (!config_.reducedSizeRtcp) {
    // RFC 3550 section 6.1: a compound starts with a report and names its source.
    rtcp::ReceiverReport report;
    report.senderSsrc = reportingSsrc();
    report.write(w);
    rtcp::SourceDescription sdes;
    sdes.chunks.push_back({report.senderSsrc, config_.cname});
    sdes.write(w);
  }
  feedbackSize_ = feedbackPrefix_ = w.size();
  return true;
}

ByteWriter RtpSession::Impl::feedbackWriter() {
  return ByteWriter(
      feedbackPacket_.writable().subspan(feedbackSize_, config_.maxPacketSize - feedbackSize_));
}

void RtpSession::Impl::flushFeedback() {
  if (feedbackPacket_ && feedbackSize_ > feedbackPrefix_)
    finishRtcp(std::move(feedbackPacket_), feedbackSize_);
  feedbackPacket_ = PacketBuf();
}

size_t RtpSession::Impl::writeFeedback(ByteWriter& w, const FeedbackRequest& request,
                                       size_t taken) {
  const uint32_t sender = reportingSsrc();
  switch (request.kind) {
    case FeedbackRequest::Kind::Nack: {
      const std::span<const uint16_t> left(request.sequences.data() + taken,
                                           request.sequences.size() - taken);
      return rtcp::Nack::write(w, sender, request.mediaSsrc, left, w.remaining());
    }
    case FeedbackRequest::Kind::Pli: {
      const rtcp::Pli pli{sender, request.mediaSsrc};
      if (w.remaining() < pli.size()) return 0;
      pli.write(w);
      return 1;
    }
    case FeedbackRequest::Kind::Fir: {
      rtcp::Fir fir;
      fir.senderSsrc = sender;
      fir.entries.push_back({request.mediaSsrc, request.firSequence});
      if (w.remaining() < fir.size()) return 0;
      fir.write(w);
      return 1;
    }
  }
  return 0;
}

void RtpSession::Impl::sendFeedback() {
  if (!available_) return;
  while (hub_.pollFeedback(feedbackRequest_)) {
    const bool nack = feedbackRequest_.kind == FeedbackRequest::Kind::Nack;
    const size_t total = nack ? feedbackRequest_.sequences.size() : 1;
    for (size_t taken = 0; taken < total;) {
      const bool fresh = !feedbackPacket_;
      if (!openFeedback()) return;
      ByteWriter w = feedbackWriter();
      const size_t wrote = writeFeedback(w, feedbackRequest_, taken);
      feedbackSize_ += w.size();
      taken += wrote;
      if (wrote == 0 && fresh) break;  // would fit in no packet
      if (taken < total) flushFeedback();
    }
  }
  sendNotices();
  if (hub_.pollRateReport(rateReport_)) {
    rtcp::Remb remb;
    remb.senderSsrc = reportingSsrc();
    remb.bitrate = rateReport_.rate;
    for (const uint32_t ssrc : rateReport_.ssrcs) remb.ssrcs.push_back(ssrc);
    if (feedbackPacket_ && feedbackWriter().remaining() < remb.size()) flushFeedback();
    if (!openFeedback()) return;
    ByteWriter w = feedbackWriter();
    remb.write(w);
    feedbackSize_ += w.size();
  }
  // Whether a report is due is known only by asking, so it is written aside first.
  const size_t prefix = 8 + 4 + sdesChunkSize(config_.cname);
  const size_t limit = std::min(arrivalScratch_.size(), config_.maxPacketSize - prefix);
  for (;;) {
    ByteWriter aside(arrivalScratch_);
    if (hub_.pollArrivalFeedback(aside, reportingSsrc(), limit) == 0 || !aside.ok()) break;
    if (config_.arrivalFeedback == ArrivalFeedback::Rfc8888) ++congestionFeedbackSent_;
    if (feedbackPacket_ && feedbackWriter().remaining() < aside.size()) flushFeedback();
    if (!openFeedback()) return;
    ByteWriter w = feedbackWriter();
    w.bytes(aside.written());
    feedbackSize_ += w.size();
  }
  flushFeedback();
}

void RtpSession::Impl::sendBye(std::span<const uint32_t> ssrcs) {
  if (!available_ || ssrcs.empty()) return;
  PacketBuf packet = environment_.pool.allocate();
  if (!packet) return;
  ByteWriter w(packet.writable().first(config_.maxPacketSize));
  rtcp::ReceiverReport report;
  report.senderSsrc = ssrcs.front();
  report.write(w);
  rtcp::SourceDescription sdes;
  sdes.chunks.push_back({report.senderSsrc, config_.cname});
  sdes.write(w);
  rtcp::Bye bye;
  for (const uint32_t ssrc : ssrcs) bye.ssrcs.push_back(ssrc);
  bye.write(w);
  if (w.ok()) finishRtcp(std::move(packet), w.size());
}

}  // namespace parley::media
