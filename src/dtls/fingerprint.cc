#include "parley/dtls/fingerprint.h"

#include <algorithm>

#include "parley/base/text.h"
#include "parley/crypto/const_time.h"

#include "crypto/x509.h"

namespace parley::dtls {
namespace {

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool isHashToken(std::string_view name) {
  constexpr size_t kMaxName = 32;
  return !name.empty() && name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

std::optional<Bytes> parseOctets(std::string_view hex) {
  constexpr size_t kMaxOctets = 64;  // SHA-512, the longest
  if (hex.size() % 3 != 2 || (hex.size() + 1) / 3 > kMaxOctets) return std::nullopt;
  Bytes out;
  out.reserve((hex.size() + 1) / 3);
  for (size_t i = 0; i < hex.size(); i += 3) {
    const int high = hexDigit(hex[i]);
    const int low = hexDigit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    if (i + 2 < hex.size() && hex[i + 2] != ':') return std::nullopt;
    out.push_back(static_cast<uint8_t>(high << 4 | low));
  }
  return out;
}

}  // namespace

std::optional<Fingerprint> Fingerprint::parse(std::string_view text) {
  std::string_view rest = text;
  Fingerprint out;
  out.algorithm = toLower(cutToken(rest, ' '));
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  auto octets = parseOctets(rest);
  if (!isHashToken(out.algorithm) || !octets) return std::nullopt;
  const size_t expected = crypto::digestSizeByName(out.algorithm);
  if (expected != 0 && octets->size() != expected) return std::nullopt;
  out.bytes = std::move(*octets);
  return out;
}

std::optional<Fingerprint> Fingerprint::ofCertificate(std::string_view algorithm, ByteSpan der) {
  std::string name = toLower(algorithm);
  auto digest = crypto::digestByName(name, der);
  if (!digest) return std::nullopt;
  return Fingerprint{std::move(name), std::move(*digest)};
}

std::string Fingerprint::toString() const {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out = algorithm + ' ';
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0) out += ':';
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

bool matchesCertificate(std::span<const Fingerprint> fingerprints, ByteSpan der) {
  for (const char* algorithm : {"sha-512", "sha-384", "sha-256", "sha-224", "sha-1"}) {
    const auto uses = [&](const Fingerprint& f) { return f.algorithm == algorithm; };
    if (std::none_of(fingerprints.begin(), fingerprints.end(), uses)) continue;
    const auto actual = Fingerprint::ofCertificate(algorithm, der);
    return actual && std::any_of(fingerprints.begin(), fingerprints.end(), [&](const auto& f) {
             return uses(f) && crypto::constantTimeEquals(f.bytes, actual->bytes);
           });
  }
  return false;
}

}  // namespace parley::dtls
