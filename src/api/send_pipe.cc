#include "api/send_pipe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "parley/base/text.h"
#include "parley/codec/factories.h"

namespace parley::api_internal {
namespace {

// More than two pictures waiting would only add delay: the oldest goes.
constexpr size_t kMaxPendingPictures = 2;
// 200 ms of sound.
constexpr size_t kMaxPendingSound = 20;

/// webrtc-extensions: the bounds turn with the picture.
double factorFor(const ResolutionRestriction& bounds, int width, int height) {
  const bool portrait = height > width;
  const bool boundsPortrait = bounds.maxHeight > bounds.maxWidth;
  const double maxWidth = portrait == boundsPortrait ? bounds.maxWidth : bounds.maxHeight;
  const double maxHeight = portrait == boundsPortrait ? bounds.maxHeight : bounds.maxWidth;
  return std::max({1.0, width / maxWidth, height / maxHeight});
}

}  // namespace

VideoSendPipe::VideoSendPipe(std::shared_ptr<codec::VideoEncoderFactory> factory,
                             std::shared_ptr<Worker> worker, Output output,
                             std::function<Timestamp()> clock)
    : factory_(std::move(factory)),
      worker_(std::move(worker)),
      output_(std::move(output)),
      clock_(std::move(clock)) {}

bool VideoSendPipe::configure(Settings settings) {
  const std::lock_guard lock(mutex_);
  const bool wasPaused = isPaused();
  const bool sameEncoder = settings.format.name == settings_.format.name &&
                           settings.format.parameters == settings_.format.parameters &&
                           settings.scalability == settings_.scalability;
  if (!sameEncoder) settingsChanged_ = true;
  settings.screenContent = settings_.screenContent;
  settings_ = std::move(settings);
  return endsPause(wasPaused);
}

// Between the picture before the pause and the next one much may have been missed.
bool VideoSendPipe::endsPause(bool wasPaused) {
  if (!wasPaused || isPaused()) return false;
  keyFrameWanted_ = true;
  return true;
}

void VideoSendPipe::onContentHint(const std::string& hint) {
  const bool screen = hint == "detail" || hint == "text";
  const std::lock_guard lock(mutex_);
  if (std::exchange(settings_.screenContent, screen) != screen) settingsChanged_ = true;
}

bool VideoSendPipe::setTargetRate(DataRate rate) {
  const std::lock_guard lock(mutex_);
  const bool wasPaused = isPaused();
  rate_ = rate;
  return endsPause(wasPaused);
}

void VideoSendPipe::setStarved(bool starved) {
  const std::lock_guard lock(mutex_);
  starved_ = starved;
}

bool VideoSendPipe::requestKeyFrame() {
  const std::lock_guard lock(mutex_);
  keyFrameWanted_ = true;
  return !isPaused();
}

void VideoSendPipe::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  pending_.clear();
}

EncodeStats VideoSendPipe::stats() const {
  const Timestamp now = clock_();
  const std::lock_guard lock(mutex_);
  EncodeStats out = stats_;
  out.framesPerSecond = encodedRate_.at(now);
  out.limitation = limitations_.reason(now);
  out.limitedFor = limitations_.durations(now);
  return out;
}

void VideoSendPipe::countEncoded(const codec::EncodedVideoFrame& frame) {
  const auto* vp9 = std::get_if<codec::Vp9Info>(&frame.info);
  if (vp9 && !vp9->endOfPicture) return;  // counted with its largest layer
  ++stats_.framesEncoded;
  if (frame.keyFrame) ++stats_.keyFramesEncoded;
  if (frame.qp >= 0) stats_.qpSum = stats_.qpSum.value_or(0) + static_cast<uint64_t>(frame.qp);
  stats_.width = frame.width;
  stats_.height = frame.height;
  encodedRate_.add(clock_());
}

