#include "parley/crypto/sframe.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/evp.h>

#include "parley/base/check.h"
#include "parley/crypto/const_time.h"
#include "parley/crypto/hash.h"
#include "parley/crypto/hmac.h"

namespace parley::crypto {
namespace {

constexpr size_t kNonceSize = 12;
constexpr size_t kMaxKeys = 256;

/// Parameters of RFC 9605 section 4.5, table 1.
struct SuiteParameters {
  size_t cipherKey;
  size_t authKey;  ///< 0: an AEAD by itself
  size_t tag;
  bool sha512;
  size_t hash() const { return sha512 ? 64 : 32; }
};

SuiteParameters parametersOf(SframeSuite suite) {
  switch (suite) {
    case SframeSuite::Aes128CtrHmacSha256_80:
      return {16, 32, 10, false};
    case SframeSuite::Aes128CtrHmacSha256_64:
      return {16, 32, 8, false};
    case SframeSuite::Aes128CtrHmacSha256_32:
      return {16, 32, 4, false};
    case SframeSuite::Aes128GcmSha256_128:
      return {16, 0, 16, false};
    case SframeSuite::Aes256GcmSha512_128:
      return {32, 0, 16, true};
  }
  return {16, 0, 16, false};
}

Bytes hmac(const SuiteParameters& suite, ByteSpan key, std::initializer_list<ByteSpan> parts) {
  if (suite.sha512) {
    const Sha512Digest digest = hmacSha512(key, parts);
    return {digest.begin(), digest.end()};
  }
  const Sha256Digest digest = hmacSha256(key, parts);
  return {digest.begin(), digest.end()};
}

ByteSpan asBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// HKDF-Extract with an empty salt, then HKDF-Expand (RFC 5869).
Bytes hkdf(const SuiteParameters& suite, ByteSpan input, ByteSpan info, size_t size) {
  Bytes secret = hmac(suite, {}, {input});
  Bytes out;
  Bytes block;
  for (uint8_t number = 1; out.size() < size; ++number) {
    block = hmac(suite, secret, {block, info, ByteSpan(&number, 1)});
    out.insert(out.end(), block.begin(), block.end());
  }
  out.resize(size);
  wipe(secret);
  wipe(block);
  return out;
}

/// The base key that follows (RFC 9605 section 5.1, where the ratchet is defined by the hash's
/// size).
Bytes ratcheted(const SuiteParameters& suite, ByteSpan base) {
  return hkdf(suite, base, asBytes("SFrame 1.0 Ratchet"), suite.hash());
}

/// RFC 9605 section 4.4.2: the label, the key id in 8 bytes, the suite in 2.
Bytes keyInfo(std::string_view label, uint64_t keyId, SframeSuite suite) {
  Bytes out(label.size() + 10);
  ByteWriter w(out);
  w.bytes(asBytes(label));
  w.u64(keyId);
  w.u16(static_cast<uint16_t>(suite));
  return out;
}

class CipherContext {
 public:
  CipherContext() : context_(EVP_CIPHER_CTX_new()) { PARLEY_CHECK(context_ != nullptr); }
  ~CipherContext() { EVP_CIPHER_CTX_free(context_); }
  CipherContext(const CipherContext&) = delete;
  CipherContext& operator=(const CipherContext&) = delete;
  EVP_CIPHER_CTX* get() { return context_; }

 private:
  EVP_CIPHER_CTX* context_;
};

int sizeOf(ByteSpan bytes) {
  return static_cast<int>(bytes.size());
}

/// Key and salt of one key id, and the AEAD under them.
class FrameKey {
 public:
  FrameKey(SframeSuite suite, uint64_t keyId, Bytes baseKey)
      : parameters_(parametersOf(suite)), base_(std::move(baseKey)) {
    key_ = hkdf(parameters_, base_, keyInfo("SFrame 1.0 Secret key ", keyId, suite),
                parameters_.cipherKey + parameters_.authKey);
    salt_ = hkdf(parameters_, base_, keyInfo("SFrame 1.0 Secret salt ", keyId, suite), kNonceSize);
  }
  ~FrameKey() {
    wipe(key_);
    wipe(salt_);
    wipe(base_);
  }
  FrameKey(FrameKey&&) = default;
  FrameKey& operator=(FrameKey&&) = default;
  FrameKey(const FrameKey&) = delete;
  FrameKey& operator=(const FrameKey&) = delete;

