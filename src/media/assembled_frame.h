#pragma once

#include <cstdint>
#include <variant>

#include "parley/base/bytes.h"
#include "parley/base/inline_vector.h"
#include "parley/base/time.h"
#include "parley/rtp/payload_format/vp8_descriptor.h"
#include "parley/rtp/payload_format/vp9_descriptor.h"

#include "media/frame_traits.h"

namespace parley::media {

/// A picture of which all packets are there; with dependency descriptors, one layer of a picture.
struct AssembledFrame {
  int64_t firstSequence = 0;  ///< unwrapped
  int64_t lastSequence = 0;
  int64_t rtp = 0;  ///< unwrapped timestamp
  uint8_t payloadType = 0;
  bool keyFrame = false;
  rtp::VideoSize size;
  /// Of the first packet; H.264 says nothing about references.
  std::variant<std::monostate, rtp::Vp8Descriptor, rtp::Vp9Descriptor> descriptor;
  FrameTraits traits;
  /// The dependency descriptor of its first packet as it came; empty without one.
  InlineVector<uint8_t, 255> dependencies;
  bool endsPicture = true;  ///< no layer above it comes
  uint8_t spatialId = 0;    ///< known once it goes to the decoder
  uint8_t temporalId = 0;
  Timestamp firstArrival;
  Timestamp lastArrival;
  bool recovered = false;  ///< a retransmission was needed
  Bytes data;
};

}  // namespace parley::media
