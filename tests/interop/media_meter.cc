#include "media_meter.h"

#include <chrono>
#include <stdexcept>
#include <utility>

#include "compressed.h"
#include "content.h"

namespace parley::interop {
namespace {

constexpr size_t kSoundSamples = 24'000;
constexpr std::chrono::milliseconds kSoundPatience{700};

}  // namespace

MediaMeter::MediaMeter(std::string mid, MediaStreamTrack track, bool compressed)
    : mid_(std::move(mid)), track_(std::move(track)) {
  if (compressed && track_.kind() == MediaKind::Video) {
    const auto decoder = std::make_shared<SinkDecoder>();
    track_.setEncodedVideoSink(
        [received = received_, decoder](const codec::EncodedVideoFrame& frame) {
          auto picture = decoder->decode(frame);
          if (!picture) return;
          const std::lock_guard lock(received->mutex);
          ++received->frames;
          received->last = std::move(picture);
        });
    return;
  }
  if (track_.kind() == MediaKind::Video) {
    track_.setVideoSink([received = received_](const codec::VideoFrame& frame) {
      const std::lock_guard lock(received->mutex);
      ++received->frames;
      received->last = frame.buffer;
    });
    return;
  }
  track_.setAudioSink([received = received_](const codec::AudioFrame& frame) {
    const std::lock_guard lock(received->mutex);
    if (!received->listening) return;
    received->sampleRate = frame.sampleRate;
    const auto samples = frame.samples();
    for (size_t i = 0; i < samples.size(); i += frame.channels)
      received->sound.push_back(samples[i]);
    if (received->sound.size() >= kSoundSamples) received->heard.notify_all();
  });
}

Json MediaMeter::measure() const {
  if (kind() == MediaKind::Audio) return measureSound();
  const std::lock_guard lock(received_->mutex);
  const auto& last = received_->last;
  return {{"mid", mid_},
          {"kind", "video"},
          {"frames", received_->frames},
          {"width", last ? last->width() : 0},
          {"height", last ? last->height() : 0}};
}

Json MediaMeter::measureSound() const {
  std::vector<int16_t> sound;
  int sampleRate = 0;
  {
    std::unique_lock lock(received_->mutex);
    received_->sound.clear();
    received_->listening = true;
    received_->heard.wait_for(lock, kSoundPatience,
                              [&] { return received_->sound.size() >= kSoundSamples; });
    received_->listening = false;
    sound.swap(received_->sound);
    sampleRate = received_->sampleRate;
  }
  const Sound found = analyse(sound, sampleRate);
  return {{"mid", mid_},
          {"kind", "audio"},
          {"rms", found.rms},
          {"peakHz", found.peakHz},
          {"samples", sound.size()}};
}

Json MediaMeter::frame() const {
  std::shared_ptr<const codec::I420Buffer> last;
  {
    const std::lock_guard lock(received_->mutex);
    last = received_->last;
  }
  if (!last) throw std::runtime_error("no video received");
  return describePicture(*last);
}

}  // namespace parley::interop
