#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "parley/base/units.h"
#include "parley/codec/audio_frame.h"

#include "devices/av.h"
#include "devices/convert.h"

namespace parley::devices {

/// Compresses pieces of sound, each with its time, to one Opus stream without holes: 48 kHz stereo,
/// packets of 20 ms whose times are in samples from the origin of the frames' time line.
class OpusTrack {
 public:
  using Output = std::function<void(av::Packet)>;

  static Result<OpusTrack> create(DataRate bitrate);
  const AVCodecContext& context() const { return *context_; }

  /// False: the piece came too late and was left out.
  bool push(const codec::AudioFrame& frame, const Output& output);
  /// Compresses what is left; nothing can be pushed afterwards.
  void finish(const Output& output);
  Duration silenceInserted() const { return silence_; }

 private:
  OpusTrack() = default;
  void pad(const Output& output);
  void append(const StereoConverter::Piece& piece, const Output& output);
  void encode(const AVFrame* frame, const Output& output);

  av::CodecContext context_;
  av::Frame frame_;
  StereoConverter converter_;
  std::vector<int16_t> waiting_;       ///< less than a packet
  std::optional<int64_t> nextSample_;  ///< time of the sample that comes next
  Duration silence_{};
};

}  // namespace parley::devices
