#pragma once

#include <string>

#include "parley/base/export.h"
#include "parley/jsep/types.h"

namespace parley {

/// RTCSdpType (webrtc-pc section 4.6.1).
using SdpType = jsep::SdpType;

/// RTCSessionDescription (webrtc-pc section 4.6.2), and its dictionaries
/// RTCSessionDescriptionInit and RTCLocalSessionDescriptionInit: a value.
struct SessionDescription {
  SdpType type = SdpType::Offer;  ///< what `sdp` is
  std::string sdp;                ///< RFC 8866; not looked at for Rollback
};

}  // namespace parley
