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

/// Where the sender has no other word of what arrives. What was agreed for any of the codecs
/// counts, for the estimate is of the path.
bool reportsRate(const MediaSettings& settings) {
  return !usesTransportCc(settings) && !usesCongestionFeedback(settings) &&
         std::any_of(settings.receiveCodecs.begin(), settings.receiveCodecs.end(),
                     [](const auto& codec) { return codec.hasFeedback("goog-remb"); });
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

/// A group of SSRCs as Chromium has written it since before rids, and servers still do: the source
/// in several sizes, the smallest first.
bool isLayerSsrc(const MediaSettings& settings, uint32_t ssrc) {
  return std::any_of(settings.remoteSsrcGroups.begin(), settings.remoteSsrcGroups.end(),
                     [&](const sdp::SsrcGroup& group) {
                       return group.semantics == "SIM" && group.ssrcs.size() > 1 &&
                              std::find(group.ssrcs.begin(), group.ssrcs.end(), ssrc) !=
                                  group.ssrcs.end();
                     });
}

}  // namespace

void Session::applyMedia(const MediaSectionChange& change, Timestamp now) {
  const TransceiverState* transceiver = state_.find(change.transceiver);
  if (!transceiver) return;
  Sender& sender = senders_[change.transceiver.value];
  if (Lane* to = lane(change.settings.transport))
    moveMedia(change.transceiver.value, sender, *to, now);
  if (!sender.lane) sender.lane = &first_;
  rtpSession(*sender.lane, now);
  updateRtpConfig(*sender.lane, change.settings, now);
  sender.settings = change.settings;
  // A negotiation that was under way when the application stopped it does not bring it back.
  if (transceiver->stopping) sender.settings.send = sender.settings.receive = false;
  applyHeaderEncryption(*sender.lane);
  applySender(*transceiver, sender, now);
  applyReceiver(*transceiver, *sender.lane, sender.settings, now);
}

/// The streams begin anew where the section has come to another transport.
void Session::moveMedia(uint32_t transceiver, Sender& sender, Lane& to, Timestamp now) {
  Lane* from = std::exchange(sender.lane, &to);
  if (!from || from == &to || !from->rtp) return;
  for (const Sender::Stream& stream : sender.streams) from->rtp->removeSendStream(stream.id, now);
  sender.streams.clear();
  keepReceiveStats(transceiver);
  from->rtp->removeReceiver(media::ReceiverId(transceiver), now);
}

/// One set of ids for all sections of a transport.
void Session::applyHeaderEncryption(Lane& lane) {
  const HeaderEncryptionPolicy policy = capabilities_.headerEncryption;
  srtp::HeaderEncryption outbound, inbound;
  // RFC 9335 section 4: who has offered it must be ready for it from then on.
  inbound.cryptex = policy != HeaderEncryptionPolicy::Disable;
  inbound.required = policy == HeaderEncryptionPolicy::Require;
  for (const auto& [id, sender] : senders_) {
    if (sender.lane != &lane) continue;
    outbound.cryptex = outbound.cryptex || sender.settings.cryptex;
    for (const NegotiatedExtension& extension : sender.settings.extensions) {
      if (!extension.encrypted || extension.id > 255) continue;
      if (extension.send) outbound.ids.set(extension.id);
      if (extension.receive) inbound.ids.set(extension.id);
    }
  }
  lane.transport.setHeaderEncryption(outbound, inbound);
}

/// A connection that carries data only has none: it would be a tenth of its memory.
media::RtpSession& Session::rtpSession(Lane& lane, Timestamp now) {
  if (!lane.rtp) {
    lane.rtp = std::make_unique<media::RtpSession>(environment_, lane.rtpConfig);
    lane.rtp->setNetworkAvailable(lane.mediaAvailable, now);
    lane.rtp->reportEstimates(estimatesWanted_);
  }
  lane.transport.expectMedia();
  return *lane.rtp;
}

void Session::updateRtpConfig(Lane& lane, const MediaSettings& settings, Timestamp now) {
  media::RtpSessionConfig next = lane.rtpConfig;
  next.reducedSizeRtcp = next.reducedSizeRtcp || settings.rtcpReducedSize;
  if (usesCongestionFeedback(settings)) {
    next.arrivalFeedback = media::ArrivalFeedback::Rfc8888;
    next.peerReportsRfc8888 = true;
  } else if (usesTransportCc(settings) && !next.peerReportsRfc8888) {
    next.arrivalFeedback = media::ArrivalFeedback::TransportWide;
  }
  if (next.reducedSizeRtcp == lane.rtpConfig.reducedSizeRtcp &&
      next.peerReportsRfc8888 == lane.rtpConfig.peerReportsRfc8888 &&
      next.arrivalFeedback == lane.rtpConfig.arrivalFeedback)
    return;
  lane.rtpConfig = next;
  lane.rtp->reconfigure(lane.rtpConfig, now);
}

