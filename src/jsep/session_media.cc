// What was negotiated, applied to the RTP session, and what the RTP session has to say.

#include <algorithm>
#include <utility>

#include "parley/jsep/session.h"

#include "jsep/media_mapping.h"

namespace parley::jsep {
namespace {

bool usesTransportCc(const MediaSettings& settings) {
  return extensionsOf(settings, false).has(rtp::ExtensionKind::TransportSequenceNumber) &&
         std::any_of(settings.receiveCodecs.begin(), settings.receiveCodecs.end(),
                     [](const auto& codec) { return codec.hasFeedback("transport-cc"); });
}

/// RFC 8888 in place of it (section 6).
bool usesCongestionFeedback(const MediaSettings& settings) {
  return std::any_of(settings.receiveCodecs.begin(), settings.receiveCodecs.end(),
                     [](const auto& codec) { return codec.hasFeedback("ack", "ccfb"); });
}

std::optional<uint32_t> rtxSsrcOf(const MediaSettings& settings, uint32_t ssrc) {
  for (const sdp::SsrcGroup& group : settings.remoteSsrcGroups) {
    if (group.semantics == "FID" && group.ssrcs.size() == 2 && group.ssrcs[0] == ssrc)
      return group.ssrcs[1];
  }
  return std::nullopt;
}

/// The second of a pair repairs the first: RTX (RFC 4588 section 8.2) or FlexFEC (RFC 5956).
bool isRepairSsrc(const MediaSettings& settings, uint32_t ssrc) {
  return std::any_of(settings.remoteSsrcGroups.begin(), settings.remoteSsrcGroups.end(),
                     [&](const auto& group) {
                       return (group.semantics == "FID" || group.semantics == "FEC-FR") &&
                              group.ssrcs.size() == 2 && group.ssrcs[1] == ssrc;
                     });
}

}  // namespace

void Session::applyMedia(const MediaSectionChange& change, Timestamp now) {
  const TransceiverState* transceiver = state_.find(change.transceiver);
  if (!transceiver) return;
  rtpSession(now);
  updateRtpConfig(change.settings, now);
  Sender& sender = senders_[change.transceiver.value];
  sender.settings = change.settings;
  // A negotiation that was under way when the application stopped it does not bring it back.
  if (transceiver->stopping) sender.settings.send = sender.settings.receive = false;
  applySender(*transceiver, sender, now);
  applyReceiver(*transceiver, sender.settings, now);
}

/// A connection that carries data only has none: it would be a tenth of its memory.
media::RtpSession& Session::rtpSession(Timestamp now) {
  if (!rtp_) {
    rtp_ = std::make_unique<media::RtpSession>(environment_, rtpConfig_);
    rtp_->setNetworkAvailable(mediaAvailable_, now);
    rtp_->reportEstimates(estimatesWanted_);
  }
  transport_.expectMedia();
  return *rtp_;
}

void Session::updateRtpConfig(const MediaSettings& settings, Timestamp now) {
  media::RtpSessionConfig next = rtpConfig_;
  next.reducedSizeRtcp = next.reducedSizeRtcp || settings.rtcpReducedSize;
  if (usesCongestionFeedback(settings)) {
    next.arrivalFeedback = media::ArrivalFeedback::Rfc8888;
    next.peerReportsRfc8888 = true;
  } else if (usesTransportCc(settings) && !next.peerReportsRfc8888) {
    next.arrivalFeedback = media::ArrivalFeedback::TransportWide;
  }
  if (next.reducedSizeRtcp == rtpConfig_.reducedSizeRtcp &&
      next.peerReportsRfc8888 == rtpConfig_.peerReportsRfc8888 &&
      next.arrivalFeedback == rtpConfig_.arrivalFeedback)
    return;
  rtpConfig_ = next;
  rtp_->reconfigure(rtpConfig_, now);
}

void Session::applyReceiver(const TransceiverState& transceiver, const MediaSettings& settings,
                            Timestamp now) {
  ReceiverConfigured event{transceiver.id.value, kindOf(transceiver), {}, settings.receive};
  const media::ReceiverId id(transceiver.id.value);
  if (!settings.receive) {
    keepReceiveStats(transceiver.id.value);
    rtp_->removeReceiver(id, now);
    events_.push(std::move(event));
    return;
  }
  media::ReceiveConfig config;
  config.id = id;
  config.mid = settings.mid;
  config.kind = event.kind;
  for (const sdp::CodecParams& codec : settings.receiveCodecs) {
    if (codec.is("rtx")) continue;
    if (!codec.isAuxiliary()) event.codecs.push_back(codec);
    media::ReceiveCodec entry;
    entry.payloadType = codec.payloadType;
    entry.name = codec.name;
    entry.clockRate = codec.clockRate;
    entry.channels = codec.channels;
    entry.rtxPayloadType = rtxOf(settings.receiveCodecs, codec.payloadType);
    entry.nack = codec.hasFeedback("nack");
    entry.pli = codec.hasFeedback("nack", "pli");
    entry.fir = codec.hasFeedback("ccm", "fir");
    config.codecs.push_back(std::move(entry));
  }
  for (const sdp::SsrcDescription& source : settings.remoteSsrcs) {
    if (!isRepairSsrc(settings, source.ssrc)) {
      config.sources.push_back({source.ssrc, rtxSsrcOf(settings, source.ssrc)});
    }
  }
  config.extensions = extensionsOf(settings, false);
  config.handsOnPackets = handsOnPackets_.contains(transceiver.id.value);
  if (!transceiver.negotiated.receiver.streams.empty()) {
    config.syncGroup = transceiver.negotiated.receiver.streams.front();
  }
  rtp_->setReceiver(config, now);
  if (const auto delay = playoutDelays_.find(transceiver.id.value); delay != playoutDelays_.end())
    rtp_->setMinimumPlayoutDelay(id, delay->second);
  events_.push(std::move(event));
}

void Session::removeMedia(const std::vector<TransceiverId>& transceivers, Timestamp now) {
  for (TransceiverId id : transceivers) {
    const auto it = senders_.find(id.value);
    if (it != senders_.end()) {
      for (const Sender::Stream& stream : it->second.streams)
        rtp_->removeSendStream(stream.id, now);
      senders_.erase(it);
    }
    if (rtp_) rtp_->removeReceiver(media::ReceiverId(id.value), now);
    std::erase_if(pausedStats_, [id](const auto& s) { return s.receiver.value == id.value; });
    earlyMedia_.erase(id.value);
  }
}

void Session::keepReceiveStats(uint32_t transceiver) {
  constexpr size_t kMaxKept = 64;
  std::vector<media::InboundStats> all;
  receiveStats(all);
  std::erase_if(pausedStats_, [&](const auto& kept) { return kept.receiver.value == transceiver; });
  for (media::InboundStats& stats : all) {
    if (stats.receiver.value != transceiver) continue;
    if (pausedStats_.size() == kMaxKept) pausedStats_.erase(pausedStats_.begin());
    pausedStats_.push_back(std::move(stats));
  }
}

void Session::receiveStats(std::vector<media::InboundStats>& out) const {
  if (!rtp_) return;
  rtp_->receiveStats(out);
  const size_t present = out.size();
  for (const media::InboundStats& kept : pausedStats_) {
    const auto same = std::find_if(out.begin(), out.begin() + static_cast<long>(present),
                                   [&](const media::InboundStats& s) {
                                     return s.ssrc == kept.ssrc && s.receiver == kept.receiver;
                                   });
    if (same == out.begin() + static_cast<long>(present)) {
      out.push_back(kept);
    } else {
      *same += kept;
    }
  }
}

void Session::setMinimumPlayoutDelay(uint32_t transceiver, Duration delay) {
  playoutDelays_[transceiver] = delay;
  if (rtp_) rtp_->setMinimumPlayoutDelay(media::ReceiverId(transceiver), delay);
}

bool Session::canSendTone(uint32_t transceiver) const {
  const auto stream = sendStream(transceiver);
  const media::SendStreamConfig* config = stream && rtp_ ? rtp_->sendStream(*stream) : nullptr;
  return config && config->active && config->eventPayloadType;
}

void Session::sendTone(uint32_t transceiver, uint8_t event, Duration duration, Timestamp now) {
  now = clock_.clamp(now);
  const auto stream = sendStream(transceiver);
  if (stream && !closed_) (void)rtp_->sendTone(*stream, event, duration, now);
  pumpMedia(now);
}

void Session::requestKeyFrame(uint32_t transceiver, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_ || !rtp_) return;
  rtp_->requestKeyFrame(media::ReceiverId(transceiver), now);
  pumpMedia(now);
}

