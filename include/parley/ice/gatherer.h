#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/time.h"
#include "parley/dtls/tls.h"
#include "parley/ice/candidate.h"
#include "parley/stun/transaction.h"
#include "parley/turn/transport.h"

namespace parley::ice {

struct StunServer {
  std::string host;  ///< name or literal address
  uint16_t port = 3478;
  std::string url;  ///< shown in candidates and errors, e.g. "stun:stun.example:3478"
  /// Failure is of no interest: a TURN server that is asked for reflexive addresses by the way.
  bool quiet = false;
};

struct TurnServer {
  std::string host;  ///< name or literal address
  uint16_t port = 3478;
  turn::Transport transport = turn::Transport::Udp;
  std::string username;
  std::string password;
  std::string url;                                ///< as in StunServer
  std::optional<turn::Proxy> proxy{};             ///< for Tcp and Tls
  std::shared_ptr<const dtls::TlsContext> tls{};  ///< for Tls and Dtls, of the same kind
};

/// A socket that is open already and shared by the owner.
struct BoundSocket {
  SocketId socket{};
  SocketAddress local;  ///< the address to advertise: not unspecified, with the bound port
};

struct GathererConfig {
  std::vector<StunServer> stunServers;
  /// Each is asked for a relayed address in both families. One that is spoken to by UDP also serves
  /// as a STUN server.
  std::vector<TurnServer> turnServers;
  /// Lets allocations move with the machine (RFC 8016), where the server can.
  bool turnMobility = false;
  bool ipv4 = true;
  bool ipv6 = true;
  /// For tests and peers on one machine. RFC 8445 section 5.1.1.1 excludes loopback addresses.
  bool includeLoopback = false;
  /// IPv6 link-local (and 169.254/16) addresses. Off: they need a scope that candidates cannot
  /// carry.
  bool includeLinkLocal = false;
  /// False under a relay-only policy: relayed candidates are all that is gathered, and they do not
  /// tell the address that they were asked for from (RFC 8828).
  bool hostAndReflexive = true;
  /// False: no host candidate is told, only what servers show (reflexive and relayed).
  bool tellHosts = true;
  /// Host candidates tell a random name in place of their address
  /// (draft-ietf-mmusic-mdns-ice-candidates), and others do not tell it beside theirs. Who runs the
  /// gatherer answers for the names (`pollName`). Announced addresses are no secret.
  bool hideHosts = false;
  /// False: when gathering is done, addresses that the machine gets later bring no candidates;
  /// those that it loses are given up all the same.
  bool continual = true;
  /// Which TCP host candidates (RFC 6544) there are beside those of UDP. Active ones connect to
  /// passive ones of the peer, from any port; passive ones listen; simultaneous-open ones do both.
  bool tcpActive = false;
  bool tcpPassive = false;
  bool tcpSimultaneousOpen = false;
  /// Ports to bind, inclusive; 0: any. One that is taken is passed over for another, up to 64
  /// times.
  uint16_t minPort = 0;
  uint16_t maxPort = 0;
  /// Whether a local address is used; all if empty. Must answer the same for the same question.
  std::function<bool(const NetworkInterface&, const IpAddress&)> useAddress;
  /// Where a router forwards the ports of this machine, unchanged, from: host candidates of the
  /// same family tell these addresses instead of their own.
  std::vector<IpAddress> announced;
  /// Ask the router to forward the sockets' ports (port_mapper.h, and upnp_mapper.h where that is
  /// refused); what it grants is told as a server-reflexive candidate. The mappings end with
  /// `closeRelays`.
  bool mapPorts = false;
  /// If not empty, these are used and no socket is opened and no interface looked at.
  std::vector<BoundSocket> sockets;
  Duration pacing = Duration::millis(50);  ///< Ta, between new requests to STUN servers
  /// RFC 8489 would try for 39.5 s. The end of gathering holds up peers that do not trickle, so
  /// give up after 7.5 s: requests at 0, 0.5, 1.5, 2.5 and so on to 5.5 s. Where one packet in five
  /// is lost each way, four of them would fail in 1.7 % of all cases, seven in 0.1 %.
  stun::RetransmitPolicy stunPolicy{Duration::millis(500), 7, 4, Duration::seconds(1)};
  /// How long a name look-up, the opening of a socket or the list of interfaces may take before
  /// gathering goes on without it.
  Duration patience = Duration::seconds(10);
  /// Keeps NAT bindings of reflexive candidates alive (RFC 8445 section 11: Tr, 15 s or more).
  Duration keepalive = Duration::seconds(15);
};

struct CandidateGathered {
  Candidate candidate;
  SocketId socket{};
};
/// RTCPeerConnectionIceErrorEvent: `code` is a STUN error code, or 701 if the server was never
/// reached.
struct CandidateError {
  SocketAddress local;
  std::string url;
  uint16_t code = 701;
  std::string text;
};
/// The address left the machine: tell the Agent (`removeSocket`). The gatherer has closed the
/// socket.
struct SocketGone {
  SocketId socket{};
};
/// The TCP connection of a candidate's socket to `remote` could not be made or broke: tell the
/// Agent (`handleConnectionLost`).
struct ConnectionLost {
  SocketId socket{};
  SocketAddress remote;
};
/// Everything asked was answered or given up. Comes again after a network change that started anew.
struct GatheringDone {};
/// A name that stands for a host address in candidates, from now on or no longer.
struct HostName {
  std::string name;
  IpAddress address;
  bool inUse = true;
};
using GathererEvent = std::variant<std::monostate, CandidateGathered, CandidateError, SocketGone,
                                   ConnectionLost, GatheringDone>;

/// Finds host, server-reflexive and relayed candidates (RFC 8445 section 5.1.1): one UDP socket per
/// usable local address, one Binding request per socket and server, one allocation per TURN server
/// and IP family of it, and TCP sockets where they are wanted. A machine. Host candidates are told
/// as soon as their socket is open, whatever the servers do.
///
/// Relayed and TCP candidates have socket ids that no driver knows as those of datagrams
/// (`isIndirect`). What is to be sent on them goes to `sendIndirect`; what came through them waits
/// in `pollIndirect`, as if it were a UDP socket's.
///
/// Queues: 64 packets (further ones are dropped; STUN repeats), 256 effects and 256 events (at most
/// 32 addresses are used, so that they suffice while they are polled).
class PARLEY_EXPORT Gatherer {
 public:
  /// `ids` names sockets and look-ups; it outlives the gatherer.
  Gatherer(Environment& environment, IdAllocator& ids, GathererConfig config);
  ~Gatherer();
  Gatherer(Gatherer&&) noexcept;
  Gatherer& operator=(Gatherer&&) noexcept;

