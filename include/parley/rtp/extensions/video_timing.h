#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/time.h"
#include "parley/rtp/extension_map.h"

namespace parley::rtp {

/// Milliseconds after the frame's capture time.
struct VideoTimingValue {
  static constexpr uint8_t kByTimer = 1;  ///< one in a while
  static constexpr uint8_t kBySize = 2;   ///< much larger than others
  uint8_t flags = 0;                      ///< why this frame tells
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
  /// A time as the fields have it: what lies outside of them is told as the nearest.
  static constexpr uint16_t sinceCapture(Duration time) {
    return static_cast<uint16_t>(time.millis() < 0        ? 0
                                 : time.millis() > 0xffff ? 0xffff
                                                          : time.millis());
  }
  /// Where the value has the time at which the packet left the pacer, in octets from the start.
  static constexpr size_t kPacketizedAt = 5;
  static constexpr size_t kLeftPacerAt = 7;
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
