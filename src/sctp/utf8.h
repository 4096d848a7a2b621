#pragma once

#include "parley/base/bytes.h"

namespace parley::sctp {

/// True for well-formed UTF-8 (RFC 3629): shortest forms, no surrogates, nothing above U+10FFFF.
bool isValidUtf8(ByteSpan data);

/// Replaces every maximal ill-formed part by U+FFFD, as the Encoding Standard's "UTF-8 decode"
/// does.
void repairUtf8(Bytes& data);

}  // namespace parley::sctp
