#include "jsep/validate.h"

#include <string>

#include "parley/jsep/bundle.h"
#include "parley/jsep/codec_negotiation.h"
#include "parley/jsep/format_memory.h"

namespace parley::jsep {
namespace {

using sdp::MediaDescription;
using sdp::SessionDescription;
using sdp::SetupRole;

class Checker {
 public:
  Checker(const SessionState& state, SdpType type, const SessionDescription& d, bool local)
      : state_(state),
        type_(type),
        d_(d),
        code_(local ? ErrorCode::InvalidModification : ErrorCode::InvalidAccess) {}

  Result<void> sectionsOfOffer(const SessionDescription* previous) const {
    if (previous == nullptr) return ok();
    if (d_.media.size() < previous->media.size())
      return badCount("the offer has fewer m= sections than before");
    for (size_t i = 0; i < previous->media.size(); ++i) {
      if (isReusable(state_, i)) continue;
      const MediaDescription& before = previous->media[i];
      const MediaDescription& now = d_.media[i];
      if (before.media != now.media) return badSection(i, "changed its media type");
      if (before.mid && before.mid != now.mid) return badMid(i, "changed its mid");
    }
    return ok();
  }

  Result<void> sectionsOfAnswer(const SessionDescription& offer) const {
    if (d_.media.size() != offer.media.size())
      return badCount("the answer does not have the offer's m= sections");
    for (size_t i = 0; i < offer.media.size(); ++i) {
      const MediaDescription& offered = offer.media[i];
      const MediaDescription& answered = d_.media[i];
      if (offered.media != answered.media) return badSection(i, "answers with another media type");
      if (answered.mid && offered.mid != answered.mid) return badMid(i, "answers with another mid");
      if (answered.isRejected()) continue;
      if (offered.isRejected()) return badSection(i, "accepts what was not offered");
      if (offered.isRtp() != answered.isRtp())
        return badSection(i, "answers with another protocol");
    }
    return ok();
  }

  /// RFC 3264 section 8.3.2: a payload type keeps its meaning within a section. One that only the
  /// peer ever named has none yet: Firefox gives the numbers of codecs that were turned down to
  /// others once its section carries the numbers of a bundle.
  Result<void> payloadTypesKept(const SessionDescription* previous) const {
    if (previous == nullptr) return ok();
    for (size_t i = 0; i < previous->media.size() && i < d_.media.size(); ++i) {
      if (isReusable(state_, i) || d_.media[i].isRejected()) continue;
      for (const sdp::CodecParams& codec : d_.media[i].codecs) {
        const sdp::CodecParams* before = previous->media[i].codec(codec.payloadType);
        if (before == nullptr || before->name.empty() || codec.name.empty()) continue;
        if (!wasAgreed(i, codec.payloadType)) continue;
        if (!sameBinding(*before, codec) && !sdp::sameFormat(*before, codec)) {
          return badSection(i, "gives a payload type another meaning");
        }
      }
    }
    return ok();
  }

  /// RFC 8285 section 6: nor does the id of a header extension get another meaning.
  Result<void> extensionIdsKept(const SessionDescription* previous) const {
    if (previous == nullptr) return ok();
    for (size_t i = 0; i < previous->media.size() && i < d_.media.size(); ++i) {
      if (isReusable(state_, i) || d_.media[i].isRejected()) continue;
      const auto before = previous->extmapsOf(previous->media[i]);
      for (const sdp::Extmap& now : d_.extmapsOf(d_.media[i])) {
        for (const sdp::Extmap& known : before) {
          if (known.id == now.id && ExtensionName(known) != ExtensionName(now))
            return badSection(i, "gives the id of a header extension another meaning");
        }
      }
    }
    return ok();
  }