void VideoSendPipe::onVideo(const codec::VideoFrame& frame) {
  bool schedule = false;
  {
    const std::lock_guard lock(mutex_);
    ++stats_.framesIn;
    if (isPaused()) {
      if (starved_ && settings_.active) {
        limitations_.begin(clock_());
        limitations_.overRate(clock_());
      }
      return;
    }
    if (settings_.maxFramerate && tookAny_) {
      // A tenth of tolerance, so that a 30 fps camera with jitter stays at 30 when 30 is the cap.
      const double least = 0.9 / std::max(*settings_.maxFramerate, 0.001);
      if ((frame.capture - lastTaken_).seconds() < least) return;
    }
    tookAny_ = true;
    lastTaken_ = frame.capture;
    const Timestamp now = clock_();
    limitations_.begin(now);
    // One job per queued picture: when a newer one takes a dropped one's place, its job is there
    // already.
    schedule = pending_.size() < kMaxPendingPictures;
    if (!schedule) {
      pending_.pop_front();
      ++stats_.framesDropped;
      limitations_.busy(now);
    }
    pending_.push_back(frame);
  }
  if (schedule) worker_->post([self = shared_from_this()] { self->encodeNext(); });
}

void VideoSendPipe::onEncodedVideo(const codec::EncodedVideoFrame& frame,
                                   const std::string& codec) {
  std::unique_ptr<codec::EncodedVideoFrame> transformed;
  {
    const std::lock_guard lock(mutex_);
    if (frame.encodingIndex != settings_.index) return;  // another layer's
    ++stats_.framesIn;
    if (isPaused()) return;
    // The payload type says what the receiver feeds to its decoder.
    if (!equalsIgnoreCase(codec, settings_.format.name)) {
      ++stats_.framesDropped;
      return;
    }
    if (keyFrameWanted_ && !frame.keyFrame) return;  // nothing to decode it by
    keyFrameWanted_ = false;
    limitations_.begin(clock_());
    countEncoded(frame);
    const bool marks = settings_.screenContent && !frame.screenContent;
    if (transform_.get() || marks) {
      transformed = std::make_unique<codec::EncodedVideoFrame>(frame);
      transformed->screenContent = frame.screenContent || settings_.screenContent;
    }
  }
  if (transformed) {
    emit(*transformed);
  } else {
    output_(frame);
  }
}

TransformSlot::Held VideoSendPipe::setTransform(TransformSlot::Held transform) {
  const std::lock_guard lock(mutex_);
  return transform_.exchange(std::move(transform));
}

void VideoSendPipe::emit(codec::EncodedVideoFrame& frame) {
  TransformSlot::Held transform;
  EncodedFrame shown;
  {
    const std::lock_guard lock(mutex_);
    transform = transform_.get();
    if (transform) {
      shown.ssrc = settings_.ssrc;
      shown.payloadType = settings_.payloadType;
      shown.rtpTimestamp = settings_.timestampOffset;
      shown.mimeType = "video/" + settings_.format.name;
      shown.rid = settings_.rid;
    }
  }
  if (transform) {
    shown.kind = MediaKind::Video;
    shown.keyFrame = frame.keyFrame;
    shown.rtpTimestamp += frame.rtpTimestamp;
    shown.width = frame.width;
    shown.height = frame.height;
    shown.temporalIndex = frame.temporalId;
    shown.spatialIndex = frame.spatialId;
    std::swap(shown.data, frame.data);
    if (transform->later) return transform->later(std::move(shown), writerOf(frame));
    const bool goes = transform->now(shown);
    std::swap(shown.data, frame.data);
    if (!goes) {
      // What follows would refer to a picture that the peer never gets.
      const std::lock_guard lock(mutex_);
      keyFrameWanted_ = true;
      return;
    }
  }
  output_(frame);
}

FrameWriter VideoSendPipe::writerOf(const codec::EncodedVideoFrame& frame) {
  const auto kept = std::make_shared<codec::EncodedVideoFrame>(frame);
  return [weak = weak_from_this(), kept](Bytes data) {
    const auto self = weak.lock();
    if (!self) return;
    kept->data = std::move(data);
    self->worker_->post([self, kept] {
      {
        const std::lock_guard lock(self->mutex_);
        if (self->stopped_) return;
      }
      self->output_(*kept);
    });
  };
}

