// MediaRuntime: the sending half. A sender has one pipe with an encoder of its own for each of its
// encodings; the track feeds all of them.

#include <algorithm>
#include <utility>

#include "api/media_plumbing.h"
#include "api/media_runtime.h"

namespace parley::api_internal {
namespace {

std::vector<std::string> ridsOf(const std::vector<RtpEncodingParameters>& encodings) {
  std::vector<std::string> out;
  for (const RtpEncodingParameters& encoding : encodings) out.push_back(encoding.rid.value_or(""));
  return out;
}

void apply(const RtpEncodingParameters& encoding, VideoSendPipe::Settings& settings) {
  settings.active = encoding.active;
  settings.maxBitrate = encoding.maxBitrate;
  settings.maxFramerate = encoding.maxFramerate;
  settings.scaleDownBy = encoding.scaleResolutionDownBy.value_or(1.0);
  settings.scaleDownTo = encoding.scaleResolutionDownTo;
  settings.scalability = codec::parseScalabilityMode(encoding.scalabilityMode.value_or("L1T1"))
                             .value_or(codec::ScalabilityMode{});
}

std::optional<media::Degradation> degradationOf(std::optional<DegradationPreference> preference) {
  if (!preference) return std::nullopt;
  switch (*preference) {
    case DegradationPreference::MaintainFramerate:
      return media::Degradation::Resolution;
    case DegradationPreference::MaintainResolution:
      return media::Degradation::Framerate;
    case DegradationPreference::Balanced:
      return media::Degradation::Balanced;
    case DegradationPreference::MaintainFramerateAndResolution:
      break;
  }
  return media::Degradation::Nothing;
}

VideoSendPipe::RtpOutput rtpOutput(const std::weak_ptr<PeerConnectionCore>& weak,
                                   uint32_t transceiver, const std::string& rid) {
  return [weak, transceiver, rid](const RtpInput& packet) {
    const auto send = [transceiver, rid](jsep::Session& session, const auto& p, Timestamp now) {
      session.sendForeign(transceiver, p.foreign(), now, rid);
    };
    withSession(weak, send, packet);
  };
}

bool isEncoded(const std::shared_ptr<TrackCore>& track) {
  return track && !track->encodedCodec.empty();
}

}  // namespace

MediaRuntime::VideoLayer* MediaRuntime::Sender::find(const std::string& rid) {
  const auto it = std::find_if(video.begin(), video.end(),
                               [&](const VideoLayer& l) { return l.settings.rid == rid; });
  return it == video.end() ? nullptr : &*it;
}

MediaRuntime::Sender& MediaRuntime::sender(PeerConnectionCore& pc, uint32_t transceiver,
                                           MediaKind kind) {
  Sender& out = senders_[{&pc, transceiver}];
  if (!out.video.empty() || out.audio) return out;
  if (kind == MediaKind::Video) {
    out.degradation = degradationOf(pc.slots(transceiver)->degradation);
    const std::vector<RtpEncodingParameters>& encodings = pc.encodings(transceiver);
    setLayers(pc, transceiver, out, ridsOf(encodings));
    applyEncodings(pc, out, encodings);
    return out;
  }
  const std::weak_ptr<PeerConnectionCore> weak = pc.weak_from_this();
  out.audio = std::make_shared<AudioSendPipe>(
      pc.configuration().audioEncoders, audioWorker_,
      [weak, transceiver](const codec::EncodedAudioFrame& frame) {
        const auto send = [transceiver](jsep::Session& session, const auto& f, Timestamp now) {
          session.sendAudio(transceiver, f, now);
        };
        withSession(weak, send, frame);
      },
      rtpOutput(weak, transceiver, {}));
  out.audio->setActive(pc.encoding(transceiver).active);
  out.audio->setAdaptivePtime(pc.encoding(transceiver).adaptivePtime);
  return out;
}

MediaRuntime::VideoLayer MediaRuntime::makeLayer(PeerConnectionCore& pc, uint32_t transceiver,
                                                 const Sender& sender, const std::string& rid) {
  VideoLayer out;
  out.settings.rid = rid;
  out.settings.degradation = sender.degradation;
  const std::weak_ptr<PeerConnectionCore> weak = pc.weak_from_this();
  out.pipe = std::make_shared<VideoSendPipe>(
      pc.configuration().videoEncoders, videoEncodeWorker_,
      [weak, transceiver, rid](const codec::EncodedVideoFrame& frame) {
        const auto send = [transceiver, rid](jsep::Session& session, const auto& f, Timestamp now) {
          session.sendVideo(transceiver, f, now, rid);
        };
        withSession(weak, send, frame);
      },
      rtpOutput(weak, transceiver, rid), clockOf(loop_));
  (void)out.pipe->setTransform(sender.transform);
  if (sender.track) sender.track->addConsumer(out.pipe);
  return out;
}

void MediaRuntime::setLayers(PeerConnectionCore& pc, uint32_t transceiver, Sender& sender,
                             const std::vector<std::string>& rids) {
  const bool same = std::equal(
      rids.begin(), rids.end(), sender.video.begin(), sender.video.end(),
      [](const std::string& rid, const VideoLayer& layer) { return layer.settings.rid == rid; });
  if (same) return;
  std::vector<VideoLayer> next;
  for (const std::string& rid : rids) {
    VideoLayer* known = sender.find(rid);
    next.push_back(known ? std::move(*known) : makeLayer(pc, transceiver, sender, rid));
    next.back().settings.index = static_cast<uint8_t>(next.size() - 1);
  }
  for (VideoLayer& layer : sender.video) {
    if (!layer.pipe) continue;  // taken over
    if (sender.track) sender.track->removeConsumer(layer.pipe.get());
    layer.pipe->stop();
    loop_.bury([gone = std::move(layer.pipe)] {});
  }
  sender.video = std::move(next);
}

void MediaRuntime::applyEncodings(PeerConnectionCore& pc, Sender& sender,
                                  const std::vector<RtpEncodingParameters>& encodings) {
  bool resumes = false;
  // Of several layers it is the larger ones that give way, by not being sent (simulcast_rates.h).
  const auto active = std::count_if(encodings.begin(), encodings.end(),
                                    [](const auto& encoding) { return encoding.active; });
  for (size_t i = 0; i < encodings.size() && i < sender.video.size(); ++i) {
    apply(encodings[i], sender.video[i].settings);
    sender.video[i].settings.adapts = active <= 1;
    resumes = sender.video[i].pipe->configure(sender.video[i].settings) || resumes;
  }
  if (resumes) tellKeyFrameNeeded(pc, sender);
}

void MediaRuntime::attach(Sender& sender) {
  if (!sender.track) return;
  for (const VideoLayer& layer : sender.video) sender.track->addConsumer(layer.pipe);
  if (sender.audio) sender.track->addConsumer(sender.audio);
}

void MediaRuntime::detach(Sender& sender) {
  if (!sender.track) return;
  for (const VideoLayer& layer : sender.video) sender.track->removeConsumer(layer.pipe.get());
  if (sender.audio) sender.track->removeConsumer(sender.audio.get());
}

void MediaRuntime::end(Sender&& sender) {
  detach(sender);
  for (const VideoLayer& layer : sender.video) layer.pipe->stop();
  if (sender.audio) sender.audio->stop();
  loop_.bury([gone = std::move(sender)] {});
}

void MediaRuntime::attachTrack(PeerConnectionCore& pc, uint32_t transceiver,
                               std::shared_ptr<TrackCore> track) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end() && !track) return;
  Sender& out = it != senders_.end() ? it->second : sender(pc, transceiver, track->kind);
  detach(out);
  out.track = std::move(track);
  if (!out.track) return;
  attach(out);
  // Another picture than the receiver has references for.
  requestKeyFrame(pc, transceiver);
}

