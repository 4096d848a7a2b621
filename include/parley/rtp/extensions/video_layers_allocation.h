#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/extension_map.h"
#include "parley/rtp/payload_format/video_size.h"

namespace parley::rtp {

/// Which layers a sender of simulcast or SVC sends at present, and at what rates.
struct VideoLayersAllocationValue {
  struct Layer {
    uint8_t stream = 0;   ///< of simulcast, from the smallest; 0..3
    uint8_t spatial = 0;  ///< 0..3
    /// kbit/s with this temporal layer and those below; one to four.
    InlineVector<uint32_t, 4> rates;
    VideoSize size;         ///< zero if not told, which is so for all layers or for none
    uint8_t framerate = 0;  ///< likewise
    bool operator==(const Layer&) const = default;
  };
  uint8_t stream = 0;  ///< the one that the packet belongs to
  /// By stream, then by spatial layer. Empty: nothing is being sent.
  InlineVector<Layer, 16> layers;
  bool operator==(const VideoLayersAllocationValue&) const = default;
};

/// video-layers-allocation00, for servers that choose among the layers. With more than two or three
/// layers it takes the two-byte form of header extensions.
struct PARLEY_EXPORT VideoLayersAllocation {
  using Value = VideoLayersAllocationValue;
  static constexpr ExtensionKind kKind = ExtensionKind::VideoLayersAllocation;
  static constexpr std::string_view kUri =
      "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00";
  static constexpr size_t kMaxSize = 255;
  static std::optional<Value> parse(ByteSpan bytes);
  /// 0 if the layers are not in order or do not fit.
  static size_t write(const Value& value, uint8_t* out);
};

}  // namespace parley::rtp
