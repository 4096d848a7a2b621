#pragma once

#include <optional>

#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/base/units.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// Receiver Estimated Maximum Bitrate (draft-alvestrand-rmcat-remb-03): an application layer
/// feedback message with the identifier "REMB".
struct PARLEY_EXPORT Remb {
  static constexpr uint8_t kFormat = 15;
  static constexpr size_t kMaxSsrcs = 255;

  uint32_t senderSsrc = 0;
  /// 18-bit mantissa, 6-bit exponent on the wire; anything above the range of int64 saturates.
  DataRate bitrate;
  InlineVector<uint32_t, kMaxSsrcs> ssrcs;

  static std::optional<Remb> parse(const Block& block);
  size_t size() const { return 20 + ssrcs.size() * 4; }
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
