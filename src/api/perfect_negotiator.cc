#include "parley/api/perfect_negotiator.h"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/peer_connection_core.h"

namespace parley {

using api_internal::LoopCore;

struct PerfectNegotiator::State : std::enable_shared_from_this<State> {
  State(PeerConnection connection, bool isPolite,
        std::function<void(const NegotiationMessage&)> sendMessage)
      : pc(std::move(connection)), polite(isPolite), onSend(std::move(sendMessage)) {}

  PeerConnection pc;
  const bool polite;

  // Nothing of the connection, nor of the app, is called with it held.
  std::mutex mutex;
  bool ended = false;  ///< the negotiator is gone: what was under way has no consequences
  std::function<void(const NegotiationMessage&)> onSend;
  bool makingOffer = false;
  bool ignoreOffer = false;
  bool settingRemoteAnswer = false;
  // Of the other end's descriptions that were applied.
  std::vector<std::string> currentUfrags;  ///< of the newest
  std::vector<std::string> formerUfrags;   ///< of those before it
  std::function<void(const Error&)> onError;

  void end() {
    std::function<void(const NegotiationMessage&)> send;
    std::function<void(const Error&)> error;
    const std::lock_guard lock(mutex);
    ended = true;
    send.swap(onSend);
    error.swap(onError);
  }

  bool hasEnded() {
    const std::lock_guard lock(mutex);
    return ended;
  }

  /// False: too late, the negotiator is gone.
  bool send(const NegotiationMessage& message) {
    std::function<void(const NegotiationMessage&)> callback;
    {
      const std::lock_guard lock(mutex);
      if (ended) return false;
      callback = onSend;
    }
    if (callback) callback(message);
    return true;
  }

  bool sendDescription() {
    const auto description = pc.localDescription();
    return !description || send({*description, {}});
  }

  // The other end will never hear of the offer, and while it is in force nobody is told that one is
  // needed (webrtc-pc section 4.7.3: in the stable state only). An answer cannot be taken back.
  void takeBackOffer() {
    if (pc.signalingState() != SignalingState::HaveLocalOffer) return;
    pc.setLocalDescription({SdpType::Rollback, {}}, [](const Result<void>&) {});
  }

  void report(const Result<void>& result) {
    if (result) return;
    std::function<void(const Error&)> callback;
    {
      const std::lock_guard lock(mutex);
      callback = onError;
    }
    if (callback) callback(result.error());
  }

  void negotiate() {
    {
      const std::lock_guard lock(mutex);
      makingOffer = true;
    }
    pc.setLocalDescription([self = shared_from_this()](Result<void> result) {
      self->report(result);
      if (result && !self->sendDescription()) self->takeBackOffer();
      const std::lock_guard lock(self->mutex);
      self->makingOffer = false;
    });
  }

  /// With the mutex held.
  void noteUfrags(std::string_view sdp) {
    constexpr std::string_view kName = "a=ice-ufrag:";
    // One per transport; a section that is bundled may name another one, which nothing comes of.
    constexpr size_t kMaxCurrent = 64;
    constexpr size_t kMaxFormer = 64;
    formerUfrags.insert(formerUfrags.end(), currentUfrags.begin(), currentUfrags.end());
    currentUfrags.clear();
    for (size_t at = sdp.find(kName); at != sdp.npos && currentUfrags.size() < kMaxCurrent;
         at = sdp.find(kName, at)) {
      at += kName.size();
      std::string ufrag(sdp.substr(at, sdp.find_first_of("\r\n", at) - at));
      if (!contains(currentUfrags, ufrag)) currentUfrags.push_back(std::move(ufrag));
    }
    std::erase_if(formerUfrags, [&](const auto& ufrag) { return contains(currentUfrags, ufrag); });
    if (formerUfrags.size() > kMaxFormer)
      formerUfrags.erase(formerUfrags.begin(),
                         formerUfrags.end() - static_cast<std::ptrdiff_t>(kMaxFormer));
  }
  static bool contains(const std::vector<std::string>& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) != list.end();
  }

