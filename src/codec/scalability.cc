#include "parley/codec/video_codec.h"

namespace parley::codec {

// webrtc-svc section 5: L<spatial>T<temporal>, with an h or _KEY behind it, or S in place of the L.
// Those whose layers have their key frames at different times (_KEY_SHIFT) are not known here.
std::optional<ScalabilityMode> parseScalabilityMode(std::string_view name) {
  ScalabilityMode mode;
  constexpr std::string_view kKey = "_KEY";
  if (name.size() > 4 && name.substr(4) == kKey) {
    mode.keyOnly = true;
    name = name.substr(0, 4);
  }
  const auto isCount = [](char c) { return c >= '1' && c <= '3'; };
  if (name.size() == 5 && name[4] == 'h') {
    mode.smallSteps = true;
    name = name.substr(0, 4);
  }
  mode.independent = !name.empty() && name[0] == 'S';
  if (name.size() != 4 || (name[0] != 'L' && !mode.independent) || name[2] != 'T' ||
      !isCount(name[1]) || !isCount(name[3])) {
    return std::nullopt;
  }
  mode.spatialLayers = name[1] - '0';
  mode.temporalLayers = name[3] - '0';
  if (mode.spatialLayers == 1 && (mode.keyOnly || mode.smallSteps || mode.independent))
    return std::nullopt;
  if (mode.keyOnly && (mode.smallSteps || mode.independent)) return std::nullopt;
  return mode;
}

}  // namespace parley::codec
