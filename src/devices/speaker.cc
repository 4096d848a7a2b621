#include <memory>
#include <utility>

#include <SDL.h>

#include "parley/devices/playback.h"

#include "devices/sound_mixer.h"

namespace parley::devices {
namespace {

/// A track's place in the mix, as long as the track has its sink.
class TrackVoice {
 public:
  explicit TrackVoice(std::shared_ptr<SoundMixer> mixer)
      : mixer_(std::move(mixer)), voice_(mixer_->addVoice()) {}
  ~TrackVoice() { mixer_->removeVoice(voice_); }
  TrackVoice(const TrackVoice&) = delete;
  TrackVoice& operator=(const TrackVoice&) = delete;
  void push(const codec::AudioFrame& frame) { mixer_->push(voice_, frame); }

 private:
  const std::shared_ptr<SoundMixer> mixer_;
  const size_t voice_;
};

class SdlSpeaker final : public Speaker {
 public:
  Result<void> start(const std::string& device) {
    // SDL would otherwise take SIGINT and SIGTERM for itself.
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    if (SDL_InitSubSystem(SDL_INIT_AUDIO) < 0)
      return fail(ErrorCode::NotFound, std::string("no sound output: ") + SDL_GetError());
    initialised_ = true;
    SDL_AudioSpec wanted{};
    wanted.freq = 48'000;
    wanted.format = AUDIO_S16SYS;
    wanted.channels = 2;
    wanted.samples = 512;  // SDL wants a power of two: about 10 ms
    wanted.callback = [](void* mixer, Uint8* stream, int bytes) {
      static_cast<SoundMixer*>(mixer)->mix(
          {reinterpret_cast<int16_t*>(stream), static_cast<size_t>(bytes) / 2});
    };
    wanted.userdata = mixer_.get();
    // No changes allowed: SDL converts to whatever the card wants.
    device_ =
        SDL_OpenAudioDevice(device.empty() ? nullptr : device.c_str(), 0, &wanted, nullptr, 0);
    if (device_ == 0) {
      return fail(ErrorCode::NotFound,
                  "cannot open the loudspeaker " + device + ": " + SDL_GetError());
    }
    SDL_PauseAudioDevice(device_, 0);
    return ok();
  }

  ~SdlSpeaker() override {
    std::vector<MediaStreamTrack> tracks;
    {
      const std::lock_guard lock(mutex_);
      tracks.swap(tracks_);
    }
    for (MediaStreamTrack& track : tracks) track.setAudioSink({});
    if (device_ != 0) SDL_CloseAudioDevice(device_);  // waits for a running callback
    if (initialised_) SDL_QuitSubSystem(SDL_INIT_AUDIO);
  }

  void play(MediaStreamTrack track) override {
    if (!track || track.kind() != MediaKind::Audio) return;
    track.setAudioSink([voice = std::make_shared<TrackVoice>(mixer_)](
                           const codec::AudioFrame& frame) { voice->push(frame); });
    const std::lock_guard lock(mutex_);
    std::erase_if(tracks_,
                  [](const MediaStreamTrack& t) { return t.readyState() == TrackState::Ended; });
    tracks_.push_back(std::move(track));
  }
  void push(const codec::AudioFrame& frame) override { mixer_->push(ownVoice_, frame); }
  void setVolume(double volume) override { mixer_->setVolume(volume); }
  SpeakerStats stats() const override { return mixer_->stats(); }

 private:
  const std::shared_ptr<SoundMixer> mixer_ = std::make_shared<SoundMixer>();
  const size_t ownVoice_ = mixer_->addVoice();
  bool initialised_ = false;
  SDL_AudioDeviceID device_ = 0;
  std::mutex mutex_;
  std::vector<MediaStreamTrack> tracks_;
};

}  // namespace

Result<std::unique_ptr<Speaker>> Speaker::open(const std::string& device) {
  auto speaker = std::make_unique<SdlSpeaker>();
  if (Result<void> started = speaker->start(device); !started) return fail(started.error());
  return std::unique_ptr<Speaker>(std::move(speaker));
}

}  // namespace parley::devices
