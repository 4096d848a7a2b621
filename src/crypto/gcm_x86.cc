// The hash is computed as RFC 8452 appendix A relates it to POLYVAL: on blocks with their octets
// turned round, by a key that was multiplied by x. That spares turning round every bit.

#include "crypto/gcm_x86.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cstring>
#include <immintrin.h>
#if defined(__clang__)
#include <cpuid.h>
#endif

#include "parley/base/check.h"
#include "parley/crypto/const_time.h"

// The library is built for any x86-64; these functions are called where `isSupported` says so.
#define PARLEY_GCM [[gnu::target("aes,pclmul,sse4.1,ssse3")]]
#define PARLEY_GCM_WIDE [[gnu::target("vaes,vpclmulqdq,avx512f,avx512bw,aes,pclmul,sse4.1,ssse3")]]
#if defined(__clang__)
#define PARLEY_UNROLL _Pragma("unroll")
#else
#define PARLEY_UNROLL _Pragma("GCC unroll 16")
#endif

namespace parley::crypto {
namespace {

using Key = GcmX86::Key;
constexpr size_t kBlock = GcmX86::kBlock;

PARLEY_GCM inline __m128i load(const uint8_t* at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}

PARLEY_GCM inline void store(uint8_t* at, __m128i value) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at), value);
}

