#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/export.h"
#include "parley/sdp/candidate_line.h"
#include "parley/sdp/codec_params.h"

/// The `sdp` layer: session descriptions as values. `parser.h` makes one of text, `writer.h` text
/// of one; nothing here negotiates (that is `jsep`) or keeps state.
namespace parley::sdp {

/// Bounds on what a peer may make us keep. Going over one is a syntax error.
struct Bounds {
  static constexpr size_t kTextBytes = 1u << 20;
  static constexpr size_t kLineBytes = 8 * 1024;
  static constexpr size_t kMediaSections = 256;
  static constexpr size_t kExtmapsPerSection = 64;
  static constexpr size_t kCandidatesPerSection = 128;
  static constexpr size_t kSsrcsPerSection = 64;
  static constexpr size_t kRidsPerSection = 32;
  static constexpr size_t kSimulcastStreams = 16;
  static constexpr size_t kFmtpParameters = 128;
  static constexpr size_t kFeedbackPerCodec = 64;
  static constexpr size_t kListItems =
      64;  ///< msids, groups, fingerprints, options, attributes of an SSRC
};

/// The m= token, as far as it means something here.
enum class MediaKind : uint8_t { Audio, Video, Application, Other };
/// a=sendrecv and so on (RFC 8866 section 6.7), seen from the end that describes.
enum class Direction : uint8_t { SendRecv, SendOnly, RecvOnly, Inactive };
/// a=setup (RFC 8842 section 5.1).
enum class SetupRole : uint8_t { Active, Passive, ActPass, HoldConn };

/// "audio", "video", "application", "".
PARLEY_EXPORT const char* toString(MediaKind kind);
/// "sendrecv", "sendonly", "recvonly", "inactive".
PARLEY_EXPORT const char* toString(Direction direction);
/// "active", "passive", "actpass", "holdconn".
PARLEY_EXPORT const char* toString(SetupRole role);

constexpr bool sends(Direction d) {
  return d == Direction::SendRecv || d == Direction::SendOnly;
}
constexpr bool receives(Direction d) {
  return d == Direction::SendRecv || d == Direction::RecvOnly;
}
constexpr Direction directionOf(bool send, bool receive) {
  if (send) return receive ? Direction::SendRecv : Direction::SendOnly;
  return receive ? Direction::RecvOnly : Direction::Inactive;
}
/// The same stream seen from the other end.
constexpr Direction reversed(Direction d) {
  return directionOf(receives(d), sends(d));
}
constexpr Direction intersection(Direction a, Direction b) {
  return directionOf(sends(a) && sends(b), receives(a) && receives(b));
}

/// o= (RFC 8866 section 5.2).
struct Origin {
  std::string username = "-";
  uint64_t sessionId = 0;       ///< below 2^63 (RFC 9429 section 5.2.1)
  uint64_t sessionVersion = 0;  ///< below 2^63
  std::string netType = "IN";
  std::string addressType = "IP4";
  std::string address = "0.0.0.0";
  bool operator==(const Origin&) const = default;
};

/// c= (RFC 8866 section 5.7). ICE replaces its meaning; it is kept for other readers.
struct Connection {
  std::string netType = "IN";
  std::string addressType = "IP4";
  std::string address = "0.0.0.0";
  bool operator==(const Connection&) const = default;
};

/// b= (RFC 8866 section 5.8): {"AS", kbit/s} or {"TIAS", bit/s}.
struct Bandwidth {
  std::string type;
  uint64_t value = 0;
  bool operator==(const Bandwidth&) const = default;
};

/// An attribute this layer gives no meaning to, as it stood there.
struct Attribute {
  std::string name;
  std::optional<std::string> value{};
  bool operator==(const Attribute&) const = default;
};

/// a=group (RFC 5888).
struct Group {
  std::string semantics;  ///< "BUNDLE", "LS", ...
  std::vector<std::string> mids{};
  bool operator==(const Group&) const = default;
};

/// a=fingerprint (RFC 8122 section 5).
struct Fingerprint {
  std::string algorithm;         ///< lower case, e.g. "sha-256"
  std::vector<uint8_t> bytes{};  ///< the hash itself
  bool operator==(const Fingerprint&) const = default;
};

/// The attributes of the transport under a section; at session level they are defaults for all.
struct TransportAttributes {
  std::optional<std::string> iceUfrag{};
  std::optional<std::string> icePwd{};
  std::vector<std::string> iceOptions{};
  std::vector<Fingerprint> fingerprints{};
  std::optional<SetupRole> setup{};
  std::optional<std::string> tlsId{};
  bool operator==(const TransportAttributes&) const = default;
};

/// a=msid (RFC 8830). `stream` is "-" for a track in no stream; `track` may be missing (RFC 9429).
struct Msid {
  std::string stream;
  std::optional<std::string> track{};
  bool operator==(const Msid&) const = default;
};

/// All a=ssrc lines of one SSRC (RFC 5576 section 4.1).
struct PARLEY_EXPORT SsrcDescription {
  uint32_t ssrc = 0;
  std::vector<Attribute> attributes{};
  /// The value of the first one with this name, e.g. "cname".
  std::optional<std::string_view> attribute(std::string_view name) const;
  bool operator==(const SsrcDescription&) const = default;
};

/// a=ssrc-group (RFC 5576 section 4.2): FID pairs a source with its rtx source.
struct SsrcGroup {
  std::string semantics;
  std::vector<uint32_t> ssrcs{};
  bool operator==(const SsrcGroup&) const = default;
};

/// a=extmap (RFC 8285 section 8).
struct Extmap {
  uint16_t id = 0;  ///< 1..255, or 4096..4351 in an offer with more than fit
  std::optional<Direction> direction{};
  std::string uri;
  std::string attributes{};  ///< extension specific, e.g. the inner URI of an encrypted extension
  bool operator==(const Extmap&) const = default;
};
/// Its `attributes` then name the extension that is encrypted (RFC 6904 section 4).
inline constexpr std::string_view kEncryptedExtensionUri = "urn:ietf:params:rtp-hdrext:encrypt";

/// a=rid (RFC 8851).
struct Rid {
  std::string id;    ///< 1*(alpha-numeric / "-" / "_")
  bool send = true;  ///< else recv
  std::vector<uint8_t> payloadTypes{};
  std::vector<FmtpParameter> restrictions{};  ///< max-width and so on
  bool operator==(const Rid&) const = default;
};

/// One alternative in a=simulcast; `~` marks it paused.
struct SimulcastRid {
  std::string id;
  bool paused = false;
  bool operator==(const SimulcastRid&) const = default;
};

/// a=simulcast (RFC 8853): streams in order of preference, each a list of alternatives.
struct Simulcast {
  std::vector<std::vector<SimulcastRid>> send{};
  std::vector<std::vector<SimulcastRid>> recv{};
  bool operator==(const Simulcast&) const = default;
};

/// a=sctpmap of peers before RFC 8841: `m=application 9 DTLS/SCTP 5000`, `a=sctpmap:5000
/// webrtc-datachannel 1024`.
struct SctpMap {
  uint16_t port = 0;
  std::string protocol;
  std::optional<uint32_t> streams{};
  bool operator==(const SctpMap&) const = default;
};

/// Where something stood in the text that was read: for the messages of errors. It is no part of
/// the value, so any two are equal.
struct SourceLine {
  int number = 0;  ///< from 1; 0 for what was never text
  bool operator==(const SourceLine&) const { return true; }
};

/// One m= section.
struct PARLEY_EXPORT MediaDescription {
  SourceLine line{};  ///< of its m= line
  SourceLine midLine{};
  std::string media;  ///< the m= token: "audio", "video", "application" or another
  uint16_t port = 9;
  std::string protocol = "UDP/TLS/RTP/SAVPF";
  /// The payload types of an RTP section, in order of preference. They are its format list.
  std::vector<CodecParams> codecs{};
  /// The format list of a section that is not RTP, e.g. {"webrtc-datachannel"}.
  std::vector<std::string> formats{};

