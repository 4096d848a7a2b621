#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/units.h"
#include "parley/codec/audio_frame.h"
#include "parley/codec/encoded_frame.h"
#include "parley/codec/video_codec.h"

namespace parley::codec {

/// An audio format as SDP names it.
struct SdpAudioFormat {
  std::string name;        ///< e.g. "opus"; compared without case
  int clockRate = 48'000;  ///< RTP clock
  size_t channels = 1;
  FormatParameters parameters;

  const std::string* parameter(std::string_view key) const;
};

/// What an encoder starts with.
struct AudioEncoderSettings {
  size_t channels = 1;
  DataRate bitrate = DataRate::kbps(32);
  Duration packetTime = Duration::millis(20);  ///< 10, 20, 40 or 60 ms
  bool fec = true;   ///< in-band, used as much as the reported loss asks for
  bool dtx = false;  ///< stop sending in silence
  bool constantBitrate = false;
  bool music = false;  ///< tuned for fidelity rather than speech
  int complexity = 5;  ///< 0..10
};

/// Compresses the sound of one sender; it belongs to one thread at a time, as decoders do.
class PARLEY_EXPORT AudioEncoder {
 public:
  virtual ~AudioEncoder() = default;
  /// Takes 10 ms of sound at 48 kHz or at the codec's own rate; true if that completed a packet in
  /// `out`. Mono is spread to, and stereo mixed down to, the configured channels. An invalid frame
  /// is ignored (false).
  virtual bool encode(const AudioFrame& frame, EncodedAudioFrame& out) = 0;
  /// `lossFraction` in 0..1 steers forward error correction.
  virtual void setRates(DataRate target, double lossFraction) = 0;
  /// How much sound the packets after the one under way carry: 20, 40 or 60 ms. An encoder that
  /// knows one length only keeps it.
  virtual void setPacketTime(Duration /*time*/) {}
  virtual int rtpClockRate() const = 0;
};

/// Turns packets into sound at 48 kHz, whatever the RTP clock. Sample counts are per channel.
class PARLEY_EXPORT AudioDecoder {
 public:
  /// 120 ms, the longest packet (RFC 6716 section 3.1).
  static constexpr size_t kMaxPacketSamples = 5760;
  static constexpr int kSampleRate = 48'000;

  virtual ~AudioDecoder() = default;
  virtual size_t channels() const = 0;
  virtual int rtpClockRate() const = 0;
  /// `out` should hold kMaxPacketSamples * channels(). nullopt: broken packet, nothing written (the
  /// caller conceals).
  virtual std::optional<size_t> decode(ByteSpan packet, std::span<int16_t> out) = 0;
  /// Invents `samples` in place of a lost packet (a multiple of 10 ms, at most kMaxPacketSamples).
  virtual size_t conceal(size_t samples, std::span<int16_t> out) = 0;
  /// Recovers the packet lost just before `next` from redundancy inside `next` (RFC 6716 section
  /// 2.1.7); conceals if there is none. Call it before decode(next).
  virtual size_t decodeFec(ByteSpan next, size_t samples, std::span<int16_t> out) = 0;
  /// True if decodeFec(next) would find redundancy.
  virtual bool hasFec(ByteSpan next) const = 0;
  /// Duration of a packet without decoding it; nullopt if broken.
  virtual std::optional<size_t> packetSamples(ByteSpan packet) const = 0;
  virtual void reset() = 0;
};

/// Creates encoders and keeps nothing. Thread rule: any thread, several at a time.
class PARLEY_EXPORT AudioEncoderFactory {
 public:
  virtual ~AudioEncoderFactory() = default;
  /// In order of preference.
  virtual std::vector<SdpAudioFormat> supportedFormats() const = 0;
  /// Errors: NotSupported for a format that is not in the list, Range for impossible settings,
  /// Operation if the codec refuses.
  virtual Result<std::unique_ptr<AudioEncoder>> create(
      const SdpAudioFormat& format, const AudioEncoderSettings& settings) const = 0;
};

/// The same for decoders.
class PARLEY_EXPORT AudioDecoderFactory {
 public:
  virtual ~AudioDecoderFactory() = default;
  /// In order of preference.
  virtual std::vector<SdpAudioFormat> supportedFormats() const = 0;
  /// Errors: NotSupported for a format that is not in the list, Operation if the codec refuses.
  virtual Result<std::unique_ptr<AudioDecoder>> create(const SdpAudioFormat& format) const = 0;
};

}  // namespace parley::codec
