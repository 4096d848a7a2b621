#include <algorithm>
#include <map>

#include "parley/jsep/codec_negotiation.h"
#include "parley/jsep/offer_answer.h"

#include "jsep/section_builder.h"
#include "jsep/validate.h"

namespace parley::jsep {
namespace {

/// What stands at one place of the offer.
struct Slot {
  const TransceiverState* transceiver = nullptr;  // else the data section, or rejected
  bool data = false;
  std::string mid{};
  std::optional<size_t> group{};        ///< its BUNDLE group
  std::optional<uint32_t> transport{};  ///< what it has had so far, or the first of its group
};

class OfferBuilder {
 public:
  OfferBuilder(const SessionState& state, const LocalCapabilities& capabilities,
               const OfferOptions& options)
      : state_(state), capabilities_(capabilities), options_(options), mids_(state.mids) {
    memories_[0] = {state.formats, state.extensions};
    for (const SideTransport& side : state.transports.sides)
      memories_[side.id] = {side.formats, side.extensions};
  }

  sdp::SessionDescription build() {
    planSlots();
    planGroups();
    sdp::SessionDescription d = emptyDescription(state_, capabilities_);
    d.extmapAllowMixed = true;
    d.cryptex = capabilities_.headerEncryption != HeaderEncryptionPolicy::Disable;
    std::vector<sdp::Group> groups(groupCount_, sdp::Group{"BUNDLE", {}});
    for (size_t i = 0; i < slots_.size(); ++i) {
      d.media.push_back(section(i));
      if (slots_[i].group) groups[*slots_[i].group].mids.push_back(*d.media.back().mid);
    }
    for (sdp::Group& group : groups) {
      if (!group.mids.empty()) d.groups.push_back(std::move(group));
    }
    setVersion(d, state_);
    return d;
  }

 private:
  void planSlots() {
    const TypedDescription* last = state_.local();
    slots_.resize(last ? last->sdp.media.size() : 0);
    std::vector<size_t> reusable;
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      slot.mid = last->sdp.media[i].mid.value_or("");
      const TransceiverState* owner = state_.findByIndex(i);
      if (owner != nullptr) {
        if (!owner->stopping && !owner->stopped) slot.transceiver = owner;
        if (owner->negotiated.mid) slot.mid = *owner->negotiated.mid;
      } else if (state_.data.mLineIndex == i) {
        slot.data = true;
        slot.mid = state_.data.mid.value_or(slot.mid);
      }
      if (slot.transceiver == nullptr && !slot.data && isReusable(state_, i)) reusable.push_back(i);
    }
    auto nextReusable = reusable.begin();
    const auto newSlot = [&]() -> Slot& {
      // RFC 9429 section 5.2.2: a slot that is rejected on both sides is taken again, under a new
      // mid.
      Slot& slot = nextReusable != reusable.end() ? slots_[*nextReusable++] : slots_.emplace_back();
      slot.mid = freshMid();
      return slot;
    };
    for (const TransceiverState& t : state_.transceivers) {
      if (!t.negotiated.mLineIndex && !t.stopping && !t.stopped) newSlot().transceiver = &t;
    }
    if (state_.data.wanted && !state_.data.mLineIndex) newSlot().data = true;
  }

