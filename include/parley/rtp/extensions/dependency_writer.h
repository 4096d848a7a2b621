#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/payload_format/video_size.h"

namespace parley::rtp {

/// How a stream is cut into layers, for its dependency descriptors.
struct DependencyLayers {
  uint8_t spatial = 1;               ///< 1..3
  uint8_t temporal = 1;              ///< 1..3
  InlineVector<VideoSize, 3> sizes;  ///< by spatial layer; empty if unknown
  bool operator==(const DependencyLayers&) const = default;
};

/// A frame, and what it refers to.
struct DependencyFrame {
  uint16_t number = 0;
  bool keyFrame = false;  ///< belongs to a picture that refers to no earlier one
  uint8_t spatialId = 0;
  uint8_t temporalId = 0;
  /// Distances to the frames that it refers to, in frames; 1..4096.
  InlineVector<uint16_t, 8> frameDiffs;
};

/// Writes dependency descriptors (AV1 RTP payload format, appendix A.8). The structure has one
/// decode target for each combination of layers, and no chains; each frame tells its references
/// itself, so any pattern of them will do. A value.
class PARLEY_EXPORT DependencyWriter {
 public:
  /// The largest structure with its frame.
  static constexpr size_t kMaxSize = 96;

  /// From the next key frame on.
  void setLayers(const DependencyLayers& layers) { layers_ = layers; }
  const DependencyLayers& layers() const { return layers_; }
  /// The descriptor of one packet of the frame; the structure stands in the first packet of a key
  /// frame's lowest layer. `out` holds at least kMaxSize. 0 if the frame is outside of the layers.
  size_t write(const DependencyFrame& frame, bool first, bool last, MutableByteSpan out) const;

 private:
  DependencyLayers layers_;
};

}  // namespace parley::rtp
