#include "parley/api/media_track.h"

#include <utility>

#include "parley/codec/generators.h"

#include "api/loop_core.h"
#include "api/track_core.h"

namespace parley {

using api_internal::LoopCore;
using api_internal::TrackCore;

namespace {

constexpr Duration kAudioInterval = Duration::millis(10);

// Runs a source on the loop's time as long as its track lives.
template <class Source>
class SourceDriver final : public api_internal::TimedSource {
 public:
  SourceDriver(std::shared_ptr<api_internal::TrackFamily> tracks, std::shared_ptr<Source> source)
      : tracks_(std::move(tracks)), source_(std::move(source)) {}

  Timestamp run(Timestamp now) override {
    const std::shared_ptr<TrackCore> track = tracks_->anyAlive();
    if (!track) return Timestamp::never();
    // After a stall the missed frames are not made up for: a burst would help nobody.
    if (now - due_ > Duration::millis(500)) due_ = now;
    if constexpr (std::is_same_v<Source, VideoSource>) {
      track->push(source_->next(due_));
      due_ += source_->interval();
    } else {
      track->push(source_->next(due_));
      due_ += kAudioInterval;
    }
    return due_;
  }

 private:
  const std::shared_ptr<api_internal::TrackFamily> tracks_;
  std::shared_ptr<Source> source_;
  Timestamp due_;
};

template <class Source>
void drive(const std::shared_ptr<Loop>& loop, const std::shared_ptr<TrackCore>& track,
           std::shared_ptr<Source> source) {
  LoopCore& core = loop->core();
  {
    const LoopCore::Lock lock(core);
    core.addSource(std::make_shared<SourceDriver<Source>>(track->family(), std::move(source)),
                   core.now());
  }
  core.wake();
}

class TestPatternSource final : public VideoSource {
 public:
  TestPatternSource(int width, int height, double fps)
      : pattern_(width, height), interval_(Duration::fromSeconds(1.0 / fps)) {}
  codec::VideoFrame next(Timestamp capture) override { return pattern_.next(capture); }
  Duration interval() const override { return interval_; }

 private:
  codec::TestPattern pattern_;
  Duration interval_;
};

template <class Generator>
class GeneratedAudio final : public AudioSource {
 public:
  template <class... Args>
  explicit GeneratedAudio(Args... args) : generator_(args...) {}
  codec::AudioFrame next(Timestamp capture) override { return generator_.next(capture); }

