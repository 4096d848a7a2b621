#include "api/receive_pipe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "parley/base/text.h"
#include "parley/media/time_stretch.h"

#include "api/sound_level.h"

namespace parley::api_internal {
namespace {

// A decoder that is this far behind will not catch up by decoding everything: skip to a key frame.
constexpr size_t kMaxPendingFrames = 30;
constexpr size_t kMaxPendingUnits = 25;  // half a second
constexpr Duration kTimingMemory = Duration::seconds(1);
constexpr size_t kPieceSamples = codec::AudioDecoder::kSampleRate / 100;

template <class Format>
const Format* findFormat(const std::vector<Format>& formats, const std::string& name) {
  for (const Format& format : formats) {
    if (equalsIgnoreCase(format.name, name)) return &format;
  }
  return nullptr;
}

/// From Q32.32 seconds.
std::optional<Duration> offsetOf(std::optional<int64_t> offset) {
  if (!offset) return std::nullopt;
  return Duration::fromSeconds(static_cast<double>(*offset) / 4294967296.0);
}

/// webrtc-stats, estimatedPlayoutTimestamp: by the sender's clock. Where another one captured, the
/// sender may have told how much that is ahead of it.
NtpTime bySender(NtpTime captured, std::optional<int64_t> clockOffset) {
  return NtpTime{captured.value - static_cast<uint64_t>(clockOffset.value_or(0))};
}

codec::VideoRotation toRotation(const rtp::VideoOrientationValue& orientation) {
  return static_cast<codec::VideoRotation>(orientation.rotation);
}

}  // namespace

VideoReceivePipe::VideoReceivePipe(std::shared_ptr<codec::VideoDecoderFactory> factory,
                                   std::shared_ptr<Worker> worker, std::shared_ptr<TrackCore> track,
                                   std::function<void(bool)> needKeyFrame,
                                   std::function<Timestamp()> clock)
    : MediaPipe(std::move(worker)),
      factory_(std::move(factory)),
      track_(std::move(track)),
      needKeyFrame_(std::move(needKeyFrame)),
      clock_(std::move(clock)) {}

void VideoReceivePipe::configure(std::vector<codec::SdpVideoFormat> formats) {
  const std::lock_guard lock(mutex_);
  formats_ = std::move(formats);
}

void VideoReceivePipe::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  pending_.clear();
}

DecodeStats VideoReceivePipe::stats() const {
  const Timestamp now = clock_();
  const std::lock_guard lock(mutex_);
  DecodeStats out = stats_;
  out.framesPerSecond = decodedRate_.at(now);
  out.rendering = rendering_.totals();
  return out;
}

bool VideoReceivePipe::push(media::ReceivedFrame&& frame) {
  bool ask = false;
  bool schedule = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return false;
    if (pending_.size() >= kMaxPendingFrames) {
      stats_.framesDropped += pending_.size();
      pending_.clear();
      skipToKeyFrame_ = true;
      ask = true;
    }
    if (skipToKeyFrame_ && !frame.keyFrame) {
      ++stats_.framesDropped;
    } else {
      skipToKeyFrame_ = false;
      pending_.push_back(std::move(frame));
      schedule = !std::exchange(scheduled_, true);
    }
  }
  if (schedule) this->schedule();
  return ask;
}

// One job at a time, of one frame: other pipes have the worker's time too, and what is skipped
// leaves no jobs behind.
void VideoReceivePipe::schedule() {
  worker_->post([self = shared_from_this()] { self->decodeNext(); });
}

void VideoReceivePipe::decodeNext() {
  media::ReceivedFrame frame;
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    if (pending_.empty() || stopped_) {
      scheduled_ = false;
      return;
    }
    frame = std::move(pending_.front());
    pending_.pop_front();
    more = scheduled_ = !pending_.empty();
  }
  if (more) schedule();
  switch (transform(frame)) {
    case Verdict::Goes:
      return show(frame);
    case Verdict::Taken:
      return;
    case Verdict::Dropped:
      break;
  }
  {
    const std::lock_guard lock(mutex_);
    ++stats_.framesDropped;
    skipToKeyFrame_ = true;  // what follows refers to it
  }
  needKeyFrame_(true);
}

