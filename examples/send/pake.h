#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "parley/base/bytes.h"

namespace sending {

/// SPAKE2 (RFC 9382, P-256 with SHA-256, HKDF and HMAC): two sides that know the same phrase come
/// to the same keys. Who listens learns nothing about the phrase, and who takes part without
/// knowing it has one guess per attempt; so few words suffice.
///
/// The keys authenticate what the sides tell each other: above all their session descriptions, and
/// with those the fingerprints of the certificates that the connection is encrypted with.
class Pake {
 public:
  enum class Side { Guest, Host };  ///< A and B of the RFC: the guest speaks first
  using Scalar = std::array<uint8_t, 32>;

  Pake(Side side, std::string_view phrase);
  /// With numbers given, and names of the two sides: for the RFC's test vectors.
  Pake(Side side, const Scalar& w, const Scalar& secret, std::string nameA, std::string nameB);
  ~Pake();
  Pake(const Pake&) = delete;
  Pake& operator=(const Pake&) = delete;

  /// What the other side needs: an uncompressed point in hexadecimal.
  const std::string& share() const { return share_; }
  /// Takes the other side's share. False: it is not a point of the curve, nothing can follow.
  bool finish(const std::string& theirs);
  /// The authenticator of a text by `side`, in hexadecimal. Only after finish().
  std::string mac(Side side, std::string_view text) const;
  /// Whether `given` is the other side's authenticator of `text`.
  bool verify(std::string_view text, const std::string& given) const;

  /// Ke and Ka of the RFC, for its test vectors.
  const std::array<uint8_t, 32>& keys() const { return keys_; }

 private:
  struct Curve;
  void makeShare();

  const Side side_;
  std::string names_;  ///< as the transcript begins
  std::unique_ptr<Curve> curve_;
  Scalar w_{};
  std::string share_;
  std::array<uint8_t, 32> keys_{};
  std::array<uint8_t, 32> confirmation_{};  ///< KcA and KcB, 16 octets each
  std::string transcript_;
};

}  // namespace sending