void MediaRuntime::configureSender(PeerConnectionCore& pc, const jsep::SenderConfigured& config) {
  Sender& out = sender(pc, config.transceiver, config.kind);
  if (out.audio) {
    const jsep::SenderConfigured::Encoding& encoding = config.encodings.front();
    AudioSendPipe::OnTheWire wire{encoding.ssrc,
                                  encoding.codec ? encoding.codec->payloadType : uint8_t{0},
                                  encoding.timestampOffset};
    const jsep::TransceiverState* state = pc.transceiver(config.transceiver);
    if (state && state->negotiated.media.maxPtime)
      wire.maxPacketTime = Duration::millis(*state->negotiated.media.maxPtime);
    out.audio->configure(encoding.codec ? toAudioFormat(*encoding.codec) : codec::SdpAudioFormat{},
                         encoding.codec.has_value(), wire);
    return;
  }
  std::vector<std::string> rids;
  for (const auto& encoding : config.encodings) rids.push_back(encoding.rid);
  setLayers(pc, config.transceiver, out, rids);
  bool resumes = false;
  for (size_t i = 0; i < config.encodings.size(); ++i) {
    const jsep::SenderConfigured::Encoding& encoding = config.encodings[i];
    VideoLayer& layer = out.video[i];
    layer.settings.format =
        encoding.codec ? toVideoFormat(*encoding.codec) : codec::SdpVideoFormat{};
    layer.settings.ssrc = encoding.ssrc;
    layer.settings.timestampOffset = encoding.timestampOffset;
    layer.settings.samplesPictures = encoding.samplesPictures;
    layer.settings.payloadType = encoding.codec ? encoding.codec->payloadType : uint8_t{0};
    resumes = layer.pipe->configure(layer.settings) || resumes;
  }
  if (resumes) tellKeyFrameNeeded(pc, out);
}

