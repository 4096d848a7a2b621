#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "parley/base/bytes.h"
#include "parley/base/time.h"
#include "parley/rtp/extensions/content_type.h"
#include "parley/rtp/extensions/video_orientation.h"
#include "parley/rtp/payload_format/vp8_descriptor.h"
#include "parley/rtp/payload_format/vp9_descriptor.h"

namespace parley::media {

/// A picture of which all packets are there.
struct AssembledFrame {
  int64_t firstSequence = 0;  ///< unwrapped
  int64_t lastSequence = 0;
  int64_t rtp = 0;  ///< unwrapped timestamp
  uint8_t payloadType = 0;
  bool keyFrame = false;
  rtp::VideoSize size;
  /// Of the first packet; H.264 says nothing about references.
  std::variant<std::monostate, rtp::Vp8Descriptor, rtp::Vp9Descriptor> descriptor;
  std::optional<rtp::VideoOrientationValue> orientation;
  std::optional<rtp::VideoContentType> contentType;
  std::optional<NtpTime> captureTime;
  Timestamp firstArrival;
  Timestamp lastArrival;
  bool recovered = false;  ///< a retransmission was needed
  Bytes data;
};

}  // namespace parley::media
