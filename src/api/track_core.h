#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "parley/api/media_track.h"
#include "parley/base/units.h"

#include "api/frame_rate.h"
#include "api/rtp_input.h"

namespace parley::api_internal {

class LoopCore;

/// Where a local track's frames go: one per sender that has the track. Any thread.
class FrameConsumer {
 public:
  virtual ~FrameConsumer() = default;
  virtual void onVideo(const codec::VideoFrame&) {}
  virtual void onAudio(const codec::AudioFrame&) {}
  virtual void onContentHint(const std::string& /*hint*/) {}
  /// `codec`: what the frame is compressed with.
  virtual void onEncodedVideo(const codec::EncodedVideoFrame&, const std::string& /*codec*/) {}
  virtual void onEncodedAudio(const codec::EncodedAudioFrame&, const std::string& /*codec*/) {}
  virtual void onRtp(const RtpInput&, const std::string& /*codec*/) {}
};

class TrackCore;

/// The tracks of one source: one, and its clones. Any thread.
class TrackFamily {
 public:
  void add(const std::shared_ptr<TrackCore>& track);
  std::vector<std::shared_ptr<TrackCore>> members() const;
  bool hasClones() const;
  /// One that has not ended; null if there is none.
  std::shared_ptr<TrackCore> anyAlive() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<TrackCore>> members_;
};

/// webrtc-stats media-source: what a local track has brought so far.
struct SourceStats {
  uint64_t frames = 0;  ///< video
  double framesPerSecond = 0;
  int width = 0;
  int height = 0;
  double audioLevel = 0;  ///< peak of the last 10 ms, 0..1
  double totalAudioEnergy = 0;
  double totalSamplesDuration = 0;  ///< seconds
};

/// The body behind all handles of one track. Has a leaf mutex of its own; user code runs without
/// it.
class TrackCore final : public std::enable_shared_from_this<TrackCore> {
 public:
  TrackCore(std::weak_ptr<LoopCore> loop, MediaKind kind, std::string id, bool remote);

  static std::shared_ptr<TrackCore> createLocal(const std::shared_ptr<LoopCore>& loop,
                                                MediaKind kind);
  static std::shared_ptr<TrackCore> createRemote(const std::shared_ptr<LoopCore>& loop,
                                                 MediaKind kind, std::string id);

  const MediaKind kind;
  const std::string id;
  const bool remote;
  /// Not empty for a track of frames that are compressed already: the codec's name.
  std::string encodedCodec;
  /// Of a track of RTP packets; else null.
  std::shared_ptr<const RtpTrackInit> rtp;

  /// Made with the first need of it.
  std::shared_ptr<TrackFamily> family();
  std::shared_ptr<TrackCore> clone();
  /// Whether something pushed into it reaches a track that is alive.
  bool reachesAnyone();
  std::string contentHint() const;
  void setContentHint(std::string_view hint);

  bool enabled() const;
  void setEnabled(bool enabled);
  bool muted() const;
  TrackState state() const;
  /// Ended without an event: by the app's own stop(), or because the connection closed.
  /// False if it has ended before.
  bool markEnded();
  /// It and its clones, when their source has ended; true if any had not before.
  bool markSourceEnded();
  void fireSourceEnded();
  /// To follow `markEnded` as a task when it was not the app that ended it.
  void fireEnded();
  void setMuted(bool muted);
  /// All sinks and callbacks, to be destroyed outside every lock: they may own handles of this
  /// track.
  std::function<void()> takeCallbacks();
  /// Those of its clones too. Owns the clones meanwhile: the app may let go of them at any time.
  std::function<void()> takeFamilyCallbacks();

  void addConsumer(std::shared_ptr<FrameConsumer> consumer);
  void removeConsumer(const FrameConsumer* consumer);
  bool hasConsumers() const;
  SourceStats sourceStats() const;
  void push(const codec::VideoFrame& frame);
  void push(const codec::AudioFrame& frame);
  void push(const codec::EncodedVideoFrame& frame);
  void push(const codec::EncodedAudioFrame& frame);
  void push(const RtpInput& packet);
  /// For packets that come without.
  uint16_t nextPayloadNumber(uint8_t encodingIndex);