bool VideoSendPipe::takeJob(codec::VideoFrame& frame, Settings& settings, DataRate& rate,
                            bool& keyFrame, bool& restart) {
  const std::lock_guard lock(mutex_);
  if (isPaused()) pending_.clear();
  if (pending_.empty()) return false;
  frame = std::move(pending_.front());
  pending_.pop_front();
  settings = settings_;
  rate = settings_.maxBitrate ? std::min(rate_, *settings_.maxBitrate) : rate_;
  keyFrame = std::exchange(keyFrameWanted_, false);
  restart = std::exchange(settingsChanged_, false);
  return true;
}

void VideoSendPipe::encodeNext() {
  codec::VideoFrame frame;
  Settings settings;
  DataRate rate;
  bool keyFrame = false;
  bool restart = false;
  if (takeJob(frame, settings, rate, keyFrame, restart))
    encode(frame, settings, rate, keyFrame, restart);
}

void VideoSendPipe::encode(const codec::VideoFrame& source, const Settings& settings, DataRate rate,
                           bool keyFrame, bool restart) {
  codec::VideoFrame frame = source;
  const double factor = settings.scaleDownTo
                            ? factorFor(*settings.scaleDownTo, source.width(), source.height())
                            : settings.scaleDownBy;
  if (factor > 1.0) {
    // Even sizes: 4:2:0 has half-size colour planes.
    auto scaled = [&](int v) { return std::max(2, static_cast<int>(v / factor + 1e-6) & ~1); };
    frame.buffer = codec::scale(*source.buffer, scaled(source.width()), scaled(source.height()));
  }
  if (restart) encoder_.reset();
  const double fps = settings.maxFramerate.value_or(30);
  if (!encoder_) {
    codec::VideoEncoderSettings config;
    config.width = frame.width();
    config.height = frame.height();
    config.maxFramerate = fps;
    config.screenContent = settings.screenContent;
    config.startBitrate = rate;
    config.maxBitrate = settings.maxBitrate.value_or(DataRate::kbps(8000));
    config.temporalLayers = settings.scalability.temporalLayers;
    config.spatialLayers = settings.scalability.spatialLayers;
    config.keyOnly = settings.scalability.keyOnly;
    auto created = factory_->create(settings.format, config);
    if (!created) return;
    encoder_ = *std::move(created);
    encoderRate_ = rate;
    keyFrame = true;
  } else if (encoderRate_ != rate) {
    encoder_->setRates(rate, fps);
    encoderRate_ = rate;
  }
  const Timestamp begin = clock_();
  const Result<void> result = encoder_->encode(frame, keyFrame);
  const Duration took = clock_() - begin;
  if (!result) {
    encoder_.reset();
    requestKeyFrame();
    return;
  }
  bool any = false;
  while (encoder_->poll(encoded_)) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      countEncoded(encoded_);
      if (!std::exchange(any, true)) stats_.totalEncodeTime += took;
      stats_.implementation = std::string(encoder_->implementationName());
      stats_.powerEfficient = encoder_->powerEfficient();
    }
    encoded_.screenContent = settings.screenContent;
    emit(encoded_);
  }
  if (any) return;
  const std::lock_guard lock(mutex_);
  limitations_.overRate(begin);
}

AudioSendPipe::AudioSendPipe(std::shared_ptr<codec::AudioEncoderFactory> factory,
                             std::shared_ptr<Worker> worker, Output output)
    : factory_(std::move(factory)), worker_(std::move(worker)), output_(std::move(output)) {}

TransformSlot::Held AudioSendPipe::setTransform(AppTransform transform) {
  const std::lock_guard lock(mutex_);
  return transform_.exchange(std::move(transform));
}

void AudioSendPipe::configure(const codec::SdpAudioFormat& format, bool negotiated,
                              OnTheWire onTheWire) {
  const std::lock_guard lock(mutex_);
  onTheWire_ = onTheWire;
  formatChanged_ =
      formatChanged_ || format.name != format_.name || format.parameters != format_.parameters;
  format_ = format;
  negotiated_ = negotiated && !format.name.empty();
}

