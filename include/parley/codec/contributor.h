#pragma once

#include <cstdint>

#include "parley/base/inline_vector.h"

namespace parley::codec {

/// One of those who are heard in a mix (RFC 3550 section 7.1).
struct Contributor {
  uint32_t ssrc = 0;    ///< of the stream that it came in
  uint8_t level = 127;  ///< RFC 6465: -dBov, 127 is silence
  bool operator==(const Contributor&) const = default;
};
/// As many as a packet has room for.
using Contributors = InlineVector<Contributor, 15>;

}  // namespace parley::codec
