#pragma once

#include <string>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/sdp/description.h"

namespace parley::sdp {

/// The description as text with CRLF line ends. For a value that `parse` could have produced,
/// `parse(write(x)) == x`; attributes come out in a fixed order.
///
/// Fails with ErrorCode::Type if a string in it could not stand where it belongs: line breaks and
/// NUL anywhere, blanks or reserved characters in tokens. So no label, mid or cname chosen by an
/// application can smuggle in a line of its own.
PARLEY_EXPORT Result<std::string> write(const SessionDescription& description);

}  // namespace parley::sdp
