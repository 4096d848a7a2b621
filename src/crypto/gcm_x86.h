#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "parley/crypto/packet_cipher.h"

#if defined(__x86_64__)

namespace parley::crypto {

/// AES-GCM (NIST SP 800-38D) on the instructions that x86 processors have for both of its parts.
/// For packets: OpenSSL 3 spends twice as long on finding its parameters by name as on a packet's
/// bytes. No time depends on secrets: nothing is looked up in tables, and branches know sizes
/// alone.
class GcmX86 {
 public:
  static constexpr size_t kBlock = 16;
  using Blocks = std::initializer_list<ByteSpan>;
  /// How many blocks an instruction takes.
  enum class Width : uint8_t {
    One,   ///< AES-NI and PCLMULQDQ
    Four,  ///< VAES and VPCLMULQDQ on the registers of AVX-512
  };

  /// Whether this processor can.
  static bool isSupported(Width width = Width::One);
  /// The widest that this processor can.
  static Width widest() { return isSupported(Width::Four) ? Width::Four : Width::One; }
  /// `key` has 16 or 32 octets.
  explicit GcmX86(ByteSpan key, Width width = widest());
  ~GcmX86();
  GcmX86(const GcmX86&) = delete;
  GcmX86& operator=(const GcmX86&) = delete;

  // As AesGcm has them.
  void seal(const AesGcm::Nonce& nonce, Blocks associated, MutableByteSpan data,
            uint8_t* tag) const;
  bool open(const AesGcm::Nonce& nonce, Blocks associated, MutableByteSpan data,
            const uint8_t* tag) const;

  static constexpr size_t kMaxRounds = 14;
  static constexpr size_t kPowers = 16;
  struct Key {
    /// The key schedule (FIPS 197 section 5.2).
    alignas(16) uint8_t rounds[kMaxRounds + 1][kBlock];
    /// Of the hash key, the first power last: as the blocks of a message want them. Behind it
    /// zeros, for what is read where a message ends between two multiples of four blocks.
    alignas(16) uint8_t powers[kPowers + 3][kBlock];
    size_t roundCount;
  };

 private:
  Key key_;
  Width width_;
};

}  // namespace parley::crypto

#endif
