#include "devices/key_frame.h"

#include "parley/rtp/payload_format/vpx_frame_header.h"

namespace parley::devices {
namespace {

std::optional<KeyFrameHeader> keyFrameOf(PictureCodec codec,
                                         const std::optional<rtp::VpxFrameHeader>& header) {
  if (!header || !header->keyFrame || !header->width || *header->width == 0 ||
      *header->height == 0) {
    return std::nullopt;
  }
  return KeyFrameHeader{codec, *header->width, *header->height};
}

}  // namespace

std::optional<KeyFrameHeader> readKeyFrame(ByteSpan frame) {
  // Their start codes are in different places; a VP8 tag cannot be mistaken, since it is checked
  // first and completely.
  if (auto header = keyFrameOf(PictureCodec::Vp8, rtp::parseVp8FrameHeader(frame))) return header;
  return keyFrameOf(PictureCodec::Vp9, rtp::parseVp9FrameHeader(frame));
}

}  // namespace parley::devices
