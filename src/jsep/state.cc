#include "parley/jsep/state.h"

#include <algorithm>
#include <utility>

namespace parley::jsep {

const char* toString(SignalingState state) {
  switch (state) {
    case SignalingState::Stable:
      return "stable";
    case SignalingState::HaveLocalOffer:
      return "have-local-offer";
    case SignalingState::HaveRemoteOffer:
      return "have-remote-offer";
    case SignalingState::HaveLocalPranswer:
      return "have-local-pranswer";
    case SignalingState::HaveRemotePranswer:
      return "have-remote-pranswer";
    case SignalingState::Closed:
      return "closed";
  }
  return "closed";
}

const char* toString(SdpType type) {
  switch (type) {
    case SdpType::Offer:
      return "offer";
    case SdpType::Pranswer:
      return "pranswer";
    case SdpType::Answer:
      return "answer";
    case SdpType::Rollback:
      return "rollback";
  }
  return "rollback";
}

std::optional<SdpType> parseSdpType(std::string_view text) {
  for (auto type : {SdpType::Offer, SdpType::Pranswer, SdpType::Answer, SdpType::Rollback}) {
    if (text == toString(type)) return type;
  }
  return std::nullopt;
}

const TypedDescription* SessionState::local() const {
  if (pendingLocal) return &*pendingLocal;
  return currentLocal ? &*currentLocal : nullptr;
}

const TypedDescription* SessionState::remote() const {
  if (pendingRemote) return &*pendingRemote;
  return currentRemote ? &*currentRemote : nullptr;
}

const TransceiverState* SessionState::find(TransceiverId id) const {
  const auto it = std::find_if(transceivers.begin(), transceivers.end(),
                               [&](const TransceiverState& t) { return t.id == id; });
  return it == transceivers.end() ? nullptr : &*it;
}

TransceiverState* SessionState::find(TransceiverId id) {
  return const_cast<TransceiverState*>(std::as_const(*this).find(id));
}

const TransceiverState* SessionState::findByIndex(size_t mLineIndex) const {
  const auto it = std::find_if(
      transceivers.begin(), transceivers.end(),
      [&](const TransceiverState& t) { return t.negotiated.mLineIndex == mLineIndex; });
  return it == transceivers.end() ? nullptr : &*it;
}

TransceiverState* SessionState::findByIndex(size_t mLineIndex) {
  return const_cast<TransceiverState*>(std::as_const(*this).findByIndex(mLineIndex));
}

}  // namespace parley::jsep