  Bytes nextBase() const { return ratcheted(parameters_, base_); }
  size_t tagSize() const { return parameters_.tag; }

  bool seal(uint64_t counter, ByteSpan aad1, ByteSpan aad2, ByteSpan plain, uint8_t* out) const {
    const auto nonce = nonceOf(counter);
    if (parameters_.authKey > 0) {
      if (!ctr(nonce, plain, out)) return false;
      const auto tag = tagOf(nonce, aad1, aad2, {out, plain.size()});
      std::copy_n(tag.begin(), parameters_.tag, out + plain.size());
      return true;
    }
    CipherContext c;
    int n = 0;
    return EVP_EncryptInit_ex(c.get(), gcm(), nullptr, key_.data(), nonce.data()) == 1 &&
           EVP_EncryptUpdate(c.get(), nullptr, &n, aad1.data(), sizeOf(aad1)) == 1 &&
           (aad2.empty() ||
            EVP_EncryptUpdate(c.get(), nullptr, &n, aad2.data(), sizeOf(aad2)) == 1) &&
           (plain.empty() ||
            EVP_EncryptUpdate(c.get(), out, &n, plain.data(), sizeOf(plain)) == 1) &&
           EVP_EncryptFinal_ex(c.get(), out + plain.size(), &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_GET_TAG, static_cast<int>(parameters_.tag),
                               out + plain.size()) == 1;
  }

  /// `sealed` is ciphertext and tag.
  bool open(uint64_t counter, ByteSpan aad1, ByteSpan aad2, ByteSpan sealed, uint8_t* out) const {
    const auto nonce = nonceOf(counter);
    const ByteSpan text = sealed.first(sealed.size() - parameters_.tag);
    const ByteSpan tag = sealed.last(parameters_.tag);
    if (parameters_.authKey > 0) {
      const auto expected = tagOf(nonce, aad1, aad2, text);
      return constantTimeEquals(tag, ByteSpan(expected).first(parameters_.tag)) &&
             ctr(nonce, text, out);
    }
    CipherContext c;
    int n = 0;
    return EVP_DecryptInit_ex(c.get(), gcm(), nullptr, key_.data(), nonce.data()) == 1 &&
           EVP_DecryptUpdate(c.get(), nullptr, &n, aad1.data(), sizeOf(aad1)) == 1 &&
           (aad2.empty() ||
            EVP_DecryptUpdate(c.get(), nullptr, &n, aad2.data(), sizeOf(aad2)) == 1) &&
           (text.empty() || EVP_DecryptUpdate(c.get(), out, &n, text.data(), sizeOf(text)) == 1) &&
           EVP_CIPHER_CTX_ctrl(c.get(), EVP_CTRL_AEAD_SET_TAG, static_cast<int>(parameters_.tag),
                               const_cast<uint8_t*>(tag.data())) == 1 &&
           EVP_DecryptFinal_ex(c.get(), out + text.size(), &n) == 1;
  }

 private:
  using Nonce = std::array<uint8_t, kNonceSize>;

  const EVP_CIPHER* gcm() const {
    return parameters_.cipherKey == 32 ? EVP_aes_256_gcm() : EVP_aes_128_gcm();
  }

  // Section 4.4.3: the salt XOR the counter, in as many bytes.
  Nonce nonceOf(uint64_t counter) const {
    Nonce out{};
    for (size_t i = 0; i < 8; ++i)
      out[kNonceSize - 1 - i] = static_cast<uint8_t>(counter >> (8 * i));
    for (size_t i = 0; i < kNonceSize; ++i) out[i] ^= salt_[i];
    return out;
  }

