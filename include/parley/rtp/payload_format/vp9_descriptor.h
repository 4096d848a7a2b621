#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/payload_format/video_size.h"

namespace parley::rtp {

/// The scalability structure of VP9 (RFC 9628 section 4.2.1).
struct PARLEY_EXPORT Vp9ScalabilityStructure {
  struct Picture {
    uint8_t temporalId = 0;
    bool switchingUp = false;
    InlineVector<uint8_t, 3> referenceDiffs;
    bool operator==(const Picture&) const = default;
  };
  /// The field allows 255 pictures in a group; no encoder needs more than this. More are skipped.
  static constexpr size_t kMaxGroup = 16;

  InlineVector<VideoSize, 8> layers;  ///< sizes, if `hasSizes`; the count is that of spatial layers
  bool hasSizes = false;
  InlineVector<Picture, kMaxGroup> group;

  size_t size() const;
  void write(ByteWriter& w) const;
  /// False if it runs past the payload.
  static bool parse(ByteReader& r, Vp9ScalabilityStructure& out);
  bool operator==(const Vp9ScalabilityStructure&) const = default;
};

/// The VP9 payload descriptor (RFC 9628 section 4.2).
struct PARLEY_EXPORT Vp9Descriptor {
  bool interPicturePredicted = false;  ///< P; false on key frames
  bool flexible = false;               ///< F: references are listed by difference
  bool startOfFrame = false;  ///< B: first packet of a (layer) frame; set by the packetizer
  bool endOfFrame = false;    ///< E; set by the packetizer
  bool notReference = false;  ///< Z: not a reference for upper spatial layers
  std::optional<uint16_t> pictureId;
  bool longPictureId = true;
  bool hasLayers = false;  ///< L: the next four fields are meaningful
  uint8_t temporalId = 0;
  bool switchingUp = false;  ///< U
  uint8_t spatialId = 0;
  bool interLayerPredicted = false;         ///< D
  uint8_t tl0PicIdx = 0;                    ///< with layers, non-flexible mode only
  InlineVector<uint8_t, 3> referenceDiffs;  ///< flexible mode only; 1..127 pictures back

  /// Reads the descriptor at the front of `payload`; returns its length, 0 if malformed. A
  /// scalability structure, if there is one, goes to `*structure` and sets `*hasStructure`.
  static size_t parse(ByteSpan payload, Vp9Descriptor& out, Vp9ScalabilityStructure* structure,
                      bool* hasStructure);
  /// Length including the structure, if given.
  size_t size(const Vp9ScalabilityStructure* structure) const;
  void write(ByteWriter& w, const Vp9ScalabilityStructure* structure) const;
  bool operator==(const Vp9Descriptor&) const = default;
};

}  // namespace parley::rtp
