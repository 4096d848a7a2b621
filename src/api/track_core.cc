#include "api/track_core.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "api/loop_core.h"
#include "api/sound_level.h"

namespace parley::api_internal {
namespace {

constexpr double kPieceSeconds = 0.01;  // an AudioFrame

}  // namespace

TrackCore::TrackCore(std::weak_ptr<LoopCore> loop, MediaKind trackKind, std::string trackId,
                     bool isRemote)
    // W3C 5.3: a receiver's track is muted until media arrives.
    : kind(trackKind),
      id(std::move(trackId)),
      remote(isRemote),
      loop_(std::move(loop)),
      muted_(isRemote) {}

std::shared_ptr<TrackCore> TrackCore::createLocal(const std::shared_ptr<LoopCore>& loop,
                                                  MediaKind kind) {
  std::string id;
  {
    const LoopCore::Lock lock(*loop);
    id = loop->endpoint().environment().random.uuid();
  }
  return std::make_shared<TrackCore>(loop, kind, std::move(id), false);
}

std::shared_ptr<TrackCore> TrackCore::createRemote(const std::shared_ptr<LoopCore>& loop,
                                                   MediaKind kind, std::string id) {
  return std::make_shared<TrackCore>(loop, kind, std::move(id), true);
}

void TrackFamily::add(const std::shared_ptr<TrackCore>& track) {
  const std::lock_guard lock(mutex_);
  std::erase_if(members_, [](const auto& weak) { return weak.expired(); });
  members_.push_back(track);
}

std::vector<std::shared_ptr<TrackCore>> TrackFamily::members() const {
  std::vector<std::shared_ptr<TrackCore>> out;
  const std::lock_guard lock(mutex_);
  for (const auto& weak : members_) {
    if (auto track = weak.lock()) out.push_back(std::move(track));
  }
  return out;
}

bool TrackFamily::hasClones() const {
  const std::lock_guard lock(mutex_);
  return members_.size() > 1;
}

std::shared_ptr<TrackCore> TrackFamily::anyAlive() const {
  const std::lock_guard lock(mutex_);
  for (const auto& weak : members_) {
    if (auto track = weak.lock(); track && track->state() == TrackState::Live) return track;
  }
  return nullptr;
}

std::shared_ptr<TrackFamily> TrackCore::family() {
  {
    const std::lock_guard lock(mutex_);
    if (family_) return family_;
    family_ = std::make_shared<TrackFamily>();
  }
  family_->add(shared_from_this());
  return family_;
}

std::shared_ptr<TrackCore> TrackCore::clone() {
  const auto loop = loop_.lock();
  std::string cloneId;
  if (loop) {
    const LoopCore::Lock lock(*loop);
    cloneId = loop->endpoint().environment().random.uuid();
  }
  auto copy = std::make_shared<TrackCore>(loop_, kind, std::move(cloneId), remote);
  copy->encodedCodec = encodedCodec;
  copy->rtp = rtp;
  const auto tracks = family();
  {
    const std::lock_guard lock(mutex_);
    copy->enabled_ = enabled_;
    copy->muted_ = muted_;
    copy->state_ = state_;
    copy->contentHint_ = contentHint_;
    copy->family_ = tracks;
  }
  tracks->add(copy);
  return copy;
}

std::vector<std::shared_ptr<TrackCore>> TrackCore::relatives() const {
  std::shared_ptr<TrackFamily> tracks;
  {
    const std::lock_guard lock(mutex_);
    tracks = family_;
  }
  if (!tracks || !tracks->hasClones()) return {};
  auto out = tracks->members();
  std::erase_if(out, [this](const auto& track) { return track.get() == this; });
  return out;
}

bool TrackCore::reachesAnyone() {
  if (state() == TrackState::Live) return true;
  const auto others = relatives();
  return std::any_of(others.begin(), others.end(),
                     [](const auto& track) { return track->state() == TrackState::Live; });
}

std::string TrackCore::contentHint() const {
  const std::lock_guard lock(mutex_);
  return contentHint_;
}

void TrackCore::setContentHint(std::string_view hint) {
  constexpr std::string_view kSound[] = {"", "speech", "speech-recognition", "music"};
  constexpr std::string_view kPictures[] = {"", "motion", "detail", "text"};
  const auto& known = kind == MediaKind::Audio ? kSound : kPictures;
  if (std::find(std::begin(known), std::end(known), hint) == std::end(known)) return;
  std::vector<std::shared_ptr<FrameConsumer>> consumers;
  {
    const std::lock_guard lock(mutex_);
    contentHint_ = hint;
    consumers = consumers_;
  }
  for (const auto& consumer : consumers) consumer->onContentHint(std::string(hint));
}

template <class F>
void TrackCore::store(Shared<F>& slot, std::function<F> callback) {
  Shared<F> fresh =
      callback ? std::make_shared<const std::function<F>>(std::move(callback)) : nullptr;
  const std::lock_guard lock(mutex_);
  std::swap(slot, fresh);  // the old one dies after the lock: its captures may own handles of ours
}

template <class F, class... Args>
void TrackCore::call(const Shared<F>& slot, const Args&... args) {
  Shared<F> callback;
  {
    const std::lock_guard lock(mutex_);
    callback = slot;
  }
  if (callback) (*callback)(args...);
}

bool TrackCore::enabled() const {
  const std::lock_guard lock(mutex_);
  return enabled_;
}
void TrackCore::setEnabled(bool enabled) {
  const std::lock_guard lock(mutex_);
  enabled_ = enabled;
}
bool TrackCore::muted() const {
  const std::lock_guard lock(mutex_);
  return muted_;
}
TrackState TrackCore::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

bool TrackCore::markEnded() {
  const std::lock_guard lock(mutex_);
  return std::exchange(state_, TrackState::Ended) != TrackState::Ended;
}

bool TrackCore::markSourceEnded() {
  bool any = markEnded();
  for (const auto& track : relatives()) any = track->markEnded() || any;
  return any;
}

void TrackCore::fireSourceEnded() {
  fireEnded();
  for (const auto& track : relatives()) track->fireEnded();
}

void TrackCore::fireEnded() {
  call(onEnded_);
  // Nothing comes after this event: what a callback captured, often this very track, is let go.
  (void)takeCallbacks();
}

void TrackCore::setMuted(bool muted) {
  setOwnMuted(muted);
  for (const auto& track : relatives()) track->setOwnMuted(muted);
}

void TrackCore::setOwnMuted(bool muted) {
  {
    const std::lock_guard lock(mutex_);
    if (muted_ == muted || state_ == TrackState::Ended) return;
    muted_ = muted;
  }
  call(muted ? onMute_ : onUnmute_);
}

std::function<void()> TrackCore::takeCallbacks() {
  const std::lock_guard lock(mutex_);
  return [video = std::move(videoSink_), audio = std::move(audioSink_),
          encoded = std::move(encodedSink_), encodedAudio = std::move(encodedAudioSink_),
          mute = std::move(onMute_), unmute = std::move(onUnmute_), ended = std::move(onEnded_),
          key = std::move(onKeyFrameNeeded_), rate = std::move(onTargetBitrate_)] {};
}

std::function<void()> TrackCore::takeFamilyCallbacks() {
  std::vector<std::function<void()>> taken{takeCallbacks()};
  auto clones = relatives();
  for (const auto& track : clones) taken.push_back(track->takeCallbacks());
  return [taken = std::move(taken), clones = std::move(clones)] {};
}

void TrackCore::addConsumer(std::shared_ptr<FrameConsumer> consumer) {
  std::string hint;
  FrameConsumer& added = *consumer;
  {
    const std::lock_guard lock(mutex_);
    hint = contentHint_;
    consumers_.push_back(std::move(consumer));
  }
  added.onContentHint(hint);
}

void TrackCore::removeConsumer(const FrameConsumer* consumer) {
  std::shared_ptr<FrameConsumer> removed;
  const std::lock_guard lock(mutex_);
  const auto it = std::find_if(consumers_.begin(), consumers_.end(),
                               [&](const auto& c) { return c.get() == consumer; });
  if (it == consumers_.end()) return;
  removed = std::move(*it);
  consumers_.erase(it);
}

bool TrackCore::hasConsumers() const {
  const std::lock_guard lock(mutex_);
  return !consumers_.empty();
}

namespace {

std::vector<std::shared_ptr<FrameConsumer>> snapshot(
    std::mutex& mutex, const bool& enabled, bool& enabledOut, const TrackState& state,
    const std::vector<std::shared_ptr<FrameConsumer>>& list) {
  const std::lock_guard lock(mutex);
  enabledOut = enabled;
  if (state == TrackState::Ended) return {};
  return list;
}

}  // namespace

void TrackCore::countSource(const codec::VideoFrame& frame) {
  const auto loop = loop_.lock();
  const Timestamp now = loop ? loop->now() : frame.capture;
  const std::lock_guard lock(mutex_);
  ++source_.frames;
  source_.width = frame.width();
  source_.height = frame.height();
  sourceRate_.add(now);
}

void TrackCore::countSource(const codec::AudioFrame& frame) {
  const SoundLevel level = measureSound(frame.samples());
  const std::lock_guard lock(mutex_);
  source_.audioLevel = level.peak;
  source_.totalAudioEnergy += level.meanSquare * kPieceSeconds;
  source_.totalSamplesDuration += kPieceSeconds;
}

SourceStats TrackCore::sourceStats() const {
  const auto loop = loop_.lock();
  const std::lock_guard lock(mutex_);
  SourceStats out = source_;
  if (loop) out.framesPerSecond = sourceRate_.at(loop->now());
  return out;
}

template <class Frame>
void TrackCore::pushToAll(const Frame& frame) {
  if (state() == TrackState::Live) take(frame);
  for (const auto& track : relatives()) {
    if (track->state() == TrackState::Live) track->take(frame);
  }
}

void TrackCore::push(const codec::VideoFrame& frame) {
  pushToAll(frame);
}
void TrackCore::push(const codec::AudioFrame& frame) {
  pushToAll(frame);
}
void TrackCore::push(const codec::EncodedVideoFrame& frame) {
  pushToAll(frame);
}

void TrackCore::push(const codec::EncodedAudioFrame& frame) {
  pushToAll(frame);
}

void TrackCore::push(const RtpInput& packet) {
  pushToAll(packet);
}

uint16_t TrackCore::nextPayloadNumber(uint8_t encodingIndex) {
  const std::lock_guard lock(mutex_);
  return payloadNumbers_[encodingIndex % payloadNumbers_.size()]++;
}

void TrackCore::take(const codec::VideoFrame& frame) {
  bool enabled = true;
  const auto consumers = snapshot(mutex_, enabled_, enabled, state_, consumers_);
  if (!frame.buffer) return;
  countSource(frame);
  deliverTo(videoSink_, frame);
  if (consumers.empty()) return;
  if (enabled) {
    for (const auto& consumer : consumers) consumer->onVideo(frame);
    return;
  }
  codec::VideoFrame black = frame;
  const auto buffer = codec::I420Buffer::create(frame.width(), frame.height());
  buffer->fill(16, 128, 128);  // video-range black (ITU-R BT.601)
  black.buffer = buffer;
  for (const auto& consumer : consumers) consumer->onVideo(black);
}

void TrackCore::take(const codec::AudioFrame& frame) {
  bool enabled = true;
  const auto consumers = snapshot(mutex_, enabled_, enabled, state_, consumers_);
  if (enabled) {
    countSource(frame);
    deliverTo(audioSink_, frame);
    for (const auto& consumer : consumers) consumer->onAudio(frame);
    return;
  }
  codec::AudioFrame silence = frame;
  silence.data.fill(0);
  countSource(silence);
  for (const auto& consumer : consumers) consumer->onAudio(silence);
}

void TrackCore::take(const codec::EncodedVideoFrame& frame) {
  bool enabled = true;
  const auto consumers = snapshot(mutex_, enabled_, enabled, state_, consumers_);
  // A compressed picture cannot be blackened: a disabled track sends nothing.
  if (!enabled) return;
  {
    const auto loop = loop_.lock();
    const Timestamp now = loop ? loop->now() : frame.capture;
    const std::lock_guard lock(mutex_);
    ++source_.frames;
    source_.width = frame.width;
    source_.height = frame.height;
    sourceRate_.add(now);
  }
  for (const auto& consumer : consumers) consumer->onEncodedVideo(frame, encodedCodec);
}

void TrackCore::take(const codec::EncodedAudioFrame& frame) {
  bool enabled = true;
  const auto consumers = snapshot(mutex_, enabled_, enabled, state_, consumers_);
  if (!enabled) return;
  for (const auto& consumer : consumers) consumer->onEncodedAudio(frame, encodedCodec);
}

void TrackCore::take(const RtpInput& packet) {
  bool enabled = true;
  const auto consumers = snapshot(mutex_, enabled_, enabled, state_, consumers_);
  if (!enabled) return;
  if (packet.endsFrame() && kind == MediaKind::Video) {
    const auto loop = loop_.lock();
    const std::lock_guard lock(mutex_);
    ++source_.frames;
    if (loop) sourceRate_.add(loop->now());
  }
  for (const auto& consumer : consumers) consumer->onRtp(packet, encodedCodec);
}

// The sink is taken and counted under one lock: after `takeCallbacks` none starts any more, and
// `waitForSinks` sees the one that has started.
template <class F, class Frame>
bool TrackCore::deliverTo(const Shared<F>& sink, const Frame& frame) {
  Shared<F> callback;
  {
    const std::lock_guard lock(mutex_);
    if (!enabled_ || !sink) return false;
    callback = sink;
    ++sinksRunning_;
    sinkThread_ = std::this_thread::get_id();
  }
  // Also when the sink throws.
  struct Ended {
    TrackCore& track;
    ~Ended() {
      const std::lock_guard lock(track.mutex_);
      if (--track.sinksRunning_ == 0) track.sinkThread_ = {};
      track.sinkEnded_.notify_all();
    }
  } ended{*this};
  (*callback)(frame);
  callback.reset();  // perhaps the last owner of what the app captured: gone before the wait ends
  return true;
}

template <class Frame>
bool TrackCore::deliverToAll(const Frame& frame) {
  bool any = deliverTo(sinkOf(frame), frame);
  for (const auto& track : relatives()) {
    if (track->state() == TrackState::Live)
      any = track->deliverTo(track->sinkOf(frame), frame) || any;
  }
  return any;
}

bool TrackCore::deliver(const codec::VideoFrame& frame) {
  return deliverToAll(frame);
}
bool TrackCore::deliver(const codec::AudioFrame& frame) {
  return deliverToAll(frame);
}
void TrackCore::deliver(const codec::EncodedVideoFrame& frame) {
  deliverToAll(frame);
}
void TrackCore::deliver(const codec::EncodedAudioFrame& frame) {
  deliverToAll(frame);
}

void TrackCore::waitForSinks() {
  waitForOwnSinks();
  for (const auto& track : relatives()) track->waitForOwnSinks();
}

void TrackCore::waitForOwnSinks() {
  std::unique_lock lock(mutex_);
  sinkEnded_.wait(
      lock, [this] { return sinksRunning_ == 0 || sinkThread_ == std::this_thread::get_id(); });
}

template <class Wants>
bool TrackCore::anyOfFamily(Wants wants) const {
  const auto ask = [&](const TrackCore& track) {
    const std::lock_guard lock(track.mutex_);
    return wants(track);
  };
  const auto others = relatives();
  return ask(*this) ||
         std::any_of(others.begin(), others.end(), [&](const auto& track) { return ask(*track); });
}

bool TrackCore::wantsEncoded() const {
  return anyOfFamily([](const TrackCore& track) {
    return track.encodedSink_ != nullptr || track.encodedAudioSink_ != nullptr;
  });
}
bool TrackCore::wantsDecoded() const {
  return anyOfFamily([](const TrackCore& track) {
    return track.videoSink_ != nullptr || track.audioSink_ != nullptr;
  });
}

void TrackCore::keyFrameNeeded() {
  call(onKeyFrameNeeded_);
}
void TrackCore::targetBitrate(DataRate rate) {
  call(onTargetBitrate_, rate);
}

void TrackCore::setVideoSink(std::function<void(const codec::VideoFrame&)> f) {
  store(videoSink_, std::move(f));
}
void TrackCore::setAudioSink(std::function<void(const codec::AudioFrame&)> f) {
  store(audioSink_, std::move(f));
}
void TrackCore::setEncodedVideoSink(std::function<void(const codec::EncodedVideoFrame&)> f) {
  store(encodedSink_, std::move(f));
}
void TrackCore::setEncodedAudioSink(std::function<void(const codec::EncodedAudioFrame&)> f) {
  store(encodedAudioSink_, std::move(f));
}
void TrackCore::setOnMute(std::function<void()> f) {
  store(onMute_, std::move(f));
}
void TrackCore::setOnUnmute(std::function<void()> f) {
  store(onUnmute_, std::move(f));
}
void TrackCore::setOnEnded(std::function<void()> f) {
  store(onEnded_, std::move(f));
}
void TrackCore::setOnKeyFrameNeeded(std::function<void()> f) {
  store(onKeyFrameNeeded_, std::move(f));
}
void TrackCore::setOnTargetBitrate(std::function<void(DataRate)> f) {
  store(onTargetBitrate_, std::move(f));
}

}  // namespace parley::api_internal
