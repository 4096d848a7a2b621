#pragma once

#include <optional>

#include "parley/base/export.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// Picture Loss Indication (RFC 4585 section 6.3.1).
struct PARLEY_EXPORT Pli {
  static constexpr uint8_t kFormat = 1;
  static constexpr size_t kSize = 12;

  uint32_t senderSsrc = 0;
  uint32_t mediaSsrc = 0;

  static std::optional<Pli> parse(const Block& block);
  size_t size() const { return kSize; }
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
