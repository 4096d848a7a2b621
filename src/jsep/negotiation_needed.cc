#include "parley/jsep/negotiation_needed.h"

#include <algorithm>

namespace parley::jsep {
namespace {

using sdp::MediaDescription;

std::vector<std::string> sorted(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

bool msidsMatch(const MediaDescription& section, const TransceiverState& t) {
  if (section.msids.empty()) return false;
  std::vector<std::string> streams;
  for (const sdp::Msid& m : section.msids) {
    if (m.stream != "-") streams.push_back(m.stream);
  }
  return sorted(std::move(streams)) == sorted(t.sender.streams);
}

const MediaDescription* sectionAt(const Boxed<TypedDescription>& d, std::optional<size_t> index) {
  return d && index && *index < d->sdp.media.size() ? &d->sdp.media[*index] : nullptr;
}

/// Step 5.3.2 and 5.3.3: whether the direction that the application wants is what was negotiated.
bool directionMatches(const SessionState& s, const TransceiverState& t,
                      const MediaDescription& local) {
  const MediaDescription* remote = sectionAt(s.currentRemote, t.negotiated.mLineIndex);
  const sdp::Direction ours = s.currentLocal->sdp.directionOf(local);
  const sdp::Direction theirs =
      remote ? sdp::reversed(s.currentRemote->sdp.directionOf(*remote)) : sdp::Direction::Inactive;
  if (s.currentLocal->type == SdpType::Offer)
    return ours == t.direction || (remote && theirs == t.direction);
  return ours == sdp::intersection(t.direction, theirs);
}

bool needsNegotiation(const SessionState& s, const TransceiverState& t) {
  const MediaDescription* local = sectionAt(s.currentLocal, t.negotiated.mLineIndex);
  if (t.stopped) {
    const MediaDescription* remote = sectionAt(s.currentRemote, t.negotiated.mLineIndex);
    return local != nullptr && !local->isRejected() && !(remote && remote->isRejected());
  }
  if (t.stopping) return true;
  if (local == nullptr) return true;
  if (sdp::sends(t.direction) && !msidsMatch(*local, t)) return true;
  return !directionMatches(s, t, *local);
}

bool dataNegotiated(const SessionState& s) {
  const MediaDescription* section = sectionAt(s.currentLocal, s.data.mLineIndex);
  return section != nullptr && section->isSctp();
}

}  // namespace

bool isNegotiationNeeded(const SessionState& s) {
  if (s.signaling == SignalingState::Closed) return false;
  if (!s.iceToReplace.empty()) return true;
  if (s.data.wanted && !dataNegotiated(s)) return true;
  return std::any_of(s.transceivers.begin(), s.transceivers.end(),
                     [&](const TransceiverState& t) { return needsNegotiation(s, t); });
}

}  // namespace parley::jsep
