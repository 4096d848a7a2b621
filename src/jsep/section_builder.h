#pragma once

#include <optional>
#include <vector>

#include "parley/jsep/capabilities.h"
#include "parley/jsep/state.h"

namespace parley::jsep {

inline constexpr const char* kRtpProtocol = "UDP/TLS/RTP/SAVPF";
inline constexpr const char* kSctpProtocol = "UDP/DTLS/SCTP";
inline constexpr const char* kDataFormat = "webrtc-datachannel";
/// RFC 3611 section 5.1.
inline constexpr const char* kRtcpXr = "rtcp-xr";

const std::vector<sdp::CodecParams>& codecsFor(const LocalCapabilities& capabilities,
                                               sdp::MediaKind kind);
const std::vector<HeaderExtensionCapability>& extensionsFor(const LocalCapabilities& capabilities,
                                                            sdp::MediaKind kind);

/// The transport attributes of each of our sections.
sdp::TransportAttributes localTransport(const LocalCapabilities& capabilities,
                                        const IceCredentials& ice, sdp::SetupRole setup);

/// a=msid lines if `t` sends in a section (its direction is known by now), and a=ssrc lines if it
/// does or ever did: a peer that saw a source go may not let it come back, as Chromium, which then
/// decodes but shows nothing. In simulcast by rid the sources go unnamed: rid and mid tell them
/// apart (RFC 8853 section 5.5).
void describeSender(sdp::MediaDescription& section, const TransceiverState& t,
                    const std::string& cname, bool simulcast);

/// A section with port 0 in the shape of `like` (RFC 9429 section 5.3.1): one format, no attributes
/// but the mid.
sdp::MediaDescription rejectedSection(const sdp::MediaDescription& like);

/// The m=application section.
sdp::MediaDescription dataSection(const LocalCapabilities& capabilities, const std::string& mid);

/// Session-level lines that all our descriptions share.
sdp::SessionDescription emptyDescription(const SessionState& state,
                                         const LocalCapabilities& capabilities);

/// Sets the o= version: that of our newest description if `d` says the same, else one more (RFC
/// 9429 section 5.2.2). Candidates do not count, they trickle in by themselves.
void setVersion(sdp::SessionDescription& d, const SessionState& state);

}  // namespace parley::jsep
