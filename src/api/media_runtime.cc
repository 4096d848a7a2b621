#include "api/media_runtime.h"

#include <utility>
#include <vector>

#include "parley/codec/factories.h"

#include "api/loop_core.h"
#include "api/peer_connection_core.h"

namespace parley::api_internal {
namespace {

codec::FormatParameters toParameters(const sdp::CodecParams& codec) {
  codec::FormatParameters out;
  for (const sdp::FmtpParameter& parameter : codec.fmtp)
    out.emplace_back(parameter.key, parameter.value.value_or(""));
  return out;
}

codec::SdpVideoFormat toVideoFormat(const sdp::CodecParams& codec) {
  return {codec.name, toParameters(codec), {}};
}

codec::SdpAudioFormat toAudioFormat(const sdp::CodecParams& codec) {
  return {codec.name, static_cast<int>(codec.clockRate),
          codec.channels == 0 ? size_t{1} : size_t{codec.channels}, toParameters(codec)};
}

template <class Use, class... Args>
void useSession(PeerConnectionCore& pc, const Use& use, const Args&... args) {
  const LoopCore::Lock lock(pc.loop());
  if (pc.closed() || !pc.session()) return;
  const Timestamp now = pc.loop().now();
  use(*pc.session(), args..., now);
  pc.afterCall(now);
}

// Runs `use(session, args..., now)` under the lock if the connection still exists. The loop lives
// as long as a connection of it, so nothing else needs to be held.
template <class Use, class... Args>
void withSession(const std::weak_ptr<PeerConnectionCore>& weak, const Use& use,
                 const Args&... args) {
  const std::shared_ptr<PeerConnectionCore> pc = weak.lock();
  if (!pc) return;
  const LoopOptions& options = pc->loop().options();
  // An unlocked loop may be touched by its own thread only, so a worker hands a copy of its result
  // over.
  if (options.threading == Threading::Unlocked && options.mediaThreads == MediaThreads::Workers) {
    pc->loop().post([pc, use, args...] { useSession(*pc, use, args...); });
  } else {
    useSession(*pc, use, args...);
  }
}

void askForKeyFrame(const std::weak_ptr<PeerConnectionCore>& weak, uint32_t transceiver) {
  withSession(weak, [transceiver](jsep::Session& session, Timestamp now) {
    session.decoderLostState(transceiver, now);
  });
}

std::function<Timestamp()> clockOf(LoopCore& loop) {
  return [weak = loop.weak_from_this()] {
    const std::shared_ptr<LoopCore> alive = weak.lock();
    return alive ? alive->now() : Timestamp();
  };
}

}  // namespace

void MediaRuntime::apply(const RtpEncodingParameters& encoding, VideoSendPipe::Settings& settings) {
  settings.active = encoding.active;
  settings.maxBitrate = encoding.maxBitrate;
  settings.maxFramerate = encoding.maxFramerate;
  settings.scaleDownBy = encoding.scaleResolutionDownBy.value_or(1.0);
}

std::shared_ptr<FrameConsumer> MediaRuntime::Sender::consumerPtr() const {
  if (video) return video;
  return audio;
}

MediaRuntime::MediaRuntime(LoopCore& loop) : loop_(loop) {
  const bool runsInline = loop.options().mediaThreads == MediaThreads::Inline;
  videoEncodeWorker_ = std::make_shared<Worker>(runsInline);
  videoDecodeWorker_ = std::make_shared<Worker>(runsInline);
  audioWorker_ = std::make_shared<Worker>(runsInline);
}

MediaRuntime::~MediaRuntime() = default;

MediaRuntime::Sender& MediaRuntime::sender(PeerConnectionCore& pc, uint32_t transceiver,
                                           MediaKind kind) {
  Sender& out = senders_[{&pc, transceiver}];
  if (out.video || out.audio) return out;
  const std::weak_ptr<PeerConnectionCore> weak = pc.weak_from_this();
  if (kind == MediaKind::Video) {
    out.video = std::make_shared<VideoSendPipe>(
        pc.configuration().videoEncoders, videoEncodeWorker_,
        [weak, transceiver](const codec::EncodedVideoFrame& frame) {
          const auto send = [transceiver](jsep::Session& session, const auto& f, Timestamp now) {
            session.sendVideo(transceiver, f, now);
          };
          withSession(weak, send, frame);
        },
        clockOf(loop_));
    apply(pc.encoding(transceiver), out.settings);
  } else {
    out.audio = std::make_shared<AudioSendPipe>(
        pc.configuration().audioEncoders, audioWorker_,
        [weak, transceiver](const codec::EncodedAudioFrame& frame) {
          const auto send = [transceiver](jsep::Session& session, const auto& f, Timestamp now) {
            session.sendAudio(transceiver, f, now);
          };
          withSession(weak, send, frame);
        });
    out.audio->setActive(pc.encoding(transceiver).active);
  }
  return out;
}

void MediaRuntime::detach(Sender& sender) {
  if (sender.track && sender.consumerPtr())
    sender.track->removeConsumer(sender.consumerPtr().get());
}

void MediaRuntime::attachTrack(PeerConnectionCore& pc, uint32_t transceiver,
                               std::shared_ptr<TrackCore> track) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end() && !track) return;
  Sender& out = it != senders_.end() ? it->second : sender(pc, transceiver, track->kind);
  detach(out);
  out.track = std::move(track);
  if (!out.track) return;
  out.track->addConsumer(out.consumerPtr());
  // Another picture than the receiver has references for.
  requestKeyFrame(pc, transceiver);
}

