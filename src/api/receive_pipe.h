#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "parley/codec/audio_codec.h"
#include "parley/codec/comfort_noise.h"
#include "parley/codec/corruption_samples.h"
#include "parley/codec/video_codec.h"
#include "parley/media/receive_types.h"

#include "api/frame_rate.h"
#include "api/layer_chooser.h"
#include "api/media_pipe.h"
#include "api/render_timing.h"
#include "api/track_core.h"
#include "api/transform_slot.h"
#include "api/worker.h"

namespace parley::api_internal {

/// Where the time of one picture went, as far as its sender has told (video timing).
struct FrameTiming {
  uint32_t rtpTimestamp = 0;
  rtp::VideoTimingValue sender;         ///< from its capture on
  std::optional<Timestamp> captured{};  ///< estimated
  Timestamp receiveStart;
  Timestamp receiveEnd;
  Timestamp decodeStart;
  Timestamp decodeEnd;
  Timestamp render;

  Duration total() const { return render - captured.value_or(receiveStart); }
};

/// What a decoder has done so far, for inbound-rtp statistics.
struct DecodeStats {
  uint64_t framesDecoded = 0;
  uint64_t keyFramesDecoded = 0;
  uint64_t framesDropped = 0;  ///< decoder busy or broken frame
  Duration totalDecodeTime{};
  std::optional<uint64_t> qpSum;  ///< nothing if the decoder does not tell
  double framesPerSecond = 0;
  uint32_t shownSsrc = 0;  ///< of the layer that is decoded, if the peer sends simulcast
  RenderTiming::Totals rendering;
  int width = 0;
  int height = 0;
  std::string implementation;
  bool powerEfficient = false;
  /// From the arrival of a frame's first packet to the end of its decoding, summed; seconds. For
  /// sound only the decoding, summed over samples.
  double processingDelay = 0;
  uint64_t samplesReceived = 0;
  uint64_t concealedSamples = 0;
  double totalAudioEnergy = 0;
  double totalSamplesSeconds = 0;
  double audioLevel = 0;
  // Of what went to a sink.
  uint64_t playedSamples = 0;
  double playoutDelay =
      0;  ///< how long before its time it went there; seconds, summed over samples
  /// The newest capture time that is known, by the sender's clock, and when that was or will be
  /// played.
  std::optional<NtpTime> captured;
  Timestamp playedAt;
  std::optional<FrameTiming> timing;  ///< of the slowest picture lately
  uint64_t corruptionMeasurements = 0;
  double corruptionProbability = 0;         ///< summed
  double squaredCorruptionProbability = 0;  ///< likewise
};

/// What an app's transform has done with a frame: `Taken` ones come back later, or never.
enum class Verdict : uint8_t { Goes, Dropped, Taken };

/// From compressed pictures, in decodable order and due now, to a track's sinks.
class VideoReceivePipe final : public MediaPipe,
                               public std::enable_shared_from_this<VideoReceivePipe> {
 public:
  VideoReceivePipe(std::shared_ptr<codec::VideoDecoderFactory> factory,
                   std::shared_ptr<Worker> worker, std::shared_ptr<TrackCore> track,
                   std::function<void(bool lost)> needKeyFrame, std::function<Timestamp()> clock);

  /// The formats that may come, by the codec's name.
  void configure(std::vector<codec::SdpVideoFormat> formats);
  /// True: the decoder is so far behind that the caller has to ask the sender for a key frame.
  /// (Not by `needKeyFrame`, which takes the loop's lock: the caller may hold it.)
  [[nodiscard]] bool push(media::ReceivedFrame&& frame);
  /// Runs on what came from the network; empty = none. Gives the former
  /// one, to be destroyed without any lock.
  [[nodiscard]] TransformSlot::Held setTransform(AppTransform transform);
  void stop();
  DecodeStats stats() const;

 private:
  void schedule();
  void decodeNext();
  /// To the sinks, after the app's transform.
  void show(const media::ReceivedFrame& frame);
  void decode(const media::ReceivedFrame& frame);
  /// The app's transform, if there is one.
  Verdict transform(media::ReceivedFrame& frame);
  /// Whether the frame is of the layer that is shown.
  bool choose(const media::ReceivedFrame& frame);
  /// How likely it is that the picture is not what was sent, if the frame tells.
  std::optional<double> judge(const media::ReceivedFrame& frame, const codec::VideoFrame& picture);
  // With the mutex held.
  void noteDecoded(const media::ReceivedFrame& frame, const codec::VideoFrame& picture,
                   Timestamp begin, Timestamp end);
  void noteCorruption(double probability);
  void noteTiming(const media::ReceivedFrame& frame, Timestamp begin, Timestamp end);
  /// To the sink for compressed frames, if there is one.
  void showEncoded(const media::ReceivedFrame& frame);
  enum class Decoder : uint8_t { Ready, Failed, None };
  Decoder ensureDecoder(const std::string& codecName);

  const std::shared_ptr<codec::VideoDecoderFactory> factory_;
  const std::shared_ptr<TrackCore> track_;
  const std::function<void(bool lost)> needKeyFrame_;  ///< lost: no other frame is of use
  const std::function<Timestamp()> clock_;

  std::vector<codec::SdpVideoFormat> formats_;
  std::deque<media::ReceivedFrame> pending_;
  bool scheduled_ = false;  ///< a job waits for the worker
  bool skipToKeyFrame_ = false;
  DecodeStats stats_;
  FrameRate decodedRate_;
  RenderTiming rendering_;
  TransformSlot transform_;
  LayerChooser layers_;

  // Used by the worker only.
  std::unique_ptr<codec::VideoDecoder> decoder_;
  std::string decoderCodec_;
  codec::CorruptionJudge corruption_;
  uint32_t corruptionSsrc_ = 0;  ///< of the stream that it counts along with
  bool encodedFlows_ = false;    ///< the sink has had a key frame
};

/// From the 20 ms units of the jitter buffer to sound in pieces of 10 ms.
class AudioReceivePipe final : public MediaPipe,
                               public std::enable_shared_from_this<AudioReceivePipe> {
 public:
  AudioReceivePipe(std::shared_ptr<codec::AudioDecoderFactory> factory,
                   std::shared_ptr<Worker> worker, std::shared_ptr<TrackCore> track,
                   std::function<Timestamp()> clock);

  void configure(std::vector<codec::SdpAudioFormat> formats);
  void push(media::AudioPlayoutUnit&& unit);
  /// As VideoReceivePipe::setTransform.
  [[nodiscard]] TransformSlot::Held setTransform(AppTransform transform);
  void stop();
  DecodeStats stats() const;

 private:
  void decodeAll();
  /// To the sinks, after the app's transform.
  void play(const media::AudioPlayoutUnit& unit);
  void decode(const media::AudioPlayoutUnit& unit);
  void playNoise(const media::AudioPlayoutUnit& unit, size_t samples);
  Verdict transform(media::AudioPlayoutUnit& unit);
  void emit(std::span<const int16_t> samples, size_t channels, const media::AudioPlayoutUnit& unit,
            bool concealed);
  bool ensureDecoder(const std::string& codecName);

  const std::shared_ptr<codec::AudioDecoderFactory> factory_;
  const std::shared_ptr<TrackCore> track_;
  const std::function<Timestamp()> clock_;

  std::vector<codec::SdpAudioFormat> formats_;
  std::deque<media::AudioPlayoutUnit> pending_;
  bool scheduled_ = false;
  DecodeStats stats_;
  TransformSlot transform_;

  std::unique_ptr<codec::AudioDecoder> decoder_;
  std::string decoderCodec_;
  codec::ComfortNoise noise_;
  std::vector<int16_t> buffer_;
  std::vector<int16_t> carry_;  ///< less than 10 ms, waiting for more
};

}  // namespace parley::api_internal
