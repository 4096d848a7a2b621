#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

/// Milliseconds after the frame's capture time.
struct VideoTimingValue {
  uint8_t flags = 0;  ///< 1: triggered by timer, 2: by size
  uint16_t encodeStart = 0;
  uint16_t encodeFinish = 0;
  uint16_t packetized = 0;
  uint16_t leftPacer = 0;
  uint16_t network1 = 0;
  uint16_t network2 = 0;
  bool operator==(const VideoTimingValue&) const = default;
};

/// Where a frame spent its time (video-timing), on a few frames only.
struct VideoTiming {
  using Value = VideoTimingValue;
  static constexpr ExtensionKind kKind = ExtensionKind::VideoTiming;
  static constexpr std::string_view kUri =
      "http://www.webrtc.org/experiments/rtp-hdrext/video-timing";
  static constexpr size_t kMaxSize = 13;
  static std::optional<Value> parse(ByteSpan bytes) {
    ByteReader r(bytes);
    Value v;
    // An older form of 12 bytes has no flags.
    if (bytes.size() != 12) v.flags = r.u8();
    v.encodeStart = r.u16();
    v.encodeFinish = r.u16();
    v.packetized = r.u16();
    v.leftPacer = r.u16();
    v.network1 = r.u16();
    v.network2 = r.u16();
    if (!r.ok() || !r.atEnd()) return std::nullopt;
    return v;
  }
  static size_t write(const Value& v, uint8_t* out) {
    ByteWriter w(MutableByteSpan(out, kMaxSize));
    w.u8(v.flags);
    for (uint16_t ms :
         {v.encodeStart, v.encodeFinish, v.packetized, v.leftPacer, v.network1, v.network2}) {
      w.u16(ms);
    }
    return w.size();
  }
};

}  // namespace parley::rtp