void MediaRuntime::configureSender(PeerConnectionCore& pc, const jsep::SenderConfigured& config) {
  Sender& out = sender(pc, config.transceiver, config.kind);
  const auto stream = pc.session()->sendStream(config.transceiver);
  const media::RtpSession* rtp = pc.session()->rtp();
  const media::SendStreamConfig* sent = stream && rtp ? rtp->sendStream(*stream) : nullptr;
  const uint32_t ssrc = sent ? sent->ssrc : 0;
  const uint8_t payloadType = config.codec ? config.codec->payloadType : 0;
  if (out.video) {
    out.settings.format = config.codec ? toVideoFormat(*config.codec) : codec::SdpVideoFormat{};
    out.settings.ssrc = ssrc;
    out.settings.payloadType = payloadType;
    if (out.video->configure(out.settings)) tellKeyFrameNeeded(pc, out);
  } else {
    out.audio->configure(config.codec ? toAudioFormat(*config.codec) : codec::SdpAudioFormat{},
                         config.codec.has_value(), ssrc, payloadType);
  }
}

void MediaRuntime::setEncoding(PeerConnectionCore& pc, uint32_t transceiver,
                               const RtpEncodingParameters& encoding) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end()) return;
  Sender& out = it->second;
  if (out.audio) out.audio->setActive(encoding.active);
  if (!out.video) return;
  apply(encoding, out.settings);
  if (out.video->configure(out.settings)) tellKeyFrameNeeded(pc, out);
}

void MediaRuntime::stopSender(PeerConnectionCore& pc, uint32_t transceiver) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end()) return;
  detach(it->second);
  if (it->second.video) it->second.video->stop();
  if (it->second.audio) it->second.audio->stop();
  loop_.bury([gone = std::move(it->second)] {});  // with the app's transform
  senders_.erase(it);
}

void MediaRuntime::requestKeyFrame(PeerConnectionCore& pc, uint32_t transceiver) {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end() || !it->second.video) return;
  if (it->second.video->requestKeyFrame()) tellKeyFrameNeeded(pc, it->second);
}

void MediaRuntime::setSenderTransform(PeerConnectionCore& pc, uint32_t transceiver, MediaKind kind,
                                      AppTransform transform) {
  Sender& out = sender(pc, transceiver, kind);
  // What it captured may own handles of ours: it dies without the lock.
  loop_.bury([former = out.video ? out.video->setTransform(std::move(transform))
                                 : out.audio->setTransform(std::move(transform))] {});
}

void MediaRuntime::setReceiverTransform(PeerConnectionCore& pc, uint32_t transceiver,
                                        MediaKind kind, AppTransform transform) {
  Receiver& in = receiver(pc, transceiver, kind);
  loop_.bury([former = in.video ? in.video->setTransform(std::move(transform))
                                : in.audio->setTransform(std::move(transform))] {});
}

// The app's own encoder has to be told, outside the lock.
void MediaRuntime::tellKeyFrameNeeded(PeerConnectionCore& pc, const Sender& sender) {
  if (!sender.track || sender.track->encodedCodec.empty()) return;
  pc.queueTask([track = sender.track] { track->keyFrameNeeded(); });
}

void MediaRuntime::setTargetBitrate(PeerConnectionCore& pc, const jsep::TargetBitrate& target) {
  const auto it = senders_.find({&pc, target.transceiver});
  if (it == senders_.end()) return;
  if (it->second.audio) it->second.audio->setTargetRate(target.rate, target.lossFraction);
  if (!it->second.video) return;
  const bool resumes = it->second.video->setTargetRate(target.rate);
  if (it->second.track && !it->second.track->encodedCodec.empty()) {
    pc.queueTask([track = it->second.track, rate = target.rate] { track->targetBitrate(rate); });
  }
  if (resumes) tellKeyFrameNeeded(pc, it->second);
}

