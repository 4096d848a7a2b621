#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/api/certificate.h"
#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/units.h"
#include "parley/codec/audio_codec.h"
#include "parley/codec/video_codec.h"
#include "parley/jsep/capabilities.h"
#include "parley/turn/transport.h"

namespace parley {

/// RTCIceServer (webrtc-pc section 4.2.2). URLs are `stun:host[:port]` (RFC 7064),
/// `turn:host[:port][?transport=udp|tcp]` and `turns:...`, which is TLS, or DTLS with transport=udp
/// (RFC 7065). `stuns:` URLs are refused with NotSupported.
struct IceServer {
  std::vector<std::string> urls;  ///< at least one
  /// For turn: and turns:, which need both, if only empty ones. At most 508 bytes (RFC 8489 section
  /// 14.3).
  std::optional<std::string> username{};
  std::optional<std::string> credential{};  ///< the password
  /// Beyond the W3C, for turns: alone. False: any certificate will do, for tests.
  bool verifyCertificate = true;
  /// Beyond the W3C, for turns: alone. PEM; empty: the certificates that the system trusts.
  std::string rootCertificates{};
};

/// A proxy between this machine and TURN servers that are spoken to by TCP or TLS.
using Proxy = turn::Proxy;

/// RTCIceTransportPolicy (webrtc-pc section 4.2.3), and NoHost: whatever servers show, but no
/// address of the machine's own.
enum class IceTransportPolicy {
  All,    ///< any candidate
  Relay,  ///< only what TURN servers relay: the peer learns no address of this end
  NoHost  ///< reflexive and relayed ones; not in the W3C's list
};
/// Which TCP candidates (RFC 6544) are gathered beside those of UDP, which are always better. They
/// are for peers between which UDP is blocked: one of the two must be reachable.
enum class TcpCandidates {
  None,
  Active,            ///< connect to where the peer listens; as browsers do
  ActiveAndPassive,  ///< and listen, on a port of the connection's own at each address
  /// And simultaneous-open ones, which do both from one port: between two firewalls that let
  /// connections out and none in. Browsers do not know them.
  All,
};
/// RTCBundlePolicy (webrtc-pc section 4.2.4). With a peer that bundles everything shares one
/// transport, whatever is asked for. With one that does not, each section gets a transport of its
/// own: from the first offer on under `MaxCompat`, once the answer has come under `Balanced`, never
/// under `MaxBundle`, which accepts one section, nor on ports that connections share
/// (LoopOptions::udpPorts).
enum class BundlePolicy { Balanced, MaxCompat, MaxBundle };
/// RTCRtcpMuxPolicy (webrtc-pc section 4.2.5). `Negotiate` does not exist: RTCP always shares the
/// port (RFC 8834 section 4.5).
enum class RtcpMuxPolicy { Require };

/// RTCRtpHeaderEncryptionPolicy, and never: whether header extensions are encrypted with the
/// payload (cryptex, RFC 9335).
using HeaderEncryptionPolicy = jsep::HeaderEncryptionPolicy;

/// How the rate of media is found.
enum class CongestionControl {
  /// By delay, loss and probes (draft-ietf-rmcat-gcc and what became of it), from feedback that all
  /// browsers give.
  Google,
  /// SCReAM (RFC 8298, draft-johansson-ccwg-rfc8298bis-screamv2): a window moved by delay, loss and
  /// congestion marks, for paths with L4S queues. Packets leave as ECT(1) if the peer reports marks
  /// (RFC 8888).
  Scream,
};

/// How the peer is asked to report the arrival of packets.
enum class CongestionFeedback {
  /// transport-wide-cc, as browsers do; RFC 8888 where the peer offers it and not the other.
  Automatic,
  /// RFC 8888 is offered and preferred where the peer knows it: it tells congestion marks and needs
  /// no header extension. SCReAM always asks for it.
  Rfc8888,
};

/// How sound is sent more than once, in case a packet is lost (RED, RFC 2198).
enum class AudioRedundancy {
  Off,            ///< neither offered nor accepted
  WhenPreferred,  ///< where "audio/red" comes before "audio/opus" in the codec preferences, as with
                  ///< browsers
  Automatic,      ///< and else while packets are lost: one copy, at worst three
};

/// RTCConfiguration (webrtc-pc section 4.2.1), and what a native application may want beyond it.
struct Configuration {
  std::vector<IceServer> iceServers{};  ///< all of them are asked
  IceTransportPolicy iceTransportPolicy =
      IceTransportPolicy::All;                           ///< which candidates may be used
  BundlePolicy bundlePolicy = BundlePolicy::Balanced;    ///< fixed once made
  RtcpMuxPolicy rtcpMuxPolicy = RtcpMuxPolicy::Require;  ///< there is but one
  /// More than 0: candidates are gathered at once, and told when a description is set. They are for
  /// the first transport, so that 1 is as good as any. A change of servers or policy before that
  /// gathers anew.
  uint8_t iceCandidatePoolSize = 0;
  /// The first is used; the fingerprints of all are told to the peer. Empty: an ECDSA P-256
  /// certificate of the connection's own, valid for 30 days.
  std::vector<Certificate> certificates{};

