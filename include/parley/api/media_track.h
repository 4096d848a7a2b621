#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "parley/api/rtp_packets.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/units.h"
#include "parley/codec/audio_frame.h"
#include "parley/codec/encoded_frame.h"
#include "parley/codec/video_frame.h"
#include "parley/media/types.h"

namespace parley {

class Loop;
namespace api_internal {
class TrackCore;
}

/// "audio" or "video" (mediacapture-streams section 4.3.3).
using MediaKind = media::MediaKind;

/// MediaStreamTrackState (mediacapture-streams section 4.3.3).
enum class TrackState {
  Live,  ///< its source may deliver, now or later
  Ended  ///< never again
};

/// Makes pictures on the loop's own time: `next` is called once per frame interval. The library's
/// generated sources and clip players are of this kind; a camera pushes instead
/// (MediaStreamTrack::push).
class PARLEY_EXPORT VideoSource {
 public:
  virtual ~VideoSource() = default;
  /// Called on the loop's thread; must be quick. A frame with no buffer is skipped.
  virtual codec::VideoFrame next(Timestamp capture) = 0;
  /// Time between frames; read after each frame.
  virtual Duration interval() const = 0;
};

/// The same for sound: `next` is called every 10 ms.
class PARLEY_EXPORT AudioSource {
 public:
  virtual ~AudioSource() = default;
  /// Called on the loop's thread; must be quick.
  virtual codec::AudioFrame next(Timestamp capture) = 0;
};

/// A moving test pattern with a frame counter (codec::TestPattern). Both sides are 1 to 16384
/// pixels, `fps` is above 0.
PARLEY_EXPORT std::shared_ptr<VideoSource> createTestPatternSource(int width, int height,
                                                                   double fps = 30);
/// A pure tone, mono at 48 kHz; `amplitude` from 0 to 1, full scale.
PARLEY_EXPORT std::shared_ptr<AudioSource> createToneSource(double frequencyHz,
                                                            double amplitude = 0.5);
/// Noise with the rhythm of speech; never digital silence.
PARLEY_EXPORT std::shared_ptr<AudioSource> createSpeechNoiseSource();

/// MediaStreamTrack (mediacapture-streams section 4.3): a handle on one source of pictures or
/// sound. A local track is given to PeerConnection::addTrack and fed by its source or by `push`; a
/// remote one comes from `onTrack` and delivers to sinks. Thread rules: those of its Loop, except
/// `push`, which any thread may call.
class PARLEY_EXPORT MediaStreamTrack {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  MediaStreamTrack() = default;
  /// Whether it refers to a track, live or ended.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const MediaStreamTrack&) const = default;

  /// A track that the app pushes frames into. An empty handle without a loop, here and below, which
  /// addTrack answers with Type; as without a source, where one is to drive it.
  static MediaStreamTrack createVideo(const std::shared_ptr<Loop>& loop);
  /// The same for sound.
  static MediaStreamTrack createAudio(const std::shared_ptr<Loop>& loop);
  /// A track that the loop drives.
  static MediaStreamTrack createVideo(const std::shared_ptr<Loop>& loop,
                                      std::shared_ptr<VideoSource> source);
  /// The same for sound.
  static MediaStreamTrack createAudio(const std::shared_ptr<Loop>& loop,
                                      std::shared_ptr<AudioSource> source);
  /// A video track of frames that are compressed already (a hardware encoder, a file). `codecName`
  /// is the encoding name of SDP, e.g. "H264". A sender of the track sends the first agreed codec
  /// of that name, and nothing if there is none. Codecs without an encoder of the library are
  /// agreed with Configuration::encodedVideoFormats. H.264 and H.265 come as Annex B with their
  /// parameter sets in front of each key frame, AV1 as a low-overhead stream, all picture by
  /// picture.
  static MediaStreamTrack createEncodedVideo(const std::shared_ptr<Loop>& loop,
                                             std::string codecName);
  /// The same for sound, one packet's worth at a time (Configuration::encodedAudioFormats).
  static MediaStreamTrack createEncodedAudio(const std::shared_ptr<Loop>& loop,
                                             std::string codecName);
  /// A track of RTP packets that the app has (a camera's, another program's). They leave under the
  /// SSRC, payload type, numbers and extension ids of each sender, paced, and are repeated when the
  /// peer misses them; key frames and the bitrate are asked for by onKeyFrameNeeded and
  /// onTargetBitrate. Gaps in their numbers stay gaps; a source that begins anew (another SSRC,
  /// numbers that jump by thousands) goes on where the old one was. Not for a sender that has a
  /// transform, which they would pass by.
  static MediaStreamTrack createRtp(const std::shared_ptr<Loop>& loop, RtpTrackInit init);