  // Remote side: called by the receive pipes. False: nobody wanted it.
  bool deliver(const codec::VideoFrame& frame);
  bool deliver(const codec::AudioFrame& frame);
  void deliver(const codec::EncodedVideoFrame& frame);
  void deliver(const codec::EncodedAudioFrame& frame);
  bool wantsEncoded() const;
  bool wantsDecoded() const;
  /// Waits until no sink of this track or of its clones is running, unless it is the caller that
  /// runs in one. No lock held.
  void waitForSinks();

  void keyFrameNeeded();
  void targetBitrate(DataRate rate);

  void setVideoSink(std::function<void(const codec::VideoFrame&)> sink);
  void setAudioSink(std::function<void(const codec::AudioFrame&)> sink);
  void setEncodedVideoSink(std::function<void(const codec::EncodedVideoFrame&)> sink);
  void setEncodedAudioSink(std::function<void(const codec::EncodedAudioFrame&)> sink);
  void setOnMute(std::function<void()> callback);
  void setOnUnmute(std::function<void()> callback);
  void setOnEnded(std::function<void()> callback);
  void setOnKeyFrameNeeded(std::function<void()> callback);
  void setOnTargetBitrate(std::function<void(DataRate)> callback);

 private:
  template <class F>
  using Shared = std::shared_ptr<const std::function<F>>;
  template <class F>
  void store(Shared<F>& slot, std::function<F> callback);
  template <class F, class... Args>
  void call(const Shared<F>& slot, const Args&... args);
  template <class F, class Frame>
  bool deliverTo(const Shared<F>& sink, const Frame& frame);
  /// Its clones; empty if it has none.
  std::vector<std::shared_ptr<TrackCore>> relatives() const;
  template <class Frame>
  void pushToAll(const Frame& frame);
  void take(const codec::VideoFrame& frame);
  void take(const codec::AudioFrame& frame);
  void take(const codec::EncodedVideoFrame& frame);
  void take(const codec::EncodedAudioFrame& frame);
  void take(const RtpInput& packet);
  template <class Frame>
  bool deliverToAll(const Frame& frame);
  const Shared<void(const codec::VideoFrame&)>& sinkOf(const codec::VideoFrame&) const {
    return videoSink_;
  }
  const Shared<void(const codec::AudioFrame&)>& sinkOf(const codec::AudioFrame&) const {
    return audioSink_;
  }
  const Shared<void(const codec::EncodedVideoFrame&)>& sinkOf(
      const codec::EncodedVideoFrame&) const {
    return encodedSink_;
  }
  const Shared<void(const codec::EncodedAudioFrame&)>& sinkOf(
      const codec::EncodedAudioFrame&) const {
    return encodedAudioSink_;
  }
  template <class Wants>
  bool anyOfFamily(Wants wants) const;
  void setOwnMuted(bool muted);
  void waitForOwnSinks();
  void countSource(const codec::VideoFrame& frame);
  void countSource(const codec::AudioFrame& frame);

  const std::weak_ptr<LoopCore> loop_;
  mutable std::mutex mutex_;
  bool enabled_ = true;
  bool muted_;
  TrackState state_ = TrackState::Live;
  int sinksRunning_ = 0;
  std::thread::id sinkThread_;  ///< media of a track is delivered by one thread
  std::condition_variable sinkEnded_;
  std::vector<std::shared_ptr<FrameConsumer>> consumers_;
  std::shared_ptr<TrackFamily> family_;
  std::string contentHint_;
  SourceStats source_;
  std::array<uint16_t, 3> payloadNumbers_{};  ///< by encoding
  FrameRate sourceRate_;
  Shared<void(const codec::VideoFrame&)> videoSink_;
  Shared<void(const codec::AudioFrame&)> audioSink_;
  Shared<void(const codec::EncodedVideoFrame&)> encodedSink_;
  Shared<void(const codec::EncodedAudioFrame&)> encodedAudioSink_;
  Shared<void()> onMute_, onUnmute_, onEnded_, onKeyFrameNeeded_;
  Shared<void(DataRate)> onTargetBitrate_;
};

}  // namespace parley::api_internal
