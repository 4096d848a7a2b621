#include "parley/stun/long_term.h"

#include <array>

#include "parley/base/base64.h"

namespace parley::stun {
namespace {

template <class Digest>
void append(InlineVector<uint8_t, 32>& out, const Digest& digest) {
  for (uint8_t byte : digest) out.push_back(byte);
}

bool readEntry(ByteReader& in, PasswordAlgorithmEntry& out) {
  out.number = in.u16();
  const size_t size = in.u16();
  out.parameters = in.bytes(size);
  // The last entry's padding may be the attribute's own and lie outside the value.
  in.skip(std::min((4 - size % 4) % 4, in.remaining()));
  return in.ok();
}

}  // namespace

LongTermKey::LongTermKey(PasswordAlgorithm algorithm, std::string_view user, std::string_view realm,
                         std::string_view password) {
  if (algorithm == PasswordAlgorithm::Sha256) {
    append(bytes_, longTermKeySha256(user, realm, password));
  } else {
    append(bytes_, longTermKey(user, realm, password));
  }
}

std::optional<PasswordAlgorithmList> parsePasswordAlgorithms(ByteSpan value) {
  PasswordAlgorithmList list;
  ByteReader in(value);
  while (!in.atEnd()) {
    PasswordAlgorithmEntry entry;
    if (!readEntry(in, entry) || !list.push_back(entry)) return std::nullopt;
  }
  return list.empty() || !in.ok() ? std::nullopt : std::optional(list);
}

std::optional<PasswordAlgorithmEntry> parsePasswordAlgorithm(ByteSpan value) {
  PasswordAlgorithmEntry entry;
  ByteReader in(value);
  if (!readEntry(in, entry) || !in.atEnd()) return std::nullopt;
  return entry;
}

Bytes writePasswordAlgorithms(std::span<const PasswordAlgorithm> algorithms) {
  Bytes out(algorithms.size() * 4);
  for (size_t i = 0; i < algorithms.size(); ++i) {
    storeU16(&out[i * 4], static_cast<uint16_t>(algorithms[i]));
  }
  return out;
}

std::string noncePrefix(NonceFeatures features) {
  const auto bits = static_cast<uint8_t>((features.passwordAlgorithms ? 1 : 0) |
                                         (features.usernameAnonymity ? 2 : 0));
  const std::array<uint8_t, 3> set{0, 0, bits};
  return "obMatJos2" + base64(set);
}

}  // namespace parley::stun
