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
constexpr double kDefaultFramerate = 30;

/// webrtc-extensions: the bounds turn with the picture.
double factorFor(const ResolutionRestriction& bounds, int width, int height) {
  const bool portrait = height > width;
  const bool boundsPortrait = bounds.maxHeight > bounds.maxWidth;
  const double maxWidth = portrait == boundsPortrait ? bounds.maxWidth : bounds.maxHeight;
  const double maxHeight = portrait == boundsPortrait ? bounds.maxHeight : bounds.maxWidth;
  return std::max({1.0, width / maxWidth, height / maxHeight});
}

/// By what the app has pictures of that size made smaller.
double factorOf(const VideoSendPipe::Settings& settings, int width, int height) {
  return settings.scaleDownTo ? factorFor(*settings.scaleDownTo, width, height)
                              : settings.scaleDownBy;
}

}  // namespace

VideoSendPipe::VideoSendPipe(std::shared_ptr<codec::VideoEncoderFactory> factory,
                             std::shared_ptr<Worker> worker, Output output, RtpOutput rtpOutput,
                             std::function<Timestamp()> clock)
    : MediaPipe(std::move(worker)),
      factory_(std::move(factory)),
      output_(std::move(output)),
      rtpOutput_(std::move(rtpOutput)),
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
  tuneScaler();
  return endsPause(wasPaused);
}

// mst-content-hint: what the app does not say follows from what the track shows.
void VideoSendPipe::tuneScaler() {
  scaler_.setDegradation(settings_.adapts && settings_.scalability.spatialLayers == 1
                             ? settings_.degradation.value_or(contentDegradation_)
                             : media::Degradation::Nothing);
  scaler_.setQpRange(media::qpRangeOf(settings_.format.name));
  scaler_.setTarget(settings_.maxBitrate ? std::min(rate_, *settings_.maxBitrate) : rate_);
}

void VideoSendPipe::noteLimits(Timestamp now) {
  using Reason = media::QualityScaler::Reason;
  limitations_.lowered(scaler_.isLimitedBy(Reason::Cpu), scaler_.isLimitedBy(Reason::Bandwidth),
                       now);
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
  contentDegradation_ = screen             ? media::Degradation::Framerate
                        : hint == "motion" ? media::Degradation::Resolution
                                           : media::Degradation::Balanced;
  tuneScaler();
}

bool VideoSendPipe::setTargetRate(DataRate rate) {
  const std::lock_guard lock(mutex_);
  const bool wasPaused = isPaused();
  rate_ = rate;
  tuneScaler();
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
  if (frame.psnr) {
    stats_.psnrSum.y += frame.psnr->y;
    stats_.psnrSum.u += frame.psnr->u;
    stats_.psnrSum.v += frame.psnr->v;
    ++stats_.psnrMeasurements;
  }
  stats_.width = frame.width;
  stats_.height = frame.height;
  encodedRate_.add(clock_());
}