void VideoReceivePipe::show(const media::ReceivedFrame& frame) {
  if (!choose(frame)) return;
  const bool wantsEncoded = track_->wantsEncoded();
  if (wantsEncoded) {
    showEncoded(frame);
  } else {
    encodedFlows_ = false;
  }
  // An app that records compressed pictures only is spared the decoding.
  if (track_->wantsDecoded() || !wantsEncoded) decode(frame);
}

void VideoReceivePipe::showEncoded(const media::ReceivedFrame& frame) {
  if (!encodedFlows_ && !frame.keyFrame) return needKeyFrame_(false);
  encodedFlows_ = true;
  codec::EncodedVideoFrame encoded;
  encoded.data = frame.payload;
  encoded.keyFrame = frame.keyFrame;
  encoded.rtpTimestamp = frame.rtpTimestamp;
  encoded.capture = frame.playoutTime;
  encoded.width = frame.size.width;
  encoded.height = frame.size.height;
  encoded.rotation = toRotation(frame.orientation);
  encoded.codec = frame.codecName;
  encoded.spatialId = frame.spatialId;
  encoded.temporalId = frame.temporalId;
  track_->deliver(encoded);
}

bool VideoReceivePipe::choose(const media::ReceivedFrame& frame) {
  LayerChooser::Verdict verdict;
  {
    const std::lock_guard lock(mutex_);
    verdict = layers_.judge(frame, clock_());
    stats_.shownSsrc = layers_.ssrc();
  }
  if (verdict == LayerChooser::Verdict::NeedsKeyFrame) needKeyFrame_(false);
  return verdict == LayerChooser::Verdict::Show;
}

TransformSlot::Held VideoReceivePipe::setTransform(AppTransform transform) {
  const std::lock_guard lock(mutex_);
  return transform_.exchange(std::move(transform));
}

Verdict VideoReceivePipe::transform(media::ReceivedFrame& frame) {
  TransformSlot::Held transform;
  {
    const std::lock_guard lock(mutex_);
    transform = transform_.get();
  }
  if (!transform) return Verdict::Goes;
  EncodedFrame shown;
  shown.kind = MediaKind::Video;
  shown.keyFrame = frame.keyFrame;
  shown.rtpTimestamp = frame.rtpTimestamp;
  shown.ssrc = frame.ssrc;
  shown.payloadType = frame.payloadType;
  shown.mimeType = "video/" + frame.codecName;
  shown.rid = frame.rid;
  shown.width = frame.size.width;
  shown.height = frame.size.height;
  shown.spatialIndex = frame.spatialId;
  shown.temporalIndex = frame.temporalId;
  shown.captureTime = frame.captureTime;
  shown.senderCaptureTimeOffset = offsetOf(frame.captureClockOffset);
  shown.receiveTime = frame.lastPacketArrival;
  shown.colorSpace = frame.colorSpace;
  shown.timing = frame.timing;
  std::swap(shown.data, frame.payload);
  if (transform->later) {
    transform->later(std::move(shown),
                     giveBack(shared_from_this(), std::move(frame), &media::ReceivedFrame::payload,
                              [](VideoReceivePipe& pipe, const auto& f) { pipe.show(f); }));
    return Verdict::Taken;
  }
  const bool goes = transform->now(shown);
  std::swap(shown.data, frame.payload);
  return goes ? Verdict::Goes : Verdict::Dropped;
}

VideoReceivePipe::Decoder VideoReceivePipe::ensureDecoder(const std::string& codecName) {
  if (decoder_ && decoderCodec_ == codecName) return Decoder::Ready;
  std::vector<codec::SdpVideoFormat> formats;
  {
    const std::lock_guard lock(mutex_);
    formats = formats_;
  }
  const codec::SdpVideoFormat* format = findFormat(formats, codecName);
  if (!format) return Decoder::Failed;
  auto created = factory_->create(*format, {});
  if (!created)
    return created.error().code == ErrorCode::NotSupported ? Decoder::None : Decoder::Failed;
  decoder_ = *std::move(created);
  decoderCodec_ = codecName;
  return Decoder::Ready;
}