void AudioSendPipe::setActive(bool active) {
  const std::lock_guard lock(mutex_);
  active_ = active;
}

void AudioSendPipe::setTargetRate(DataRate rate, double lossFraction) {
  const std::lock_guard lock(mutex_);
  rate_ = rate;
  loss_ = lossFraction;
  ratesChanged_ = true;
}

void AudioSendPipe::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  pending_.clear();
}

EncodeStats AudioSendPipe::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void AudioSendPipe::onAudio(const codec::AudioFrame& frame) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !active_ || !negotiated_ || rate_.isZero()) return;
    ++stats_.framesIn;
    const int64_t rtpTimestamp = timeline_.next(frame.capture, frame.sampleRate);
    if (pending_.size() == kMaxPendingSound) {
      pending_.pop_front();
      ++stats_.framesDropped;
    }
    pending_.push_back(frame);
    pending_.back().rtpTimestamp = rtpTimestamp;
    if (std::exchange(scheduled_, true)) return;
  }
  worker_->post([self = shared_from_this()] { self->encodeAll(); });
}

FrameWriter AudioSendPipe::writerOf(const codec::EncodedAudioFrame& frame) {
  const auto kept = std::make_shared<codec::EncodedAudioFrame>(frame);
  return [weak = weak_from_this(), kept](Bytes data) {
    const auto self = weak.lock();
    if (!self) return;
    kept->data = std::move(data);
    self->worker_->post([self, kept] {
      {
        const std::lock_guard lock(self->mutex_);
        if (self->stopped_) return;
      }
      self->output_(*kept);
    });
  };
}

void AudioSendPipe::onEncodedAudio(const codec::EncodedAudioFrame& frame,
                                   const std::string& codec) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !active_ || !negotiated_ || rate_.isZero()) return;
    ++stats_.framesIn;
    if (!equalsIgnoreCase(codec, format_.name)) {
      ++stats_.framesDropped;
      return;
    }
  }
  codec::EncodedAudioFrame copy = frame;
  emit(copy);
}

void AudioSendPipe::emit(codec::EncodedAudioFrame& frame) {
  TransformSlot::Held transform;
  EncodedFrame shown;
  {
    const std::lock_guard lock(mutex_);
    ++stats_.framesEncoded;
    transform = transform_.get();
    if (transform) {
      shown.ssrc = onTheWire_.ssrc;
      shown.payloadType = onTheWire_.payloadType;
      shown.rtpTimestamp = onTheWire_.timestampOffset;
      shown.mimeType = "audio/" + format_.name;
    }
  }
  // Silence that is not sent is no frame.
  if (transform && !frame.dtx) {
    shown.kind = MediaKind::Audio;
    shown.keyFrame = true;
    shown.rtpTimestamp += frame.rtpTimestamp;
    std::swap(shown.data, frame.data);
    if (transform->later) return transform->later(std::move(shown), writerOf(frame));
    const bool goes = transform->now(shown);
    std::swap(shown.data, frame.data);
    if (!goes) return;
  }
  output_(frame);
}

void AudioSendPipe::encodeAll() {
  for (;;) {
    codec::AudioFrame frame;
    std::optional<codec::SdpAudioFormat> restart;
    std::optional<std::pair<DataRate, double>> rates;
    {
      const std::lock_guard lock(mutex_);
      if (pending_.empty() || stopped_) {
        scheduled_ = false;
        return;
      }
      frame = pending_.front();
      pending_.pop_front();
      if (std::exchange(formatChanged_, false) || !encoder_) restart = format_;
      if (std::exchange(ratesChanged_, false)) rates = {rate_, loss_};
    }
    if (restart) {
      codec::AudioEncoderSettings settings;
      settings.channels = frame.channels;
      auto created =
          factory_->create(*restart, codec::applyOpusParameters(settings, restart->parameters));
      if (!created) continue;
      encoder_ = *std::move(created);
    }
    if (rates && !rates->first.isZero()) encoder_->setRates(rates->first, rates->second);
    if (encoder_->encode(frame, encoded_)) emit(encoded_);
  }
}

}  // namespace parley::api_internal
