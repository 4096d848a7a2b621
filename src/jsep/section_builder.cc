#include "jsep/section_builder.h"

#include <algorithm>

namespace parley::jsep {

const std::vector<sdp::CodecParams>& codecsFor(const LocalCapabilities& capabilities,
                                               sdp::MediaKind kind) {
  return kind == sdp::MediaKind::Audio ? capabilities.audioCodecs : capabilities.videoCodecs;
}

const std::vector<HeaderExtensionCapability>& extensionsFor(const LocalCapabilities& capabilities,
                                                            sdp::MediaKind kind) {
  return kind == sdp::MediaKind::Audio ? capabilities.audioExtensions
                                       : capabilities.videoExtensions;
}

sdp::TransportAttributes localTransport(const LocalCapabilities& capabilities,
                                        const IceCredentials& ice, sdp::SetupRole setup) {
  sdp::TransportAttributes out;
  out.iceUfrag = ice.ufrag;
  out.icePwd = ice.pwd;
  out.iceOptions = capabilities.iceOptions;
  out.fingerprints = capabilities.fingerprints;
  out.setup = setup;
  return out;
}

namespace {

/// RFC 5576: the source and what repairs it.
void describeEncoding(sdp::MediaDescription& section, const Encoding& e, const std::string& cname) {
  const auto has = [&section](auto isOne) {
    return std::any_of(section.codecs.begin(), section.codecs.end(), isOne);
  };
  const auto describe = [&](uint32_t ssrc, const char* semantics) {
    section.ssrcs.push_back({ssrc, {{"cname", cname}}});
    section.ssrcGroups.push_back({semantics, {e.ssrc, ssrc}});
  };
  section.ssrcs.push_back({e.ssrc, {{"cname", cname}}});
  if (e.rtxSsrc != 0 && has([](const sdp::CodecParams& c) { return c.is("rtx"); }))
    describe(e.rtxSsrc, "FID");
  // RFC 5956 section 4.3.
  if (e.fecSsrc != 0 &&
      has([](const sdp::CodecParams& c) { return c.is("flexfec-03") || c.is("flexfec"); })) {
    describe(e.fecSsrc, "FEC-FR");
  }
}

}  // namespace

void describeSender(sdp::MediaDescription& section, const TransceiverState& t,
                    const std::string& cname, bool simulcast) {
  const bool sends = section.direction && sdp::sends(*section.direction);
  // RFC 9429 section 5.2.1 goes by what the transceiver wants, also in an answer that cannot grant
  // it: without its streams there the check of webrtc-pc section 4.7.3 would ask for negotiation
  // again and again, each end answering the other's wish to send with silence.
  if (sends || (sdp::sends(t.direction) && !t.stopping)) {
    const auto track = t.sender.trackId.empty() ? std::nullopt : std::optional(t.sender.trackId);
    for (const std::string& stream : t.sender.streams) section.msids.push_back({stream, track});
    if (t.sender.streams.empty()) section.msids.push_back({"-", track});
  }
  if (!sends && !t.sender.hasSent) return;
  if (simulcast || t.sender.encodings.empty()) return;

  std::vector<uint32_t> layers;
  for (const Encoding& e : t.sender.encodings) {
    if (e.ssrc != 0) layers.push_back(e.ssrc);
  }
  const bool bySsrc = t.sender.layersBySsrc && layers.size() > 1;
  if (bySsrc) section.ssrcGroups.push_back({"SIM", layers});
  for (const Encoding& e : t.sender.encodings) {
    if (e.ssrc == 0) continue;
    Encoding described = e;
    if (bySsrc) described.fecSsrc = 0;  // layers are sent without
    describeEncoding(section, described, cname);
    if (!bySsrc) break;
  }
}

sdp::MediaDescription rejectedSection(const sdp::MediaDescription& like) {
  sdp::MediaDescription out;
  out.media = like.media;
  out.port = 0;
  out.protocol = like.protocol;
  out.formats = like.formats;
  if (!like.codecs.empty()) {
    sdp::CodecParams codec;
    codec.payloadType = like.codecs.front().payloadType;
    codec.name = like.codecs.front().name;
    codec.clockRate = like.codecs.front().clockRate;
    codec.channels = like.codecs.front().channels;
    out.codecs.push_back(std::move(codec));
  }
  out.connection = sdp::Connection{};
  out.mid = like.mid;
  out.direction = sdp::Direction::Inactive;
  return out;
}

sdp::MediaDescription dataSection(const LocalCapabilities& capabilities, const std::string& mid) {
  sdp::MediaDescription out;
  out.media = "application";
  out.protocol = kSctpProtocol;
  out.formats = {kDataFormat};
  out.connection = sdp::Connection{};
  out.mid = mid;
  out.sctpPort = capabilities.sctpPort;
  out.maxMessageSize = capabilities.maxMessageSize;
  return out;
}

sdp::SessionDescription emptyDescription(const SessionState& state,
                                         const LocalCapabilities& capabilities) {
  sdp::SessionDescription d;
  d.origin.sessionId = state.sessionId;
  d.iceLite = capabilities.iceLite;
  d.otherAttributes.push_back({"msid-semantic", "WMS *"});  // peers before RFC 8830 look for it
  return d;
}

void setVersion(sdp::SessionDescription& d, const SessionState& state) {
  d.origin.sessionVersion = state.sessionVersion;
  const TypedDescription* last = state.local();
  if (last != nullptr) {
    sdp::SessionDescription before = last->sdp;
    for (sdp::MediaDescription& m : before.media) {
      m.candidates.clear();
      m.endOfCandidates = false;
      if (m.port != 0) {
        m.port = 9;
        m.connection = sdp::Connection{};
      }
    }
    if (before == d) return;
  }
  ++d.origin.sessionVersion;
}

}  // namespace parley::jsep
