#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace parley {
class Random;
}

namespace sending {

/// What two people tell each other so that their programs meet: short words, easily said. The first
/// names the rendezvous and is no secret; the others authenticate (pake.h).
struct CodePhrase {
  static constexpr size_t kWords = 4;

  std::string name;
  std::string text;  ///< all words, joined by "-"

  /// Three secret words out of 256 each: a guess is right once in 16 million times.
  static CodePhrase make(parley::Random& random);
  /// Takes words apart by spaces or dashes, in any case. Nullopt: fewer than kWords, or not of
  /// letters and digits.
  static std::optional<CodePhrase> parse(std::string_view typed);
};

}  // namespace sending
