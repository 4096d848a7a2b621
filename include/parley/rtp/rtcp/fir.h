#pragma once

#include <optional>

#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// Full Intra Request (RFC 5104 section 4.3.1). The media SSRC field is zero; each entry names its
/// target and a sequence number that repeats when the request is repeated.
struct PARLEY_EXPORT Fir {
  static constexpr uint8_t kFormat = 4;
  struct Entry {
    uint32_t ssrc = 0;
    uint8_t sequence = 0;
    bool operator==(const Entry&) const = default;
  };
  static constexpr size_t kMaxEntries = 32;

  uint32_t senderSsrc = 0;
  InlineVector<Entry, kMaxEntries> entries;

  static std::optional<Fir> parse(const Block& block);
  size_t size() const { return 12 + entries.size() * 8; }
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
