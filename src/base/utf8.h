#pragma once

#include <cstddef>

#include "parley/base/bytes.h"

namespace parley {

struct Utf8Step {
  size_t length;  ///< bytes consumed, at least 1
  bool valid;
};

/// What stands for an ill-formed part: U+FFFD.
inline constexpr char kUtf8Replacement[] = "\xEF\xBF\xBD";

/// Reads one character of what must not be empty, or the longest prefix of one that could still
/// have become valid.
Utf8Step nextUtf8(ByteSpan rest);

/// True for well-formed UTF-8 (RFC 3629): shortest forms, no surrogates, nothing above U+10FFFF.
bool isValidUtf8(ByteSpan data);

/// Replaces every maximal ill-formed part by U+FFFD, as the Encoding Standard's "UTF-8 decode"
/// does.
void repairUtf8(Bytes& data);

}  // namespace parley
