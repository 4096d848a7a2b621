#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/result.h"
#include "parley/crypto/srtp_keying.h"

// srtp: SRTP and SRTCP in place, on OpenSSL's ciphers or on libsrtp; nothing else knows that
// libsrtp exists. May use base, crypto and rtp.

namespace parley::srtp {

enum class Status : uint8_t {
  Ok,
  AuthFailed,      ///< the tag is wrong: forged, damaged, or another key
  Replayed,        ///< seen before, or older than the replay window
  Malformed,       ///< not an RTP or RTCP packet: short, wrong version, header beyond the end
  NoRoom,          ///< no room behind the payload for the tag
  TooManySources,  ///< a further SSRC, with all places of SrtpOptions in use
  KeyExpired,      ///< 2^48 RTP or 2^31 RTCP packets were made with the key (RFC 3711 section 9.2)
  Failed,          ///< the library failed for a reason of its own, e.g. memory
};
inline constexpr size_t kStatusCount = 8;
PARLEY_EXPORT const char* toString(Status status);

/// Who does the work.
enum class SrtpEngine : uint8_t {
  Ciphers,  ///< this library, on OpenSSL's ciphers: several times faster than libsrtp with NSS
  Library,  ///< libsrtp
};

/// What of a packet's header is hidden as well, in one direction. Whoever sends must have the
/// peer's agreement.
struct HeaderEncryption {
  /// RFC 9335: contributing sources and all header extensions are encrypted with the payload.
  bool cryptex = false;
  /// Inbound, with `cryptex`: packets that show extensions or contributing sources are refused.
  bool required = false;
  /// RFC 6904: extension elements with these ids are encrypted. Not used where cryptex is.
  std::bitset<256> ids{};
  bool operator==(const HeaderEncryption&) const = default;
};

struct SrtpOptions {
  /// Packets per SSRC (RFC 3711 section 3.3.2 asks for at least 64). Video and retransmissions
  /// reorder by hundreds.
  size_t replayWindow = 1024;
  // SSRCs, RTP and RTCP together.
  size_t maxInboundSources = 64;
  size_t maxOutboundSources = 64;
  SrtpEngine engine = SrtpEngine::Ciphers;
  /// From the beginning on. libsrtp (2.5) has no cryptex.
  HeaderEncryption outboundHeaders{};
  HeaderEncryption inboundHeaders{};
};

/// How the packets of one kind ended, by Status.
using StatusCounts = std::array<uint64_t, kStatusCount>;

struct Counters {
  StatusCounts protectRtp{};
  StatusCounts protectRtcp{};
  StatusCounts unprotectRtp{};
  StatusCounts unprotectRtcp{};
};

/// Makes libsrtp ready for SrtpEngine::Library, once per process: its ciphers are tested and stay
/// loaded. Where libsrtp uses NSS, as in Debian, that takes tens of milliseconds, so it should not
/// have to happen while packets wait. `SrtpSession::create` does it if nobody has. False if libsrtp
/// fails. Any thread.
PARLEY_EXPORT bool prepareLibrary();

class Transform;
enum class Kind : uint8_t;

/// Both directions of one DTLS-SRTP association. Every SSRC gets its own rollover counter and
/// replay window on its first packet (inbound: its first authentic one) and keeps them until
/// removed.
///
/// A failed packet is the caller's to drop; it never changes state, however many come (bad packets
/// must not end a call). Its bytes are undefined afterwards. Thread-compatible.
class PARLEY_EXPORT SrtpSession {
 public:
  /// Errors: Range for key or salt of a wrong length; of libsrtp NotSupported if it lacks the
  /// profile, Operation if it fails.
  static Result<std::unique_ptr<SrtpSession>> create(const crypto::SrtpKeying& keying,
                                                     bool isDtlsClient, SrtpOptions options = {});
  ~SrtpSession();
  SrtpSession(const SrtpSession&) = delete;
  SrtpSession& operator=(const SrtpSession&) = delete;

  /// Replaces SrtpOptions::outboundHeaders and inboundHeaders, as negotiated. Only with
  /// SrtpEngine::Ciphers; false otherwise.
  bool setHeaderEncryption(const HeaderEncryption& outbound, const HeaderEncryption& inbound);

  // All work in the packet's own buffer and change its size on Ok. Protecting needs up to 20 octets
  // of room behind the payload. A packet may be protected again with the same sequence number only
  // if it is the same packet (RFC 3711 section 9.1).
  Status protectRtp(PacketBuf& packet);
  Status protectRtcp(PacketBuf& packet);
  Status unprotectRtp(PacketBuf& packet);
  Status unprotectRtcp(PacketBuf& packet);

  /// Forgets an SSRC's rollover counter and replay window, and frees its place. The peer could then
  /// be replayed to, so do it only for sources that signalling has ended; never for one of our own
  /// that may send again under this key. Unknown SSRCs are ignored.
  void removeInbound(uint32_t ssrc);
  void removeOutbound(uint32_t ssrc);
  /// The source seems to be gone: its place may be given to another one when no place is free.
  /// Until then, or until it is heard again, nothing changes and its packets cannot be replayed.
  void releaseInbound(uint32_t ssrc);

  const Counters& counters() const { return counters_; }
  crypto::SrtpProfile profile() const { return profile_; }

 private:
  /// One direction, and the SSRCs it has seen.
  struct Direction {
    std::unique_ptr<Transform> transform;
    std::vector<uint32_t> sources;
    std::vector<uint32_t> released;  ///< of `sources`, the oldest first
    size_t maxSources = 0;
  };

  SrtpSession(crypto::SrtpProfile profile, SrtpOptions options);
  Status protect(Kind kind, PacketBuf& packet);
  Status unprotect(Kind kind, PacketBuf& packet);
  static bool admits(const Direction& direction, uint32_t ssrc);
  static void remember(Direction& direction, uint32_t ssrc);
  static void forget(Direction& direction, uint32_t ssrc);

  Direction inbound_;
  Direction outbound_;
  Counters counters_;
  crypto::SrtpProfile profile_;
  SrtpOptions options_;
};

}  // namespace parley::srtp
