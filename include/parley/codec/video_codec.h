#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/units.h"
#include "parley/codec/encoded_frame.h"
#include "parley/codec/video_frame.h"

// Video codecs. An encoder or decoder belongs to one thread at a time (a media worker). None of
// them knows about RTP: packetization is keyed by codec name in the layer `rtp`.

namespace parley::codec {

/// The parameters of a=fmtp, in their order.
using FormatParameters = std::vector<std::pair<std::string, std::string>>;

/// A video format as SDP names it.
struct SdpVideoFormat {
  std::string name;             ///< encoding name, e.g. "VP8"; compared without case
  FormatParameters parameters;  ///< fmtp pairs
  std::vector<std::string> scalabilityModes{};  ///< W3C webrtc-svc names, e.g. "L1T2"

  /// Value of a parameter, or nullptr.
  const std::string* parameter(std::string_view key) const;
};

/// How a stream is cut into layers, of which receivers may get fewer (W3C webrtc-svc section 5).
struct ScalabilityMode {
  int spatialLayers = 1;   ///< 1..3, each twice as wide as the one below, or see `smallSteps`
  int temporalLayers = 1;  ///< 1..3, each twice as many pictures as the one below
  /// Upper spatial layers refer to lower ones in key frames only.
  bool keyOnly = false;
  bool independent = false;  ///< spatial layers never refer to each other ("S2T1")
  bool smallSteps = false;   ///< each spatial layer is 1.5 times as wide as the one below ("L2T1h")
  bool operator==(const ScalabilityMode&) const = default;
};

/// "L2T3_KEY" and the like; nothing for names that stand for something else.
PARLEY_EXPORT std::optional<ScalabilityMode> parseScalabilityMode(std::string_view name);

/// What an encoder starts with (VideoEncoder::configure).
struct VideoEncoderSettings {
  int width = 0;  ///< of the first frame; later frames may differ
  int height = 0;
  double maxFramerate = 30;
  DataRate startBitrate = DataRate::kbps(300);
  DataRate minBitrate = DataRate::kbps(30);
  DataRate maxBitrate = DataRate::kbps(2500);
  int threads = 1;         ///< upper bound
  int temporalLayers = 1;  ///< 1..3
  /// 1..3; one frame per layer of a picture comes out then. Only codecs that list such modes.
  int spatialLayers = 1;
  bool keyOnly = false;  ///< see ScalabilityMode, also of the next two
  bool independent = false;
  bool smallSteps = false;
  bool screenContent = false;
  bool dropFrames = true;  ///< skip pictures rather than exceed the rate
  int speed = 0;           ///< 0 = the codec's own choice for real time; larger is faster
};

/// Compresses the pictures of one encoding.
class PARLEY_EXPORT VideoEncoder {
 public:
  virtual ~VideoEncoder() = default;
  /// Starts anew with these settings; the next frame is a key frame. Errors: Range or
  /// NotSupported for impossible settings and layers that it cannot make, Operation if the codec
  /// refuses.
  virtual Result<void> configure(const VideoEncoderSettings& settings) = 0;
  /// Compresses one picture, as a key frame if `keyFrame`. A picture of another size restarts the
  /// encoder at that size. The result comes through poll(); a dropped picture yields none. Errors:
  /// Type without a picture, Range for a size that it cannot do, ResourceExhausted if earlier
  /// results wait to be polled, Operation if the codec fails.
  virtual Result<void> encode(const VideoFrame& frame, bool keyFrame) = 0;
  /// Takes the oldest result; false if there is none. `out.data` keeps its capacity.
  virtual bool poll(EncodedVideoFrame& out) = 0;
  /// What to aim at from the next picture on; `framerate` is how many come per second.
  virtual void setRates(DataRate target, double framerate) = 0;
  virtual std::string_view implementationName() const = 0;
  /// Whether hardware does it (webrtc-stats powerEfficientEncoder).
  virtual bool powerEfficient() const { return false; }
};

/// What became of a compressed picture.
enum class DecodeStatus : uint8_t {
  Ok,            ///< a picture came out
  NoOutput,      ///< accepted, but nothing to show
  NeedKeyFrame,  ///< cannot be decoded without a key frame: ask for one
  Error,         ///< broken or beyond the limits: ask for a key frame
};

/// What a decoder starts with.
struct VideoDecoderSettings {
  int maxWidth = 4096;   ///< larger pictures are refused before any memory is taken for them
  int maxHeight = 2304;  ///< (either way round)
  int threads = 1;
};

/// Makes pictures of what one stream brings.
class PARLEY_EXPORT VideoDecoder {
 public:
  virtual ~VideoDecoder() = default;
  /// Never fails on hostile bytes other than by its status. `out` is written only for Ok.
  virtual DecodeStatus decode(const EncodedVideoView& frame, VideoFrame& out) = 0;
  /// Quantizer of the picture decoded last, in the codec's own scale; -1 unknown.
  virtual int lastQp() const { return -1; }
  /// Forgets all references; the next frame must be a key frame.
  virtual void reset() = 0;
  virtual std::string_view implementationName() const = 0;
  /// Whether hardware does it (webrtc-stats powerEfficientDecoder).
  virtual bool powerEfficient() const { return false; }
};

/// Creates encoders and keeps nothing. Implement it to plug in a hardware encoder. Thread rule: any
/// thread, several at a time.
class PARLEY_EXPORT VideoEncoderFactory {
 public:
  virtual ~VideoEncoderFactory() = default;
  /// In order of preference.
  virtual std::vector<SdpVideoFormat> supportedFormats() const = 0;
  /// Error NotSupported for a format that is not in the list.
  virtual Result<std::unique_ptr<VideoEncoder>> create(
      const SdpVideoFormat& format, const VideoEncoderSettings& settings) const = 0;
};

/// The same for decoders.
class PARLEY_EXPORT VideoDecoderFactory {
 public:
  virtual ~VideoDecoderFactory() = default;
  virtual std::vector<SdpVideoFormat> supportedFormats() const = 0;
  virtual Result<std::unique_ptr<VideoDecoder>> create(
      const SdpVideoFormat& format, const VideoDecoderSettings& settings) const = 0;
};

}  // namespace parley::codec