void Session::applyReceiver(const TransceiverState& transceiver, Lane& lane,
                            const MediaSettings& settings, Timestamp now) {
  ReceiverConfigured event{transceiver.id.value, kindOf(transceiver), {}, settings.receive};
  const media::ReceiverId id(transceiver.id.value);
  if (!settings.receive) {
    keepReceiveStats(transceiver.id.value);
    lane.rtp->removeReceiver(id, now);
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
      config.sources.push_back(
          {source.ssrc, rtxSsrcOf(settings, source.ssrc), isLayerSsrc(settings, source.ssrc)});
    }
  }
  config.extensions = extensionsOf(settings, false);
  config.reportsRate = reportsRate(settings);
  const auto handedOn = handsOnPackets_.find(transceiver.id.value);
  config.handsOnPackets = handedOn != handsOnPackets_.end();
  if (config.handsOnPackets) config.repair = handedOn->second;
  if (!transceiver.negotiated.receiver.streams.empty()) {
    config.syncGroup = transceiver.negotiated.receiver.streams.front();
  }
  lane.rtp->setReceiver(config, now);
  if (const auto delay = playoutDelays_.find(transceiver.id.value); delay != playoutDelays_.end())
    lane.rtp->setMinimumPlayoutDelay(id, delay->second);
  events_.push(std::move(event));
}