  /// Of sound or of pictures; it never changes.
  MediaKind kind() const;
  /// Unique. A receiver's track has one of this end's, which is not in the descriptions.
  const std::string& id() const;
  /// A track that is not enabled sends black pictures or silence, or nothing if it is of compressed
  /// frames or of packets, and delivers nothing to its sinks. True at first.
  bool enabled() const;
  /// See `enabled`; from the next frame on.
  void setEnabled(bool enabled);
  /// Remote tracks only, where it is true at first: no media arrives at present.
  bool muted() const;
  /// Ended for good: by stop(), or when its transceiver or connection ends.
  TrackState readyState() const;
  /// Ends the track for good, without onEnded. Clones live on.
  void stop();
  /// Another track of the same source, with an id of its own, enabled and ended apart (W3C
  /// mediacapture-streams section 4.3). What is pushed into one reaches all that are alive.
  MediaStreamTrack clone() const;
  /// What the content is, so that encoders can suit it (mst-content-hint): empty, or "speech",
  /// "speech-recognition", "music"; for pictures "motion", "detail", "text".
  std::string contentHint() const;
  /// Anything else is ignored, as the specification has it.
  void setContentHint(std::string_view hint);

  /// Feeds a local track. Frames are dropped, oldest first, if encoding does not keep up.
  /// Type for the wrong kind or form of frame; InvalidAccess for a remote track; InvalidState after
  /// `stop`, unless a clone is alive.
  Result<void> push(const codec::VideoFrame& frame);
  Result<void> push(const codec::AudioFrame& frame);
  Result<void> push(const codec::EncodedVideoFrame& frame);
  Result<void> push(const codec::EncodedAudioFrame& frame);
  /// Feeds a track made by createRtp, with whole packets (RFC 3550) as they come: a few out of
  /// order do no harm, one that comes twice is sent once. `encodingIndex` says whose layer of
  /// simulcast it is. The bytes are copied. Type for another track, bytes that are no RTP packet,
  /// or another payload type than the track's; Range for more than 1400 bytes, which would not pass
  /// everywhere; InvalidState after `stop`. What is pushed while onTargetBitrate said zero is
  /// dropped, as is what does not fit in the pacer.
  Result<void> pushRtp(ByteSpan packet, uint8_t encodingIndex = 0);
  /// The same with payloads, which are numbered as they come.
  Result<void> push(const RtpPayload& payload);

  /// Receives every frame of the track; an empty function removes it. Those of a remote track come
  /// on media workers' threads, one each for pictures and sound of all tracks of the loop (the
  /// loop's thread with MediaThreads::Inline): hand them on, do not linger. Sound comes in 10 ms
  /// pieces at its playout time. After PeerConnection::close() no such sink starts; closeAndDrain()
  /// waits for running ones. Those of a local track come as they are made: within `push`, or on the
  /// loop's thread from its source.
  void setVideoSink(std::function<void(const codec::VideoFrame&)> sink);
  /// As setVideoSink.
  void setAudioSink(std::function<void(const codec::AudioFrame&)> sink);
  /// Remote video before decoding, in the form that createEncodedVideo describes. It begins with a
  /// key frame, which the peer is asked for; RtpReceiver::requestKeyFrame asks for more. With only
  /// this sink set nothing is decoded at all.
  void setEncodedVideoSink(std::function<void(const codec::EncodedVideoFrame&)> sink);
  /// Remote sound before decoding, packet by packet at its playout time: none for what is lost.
  void setEncodedAudioSink(std::function<void(const codec::EncodedAudioFrame&)> sink);

  // Callbacks, on the loop's thread; an empty function removes one.

  /// mute, of remote tracks: the peer does not send any more.
  void onMute(std::function<void()> callback);
  /// unmute, of remote tracks: media arrives.
  void onUnmute(std::function<void()> callback);
  /// ended: its transceiver or its source has; not after stop() or PeerConnection::close(). It is
  /// the last event: after it the track drops all its callbacks and sinks.
  void onEnded(std::function<void()> callback);
  /// Encoded tracks, and those of packets: the receiver needs a key frame as the next one.
  void onKeyFrameNeeded(std::function<void()> callback);
  /// The same tracks: how many bits per second to produce from now on. Zero is a pause (no network,
  /// or no room beside other streams): what is pushed meanwhile is dropped, as it is before the
  /// first call, and onKeyFrameNeeded follows when it ends. With several encodings (simulcast) the
  /// rate is that of all together; codec::EncodedVideoFrame::encodingIndex says whose a frame is.
  /// Sound is not told: what it may use is small beside pictures.
  void onTargetBitrate(std::function<void(DataRate)> callback);

  // For the library's own objects.
  explicit MediaStreamTrack(std::shared_ptr<api_internal::TrackCore> core)
      : core_(std::move(core)) {}
  const std::shared_ptr<api_internal::TrackCore>& core() const { return core_; }

 private:
  std::shared_ptr<api_internal::TrackCore> core_;
};

}  // namespace parley
