#pragma once

#include <optional>
#include <string_view>

#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// RFC 3550 section 6.6. A BYE without sources is legal and means nothing.
struct PARLEY_EXPORT Bye {
  static constexpr size_t kMaxSources = 31;

  InlineVector<uint32_t, kMaxSources> ssrcs;
  std::string_view reason;  ///< borrows; a malformed reason is dropped, not the BYE

  static std::optional<Bye> parse(const Block& block);
  size_t size() const;
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
