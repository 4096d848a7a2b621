#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "parley/base/bytes.h"
#include "parley/base/export.h"

namespace parley::dtls {

/// The hash of a certificate as `a=fingerprint` carries it (RFC 8122 section 5).
struct PARLEY_EXPORT Fingerprint {
  std::string algorithm;  ///< lower case, e.g. "sha-256"
  Bytes bytes;

  /// Reads "sha-256 AB:CD:...". Hash name and digits are case-insensitive. Nullopt for anything
  /// that is not a token, one or more blanks and octets in hex joined by colons, or whose length is
  /// wrong for a hash that we know. A hash that we do not know parses: it may stand beside one that
  /// we do.
  static std::optional<Fingerprint> parse(std::string_view text);
  /// The fingerprint of a DER certificate; nullopt for a hash that we do not know.
  static std::optional<Fingerprint> ofCertificate(std::string_view algorithm, ByteSpan der);

  /// "sha-256 AB:CD:...", upper-case hex as the RFC's grammar has it.
  std::string toString() const;

  bool operator==(const Fingerprint&) const = default;
};

/// RFC 8122 section 5: with several hash functions, the strongest that we support decides; several
/// fingerprints of one hash mean that any of them may be meant. SHA-1 counts only if there is
/// nothing better; unknown hashes do not count. No usable fingerprint means no match.
PARLEY_EXPORT bool matchesCertificate(std::span<const Fingerprint> fingerprints, ByteSpan der);

}  // namespace parley::dtls
