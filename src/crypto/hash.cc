#include "parley/crypto/hash.h"

#include "crypto/digest.h"

namespace parley::crypto {
namespace {

template <size_t N>
std::array<uint8_t, N> hashParts(const EVP_MD* type, std::initializer_list<ByteSpan> parts) {
  Digest<N> digest(type);
  for (ByteSpan part : parts) digest.update(part);
  return digest.finish();
}

constexpr std::array<uint32_t, 256> makeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) ? (value >> 1) ^ 0xEDB88320u : value >> 1;
    table[i] = value;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kCrcTable = makeCrcTable();

}  // namespace

Md5Digest md5(std::initializer_list<ByteSpan> parts) {
  return hashParts<16>(EVP_md5(), parts);
}

Sha1Digest sha1(std::initializer_list<ByteSpan> parts) {
  return hashParts<20>(EVP_sha1(), parts);
}

Sha256Digest sha256(std::initializer_list<ByteSpan> parts) {
  return hashParts<32>(EVP_sha256(), parts);
}

uint32_t crc32(std::initializer_list<ByteSpan> parts) {
  uint32_t crc = 0xFFFFFFFFu;
  for (ByteSpan part : parts) {
    for (uint8_t byte : part) crc = (crc >> 8) ^ kCrcTable[(crc ^ byte) & 0xFF];
  }
  return ~crc;
}

}  // namespace parley::crypto
