// Which section travels on which transport, decided by BUNDLE groups (RFC 9143) and the policy (RFC
// 9429 section 4.1.1).

#include <algorithm>

#include "parley/jsep/bundle.h"

#include "jsep/applier.h"
#include "jsep/validate.h"

namespace parley::jsep {

bool Applier::uses(uint32_t transport) const {
  const auto& sections = s_.transports.sections;
  return std::find(sections.begin(), sections.end(), transport) != sections.end();
}

uint32_t Applier::newTransport() {
  // The first one may be free: no peer has ever been met there.
  if (!uses(0) && !s_.transport.remoteIce) return 0;
  s_.transports.sides.push_back({++s_.lastTransport, {}, {}, {}});
  return s_.lastTransport;
}

TransportChange& Applier::changeOf(uint32_t transport) {
  if (transport == 0) return d_.transport;
  for (SideTransportChange& side : d_.sides) {
    if (side.id == transport && !side.ended) return side.change;
  }
  d_.sides.push_back({transport, {}, false});
  return d_.sides.back().change;
}

const TransportState* Applier::beforeOffer(uint32_t transport) const {
  if (transport == 0) return s_.transportBeforeOffer ? &*s_.transportBeforeOffer : nullptr;
  if (!s_.transportsBeforeOffer) return nullptr;
  for (const SideTransport& side : s_.transportsBeforeOffer->sides) {
    if (side.id == transport) return &side.state;
  }
  return nullptr;
}

Applier::Leaders Applier::usableLeaders(const sdp::SessionDescription& answer) const {
  Leaders leaders = transportLeaders(answer);
  if (s_.bundlePolicy != BundlePolicy::MaxBundle) {
    // Not those that the offer has been given: it may have taken a former place for new sections,
    // and those after it live.
    const TransportMap& before =
        s_.transportsBeforeOffer ? *s_.transportsBeforeOffer : s_.transports;
    limitTransports(leaders, livingLeaders(leaders, before.sections));
    return leaders;
  }
  const std::vector<bool> shared = onSharedTransport(answer);
  for (size_t i = 0; i < leaders.size(); ++i) {
    if (!shared[i]) leaders[i].reset();
  }
  return leaders;
}

/// Transports that are set up before the answer: of those who lead a bundle, and under max-compat
/// of every section in a first offer, as far as there may be so many.
void Applier::assignOffered(const sdp::SessionDescription& offer) {
  const Leaders leaders = transportLeaders(offer);
  auto& sections = s_.transports.sections;
  sections.resize(std::max(sections.size(), leaders.size()));
  const bool each = s_.bundlePolicy == BundlePolicy::MaxCompat && !s_.currentLocal;
  const auto mayHaveOne = [&](size_t i) {
    return leaders[i] == i || (each && s_.transports.sides.size() + 1 < kMaxTransports);
  };
  for (size_t i = 0; i < leaders.size(); ++i) {
    if (!leaders[i] || sections[i] || !mayHaveOne(i)) continue;
    const auto known = each ? std::nullopt : knownTransport(s_, leaders, i);
    sections[i] = known ? *known : newTransport();
  }
}

/// A section keeps its transport, and takes those along that are bundled with it.
void Applier::assignAnswered(const Leaders& leaders, const Leaders& offered, bool final) {
  auto& sections = s_.transports.sections;
  sections.resize(std::max(sections.size(), leaders.size()));
  std::vector<std::optional<uint32_t>> next(leaders.size());
  const auto isFree = [&](uint32_t id) {
    return std::find(next.begin(), next.end(), id) == next.end();
  };
  const auto eachLeader = [&](auto&& choose) {
    for (size_t i = 0; i < leaders.size(); ++i) {
      if (leaders[i] == i && !next[i]) next[i] = choose(i);
    }
  };
  const auto keep = [&](size_t i) {
    return sections[i] && isFree(*sections[i]) ? sections[i] : std::nullopt;
  };
  // One that is new in its bundle takes over what the others have: those that are in it still, or
  // (RFC 9143 section 7.2) were in it as offered.
  const auto inherit = [&](const Leaders& groups, size_t leader) {
    std::optional<uint32_t> known;
    for (size_t i = 0; i < groups.size() && !known; ++i) {
      if (groups[i] && groups[i] == groups[leader]) known = keep(i);
    }
    return known;
  };
  eachLeader(keep);
  eachLeader([&](size_t leader) { return inherit(leaders, leader); });
  eachLeader([&](size_t leader) { return inherit(offered, leader); });
  eachLeader([&](size_t) -> std::optional<uint32_t> {
    if (isFree(0) && !s_.transport.remoteIce) return 0;
    s_.transports.sides.push_back({++s_.lastTransport, {}, {}, {}});
    return s_.lastTransport;
  });
  for (size_t i = 0; i < leaders.size(); ++i) {
    if (leaders[i]) {
      sections[i] = next[*leaders[i]];
    } else if (final) {
      sections[i].reset();
    }
  }
}

}  // namespace parley::jsep
