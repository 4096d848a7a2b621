#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley {

/// The only source of randomness a machine may use (machine rule M8); given at construction.
///
/// Every random value of the library, its role and who draws it:
///   STUN transaction id     unguessable  stun::Transaction
///   ICE ufrag, password     unguessable  ice::Agent
///   ICE tie-breaker         tie          ice::Agent
///   SSRC, first sequence    collision    media::SendStream
///   RTP timestamp offset    privacy      media::SendStream
///   RTCP interval jitter    desynchronise media::RtpSession
///   consent interval jitter desynchronise ice::Agent
///   session, CNAME, tracks  uniqueness   jsep::Session
///   certificate serial, CN  uniqueness   dtls::Certificate
///   TURN nonce key, tickets unguessable  turn::Server
///   TURN relayed port       unguessable  turn::Server
///   SCTP tag, initial TSN   unguessable  sctp::NativeAssociation
///   SCTP cookie key, nonce  unguessable  sctp::NativeAssociation
/// OpenSSL draws its own (handshake randoms).
///
/// Thread rule: used by one loop only, unless the implementation says otherwise.
class PARLEY_EXPORT Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableByteSpan out) = 0;

  uint32_t u32();
  uint64_t u64();
  /// Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);
  /// Uniform in [0, 1).
  double unit();
  /// `length` characters of the ice-char alphabet (RFC 8839 section 5.4): 6 bits each.
  std::string iceChars(size_t length);
  /// A version 4 UUID in lower-case text.
  std::string uuid();
};

/// Deterministic ChaCha20 stream from a seed; for the simulator and tests.
class PARLEY_EXPORT SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed);
  void fill(MutableByteSpan out) override;

 private:
  void refill();
  std::array<uint32_t, 16> state_{};
  std::array<uint8_t, 64> block_{};
  size_t used_ = 64;
};

}  // namespace parley
