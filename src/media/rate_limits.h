#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/base/inline_vector.h"
#include "parley/base/units.h"
#include "parley/rtp/rtcp/tmmb.h"

namespace parley::media {

/// What receivers ask one stream of ours to stay below (TMMBR, RFC 5104 section 3.5.4). Each may
/// have its own limit and count its own overhead per packet: which of two limits is the lower one
/// depends on how many packets there are.
class RateLimits {
 public:
  static constexpr size_t kMaxOwners = 8;
  using Tuples = InlineVector<rtp::rtcp::TmmbEntry, kMaxOwners>;  ///< the SSRC is that of the owner

  /// The newest request of each receiver counts. Of more than kMaxOwners the one that was made
  /// first is forgotten. True if that changes something.
  bool request(uint32_t owner, DataRate most, uint16_t overhead);
  /// The receiver has left. True if it had asked for something.
  bool forget(uint32_t owner);
  void clear() { tuples_.clear(); }

  /// Those that are the lowest at some packet rate, by rising packet rates (section 3.5.4.2).
  Tuples boundingSet() const;
  /// What a stream may send whose packets carry so many bytes on average; nothing without requests.
  std::optional<DataRate> limit(double bytesPerPacket) const;

 private:
  Tuples tuples_;  ///< the oldest first
};

}  // namespace parley::media
