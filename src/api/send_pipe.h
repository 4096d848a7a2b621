#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "parley/api/rtp_transceiver.h"
#include "parley/codec/audio_codec.h"
#include "parley/codec/video_codec.h"

#include "api/audio_timeline.h"
#include "api/frame_rate.h"
#include "api/quality_limitation.h"
#include "api/track_core.h"
#include "api/transform_slot.h"
#include "api/worker.h"

namespace parley::api_internal {

/// What an encoder has done so far, for outbound-rtp and media-source statistics.
struct EncodeStats {
  uint64_t framesIn = 0;
  uint64_t framesEncoded = 0;
  uint64_t keyFramesEncoded = 0;
  uint64_t framesDropped = 0;  ///< encoder busy
  Duration totalEncodeTime{};
  std::optional<uint64_t> qpSum;  ///< nothing if the encoder does not tell
  double framesPerSecond = 0;
  QualityLimitation limitation = QualityLimitation::None;
  QualityLimitations::Durations limitedFor{};
  int width = 0;
  int height = 0;
  std::string implementation;
  bool powerEfficient = false;
};

/// From raw pictures to compressed ones, for one sender: a bounded queue, an encoder that lives on
/// the worker, and the newest wishes of the network. Any thread.
class VideoSendPipe final : public FrameConsumer,
                            public std::enable_shared_from_this<VideoSendPipe> {
 public:
  using Output = std::function<void(const codec::EncodedVideoFrame&)>;
  struct Settings {
    codec::SdpVideoFormat format;
    double scaleDownBy = 1.0;
    std::optional<ResolutionRestriction> scaleDownTo{};  ///< in place of it
    std::optional<double> maxFramerate;
    std::optional<DataRate> maxBitrate;
    bool active = true;
    bool screenContent = false;  ///< the track's, not the app's
    uint32_t ssrc = 0;           ///< for the app's transform, as is the next
    uint8_t payloadType = 0;
    std::string rid;    ///< of a layer of simulcast
    uint8_t index = 0;  ///< among the sender's encodings
    codec::ScalabilityMode scalability;
    uint32_t timestampOffset = 0;
  };

  VideoSendPipe(std::shared_ptr<codec::VideoEncoderFactory> factory, std::shared_ptr<Worker> worker,
                Output output, std::function<Timestamp()> clock);

  /// Starts or changes what is produced; an empty format name pauses. True if that ends a pause.
  bool configure(Settings settings);
  /// Zero, as before the first call, pauses: nothing is encoded. True if that ends a pause.
  bool setTargetRate(DataRate rate);
  /// Whether it is paused because the rate is given to smaller layers of the same picture.
  void setStarved(bool starved);
  /// The next picture will be a key frame, as it is after every pause. False while it is paused.
  bool requestKeyFrame();
  /// Runs on what the encoder gives; empty = none. Gives the former
  /// one, to be destroyed without any lock.
  [[nodiscard]] TransformSlot::Held setTransform(TransformSlot::Held transform);
  /// No frame leaves after it returns, except one being encoded right now.
  void stop();
  EncodeStats stats() const;

  void onVideo(const codec::VideoFrame& frame) override;
  /// Text and drawings are encoded for sharpness.
  void onContentHint(const std::string& hint) override;
  void onEncodedVideo(const codec::EncodedVideoFrame& frame, const std::string& codec) override;

 private:
  bool isPaused() const {
    return stopped_ || !settings_.active || settings_.format.name.empty() || rate_.isZero();
  }
  bool endsPause(bool wasPaused);
  void countEncoded(const codec::EncodedVideoFrame& frame);
  /// Through the app's transform, if there is one, to the network.
  void emit(codec::EncodedVideoFrame& frame);
  /// For an app that takes its time: all of the frame but its bytes is kept.
  FrameWriter writerOf(const codec::EncodedVideoFrame& frame);
  void encodeNext();
  bool takeJob(codec::VideoFrame& frame, Settings& settings, DataRate& rate, bool& keyFrame,
               bool& restart);
  void encode(const codec::VideoFrame& frame, const Settings& settings, DataRate rate,
              bool keyFrame, bool restart);

  const std::shared_ptr<codec::VideoEncoderFactory> factory_;
  const std::shared_ptr<Worker> worker_;
  const Output output_;
  const std::function<Timestamp()> clock_;

  mutable std::mutex mutex_;
  Settings settings_;
  bool settingsChanged_ = false;
  DataRate rate_;
  bool keyFrameWanted_ = true;
  bool starved_ = false;
  bool stopped_ = false;
  std::deque<codec::VideoFrame> pending_;
  Timestamp lastTaken_;
  bool tookAny_ = false;
  EncodeStats stats_;
  FrameRate encodedRate_;
  QualityLimitations limitations_;
  TransformSlot transform_;

  // Used by the worker only.
  std::unique_ptr<codec::VideoEncoder> encoder_;
  codec::EncodedVideoFrame encoded_;
  DataRate encoderRate_;
};

/// The same for sound. Packets come out in the order the sound went in.
class AudioSendPipe final : public FrameConsumer,
                            public std::enable_shared_from_this<AudioSendPipe> {
 public:
  using Output = std::function<void(const codec::EncodedAudioFrame&)>;

  AudioSendPipe(std::shared_ptr<codec::AudioEncoderFactory> factory, std::shared_ptr<Worker> worker,
                Output output);

  /// What its packets carry, for the app's transform.
  struct OnTheWire {
    uint32_t ssrc = 0;
    uint8_t payloadType = 0;
    uint32_t timestampOffset = 0;
  };
  /// Starts or changes what is produced; `negotiated` false pauses.
  void configure(const codec::SdpAudioFormat& format, bool negotiated, OnTheWire onTheWire);
  /// As VideoSendPipe::setTransform.
  [[nodiscard]] TransformSlot::Held setTransform(AppTransform transform);
  /// The app's own switch (RTCRtpEncodingParameters.active).
  void setActive(bool active);
  /// Zero, as before the first call, pauses.
  void setTargetRate(DataRate rate, double lossFraction);
  void stop();
  EncodeStats stats() const;

  void onAudio(const codec::AudioFrame& frame) override;
  void onEncodedAudio(const codec::EncodedAudioFrame& frame, const std::string& codec) override;

 private:
  /// Through the app's transform, if there is one, to the network.
  void emit(codec::EncodedAudioFrame& frame);
  /// As VideoSendPipe::writerOf.
  FrameWriter writerOf(const codec::EncodedAudioFrame& frame);
  void encodeAll();

  const std::shared_ptr<codec::AudioEncoderFactory> factory_;
  const std::shared_ptr<Worker> worker_;
  const Output output_;

  mutable std::mutex mutex_;
  codec::SdpAudioFormat format_;
  OnTheWire onTheWire_;
  TransformSlot transform_;
  bool negotiated_ = false;
  bool active_ = true;
  bool formatChanged_ = false;
  bool scheduled_ = false;
  bool stopped_ = false;
  DataRate rate_;
  double loss_ = 0;
  bool ratesChanged_ = false;
  AudioTimeline timeline_;
  std::deque<codec::AudioFrame> pending_;
  EncodeStats stats_;

  std::unique_ptr<codec::AudioEncoder> encoder_;
  codec::EncodedAudioFrame encoded_;
};

}  // namespace parley::api_internal