  /// RFC 5761 section 4: 64 to 95 cannot be told from RTCP on the same port.
  Result<void> payloadTypesFit() const {
    for (size_t i = 0; i < d_.media.size(); ++i) {
      const MediaDescription& section = d_.media[i];
      if (section.isRejected() || !section.isRtp() || !usesRtcpMux(d_, i)) continue;
      for (const sdp::CodecParams& codec : section.codecs) {
        if (codec.payloadType >= 64 && codec.payloadType <= 95)
          return badSection(i, "has a payload type that rtcp-mux forbids");
      }
    }
    return ok();
  }

  /// Of all transports of an answer; of an offer's only the first, as we turn down what we cannot
  /// connect to.
  Result<void> transports() const {
    for (const size_t leader : leaders()) {
      if (Result<void> good = transport(leader); !good) return good;
      if (type_ == SdpType::Offer) break;
    }
    return ok();
  }

  /// RFC 8842 section 5.5: the role stays as long as the association lives.
  Result<void> remoteRoles() const {
    for (const size_t leader : leaders()) {
      const auto id = knownTransport(state_, transportLeaders(d_), leader);
      const TransportState& inForce = state_.transportState(id.value_or(0));
      if (!id || !inForce.dtlsRole) continue;
      const sdp::TransportAttributes t = d_.transportOf(d_.media[leader]);
      const bool theyWereClient = *inForce.dtlsRole == DtlsRole::Server;
      const bool flips = (t.setup == SetupRole::Active && !theyWereClient) ||
                         (t.setup == SetupRole::Passive && theyWereClient);
      if (flips && !startsOver(inForce, t)) return badSection(leader, "changes the DTLS role");
    }
    return ok();
  }

  /// RFC 9429 section 4.1.1: RTCP multiplexing is required. An offered section on a transport of
  /// its own that lacks it is turned down; the rest may live.
  Result<void> rtcpMux() const {
    const std::vector<bool> shared = onSharedTransport(d_);
    for (size_t i = 0; i < d_.media.size(); ++i) {
      const bool matters = shared[i] || (type_ != SdpType::Offer && !d_.media[i].isRejected() &&
                                         state_.bundlePolicy != BundlePolicy::MaxBundle);
      if (matters && d_.media[i].isRtp() && !usesRtcpMux(d_, i))
        return badSection(i, "does not use rtcp-mux");
    }
    return ok();
  }

 private:
  /// At the last section that there is, as the others have no line.
  Result<void> badCount(const char* message) const {
    return failAt(code_, d_.media.empty() ? sdp::SourceLine{1} : d_.media.back().line, message);
  }
  Result<void> badSection(size_t i, const char* what) const {
    return badAt(d_.media[i].line, i, what);
  }
  Result<void> badMid(size_t i, const char* what) const {
    const MediaDescription& section = d_.media[i];
    return badAt(section.midLine.number > 0 ? section.midLine : section.line, i, what);
  }
  Result<void> badAt(sdp::SourceLine line, size_t i, const char* what) const {
    return failAt(code_, line, "m= section " + std::to_string(i) + " " + what);
  }

  /// The sections that stand for the transports we would use, the first one first.
  std::vector<size_t> leaders() const {
    std::vector<size_t> out;
    const auto tagged = transportSection(d_);
    if (!tagged) return out;
    out.push_back(*tagged);
    if (state_.bundlePolicy == BundlePolicy::MaxBundle) return out;
    const auto all = transportLeaders(d_);
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i] == i && i != *tagged) out.push_back(i);
    }
    return out;
  }

  Result<void> transport(size_t leader) const {
    const sdp::TransportAttributes t = d_.transportOf(d_.media[leader]);
    if (!t.iceUfrag || !t.icePwd) return badSection(leader, "has no ICE credentials");
    if (t.fingerprints.empty()) return badSection(leader, "has no certificate fingerprint");
    if (t.setup == SetupRole::HoldConn) return badSection(leader, "asks for setup:holdconn");
    if (type_ != SdpType::Offer && t.setup == SetupRole::ActPass)
      return badSection(leader, "answers setup:actpass");
    return ok();
  }

  bool wasAgreed(size_t i, uint8_t payloadType) const {
    const Boxed<TypedDescription>& ours = state_.currentLocal;
    return ours && i < ours->sdp.media.size() && ours->sdp.media[i].codec(payloadType) != nullptr;
  }

  const SessionState& state_;
  SdpType type_;
  const SessionDescription& d_;
  ErrorCode code_;
};

