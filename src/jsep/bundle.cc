#include "parley/jsep/bundle.h"

#include <algorithm>

namespace parley::jsep {
namespace {

size_t indexOf(const sdp::SessionDescription& d, const sdp::MediaDescription& section) {
  return static_cast<size_t>(&section - d.media.data());
}

bool inGroup(const sdp::Group& group, const sdp::MediaDescription& section) {
  return section.mid &&
         std::find(group.mids.begin(), group.mids.end(), *section.mid) != group.mids.end();
}

/// The BUNDLE group that holds `section`; nullptr if none.
const sdp::Group* groupOf(const sdp::SessionDescription& d, const sdp::MediaDescription& section) {
  for (const sdp::Group& g : d.groups) {
    if (g.semantics == "BUNDLE" && inGroup(g, section)) return &g;
  }
  return nullptr;
}

int defaultRank(const sdp::CandidateLine& c) {
  const int family = c.address.isV4() ? 1 : 0;  // every reader of c= lines knows IPv4
  switch (c.type) {
    case sdp::CandidateType::Relay:
      return 6 + family;
    case sdp::CandidateType::ServerReflexive:
      return 4 + family;
    case sdp::CandidateType::PeerReflexive:
      return 2 + family;
    case sdp::CandidateType::Host:
      return family;
  }
  return 0;
}

}  // namespace

std::optional<size_t> transportSection(const sdp::SessionDescription& d) {
  for (const sdp::Group& g : d.groups) {
    if (g.semantics != "BUNDLE") continue;
    for (const std::string& mid : g.mids) {
      const sdp::MediaDescription* m = d.findMid(mid);
      if (m != nullptr && !m->isRejected()) return indexOf(d, *m);
    }
  }
  for (size_t i = 0; i < d.media.size(); ++i) {
    if (d.media[i].port != 0) return i;
  }
  return std::nullopt;
}

std::vector<bool> onSharedTransport(const sdp::SessionDescription& d) {
  std::vector<bool> out(d.media.size(), false);
  const auto tagged = transportSection(d);
  if (!tagged) return out;
  const sdp::Group* group = groupOf(d, d.media[*tagged]);
  for (size_t i = 0; i < d.media.size(); ++i) {
    out[i] = !d.media[i].isRejected() && (i == *tagged || (group && inGroup(*group, d.media[i])));
  }
  return out;
}

std::vector<std::optional<size_t>> transportLeaders(const sdp::SessionDescription& d) {
  std::vector<std::optional<size_t>> out(d.media.size());
  for (size_t i = 0; i < d.media.size(); ++i) {
    const sdp::MediaDescription& section = d.media[i];
    if (section.isRejected()) continue;
    const sdp::Group* group = groupOf(d, section);
    if (group == nullptr) {
      if (section.port != 0) out[i] = i;  // bundle-only without a bundle: nowhere to go
      continue;
    }
    for (const std::string& mid : group->mids) {
      const sdp::MediaDescription* m = d.findMid(mid);
      if (m == nullptr || m->isRejected()) continue;
      out[i] = indexOf(d, *m);
      break;
    }
  }
  return out;
}

std::optional<size_t> transportSectionOf(const sdp::SessionDescription& theirs,
                                         const sdp::SessionDescription& answer) {
  const auto tagged = transportSection(answer);
  if (!tagged || *tagged >= theirs.media.size()) return std::nullopt;
  return transportSectionOf(theirs, *tagged);
}

size_t transportSectionOf(const sdp::SessionDescription& theirs, size_t leader) {
  return transportLeaders(theirs)[leader].value_or(leader);
}

std::set<size_t> livingLeaders(const std::vector<std::optional<size_t>>& leaders,
                               const std::vector<std::optional<uint32_t>>& sections) {
  std::set<size_t> out;
  std::set<uint32_t> taken;
  const size_t count = std::min(leaders.size(), sections.size());
  for (size_t i = 0; i < count; ++i) {
    if (leaders[i] && sections[i] && !out.contains(*leaders[i]) &&
        taken.insert(*sections[i]).second)
      out.insert(*leaders[i]);
  }
  return out;
}

void limitTransports(std::vector<std::optional<size_t>>& leaders, const std::set<size_t>& living) {
  std::set<size_t> kept = living;
  for (std::optional<size_t>& leader : leaders) {
    if (!leader || kept.contains(*leader)) continue;
    if (kept.size() < kMaxTransports) {
      kept.insert(*leader);
    } else {
      leader.reset();
    }
  }
}

bool usesRtcpMux(const sdp::SessionDescription& d, size_t index) {
  if (d.media[index].rtcpMux) return true;
  const auto leader = transportLeaders(d)[index];
  // A data section has no RTCP to speak of; it leaves the question to the section itself.
  return leader && d.media[*leader].rtcpMux;
}

void addLocalCandidates(sdp::SessionDescription& d, size_t index,
                        std::span<const sdp::CandidateLine> candidates, bool complete) {
  sdp::MediaDescription& section = d.media[index];
  section.candidates.assign(candidates.begin(), candidates.end());
  section.endOfCandidates = complete;
  const sdp::CandidateLine* best = nullptr;
  for (const sdp::CandidateLine& c : candidates) {
    if (!c.hostname.empty() || c.transport != sdp::CandidateTransport::Udp || c.component != 1)
      continue;
    if (best == nullptr || defaultRank(c) > defaultRank(*best)) best = &c;
  }
  if (best == nullptr) return;
  section.port = best->port;
  section.connection =
      sdp::Connection{"IN", best->address.isV4() ? "IP4" : "IP6", best->address.toString()};
}

}  // namespace parley::jsep
