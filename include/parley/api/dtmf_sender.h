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
struct TransceiverSlots;
}  // namespace api_internal

/// RTCDTMFSender (webrtc-pc section 7): sends the tones of a telephone's keys as named events (RFC
/// 4733) on an audio sender's stream, in place of its sound while they last. A handle; thread
/// rules: those of the Loop.
class PARLEY_EXPORT DtmfSender {
 public:
  /// An empty handle: nothing but `operator bool` and comparison may be called.
  DtmfSender() = default;
  /// Whether it refers to a sender, stopped ones included.
  explicit operator bool() const { return core_ != nullptr; }
  bool operator==(const DtmfSender&) const = default;

  /// canInsertDTMF (section 7.3): connected, sending, its encoding active, and telephone-event
  /// negotiated.
  bool canInsertDtmf() const;
  /// Plays 0-9, A-D (also a-d), # and *, one after the other; a comma waits two seconds. Replaces
  /// what has not been played yet; an empty text ends it. `duration` of each is clamped to 40..6000
  /// ms, the gap between two to 30..6000 ms. InvalidState unless canInsertDtmf(); InvalidCharacter
  /// for any other character.
  Result<void> insertDtmf(std::string_view tones, Duration duration = Duration::millis(100),
                          Duration interToneGap = Duration::millis(70));
  /// What has not been played yet; empty once closed.
  std::string toneBuffer() const;
  /// tonechange (RTCDTMFToneChangeEvent, section 7.4): called when a tone begins, with it, and when
  /// the last has ended, with an empty text. An empty function removes it.
  void onToneChange(std::function<void(const std::string& tone)> callback);

  // For the library's own objects.
  DtmfSender(std::shared_ptr<api_internal::PeerConnectionCore> core,
             std::shared_ptr<api_internal::TransceiverSlots> slots)
      : core_(std::move(core)), slots_(std::move(slots)) {}

 private:
  std::shared_ptr<api_internal::PeerConnectionCore> core_;
  std::shared_ptr<api_internal::TransceiverSlots> slots_;
};

}  // namespace parley
