#pragma once

#include <string>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley {

/// RFC 4648 section 4, with padding.
PARLEY_EXPORT std::string base64(ByteSpan bytes);

}  // namespace parley
