#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "parley/base/export.h"
#include "parley/sdp/description.h"

/// BUNDLE (RFC 9143). We offer all sections in one group, each with full transport attributes and
/// port 9. RFC 9429 section 5.2.1 would have max-bundle offers mark all sections but the first
/// `bundle-only` with port 0; browsers do not, and peers without BUNDLE support read it as a
/// rejection, so neither do we. With a peer that does not bundle each section gets a transport of
/// its own, unless the policy is max-bundle.
namespace parley::jsep {

/// How many transports a connection has at most: each gathers, checks and keeps sockets of its own,
/// and it is the peer who says how many. Of sections that are not bundled those beyond are rejected
/// in an answer of ours, as RFC 9429 section 5.3.1 has it for any that cannot be used, and carry
/// nothing after one of the peer's.
inline constexpr size_t kMaxTransports = 16;

/// The section whose transport attributes count: the first mid of the first BUNDLE group, else the
/// first section that is not rejected. nullopt if all are.
PARLEY_EXPORT std::optional<size_t> transportSection(const sdp::SessionDescription& description);

/// Per section: whether it is accepted and rides on that transport.
PARLEY_EXPORT std::vector<bool> onSharedTransport(const sdp::SessionDescription& description);

/// Per section that is accepted: the one whose transport attributes count for it, which is the
/// first accepted of its BUNDLE group, or itself without a group. Nothing for rejected ones.
PARLEY_EXPORT std::vector<std::optional<size_t>> transportLeaders(
    const sdp::SessionDescription& description);

/// Those of `leaders` that have a transport already. `sections` says which one each section has;
/// where several lead what was bundled so far, the first of them keeps it.
PARLEY_EXPORT std::set<size_t> livingLeaders(const std::vector<std::optional<size_t>>& leaders,
                                             const std::vector<std::optional<uint32_t>>& sections);

/// Leaves kMaxTransports of them: the `living`, and as many of the others as come first.
PARLEY_EXPORT void limitTransports(std::vector<std::optional<size_t>>& leaders,
                                   const std::set<size_t>& living);

/// Which section of `theirs` describes the transport that `answer` settled on. In an offer that is
/// the first mid of the group the answer took, even if the answer rejected that very section (RFC
/// 9143 section 7.2).
PARLEY_EXPORT std::optional<size_t> transportSectionOf(const sdp::SessionDescription& theirs,
                                                       const sdp::SessionDescription& answer);

/// The same of the transport that section `leader` of the answer leads.
PARLEY_EXPORT size_t transportSectionOf(const sdp::SessionDescription& theirs, size_t leader);

/// Whether RTP and RTCP share the port in section `index`; bundled sections inherit it (RFC 8859).
PARLEY_EXPORT bool usesRtcpMux(const sdp::SessionDescription& description, size_t index);

/// Puts gathered candidates into the section `index` of the transport, with the default candidate
/// in its c= line and port (RFC 8839 section 4.2.1.2: relayed before reflexive before host; never
/// an mDNS name).
PARLEY_EXPORT void addLocalCandidates(sdp::SessionDescription& description, size_t index,
                                      std::span<const sdp::CandidateLine> candidates,
                                      bool complete);

}  // namespace parley::jsep