  // Beyond the W3C.
  /// Also gather candidates on loopback interfaces: for tests and for peers on the same machine.
  bool includeLoopback = false;
  /// To listen on TCP is left to who asks for it: systems warn their users of programs that do.
  /// Where LoopOptions::tcpPorts are given, connections listen there, unless this is `None`; where
  /// they or LoopOptions::udpPorts are, no connection is opened from here.
  TcpCandidates tcpCandidates = TcpCandidates::Active;
  /// Ports of host candidates, both inclusive; 0: any. Ports that are taken are passed over. The
  /// more there are, the less connections meet in them; each needs one per address of the machine.
  /// TCP connections opened from here take any port.
  uint16_t minPort = 0;
  uint16_t maxPort = 0;  ///< see minPort
  /// Whether an address of the machine is used for candidates; all if empty. On the loop's thread,
  /// or on that of the call that starts gathering: it must not call into the connection.
  std::function<bool(const NetworkInterface&, const IpAddress&)> useAddress{};
  /// Addresses from which a router forwards this machine's ports to it, unchanged (NAT 1:1, as in
  /// clouds): host candidates tell these instead of the machine's own of the same family.
  std::vector<IpAddress> announcedAddresses{};
  /// Tell random names in place of the machine's addresses, as browsers do for pages that may not
  /// use camera or microphone (draft-ietf-mmusic-mdns-ice-candidates): only who is on the same link
  /// can ask for the address behind one, by multicast DNS. What servers show, and announced
  /// addresses, are told as they are. Off: native applications are trusted, and where multicast
  /// does not get through such candidates are of no use.
  bool hideHostAddresses = false;
  /// Follow the network for as long as the connection lives: what the machine gets later is told to
  /// the peer and used. False: candidates are gathered once for each ICE generation.
  bool continualGathering = true;
  /// Ask the home router to forward the ports of host candidates (PCP, RFC 6887; NAT-PMP, RFC
  /// 6886; else UPnP), renewed while the connection lives and ended with it: connects where NATs of
  /// both sides would otherwise want a relay. Gathering waits for the router's answer: 3 s where
  /// there is none that does it. Off: a server has no use for it.
  bool mapPorts = false;
  /// Silence on the path that makes the ICE state Disconnected. At least a second; a few seconds
  /// more may pass until two requests in a row have stayed without answer.
  Duration disconnectedAfter = Duration::seconds(5);
  /// How long a path is looked for, and how long a path that fell silent is waited for, before the
  /// ICE state is Failed. Above `disconnectedAfter`. A silent path is given up after 30 s at the
  /// latest (RFC 7675 section 5.1).
  Duration failedAfter = Duration::millis(39'500);
  /// Restarts ICE by itself when the state becomes Failed: `onNegotiationNeeded` then asks for an
  /// offer. On both sides it wants a negotiation that stands glare.
  bool restartWhenFailed = false;
  /// UDP payload at most, 1200 to 1800 bytes. Every call begins with 1200, and with less where that
  /// does not pass. Above: data channels to peers that are of this library too ask for more once
  /// they stand (RFC 8899), use what passes, and go back when it no longer does; media stays as it
  /// is. Worth it on fast networks where a packet costs more than its bytes.
  size_t maxPacketSize = 1200;
  /// Send nothing to, and take no checks from, loopback, private and link-local addresses: for
  /// servers, which an offer could otherwise make knock at the doors of their own network.
  bool denyPrivateAddresses = false;
  /// Be a lite agent (RFC 8445 section 2.5), which only answers checks: for servers whose address
  /// everybody reaches. Only host candidates, so no `iceServers` (InvalidAccess); the peer must be
  /// a full agent.
  bool iceLite = false;
  /// User fragment and password (RFC 8839 section 5.4) of the first generation, for servers that
  /// hand out descriptions before they make the connection (Loop::onUnknownUfrag): 4 to 256 and 22
  /// to 256 letters, digits, + and /. Empty: random ones. A restart takes random ones always. Who
  /// knows the password can pass for the peer until DTLS; do not use one twice.
  std::string iceUfrag{};
  std::string icePassword{};     ///< see iceUfrag; both are given, or none
  std::optional<Proxy> proxy{};  ///< to TURN servers by TCP and TLS; nothing else goes through it
  /// Ask TURN servers for tickets (RFC 8016), with which a relayed call survives a change of the
  /// network without a restart. Costs a round trip at servers that do not know them.
  bool turnMobility = false;
  /// Null: the codecs built into the library.
  std::shared_ptr<codec::VideoEncoderFactory> videoEncoders{};
  std::shared_ptr<codec::VideoDecoderFactory> videoDecoders{};  ///< as videoEncoders
  std::shared_ptr<codec::AudioEncoderFactory> audioEncoders{};  ///< as videoEncoders
  std::shared_ptr<codec::AudioDecoderFactory> audioDecoders{};  ///< as videoEncoders
  /// Formats of compressed media that the application brings itself
  /// (MediaStreamTrack::createEncodedVideo, createEncodedAudio) and takes itself
  /// (setEncodedVideoSink, setEncodedAudioSink): offered behind those of the factories, although
  /// nothing here encodes or decodes them. codec/formats.h has the usual ones. A sender sends the
  /// first agreed codec that its track can be in. `scalabilityModes` are the layers that the
  /// application's encoder can make; its frames say which they are of (codec::Vp9Info, Av1Info).
  std::vector<codec::SdpVideoFormat> encodedVideoFormats{};
  std::vector<codec::SdpAudioFormat> encodedAudioFormats{};  ///< the same for sound
  /// Take all layers of a peer that offers simulcast (RFC 8853), as servers do that hand them on.
  /// Each is an inbound stream of its own; a transform sees them all (EncodedFrame::rid), sinks get
  /// the largest that arrives. Off: the peer sends one, as to a browser.
  bool receiveSimulcast = false;
  /// Bounds and start of the bandwidth estimate for everything sent; they rise in this order.
  DataRate minBitrate = DataRate::kbps(30);
  DataRate startBitrate = DataRate::kbps(300);                            ///< see minBitrate
  DataRate maxBitrate = DataRate::kbps(8000);                             ///< see minBitrate
  CongestionControl congestionControl = CongestionControl::Google;        ///< see there
  CongestionFeedback congestionFeedback = CongestionFeedback::Automatic;  ///< see there
  /// Whether streams stop that nobody hears, nobody reports on or that lose too much, as RFC 8083
  /// asks for (PeerConnection::onSenderStopped).
  bool circuitBreaker = true;
  AudioRedundancy audioRedundancy = AudioRedundancy::Automatic;  ///< see there
  /// Whether lost video packets may be repaired without asking for them again, by ULPFEC (RFC 5109;
  /// VP8 and VP9) or FlexFEC (draft-ietf-payload-flexible-fec-scheme-03, RFC 8627). Where the peer
  /// knows one of them too, it is used while packets are lost and repetitions would take long; what
  /// it needs is taken from the encoder's rate. Without effect with `receiveSimulcast`: servers
  /// hand on packets as they come.
  bool videoFec = true;
  /// `Require` refuses descriptions of media without it (InvalidAccess). Few peers know it yet.
  HeaderEncryptionPolicy headerEncryption = HeaderEncryptionPolicy::Disable;
  /// Offer each header extension encrypted by itself as well (RFC 6904), for peers that know no
  /// cryptex. What a peer offers so is always taken.
  bool encryptHeaderExtensions = false;
};

}  // namespace parley
