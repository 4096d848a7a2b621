#include "api/media_runtime.h"

#include <utility>
#include <vector>

#include "parley/codec/factories.h"

#include "api/media_plumbing.h"

namespace parley::api_internal {
namespace {

void askForKeyFrame(const std::weak_ptr<PeerConnectionCore>& weak, uint32_t transceiver,
                    bool lost = true) {
  withSession(weak, [transceiver, lost](jsep::Session& session, Timestamp now) {
    if (lost) {
      session.decoderLostState(transceiver, now);
    } else {
      session.requestKeyFrame(transceiver, now);
    }
  });
}

}  // namespace

MediaRuntime::MediaRuntime(LoopCore& loop) : loop_(loop) {
  const bool runsInline = loop.options().mediaThreads == MediaThreads::Inline;
  videoEncodeWorker_ = std::make_shared<Worker>(runsInline);
  videoDecodeWorker_ = std::make_shared<Worker>(runsInline);
  audioWorker_ = std::make_shared<Worker>(runsInline);
}

MediaRuntime::~MediaRuntime() = default;

MediaRuntime::Receiver& MediaRuntime::receiver(PeerConnectionCore& pc, uint32_t transceiver,
                                               MediaKind kind) {
  Receiver& out = receivers_[{&pc, transceiver}];
  if (out.video || out.audio) return out;
  pc.ensureReceiver(transceiver, kind);
  const std::weak_ptr<PeerConnectionCore> weak = pc.weak_from_this();
  if (kind == MediaKind::Video) {
    out.video = std::make_shared<VideoReceivePipe>(
        pc.configuration().videoDecoders, videoDecodeWorker_, pc.receiverTrack(transceiver),
        [weak, transceiver](bool lost) { askForKeyFrame(weak, transceiver, lost); },
        clockOf(loop_));
  } else {
    out.audio = std::make_shared<AudioReceivePipe>(pc.configuration().audioDecoders, audioWorker_,
                                                   pc.receiverTrack(transceiver), clockOf(loop_));
  }
  return out;
}

void MediaRuntime::setReceiverTransform(PeerConnectionCore& pc, uint32_t transceiver,
                                        MediaKind kind, AppTransform transform) {
  Receiver& in = receiver(pc, transceiver, kind);
  loop_.bury([former = in.video ? in.video->setTransform(std::move(transform))
                                : in.audio->setTransform(std::move(transform))] {});
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
    end(std::move(it->second));
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

std::optional<DecodeStats> MediaRuntime::decodeStats(const PeerConnectionCore& pc,
                                                     uint32_t transceiver) const {
  const auto it = receivers_.find({&pc, transceiver});
  if (it == receivers_.end()) return std::nullopt;
  return it->second.video ? it->second.video->stats() : it->second.audio->stats();
}

}  // namespace parley::api_internal
