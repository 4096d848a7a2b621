#pragma once

#include <cstdint>
#include <span>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley::codec {

/// What is heard while the other side is silent (RFC 3389): white noise as loud as its comfort
/// noise packets say. Their spectrum is not followed: telephones send none worth it.
class PARLEY_EXPORT ComfortNoise {
 public:
  /// The payload of a packet; an empty one changes nothing.
  void describe(ByteSpan payload);
  /// Mono; the level moves there within some milliseconds.
  void generate(std::span<int16_t> out);

 private:
  double target_ = 0;  ///< amplitude of even distribution
  double amplitude_ = 0;
  uint32_t state_ = 1;
};

}  // namespace parley::codec
