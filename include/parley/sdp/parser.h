#pragma once

#include <string_view>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/sdp/description.h"

namespace parley::sdp {

/// Reads a description (RFC 8866 with the attributes of RFC 9429). Lines end in CRLF or LF.
///
/// What makes the whole text fail, with ErrorCode::Syntax and the line's number: a missing or
/// malformed v=, o=, s= or m= line, a line that is not `letter=value`, NUL or CR inside a line, a
/// known attribute with an impossible value, duplicate or unknown mids, and more than `Bounds`
/// allow. What is skipped instead, because real peers send it: candidates we cannot use, rtpmap,
/// fmtp and rtcp-fb lines of payload types that the section does not list, malformed rid and
/// simulcast lines.
PARLEY_EXPORT Result<SessionDescription> parse(std::string_view text);

}  // namespace parley::sdp
