#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/boxed.h"
#include "parley/base/export.h"
#include "parley/base/strong_id.h"
#include "parley/jsep/format_memory.h"
#include "parley/sdp/description.h"

/// The `jsep` layer: offer and answer (RFC 9429, W3C webrtc-pc). All that offer/answer remembers is
/// the plain value `SessionState`; the functions of `offer_answer.h`, `apply_description.h` and
/// their neighbours are pure and answer with a new state plus a list of things to do (`Delta`).
/// None of them touches a transport: that is left to whoever commits the Delta.
namespace parley::jsep {

/// RTCSignalingState (webrtc-pc section 4.3.1).
enum class SignalingState : uint8_t {
  Stable,              ///< nothing is being negotiated
  HaveLocalOffer,      ///< ours is out, the answer has not come
  HaveRemoteOffer,     ///< the peer's is here, not answered yet
  HaveLocalPranswer,   ///< answered provisionally
  HaveRemotePranswer,  ///< the peer has, to ours
  Closed,              ///< the connection is closed
};

/// RTCSdpType (webrtc-pc section 4.6.1).
enum class SdpType : uint8_t {
  Offer,     ///< what this end would like to send and receive
  Pranswer,  ///< a provisional answer, which others may follow
  Answer,    ///< what of the offer holds from now on
  Rollback   ///< takes the pending offer back
};

/// Who sends the ClientHello (RFC 8842): a=setup:active is the client.
enum class DtlsRole : uint8_t { Client, Server };

/// The W3C spelling: "have-local-offer".
PARLEY_EXPORT const char* toString(SignalingState state);
/// The W3C spelling: "pranswer".
PARLEY_EXPORT const char* toString(SdpType type);
/// The other way round; nothing for any other text.
PARLEY_EXPORT std::optional<SdpType> parseSdpType(std::string_view text);

/// RTCBundlePolicy (RFC 9429 section 4.1.1), as far as it matters here.
enum class BundlePolicy : uint8_t {
  /// Transports beside the first are set up once an answer does not bundle.
  Balanced,
  /// The first offer sets up one for each section, so that peers without BUNDLE know where to send
  /// at once.
  MaxCompat,
  /// There is one transport; of a peer that does not bundle one section is accepted.
  MaxBundle,
};

/// a=ice-ufrag and a=ice-pwd (RFC 8839 section 5.4).
struct IceCredentials {
  std::string ufrag;
  std::string pwd;
  bool operator==(const IceCredentials&) const = default;
};

/// A description, and what it is.
struct TypedDescription {
  SdpType type = SdpType::Offer;
  sdp::SessionDescription sdp{};
  bool operator==(const TypedDescription&) const = default;
};

/// The most layers of simulcast that a sender may have; what is proposed beyond them is left out.
inline constexpr size_t kMaxSimulcastLayers = 3;

/// Names a transceiver within its session; never given twice.
using TransceiverId = StrongId<struct TransceiverTag>;

/// One layer that a sender may send. SSRCs are 0 until whoever commits the Delta has drawn them;
/// descriptions leave them out so long.
struct Encoding {
  std::string rid{};  ///< empty unless simulcast
  uint32_t ssrc = 0;
  uint32_t rtxSsrc = 0;
  uint32_t fecSsrc = 0;
  bool operator==(const Encoding&) const = default;
};

/// What the application sends by one transceiver.
struct SenderState {
  std::string trackId{};               ///< second word of a=msid; fixed for the sender's life
  std::vector<std::string> streams{};  ///< associated MediaStream ids
  std::vector<Encoding> encodings{Encoding{}};
  /// Several encodings are told by a=ssrc-group:SIM; their rids are never told.
  bool layersBySsrc = false;
  bool hasTrack = false;  ///< the sender's track is not null
  bool hasSent = false;   ///< its current direction has included sending at some time
  bool operator==(const SenderState&) const = default;
};

/// What the application knows of the incoming side.
struct ReceiverState {
  bool announced = false;              ///< W3C [[FiredDirection]] includes receiving
  std::vector<std::string> streams{};  ///< remote streams the track belongs to
  std::string remoteTrackId{};         ///< what the peer calls the track, if it says
  bool operator==(const ReceiverState&) const = default;
};

/// One header extension that both ends agreed on.
struct NegotiatedExtension {
  uint16_t id = 0;         ///< in RTP packets (RFC 8285)
  std::string uri;         ///< says which
  bool send = false;       ///< from here
  bool receive = false;    ///< to here
  bool encrypted = false;  ///< RFC 6904
  bool operator==(const NegotiatedExtension&) const = default;
};

/// What media must do for one transceiver. Payload types in `sendCodecs` are the peer's, those in
/// `receiveCodecs` ours; both lists are in order of preference, rtx and the like included.
struct MediaSettings {
  std::string mid{};
  size_t mLineIndex = 0;
  uint32_t transport = 0;  ///< number of the transport that it travels on
  bool send = false;       ///< never true before an answer is applied
  bool receive = false;    ///< true from the moment our offer is out: media may precede the answer
  std::vector<sdp::CodecParams> sendCodecs{};
  std::vector<sdp::CodecParams> receiveCodecs{};
  std::vector<NegotiatedExtension> extensions{};
  bool extmapAllowMixed = false;
  std::vector<std::string> sendRids{};     ///< empty without simulcast
  std::vector<std::string> receiveRids{};  ///< empty without simulcast
  std::vector<sdp::SsrcDescription>
      remoteSsrcs{};  ///< may be empty: then mid, rid or payload type decide
  std::vector<sdp::SsrcGroup> remoteSsrcGroups{};
  bool rtcpReducedSize = false;
  bool cryptex = false;                      ///< RFC 9335: agreed for this section
  std::optional<uint64_t> maxSendBitrate{};  ///< bits per second, from the peer's b= lines
  std::optional<uint32_t> ptime{};           ///< ms, the peer's wish
  std::optional<uint32_t> maxPtime{};        ///< ms, the peer's limit
  bool operator==(const MediaSettings&) const = default;
};

/// The part of a transceiver that negotiation changes and rollback restores.
struct NegotiatedTransceiver {
  std::optional<std::string> mid{};
  std::optional<size_t> mLineIndex{};
  std::optional<sdp::Direction> currentDirection{};
  ReceiverState receiver{};
  MediaSettings media{};
  bool operator==(const NegotiatedTransceiver&) const = default;
};

/// A header extension as an application wants it for one transceiver; no direction means "stopped".
struct HeaderExtensionChoice {
  std::string uri;
  std::optional<sdp::Direction> direction{};
  bool operator==(const HeaderExtensionChoice&) const = default;
};

/// All that is remembered of one transceiver.
struct TransceiverState {
  TransceiverId id{};
  sdp::MediaKind kind = sdp::MediaKind::Audio;  ///< Audio or Video
  sdp::Direction direction = sdp::Direction::SendRecv;
  bool stopping = false;
  bool stopped = false;
  bool fromAddTrack =
      false;  ///< made by addTrack: a remote offer may attach to it (RFC 9429 section 5.10)
  SenderState sender{};
  std::vector<sdp::CodecParams> codecPreferences{};       ///< empty: the capabilities' order
  std::vector<HeaderExtensionChoice> headerExtensions{};  ///< empty: the capabilities' choice
  std::vector<std::string> receiveRids{};                 ///< layers that our offers ask for
  NegotiatedTransceiver negotiated{};

