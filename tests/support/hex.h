#pragma once

#include <string>
#include <string_view>

#include "parley/base/bytes.h"

namespace parley::test {

/// "0a 0b0c" -> bytes. Blanks are skipped; aborts the test on anything else.
Bytes fromHex(std::string_view text);
std::string toHex(ByteSpan bytes);

}  // namespace parley::test
