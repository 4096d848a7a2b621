#pragma once

#include <string>

#include "parley/base/export.h"
#include "parley/jsep/types.h"

namespace parley {

/// RTCSdpType.
using SdpType = jsep::SdpType;

/// RTCSessionDescription.
struct SessionDescription {
  SdpType type = SdpType::Offer;
  std::string sdp;
};

}  // namespace parley
