#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <openssl/types.h>

#include "parley/base/bytes.h"
#include "parley/base/packet_buffer.h"

namespace parley::dtls {

enum class ContentType : uint8_t {
  ChangeCipherSpec = 20,
  Alert = 21,
  Handshake = 22,
  ApplicationData = 23
};

/// What a finished handshake leaves to the record layer (RFC 5246 section 6.3). Overwritten when it
/// goes.
struct RecordKeys {
  enum class Aead : uint8_t { Aes128Gcm, Aes256Gcm, ChaCha20Poly1305 };
  struct Side {
    std::array<uint8_t, 32> key{};
    std::array<uint8_t, 12> iv{};  ///< GCM: the 4 octets that are not sent
  };
  RecordKeys() = default;
  RecordKeys(const RecordKeys&) = default;
  RecordKeys& operator=(const RecordKeys&) = default;
  ~RecordKeys();

  Aead aead = Aead::Aes128Gcm;
  Side own;
  Side peer;
};

/// Where in epoch 1 the writer of the handshake stopped. Sequence numbers and GCM's explicit nonces
/// go on from there: neither may ever occur twice under one key.
struct WritePosition {
  uint64_t nextSequence = 0;
  uint64_t nextNonce = 0;
};

/// The records of epoch 1 (RFC 6347 section 4.1) under AEAD (RFC 5288, RFC 7905), sealed and opened
/// where they lie.
///
/// OpenSSL does the handshake only. Its record layer would copy each record twice and cost three
/// times the cipher's own time, and its object would keep 80 KiB for a connection that is silent.
class RecordProtection {
 public:
  /// Null if OpenSSL refuses.
  static std::unique_ptr<RecordProtection> create(const RecordKeys& keys, WritePosition position);
  ~RecordProtection();
  RecordProtection(const RecordProtection&) = delete;
  RecordProtection& operator=(const RecordProtection&) = delete;

  /// Turns a payload into the record that carries it. False without room in the buffer, or when the
  /// sequence numbers are used up.
  bool seal(ContentType type, PacketBuf& packet);

  /// The plaintext in `record`, which holds one whole record of epoch 1; nothing if it is not
  /// authentic or has been seen before. The record is overwritten either way.
  std::optional<MutableByteSpan> open(MutableByteSpan record);

 private:
  RecordProtection() = default;
  size_t explicitNonceSize() const { return isGcm_ ? 8 : 0; }
  static std::array<uint8_t, 12> chaChaNonce(const RecordKeys::Side& side, const uint8_t* sequence);
  bool isFresh(uint64_t sequence) const;
  void remember(uint64_t sequence);

  RecordKeys keys_;
  bool isGcm_ = true;
  EVP_CIPHER_CTX* sealer_ = nullptr;
  EVP_CIPHER_CTX* opener_ = nullptr;
  WritePosition position_;
  uint64_t highest_ = 0;  ///< highest sequence number that was authentic, plus one
  uint64_t window_ = 0;   ///< bit i: `highest_ - 1 - i` was seen (RFC 6347 section 4.1.2.6)
};

}  // namespace parley::dtls