  // Section 4.5.1: the nonce with four zero bytes is the first counter block.
  bool ctr(const Nonce& nonce, ByteSpan in, uint8_t* out) const {
    std::array<uint8_t, 16> block{};
    std::copy(nonce.begin(), nonce.end(), block.begin());
    CipherContext c;
    int n = 0;
    return EVP_EncryptInit_ex(c.get(), EVP_aes_128_ctr(), nullptr, key_.data(), block.data()) ==
               1 &&
           (in.empty() || EVP_EncryptUpdate(c.get(), out, &n, in.data(), sizeOf(in)) == 1);
  }

  Sha256Digest tagOf(const Nonce& nonce, ByteSpan aad1, ByteSpan aad2, ByteSpan text) const {
    std::array<uint8_t, 24> lengths{};
    ByteWriter w(lengths);
    w.u64(aad1.size() + aad2.size());
    w.u64(text.size());
    w.u64(parameters_.tag);
    return hmacSha256(ByteSpan(key_).subspan(parameters_.cipherKey),
                      {lengths, nonce, aad1, aad2, text});
  }

  SuiteParameters parameters_;
  Bytes base_;
  Bytes key_;
  Bytes salt_;
};

size_t bytesFor(uint64_t value) {
  size_t n = 1;
  while (n < 8 && value >> (8 * n) != 0) ++n;
  return n;
}

void writeShortest(ByteWriter& w, uint64_t value) {
  if (value < 8) return;
  for (size_t i = bytesFor(value); i-- > 0;) w.u8(static_cast<uint8_t>(value >> (8 * i)));
}

/// `field`: the flag that the number follows, and three bits: the number itself, or how many bytes
/// less one.
std::optional<uint64_t> readShortest(ByteReader& r, unsigned field) {
  if ((field & 8) == 0) return field;
  const size_t n = (field & 7) + 1;
  uint64_t value = 0;
  for (size_t i = 0; i < n; ++i) value = value << 8 | r.u8();
  // "the minimum number of bytes"
  if (!r.ok() || value < 8 || bytesFor(value) != n) return std::nullopt;
  return value;
}

unsigned shortestField(uint64_t value) {
  return value < 8 ? static_cast<unsigned>(value)
                   : static_cast<unsigned>(8 | (bytesFor(value) - 1));
}

Result<void> checkKey(ByteSpan key, SframeRatchet ratchet) {
  if (key.empty()) return fail(ErrorCode::InvalidAccess, "an SFrame key must not be empty");
  if (ratchet.bits > 8) return fail(ErrorCode::Range, "a ratchet step has at most 8 bits");
  return ok();
}

}  // namespace

size_t SframeHeader::size() const {
  return 1 + (keyId < 8 ? 0 : bytesFor(keyId)) + (counter < 8 ? 0 : bytesFor(counter));
}

void SframeHeader::write(ByteWriter& w) const {
  w.u8(static_cast<uint8_t>(shortestField(keyId) << 4 | shortestField(counter)));
  writeShortest(w, keyId);
  writeShortest(w, counter);
}

std::optional<SframeHeader> SframeHeader::parse(ByteReader& r) {
  const uint8_t config = r.u8();
  if (!r.ok()) return std::nullopt;
  const auto keyId = readShortest(r, config >> 4);
  if (!keyId) return std::nullopt;
  const auto counter = readShortest(r, config & 15u);
  if (!counter) return std::nullopt;
  return SframeHeader{*keyId, *counter};
}

struct SframeEncryptor::State {
  static constexpr size_t kMaxFormer = 1024;

  SframeSuite suite;
  SframeRatchet ratchet;
  std::optional<FrameKey> key{};
  Sha256Digest print{};  ///< of key and id
  SframeHeader next{};
  bool usedUp = false;
  struct Former {
    Sha256Digest print{};
    uint64_t counter = 0;
    bool usedUp = false;
  };
  std::vector<Former> former{};  ///< keys that were replaced, and how far they had come

