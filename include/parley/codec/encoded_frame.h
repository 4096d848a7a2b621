#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "parley/base/bytes.h"
#include "parley/base/inline_vector.h"
#include "parley/base/time.h"
#include "parley/codec/contributor.h"
#include "parley/codec/video_frame.h"
#include "parley/rtp/extensions/corruption_detection.h"
#include "parley/rtp/payload_format/vp9_descriptor.h"

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
  /// On key frames, not in flexible mode: the pictures of the pattern that the encoder repeats,
  /// from the key frame on, each with what it refers to. Empty: one temporal layer, or nobody
  /// knows.
  InlineVector<rtp::Vp9ScalabilityStructure::Picture, 4> group{};
};

/// What is told of an AV1 frame: one spatial layer of a picture, without its temporal delimiter
/// from the second layer on. Dependency descriptors carry it to the peer, where they are agreed.
struct Av1Info {
  bool interPicturePredicted = false;
  bool interLayerPredicted = false;
  bool endOfPicture = true;  ///< last spatial layer of the picture
  uint8_t spatialLayers = 1;
  std::array<Vp9Info::LayerSize, 3> layerSizes{};  ///< on key frames with several spatial layers
  /// How many frames back those are that it refers to, layers of one picture counted each; nothing:
  /// what the layers make likely.
  std::optional<InlineVector<uint16_t, 8>> frameDiffs{};
};

using CodecInfo = std::variant<std::monostate, Vp8Info, Vp9Info, Av1Info>;

/// How much of a picture compression has kept: peak signal-to-noise ratio of each plane, in dB.
struct Psnr {
  double y = 0;
  double u = 0;
  double v = 0;
};

/// One compressed picture (or one spatial layer of one).
struct EncodedVideoFrame {
  Bytes data;
  bool keyFrame = false;
  uint32_t rtpTimestamp = 0;  ///< 90 kHz, without the stream's random offset
  Timestamp capture{};
  int width = 0;
  int height = 0;
  int qp = -1;  ///< quantizer in the codec's own scale; -1 unknown
  /// Of what comes out of it compared with what went in, if the encoder has measured it this time
  /// (webrtc-stats psnrSum).
  std::optional<Psnr> psnr{};
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
  /// When the encoder began and ended with it; told to the peer where video timing is agreed.
  std::optional<Timestamp> encodeStart{};
  std::optional<Timestamp> encodeEnd{};
  /// Of the picture before it was encoded; told to the peer where corruption detection is agreed.
  std::optional<rtp::CorruptionDetectionValue> corruption{};

  /// False for all but the last of a picture's spatial layers.
  bool endsPicture() const {
    if (const auto* vp9 = std::get_if<Vp9Info>(&info)) return vp9->endOfPicture;
    const auto* av1 = std::get_if<Av1Info>(&info);
    return av1 == nullptr || av1->endOfPicture;
  }
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
  std::string codec{};          ///< as EncodedVideoFrame::codec
  Contributors contributors{};  ///< of a mix
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