Result<void> stateFor(SignalingState now, SdpType type, bool local) {
  using S = SignalingState;
  bool fits = false;
  if (type == SdpType::Offer) {
    fits = now == S::Stable || now == (local ? S::HaveLocalOffer : S::HaveRemoteOffer);
  } else if (type == SdpType::Answer || type == SdpType::Pranswer) {
    fits = local ? now == S::HaveRemoteOffer || now == S::HaveLocalPranswer
                 : now == S::HaveLocalOffer || now == S::HaveRemotePranswer;
  }
  if (fits) return ok();
  return fail(ErrorCode::InvalidState, std::string("a ") + (local ? "local " : "remote ") +
                                           toString(type) + " cannot be set in " + toString(now));
}

const SessionDescription* sdpOf(const Boxed<TypedDescription>& d) {
  return d ? &d->sdp : nullptr;
}

#define PARLEY_TRY(expression) \
  if (auto outcome = (expression); !outcome) return outcome

}  // namespace

Failure failAt(ErrorCode code, sdp::SourceLine line, const std::string& message) {
  if (line.number == 0) return fail(code, message);
  return fail(Error{code, "line " + std::to_string(line.number) + ": " + message, line.number});
}

bool rejects(const Boxed<TypedDescription>& description, size_t i) {
  return description && i < description->sdp.media.size() && description->sdp.media[i].isRejected();
}

bool isReusable(const SessionState& state, size_t i) {
  return rejects(state.currentLocal, i) && rejects(state.currentRemote, i);
}

std::optional<uint32_t> knownTransport(const SessionState& state,
                                       const std::vector<std::optional<size_t>>& leaders,
                                       size_t leader) {
  std::optional<uint32_t> known = state.transportOf(leader);
  for (size_t i = 0; i < leaders.size() && !known; ++i) {
    if (leaders[i] == leader) known = state.transportOf(i);
  }
  return known;
}

bool startsOver(const TransportState& inForce, const sdp::TransportAttributes& theirs) {
  const bool restart =
      inForce.remoteIce && theirs.iceUfrag && *theirs.iceUfrag != inForce.remoteIce->ufrag;
  return restart || theirs.fingerprints != inForce.remoteFingerprints;
}

Result<void> checkLocal(const SessionState& state, SdpType type, const SessionDescription& d) {
  PARLEY_TRY(stateFor(state.signaling, type, true));
  const Checker check(state, type, d, true);
  if (type == SdpType::Offer) {
    PARLEY_TRY(check.sectionsOfOffer(state.local() ? &state.local()->sdp : nullptr));
  } else {
    PARLEY_TRY(check.sectionsOfAnswer(state.pendingRemote->sdp));
    PARLEY_TRY(check.rtcpMux());
  }
  return check.transports();
}

Result<void> checkRemote(const SessionState& state, SdpType type, const SessionDescription& d) {
  PARLEY_TRY(stateFor(state.signaling, type, false));
  const Checker check(state, type, d, false);
  if (type == SdpType::Offer) {
    PARLEY_TRY(check.sectionsOfOffer(sdpOf(state.currentRemote)));
  } else {
    PARLEY_TRY(check.sectionsOfAnswer(state.pendingLocal->sdp));
  }
  PARLEY_TRY(check.rtcpMux());
  PARLEY_TRY(check.payloadTypesFit());
  PARLEY_TRY(check.payloadTypesKept(sdpOf(state.currentRemote)));
  PARLEY_TRY(check.extensionIdsKept(sdpOf(state.currentRemote)));
  PARLEY_TRY(check.transports());
  return check.remoteRoles();
}

#undef PARLEY_TRY

}  // namespace parley::jsep
