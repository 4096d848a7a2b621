#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "parley/base/bytes.h"
#include "parley/crypto/packet_cipher.h"

namespace parley::srtp {

using CounterBlock = std::array<uint8_t, crypto::AesCounter::kBlockSize>;

/// RFC 3711 section 4.3.1 with a key derivation rate of zero. A salt of 12 octets counts as padded
/// (RFC 7714 section 11).
inline void derive(crypto::AesCounter& master, ByteSpan salt, uint8_t label, MutableByteSpan out) {
  CounterBlock counter{};
  std::copy(salt.begin(), salt.end(), counter.begin());
  counter[7] ^= label;
  std::fill(out.begin(), out.end(), uint8_t{0});
  master.apply(counter, out);
}

inline void xorU32(uint8_t* at, uint32_t value) {
  storeU32(at, loadU32(at) ^ value);
}
inline void xorU16(uint8_t* at, uint16_t value) {
  storeU16(at, static_cast<uint16_t>(loadU16(at) ^ value));
}

/// RFC 3711 section 4.1.1: the counter of a packet's first block.
inline CounterBlock counterOf(const CounterBlock& salt, uint32_t ssrc, uint64_t index) {
  CounterBlock counter = salt;
  xorU32(&counter[4], ssrc);
  xorU16(&counter[8], static_cast<uint16_t>(index >> 32));
  xorU32(&counter[10], static_cast<uint32_t>(index));
  return counter;
}

}  // namespace parley::srtp