  static Sha256Digest printOf(uint64_t keyId, ByteSpan baseKey) {
    std::array<uint8_t, 8> id{};
    ByteWriter(id).u64(keyId);
    return sha256({id, baseKey});
  }
};

SframeEncryptor::SframeEncryptor(SframeSuite suite, SframeRatchet ratchet)
    : state_(std::make_unique<State>(State{suite, ratchet})) {}
SframeEncryptor::~SframeEncryptor() = default;
SframeEncryptor::SframeEncryptor(SframeEncryptor&&) noexcept = default;
SframeEncryptor& SframeEncryptor::operator=(SframeEncryptor&&) noexcept = default;

Result<void> SframeEncryptor::setKey(uint64_t keyId, ByteSpan baseKey, uint64_t firstCounter) {
  if (Result<void> good = checkKey(baseKey, state_->ratchet); !good) return good;
  auto& former = state_->former;
  if (state_->key) {
    if (former.size() == State::kMaxFormer) former.erase(former.begin());
    former.push_back({state_->print, state_->next.counter, state_->usedUp});
  }
  state_->key.emplace(state_->suite, keyId, Bytes(baseKey.begin(), baseKey.end()));
  state_->print = State::printOf(keyId, baseKey);
  state_->next = {keyId, firstCounter};
  state_->usedUp = false;
  const auto known = std::find_if(former.begin(), former.end(),
                                  [&](const State::Former& f) { return f.print == state_->print; });
  if (known == former.end()) return ok();
  state_->next.counter = std::max(firstCounter, known->counter);
  state_->usedUp = known->usedUp;
  former.erase(known);
  return ok();
}

Result<void> SframeEncryptor::ratchet() {
  if (!state_->key || state_->ratchet.bits == 0)
    return fail(ErrorCode::InvalidState, "there is no key, or its id has no room for a step");
  const uint64_t mask = (uint64_t{1} << state_->ratchet.bits) - 1;
  const uint64_t id = state_->next.keyId;
  const uint64_t nextId = (id & ~mask) | ((id + 1) & mask);
  Bytes base = state_->key->nextBase();
  Result<void> set = setKey(nextId, base);
  wipe(base);
  return set;
}

Result<void> SframeEncryptor::encrypt(ByteSpan frame, ByteSpan metadata, Bytes& out) {
  if (!state_->key) return fail(ErrorCode::InvalidState, "no SFrame key is set");
  if (state_->usedUp) return fail(ErrorCode::InvalidState, "the key's counters are used up");
  const size_t at = out.size();
  const size_t header = state_->next.size();
  out.resize(at + header + frame.size() + state_->key->tagSize());
  ByteWriter w(MutableByteSpan(out).subspan(at));
  state_->next.write(w);
  const ByteSpan aad = ByteSpan(out).subspan(at, header);
  if (!state_->key->seal(state_->next.counter, aad, metadata, frame, out.data() + at + header)) {
    out.resize(at);
    return fail(ErrorCode::Operation, "OpenSSL could not encrypt the frame");
  }
  state_->usedUp = ++state_->next.counter == 0;
  return ok();
}

uint64_t SframeEncryptor::keyId() const {
  return state_->next.keyId;
}

struct SframeDecryptor::State {
  SframeSuite suite;
  SframeRatchet ratchet;
  std::map<uint64_t, FrameKey> keys{};
  SframeHeader last{};

