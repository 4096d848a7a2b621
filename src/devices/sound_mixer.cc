#include "devices/sound_mixer.h"

#include <algorithm>

namespace parley::devices {
namespace {

// A voice begins with 30 ms in hand against unevenness. Above 150 ms the card's clock is the slower
// one (or it was stopped): back to the beginning's 30, by leaving out the oldest.
constexpr size_t kStart = 3;
constexpr size_t kMost = 15;

}  // namespace

size_t SoundMixer::addVoice() {
  const std::lock_guard lock(mutex_);
  const auto free =
      std::find_if(voices_.begin(), voices_.end(), [](const Voice& v) { return !v.taken; });
  if (free == voices_.end()) {
    voices_.emplace_back();
    return voices_.size() - 1;
  }
  *free = {};
  return static_cast<size_t>(free - voices_.begin());
}

void SoundMixer::removeVoice(size_t voice) {
  const std::lock_guard lock(mutex_);
  if (voice >= voices_.size()) return;
  voices_[voice] = {};
  voices_[voice].taken = false;
}

void SoundMixer::push(size_t index, const codec::AudioFrame& frame) {
  const std::lock_guard lock(mutex_);
  if (index >= voices_.size() || !voices_[index].taken) return;
  Voice& voice = voices_[index];
  StereoConverter::Piece piece;
  if (!voice.converter.convert(frame, piece)) return;
  voice.pieces.push_back(piece);
  if (voice.pieces.size() <= kMost) return;
  stats_.framesDropped += voice.pieces.size() - kStart;
  voice.pieces.erase(voice.pieces.begin(),
                     voice.pieces.end() - static_cast<std::ptrdiff_t>(kStart));
  voice.position = 0;
}

void SoundMixer::setVolume(double volume) {
  const std::lock_guard lock(mutex_);
  volume_ = std::clamp(volume, 0.0, 1.0);
}

void SoundMixer::add(Voice& voice, std::vector<int32_t>& sum) {
  if (!voice.playing && voice.pieces.size() < kStart) return;
  voice.playing = true;
  for (int32_t& sample : sum) {
    if (voice.pieces.empty()) {
      ++stats_.framesMissing;
      voice.playing = false;
      return;
    }
    sample += voice.pieces.front()[voice.position++];
    if (voice.position < voice.pieces.front().size()) continue;
    voice.pieces.pop_front();
    voice.position = 0;
    ++stats_.framesPlayed;
  }
}

void SoundMixer::mix(std::span<int16_t> out) {
  const std::lock_guard lock(mutex_);
  sum_.assign(out.size(), 0);
  for (Voice& voice : voices_) {
    if (voice.taken) add(voice, sum_);
  }
  std::transform(sum_.begin(), sum_.end(), out.begin(), [this](int32_t sample) {
    return static_cast<int16_t>(
        std::clamp(static_cast<double>(sample) * volume_, -32768.0, 32767.0));
  });
}

SpeakerStats SoundMixer::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace parley::devices
