#include "parley/base/random.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace parley {

uint32_t Random::u32() {
  uint8_t raw[4];
  fill(raw);
  return loadU32(raw);
}

uint64_t Random::u64() {
  uint8_t raw[8];
  fill(raw);
  return loadU64(raw);
}

uint64_t Random::below(uint64_t bound) {
  // Rejection keeps it uniform: values under 2^64 mod bound would make small results likelier.
  const uint64_t threshold = (0 - bound) % bound;
  for (;;) {
    const uint64_t value = u64();
    if (value >= threshold) return value % bound;
  }
}

double Random::unit() {
  return static_cast<double>(u64() >> 11) * 0x1.0p-53;
}

std::string Random::iceChars(size_t length) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out(length, '\0');
  fill({reinterpret_cast<uint8_t*>(out.data()), length});
  for (char& c : out) c = kAlphabet[static_cast<uint8_t>(c) & 63];
  return out;
}

std::string Random::uuid() {
  static constexpr char kHex[] = "0123456789abcdef";
  uint8_t raw[16];
  fill(raw);
  raw[6] = static_cast<uint8_t>((raw[6] & 0x0f) | 0x40);  // RFC 9562 section 5.4: version 4
  raw[8] = static_cast<uint8_t>((raw[8] & 0x3f) | 0x80);  // and the variant bits
  std::string out;
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kHex[raw[i] >> 4];
    out += kHex[raw[i] & 15];
  }
  return out;
}

namespace {

void quarterRound(std::array<uint32_t, 16>& x, size_t a, size_t b, size_t c, size_t d) {
  x[a] += x[b];
  x[d] = std::rotl(x[d] ^ x[a], 16);
  x[c] += x[d];
  x[b] = std::rotl(x[b] ^ x[c], 12);
  x[a] += x[b];
  x[d] = std::rotl(x[d] ^ x[a], 8);
  x[c] += x[d];
  x[b] = std::rotl(x[b] ^ x[c], 7);
}

}  // namespace

SeededRandom::SeededRandom(uint64_t seed) {
  // RFC 8439 section 2.3 layout; the seed is the first 64 bits of the key, the rest is zero.
  state_ = {0x61707865,
            0x3320646e,
            0x79622d32,
            0x6b206574,
            static_cast<uint32_t>(seed),
            static_cast<uint32_t>(seed >> 32)};
}

void SeededRandom::fill(MutableByteSpan out) {
  size_t done = 0;
  while (done < out.size()) {
    if (used_ == block_.size()) refill();
    const size_t n = std::min(out.size() - done, block_.size() - used_);
    std::memcpy(out.data() + done, block_.data() + used_, n);
    used_ += n;
    done += n;
  }
}

void SeededRandom::refill() {
  std::array<uint32_t, 16> x = state_;
  for (int round = 0; round < 10; ++round) {
    quarterRound(x, 0, 4, 8, 12);
    quarterRound(x, 1, 5, 9, 13);
    quarterRound(x, 2, 6, 10, 14);
    quarterRound(x, 3, 7, 11, 15);
    quarterRound(x, 0, 5, 10, 15);
    quarterRound(x, 1, 6, 11, 12);
    quarterRound(x, 2, 7, 8, 13);
    quarterRound(x, 3, 4, 9, 14);
  }
  for (size_t i = 0; i < 16; ++i) {
    const uint32_t word = x[i] + state_[i];
    for (size_t b = 0; b < 4; ++b) block_[i * 4 + b] = static_cast<uint8_t>(word >> (8 * b));
  }
  if (++state_[12] == 0) ++state_[13];
  used_ = 0;
}

}  // namespace parley