  uint64_t mask() const { return (uint64_t{1} << ratchet.bits) - 1; }
  /// The key, or the newest known one of the chain that `keyId` goes on; end() if there is none.
  std::map<uint64_t, FrameKey>::const_iterator nearest(uint64_t keyId) const {
    auto best = keys.find(keyId);
    if (best != keys.end() || ratchet.bits == 0) return best;
    for (auto it = keys.begin(); it != keys.end(); ++it) {
      if ((it->first & ~mask()) != (keyId & ~mask())) continue;
      if (best == keys.end() || steps(it->first, keyId) < steps(best->first, keyId)) best = it;
    }
    return best;
  }
  uint64_t steps(uint64_t from, uint64_t to) const { return (to - from) & mask(); }
  /// The base key of `keyId`, from a former one of its chain. Anybody may name an id that is far:
  /// no more is derived on the way than that takes.
  Bytes baseOf(uint64_t keyId, const std::pair<const uint64_t, FrameKey>& former) const {
    Bytes base = former.second.nextBase();
    for (uint64_t left = steps(former.first, keyId) - 1; left > 0; --left) {
      Bytes next = ratcheted(parametersOf(suite), base);
      wipe(base);
      base = std::move(next);
    }
    return base;
  }
};

SframeDecryptor::SframeDecryptor(SframeSuite suite, SframeRatchet ratchet)
    : state_(std::make_unique<State>(State{suite, ratchet})) {}
SframeDecryptor::~SframeDecryptor() = default;
SframeDecryptor::SframeDecryptor(SframeDecryptor&&) noexcept = default;
SframeDecryptor& SframeDecryptor::operator=(SframeDecryptor&&) noexcept = default;

Result<void> SframeDecryptor::addKey(uint64_t keyId, ByteSpan baseKey) {
  if (Result<void> good = checkKey(baseKey, state_->ratchet); !good) return good;
  if (state_->keys.size() >= kMaxKeys)
    return fail(ErrorCode::ResourceExhausted, "at most 256 SFrame keys are kept");
  state_->keys.insert_or_assign(
      keyId, FrameKey(state_->suite, keyId, Bytes(baseKey.begin(), baseKey.end())));
  return ok();
}

void SframeDecryptor::removeKey(uint64_t keyId) {
  const uint64_t mask = state_->mask();
  std::erase_if(state_->keys,
                [&](const auto& key) { return (key.first & ~mask) == (keyId & ~mask); });
}

Result<void> SframeDecryptor::decrypt(ByteSpan ciphertext, ByteSpan metadata, Bytes& out) {
  ByteReader r(ciphertext);
  const auto header = SframeHeader::parse(r);
  if (!header) return fail(ErrorCode::Syntax, "the frame does not begin with an SFrame header");
  const size_t headerSize = ciphertext.size() - r.remaining();
  const ByteSpan sealed = ciphertext.subspan(headerSize);
  const auto nearest = state_->nearest(header->keyId);
  if (nearest == state_->keys.end())
    return fail(ErrorCode::InvalidAccess, "the frame is encrypted with an unknown key");
  if (sealed.size() < nearest->second.tagSize())
    return fail(ErrorCode::Syntax, "the frame is shorter than its tag");
  const uint64_t former = nearest->first;
  std::optional<FrameKey> further;
  if (former != header->keyId)
    further.emplace(state_->suite, header->keyId, state_->baseOf(header->keyId, *nearest));
  const FrameKey& key = further ? *further : nearest->second;
  const size_t at = out.size();
  out.resize(at + sealed.size() - key.tagSize());
  if (!key.open(header->counter, ciphertext.first(headerSize), metadata, sealed, out.data() + at)) {
    out.resize(at);
    return fail(ErrorCode::Operation, "the frame is not authentic");
  }
  state_->last = *header;
  if (further) {
    // The key that the chain was at stays for frames that were overtaken; older ones go.
    const uint64_t mask = state_->mask();
    std::erase_if(state_->keys, [&](const auto& entry) {
      return (entry.first & ~mask) == (former & ~mask) && entry.first != former;
    });
    state_->keys.emplace(header->keyId, *std::move(further));
  }
  return ok();
}

const SframeHeader& SframeDecryptor::lastHeader() const {
  return state_->last;
}

}  // namespace parley::crypto