  std::optional<Connection> connection{};
  std::vector<Bandwidth> bandwidths{};
  std::optional<std::string> mid{};
  std::optional<Direction> direction{};
  TransportAttributes transport{};
  std::vector<CandidateLine> candidates{};
  bool endOfCandidates = false;
  bool bundleOnly = false;
  bool rtcpMux = false;
  bool rtcpMuxOnly = false;
  bool rtcpReducedSize = false;
  bool extmapAllowMixed = false;
  bool cryptex = false;                ///< RFC 9335
  std::optional<uint32_t> ptime{};     ///< ms
  std::optional<uint32_t> maxPtime{};  ///< ms
  std::vector<Extmap> extmaps{};
  std::vector<RtcpFeedback> wildcardFeedback{};  ///< a=rtcp-fb:*
  std::vector<Msid> msids{};
  std::vector<SsrcDescription> ssrcs{};
  std::vector<SsrcGroup> ssrcGroups{};
  std::vector<Rid> rids{};
  std::optional<Simulcast> simulcast{};
  std::optional<uint16_t> sctpPort{};
  std::optional<uint64_t> maxMessageSize{};  ///< bytes; 0 = any size (RFC 8841 section 6)
  std::optional<SctpMap> sctpMap{};
  std::vector<Attribute> otherAttributes{};

