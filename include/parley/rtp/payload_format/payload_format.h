#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/rtp/payload_format/av1_obu.h"
#include "parley/rtp/payload_format/h264_nalu.h"
#include "parley/rtp/payload_format/h265_nalu.h"
#include "parley/rtp/payload_format/video_size.h"
#include "parley/rtp/payload_format/vp8_descriptor.h"
#include "parley/rtp/payload_format/vp9_descriptor.h"

namespace parley::rtp {

// Payload formats are keyed by the codec name of SDP and know nothing of encoders and decoders: a
// pre-encoded source and a forwarding server use them as well.

/// What a packetizer must know about a frame besides its bytes.
struct FrameDescription {
  bool keyFrame = false;
  /// VP8 and VP9: the descriptor to send. Bits that depend on the packet (S, PID, B, E) are set by
  /// the packetizer.
  std::variant<std::monostate, Vp8Descriptor, Vp9Descriptor> codec;
  /// VP9: sent in front of the first packet's data; usual on key frames.
  std::optional<Vp9ScalabilityStructure> vp9Structure;
};

/// Cuts encoded frames into RTP payloads. The pieces of a frame are of equal size with the last one
/// possibly shorter, so that a burst of them can leave in one segmentation-offload call. Allocates
/// only until its tables have grown to the working size. Thread-compatible.
class PARLEY_EXPORT Packetizer {
 public:
  virtual ~Packetizer() = default;
  /// Starts on a frame, which is borrowed until the last `next`. `maxPayload` bounds each payload.
  /// Returns the number of payloads; 0 if the frame is empty or cannot be cut so small (H.264 mode
  /// 0 with a large NAL unit). The sender sets the marker bit on the last one of a picture.
  virtual size_t begin(ByteSpan frame, const FrameDescription& description, size_t maxPayload) = 0;
  /// Writes the next payload to `out` (at least maxPayload bytes) and returns its size; 0 when all
  /// have been written.
  virtual size_t next(MutableByteSpan out) = 0;
};

/// What one received payload says about its frame.
struct PayloadInfo {
  /// The payload can be the first of a picture. H.264, H.265 and AV1 do not say so outright.
  bool frameStart = false;
  /// Those three: nothing of the same picture stands before it, whatever may have been lost.
  bool certainStart = false;
  bool keyFrame = false;
  VideoSize size;  ///< zero unless the payload says so
  /// The media bytes behind the descriptor. H.264, H.265 and AV1: the whole payload.
  ByteSpan data;
  std::variant<std::monostate, Vp8Descriptor, Vp9Descriptor, H264PacketInfo, H265PacketInfo,
               Av1PacketInfo>
      codec;
};

/// Reads RTP payloads. Stateless.
class PARLEY_EXPORT Depacketizer {
 public:
  virtual ~Depacketizer() = default;
  /// False if malformed: the packet is dropped and counted.
  virtual bool parse(ByteSpan payload, PayloadInfo& out) const = 0;
  /// Appends the media bytes of a payload that `parse` accepted to the frame under assembly, in the
  /// form decoders take (H.264 and H.265: Annex B; AV1 after `finish`).
  virtual void append(ByteSpan payload, Bytes& frame) const = 0;
  /// After the last `append`. AV1: makes a low-overhead stream of it (AV1 section 5.2), each OBU
  /// with its size and no temporal delimiters.
  virtual void finish(Bytes&) const {}
  /// Whether the frame boundaries must be found from timestamps because payloads do not mark them.
  virtual bool startsAreImplicit() const { return false; }
};

struct PayloadFormatParameters {
  int h264PacketizationMode = 0;  ///< 0 or 1 (RFC 6184 section 8.1)
};

/// nullptr if there is no payload format of that name. Names are compared without case. Known: VP8,
/// VP9, AV1, H264, H265; opus, PCMU, PCMA, G722, CN and telephone-event, which put one frame in one
/// packet.
PARLEY_EXPORT std::unique_ptr<Packetizer> createPacketizer(
    std::string_view codecName, const PayloadFormatParameters& parameters = {});
PARLEY_EXPORT std::unique_ptr<Depacketizer> createDepacketizer(std::string_view codecName);

}  // namespace parley::rtp
