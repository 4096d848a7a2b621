#pragma once

#include <optional>

#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/base/units.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// One FCI entry of TMMBR and TMMBN (RFC 5104 sections 4.2.1, 4.2.2).
struct TmmbEntry {
  uint32_t ssrc = 0;
  DataRate maxBitrate;    ///< 17-bit mantissa, 6-bit exponent on the wire; saturates
  uint16_t overhead = 0;  ///< measured bytes per packet, 9 bits
  bool operator==(const TmmbEntry&) const = default;
};

/// Temporary Maximum Media Stream Bit Rate Request or Notification.
struct PARLEY_EXPORT Tmmb {
  static constexpr uint8_t kRequestFormat = 3;
  static constexpr uint8_t kNotificationFormat = 4;
  static constexpr size_t kMaxEntries = 32;

  uint32_t senderSsrc = 0;
  bool isRequest = true;
  InlineVector<TmmbEntry, kMaxEntries> entries;

  static std::optional<Tmmb> parse(const Block& block);
  size_t size() const { return 12 + entries.size() * 8; }
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