void Session::removeMedia(const std::vector<TransceiverId>& transceivers, Timestamp now) {
  for (TransceiverId id : transceivers) {
    Lane& of = laneOfMedia(id.value);
    const auto it = senders_.find(id.value);
    if (it != senders_.end()) {
      for (const Sender::Stream& stream : it->second.streams)
        of.rtp->removeSendStream(stream.id, now);
      senders_.erase(it);
    }
    if (of.rtp) of.rtp->removeReceiver(media::ReceiverId(id.value), now);
    std::erase_if(pausedStats_, [id](const auto& s) { return s.receiver.value == id.value; });
    earlyMedia_.erase(id.value);
    if (state_.find(id) != nullptr) continue;
    playoutDelays_.erase(id.value);
    handsOnPackets_.erase(id.value);
    takesPackets_.erase(id.value);
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
  if (first_.rtp) first_.rtp->receiveStats(out);
  for (const auto& side : sides_) {
    if (!side->rtp || side->ending) continue;
    std::vector<media::InboundStats> more;
    side->rtp->receiveStats(more);
    out.insert(out.end(), std::make_move_iterator(more.begin()),
               std::make_move_iterator(more.end()));
  }
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
  if (const auto& rtp = laneOfMedia(transceiver).rtp)
    rtp->setMinimumPlayoutDelay(media::ReceiverId(transceiver), delay);
}

bool Session::canSendTone(uint32_t transceiver) const {
  const auto stream = sendStream(transceiver);
  const auto sender = senders_.find(transceiver);
  const media::SendStreamConfig* config =
      stream ? sender->second.lane->rtp->sendStream(*stream) : nullptr;
  return config && config->active && config->eventPayloadType;
}

void Session::sendTone(uint32_t transceiver, uint8_t event, Duration duration, Timestamp now) {
  now = clock_.clamp(now);
  const auto stream = sendStream(transceiver);
  if (stream && !closed_)
    (void)laneOfMedia(transceiver).rtp->sendTone(*stream, event, duration, now);
  pumpMedia(now);
}

void Session::requestKeyFrame(uint32_t transceiver, Timestamp now) {
  now = clock_.clamp(now);
  const auto& rtp = laneOfMedia(transceiver).rtp;
  if (closed_ || !rtp) return;
  rtp->requestKeyFrame(media::ReceiverId(transceiver), now);
  pumpMedia(now);
}

void Session::decoderLostState(uint32_t transceiver, Timestamp now) {
  now = clock_.clamp(now);
  const auto& rtp = laneOfMedia(transceiver).rtp;
  if (closed_ || !rtp) return;
  rtp->decoderLostState(media::ReceiverId(transceiver), now);
  pumpMedia(now);
}

void Session::reportEstimates(bool wanted) {
  estimatesWanted_ = wanted;
  eachLane([&](Lane& each) {
    if (each.rtp) each.rtp->reportEstimates(wanted);
  });
}

// What congestion control has learnt belongs to a way through the network, and that is told by its
// two ends: with other ports only (a NAT that forgot a binding, an ICE restart) it is the same one.
void Session::onPathForMedia(Lane& lane, Timestamp now) {
  if (const ice::SendPath* path = lane.transport.agent().sendPath()) {
    const Lane::MediaRoute route{path->local, path->remote.ip};
    const bool changed = lane.mediaRoute && *lane.mediaRoute != route;
    const std::optional<DataRate> known = changed ? leaveRoute(lane, route, now) : std::nullopt;
    lane.mediaRoute = route;
    if (changed && lane.rtp) lane.rtp->onRouteChange(now, known);
  }
  const bool available = lane.transport.readyForMedia();
  if (available != std::exchange(lane.mediaAvailable, available) && lane.rtp)
    lane.rtp->setNetworkAvailable(available, now);
}

/// Remembers what was found on the route left now, and tells what is known of the next one: a path
/// that was in use a moment ago is not met as a stranger.
std::optional<DataRate> Session::leaveRoute(Lane& lane, const Lane::MediaRoute& next,
                                            Timestamp now) {
  constexpr size_t kRoutes = 4;
  constexpr Duration kMemory = Duration::seconds(60);
  constexpr double kCaution = 0.7;
  auto& former = lane.formerRoutes;
  std::erase_if(former, [&](const Lane::RouteMemory& r) {
    return r.route == *lane.mediaRoute || now - r.left > kMemory;
  });
  if (lane.rtp) {
    const media::BandwidthStats found = lane.rtp->bandwidth();
    if (!found.estimator.acknowledged.isZero()) {
      if (former.size() == kRoutes) former.erase(former.begin());
      former.push_back({*lane.mediaRoute, found.estimate, now});
    }
  }
  for (const Lane::RouteMemory& r : former) {
    if (r.route == next) return r.estimate * kCaution;
  }
  return std::nullopt;
}

void Session::shareWithData(Lane& lane, Timestamp now) {
  constexpr Duration kInterval = Duration::millis(10);
  // The estimate counts media packets without the layers below; SCTP's are a little thicker.
  constexpr double kThickness = 0.95;
  if (!lane.rtp || !lane.transport.sctpEnabled()) return;
  sctp::DataChannels& channels = lane.transport.dataChannels();
  Lane::DataShare& share = lane.dataShare;
  const bool waiting = channels.hasWaiting();
  if (waiting == share.waiting && now - share.told < kInterval) return;
  const sctp::AssociationStats stats = channels.associationStats();
  const uint64_t acked = stats.bytesSent - std::min<uint64_t>(stats.bytesSent, stats.bytesInFlight);
  if (waiting || share.waiting || stats.bytesInFlight > 0) {
    // A new association counts from zero.
    const uint64_t sent = stats.bytesSent - std::min(stats.bytesSent, share.sent);
    const uint64_t arrived = acked - std::min(acked, share.acked);
    lane.rtp->onDataTransfer(static_cast<int64_t>(sent), static_cast<int64_t>(arrived), waiting,
                             now);
  }
  share.sent = stats.bytesSent;
  share.acked = acked;
  share.waiting = waiting;
  share.told = now;
  const DataRate rate = lane.rtp->dataRate(now);
  const DataRate limit = rate.isInfinite() ? rate : rate * kThickness;
  if (limit != share.limit) channels.setRateLimit(limit);
  share.limit = limit;
}

// webrtc-pc section 5.3 and mediacapture-streams section 4.3.1: a peer that says good-bye to the
// last source of a track mutes it.
void Session::onSourceEnded(Lane& lane, media::ReceiverId receiver) {
  const TransceiverState* transceiver = state_.find(TransceiverId(receiver.value));
  if (!transceiver || !transceiver->negotiated.receiver.announced) return;
  std::vector<media::InboundStats> heard;
  lane.rtp->receiveStats(heard);
  const bool another = std::any_of(heard.begin(), heard.end(),
                                   [&](const auto& stream) { return stream.receiver == receiver; });
  if (!another) events_.push(TrackRemoved{receiver.value});
}

void Session::onRtpEvent(Lane& lane, const media::RtpEvent& event) {
  if (const auto* key = std::get_if<media::KeyFrameRequested>(&event)) {
    if (auto of = encodingOf(key->stream, lane.id))
      events_.push(KeyFrameRequested{of->transceiver, std::move(of->rid)});
  } else if (const auto* target = std::get_if<media::TargetBitrateChanged>(&event)) {
    if (auto of = encodingOf(target->stream, lane.id)) {
      events_.push(
          TargetBitrate{of->transceiver, target->rate, target->lossFraction, std::move(of->rid)});
    }
  } else if (const auto* estimate = std::get_if<media::EstimateChanged>(&event)) {
    events_.push(EstimateChanged{estimate->estimate});
  } else if (const auto* changed = std::get_if<media::SsrcChanged>(&event)) {
    onSsrcChanged(lane, changed->stream);
  } else if (const auto* tone = std::get_if<media::ToneEvent>(&event)) {
    events_.push(ToneReceived{*tone});
  } else if (const auto* stopped = std::get_if<media::SendStreamStopped>(&event)) {
    const media::SendStreamConfig* config = lane.rtp->sendStream(stopped->stream);
    if (auto of = encodingOf(stopped->stream, lane.id); of && config) {
      events_.push(
          SenderStopped{of->transceiver, config->mid, std::move(of->rid), stopped->reason});
    }
  } else if (const auto* source = std::get_if<media::SourceEvent>(&event)) {
    if (source->kind == media::SourceEvent::Kind::Ended) {
      lane.transport.releaseSource(source->ssrc);
      if (source->rtxSsrc) lane.transport.releaseSource(*source->rtxSsrc);
      if (source->fecSsrc) lane.transport.releaseSource(*source->fecSsrc);
      onSourceEnded(lane, source->receiver);
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
  eachLane([&](Lane& each) { pumpMedia(each, now); });
}

void Session::pumpMedia(Lane& lane, Timestamp now) {
  transport::RtpPacket packet;
  while (lane.transport.pollRtp(packet)) {
    if (lane.ending || (!lane.rtp && state_.transceivers.empty())) continue;
    rtpSession(lane, now);
    if (packet.isRtcp) {
      lane.rtp->handleRtcp(packet.data.span(), now);
    } else {
      lane.rtp->handleRtp(std::move(packet.data), now, packet.ecn);
    }
  }
  if (!lane.rtp || lane.ending) return;
  if (!closed_) shareWithData(lane, now);
  media::OutgoingPacket out;
  while (lane.rtp->pollTransmit(out))
    lane.transport.sendRtp(std::move(out.data), out.isRtcp, out.txClass, out.dscp, out.ecn);
  if (closed_) return;
  media::RtpEvent event;
  while (lane.rtp->pollEvent(event)) onRtpEvent(lane, event);
  if (!frameWaits_) frameWaits_ = lane.rtp->pollFrame(nextFrame_);
  if (!audioWaits_) audioWaits_ = lane.rtp->pollAudio(nextAudio_);
  if (!packetWaits_) packetWaits_ = lane.rtp->pollPacket(nextPacket_);
  if (!missingWaits_) {
    missingWaits_ = lane.rtp->pollMissing(nextMissing_);
    missingLane_ = lane.id;
  }
}

bool Session::pollFrame(media::ReceivedFrame& out) {
  if (std::exchange(frameWaits_, false)) {
    std::swap(out, nextFrame_);
    return true;
  }
  if (first_.rtp && first_.rtp->pollFrame(out)) return true;
  return std::any_of(sides_.begin(), sides_.end(),
                     [&](const auto& side) { return side->rtp && side->rtp->pollFrame(out); });
}

bool Session::pollAudio(media::AudioPlayoutUnit& out) {
  if (std::exchange(audioWaits_, false)) {
    std::swap(out, nextAudio_);
    return true;
  }
  if (first_.rtp && first_.rtp->pollAudio(out)) return true;
  return std::any_of(sides_.begin(), sides_.end(),
                     [&](const auto& side) { return side->rtp && side->rtp->pollAudio(out); });
}

bool Session::mediaWaits() const {
  return frameWaits_ || audioWaits_ || packetWaits_ || missingWaits_;
}

void Session::closeMedia(Timestamp now) {
  eachLane([&](Lane& each) {
    if (each.rtp && !each.ending) each.rtp->close(now);
  });
  pumpMedia(now);
  frameWaits_ = audioWaits_ = packetWaits_ = missingWaits_ = false;
}

}  // namespace parley::jsep
