#include "parley/sdp/description.h"

#include <algorithm>
#include <utility>

#include "parley/base/text.h"

namespace parley::sdp {
namespace {

const Attribute* findAttribute(const std::vector<Attribute>& attributes, std::string_view name) {
  const auto it = std::find_if(attributes.begin(), attributes.end(),
                               [&](const Attribute& a) { return a.name == name; });
  return it == attributes.end() ? nullptr : &*it;
}

}  // namespace

const char* toString(MediaKind kind) {
  switch (kind) {
    case MediaKind::Audio:
      return "audio";
    case MediaKind::Video:
      return "video";
    case MediaKind::Application:
      return "application";
    case MediaKind::Other:
      return "";
  }
  return "";
}

const char* toString(Direction direction) {
  switch (direction) {
    case Direction::SendRecv:
      return "sendrecv";
    case Direction::SendOnly:
      return "sendonly";
    case Direction::RecvOnly:
      return "recvonly";
    case Direction::Inactive:
      return "inactive";
  }
  return "inactive";
}

const char* toString(SetupRole role) {
  switch (role) {
    case SetupRole::Active:
      return "active";
    case SetupRole::Passive:
      return "passive";
    case SetupRole::ActPass:
      return "actpass";
    case SetupRole::HoldConn:
      return "holdconn";
  }
  return "actpass";
}

std::optional<std::string_view> SsrcDescription::attribute(std::string_view name) const {
  const Attribute* found = findAttribute(attributes, name);
  if (found == nullptr) return std::nullopt;
  return found->value ? std::string_view(*found->value) : std::string_view{};
}

MediaKind MediaDescription::kind() const {
  if (media == "audio") return MediaKind::Audio;
  if (media == "video") return MediaKind::Video;
  if (media == "application") return MediaKind::Application;
  return MediaKind::Other;
}

bool MediaDescription::isRtp() const {
  const std::string_view p = protocol;
  return p.starts_with("RTP/") || p.find("/RTP/") != std::string_view::npos;
}

bool MediaDescription::isSctp() const {
  return protocol == "UDP/DTLS/SCTP" || protocol == "TCP/DTLS/SCTP" || protocol == "DTLS/SCTP";
}

const CodecParams* MediaDescription::codec(uint8_t payloadType) const {
  const auto it = std::find_if(codecs.begin(), codecs.end(),
                               [&](const CodecParams& c) { return c.payloadType == payloadType; });
  return it == codecs.end() ? nullptr : &*it;
}

CodecParams* MediaDescription::codec(uint8_t payloadType) {
  return const_cast<CodecParams*>(std::as_const(*this).codec(payloadType));
}

const SsrcDescription* MediaDescription::ssrc(uint32_t value) const {
  const auto it = std::find_if(ssrcs.begin(), ssrcs.end(),
                               [&](const SsrcDescription& s) { return s.ssrc == value; });
  return it == ssrcs.end() ? nullptr : &*it;
}

const Attribute* MediaDescription::attribute(std::string_view name) const {
  return findAttribute(otherAttributes, name);
}

std::optional<uint16_t> MediaDescription::effectiveSctpPort() const {
  if (sctpPort) return sctpPort;
  if (sctpMap) return sctpMap->port;
  // RFC 8841 section 5: the attribute is mandatory today; a bare old m= line names the port itself.
  if (protocol == "DTLS/SCTP" && !formats.empty()) return parseNumber<uint16_t>(formats.front());
  return std::nullopt;
}

const MediaDescription* SessionDescription::findMid(std::string_view mid) const {
  const auto it = std::find_if(media.begin(), media.end(),
                               [&](const MediaDescription& m) { return m.mid && *m.mid == mid; });
  return it == media.end() ? nullptr : &*it;
}

MediaDescription* SessionDescription::findMid(std::string_view mid) {
  return const_cast<MediaDescription*>(std::as_const(*this).findMid(mid));
}

const Attribute* SessionDescription::attribute(std::string_view name) const {
  return findAttribute(otherAttributes, name);
}

const Group* SessionDescription::bundleGroup() const {
  const auto it = std::find_if(groups.begin(), groups.end(),
                               [](const Group& g) { return g.semantics == "BUNDLE"; });
  return it == groups.end() ? nullptr : &*it;
}

Direction SessionDescription::directionOf(const MediaDescription& section) const {
  return section.direction.value_or(direction.value_or(Direction::SendRecv));
}

TransportAttributes SessionDescription::transportOf(const MediaDescription& section) const {
  TransportAttributes out = section.transport;
  // Credentials come as a pair: a section with an ufrag of its own does not borrow a password.
  if (!out.iceUfrag && !out.icePwd) {
    out.iceUfrag = transport.iceUfrag;
    out.icePwd = transport.icePwd;
  }
  for (const std::string& option : transport.iceOptions) {
    if (std::find(out.iceOptions.begin(), out.iceOptions.end(), option) == out.iceOptions.end()) {
      out.iceOptions.push_back(option);
    }
  }
  if (out.fingerprints.empty()) out.fingerprints = transport.fingerprints;
  if (!out.setup) out.setup = transport.setup;
  if (!out.tlsId) out.tlsId = transport.tlsId;
  return out;
}

std::vector<Extmap> SessionDescription::extmapsOf(const MediaDescription& section) const {
  std::vector<Extmap> out = section.extmaps;
  // RFC 8285 section 6: session and media level must not be mixed; the section's own win.
  if (out.empty() && section.isRtp()) out = extmaps;
  return out;
}

bool SessionDescription::extmapAllowMixedIn(const MediaDescription& section) const {
  return extmapAllowMixed || section.extmapAllowMixed;
}

bool SessionDescription::cryptexIn(const MediaDescription& section) const {
  return section.isRtp() && (cryptex || section.cryptex);
}

bool SessionDescription::endOfCandidatesIn(const MediaDescription& section) const {
  return endOfCandidates || section.endOfCandidates;
}

}  // namespace parley::sdp
