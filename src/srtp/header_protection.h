#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "parley/crypto/packet_cipher.h"

#include "srtp/key_derivation.h"
#include "srtp/transform.h"

namespace parley::srtp {

/// Hides header extensions of RTP packets: single elements with keys of their own (RFC 6904), or
/// all of them with the payload (cryptex, RFC 9335).
class HeaderProtection {
 public:
  /// Where what a cipher sees begins. Cryptex leaves the four octets in clear that stand between
  /// contributing sources and extensions: for the cipher they change places with the sources, as
  /// RFC 9335 section 5.3 proposes, so that all that is encrypted is in one piece.
  struct Cut {
    size_t clear = 0;
    bool cryptex = false;
    size_t csrcBytes = 0;
  };

  explicit HeaderProtection(const TransformConfig& config);
  ~HeaderProtection();
  void configure(const HeaderEncryption& settings);

  /// Outbound: a packet with contributing sources but no extension gets an empty one, for without
  /// it they could not be hidden (RFC 9335 section 6.1). False without room for it and `trailer`.
  bool makeHideable(PacketBuf& packet, size_t trailer) const;
  /// Outbound: hides what is to be hidden, short of what the cipher does. The packet is ready for
  /// it (and to be joined back afterwards).
  Cut hide(MutableByteSpan packet, uint32_t ssrc, uint64_t index);
  /// Inbound: how the packet was cut; nothing if it shows what it has to hide.
  std::optional<Cut> cutOf(ByteSpan packet) const;
  /// For the cipher, and back to the order on the wire.
  static void split(uint8_t* data, const Cut& cut);
  static void joinBack(uint8_t* data, const Cut& cut);
  /// Inbound, after the cipher: as it was before it was protected.
  void reveal(MutableByteSpan packet, const Cut& cut, uint32_t ssrc, uint64_t index);

 private:
  void cryptElements(MutableByteSpan packet, uint32_t ssrc, uint64_t index);

  HeaderEncryption settings_;
  bool hidesElements_ = false;
  crypto::Secret key_;
  CounterBlock salt_{};
  std::optional<crypto::AesCounter> cipher_;
};

}  // namespace parley::srtp
