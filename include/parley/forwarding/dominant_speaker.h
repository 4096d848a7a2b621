#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/time.h"

namespace parley::forwarding {

/// Who speaks, from audio levels (RFC 6464) alone. Speech is told from noise by how it comes and
/// goes at three scales: within a syllable, a word and a sentence; somebody takes the floor by
/// being clearly ahead of the present speaker at all three. So a cough, a door or a hum does not.
/// (The idea is that of Volfin and Cohen, "Dominant speaker identification for multipoint
/// videoconferencing", 2012.)
///
/// Part of Forwarder; of use by itself too. Thread-compatible.
class PARLEY_EXPORT DominantSpeaker {
 public:
  using Key = uint32_t;

  void add(Key key);
  void remove(Key key);
  /// `level` in -dBov: 0 loudest, 127 silence.
  void handleLevel(Key key, uint8_t level, Timestamp now);
  /// Decides, at most every 300 ms. True if the dominant speaker is another one now.
  bool decide(Timestamp now);
  std::optional<Key> dominant() const { return dominant_; }
  /// When decide() is due; never() while nobody is there or everybody has been silent for long.
  Timestamp nextDecision() const;

 private:
  // A step is 20 ms; 3 steps are a syllable's part, 5 of these a word's, 10 of those a sentence's.
  static constexpr size_t kSteps = 3;
  static constexpr size_t kParts = 5;
  static constexpr size_t kWords = 10;
  struct Speaker {
    Key key = 0;
    /// Activity 0..13 of the last steps, oldest overwritten.
    std::array<uint8_t, kSteps * kParts * kWords> steps{};
    size_t next = 0;
    Timestamp lastStep;
    // The quietest level of this window of time and of the one before, -dBov.
    uint8_t floor = 0;
    uint8_t floorBefore = 60;
    Timestamp windowStart;
    bool heard = false;
    double immediate = 0, medium = 0, longTerm = 0;
  };
  Speaker* find(Key key);
  static void fill(Speaker& speaker, Timestamp now);
  static void score(Speaker& speaker);

  std::vector<Speaker> speakers_;
  std::optional<Key> dominant_;
  Timestamp decideAt_;
  Timestamp lastLevel_ = Timestamp::never();
};

}  // namespace parley::forwarding
