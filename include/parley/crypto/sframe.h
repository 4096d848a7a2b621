#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "parley/base/bytes.h"
#include "parley/base/export.h"
#include "parley/base/result.h"

namespace parley::crypto {

/// Cipher suites of SFrame (RFC 9605 section 4.5), by their IANA numbers.
enum class SframeSuite : uint16_t {
  Aes128CtrHmacSha256_80 = 1,
  Aes128CtrHmacSha256_64 = 2,
  Aes128CtrHmacSha256_32 = 3,
  Aes128GcmSha256_128 = 4,
  Aes256GcmSha512_128 = 5,
};

/// RFC 9605 section 4.3: which key, and which frame under it. 1 to 17 bytes.
struct SframeHeader {
  static constexpr size_t kMaxSize = 17;

  uint64_t keyId = 0;
  uint64_t counter = 0;

  PARLEY_EXPORT size_t size() const;
  PARLEY_EXPORT void write(ByteWriter& w) const;
  /// Takes it off the front; nullopt if there is less, or if a number has leading zeros: then it is
  /// not the one form that a sender may write.
  PARLEY_EXPORT static std::optional<SframeHeader> parse(ByteReader& r);
  bool operator==(const SframeHeader&) const = default;
};

/// Where ratcheting (RFC 9605 section 5.1) keeps its step: in so many of the lowest bits of the key
/// id; what is above them says which chain of keys it is. 0: key ids are opaque, nothing ratchets.
struct SframeRatchet {
  unsigned bits = 0;  ///< at most 8
};

/// Encrypts whole media frames end to end (RFC 9605), so that servers that forward them cannot read
/// them. A value with a key; thread-compatible.
class PARLEY_EXPORT SframeEncryptor {
 public:
  explicit SframeEncryptor(SframeSuite suite, SframeRatchet ratchet = {});
  ~SframeEncryptor();
  SframeEncryptor(SframeEncryptor&&) noexcept;
  SframeEncryptor& operator=(SframeEncryptor&&) noexcept;

  /// The key from now on; frames count from `firstCounter`, but with a key and id that this
  /// encryptor has used before (of the last 1,024) they go on where they were: a counter that is
  /// used twice gives both plaintexts away. Another encryptor must never have the same pair.
  /// Errors: InvalidAccess for an empty key, Range for more ratchet bits than there may be.
  Result<void> setKey(uint64_t keyId, ByteSpan baseKey, uint64_t firstCounter = 0);
  /// The next key of the chain, with the next id; frames count from 0. Errors: InvalidState without
  /// a key or ratchet bits.
  Result<void> ratchet();
  /// Appends header, ciphertext and tag to `out`. `metadata` is not sent, but has to be the same at
  /// the other end. Errors: InvalidState without a key, or when its counters are used up.
  Result<void> encrypt(ByteSpan frame, ByteSpan metadata, Bytes& out);
  uint64_t keyId() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The other end. Several keys may be in use at once.
class PARLEY_EXPORT SframeDecryptor {
 public:
  explicit SframeDecryptor(SframeSuite suite, SframeRatchet ratchet = {});
  ~SframeDecryptor();
  SframeDecryptor(SframeDecryptor&&) noexcept;
  SframeDecryptor& operator=(SframeDecryptor&&) noexcept;

  /// Errors as SframeEncryptor::setKey; ResourceExhausted beyond 256 keys.
  Result<void> addKey(uint64_t keyId, ByteSpan baseKey);
  /// With ratchet bits: the whole chain that the id belongs to.
  void removeKey(uint64_t keyId);
  /// Appends the frame to `out`. A key id further along a known chain moves the chain on, once a
  /// frame has proved to be authentic; the keys that it passes are kept for one more step. Errors,
  /// which leave everything as it was: Syntax for what is no SFrame, InvalidAccess for an unknown
  /// key, Operation for a frame that is not authentic. Replays are the application's business
  /// (section 9.3).
  Result<void> decrypt(ByteSpan ciphertext, ByteSpan metadata, Bytes& out);
  /// Header of the frame decrypted last, e.g. to tell replays.
  const SframeHeader& lastHeader() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace parley::crypto
