#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "parley/codec/encoded_frame.h"
#include "parley/rtp/extensions/dependency_writer.h"

namespace parley::media {

/// Numbers the frames of a stream and tells which earlier ones each may refer to, as far as layers
/// say it: what dependency descriptors carry. Rather one reference too many than one too few.
class FrameReferences {
 public:
  static constexpr size_t kLayers = 3;

  rtp::DependencyFrame next(const codec::EncodedVideoFrame& frame) {
    const auto* vp9 = std::get_if<codec::Vp9Info>(&frame.info);
    const auto* vp8 = std::get_if<codec::Vp8Info>(&frame.info);
    const auto* av1 = std::get_if<codec::Av1Info>(&frame.info);
    rtp::DependencyFrame out;
    out.number = number_++;
    out.spatialId = frame.spatialId;
    out.temporalId = frame.temporalId;
    out.keyFrame = vp9   ? !vp9->interPicturePredicted
                   : av1 ? !av1->interPicturePredicted
                         : frame.keyFrame;
    if (av1 && av1->frameDiffs) {
      out.frameDiffs = *av1->frameDiffs;
      return out;
    }
    if (frame.spatialId >= kLayers || frame.temporalId >= kLayers) return out;
    const bool usesLower = vp9   ? vp9->interLayerPredicted
                           : av1 ? av1->interLayerPredicted
                                 : frame.spatialId > 0;
    if (usesLower && frame.spatialId > 0) add(out, last_[frame.spatialId - 1u].picture);
    auto& own = last_[frame.spatialId];
    if (!out.keyFrame) {
      add(out, own.layers[0]);
      const bool sync = vp8 && vp8->layerSync;
      for (size_t t = 1; t <= frame.temporalId && !sync; ++t) add(out, own.layers[t]);
    }
    own.picture = out.number;
    if (vp8 && vp8->nonReference) return out;
    // A base frame begins anew: what follows refers to it rather than to upper layers before it.
    if (frame.temporalId == 0) own.layers = {};
    own.layers[frame.temporalId] = out.number;
    return out;
  }

  /// How many layers the stream of this frame has.
  static rtp::DependencyLayers layersOf(const codec::EncodedVideoFrame& frame) {
    rtp::DependencyLayers out;
    out.temporal = std::clamp<uint8_t>(frame.temporalLayers, 1, kLayers);
    const auto size = [](int width, int height) {
      return rtp::VideoSize{static_cast<uint16_t>(width), static_cast<uint16_t>(height)};
    };
    const auto* vp9 = std::get_if<codec::Vp9Info>(&frame.info);
    const auto* av1 = std::get_if<codec::Av1Info>(&frame.info);
    const uint8_t layers = vp9 ? vp9->spatialLayers : av1 ? av1->spatialLayers : uint8_t{1};
    if (layers > 1) {
      const auto& sizes = vp9 ? vp9->layerSizes : av1->layerSizes;
      out.spatial = std::min<uint8_t>(layers, kLayers);
      for (size_t i = 0; i < out.spatial; ++i)
        out.sizes.push_back(size(sizes[i].width, sizes[i].height));
    } else {
      out.sizes.push_back(size(frame.width, frame.height));
    }
    for (const rtp::VideoSize& s : out.sizes) {
      if (s.width == 0 || s.height == 0) {
        out.sizes.clear();
        break;
      }
    }
    return out;
  }

 private:
  struct Spatial {
    std::optional<uint16_t> picture;  ///< its newest frame
    std::array<std::optional<uint16_t>, kLayers> layers;
  };
  static void add(rtp::DependencyFrame& frame, std::optional<uint16_t> reference) {
    if (reference) frame.frameDiffs.push_back(static_cast<uint16_t>(frame.number - *reference));
  }

  uint16_t number_ = 0;
  std::array<Spatial, kLayers> last_;
};

}  // namespace parley::media