  // Rollback.
  std::optional<NegotiatedTransceiver> beforeOffer{};  ///< set while an offer is pending
  std::optional<std::vector<Encoding>> encodingsBeforeOffer{};
  bool createdByPendingOffer = false;  ///< by the remote offer that is pending
  bool keptByAddTrack = false;         ///< addTrack has used it since

  bool operator==(const TransceiverState&) const = default;
};

/// What the SCTP association needs to know of the peer (RFC 8841).
struct DataSettings {
  uint16_t remotePort = 5000;
  uint64_t remoteMaxMessageSize = 65'536;  ///< bytes; 0 = any
  uint32_t transport = 0;                  ///< number of the transport that it travels on
  bool operator==(const DataSettings&) const = default;
};

/// The section for data channels, if there is to be one.
struct DataState {
  bool wanted = false;  ///< the application has made a data channel, or wants the section anyway
  std::optional<std::string> mid{};
  std::optional<size_t> mLineIndex{};
  std::optional<DataSettings> settings{};  ///< set while the section is accepted
  bool operator==(const DataState&) const = default;
};

/// One transport as negotiated so far.
struct TransportState {
  std::optional<IceCredentials> localIce{};   ///< of the newest local description
  std::optional<IceCredentials> remoteIce{};  ///< of the newest remote description in force
  std::vector<sdp::Fingerprint> remoteFingerprints{};
  std::optional<std::string> remoteTlsId{};
  std::optional<DtlsRole> dtlsRole{};
  std::optional<bool> iceControlling{};
  bool operator==(const TransportState&) const = default;
};

/// A transport beside the first one: of sections that are not bundled with it.
struct SideTransport {
  uint32_t id = 0;  ///< 1 and up, never given twice
  TransportState state{};
  FormatMemory formats{};  ///< payload types are its own
  ExtensionMemory extensions{};
  bool operator==(const SideTransport&) const = default;
};

/// Which section travels on which transport.
struct TransportMap {
  std::vector<SideTransport> sides{};
  /// By position: 0 is the first transport; nothing where it has not been decided.
  std::vector<std::optional<uint32_t>> sections{};
  bool operator==(const TransportMap&) const = default;
};

/// The numbers that sections of ours are named by, each once: a mid that was recycled must not come
/// back (RFC 9429 section 5.2.2), and to count takes less than to remember all that there were.
struct PARLEY_EXPORT MidNumbers {
  uint64_t next = 0;
  /// The peer names its sections by numbers, too: ours come after them.
  void note(std::string_view mid);
  std::string take() { return std::to_string(next++); }
  bool operator==(const MidNumbers&) const = default;
};

/// Everything offer/answer remembers about one connection.
struct PARLEY_EXPORT SessionState {
  BundlePolicy bundlePolicy = BundlePolicy::Balanced;
  SignalingState signaling = SignalingState::Stable;
  Boxed<TypedDescription> currentLocal{};
  Boxed<TypedDescription> pendingLocal{};
  Boxed<TypedDescription> currentRemote{};
  Boxed<TypedDescription> pendingRemote{};

