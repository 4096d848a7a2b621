#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/time.h"

namespace parley {

namespace api_internal {
class PeerConnectionCore;
}

/// RTCDTMFSender (webrtc-pc section 7): sends the tones of a telephone's keys as named events (RFC
/// 4733) on an audio sender's stream, in place of its sound while they last. A handle; thread
/// rules: those of the Loop.
class PARLEY_EXPORT DtmfSender {
 public:
  DtmfSender() = default;
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const DtmfSender&) const = default;

  /// Connected, sending, and telephone-event negotiated.
  bool canInsertDtmf() const;
  /// Plays 0-9, A-D, # and *, one after the other; a comma waits two seconds. Replaces what has not
  /// been played yet; an empty text ends it. `duration` of each is clamped to 40..6000 ms, the gap
  /// between two to at least 30 ms. InvalidState unless canInsertDtmf(); InvalidCharacter for any
  /// other character.
  Result<void> insertDtmf(std::string_view tones, Duration duration = Duration::millis(100),
                          Duration interToneGap = Duration::millis(70));
  /// What has not been played yet.
  std::string toneBuffer() const;
  /// Called when a tone begins, with it, and when the last has ended, with an empty text.
  void onToneChange(std::function<void(const std::string& tone)> callback);

  DtmfSender(std::shared_ptr<api_internal::PeerConnectionCore> core, uint32_t transceiver)
      : core_(std::move(core)), transceiver_(transceiver) {}

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  uint32_t transceiver_ = 0;
};

}  // namespace parley