 private:
  Generator generator_;
};

}  // namespace

std::shared_ptr<VideoSource> createTestPatternSource(int width, int height, double fps) {
  return std::make_shared<TestPatternSource>(width, height, fps);
}
std::shared_ptr<AudioSource> createToneSource(double frequencyHz, double amplitude) {
  return std::make_shared<GeneratedAudio<codec::ToneSource>>(frequencyHz, amplitude);
}
std::shared_ptr<AudioSource> createSpeechNoiseSource() {
  return std::make_shared<GeneratedAudio<codec::SpeechNoiseSource>>();
}

namespace {

MediaStreamTrack createLocal(const std::shared_ptr<Loop>& loop, MediaKind kind) {
  if (!loop) return {};
  return MediaStreamTrack(TrackCore::createLocal(loop->core().shared_from_this(), kind));
}

}  // namespace

MediaStreamTrack MediaStreamTrack::createVideo(const std::shared_ptr<Loop>& loop) {
  return createLocal(loop, MediaKind::Video);
}
MediaStreamTrack MediaStreamTrack::createAudio(const std::shared_ptr<Loop>& loop) {
  return createLocal(loop, MediaKind::Audio);
}
MediaStreamTrack MediaStreamTrack::createVideo(const std::shared_ptr<Loop>& loop,
                                               std::shared_ptr<VideoSource> source) {
  if (!loop || !source) return {};
  MediaStreamTrack track = createVideo(loop);
  drive(loop, track.core(), std::move(source));
  return track;
}
MediaStreamTrack MediaStreamTrack::createAudio(const std::shared_ptr<Loop>& loop,
                                               std::shared_ptr<AudioSource> source) {
  if (!loop || !source) return {};
  MediaStreamTrack track = createAudio(loop);
  drive(loop, track.core(), std::move(source));
  return track;
}
MediaStreamTrack MediaStreamTrack::createEncodedVideo(const std::shared_ptr<Loop>& loop,
                                                      std::string codecName) {
  MediaStreamTrack track = createVideo(loop);
  if (track) track.core()->encodedCodec = std::move(codecName);
  return track;
}

MediaStreamTrack MediaStreamTrack::createEncodedAudio(const std::shared_ptr<Loop>& loop,
                                                      std::string codecName) {
  MediaStreamTrack track = createAudio(loop);
  if (track) track.core()->encodedCodec = std::move(codecName);
  return track;
}

MediaStreamTrack MediaStreamTrack::createRtp(const std::shared_ptr<Loop>& loop, RtpTrackInit init) {
  MediaStreamTrack track = init.kind == MediaKind::Video ? createVideo(loop) : createAudio(loop);
  if (!track) return track;
  track.core()->encodedCodec = init.codec;
  track.core()->rtp = std::make_shared<const RtpTrackInit>(std::move(init));
  return track;
}

MediaKind MediaStreamTrack::kind() const {
  return core_->kind;
}
const std::string& MediaStreamTrack::id() const {
  return core_->id;
}
bool MediaStreamTrack::enabled() const {
  return core_->enabled();
}
void MediaStreamTrack::setEnabled(bool enabled) {
  core_->setEnabled(enabled);
}
bool MediaStreamTrack::muted() const {
  return core_->muted();
}
TrackState MediaStreamTrack::readyState() const {
  return core_->state();
}
void MediaStreamTrack::stop() {
  core_->markEnded();
}
MediaStreamTrack MediaStreamTrack::clone() const {
  return MediaStreamTrack(core_->clone());
}
std::string MediaStreamTrack::contentHint() const {
  return core_->contentHint();
}
void MediaStreamTrack::setContentHint(std::string_view hint) {
  core_->setContentHint(hint);
}

namespace {

/// Of packets that come as payloads.
uint8_t payloadTypeOf(const RtpTrackInit& init) {
  if (init.payloadType) return *init.payloadType;
  return init.eventPayloadType == 96 ? uint8_t{97} : uint8_t{96};
}

template <class Frame>
Result<void> pushTo(TrackCore& core, const Frame& frame, MediaKind kind) {
  if (core.kind != kind) return fail(ErrorCode::Type, "the track is of the other kind");
  if (core.remote) return fail(ErrorCode::InvalidAccess, "a remote track is fed by the network");
  if (!core.reachesAnyone()) return fail(ErrorCode::InvalidState, "the track has ended");
  core.push(frame);
  return ok();
}

}  // namespace

Result<void> MediaStreamTrack::push(const codec::VideoFrame& frame) {
  if (!core_->encodedCodec.empty())
    return fail(ErrorCode::Type, "this track takes compressed frames only");
  return pushTo(*core_, frame, MediaKind::Video);
}
Result<void> MediaStreamTrack::push(const codec::AudioFrame& frame) {
  if (!core_->encodedCodec.empty())
    return fail(ErrorCode::Type, "this track takes compressed frames only");
  return pushTo(*core_, frame, MediaKind::Audio);
}
Result<void> MediaStreamTrack::push(const codec::EncodedVideoFrame& frame) {
  if (core_->encodedCodec.empty() || core_->rtp) {
    return fail(ErrorCode::Type, "make the track with createEncodedVideo to push such frames");
  }
  return pushTo(*core_, frame, MediaKind::Video);
}
Result<void> MediaStreamTrack::push(const codec::EncodedAudioFrame& frame) {
  if (core_->encodedCodec.empty() || core_->rtp) {
    return fail(ErrorCode::Type, "make the track with createEncodedAudio to push such frames");
  }
  return pushTo(*core_, frame, MediaKind::Audio);
}

Result<void> MediaStreamTrack::pushRtp(ByteSpan packet, uint8_t encodingIndex) {
  // Below what a stream takes by as much as it adds.
  constexpr size_t kMaxPacket = 1400;
  const auto& init = core_->rtp;
  if (!init) return fail(ErrorCode::Type, "make the track with createRtp to push packets");
  const auto view = rtp::PacketView::parse(packet);
  if (!view || rtp::classify(packet) != rtp::PacketKind::Rtp)
    return fail(ErrorCode::Type, "this is no RTP packet");
  if (packet.size() > kMaxPacket)
    return fail(ErrorCode::Range, "RTP packets have 1400 bytes at most: make smaller ones");
  const bool event = init->eventPayloadType == view->payloadType();
  if (!event && init->payloadType && *init->payloadType != view->payloadType()) {
    return fail(ErrorCode::Type, "the packet has payload type " +
                                     std::to_string(view->payloadType()) + ", not the track's " +
                                     std::to_string(*init->payloadType));
  }
  return pushTo(*core_, api_internal::RtpInput(*view, init, event, encodingIndex), init->kind);
}

Result<void> MediaStreamTrack::push(const RtpPayload& payload) {
  if (!core_->rtp) return fail(ErrorCode::Type, "make the track with createRtp to push payloads");
  Bytes packet(rtp::kFixedHeaderSize + payload.data.size());
  packet[0] = 0x80;
  packet[1] =
      static_cast<uint8_t>((payload.marker ? 0x80 : 0) | (payloadTypeOf(*core_->rtp) & 0x7f));
  storeU16(&packet[2], core_->nextPayloadNumber(payload.encodingIndex));
  storeU32(&packet[4], payload.timestamp);
  std::copy(payload.data.begin(), payload.data.end(), packet.begin() + rtp::kFixedHeaderSize);
  return pushRtp(packet, payload.encodingIndex);
}

void MediaStreamTrack::setVideoSink(std::function<void(const codec::VideoFrame&)> sink) {
  core_->setVideoSink(std::move(sink));
}
void MediaStreamTrack::setAudioSink(std::function<void(const codec::AudioFrame&)> sink) {
  core_->setAudioSink(std::move(sink));
}
void MediaStreamTrack::setEncodedVideoSink(
    std::function<void(const codec::EncodedVideoFrame&)> sink) {
  core_->setEncodedVideoSink(std::move(sink));
}
void MediaStreamTrack::setEncodedAudioSink(
    std::function<void(const codec::EncodedAudioFrame&)> sink) {
  core_->setEncodedAudioSink(std::move(sink));
}
void MediaStreamTrack::onMute(std::function<void()> callback) {
  core_->setOnMute(std::move(callback));
}
void MediaStreamTrack::onUnmute(std::function<void()> callback) {
  core_->setOnUnmute(std::move(callback));
}
void MediaStreamTrack::onEnded(std::function<void()> callback) {
  core_->setOnEnded(std::move(callback));
}
void MediaStreamTrack::onKeyFrameNeeded(std::function<void()> callback) {
  core_->setOnKeyFrameNeeded(std::move(callback));
}
void MediaStreamTrack::onTargetBitrate(std::function<void(DataRate)> callback) {
  core_->setOnTargetBitrate(std::move(callback));
}

}  // namespace parley