void VideoReceivePipe::decode(const media::ReceivedFrame& frame) {
  codec::VideoFrame picture;
  codec::DecodeStatus status = codec::DecodeStatus::Error;
  const Timestamp begin = clock_();
  const Decoder decoder = ensureDecoder(frame.codecName);
  if (decoder == Decoder::None) {
    // The app takes such frames compressed, or not at all: no other frame would help.
    const std::lock_guard lock(mutex_);
    ++stats_.framesDropped;
    return;
  }
  if (decoder == Decoder::Ready) {
    codec::EncodedVideoView view;
    view.data = frame.payload;
    view.keyFrame = frame.keyFrame;
    view.rtpTimestamp = frame.rtpTimestamp;
    view.capture = frame.playoutTime;
    view.rotation = toRotation(frame.orientation);
    status = decoder_->decode(view, picture);
  }
  const Timestamp end = clock_();
  std::optional<double> corrupt;
  if (status == codec::DecodeStatus::Ok) corrupt = judge(frame, picture);
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    if (status == codec::DecodeStatus::Ok) {
      noteDecoded(frame, picture, begin, end);
      if (corrupt) noteCorruption(*corrupt);
    } else if (status != codec::DecodeStatus::NoOutput) {
      ++stats_.framesDropped;
    }
  }
  if (status == codec::DecodeStatus::Ok) {
    if (!track_->deliver(picture)) return;
    const Timestamp shown = clock_();
    const std::lock_guard lock(mutex_);
    rendering_.rendered(shown);
  } else if (status != codec::DecodeStatus::NoOutput) {
    needKeyFrame_(true);
  }
}

std::optional<double> VideoReceivePipe::judge(const media::ReceivedFrame& frame,
                                              const codec::VideoFrame& picture) {
  if (!frame.corruption) return std::nullopt;
  if (std::exchange(corruptionSsrc_, frame.ssrc) != frame.ssrc) corruption_.reset();
  // A decoder that holds pictures back gave an earlier one.
  if (picture.rtpTimestamp != frame.rtpTimestamp) return std::nullopt;
  return corruption_.judge(*frame.corruption, *picture.buffer);
}

void VideoReceivePipe::noteDecoded(const media::ReceivedFrame& frame,
                                   const codec::VideoFrame& picture, Timestamp begin,
                                   Timestamp end) {
  ++stats_.framesDecoded;
  if (frame.keyFrame) ++stats_.keyFramesDecoded;
  decodedRate_.add(end);
  if (const int qp = decoder_->lastQp(); qp >= 0)
    stats_.qpSum = stats_.qpSum.value_or(0) + static_cast<uint64_t>(qp);
  stats_.totalDecodeTime += end - begin;
  stats_.processingDelay += (end - frame.firstPacketArrival).seconds();
  if (frame.captureTime) {
    stats_.captured = bySender(*frame.captureTime, frame.captureClockOffset);
    stats_.playedAt = frame.playoutTime;
  }
  if (frame.timing) noteTiming(frame, begin, end);
  stats_.width = picture.width();
  stats_.height = picture.height();
  stats_.implementation = std::string(decoder_->implementationName());
  stats_.powerEfficient = decoder_->powerEfficient();
}

void VideoReceivePipe::noteCorruption(double probability) {
  ++stats_.corruptionMeasurements;
  stats_.corruptionProbability += probability;
  stats_.squaredCorruptionProbability += probability * probability;
}

void VideoReceivePipe::noteTiming(const media::ReceivedFrame& frame, Timestamp begin,
                                  Timestamp end) {
  FrameTiming fresh;
  fresh.rtpTimestamp = frame.rtpTimestamp;
  fresh.sender = *frame.timing;
  fresh.captured = frame.capturedHere;
  fresh.receiveStart = frame.firstPacketArrival;
  fresh.receiveEnd = frame.lastPacketArrival;
  fresh.decodeStart = begin;
  fresh.decodeEnd = end;
  fresh.render = frame.playoutTime;
  // As libwebrtc does it: of one second the frame that took longest.
  const auto& shown = stats_.timing;
  if (!shown || end - shown->decodeEnd >= kTimingMemory || fresh.total() >= shown->total())
    stats_.timing = fresh;
}

AudioReceivePipe::AudioReceivePipe(std::shared_ptr<codec::AudioDecoderFactory> factory,
                                   std::shared_ptr<Worker> worker, std::shared_ptr<TrackCore> track,
                                   std::function<Timestamp()> clock)
    : MediaPipe(std::move(worker)),
      factory_(std::move(factory)),
      track_(std::move(track)),
      clock_(std::move(clock)),
      buffer_(codec::AudioDecoder::kMaxPacketSamples * codec::AudioFrame::kMaxChannels) {}

