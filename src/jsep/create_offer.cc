#include <algorithm>

#include "parley/jsep/codec_negotiation.h"
#include "parley/jsep/offer_answer.h"

#include "jsep/section_builder.h"

namespace parley::jsep {
namespace {

/// What stands at one place of the offer.
struct Slot {
  const TransceiverState* transceiver = nullptr;  // else the data section, or rejected
  bool data = false;
  std::string mid{};
};

class OfferBuilder {
 public:
  OfferBuilder(const SessionState& state, const LocalCapabilities& capabilities,
               const OfferOptions& options)
      : state_(state),
        capabilities_(capabilities),
        formats_(state.formats),
        extensions_(state.extensions),
        mids_(state.usedMids) {
    const auto& current = state.transport.localIce;
    const bool replace = current && std::find(state.iceToReplace.begin(), state.iceToReplace.end(),
                                              *current) != state.iceToReplace.end();
    ice_ = !current || replace || options.iceRestart ? capabilities.freshIce : *current;
  }

  sdp::SessionDescription build() {
    planSlots();
    sdp::SessionDescription d = emptyDescription(state_, capabilities_);
    d.extmapAllowMixed = true;
    sdp::Group bundle{"BUNDLE", {}};
    for (size_t i = 0; i < slots_.size(); ++i) {
      d.media.push_back(section(i));
      if (d.media.back().port != 0) bundle.mids.push_back(*d.media.back().mid);
    }
    if (!bundle.mids.empty()) d.groups.push_back(std::move(bundle));
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
      if (slot.transceiver == nullptr && !slot.data && rejectedByBoth(i)) reusable.push_back(i);
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

  bool rejectedByBoth(size_t i) const {
    const auto rejected = [&](const Boxed<TypedDescription>& d) {
      return d && i < d->sdp.media.size() && d->sdp.media[i].isRejected();
    };
    return rejected(state_.currentLocal) && rejected(state_.currentRemote);
  }

  std::string freshMid() {
    for (size_t n = 0;; ++n) {
      std::string mid = std::to_string(n);
      if (std::find(mids_.begin(), mids_.end(), mid) != mids_.end()) continue;
      mids_.push_back(mid);
      return mid;
    }
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
    out.transport = localTransport(capabilities_, ice_, sdp::SetupRole::ActPass);
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
    out.transport = localTransport(capabilities_, ice_, sdp::SetupRole::ActPass);

    std::vector<sdp::CodecParams> known;
    if (const auto* last = previous(i); last && last->mid == mid && !last->isRejected()) {
      known = last->codecs;
      if (last->isRtp()) out.protocol = last->protocol;
    }
    out.codecs = offerCodecs(codecsFor(capabilities_, t.kind), t.codecPreferences, known, formats_);
    out.extmaps =
        offerExtensions(extensionsFor(capabilities_, t.kind), t.headerExtensions, extensions_);
    const bool simulcast = t.sender.encodings.size() > 1;
    describeSender(out, t, state_.cname, simulcast);
    describeLayers(out, t);
    return out;
  }

  /// RFC 8853 section 5.3.1.
  static void describeLayers(sdp::MediaDescription& out, const TransceiverState& t) {
    const bool send = t.sender.encodings.size() > 1 && sdp::sends(t.direction);
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
  const LocalCapabilities& capabilities_;
  FormatMemory formats_;
  ExtensionMemory extensions_;
  std::vector<std::string> mids_;
  IceCredentials ice_;
  std::vector<Slot> slots_;
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
