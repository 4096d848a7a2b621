#include "parley/api/enum_text.h"

namespace parley {

const char* toString(IceTransportPolicy policy) {
  constexpr const char* kNames[] = {"all", "relay", "no-host"};
  return kNames[static_cast<int>(policy)];
}
const char* toString(BundlePolicy policy) {
  constexpr const char* kNames[] = {"balanced", "max-compat", "max-bundle"};
  return kNames[static_cast<int>(policy)];
}
const char* toString(RtcpMuxPolicy) {
  return "require";
}
const char* toString(TrackState state) {
  return state == TrackState::Live ? "live" : "ended";
}

}  // namespace parley
