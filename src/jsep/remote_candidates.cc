#include "parley/jsep/remote_candidates.h"

#include <algorithm>

#include "parley/jsep/bundle.h"

namespace parley::jsep {
namespace {

constexpr size_t kMaxTrickledPerSection = 64;

/// Index of the section a candidate names in one description: by mid, else by position.
std::optional<size_t> sectionFor(const sdp::SessionDescription& d, const RemoteCandidate& c) {
  // An empty mid is none (RFC 5888 section 4: a token), though some send it where they mean
  // the index alone.
  if (c.mid && !(c.mid->empty() && c.mLineIndex)) {
    const sdp::MediaDescription* m = d.findMid(*c.mid);
    return m ? std::optional(static_cast<size_t>(m - d.media.data())) : std::nullopt;
  }
  if (c.mLineIndex && *c.mLineIndex < d.media.size()) return *c.mLineIndex;
  return std::nullopt;
}

std::optional<std::string> ufragOf(const RemoteCandidate& c) {
  if (c.ufrag) return c.ufrag;
  if (!c.candidate) return std::nullopt;
  const auto inLine = c.candidate->ufrag();
  return inLine ? std::optional<std::string>(*inLine) : std::nullopt;
}

enum class Outcome { NoSuchSection, OtherGeneration, Added };

Outcome endAll(sdp::SessionDescription& d, const std::optional<std::string>& ufrag) {
  Outcome outcome = Outcome::OtherGeneration;
  for (sdp::MediaDescription& section : d.media) {
    if (section.isRejected() || (ufrag && d.transportOf(section).iceUfrag != ufrag)) continue;
    section.endOfCandidates = true;
    outcome = Outcome::Added;
  }
  return outcome;
}

/// Adds to the section that the candidate names, if it belongs there.
Outcome addTo(sdp::SessionDescription& d, const RemoteCandidate& c) {
  // Only end-of-candidates may be that vague: then it is for every section (webrtc-pc
  // section 4.4.2).
  if (!c.mid && !c.mLineIndex) return endAll(d, ufragOf(c));
  const auto named = sectionFor(d, c);
  if (!named) return Outcome::NoSuchSection;
  sdp::MediaDescription& section = d.media[*named];
  const auto ufrag = ufragOf(c);
  if (ufrag && d.transportOf(section).iceUfrag != ufrag) return Outcome::OtherGeneration;
  if (!c.candidate) {
    section.endOfCandidates = true;
  } else if (section.candidates.size() < kMaxTrickledPerSection &&
             std::find(section.candidates.begin(), section.candidates.end(), *c.candidate) ==
                 section.candidates.end()) {
    section.candidates.push_back(*c.candidate);
  }
  return Outcome::Added;
}

/// The transports to which the candidate belongs, by section and by the generation that ICE works
/// with now.
void addTransports(const SessionState& s, const TypedDescription& d, const RemoteCandidate& c,
                   std::vector<uint32_t>& out) {
  const auto consider = [&](uint32_t id) {
    const auto& remote = s.transportState(id).remoteIce;
    const auto section = remote ? s.sectionOf(id, d.sdp) : std::nullopt;
    const bool named = (!c.mid && !c.mLineIndex) || sectionFor(d.sdp, c) == section;
    if (!section || !named || std::find(out.begin(), out.end(), id) != out.end()) return;
    if (d.sdp.transportOf(d.sdp.media[*section]).iceUfrag == remote->ufrag) out.push_back(id);
  };
  consider(0);
  for (const SideTransport& side : s.transports.sides) consider(side.id);
}

}  // namespace

Result<AcceptedCandidate> addRemoteCandidate(SessionState& state,
                                             const RemoteCandidate& candidate) {
  if (candidate.candidate && !candidate.mid && !candidate.mLineIndex) {
    return fail(ErrorCode::Type, "a candidate needs sdpMid or sdpMLineIndex");
  }
  if (state.remote() == nullptr)
    return fail(ErrorCode::InvalidState, "there is no remote description yet");
  AcceptedCandidate out;
  bool sectionFound = false;
  bool added = false;
  for (auto* d : {&state.currentRemote, &state.pendingRemote}) {
    if (!*d) continue;
    const Outcome outcome = addTo((*d)->sdp, candidate);
    sectionFound = sectionFound || outcome != Outcome::NoSuchSection;
    if (outcome != Outcome::Added) continue;
    added = true;
    addTransports(state, **d, candidate, out.transports);
  }
  if (!sectionFound)
    return fail(ErrorCode::Operation, "the candidate names a section that does not exist");
  out.useNow = !out.transports.empty();
  // An end of candidates may be of a generation that is gone, but where no section is named the
  // ufrag must be one that was applied.
  const bool vague = !candidate.mid && !candidate.mLineIndex && candidate.ufrag;
  if (!added && (candidate.candidate || vague)) {
    return fail(ErrorCode::Operation, "the candidate's ufrag belongs to no remote description");
  }
  return out;
}

Result<void> checkCandidatePlace(const SessionState& state, const std::optional<std::string>& mid,
                                 std::optional<uint16_t> mLineIndex,
                                 const std::optional<std::string>& ufrag) {
  const TypedDescription* newest = state.remote();
  if (newest == nullptr) return fail(ErrorCode::InvalidState, "there is no remote description yet");
  RemoteCandidate place;
  place.mid = mid;
  place.mLineIndex = mLineIndex;
  if (!mid && !mLineIndex) return ok();
  const auto index = sectionFor(newest->sdp, place);
  if (!index)
    return fail(ErrorCode::Operation, "the candidate names a section that does not exist");
  if (!ufrag) return ok();
  for (const auto* d : {&state.currentRemote, &state.pendingRemote}) {
    if (!*d || *index >= (*d)->sdp.media.size()) continue;
    if ((*d)->sdp.transportOf((*d)->sdp.media[*index]).iceUfrag == ufrag) return ok();
  }
  return fail(ErrorCode::Operation, "the candidate's ufrag belongs to no remote description");
}

std::optional<bool> canTrickle(const SessionState& state) {
  const TypedDescription* remote = state.remote();
  if (remote == nullptr) return std::nullopt;
  const auto hasTrickle = [](const std::vector<std::string>& options) {
    return std::find(options.begin(), options.end(), "trickle") != options.end();
  };
  if (hasTrickle(remote->sdp.transport.iceOptions)) return true;
  return std::any_of(
      remote->sdp.media.begin(), remote->sdp.media.end(),
      [&](const sdp::MediaDescription& m) { return hasTrickle(m.transport.iceOptions); });
}

}  // namespace parley::jsep