MediaRuntime::Receiver& MediaRuntime::receiver(PeerConnectionCore& pc, uint32_t transceiver,
                                               MediaKind kind) {
  Receiver& out = receivers_[{&pc, transceiver}];
  if (out.video || out.audio) return out;
  pc.ensureReceiver(transceiver, kind);
  const std::weak_ptr<PeerConnectionCore> weak = pc.weak_from_this();
  if (kind == MediaKind::Video) {
    out.video = std::make_shared<VideoReceivePipe>(
        pc.configuration().videoDecoders, videoDecodeWorker_, pc.receiverTrack(transceiver),
        [weak, transceiver] { askForKeyFrame(weak, transceiver); }, clockOf(loop_));
  } else {
    out.audio = std::make_shared<AudioReceivePipe>(pc.configuration().audioDecoders, audioWorker_,
                                                   pc.receiverTrack(transceiver), clockOf(loop_));
  }
  return out;
}

void MediaRuntime::configureReceiver(PeerConnectionCore& pc,
                                     const jsep::ReceiverConfigured& config) {
  Receiver& out = receiver(pc, config.transceiver, config.kind);
  if (out.video) {
    std::vector<codec::SdpVideoFormat> formats;
    for (const sdp::CodecParams& codec : config.codecs) formats.push_back(toVideoFormat(codec));
    out.video->configure(std::move(formats));
  } else {
    std::vector<codec::SdpAudioFormat> formats;
    for (const sdp::CodecParams& codec : config.codecs) formats.push_back(toAudioFormat(codec));
    out.audio->configure(std::move(formats));
  }
}

void MediaRuntime::stopReceiver(PeerConnectionCore& pc, uint32_t transceiver) {
  const auto it = receivers_.find({&pc, transceiver});
  if (it == receivers_.end()) return;
  if (it->second.video) it->second.video->stop();
  if (it->second.audio) it->second.audio->stop();
  loop_.bury([gone = std::move(it->second)] {});
  receivers_.erase(it);
}

void MediaRuntime::collect(PeerConnectionCore& pc, jsep::Session& session) {
  // In the inline mode decoding would run the app's sinks; it is queued as a task, which runs
  // unlocked.
  const bool asTask = loop_.options().mediaThreads == MediaThreads::Inline;
  bool asked = false;
  media::ReceivedFrame frame;
  while (session.pollFrame(frame)) {
    const auto it = receivers_.find({&pc, frame.receiver.value});
    if (it == receivers_.end() || !it->second.video) continue;
    if (asTask) {
      auto moved = std::make_shared<media::ReceivedFrame>(std::move(frame));
      pc.queueTask([pipe = it->second.video, moved, weak = pc.weak_from_this()] {
        const uint32_t transceiver = moved->receiver.value;
        if (pipe->push(std::move(*moved))) askForKeyFrame(weak, transceiver);
      });
    } else {
      const uint32_t transceiver = frame.receiver.value;
      if (it->second.video->push(std::move(frame))) {
        session.requestKeyFrame(transceiver, loop_.now());
        asked = true;
      }
    }
    frame = {};
  }
  if (asked) {
    session.pump(loop_.now());
    loop_.endpoint().touch(pc.sessionId(), loop_.now());
  }
  media::AudioPlayoutUnit unit;
  while (session.pollAudio(unit)) {
    const auto it = receivers_.find({&pc, unit.receiver.value});
    if (it == receivers_.end() || !it->second.audio) continue;
    if (asTask) {
      auto moved = std::make_shared<media::AudioPlayoutUnit>(std::move(unit));
      pc.queueTask([pipe = it->second.audio, moved] { pipe->push(std::move(*moved)); });
    } else {
      it->second.audio->push(std::move(unit));
    }
    unit = {};
  }
}

void MediaRuntime::forget(PeerConnectionCore& pc) {
  for (auto it = senders_.begin(); it != senders_.end();) {
    if (it->first.first != &pc) {
      ++it;
      continue;
    }
    detach(it->second);
    if (it->second.video) it->second.video->stop();
    if (it->second.audio) it->second.audio->stop();
    loop_.bury([gone = std::move(it->second)] {});
    it = senders_.erase(it);
  }
  for (auto it = receivers_.begin(); it != receivers_.end();) {
    if (it->first.first != &pc) {
      ++it;
      continue;
    }
    if (it->second.video) it->second.video->stop();
    if (it->second.audio) it->second.audio->stop();
    loop_.bury([gone = std::move(it->second)] {});
    it = receivers_.erase(it);
  }
}

std::optional<EncodeStats> MediaRuntime::encodeStats(const PeerConnectionCore& pc,
                                                     uint32_t transceiver) const {
  const auto it = senders_.find({&pc, transceiver});
  if (it == senders_.end()) return std::nullopt;
  return it->second.video ? it->second.video->stats() : it->second.audio->stats();
}

std::optional<DecodeStats> MediaRuntime::decodeStats(const PeerConnectionCore& pc,
                                                     uint32_t transceiver) const {
  const auto it = receivers_.find({&pc, transceiver});
  if (it == receivers_.end()) return std::nullopt;
  return it->second.video ? it->second.video->stats() : it->second.audio->stats();
}

}  // namespace parley::api_internal