  /// RFC 9429 section 5.2.2: who was bundled stays so, new sections join, and nobody else does.
  void planGroups() {
    const sdp::SessionDescription* answer = nullptr;
    if (state_.currentLocal && state_.bundlePolicy != BundlePolicy::MaxBundle) {
      answer = state_.currentLocal->type == SdpType::Answer ? &state_.currentLocal->sdp
                                                            : &state_.currentRemote->sdp;
    }
    const auto groupIn = [&](const std::string& mid) {
      size_t at = 0;
      while (at < answer->groups.size() && !isIn(answer->groups[at], mid)) ++at;
      return at;
    };
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.transceiver == nullptr && !slot.data) continue;
      const sdp::MediaDescription* agreed = answer ? answer->findMid(slot.mid) : nullptr;
      if (agreed == nullptr || agreed->isRejected()) {
        slot.group = 0;
      } else if (const size_t at = groupIn(slot.mid); at < answer->groups.size()) {
        slot.group = at;
      }
      if (slot.group) groupCount_ = std::max(groupCount_, *slot.group + 1);
    }
    for (size_t i = 0; i < slots_.size(); ++i) {
      slots_[i].transport = state_.transportOf(i);
      for (size_t k = 0; k < slots_.size() && !slots_[i].transport; ++k) {
        if (slots_[i].group && slots_[k].group == slots_[i].group)
          slots_[i].transport = state_.transportOf(k);
      }
    }
  }

  static bool isIn(const sdp::Group& group, const std::string& mid) {
    return group.semantics == "BUNDLE" &&
           std::find(group.mids.begin(), group.mids.end(), mid) != group.mids.end();
  }

  IceCredentials iceOf(const Slot& slot) const {
    const auto current =
        slot.transport ? state_.transportState(*slot.transport).localIce : std::nullopt;
    const auto& replaced = state_.iceToReplace;
    const bool replace =
        current && std::find(replaced.begin(), replaced.end(), *current) != replaced.end();
    return !current || replace || options_.iceRestart ? capabilities_.freshIce : *current;
  }

  std::string freshMid() {
    std::string mid = mids_.take();
    while (state_.hasMid(mid)) mid = mids_.take();
    return mid;
  }

  const sdp::MediaDescription* previous(size_t i) const {
    const TypedDescription* last = state_.local();
    return last && i < last->sdp.media.size() ? &last->sdp.media[i] : nullptr;
  }

  sdp::MediaDescription section(size_t i) {
    const Slot& slot = slots_[i];
    if (slot.transceiver != nullptr) return media(*slot.transceiver, slot.mid, i);
    if (!slot.data) return rejected(slot, i);
    sdp::MediaDescription out = dataSection(capabilities_, slot.mid);
    // A peer that speaks the form before RFC 8841 keeps getting it.
    if (const auto* last = previous(i); last && last->mid == slot.mid && last->isSctp()) {
      out.protocol = last->protocol;
      out.formats = last->formats;
      out.sctpMap = last->sctpMap;
    }
    out.transport = localTransport(capabilities_, iceOf(slot), sdp::SetupRole::ActPass);
    return out;
  }

  sdp::MediaDescription rejected(const Slot& slot, size_t i) const {
    sdp::MediaDescription out = rejectedSection(*previous(i));
    if (!slot.mid.empty()) out.mid = slot.mid;
    return out;
  }

  sdp::MediaDescription media(const TransceiverState& t, const std::string& mid, size_t i) {
    sdp::MediaDescription out;
    out.media = sdp::toString(t.kind);
    out.protocol = kRtpProtocol;
    out.connection = sdp::Connection{};
    out.mid = mid;
    out.direction = t.direction;
    out.rtcpMux = true;
    out.rtcpReducedSize = true;
    // RFC 3611 section 5: either end may measure its round trip also while it only receives.
    out.otherAttributes.push_back({kRtcpXr, "rcvr-rtt=all"});
    out.transport = localTransport(capabilities_, iceOf(slots_[i]), sdp::SetupRole::ActPass);

    std::vector<sdp::CodecParams> known;
    if (const auto* last = previous(i); last && last->mid == mid && !last->isRejected()) {
      known = last->codecs;
      if (last->isRtp()) out.protocol = last->protocol;
    }
    Memory& memory = memories_[slots_[i].transport.value_or(0)];
    out.codecs =
        offerCodecs(codecsFor(capabilities_, t.kind), t.codecPreferences, known, memory.formats);
    out.extmaps = offerExtensions(extensionsFor(capabilities_, t.kind), t.headerExtensions,
                                  memory.extensions);
    const bool simulcast = t.sender.encodings.size() > 1 && !t.sender.layersBySsrc;
    describeSender(out, t, state_.cname, simulcast);
    describeLayers(out, t);
    return out;
  }

  /// RFC 8853 section 5.3.1.
  static void describeLayers(sdp::MediaDescription& out, const TransceiverState& t) {
    const bool send =
        t.sender.encodings.size() > 1 && !t.sender.layersBySsrc && sdp::sends(t.direction);
    const bool receive = !t.receiveRids.empty() && sdp::receives(t.direction);
    if (!send && !receive) return;
    out.simulcast.emplace();
    for (const Encoding& e : t.sender.encodings) {
      if (!send) break;
      out.rids.push_back({e.rid, true, {}, {}});
      out.simulcast->send.push_back({{e.rid, false}});
    }
    for (const std::string& rid : t.receiveRids) {
      if (!receive) break;
      out.rids.push_back({rid, false, {}, {}});
      out.simulcast->recv.push_back({{rid, false}});
    }
  }

  const SessionState& state_;
  struct Memory {
    FormatMemory formats{};
    ExtensionMemory extensions{};
  };
  const LocalCapabilities& capabilities_;
  const OfferOptions& options_;
  std::map<uint32_t, Memory> memories_;  ///< by transport: numbers are unique within one
  MidNumbers mids_;
  std::vector<Slot> slots_;
  size_t groupCount_ = 0;
};

}  // namespace

Result<void> checkOfferState(const SessionState& state) {
  if (state.signaling != SignalingState::Stable &&
      state.signaling != SignalingState::HaveLocalOffer) {
    return fail(ErrorCode::InvalidState,
                std::string("createOffer needs stable or have-local-offer, not ") +
                    toString(state.signaling));
  }
  return ok();
}

Result<sdp::SessionDescription> createOffer(const SessionState& state,
                                            const LocalCapabilities& capabilities,
                                            const OfferOptions& options) {
  if (Result<void> possible = checkOfferState(state); !possible) return fail(possible.error());
  return OfferBuilder(state, capabilities, options).build();
}

}  // namespace parley::jsep