void Session::decoderLostState(uint32_t transceiver, Timestamp now) {
  now = clock_.clamp(now);
  if (closed_ || !rtp_) return;
  rtp_->decoderLostState(media::ReceiverId(transceiver), now);
  pumpMedia(now);
}

void Session::reportEstimates(bool wanted) {
  estimatesWanted_ = wanted;
  if (rtp_) rtp_->reportEstimates(wanted);
}

void Session::onDtlsForMedia(Timestamp now) {
  onPathForMedia(now);
}

// What congestion control has learnt belongs to a way through the network, and that is told by its
// two ends: with other ports only (a NAT that forgot a binding, an ICE restart) it is the same one.
void Session::onPathForMedia(Timestamp now) {
  if (const ice::SendPath* path = transport_.agent().sendPath()) {
    const MediaRoute route{path->local, path->remote.ip};
    const bool changed = mediaRoute_ && *mediaRoute_ != route;
    const std::optional<DataRate> known = changed ? leaveRoute(route, now) : std::nullopt;
    mediaRoute_ = route;
    if (changed && rtp_) rtp_->onRouteChange(now, known);
  }
  const bool available = transport_.readyForMedia();
  if (available != std::exchange(mediaAvailable_, available) && rtp_)
    rtp_->setNetworkAvailable(available, now);
}