  MediaKind kind() const;
  /// RTP/AVP and its relatives: whether the format list is payload types.
  bool isRtp() const;
  /// UDP/DTLS/SCTP and its relatives, including the old DTLS/SCTP.
  bool isSctp() const;
  /// Port 0 says "rejected", except beside bundle-only, where it says "only as part of the bundle"
  /// (RFC 9143 section 6).
  bool isRejected() const { return port == 0 && !bundleOnly; }
  /// Null if there is none; here and below.
  const CodecParams* codec(uint8_t payloadType) const;
  CodecParams* codec(uint8_t payloadType);
  const SsrcDescription* ssrc(uint32_t ssrc) const;
  const Attribute* attribute(std::string_view name) const;
  /// The association's port by either way of saying it.
  std::optional<uint16_t> effectiveSctpPort() const;

  bool operator==(const MediaDescription&) const = default;
};

/// A whole description (RFC 8866). What is known is typed; unknown attributes are kept as they are;
/// i=, u=, e=, p=, r=, z= and k= lines carry nothing for us and are dropped.
struct PARLEY_EXPORT SessionDescription {
  Origin origin{};
  std::string sessionName = "-";
  std::string timing = "0 0";
  std::optional<Connection> connection{};
  std::vector<Bandwidth> bandwidths{};
  std::vector<Group> groups{};
  TransportAttributes transport{};
  std::optional<Direction> direction{};
  std::vector<Extmap> extmaps{};
  bool iceLite = false;
  bool extmapAllowMixed = false;
  bool cryptex = false;  ///< RFC 9335, for all sections
  bool endOfCandidates = false;
  std::vector<Attribute> otherAttributes{};
  std::vector<MediaDescription> media{};

  const MediaDescription* findMid(std::string_view mid) const;
  MediaDescription* findMid(std::string_view mid);
  const Attribute* attribute(std::string_view name) const;
  /// The BUNDLE group; there is at most one.
  const Group* bundleGroup() const;

  // What counts in a section once session-level defaults are filled in (RFC 8866 section 5.13).
  /// `sendrecv` if neither level says.
  Direction directionOf(const MediaDescription& section) const;
  TransportAttributes transportOf(const MediaDescription& section) const;
  std::vector<Extmap> extmapsOf(const MediaDescription& section) const;
  bool extmapAllowMixedIn(const MediaDescription& section) const;
  bool cryptexIn(const MediaDescription& section) const;
  bool endOfCandidatesIn(const MediaDescription& section) const;

  bool operator==(const SessionDescription&) const = default;
};

}  // namespace parley::sdp