void AudioReceivePipe::configure(std::vector<codec::SdpAudioFormat> formats) {
  const std::lock_guard lock(mutex_);
  formats_ = std::move(formats);
}

void AudioReceivePipe::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  pending_.clear();
}

DecodeStats AudioReceivePipe::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void AudioReceivePipe::push(media::AudioPlayoutUnit&& unit) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    if (pending_.size() >= kMaxPendingUnits) pending_.pop_front();
    pending_.push_back(std::move(unit));
    if (std::exchange(scheduled_, true)) return;
  }
  worker_->post([self = shared_from_this()] { self->decodeAll(); });
}

void AudioReceivePipe::decodeAll() {
  for (;;) {
    media::AudioPlayoutUnit unit;
    {
      const std::lock_guard lock(mutex_);
      if (pending_.empty() || stopped_) {
        scheduled_ = false;
        return;
      }
      unit = std::move(pending_.front());
      pending_.pop_front();
    }
    const Verdict verdict = transform(unit);
    if (verdict == Verdict::Taken) continue;
    if (verdict == Verdict::Dropped) {
      unit.kind = media::AudioPlayoutUnit::Kind::Conceal;
      unit.payload.clear();
    }
    play(unit);
  }
}

TransformSlot::Held AudioReceivePipe::setTransform(AppTransform transform) {
  const std::lock_guard lock(mutex_);
  return transform_.exchange(std::move(transform));
}

Verdict AudioReceivePipe::transform(media::AudioPlayoutUnit& unit) {
  if (unit.kind == media::AudioPlayoutUnit::Kind::Conceal) return Verdict::Goes;
  TransformSlot::Held transform;
  {
    const std::lock_guard lock(mutex_);
    transform = transform_.get();
  }
  if (!transform) return Verdict::Goes;
  EncodedFrame shown;
  shown.kind = MediaKind::Audio;
  shown.keyFrame = true;
  shown.rtpTimestamp = unit.rtpTimestamp;
  shown.ssrc = unit.ssrc;
  shown.payloadType = unit.payloadType;
  shown.mimeType = "audio/" + unit.codecName;
  shown.captureTime = unit.captureTime;
  shown.senderCaptureTimeOffset = offsetOf(unit.captureClockOffset);
  std::swap(shown.data, unit.payload);
  if (transform->later) {
    transform->later(
        std::move(shown),
        giveBack(shared_from_this(), std::move(unit), &media::AudioPlayoutUnit::payload,
                 [](AudioReceivePipe& pipe, const auto& u) { pipe.play(u); }));
    return Verdict::Taken;
  }
  const bool goes = transform->now(shown);
  std::swap(shown.data, unit.payload);
  return goes ? Verdict::Goes : Verdict::Dropped;
}

bool AudioReceivePipe::ensureDecoder(const std::string& codecName) {
  if (decoder_ && (decoderCodec_ == codecName || codecName.empty())) return true;
  std::vector<codec::SdpAudioFormat> formats;
  {
    const std::lock_guard lock(mutex_);
    formats = formats_;
  }
  const codec::SdpAudioFormat* format = findFormat(formats, codecName);
  if (!format) return false;
  auto created = factory_->create(*format);
  if (!created) return false;
  decoder_ = *std::move(created);
  decoderCodec_ = codecName;
  carry_.clear();
  return true;
}

void AudioReceivePipe::play(const media::AudioPlayoutUnit& unit) {
  const bool wantsEncoded = track_->wantsEncoded();
  if (wantsEncoded && unit.kind == media::AudioPlayoutUnit::Kind::Packet) {
    codec::EncodedAudioFrame encoded;
    encoded.data = unit.payload;
    encoded.rtpTimestamp = unit.rtpTimestamp;
    encoded.samples = unit.samples;
    encoded.capture = unit.playoutTime;
    encoded.codec = unit.codecName;
    track_->deliver(encoded);
  }
  if (track_->wantsDecoded() || !wantsEncoded) decode(unit);
}