void VideoSendPipe::countTarget(Timestamp capture, DataRate rate, double fps) {
  // The first one, and one after a pause, stands for a frame's time.
  double seconds = 1 / std::max(fps, 1.0);
  if (const auto before = std::exchange(lastEncoded_, capture)) {
    const double since = (capture - *before).seconds();
    if (since > 0 && since < 1) seconds = since;
  }
  stats_.bytesTarget =
      stats_.bytesTarget.value_or(0) + static_cast<double>(rate.bps()) / 8 * seconds;
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
    if (settings_.maxFramerate && !appLimit_.take(frame.capture, *settings_.maxFramerate)) return;
    const Timestamp now = clock_();
    limitations_.begin(now);
    const double factor = factorOf(settings_, frame.width(), frame.height());
    scaler_.handlePicture(static_cast<int>(frame.width() / factor),
                          static_cast<int>(frame.height() / factor), now);
    noteLimits(now);
    const auto ownLimit = scaler_.maxFramerate();
    if (ownLimit && !ownLimit_.take(frame.capture, *ownLimit)) return;
    // One job per queued picture: when a newer one takes a dropped one's place, its job is there
    // already.
    schedule = pending_.size() < kMaxPendingPictures;
    if (!schedule) {
      pending_.pop_front();
      ++stats_.framesDropped;
      limitations_.busy(now);
      scaler_.handleDropped(media::QualityScaler::Reason::Cpu, now);
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

void VideoSendPipe::onRtp(const RtpInput& packet, const std::string& codec) {
  {
    const std::lock_guard lock(mutex_);
    if (packet.encodingIndex() != settings_.index) return;
    if (packet.endsFrame()) ++stats_.framesIn;
    if (isPaused()) return;
    const bool fits = equalsIgnoreCase(codec, settings_.format.name);
    if (packet.endsFrame()) ++(fits ? stats_.framesEncoded : stats_.framesDropped);
    if (!fits) return;
    // Whether a packet is of a key frame only its codec knows.
    keyFrameWanted_ = false;
    if (packet.endsFrame()) encodedRate_.add(clock_());
  }
  rtpOutput_(packet);
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
    if (transform->later) {
      return transform->later(
          std::move(shown), giveBack(shared_from_this(), frame, &codec::EncodedVideoFrame::data,
                                     [](VideoSendPipe& pipe, const auto& f) { pipe.output_(f); }));
    }
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

bool VideoSendPipe::takeJob(Job& job) {
  const std::lock_guard lock(mutex_);
  if (isPaused()) pending_.clear();
  if (pending_.empty()) return false;
  job.frame = std::move(pending_.front());
  pending_.pop_front();
  job.settings = settings_;
  job.rate = settings_.maxBitrate ? std::min(rate_, *settings_.maxBitrate) : rate_;
  job.scale = scaler_.scale();
  job.framerate = settings_.maxFramerate.value_or(kDefaultFramerate);
  if (const auto own = scaler_.maxFramerate()) job.framerate = std::min(job.framerate, *own);
  job.keyFrame = std::exchange(keyFrameWanted_, false);
  job.restart = std::exchange(settingsChanged_, false);
  return true;
}

void VideoSendPipe::encodeNext() {
  Job job;
  if (takeJob(job)) encode(job);
}

/// False: there is no encoder for it.
bool VideoSendPipe::prepareEncoder(const Job& job) {
  if (job.restart) encoder_.reset();
  if (!encoder_) {
    codec::VideoEncoderSettings config;
    config.width = job.frame.width();
    config.height = job.frame.height();
    config.maxFramerate = job.framerate;
    config.screenContent = job.settings.screenContent;
    config.startBitrate = job.rate;
    config.maxBitrate = job.settings.maxBitrate.value_or(DataRate::kbps(8000));
    config.temporalLayers = job.settings.scalability.temporalLayers;
    config.spatialLayers = job.settings.scalability.spatialLayers;
    config.keyOnly = job.settings.scalability.keyOnly;
    config.independent = job.settings.scalability.independent;
    config.smallSteps = job.settings.scalability.smallSteps;
    auto created = factory_->create(job.settings.format, config);
    if (!created) return false;
    encoder_ = *std::move(created);
  } else if (encoderRate_ != job.rate || encoderFramerate_ != job.framerate) {
    encoder_->setRates(job.rate, job.framerate);
  }
  encoderRate_ = job.rate;
  encoderFramerate_ = job.framerate;
  return true;
}

void VideoSendPipe::encode(Job& job) {
  const Timestamp taken = clock_();
  const double factor = factorOf(job.settings, job.frame.width(), job.frame.height()) * job.scale;
  if (factor > 1.0) {
    // Even sizes: 4:2:0 has half-size colour planes.
    auto scaled = [&](int v) { return std::max(2, static_cast<int>(v / factor + 1e-6) & ~1); };
    job.frame.buffer =
        codec::scale(*job.frame.buffer, scaled(job.frame.width()), scaled(job.frame.height()));
  }
  const bool fresh = !encoder_ || job.restart;
  if (!prepareEncoder(job)) return;
  const Timestamp begin = clock_();
  const Result<void> result = encoder_->encode(job.frame, job.keyFrame || fresh);
  const Timestamp end = clock_();
  if (!result) {
    encoder_.reset();
    requestKeyFrame();
    return;
  }
  bool any = false;
  int qp = -1;
  while (encoder_->poll(encoded_)) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      countEncoded(encoded_);
      if (!std::exchange(any, true)) {
        stats_.totalEncodeTime += end - begin;
        countTarget(job.frame.capture, job.rate, job.framerate);
      }
      stats_.implementation = std::string(encoder_->implementationName());
      stats_.powerEfficient = encoder_->powerEfficient();
    }
    qp = encoded_.qp;
    encoded_.screenContent = job.settings.screenContent;
    encoded_.encodeStart = begin;
    encoded_.encodeEnd = end;
    sampleInput(job.frame, job.settings);
    emit(encoded_);
  }
  const std::lock_guard lock(mutex_);
  if (any) {
    if (lastScale_ != 0 && lastScale_ != job.scale) ++stats_.sizeChanges;
    lastScale_ = job.scale;
    scaler_.handleEncoded(qp, end - taken, end);
  } else {
    limitations_.overRate(end);
    scaler_.handleDropped(media::QualityScaler::Reason::Bandwidth, end);
  }
  noteLimits(end);
}

// A transform is there to hide the picture from servers, and samples of it stand outside of what it
// hides. Each spatial layer has a count of its own: receivers may get fewer layers than there are.
void VideoSendPipe::sampleInput(const codec::VideoFrame& input, const Settings& settings) {
  encoded_.corruption.reset();
  if (!settings.samplesPictures || encoded_.capture != input.capture ||
      encoded_.spatialId >= samplers_.size())
    return;
  {
    const std::lock_guard lock(mutex_);
    if (transform_.get()) return;
  }
  codec::CorruptionSampler& sampler = samplers_[encoded_.spatialId];
  if (encoded_.width == input.width() && encoded_.height == input.height()) {
    encoded_.corruption = sampler.sample(*input.buffer, encoded_, settings.format.name);
  } else if (sampler.isDue(encoded_) && encoded_.width > 0 && encoded_.height > 0) {
    const auto smaller = codec::scale(*input.buffer, encoded_.width, encoded_.height);
    encoded_.corruption = sampler.sample(*smaller, encoded_, settings.format.name);
  }
}

AudioSendPipe::AudioSendPipe(std::shared_ptr<codec::AudioEncoderFactory> factory,
                             std::shared_ptr<Worker> worker, Output output, RtpOutput rtpOutput)
    : MediaPipe(std::move(worker)),
      factory_(std::move(factory)),
      output_(std::move(output)),
      rtpOutput_(std::move(rtpOutput)) {}

TransformSlot::Held AudioSendPipe::setTransform(TransformSlot::Held transform) {
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

void AudioSendPipe::setAdaptivePtime(bool adaptive) {
  const std::lock_guard lock(mutex_);
  adaptivePtime_ = adaptive;
  packetTime_ = {};
  ratesChanged_ = true;
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

void AudioSendPipe::onRtp(const RtpInput& packet, const std::string& codec) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !active_ || !negotiated_ || rate_.isZero()) return;
    ++stats_.framesIn;
    const bool fits = equalsIgnoreCase(codec, format_.name);
    ++(fits ? stats_.framesEncoded : stats_.framesDropped);
    if (!fits) return;
  }
  rtpOutput_(packet);
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
    shown.contributors = frame.contributors;
    shown.rtpTimestamp += frame.rtpTimestamp;
    std::swap(shown.data, frame.data);
    if (transform->later) {
      return transform->later(
          std::move(shown), giveBack(shared_from_this(), frame, &codec::EncodedAudioFrame::data,
                                     [](AudioSendPipe& pipe, const auto& f) { pipe.output_(f); }));
    }
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
    Duration packetTime = PacketTime::kUsual;
    {
      const std::lock_guard lock(mutex_);
      if (pending_.empty() || stopped_) {
        scheduled_ = false;
        return;
      }
      frame = pending_.front();
      pending_.pop_front();
      if (std::exchange(formatChanged_, false) || !encoder_) restart = format_;
      if (std::exchange(ratesChanged_, false) || restart) rates = {rate_, loss_};
      if (rates && adaptivePtime_) packetTime = packetTime_.choose(rate_, onTheWire_.maxPacketTime);
    }
    if (restart) {
      codec::AudioEncoderSettings settings;
      settings.channels = frame.channels;
      auto created =
          factory_->create(*restart, codec::applyOpusParameters(settings, restart->parameters));
      if (!created) continue;
      encoder_ = *std::move(created);
    }
    if (rates && !rates->first.isZero()) {
      encoder_->setRates(rates->first, rates->second);
      encoder_->setPacketTime(packetTime);
    }
    if (!encoder_->encode(frame, encoded_)) continue;
    // Of the newest part of the sound in the packet.
    encoded_.contributors = frame.contributors;
    emit(encoded_);
  }
}

}  // namespace parley::api_internal
