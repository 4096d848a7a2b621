#pragma once

#include <array>
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

/// What a frame is to one decode target: somebody who decodes certain layers and no others.
enum class DecodeTargetIndication : uint8_t {
  NotPresent,   ///< not part of it
  Discardable,  ///< nothing else of it refers to this frame
  Switch,       ///< whoever has decoded the layers below may begin with it here
  Required,
};

/// The part of the dependency descriptor that comes with key frames and stays in force: which
/// layers there are and who needs what of them (AV1 RTP payload format, appendix A.8.2). Chains are
/// read over: they tell early that a frame is missing, which the references tell in time.
struct PARLEY_EXPORT DependencyStructure {
  static constexpr size_t kMaxTemplates = 64;
  static constexpr size_t kMaxTargets = 32;
  /// A frame refers to seven others in AV1, and to fewer in any other codec.
  static constexpr size_t kMaxDiffs = 8;
  using Indications = std::array<DecodeTargetIndication, kMaxTargets>;
  struct Template {
    uint8_t spatialId = 0;
    uint8_t temporalId = 0;
    Indications targets{};
    InlineVector<uint8_t, kMaxDiffs> frameDiffs{};  ///< 1..16
  };
  struct Target {
    uint8_t spatialId = 0;  ///< the highest layers in it
    uint8_t temporalId = 0;
  };

  uint8_t firstTemplate = 0;
  InlineVector<Template, kMaxTemplates> templates;
  InlineVector<Target, kMaxTargets> targets;
  InlineVector<VideoSize, 4> sizes;  ///< by spatial layer, if told
};

/// The dependency descriptor of one packet, together with the structure in force.
struct PARLEY_EXPORT DependencyDescriptorValue {
  bool startOfFrame = false;
  bool endOfFrame = false;
  uint8_t templateId = 0;
  uint16_t frameNumber = 0;
  bool hasStructure = false;  ///< it brings a structure: a key frame
  uint8_t spatialId = 0;
  uint8_t temporalId = 0;
  DependencyStructure::Indications targets{};  ///< as many as the structure has targets
  std::optional<uint32_t> activeTargets{};     ///< bit n: target n is being sent
  /// How far back the frames are that it refers to, in frame numbers; 1..4096.
  InlineVector<uint16_t, DependencyStructure::kMaxDiffs> frameDiffs{};
};

/// Dependency descriptor (AV1 RTP payload format, appendix A), for any codec.
struct PARLEY_EXPORT DependencyDescriptor {
  static constexpr ExtensionKind kKind = ExtensionKind::DependencyDescriptor;
  static constexpr std::string_view kUri =
      "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
  /// The frame number, in octets from the start.
  static constexpr size_t kFrameNumberAt = 1;
  static constexpr size_t kMinSize = 3;

  /// Whether it brings a structure, without reading it.
  static bool bringsStructure(ByteSpan bytes) { return bytes.size() > kMinSize && bytes[3] >> 7; }
  /// Reads it under `structure`, or, if it brings one, reads that first and puts it there. False if
  /// it is malformed or there is no structure for it; `structure` is then unchanged.
  static bool parse(ByteSpan bytes, std::optional<DependencyStructure>& structure,
                    DependencyDescriptorValue& out);
  /// The same of one that brings none; false also if it does.
  static bool parse(ByteSpan bytes, const DependencyStructure& structure,
                    DependencyDescriptorValue& out);
};

}  // namespace parley::rtp