  /// Whether it does not matter if the candidate cannot be applied: it belongs to an offer that we
  /// did not take, or to an ICE generation that a later description has replaced.
  bool mayBeRefused(const std::optional<std::string>& ufrag, bool ofIgnoredOffer) {
    if (ofIgnoredOffer) return true;
    const std::lock_guard lock(mutex);
    return ufrag && contains(formerUfrags, *ufrag);
  }

  void receive(const SessionDescription& description) {
    const bool stable = pc.signalingState() == SignalingState::Stable;
    const bool offer = description.type == SdpType::Offer;
    {
      const std::lock_guard lock(mutex);
      // An answer that is being applied leads to the stable state before the offer's turn comes.
      const bool ready = !makingOffer && (stable || settingRemoteAnswer);
      ignoreOffer = !polite && offer && !ready;
      if (ignoreOffer) return;
      settingRemoteAnswer = description.type == SdpType::Answer;
    }
    pc.setRemoteDescription(description, [self = shared_from_this(), offer,
                                          sdp = description.sdp](Result<void> result) {
      {
        const std::lock_guard lock(self->mutex);
        self->settingRemoteAnswer = false;
        if (result) self->noteUfrags(sdp);
      }
      self->report(result);
      if (result && offer && !self->hasEnded()) self->answer();
    });
  }

  /// If there is an offer to answer when the operations before this one are done.
  void answer() {
    // Webrtc-pc section 4.4.1.5: of the type that is given, and made if `sdp` is empty. Without the
    // type it would be an offer where somebody has answered meanwhile.
    pc.setLocalDescription({SdpType::Answer, {}}, [self = shared_from_this()](Result<void> result) {
      if (!result && result.error().code == ErrorCode::InvalidState) return;
      self->report(result);
      if (result) self->sendDescription();
    });
  }

  /// Goes on with what the negotiator before us, or the application, has left.
  void takeOver() {
    {
      // What is needed may have been told when nobody was there to act upon it.
      auto& core = *pc.core();
      const LoopCore::Lock lock(core.loop());
      core.onStable();
    }
    answer();
  }

  void receive(const IceCandidate& candidate) {
    bool ofIgnoredOffer = false;
    {
      // As it is now: when the call completes, the next offer may have come. The descriptions that
      // came before are applied by then, and those that come later are not: operations are chained.
      const std::lock_guard lock(mutex);
      ofIgnoredOffer = ignoreOffer;
    }
    pc.addIceCandidate(candidate, [self = shared_from_this(), ofIgnoredOffer,
                                   ufrag = candidate.usernameFragment](Result<void> result) {
      if (!result && !self->mayBeRefused(ufrag, ofIgnoredOffer)) self->report(result);
    });
  }
};

PerfectNegotiator::PerfectNegotiator(PeerConnection pc, bool polite,
                                     std::function<void(const NegotiationMessage&)> send)
    : state_(std::make_shared<State>(std::move(pc), polite, std::move(send))) {
  // The connection must not keep its own handle alive.
  const std::weak_ptr<State> weak = state_;
  state_->pc.onNegotiationNeeded([weak] {
    if (const auto state = weak.lock()) state->negotiate();
  });
  state_->pc.onIceCandidate([weak](const std::optional<IceCandidate>& candidate) {
    const auto state = weak.lock();
    if (state && candidate) (void)state->send({{}, *candidate});
  });
  state_->takeOver();
}

// The connection's callbacks stay, without effect: they may be those of whoever came after us.
PerfectNegotiator::~PerfectNegotiator() {
  state_->end();
}

void PerfectNegotiator::receive(NegotiationMessage message) {
  if (message.description) state_->receive(*message.description);
  if (message.candidate) state_->receive(*message.candidate);
}

void PerfectNegotiator::onError(std::function<void(const Error&)> callback) {
  const std::lock_guard lock(state_->mutex);
  std::swap(state_->onError, callback);
}

}  // namespace parley
