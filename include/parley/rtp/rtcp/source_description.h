#pragma once

#include <optional>
#include <string_view>

#include "parley/base/export.h"
#include "parley/base/inline_vector.h"
#include "parley/rtp/rtcp/compound.h"

namespace parley::rtp::rtcp {

/// SDES (RFC 3550 section 6.5). Of its items only CNAME is kept; the rest is skipped by length.
struct PARLEY_EXPORT SourceDescription {
  struct Chunk {
    uint32_t ssrc = 0;
    std::string_view cname;  ///< borrows the datagram, or the caller's text when writing
    bool operator==(const Chunk&) const = default;
  };
  static constexpr size_t kMaxChunks = 31;
  static constexpr size_t kMaxCname = 255;

  InlineVector<Chunk, kMaxChunks> chunks;

  static std::optional<SourceDescription> parse(const Block& block);
  size_t size() const;
  void write(ByteWriter& w) const;
};

}  // namespace parley::rtp::rtcp
