#include "parley/codec/video_codec.h"

namespace parley::codec {

// webrtc-svc section 5: L<spatial>T<temporal>, and _KEY behind it. The S modes (layers that do not
// build on each other) and those with an h (1.5 times as wide) are not known here.
std::optional<ScalabilityMode> parseScalabilityMode(std::string_view name) {
  ScalabilityMode mode;
  constexpr std::string_view kKey = "_KEY";
  if (name.size() > 4 && name.substr(4) == kKey) {
    mode.keyOnly = true;
    name = name.substr(0, 4);
  }
  const auto isCount = [](char c) { return c >= '1' && c <= '3'; };
  if (name.size() != 4 || name[0] != 'L' || name[2] != 'T' || !isCount(name[1]) ||
      !isCount(name[3])) {
    return std::nullopt;
  }
  mode.spatialLayers = name[1] - '0';
  mode.temporalLayers = name[3] - '0';
  if (mode.keyOnly && mode.spatialLayers == 1) return std::nullopt;
  return mode;
}

}  // namespace parley::codec