  /// Other servers and another policy, from the next start or restart on: only `stunServers`,
  /// `turnServers`, `turnMobility`, `hostAndReflexive` and `tellHosts` of it count.
  void reconfigure(GathererConfig config);
  void start(Timestamp now);
  /// After an ICE restart: tells the host candidates again and asks the servers anew, through the
  /// sockets that are open. Reflexive candidates told before are void. Starts if it was not
  /// started.
  void restart(Timestamp now);
  /// Closes the sockets it opened; effects must still be polled.
  void close(Timestamp now);
  /// The selected pair is found: stop the keepalives towards STUN servers.
  void stopKeepalives();

  // Each answers false if the id is not this gatherer's.
  void handleInterfaces(const InterfacesChanged& change, Timestamp now);
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleResolved(const Resolved& resolved, Timestamp now);
  /// False unless it is the answer to a request of this gatherer.
  bool handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram, Timestamp now);
  bool handleAccepted(const TcpAccepted& accepted, Timestamp now);
  bool handleStream(StreamBytes&& bytes, Timestamp now);
  bool handlePressure(const StreamPressure& pressure, Timestamp now);

  // Relays and TCP connections.
  /// The socket leads to a TURN server: its datagrams go to handleFromServer.
  bool leadsToServer(SocketId socket) const;
  void handleFromServer(Datagram&& datagram, Timestamp now);
  bool isIndirect(SocketId socket) const;
  /// False if it was dropped.
  bool sendIndirect(TxPacket&& packet, Timestamp now);
  bool pollIndirect(Datagram& out);
  /// The peer has proved that it is at `remote`: a TCP connection to there may stay. No matter if
  /// there is none.
  void markProven(SocketId socket, const SocketAddress& remote);
  /// A candidate of the peer: asks for the permission before the first check.
  void permit(const IpAddress& peer, Timestamp now);
  /// Gives up the allocations and the router's mappings, politely. Wants polling afterwards.
  void closeRelays(Timestamp now);
  /// After closeRelays: a router is still being told, for up to three seconds.
  bool isEnding() const;

  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  bool pollEvent(GathererEvent& out);
  /// Before the event of the first candidate that has it is made use of.
  bool pollName(HostName& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  bool done() const;
  /// A STUN server, or a TURN server asked by UDP, has answered a Binding request.
  bool udpAnswered() const;

 private:
  std::unique_ptr<class GathererCore> core_;
};

}  // namespace parley::ice
