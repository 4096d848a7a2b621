#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "parley/parley.h"

#include "wire.h"

namespace parley::interop {

/// Takes in one received track and measures it.
class MediaMeter {
 public:
  /// `compressed`: takes frames as they come and decodes them itself.
  MediaMeter(std::string mid, MediaStreamTrack track, bool compressed);

  const std::string& mid() const { return mid_; }
  MediaKind kind() const { return track_.kind(); }
  /// Video at once; sound over the next half second.
  Json measure() const;
  /// The picture received last. Throws if there is none.
  Json frame() const;

 private:
  // Shared with the sinks, which may run a last time after the meter is gone.
  struct Received {
    std::mutex mutex;
    std::condition_variable heard;
    uint64_t frames = 0;
    std::shared_ptr<const codec::I420Buffer> last;
    bool listening = false;
    std::vector<int16_t> sound;  ///< mono
    int sampleRate = 48'000;
  };
  Json measureSound() const;

  std::string mid_;
  MediaStreamTrack track_;
  std::shared_ptr<Received> received_ = std::make_shared<Received>();
};

}  // namespace parley::interop
