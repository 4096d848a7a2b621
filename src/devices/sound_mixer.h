#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "parley/devices/playback.h"

#include "devices/convert.h"

namespace parley::devices {

/// Brings voices that come in pieces at about the right time together with a sound card that has a
/// clock of its own. Any thread; `mix` never waits longer than for a copy of 10 ms.
class SoundMixer {
 public:
  size_t addVoice();
  /// The place may be another voice's later.
  void removeVoice(size_t voice);
  void push(size_t voice, const codec::AudioFrame& frame);
  void setVolume(double volume);
  /// Fills `out` (48 kHz, stereo) with the sum of all voices, silence where there is none.
  void mix(std::span<int16_t> out);
  SpeakerStats stats() const;

 private:
  struct Voice {
    StereoConverter converter;
    std::deque<StereoConverter::Piece> pieces;
    size_t position = 0;   ///< samples of the first piece that have been played
    bool playing = false;  ///< enough was there to begin
    bool taken = true;
  };
  void add(Voice& voice, std::vector<int32_t>& sum);

  mutable std::mutex mutex_;
  std::deque<Voice> voices_;
  std::vector<int32_t> sum_;
  double volume_ = 1;
  SpeakerStats stats_;
};

}  // namespace parley::devices
