#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "parley/base/bytes.h"

namespace parley::sctp {

/// INIT and INIT ACK (RFC 9260 sections 3.3.2 and 3.3.3) as far as WebRTC uses them.
struct InitChunk {
  uint32_t tag = 0;
  uint32_t receiverWindow = 0;
  uint16_t outgoingStreams = 0;
  uint16_t incomingStreams = 0;
  uint32_t initialTsn = 0;
  bool forwardTsn = false;    ///< RFC 3758: partial reliability
  bool reConfig = false;      ///< RFC 6525: stream resets
  bool interleaving = false;  ///< RFC 8260: I-DATA
  bool zeroChecksum = false;  ///< RFC 9653 with EDMID 1, SCTP over DTLS
  /// PAD chunks are understood (RFC 4820). Everybody skips them; no other engine announces it. We
  /// do, and know each other by it: see NativeAssociation::isOwnKind().
  bool padding = false;
  Bytes cookie;                ///< INIT ACK only
  std::vector<Bytes> unknown;  ///< parameters whose type asks for a report, whole (RFC 9260 3.2.1)

  bool operator==(const InitChunk&) const = default;
};

/// Reads the chunk's value. nullopt: too short, a parameter out of bounds, more than 64 parameters,
/// tag or stream counts of zero (RFC 9260 section 3.3.2: the association cannot come about).
/// Addresses are skipped (RFC 8261 section 5: there are none over DTLS).
std::optional<InitChunk> parseInit(ByteSpan value);

/// The chunk's value. `unknown` is wrapped into "Unrecognized Parameter" parameters, up to 512
/// bytes.
Bytes writeInit(const InitChunk& init);

}  // namespace parley::sctp