PARLEY_GCM inline __m128i turned(__m128i block) {
  return _mm_shuffle_epi8(block,
                          _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

/// x^128 + x^127 + x^126 + x^121 + 1, without its first term.
PARLEY_GCM inline __m128i polynomial() {
  return _mm_set_epi64x(static_cast<int64_t>(0xc200000000000000), 1);
}

// ---- the hash

/// That power of the hash key, and behind it all lower ones.
inline const uint8_t* powersFrom(const Key& key, size_t power) {
  return key.powers[GcmX86::kPowers - power];
}

/// A sum of products, not yet reduced.
struct Sum {
  __m128i low;
  __m128i middle;
  __m128i high;
};

PARLEY_GCM inline Sum nothing() {
  return {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
}

PARLEY_GCM inline void addProduct(Sum& sum, __m128i a, __m128i b) {
  sum.low = _mm_xor_si128(sum.low, _mm_clmulepi64_si128(a, b, 0x00));
  sum.high = _mm_xor_si128(sum.high, _mm_clmulepi64_si128(a, b, 0x11));
  sum.middle = _mm_xor_si128(sum.middle, _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x10),
                                                       _mm_clmulepi64_si128(a, b, 0x01)));
}

/// The sum times x^-128, modulo the polynomial: two steps of 64 bits.
PARLEY_GCM inline __m128i reduced(const Sum& sum) {
  __m128i low = _mm_xor_si128(sum.low, _mm_slli_si128(sum.middle, 8));
  const __m128i high = _mm_xor_si128(sum.high, _mm_srli_si128(sum.middle, 8));
  const __m128i poly = polynomial();
  low = _mm_xor_si128(_mm_clmulepi64_si128(low, poly, 0x10), _mm_shuffle_epi32(low, 0x4e));
  low = _mm_xor_si128(_mm_clmulepi64_si128(low, poly, 0x10), _mm_shuffle_epi32(low, 0x4e));
  return _mm_xor_si128(high, low);
}

PARLEY_GCM inline __m128i product(__m128i a, __m128i b) {
  Sum sum = nothing();
  addProduct(sum, a, b);
  return reduced(sum);
}

PARLEY_GCM inline __m128i timesX(__m128i a) {
  const __m128i carry = _mm_shuffle_epi32(_mm_srai_epi32(a, 31), 0xff);
  const __m128i between = _mm_slli_si128(_mm_srli_epi64(a, 63), 8);
  const __m128i doubled = _mm_or_si128(_mm_slli_epi64(a, 1), between);
  return _mm_xor_si128(doubled, _mm_and_si128(carry, polynomial()));
}

/// What is authenticated and not encrypted: the parts as one, filled up with zeros.
PARLEY_GCM __m128i absorbed(const Key& key, GcmX86::Blocks parts) {
  const __m128i power = load(powersFrom(key, 1));
  __m128i hash = _mm_setzero_si128();
  uint8_t block[kBlock] = {};
  size_t held = 0;
  for (ByteSpan part : parts) {
    while (!part.empty()) {
      const size_t count = std::min(part.size(), kBlock - held);
      std::memcpy(block + held, part.data(), count);
      part = part.subspan(count);
      held += count;
      if (held < kBlock) break;
      hash = product(_mm_xor_si128(hash, turned(load(block))), power);
      held = 0;
    }
  }
  if (held == 0) return hash;
  std::memset(block + held, 0, kBlock - held);
  return product(_mm_xor_si128(hash, turned(load(block))), power);
}

// ---- the cipher

PARLEY_GCM inline __m128i encrypted(const Key& key, __m128i block) {
  block = _mm_xor_si128(block, load(key.rounds[0]));
  for (size_t r = 1; r < key.roundCount; ++r) block = _mm_aesenc_si128(block, load(key.rounds[r]));
  return _mm_aesenclast_si128(block, load(key.rounds[key.roundCount]));
}

/// The counter has its last word, which counts, in the processor's order.
PARLEY_GCM inline __m128i counterBlock(__m128i counter) {
  return _mm_shuffle_epi8(counter,
                          _mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
}

/// The next `Count` blocks of the key stream but for the last round, which takes the data in.
template <size_t Rounds, size_t Count>
PARLEY_GCM inline void prepare(const Key& key, __m128i& counter, __m128i* out) {
  const __m128i first = load(key.rounds[0]);
  PARLEY_UNROLL
  for (size_t i = 0; i < Count; ++i) {
    out[i] = _mm_xor_si128(counterBlock(counter), first);
    counter = _mm_add_epi32(counter, _mm_set_epi32(1, 0, 0, 0));
  }
  PARLEY_UNROLL
  for (size_t r = 1; r < Rounds; ++r) {
    const __m128i round = load(key.rounds[r]);
    PARLEY_UNROLL
    for (size_t i = 0; i < Count; ++i) out[i] = _mm_aesenc_si128(out[i], round);
  }
}

template <size_t Rounds, bool Sealing, size_t Count>
PARLEY_GCM inline void cryptBlocks(const Key& key, __m128i& hash, __m128i& counter, uint8_t* data) {
  __m128i stream[Count];
  prepare<Rounds, Count>(key, counter, stream);
  const __m128i last = load(key.rounds[Rounds]);
  Sum sum = nothing();
  PARLEY_UNROLL
  for (size_t i = 0; i < Count; ++i) {
    const __m128i in = load(data + kBlock * i);
    const __m128i out = _mm_aesenclast_si128(stream[i], _mm_xor_si128(in, last));
    store(data + kBlock * i, out);
    __m128i hashed = turned(Sealing ? out : in);
    if (i == 0) hashed = _mm_xor_si128(hashed, hash);
    addProduct(sum, hashed, load(powersFrom(key, Count - i)));
  }
  hash = reduced(sum);
}

/// The end of a packet, less than four blocks.
template <size_t Rounds, bool Sealing>
PARLEY_GCM inline void cryptRest(const Key& key, __m128i& hash, __m128i counter, uint8_t* data,
                                 size_t size) {
  constexpr size_t kMost = 4;
  __m128i stream[kMost];
  prepare<Rounds, kMost>(key, counter, stream);
  const __m128i last = load(key.rounds[Rounds]);
  uint8_t in[kMost * kBlock] = {};
  uint8_t out[kMost * kBlock];
  std::memcpy(in, data, size);
  PARLEY_UNROLL
  for (size_t i = 0; i < kMost; ++i)
    store(out + kBlock * i,
          _mm_aesenclast_si128(stream[i], _mm_xor_si128(load(in + kBlock * i), last)));
  std::memcpy(data, out, size);
  std::memset(out + size, 0, sizeof out - size);
  const size_t blocks = (size + kBlock - 1) / kBlock;
  Sum sum = nothing();
  for (size_t i = 0; i < blocks; ++i) {
    __m128i hashed = turned(load((Sealing ? out : in) + kBlock * i));
    if (i == 0) hashed = _mm_xor_si128(hashed, hash);
    addProduct(sum, hashed, load(powersFrom(key, blocks - i)));
  }
  hash = reduced(sum);
}

template <size_t Rounds, bool Sealing>
PARLEY_GCM __m128i crypt(const Key& key, __m128i hash, __m128i counter, MutableByteSpan data) {
  uint8_t* at = data.data();
  size_t left = data.size();
  for (; left >= 8 * kBlock; at += 8 * kBlock, left -= 8 * kBlock)
    cryptBlocks<Rounds, Sealing, 8>(key, hash, counter, at);
  if (left >= 4 * kBlock) {
    cryptBlocks<Rounds, Sealing, 4>(key, hash, counter, at);
    at += 4 * kBlock;
    left -= 4 * kBlock;
  }
  if (left > 0) cryptRest<Rounds, Sealing>(key, hash, counter, at, left);
  return hash;
}

// ---- the same with four blocks in a register

constexpr size_t kWide = 4 * kBlock;
/// Registers at a time: enough of them for none to wait for the one before.
constexpr size_t kGroup = 4;

PARLEY_GCM_WIDE inline __m512i loadWide(const uint8_t* at) {
  return _mm512_loadu_si512(at);
}

// Of those that build on an undefined register the masked forms are used: GCC 12 warns of the
// others (its bug 105593) and makes the same of both.
PARLEY_GCM_WIDE inline __m512i inEach(__m128i block) {
  return _mm512_maskz_broadcast_i32x4(0xffff, block);
}

PARLEY_GCM_WIDE inline __m512i turnedWide(__m512i blocks) {
  const __m128i order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  return _mm512_shuffle_epi8(blocks, inEach(order));
}

struct WideSum {
  __m512i low;
  __m512i middle;
  __m512i high;
};

PARLEY_GCM_WIDE inline WideSum nothingWide() {
  return {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
}

PARLEY_GCM_WIDE inline void addProducts(WideSum& sum, __m512i a, __m512i b) {
  constexpr int kXorOfThree = 0x96;
  sum.low = _mm512_xor_si512(sum.low, _mm512_clmulepi64_epi128(a, b, 0x00));
  sum.high = _mm512_xor_si512(sum.high, _mm512_clmulepi64_epi128(a, b, 0x11));
  sum.middle = _mm512_ternarylogic_epi64(sum.middle, _mm512_clmulepi64_epi128(a, b, 0x10),
                                         _mm512_clmulepi64_epi128(a, b, 0x01), kXorOfThree);
}

PARLEY_GCM_WIDE inline __m128i addedUp(__m512i blocks) {
  const __m256i two = _mm256_xor_si256(_mm512_maskz_extracti64x4_epi64(0xf, blocks, 0),
                                       _mm512_maskz_extracti64x4_epi64(0xf, blocks, 1));
  return _mm_xor_si128(_mm256_castsi256_si128(two), _mm256_extracti128_si256(two, 1));
}

PARLEY_GCM_WIDE inline __m128i reducedWide(const WideSum& sum) {
  return reduced({addedUp(sum.low), addedUp(sum.middle), addedUp(sum.high)});
}

template <size_t Rounds>
PARLEY_GCM_WIDE inline void prepareWide(const Key& key, __m512i& counter, __m512i* out) {
  const __m512i order = inEach(_mm_set_epi8(12, 13, 14, 15, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
  const __m512i first = inEach(load(key.rounds[0]));
  PARLEY_UNROLL
  for (size_t i = 0; i < kGroup; ++i) {
    out[i] = _mm512_xor_si512(_mm512_shuffle_epi8(counter, order), first);
    counter = _mm512_add_epi32(counter, inEach(_mm_set_epi32(4, 0, 0, 0)));
  }
  PARLEY_UNROLL
  for (size_t r = 1; r < Rounds; ++r) {
    const __m512i round = inEach(load(key.rounds[r]));
    PARLEY_UNROLL
    for (size_t i = 0; i < kGroup; ++i) out[i] = _mm512_aesenc_epi128(out[i], round);
  }
}

template <size_t Rounds, bool Sealing>
PARLEY_GCM_WIDE inline void cryptGroup(const Key& key, __m128i& hash, __m512i& counter,
                                       uint8_t* data) {
  __m512i stream[kGroup];
  prepareWide<Rounds>(key, counter, stream);
  const __m512i last = inEach(load(key.rounds[Rounds]));
  WideSum sum = nothingWide();
  PARLEY_UNROLL
  for (size_t i = 0; i < kGroup; ++i) {
    const __m512i in = loadWide(data + kWide * i);
    const __m512i out = _mm512_aesenclast_epi128(stream[i], _mm512_xor_si512(in, last));
    _mm512_storeu_si512(data + kWide * i, out);
    __m512i hashed = turnedWide(Sealing ? out : in);
    if (i == 0) hashed = _mm512_xor_si512(hashed, _mm512_zextsi128_si512(hash));
    addProducts(sum, hashed, loadWide(powersFrom(key, 4 * (kGroup - i))));
  }
  hash = reducedWide(sum);
}

/// The end of a packet, less than a group: octets behind it are neither read nor written.
template <size_t Rounds, bool Sealing>
PARLEY_GCM_WIDE inline void cryptRestWide(const Key& key, __m128i& hash, __m512i counter,
                                          uint8_t* data, size_t size) {
  __m512i stream[kGroup];
  prepareWide<Rounds>(key, counter, stream);
  const __m512i last = inEach(load(key.rounds[Rounds]));
  size_t blocks = (size + kBlock - 1) / kBlock;
  WideSum sum = nothingWide();
  PARLEY_UNROLL
  for (size_t i = 0; i < kGroup; ++i) {
    if (size == 0) break;
    const size_t here = std::min(size, kWide);
    const __mmask64 mask = ~uint64_t{0} >> (kWide - here);
    const __m512i in = _mm512_maskz_loadu_epi8(mask, data);
    const __m512i out = _mm512_maskz_mov_epi8(
        mask, _mm512_aesenclast_epi128(stream[i], _mm512_xor_si512(in, last)));
    _mm512_mask_storeu_epi8(data, mask, out);
    __m512i hashed = turnedWide(Sealing ? out : in);
    if (i == 0) hashed = _mm512_xor_si512(hashed, _mm512_zextsi128_si512(hash));
    addProducts(sum, hashed, loadWide(powersFrom(key, blocks)));
    data += here;
    size -= here;
    blocks -= std::min<size_t>(blocks, 4);
  }
  hash = reducedWide(sum);
}

template <size_t Rounds, bool Sealing>
PARLEY_GCM_WIDE __m128i cryptWide(const Key& key, __m128i hash, __m128i counter,
                                  MutableByteSpan data) {
  uint8_t* at = data.data();
  size_t left = data.size();
  __m512i counters = _mm512_add_epi32(
      inEach(counter), _mm512_set_epi32(3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0));
  for (; left >= kGroup * kWide; at += kGroup * kWide, left -= kGroup * kWide)
    cryptGroup<Rounds, Sealing>(key, hash, counters, at);
  if (left > 0) cryptRestWide<Rounds, Sealing>(key, hash, counters, at, left);
  return hash;
}

// ---- a packet

template <bool Sealing>
PARLEY_GCM __m128i crypt(const Key& key, GcmX86::Width width, __m128i hash, __m128i counter,
                         MutableByteSpan data) {
  if (width == GcmX86::Width::Four) {
    return key.roundCount == 10 ? cryptWide<10, Sealing>(key, hash, counter, data)
                                : cryptWide<14, Sealing>(key, hash, counter, data);
  }
  return key.roundCount == 10 ? crypt<10, Sealing>(key, hash, counter, data)
                              : crypt<14, Sealing>(key, hash, counter, data);
}

/// Encrypts or decrypts, and answers with the tag of what is encrypted.
template <bool Sealing>
PARLEY_GCM __m128i run(const Key& key, GcmX86::Width width, const AesGcm::Nonce& nonce,
                       GcmX86::Blocks associated, MutableByteSpan data) {
  alignas(16) uint8_t start[kBlock] = {};
  std::memcpy(start, nonce.data(), nonce.size());
  const __m128i base = load(start);
  // The first block of the key stream hides the tag: counter 1, in network order.
  const __m128i mask = encrypted(key, _mm_or_si128(base, _mm_set_epi32(0x01000000, 0, 0, 0)));
  const __m128i counter = _mm_or_si128(base, _mm_set_epi32(2, 0, 0, 0));
  size_t clear = 0;
  for (const ByteSpan part : associated) clear += part.size();
  __m128i hash = crypt<Sealing>(key, width, absorbed(key, associated), counter, data);
  const __m128i bits =
      _mm_set_epi64x(static_cast<int64_t>(clear * 8), static_cast<int64_t>(data.size() * 8));
  hash = product(_mm_xor_si128(hash, bits), load(powersFrom(key, 1)));
  return _mm_xor_si128(turned(hash), mask);
}

// ---- the key

PARLEY_GCM inline __m128i spread(__m128i words) {
  words = _mm_xor_si128(words, _mm_slli_si128(words, 4));
  return _mm_xor_si128(words, _mm_slli_si128(words, 8));
}

/// The round key behind `before`, and behind `last`, which is the same with keys of 16 octets.
template <int Constant>
PARLEY_GCM inline __m128i next(__m128i before, __m128i last) {
  const __m128i turn = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(last, Constant), 0xff);
  return _mm_xor_si128(spread(before), turn);
}

/// Every other one with keys of 32 octets: without rotation and constant.
PARLEY_GCM inline __m128i nextPlain(__m128i before, __m128i last) {
  const __m128i turn = _mm_shuffle_epi32(_mm_aeskeygenassist_si128(last, 0), 0xaa);
  return _mm_xor_si128(spread(before), turn);
}

PARLEY_GCM void expand128(const uint8_t* key, __m128i* out) {
  out[0] = load(key);
  out[1] = next<0x01>(out[0], out[0]);
  out[2] = next<0x02>(out[1], out[1]);
  out[3] = next<0x04>(out[2], out[2]);
  out[4] = next<0x08>(out[3], out[3]);
  out[5] = next<0x10>(out[4], out[4]);
  out[6] = next<0x20>(out[5], out[5]);
  out[7] = next<0x40>(out[6], out[6]);
  out[8] = next<0x80>(out[7], out[7]);
  out[9] = next<0x1b>(out[8], out[8]);
  out[10] = next<0x36>(out[9], out[9]);
}

PARLEY_GCM void expand256(const uint8_t* key, __m128i* out) {
  out[0] = load(key);
  out[1] = load(key + kBlock);
  out[2] = next<0x01>(out[0], out[1]);
  out[3] = nextPlain(out[1], out[2]);
  out[4] = next<0x02>(out[2], out[3]);
  out[5] = nextPlain(out[3], out[4]);
  out[6] = next<0x04>(out[4], out[5]);
  out[7] = nextPlain(out[5], out[6]);
  out[8] = next<0x08>(out[6], out[7]);
  out[9] = nextPlain(out[7], out[8]);
  out[10] = next<0x10>(out[8], out[9]);
  out[11] = nextPlain(out[9], out[10]);
  out[12] = next<0x20>(out[10], out[11]);
  out[13] = nextPlain(out[11], out[12]);
  out[14] = next<0x40>(out[12], out[13]);
}

PARLEY_GCM void prepareKey(ByteSpan key, Key& out) {
  __m128i rounds[GcmX86::kMaxRounds + 1];
  out.roundCount = key.size() == 32 ? 14 : 10;
  key.size() == 32 ? expand256(key.data(), rounds) : expand128(key.data(), rounds);
  for (size_t r = 0; r <= out.roundCount; ++r) store(out.rounds[r], rounds[r]);
  const __m128i first = timesX(turned(encrypted(out, _mm_setzero_si128())));
  __m128i power = first;
  std::memset(out.powers, 0, sizeof out.powers);
  for (size_t i = GcmX86::kPowers; i-- > 0; power = product(power, first))
    store(out.powers[i], power);
  wipe({reinterpret_cast<uint8_t*>(rounds), sizeof rounds});
}

PARLEY_GCM void sealWith(const Key& key, GcmX86::Width width, const AesGcm::Nonce& nonce,
                         GcmX86::Blocks associated, MutableByteSpan data, uint8_t* tag) {
  store(tag, run<true>(key, width, nonce, associated, data));
}

PARLEY_GCM void openWith(const Key& key, GcmX86::Width width, const AesGcm::Nonce& nonce,
                         GcmX86::Blocks associated, MutableByteSpan data, uint8_t* tag) {
  store(tag, run<false>(key, width, nonce, associated, data));
}

}  // namespace

namespace {

bool hasVectorAes() {
#if defined(__clang__)
  // It has no name for this one. To ask the processor itself takes a virtual machine microseconds,
  // while the names stand for an answer that is kept.
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kVaes = 1u << 9;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & kVaes) != 0;
#else
  return __builtin_cpu_supports("vaes") != 0;
#endif
}

}  // namespace

bool GcmX86::isSupported(Width width) {
  const bool one = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
                   __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3");
  if (width == Width::One) return one;
  // The names of AVX-512 stand for more than the processor: the system keeps the large registers.
  return one && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("vpclmulqdq") && hasVectorAes();
}

GcmX86::GcmX86(ByteSpan key, Width width) : width_(width) {
  PARLEY_CHECK(isSupported(width) && (key.size() == 16 || key.size() == 32));
  prepareKey(key, key_);
}

GcmX86::~GcmX86() {
  wipe({reinterpret_cast<uint8_t*>(&key_), sizeof key_});
}

void GcmX86::seal(const AesGcm::Nonce& nonce, Blocks associated, MutableByteSpan data,
                  uint8_t* tag) const {
  sealWith(key_, width_, nonce, associated, data, tag);
}

bool GcmX86::open(const AesGcm::Nonce& nonce, Blocks associated, MutableByteSpan data,
                  const uint8_t* tag) const {
  uint8_t computed[kBlock];
  openWith(key_, width_, nonce, associated, data, computed);
  return constantTimeEquals(computed, {tag, kBlock});
}

}  // namespace parley::crypto

#endif
