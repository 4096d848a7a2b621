#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "parley/api/rtp_transceiver.h"
#include "parley/codec/audio_codec.h"
#include "parley/codec/corruption_samples.h"
#include "parley/codec/video_codec.h"

#include "api/audio_timeline.h"
#include "api/frame_rate.h"
#include "api/media_pipe.h"
#include "api/packet_time.h"
#include "api/quality_limitation.h"
#include "api/track_core.h"
#include "api/transform_slot.h"
#include "api/worker.h"
#include "media/quality_scaler.h"

namespace parley::api_internal {

/// What an encoder has done so far, for outbound-rtp and media-source statistics.
struct EncodeStats {
  uint64_t framesIn = 0;
  uint64_t framesEncoded = 0;
  uint64_t keyFramesEncoded = 0;
  uint64_t framesDropped = 0;  ///< encoder busy
  Duration totalEncodeTime{};
  std::optional<uint64_t> qpSum;  ///< nothing if the encoder does not tell
  codec::Psnr psnrSum{};
  uint64_t psnrMeasurements = 0;  ///< how many pictures were measured
  /// What the encoded pictures should have come to, by the rate and the time that each stands for;
  /// nothing for frames that the application compressed.
  std::optional<double> bytesTarget;
  double framesPerSecond = 0;
  uint64_t sizeChanges = 0;  ///< ours, for want of rate or time
  QualityLimitation limitation = QualityLimitation::None;
  QualityLimitations::Durations limitedFor{};
  int width = 0;
  int height = 0;
  std::string implementation;
  bool powerEfficient = false;
};

/// From raw pictures to compressed ones, for one sender: a bounded queue, an encoder that lives on
/// the worker, and the newest wishes of the network. Any thread.
class VideoSendPipe final : public MediaPipe,
                            public FrameConsumer,
                            public std::enable_shared_from_this<VideoSendPipe> {
 public:
  using Output = std::function<void(const codec::EncodedVideoFrame&)>;
  using RtpOutput = std::function<void(const RtpInput&)>;
  struct Settings {
    codec::SdpVideoFormat format;
    double scaleDownBy = 1.0;
    std::optional<ResolutionRestriction> scaleDownTo{};  ///< in place of it
    std::optional<double> maxFramerate;
    std::optional<DataRate> maxBitrate;
    bool active = true;
    /// What may be given up; nothing: what suits the track's content.
    std::optional<media::Degradation> degradation{};
    bool adapts = true;          ///< false: nothing may, one layer of several
    bool screenContent = false;  ///< the track's, not the app's
    uint32_t ssrc = 0;           ///< for the app's transform, as is the next
    uint8_t payloadType = 0;
    std::string rid;    ///< of a layer of simulcast
    uint8_t index = 0;  ///< among the sender's encodings
    codec::ScalabilityMode scalability;
    uint32_t timestampOffset = 0;
    bool samplesPictures = false;  ///< for the peer to compare with what it decodes
  };

  VideoSendPipe(std::shared_ptr<codec::VideoEncoderFactory> factory, std::shared_ptr<Worker> worker,
                Output output, RtpOutput rtpOutput, std::function<Timestamp()> clock);

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
  void onRtp(const RtpInput& packet, const std::string& codec) override;

 private:
  bool isPaused() const {
    return stopped_ || !settings_.active || settings_.format.name.empty() || rate_.isZero();
  }
  bool endsPause(bool wasPaused);
  void tuneScaler();
  void noteLimits(Timestamp now);
  void countEncoded(const codec::EncodedVideoFrame& frame);
  void countTarget(Timestamp capture, DataRate rate, double fps);
  /// Through the app's transform, if there is one, to the network.
  void emit(codec::EncodedVideoFrame& frame);
  /// Samples of what was encoded, where the peer compares them.
  void sampleInput(const codec::VideoFrame& input, const Settings& settings);
  void encodeNext();
  struct Job {
    codec::VideoFrame frame;
    Settings settings;
    DataRate rate;
    double scale = 1;  ///< ours, beside the app's
    double framerate = 30;
    bool keyFrame = false;
    bool restart = false;
  };
  bool takeJob(Job& job);
  void encode(Job& job);
  bool prepareEncoder(const Job& job);

  const std::shared_ptr<codec::VideoEncoderFactory> factory_;
  const Output output_;
  const RtpOutput rtpOutput_;
  const std::function<Timestamp()> clock_;

  Settings settings_;
  bool settingsChanged_ = false;
  DataRate rate_;
  bool keyFrameWanted_ = true;
  bool starved_ = false;
  std::deque<codec::VideoFrame> pending_;
  FrameRateLimit appLimit_;
  FrameRateLimit ownLimit_;
  EncodeStats stats_;
  std::optional<Timestamp> lastEncoded_;  ///< capture time, of the picture encoded last
  FrameRate encodedRate_;
  QualityLimitations limitations_;
  media::Degradation contentDegradation_ = media::Degradation::Balanced;
  media::QualityScaler scaler_;
  TransformSlot transform_;

  // Used by the worker only.
  std::unique_ptr<codec::VideoEncoder> encoder_;
  codec::EncodedVideoFrame encoded_;
  std::array<codec::CorruptionSampler, 3> samplers_;  ///< by spatial layer
  DataRate encoderRate_;
  double encoderFramerate_ = 0;
  double lastScale_ = 0;
};

/// The same for sound. Packets come out in the order the sound went in.
class AudioSendPipe final : public MediaPipe,
                            public FrameConsumer,
                            public std::enable_shared_from_this<AudioSendPipe> {
 public:
  using Output = std::function<void(const codec::EncodedAudioFrame&)>;
  using RtpOutput = VideoSendPipe::RtpOutput;

  AudioSendPipe(std::shared_ptr<codec::AudioEncoderFactory> factory, std::shared_ptr<Worker> worker,
                Output output, RtpOutput rtpOutput);

  /// What its packets carry, for the app's transform.
  struct OnTheWire {
    uint32_t ssrc = 0;
    uint8_t payloadType = 0;
    uint32_t timestampOffset = 0;
    std::optional<Duration> maxPacketTime{};  ///< the peer's
  };
  /// Starts or changes what is produced; `negotiated` false pauses.
  void configure(const codec::SdpAudioFormat& format, bool negotiated, OnTheWire onTheWire);
  /// As VideoSendPipe::setTransform.
  [[nodiscard]] TransformSlot::Held setTransform(TransformSlot::Held transform);
  /// The app's own switch (RTCRtpEncodingParameters.active).
  void setActive(bool active);
  /// Whether packets may get longer where there is little rate (RTCRtpEncodingParameters).
  void setAdaptivePtime(bool adaptive);
  /// Zero, as before the first call, pauses.
  void setTargetRate(DataRate rate, double lossFraction);
  void stop();
  EncodeStats stats() const;

  void onAudio(const codec::AudioFrame& frame) override;
  void onEncodedAudio(const codec::EncodedAudioFrame& frame, const std::string& codec) override;
  void onRtp(const RtpInput& packet, const std::string& codec) override;

 private:
  /// Through the app's transform, if there is one, to the network.
  void emit(codec::EncodedAudioFrame& frame);
  void encodeAll();

  const std::shared_ptr<codec::AudioEncoderFactory> factory_;
  const Output output_;
  const RtpOutput rtpOutput_;

  codec::SdpAudioFormat format_;
  OnTheWire onTheWire_;
  TransformSlot transform_;
  bool negotiated_ = false;
  bool active_ = true;
  bool formatChanged_ = false;
  bool scheduled_ = false;
  DataRate rate_;
  double loss_ = 0;
  bool ratesChanged_ = false;
  bool adaptivePtime_ = false;
  PacketTime packetTime_;
  AudioTimeline timeline_;
  std::deque<codec::AudioFrame> pending_;
  EncodeStats stats_;

  std::unique_ptr<codec::AudioEncoder> encoder_;
  codec::EncodedAudioFrame encoded_;
};

}  // namespace parley::api_internal
