// MediaStreamTrack with its sources and sinks.

#include <algorithm>
#include <mutex>

#include "fields.h"

namespace parley::binding {
namespace {

using Track = MediaStreamTrack;

Track trackFakeVideo(const Context& context, int width, int height, double fps) {
  return Track::createVideo(context.loop(), createTestPatternSource(width, height, fps));
}
Track trackFakeAudio(const Context& context, double hz) {
  return Track::createAudio(context.loop(), createToneSource(hz));
}
Track trackVideo(const Context& context) {
  return Track::createVideo(context.loop());
}
Track trackAudio(const Context& context) {
  return Track::createAudio(context.loop());
}
MediaKind trackKind(const Context&, Track track) {
  return track.kind();
}
std::string trackId(const Context&, Track track) {
  return track.id();
}
bool trackEnabled(const Context&, Track track) {
  return track.enabled();
}
void trackSetEnabled(const Context&, Track track, bool enabled) {
  track.setEnabled(enabled);
}
bool trackMuted(const Context&, Track track) {
  return track.muted();
}
TrackState trackState(const Context&, Track track) {
  return track.readyState();
}
void trackStop(const Context&, Track track) {
  track.stop();
}
Track trackClone(const Context&, Track track) {
  return track.clone();
}
std::string trackContentHint(const Context&, Track track) {
  return track.contentHint();
}
void trackSetContentHint(const Context&, Track track, std::string hint) {
  track.setContentHint(hint);
}
void trackListen(const Context&, Track track, JsFunction emit) {
  track.onMute([emit] { emit("mute"); });
  track.onUnmute([emit] { emit("unmute"); });
  track.onEnded([emit] { emit("ended"); });
}

// A planar picture of 4:2:0, tightly packed.
Result<void> trackPushVideo(const Context& context, Track track, int width, int height,
                            Bytes data) {
  if (width < 1 || height < 1 || width > 16384 || height > 16384)
    return fail(ErrorCode::Range, "a picture's sides are 1 to 16384 long");
  const auto buffer = codec::I420Buffer::create(width, height);
  const size_t luma = static_cast<size_t>(width) * static_cast<size_t>(height);
  const size_t chroma =
      static_cast<size_t>(buffer->chromaWidth()) * static_cast<size_t>(buffer->chromaHeight());
  if (data.size() < luma + 2 * chroma)
    return fail(ErrorCode::Type, "the picture has too few bytes for its size in I420");
  buffer->copyFrom(data.data(), width, data.data() + luma, buffer->chromaWidth(),
                   data.data() + luma + chroma, buffer->chromaWidth());
  codec::VideoFrame frame;
  frame.buffer = buffer;
  frame.capture = context.loop()->now();
  return track.push(frame);
}

/// 16-bit samples, interleaved; pushed in pieces of 10 ms.
Result<void> trackPushAudio(const Context& context, Track track, int sampleRate, uint32_t channels,
                            Bytes data) {
  codec::AudioFrame frame;
  frame.sampleRate = sampleRate;
  frame.channels = channels;
  if (!frame.valid()) return fail(ErrorCode::Type, "sound is 8, 16, 24 or 48 kHz, 1 or 2 channels");
  frame.capture = context.loop()->now();
  const std::span<int16_t> samples = frame.samples();
  for (size_t at = 0; at + samples.size_bytes() <= data.size(); at += samples.size_bytes()) {
    std::memcpy(samples.data(), data.data() + at, samples.size_bytes());
    if (Result<void> pushed = track.push(frame); !pushed) return pushed;
    frame.capture += Duration::millis(10);
  }
  return ok();
}

/// Between a media thread and Node's: only the newest few frames wait.
template <class Frame>
class Mailbox : public std::enable_shared_from_this<Mailbox<Frame>> {
 public:
  Mailbox(std::weak_ptr<Loop> loop, std::function<void(const Frame&)> deliver)
      : loop_(std::move(loop)), deliver_(std::move(deliver)) {}

