#pragma once

#include <string_view>

#include "parley/sdp/description.h"

namespace parley::sdp {

/// Applies one `a=` line (without "a=") to the section `media`, or to the session level if that is
/// null. Returns nullptr when the line was understood, kept or deliberately skipped, else one
/// clause that says what is wrong with it.
const char* applyAttribute(SessionDescription& session, MediaDescription* media,
                           std::string_view line);

}  // namespace parley::sdp
