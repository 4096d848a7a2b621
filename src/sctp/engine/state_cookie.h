#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/bytes.h"

#include "sctp/engine/init_chunk.h"

namespace parley::sctp {

/// What stays of the peer's INIT once it has been read.
struct PeerInit {
  uint32_t tag = 0;
  uint32_t receiverWindow = 0;
  uint16_t outgoingStreams = 0;
  uint16_t incomingStreams = 0;
  uint32_t initialTsn = 0;
  bool forwardTsn = false;
  bool reConfig = false;
  bool interleaving = false;
  bool zeroChecksum = false;
  bool padding = false;

  static PeerInit from(const InitChunk& init) {
    return {init.tag,          init.receiverWindow, init.outgoingStreams, init.incomingStreams,
            init.initialTsn,   init.forwardTsn,     init.reConfig,        init.interleaving,
            init.zeroChecksum, init.padding};
  }
};

/// The state cookie (RFC 9260 section 5.1.3). Over DTLS the only one who can return it is the peer
/// that asked for it, and all it could forge are its own parameters: a secret number of the
/// association stands in for the message authentication code.
struct StateCookie {
  static constexpr size_t kSize = 40;

  uint64_t secret = 0;
  uint32_t localTag = 0;     ///< of the INIT ACK that carried it
  uint32_t localTieTag = 0;  ///< of the association that existed then; 0: none
  uint32_t peerTieTag = 0;
  PeerInit peer;

  Bytes write() const {
    Bytes out(kSize);
    storeU64(&out[0], secret);
    storeU32(&out[8], localTag);
    storeU32(&out[12], localTieTag);
    storeU32(&out[16], peerTieTag);
    storeU32(&out[20], peer.tag);
    storeU32(&out[24], peer.receiverWindow);
    storeU16(&out[28], peer.outgoingStreams);
    storeU16(&out[30], peer.incomingStreams);
    storeU32(&out[32], peer.initialTsn);
    storeU32(&out[36], (peer.forwardTsn ? 1u : 0) | (peer.reConfig ? 2u : 0) |
                           (peer.interleaving ? 4u : 0) | (peer.zeroChecksum ? 8u : 0) |
                           (peer.padding ? 16u : 0));
    return out;
  }
  static std::optional<StateCookie> parse(ByteSpan in, uint64_t secret) {
    if (in.size() != kSize || loadU64(&in[0]) != secret) return std::nullopt;
    StateCookie out;
    out.secret = secret;
    out.localTag = loadU32(&in[8]);
    out.localTieTag = loadU32(&in[12]);
    out.peerTieTag = loadU32(&in[16]);
    const uint32_t flags = loadU32(&in[36]);
    out.peer = {loadU32(&in[20]), loadU32(&in[24]), loadU16(&in[28]), loadU16(&in[30]),
                loadU32(&in[32]), (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0,
                (flags & 8) != 0, (flags & 16) != 0};
    if (out.peer.tag == 0 || out.peer.outgoingStreams == 0 || out.peer.incomingStreams == 0)
      return std::nullopt;
    return out;
  }
};

}  // namespace parley::sctp