  void put(const Frame& frame) {
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() >= kMaxWaiting) waiting_.erase(waiting_.begin());
      waiting_.push_back(frame);
      if (waiting_.size() > 1) return;
    }
    if (const auto loop = loop_.lock()) {
      loop->post([self = this->shared_from_this()] { self->take(); });
    }
  }

 private:
  static constexpr size_t kMaxWaiting = 10;
  void take() {
    std::vector<Frame> frames;
    {
      const std::lock_guard lock(mutex_);
      frames.swap(waiting_);
    }
    for (const Frame& frame : frames) deliver_(frame);
  }

  std::weak_ptr<Loop> loop_;
  std::function<void(const Frame&)> deliver_;
  std::mutex mutex_;
  std::vector<Frame> waiting_;
};

Bytes packed(const codec::I420Buffer& picture) {
  Bytes out;
  const size_t luma = static_cast<size_t>(picture.width()) * static_cast<size_t>(picture.height());
  const size_t chroma =
      static_cast<size_t>(picture.chromaWidth()) * static_cast<size_t>(picture.chromaHeight());
  out.insert(out.end(), picture.dataY(), picture.dataY() + luma);
  out.insert(out.end(), picture.dataU(), picture.dataU() + chroma);
  out.insert(out.end(), picture.dataV(), picture.dataV() + chroma);
  return out;
}

/// sink(width, height, data, rtpTimestamp); nothing removes it.
void trackSetVideoSink(const Context& context, Track track, JsFunction sink) {
  if (!sink) return track.setVideoSink({});
  const auto mailbox = std::make_shared<Mailbox<codec::VideoFrame>>(
      context.loop(), [sink](const codec::VideoFrame& f) {
        if (f.buffer) sink(f.width(), f.height(), packed(*f.buffer), f.rtpTimestamp);
      });
  track.setVideoSink([mailbox](const codec::VideoFrame& frame) { mailbox->put(frame); });
}

/// sink(sampleRate, channels, samples).
void trackSetAudioSink(const Context& context, Track track, JsFunction sink) {
  if (!sink) return track.setAudioSink({});
  const auto mailbox = std::make_shared<Mailbox<codec::AudioFrame>>(
      context.loop(), [sink](const codec::AudioFrame& f) {
        const auto samples = f.samples();
        const auto* bytes = reinterpret_cast<const uint8_t*>(samples.data());
        sink(f.sampleRate, f.channels, Bytes(bytes, bytes + samples.size_bytes()));
      });
  track.setAudioSink([mailbox](const codec::AudioFrame& frame) { mailbox->put(frame); });
}

}  // namespace

void addMediaFunctions(napi_env env, napi_value exports) {
#define PARLEY_NODE_ADD(name) add<name>(env, exports, #name)
  PARLEY_NODE_ADD(trackFakeVideo);
  PARLEY_NODE_ADD(trackFakeAudio);
  PARLEY_NODE_ADD(trackVideo);
  PARLEY_NODE_ADD(trackAudio);
  PARLEY_NODE_ADD(trackKind);
  PARLEY_NODE_ADD(trackId);
  PARLEY_NODE_ADD(trackEnabled);
  PARLEY_NODE_ADD(trackSetEnabled);
  PARLEY_NODE_ADD(trackMuted);
  PARLEY_NODE_ADD(trackState);
  PARLEY_NODE_ADD(trackStop);
  PARLEY_NODE_ADD(trackClone);
  PARLEY_NODE_ADD(trackContentHint);
  PARLEY_NODE_ADD(trackSetContentHint);
  PARLEY_NODE_ADD(trackListen);
  PARLEY_NODE_ADD(trackPushVideo);
  PARLEY_NODE_ADD(trackPushAudio);
  PARLEY_NODE_ADD(trackSetVideoSink);
  PARLEY_NODE_ADD(trackSetAudioSink);
#undef PARLEY_NODE_ADD
}

}  // namespace parley::binding