/// Remembers what was found on the route left now, and tells what is known of the next one: a path
/// that was in use a moment ago is not met as a stranger.
std::optional<DataRate> Session::leaveRoute(const MediaRoute& next, Timestamp now) {
  constexpr size_t kRoutes = 4;
  constexpr Duration kMemory = Duration::seconds(60);
  constexpr double kCaution = 0.7;
  std::erase_if(formerRoutes_, [&](const RouteMemory& r) {
    return r.route == *mediaRoute_ || now - r.left > kMemory;
  });
  if (rtp_) {
    const media::BandwidthStats found = rtp_->bandwidth();
    if (!found.estimator.acknowledged.isZero()) {
      if (formerRoutes_.size() == kRoutes) formerRoutes_.erase(formerRoutes_.begin());
      formerRoutes_.push_back({*mediaRoute_, found.estimate, now});
    }
  }
  for (const RouteMemory& r : formerRoutes_) {
    if (r.route == next) return r.estimate * kCaution;
  }
  return std::nullopt;
}

void Session::shareWithData(Timestamp now) {
  constexpr Duration kInterval = Duration::millis(10);
  // The estimate counts media packets without the layers below; SCTP's are a little thicker.
  constexpr double kThickness = 0.95;
  if (!rtp_ || !transport_.sctpEnabled()) return;
  sctp::DataChannels& channels = transport_.dataChannels();
  const bool waiting = channels.hasWaiting();
  if (waiting == dataShare_.waiting && now - dataShare_.told < kInterval) return;
  const sctp::AssociationStats stats = channels.associationStats();
  const uint64_t acked = stats.bytesSent - std::min<uint64_t>(stats.bytesSent, stats.bytesInFlight);
  if (waiting || dataShare_.waiting || stats.bytesInFlight > 0) {
    // A new association counts from zero.
    const uint64_t sent = stats.bytesSent - std::min(stats.bytesSent, dataShare_.sent);
    const uint64_t arrived = acked - std::min(acked, dataShare_.acked);
    rtp_->onDataTransfer(static_cast<int64_t>(sent), static_cast<int64_t>(arrived), waiting, now);
  }
  dataShare_.sent = stats.bytesSent;
  dataShare_.acked = acked;
  dataShare_.waiting = waiting;
  dataShare_.told = now;
  const DataRate rate = rtp_->dataRate(now);
  const DataRate limit = rate.isInfinite() ? rate : rate * kThickness;
  if (limit != dataShare_.limit) channels.setRateLimit(limit);
  dataShare_.limit = limit;
}

void Session::advanceMedia(Timestamp now) {
  if (rtp_) rtp_->advance(now);
}

