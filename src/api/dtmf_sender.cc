#include "parley/api/dtmf_sender.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "api/peer_connection_core.h"

namespace parley {
namespace {

using api_internal::LoopCore;
using api_internal::PeerConnectionCore;
using api_internal::Step;
using api_internal::TimedSource;

constexpr Duration kComma = Duration::seconds(2);
/// The place of a key is its event number (RFC 4733 section 3.2).
constexpr std::string_view kKeys = "0123456789*#ABCD";

/// Runs the playout task again when a tone and the gap behind it are over.
class PlayoutTimer final : public TimedSource {
 public:
  PlayoutTimer(std::weak_ptr<PeerConnectionCore> core, uint32_t transceiver)
      : core_(std::move(core)), transceiver_(transceiver) {}
  Timestamp run(Timestamp) override {
    if (const auto core = core_.lock()) {
      const LoopCore::Lock lock(core->loop());
      core->queueTonePlayout(transceiver_);
    }
    return Timestamp::never();
  }

 private:
  const std::weak_ptr<PeerConnectionCore> core_;
  const uint32_t transceiver_;
};

}  // namespace

bool DtmfSender::canInsertDtmf() const {
  const LoopCore::Lock lock(core_->loop());
  return core_->canSendTone(slots_->id);
}

Result<void> DtmfSender::insertDtmf(std::string_view tones, Duration duration,
                                    Duration interToneGap) {
  const LoopCore::Lock lock(core_->loop());
  if (!core_->canSendTone(slots_->id)) {
    return fail(ErrorCode::InvalidState,
                "tones need a connected sender whose peer takes telephone-event");
  }
  std::string buffer;
  for (const char c : tones) {
    const char key = c >= 'a' && c <= 'd' ? static_cast<char>(c - 'a' + 'A') : c;
    if (key != ',' && kKeys.find(key) == std::string_view::npos)
      return fail(ErrorCode::InvalidCharacter, "tones are 0-9, A-D, #, * and the comma");
    buffer += key;
  }
  api_internal::ToneState& state = slots_->tones;
  state.buffer = std::move(buffer);
  state.duration = std::clamp(duration, Duration::millis(40), Duration::seconds(6));
  state.gap = std::clamp(interToneGap, Duration::millis(30), Duration::seconds(6));
  if (state.buffer.empty() || state.scheduled) return ok();
  state.scheduled = true;
  core_->queueTonePlayout(slots_->id);
  core_->loop().wake();
  return ok();
}

std::string DtmfSender::toneBuffer() const {
  const LoopCore::Lock lock(core_->loop());
  return slots_->tones.buffer;
}

void DtmfSender::onToneChange(std::function<void(const std::string&)> callback) {
  const LoopCore::Lock lock(core_->loop());
  // The old one dies after the lock.
  if (!core_->closed()) std::swap(slots_->tones.onChange, callback);
}

namespace api_internal {

bool PeerConnectionCore::canSendTone(uint32_t id) {
  if (closed_ || visible.connection != PeerConnectionState::Connected) return false;
  const jsep::TransceiverState* state = transceiver(id);
  if (!state || state->stopping || state->stopped) return false;
  if (!encoding(id).active || !state->negotiated.currentDirection) return false;
  return sdp::sends(*state->negotiated.currentDirection) && session()->canSendTone(id);
}

void PeerConnectionCore::queueTonePlayout(uint32_t id) {
  queueStep([this, id](Step& step) { playTone(id, step); });
}

void PeerConnectionCore::onToneReceived(const media::ToneEvent& tone) {
  const uint32_t id = tone.receiver.value;
  if (!callbacks.telephoneEvents.contains(id)) return;
  TelephoneEvent told;
  told.event = tone.event;
  if (tone.event < kKeys.size()) told.tone = kKeys[tone.event];
  told.ended = tone.ended;
  told.duration = tone.duration;
  told.startMs =
      static_cast<double>(session()->environment().wallClock.unixNanosAt(tone.start)) / 1e6;
  told.rtpTimestamp = tone.rtpTimestamp;
  told.volume = tone.volume;
  told.ssrc = tone.ssrc;
  queueStep([id, told](Step& step) {
    step.then([id, told](PeerConnectionCore& c) {
      const auto it = c.callbacks.telephoneEvents.find(id);
      return it == c.callbacks.telephoneEvents.end() ? Step::Call{}
                                                     : bindCallback(it->second, told);
    });
  });
}

// W3C 7.2 "Playout task".
void PeerConnectionCore::playTone(uint32_t id, Step& step) {
  const std::shared_ptr<TransceiverSlots> slots = this->slots(id);
  ToneState& state = slots->tones;
  state.scheduled = false;
  if (!canSendTone(id)) return;
  std::string tone = state.buffer.substr(0, 1);
  if (!tone.empty()) {
    const Timestamp now = loop_->now();
    state.buffer.erase(0, 1);
    Duration next = kComma;
    if (tone != ",") {
      next = state.duration + state.gap;
      session()->sendTone(id, static_cast<uint8_t>(kKeys.find(tone[0])), state.duration, now);
      afterCall(now);
    }
    state.scheduled = true;
    loop_->addSource(std::make_shared<PlayoutTimer>(weak_from_this(), id), now + next);
  }
  step.then([slots, tone = std::move(tone)](PeerConnectionCore&) {
    return bindCallback(slots->tones.onChange, tone);
  });
}

}  // namespace api_internal
}  // namespace parley
