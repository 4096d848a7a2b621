#include "parley/jsep/state.h"

#include <algorithm>
#include <utility>

#include "parley/base/text.h"
#include "parley/jsep/bundle.h"

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

void MidNumbers::note(std::string_view mid) {
  // Far beyond what is in use a number is a name like any other: a peer cannot use them up.
  constexpr uint64_t kFar = 1u << 20;
  const auto number = parseNumber<uint64_t>(mid);
  if (number && *number >= next && *number - next < kFar) next = *number + 1;
}

bool SessionState::hasMid(std::string_view mid) const {
  for (const auto* d : {&currentLocal, &pendingLocal, &currentRemote, &pendingRemote}) {
    if (*d && (*d)->sdp.findMid(mid) != nullptr) return true;
  }
  return false;
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

std::optional<uint32_t> SessionState::transportOf(size_t mLineIndex) const {
  if (mLineIndex >= transports.sections.size()) return std::nullopt;
  return transports.sections[mLineIndex];
}

std::optional<size_t> SessionState::sectionOf(uint32_t id, const sdp::SessionDescription& d) const {
  const auto leaders = transportLeaders(d);
  for (size_t i = 0; i < leaders.size(); ++i) {
    if (!leaders[i] || transportOf(i) != id) continue;
    // In the offer the section may still be bundled with another, and that one rejected since.
    const auto of = transportOf(*leaders[i]);
    return !of || of == id ? *leaders[i] : i;
  }
  return id == 0 ? transportSection(d) : std::nullopt;
}

const SideTransport* SessionState::side(uint32_t id) const {
  for (const SideTransport& s : transports.sides) {
    if (s.id == id) return &s;
  }
  return nullptr;
}

SideTransport* SessionState::side(uint32_t id) {
  return const_cast<SideTransport*>(std::as_const(*this).side(id));
}

const TransportState& SessionState::transportState(uint32_t id) const {
  const SideTransport* s = side(id);
  return s ? s->state : transport;
}

TransportState& SessionState::transportState(uint32_t id) {
  return const_cast<TransportState&>(std::as_const(*this).transportState(id));
}

}  // namespace parley::jsep