Timestamp Session::mediaDeadline() const {
  return rtp_ ? rtp_->nextDeadline() : Timestamp::never();
}

// webrtc-pc section 5.3 and mediacapture-streams section 4.3.1: a peer that says good-bye to the
// last source of a track mutes it.
void Session::onSourceEnded(media::ReceiverId receiver) {
  const TransceiverState* transceiver = state_.find(TransceiverId(receiver.value));
  if (!transceiver || !transceiver->negotiated.receiver.announced) return;
  std::vector<media::InboundStats> heard;
  rtp_->receiveStats(heard);
  const bool another = std::any_of(heard.begin(), heard.end(),
                                   [&](const auto& stream) { return stream.receiver == receiver; });
  if (!another) events_.push(TrackRemoved{receiver.value});
}

void Session::onRtpEvent(const media::RtpEvent& event) {
  if (const auto* key = std::get_if<media::KeyFrameRequested>(&event)) {
    if (auto of = encodingOf(key->stream))
      events_.push(KeyFrameRequested{of->transceiver, std::move(of->rid)});
  } else if (const auto* target = std::get_if<media::TargetBitrateChanged>(&event)) {
    if (auto of = encodingOf(target->stream)) {
      events_.push(
          TargetBitrate{of->transceiver, target->rate, target->lossFraction, std::move(of->rid)});
    }
  } else if (const auto* estimate = std::get_if<media::EstimateChanged>(&event)) {
    events_.push(EstimateChanged{estimate->estimate});
  } else if (const auto* source = std::get_if<media::SourceEvent>(&event)) {
    if (source->kind == media::SourceEvent::Kind::Ended) {
      transport_.releaseSource(source->ssrc);
      if (source->rtxSsrc) transport_.releaseSource(*source->rtxSsrc);
      if (source->fecSsrc) transport_.releaseSource(*source->fecSsrc);
      onSourceEnded(source->receiver);
      return;
    }
    const uint32_t id = source->receiver.value;
    const TransceiverState* transceiver = state_.find(TransceiverId(id));
    if (!transceiver) return;
    if (transceiver->negotiated.receiver.announced) {
      events_.push(TrackUnmuted{id});
    } else {
      earlyMedia_.insert(id);
    }
  }
}

void Session::pumpMedia(Timestamp now) {
  transport::RtpPacket packet;
  while (transport_.pollRtp(packet)) {
    if (!rtp_ && state_.transceivers.empty()) continue;
    rtpSession(now);
    if (packet.isRtcp) {
      rtp_->handleRtcp(packet.data.span(), now);
    } else {
      rtp_->handleRtp(std::move(packet.data), now, packet.ecn);
    }
  }
  if (!rtp_) return;
  if (!closed_) shareWithData(now);
  media::OutgoingPacket out;
  while (rtp_->pollTransmit(out))
    transport_.sendRtp(std::move(out.data), out.isRtcp, out.txClass, out.dscp, out.ecn);
  if (closed_) return;
  media::RtpEvent event;
  while (rtp_->pollEvent(event)) onRtpEvent(event);
  if (!frameWaits_) frameWaits_ = rtp_->pollFrame(nextFrame_);
  if (!audioWaits_) audioWaits_ = rtp_->pollAudio(nextAudio_);
  if (!packetWaits_) packetWaits_ = rtp_->pollPacket(nextPacket_);
  if (!missingWaits_) missingWaits_ = rtp_->pollMissing(nextMissing_);
}

bool Session::pollFrame(media::ReceivedFrame& out) {
  if (!std::exchange(frameWaits_, false)) return rtp_ && rtp_->pollFrame(out);
  std::swap(out, nextFrame_);
  return true;
}

bool Session::pollAudio(media::AudioPlayoutUnit& out) {
  if (!std::exchange(audioWaits_, false)) return rtp_ && rtp_->pollAudio(out);
  std::swap(out, nextAudio_);
  return true;
}

bool Session::mediaWaits() const {
  return frameWaits_ || audioWaits_ || packetWaits_ || missingWaits_;
}

void Session::closeMedia(Timestamp now) {
  if (rtp_) rtp_->close(now);
  pumpMedia(now);
  frameWaits_ = audioWaits_ = packetWaits_ = missingWaits_ = false;
}

}  // namespace parley::jsep
