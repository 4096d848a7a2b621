#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"

#include "sctp/packet.h"

namespace parley::sctp {

/// Keeps requests to reset the peer's outgoing streams (RFC 6525 section 4.1) from the engine until
/// all data sent before them has arrived. usrsctp 0.9.5 can postpone such a request itself, but
/// carries it out only when yet another DATA chunk comes in after the missing one: after the last
/// message of a channel, never. Meanwhile the peer's retransmissions get no answer and do no harm.
///
/// It also spoils the field by which a request of the peer acknowledges one of ours: the engine
/// takes that for success although the peer may have answered "in progress".
class ResetGate {
 public:
  /// The peer's initial TSN, from its INIT or INIT ACK.
  void start(uint32_t initialTsn);
  void onData(uint32_t tsn);
  /// The engine has acknowledged everything up to here.
  void onSacked(uint32_t cumulativeTsn);
  /// Looks at a packet with RE-CONFIG chunks: blanks those that came too early and keeps the last
  /// one.
  void filter(MutableByteSpan packet);
  /// The packet to feed now that the data has arrived.
  std::optional<Bytes> release();
  bool holds() const { return !held_.empty(); }

 private:
  bool arrived(uint32_t tsn) const;

  std::optional<uint32_t> next_;  ///< lowest TSN not known to have arrived
  Bytes held_;
  uint32_t heldTsn_ = 0;
};

}  // namespace parley::sctp
