#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "parley/base/bytes.h"
#include "parley/base/packet_buffer.h"
#include "parley/crypto/srtp_keying.h"
#include "parley/srtp/srtp_session.h"

namespace parley::srtp {

enum class Kind : uint8_t { Rtp, Rtcp };

inline constexpr size_t kRtpHeaderSize = 12;
inline constexpr size_t kRtcpHeaderSize = 8;
inline constexpr size_t kSrtcpIndexSize = 4;

inline bool isGcm(crypto::SrtpProfile profile) {
  return profile == crypto::SrtpProfile::AeadAes128Gcm ||
         profile == crypto::SrtpProfile::AeadAes256Gcm;
}

inline size_t tagSize(crypto::SrtpProfile profile, Kind kind) {
  if (isGcm(profile)) return 16;
  // RFC 5764 section 4.1.2: also the 32-bit profile has 80 bits on SRTCP.
  return profile == crypto::SrtpProfile::Aes128CmHmacSha1_32 && kind == Kind::Rtp ? 4 : 10;
}

/// Size of header, CSRCs and header extension; 0 if they do not fit in the packet (RFC 3550 section
/// 5.1).
inline size_t rtpHeaderSize(ByteSpan packet) {
  if (packet.size() < kRtpHeaderSize || packet[0] >> 6 != 2) return 0;
  size_t size = kRtpHeaderSize + size_t{4} * (packet[0] & 15);
  if ((packet[0] & 0x10) != 0) {
    if (packet.size() < size + 4) return 0;
    size += 4 + size_t{4} * loadU16(&packet[size + 2]);
  }
  return packet.size() < size ? 0 : size;
}

/// Protects, or unprotects, one direction of an association, after SrtpSession has looked at the
/// packet: its header is sound and there is room for what is added, or enough for what is taken
/// away. Keeps rollover counters and replay windows per SSRC.
class Transform {
 public:
  virtual ~Transform() = default;
  virtual Status protect(Kind kind, PacketBuf& packet) = 0;
  virtual Status unprotect(Kind kind, PacketBuf& packet) = 0;
  virtual void forget(uint32_t ssrc) = 0;
  /// False if it cannot be changed.
  virtual bool setHeaderEncryption(const HeaderEncryption&) { return false; }
};

struct TransformConfig {
  crypto::SrtpProfile profile = crypto::SrtpProfile::AeadAes128Gcm;
  const crypto::Secret& key;
  const crypto::Secret& salt;
  bool outbound = false;
  size_t replayWindow = 1024;
  HeaderEncryption headers{};
};

/// On OpenSSL's ciphers. All profiles.
std::unique_ptr<Transform> makeCipherTransform(const TransformConfig& config);
/// On libsrtp; Errors: NotSupported, Operation.
Result<std::unique_ptr<Transform>> makeLibraryTransform(const TransformConfig& config);

}  // namespace parley::srtp
