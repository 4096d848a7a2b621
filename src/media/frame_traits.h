#pragma once

#include <optional>

#include "parley/rtp/extension_map.h"
#include "parley/rtp/extensions/abs_capture_time.h"
#include "parley/rtp/extensions/color_space.h"
#include "parley/rtp/extensions/content_type.h"
#include "parley/rtp/extensions/corruption_detection.h"
#include "parley/rtp/extensions/video_orientation.h"
#include "parley/rtp/extensions/video_timing.h"
#include "parley/rtp/packet_view.h"

namespace parley::media {

/// What header extensions say of a frame. Senders put them on its first packet or on its last.
struct FrameTraits {
  std::optional<rtp::VideoOrientationValue> orientation;
  std::optional<rtp::VideoContentType> contentType;
  std::optional<rtp::AbsCaptureTimeValue> captureTime;
  std::optional<rtp::VideoTimingValue> timing;
  std::optional<rtp::ColorSpaceValue> colorSpace;
  std::optional<rtp::CorruptionDetectionValue> corruption;

  /// What this packet says takes the place of what an earlier one said.
  void take(const rtp::PacketView& packet, const rtp::ExtensionMap& map) {
    takeOne<rtp::VideoOrientation>(packet, map, orientation);
    takeOne<rtp::ContentType>(packet, map, contentType);
    takeOne<rtp::AbsCaptureTime>(packet, map, captureTime);
    takeOne<rtp::VideoTiming>(packet, map, timing);
    takeOne<rtp::ColorSpace>(packet, map, colorSpace);
    takeOne<rtp::CorruptionDetection>(packet, map, corruption);
  }
  /// Of a further layer of the same picture.
  void take(const FrameTraits& layer) {
    const auto replace = [](auto& mine, const auto& theirs) {
      if (theirs) mine = theirs;
    };
    replace(orientation, layer.orientation);
    replace(contentType, layer.contentType);
    replace(captureTime, layer.captureTime);
    replace(timing, layer.timing);
    replace(colorSpace, layer.colorSpace);
    // Samples of a smaller layer say nothing of this one's picture.
    corruption = layer.corruption;
  }

 private:
  template <class Ext>
  static void takeOne(const rtp::PacketView& packet, const rtp::ExtensionMap& map,
                      std::optional<typename Ext::Value>& out) {
    if (const auto value = rtp::getExtension<Ext>(packet, map)) out = value;
  }
};

}  // namespace parley::media
