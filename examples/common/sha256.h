#pragma once

#include <memory>
#include <string>

#include "parley/base/bytes.h"

namespace example {

/// SHA-256 of something that comes in pieces. A copy goes on from the same point.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256& other);
  Sha256& operator=(const Sha256& other);
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void add(parley::ByteSpan data);
  /// The digest of what was added so far, in hexadecimal.
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Bytes as hexadecimal text.
std::string toHex(parley::ByteSpan bytes);

}  // namespace example