void MediaRuntime::setEncodings(PeerConnectionCore& pc, uint32_t transceiver,
                                const std::vector<RtpEncodingParameters>& encodings) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end()) return;
  Sender& out = it->second;
  if (out.audio) {
    out.audio->setAdaptivePtime(encodings.front().adaptivePtime);
    return out.audio->setActive(encodings.front().active);
  }
  setLayers(pc, transceiver, out, ridsOf(encodings));
  applyEncodings(pc, out, encodings);
}

void MediaRuntime::setDegradation(PeerConnectionCore& pc, uint32_t transceiver,
                                  std::optional<DegradationPreference> preference) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end()) return;
  it->second.degradation = degradationOf(preference);
  for (VideoLayer& layer : it->second.video) {
    layer.settings.degradation = it->second.degradation;
    (void)layer.pipe->configure(layer.settings);
  }
}

void MediaRuntime::stopSender(PeerConnectionCore& pc, uint32_t transceiver) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end()) return;
  end(std::move(it->second));
  senders_.erase(it);
}

void MediaRuntime::requestKeyFrame(PeerConnectionCore& pc, uint32_t transceiver,
                                   const std::optional<std::string>& rid) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end()) return;
  bool tell = false;
  for (const VideoLayer& layer : it->second.video) {
    if (!rid || layer.settings.rid == *rid) tell = layer.pipe->requestKeyFrame() || tell;
  }
  if (tell) tellKeyFrameNeeded(pc, it->second);
}

void MediaRuntime::setSenderTransform(PeerConnectionCore& pc, uint32_t transceiver, MediaKind kind,
                                      AppTransform transform) {
  Sender& out = sender(pc, transceiver, kind);
  // One for all layers: a counter in it (that of SFrame) must not run twice.
  TransformSlot::Held shared;
  if (transform) shared = std::make_shared<const AppTransform>(std::move(transform));
  // What the former one captured may own handles of ours: it dies without the lock.
  if (out.audio) loop_.bury([former = out.audio->setTransform(shared)] {});
  for (const VideoLayer& layer : out.video)
    loop_.bury([former = layer.pipe->setTransform(shared)] {});
  loop_.bury([former = std::exchange(out.transform, shared)] {});
}

Result<void> MediaRuntime::checkSenderOfPackets(const PeerConnectionCore& pc,
                                                uint32_t transceiver) const {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end() || !it->second.transform) return ok();
  return fail(ErrorCode::InvalidState,
              "the sender has a transform, which packets would pass by: remove it first");
}

Result<void> MediaRuntime::checkSenderTrack(const PeerConnectionCore& pc, uint32_t transceiver,
                                            const TrackCore* track) const {
  return track && track->rtp ? checkSenderOfPackets(pc, transceiver) : ok();
}

// The app's own encoder has to be told, outside the lock.
void MediaRuntime::tellKeyFrameNeeded(PeerConnectionCore& pc, const Sender& sender) {
  if (!isEncoded(sender.track)) return;
  pc.queueTask([track = sender.track] { track->keyFrameNeeded(); });
}

void MediaRuntime::setTargetBitrate(PeerConnectionCore& pc, const jsep::TargetBitrate& target) {
  const auto it = senders_.find({&pc, target.transceiver});
  if (it == senders_.end()) return;
  Sender& out = it->second;
  if (out.audio) return out.audio->setTargetRate(target.rate, target.lossFraction);
  VideoLayer* layer = out.find(target.rid);
  if (!layer) return;
  layer->rate = target.rate;
  const bool resumes = layer->pipe->setTargetRate(target.rate);
  DataRate total;
  for (const VideoLayer& l : out.video) total = total + l.rate;
  for (const VideoLayer& l : out.video) l.pipe->setStarved(l.rate.isZero() && !total.isZero());
  if (isEncoded(out.track)) {
    pc.queueTask([track = out.track, total] { track->targetBitrate(total); });
  }
  if (resumes) tellKeyFrameNeeded(pc, out);
}

std::optional<EncodeStats> MediaRuntime::encodeStats(const PeerConnectionCore& pc,
                                                     uint32_t transceiver,
                                                     const std::string& rid) const {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end()) return std::nullopt;
  if (it->second.audio) return it->second.audio->stats();
  for (const VideoLayer& layer : it->second.video) {
    if (layer.settings.rid == rid) return layer.pipe->stats();
  }
  return std::nullopt;
}

}  // namespace parley::api_internal