void AudioReceivePipe::playNoise(const media::AudioPlayoutUnit& unit, size_t samples) {
  noise_.describe(unit.payload);
  const size_t channels = decoder_ ? decoder_->channels() : 1;
  const std::span<int16_t> mono(buffer_.data(), samples);
  noise_.generate(mono);
  for (size_t i = samples; channels > 1 && i-- > 0;) buffer_[2 * i] = buffer_[2 * i + 1] = mono[i];
  emit({buffer_.data(), samples * channels}, channels, unit, true);
}

void AudioReceivePipe::decode(const media::AudioPlayoutUnit& unit) {
  using Kind = media::AudioPlayoutUnit::Kind;
  const bool noise = unit.kind == Kind::Conceal && equalsIgnoreCase(unit.codecName, "CN");
  if (!noise && !ensureDecoder(unit.codecName)) return;
  // Unit lengths are in RTP clock units; decoders give 48 kHz.
  auto to48k = [&](uint32_t samples) {
    return static_cast<size_t>(uint64_t{samples} * codec::AudioDecoder::kSampleRate /
                               std::max(unit.clockRate, 1u));
  };
  const Timestamp begin = clock_();
  const size_t wanted = std::min(to48k(unit.samples), codec::AudioDecoder::kMaxPacketSamples);
  if (noise) return playNoise(unit, wanted);
  size_t got = 0;
  bool concealed = unit.kind == Kind::Conceal;
  if (unit.kind == Kind::Packet) {
    const auto decoded = decoder_->decode(unit.payload, buffer_);
    got = decoded.value_or(0);
    concealed = !decoded;
  } else if (unit.kind == Kind::Fec) {
    concealed = !decoder_->hasFec(unit.payload);
    got = decoder_->decodeFec(unit.payload, wanted, buffer_);
  }
  if (concealed && got == 0) got = decoder_->conceal(wanted, buffer_);
  const size_t channels = decoder_->channels();
  if (unit.kind == Kind::Packet) {
    const double took = (clock_() - begin).seconds();
    const std::lock_guard lock(mutex_);
    stats_.processingDelay += took * unit.samples;
  }
  const size_t play = to48k(unit.playSamples);
  if (play == 0 || play == got) {
    emit({buffer_.data(), got * channels}, channels, unit, concealed);
    return;
  }
  std::vector<int16_t> stretched(play * channels);
  media::timeStretch({buffer_.data(), got * channels}, channels, play, stretched);
  emit(stretched, channels, unit, concealed);
}

void AudioReceivePipe::emit(std::span<const int16_t> samples, size_t channels,
                            const media::AudioPlayoutUnit& unit, bool concealed) {
  const SoundLevel level = measureSound(samples);
  const size_t perChannel = samples.size() / channels;
  const double seconds = static_cast<double>(perChannel) / codec::AudioDecoder::kSampleRate;
  {
    const std::lock_guard lock(mutex_);
    stats_.samplesReceived += perChannel;
    if (concealed) stats_.concealedSamples += perChannel;
    // webrtc-stats totalAudioEnergy: duration times the mean square of the samples.
    stats_.totalAudioEnergy += level.meanSquare * seconds;
    stats_.totalSamplesSeconds += seconds;
    stats_.audioLevel = level.peak;
    if (unit.captureTime) {
      stats_.captured = bySender(*unit.captureTime, unit.captureClockOffset);
      stats_.playedAt = unit.playoutTime;
    }
  }
  carry_.insert(carry_.end(), samples.begin(), samples.end());
  const size_t piece = kPieceSamples * channels;
  size_t at = 0;
  const Timestamp now = clock_();
  size_t played = 0;
  double early = 0;
  codec::AudioFrame frame;
  frame.sampleRate = codec::AudioDecoder::kSampleRate;
  frame.channels = channels;
  for (; carry_.size() - at >= piece; at += piece) {
    std::copy_n(carry_.begin() + static_cast<long>(at), piece, frame.data.begin());
    frame.capture = unit.playoutTime + Duration::millis(static_cast<int64_t>(at / piece) * 10);
    frame.rtpTimestamp = unit.rtpTimestamp;
    if (track_->deliver(frame)) {
      ++played;
      early += std::max((frame.capture - now).seconds(), 0.0) * kPieceSamples;
    }
  }
  carry_.erase(carry_.begin(), carry_.begin() + static_cast<long>(at));
  const std::lock_guard lock(mutex_);
  stats_.playedSamples += played * kPieceSamples;
  stats_.playoutDelay += early;
}

}  // namespace parley::api_internal