  std::vector<TransceiverState> transceivers{};
  DataState data{};
  TransportState transport{};  ///< the first one, which with BUNDLE is that of all sections
  TransportMap transports{};
  uint32_t lastTransport = 0;  ///< the newest number among the sides
  /// Local credentials that restartIce() asked to replace (W3C [[LocalIceCredentialsToReplace]]).
  std::vector<IceCredentials> iceToReplace{};

  FormatMemory formats{};        ///< payload types of the first bundle, for the whole session
  ExtensionMemory extensions{};  ///< header extension ids of the same
  MidNumbers mids{};

  Boxed<TransportState> transportBeforeOffer{};
  Boxed<TransportMap> transportsBeforeOffer{};
  std::optional<DataState> dataBeforeOffer{};

  uint64_t sessionId = 0;       ///< o= line; drawn once, below 2^63
  uint64_t sessionVersion = 0;  ///< of the newest local description
  std::string cname{"parley"};
  uint32_t nextTransceiverId = 1;

  /// pendingLocal, else currentLocal; nullptr if neither (W3C localDescription).
  const TypedDescription* local() const;
  const TypedDescription* remote() const;
  TransceiverState* find(TransceiverId id);
  const TransceiverState* find(TransceiverId id) const;
  TransceiverState* findByIndex(size_t mLineIndex);
  const TransceiverState* findByIndex(size_t mLineIndex) const;

  /// Whether a description in force or pending has a section of this name.
  bool hasMid(std::string_view mid) const;

  /// Number of the transport of a section; nothing where it has not been decided.
  std::optional<uint32_t> transportOf(size_t mLineIndex) const;
  /// The section of a description that stands for a transport: where its credentials and candidates
  /// are.
  std::optional<size_t> sectionOf(uint32_t transport, const sdp::SessionDescription& d) const;
  /// Null for a number that is not in use.
  SideTransport* side(uint32_t id);
  const SideTransport* side(uint32_t id) const;
  /// What has been negotiated for a transport, 0 or one of the sides in use.
  TransportState& transportState(uint32_t id);
  const TransportState& transportState(uint32_t id) const;

  bool operator==(const SessionState&) const = default;
};

}  // namespace parley::jsep
