#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "parley/base/bytes.h"
#include "parley/base/time.h"
#include "parley/codec/video_frame.h"

namespace parley::codec {

/// What an encoder tells about a VP8 frame. Numbers that it does not set are assigned by the send
/// stream (RFC 7741 section 4.2).
struct Vp8Info {
  std::optional<uint16_t> pictureId;  ///< 15 bits
  std::optional<uint8_t> tl0PicIdx;
  bool nonReference = false;  ///< no later frame refers to this one
  bool layerSync = false;     ///< refers to the base layer only
};

/// The same for VP9 (RFC 9628 section 4.2).
struct Vp9Info {
  std::optional<uint16_t> pictureId;
  std::optional<uint8_t> tl0PicIdx;
  bool flexibleMode = false;
  bool interPicturePredicted = false;
  bool interLayerPredicted = false;
  bool switchingPoint = false;
  bool endOfPicture = true;           ///< last spatial layer of the picture
  std::array<uint8_t, 3> refDiffs{};  ///< flexible mode: distances in pictures
  uint8_t refCount = 0;
  uint8_t spatialLayers = 1;
  struct LayerSize {
    uint16_t width = 0;
    uint16_t height = 0;
  };
  std::array<LayerSize, 3> layerSizes{};  ///< on key frames with several spatial layers
};

using CodecInfo = std::variant<std::monostate, Vp8Info, Vp9Info>;

/// One compressed picture (or one spatial layer of one).
struct EncodedVideoFrame {
  Bytes data;
  bool keyFrame = false;
  uint32_t rtpTimestamp = 0;  ///< 90 kHz, without the stream's random offset
  Timestamp capture{};
  int width = 0;
  int height = 0;
  int qp = -1;  ///< quantizer in the codec's own scale; -1 unknown
  uint8_t temporalId = 0;
  uint8_t spatialId = 0;
  uint8_t temporalLayers = 1;
  VideoRotation rotation = VideoRotation::None;
  bool screenContent = false;  ///< text and drawings rather than film
  CodecInfo info;
  /// From an application's own encoder, for a sender with several encodings (simulcast): the index
  /// of the one that it is.
  uint8_t encodingIndex = 0;
  /// Of a received frame: the encoding name of SDP, e.g. "H264". What is sent is in its track's.
  std::string codec{};
};

/// One packet's worth of compressed sound.
struct EncodedAudioFrame {
  Bytes data;
  uint32_t rtpTimestamp = 0;  ///< RTP clock of the codec, without the stream's random offset
  uint32_t samples = 0;       ///< duration in RTP clock units
  Timestamp capture{};
  bool dtx = false;          ///< silence that need not be sent (RFC 7587 section 3.1.3)
  uint8_t audioLevel = 127;  ///< RFC 6464: -dBov
  bool voice = false;
  std::string codec{};  ///< as EncodedVideoFrame::codec
};

/// A borrowed compressed picture for a decoder.
struct EncodedVideoView {
  ByteSpan data;
  bool keyFrame = false;
  uint32_t rtpTimestamp = 0;
  Timestamp capture{};
  VideoRotation rotation = VideoRotation::None;
};

}  // namespace parley::codec
