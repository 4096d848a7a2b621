#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/strong_id.h"
#include "parley/base/time.h"
#include "parley/dtls/tls.h"
#include "parley/stun/transaction.h"
#include "parley/turn/transport.h"

// turn: relaying (RFC 8656, RFC 6062). Client is one allocation on one server; Server (server.h) is
// the other side. May use base, crypto, stun and dtls.
//
// Out: Client::send -> channel or Send indication -> [TLS] -> pollTransmit. In: handleDatagram or
// handleStream -> [TLS] -> framing -> pollData.

namespace parley::turn {

/// Which relayed addresses to ask for. `Both` asks for IPv4 with ADDITIONAL-ADDRESS-FAMILY, and is
/// content with IPv4 alone.
enum class RelayFamilies : uint8_t { V4, V6, Both };

struct ClientConfig {
  /// The server, or the proxy in front of it.
  SocketAddress connectTo;
  Transport transport = Transport::Udp;
  /// As in the URL: the certificate is checked for it, and a proxy connects to it.
  std::string host;
  uint16_t port = 3478;
  std::string username;
  std::string password;
  IpAddress local{};  ///< address to leave from; unspecified: the system's choice
  RelayFamilies families = RelayFamilies::Both;
  std::optional<Proxy> proxy{};
  /// For Tls and Dtls, of the same kind. Shared by all clients of an owner.
  std::shared_ptr<const dtls::TlsContext> tls{};
  /// Asks for a ticket (RFC 8016) with which the allocation survives a change of address. Costs a
  /// round trip at a server that does not allow it.
  bool mobility = false;
  /// Relays TCP connections with peers instead of datagrams (RFC 6062): see Client::connect. Wants
  /// a transport of Tcp or Tls.
  bool tcpRelay = false;
  /// For requests over UDP; over streams nothing is repeated and a request fails after 10 s.
  stun::RetransmitPolicy policy{Duration::millis(500), 5, 8};
  /// A UDP client that has sent nothing for so long sends a Binding indication, for the NAT's sake.
  Duration keepalive = Duration::seconds(15);
};

/// The relay is there.
struct Allocated {
  std::vector<SocketAddress> relayed;  ///< one or two, of different families
  SocketAddress mapped;                ///< this client as the server sees it
  SocketAddress server;                ///< may be another one than asked, after a redirection
};
/// The allocation failed or, if it stood, is lost: the client has closed its socket and is done.
/// `code` is a STUN error code, or 701 if the server could not be reached (RTCPeerConnection's
/// icecandidateerror).
struct ClientFailed {
  uint16_t code = 701;
  std::string text;
  SocketAddress local;
  bool wasAllocated = false;
};
/// After `close`: the server has let go, or took too long to say so.
struct ClientClosed {};

/// Names a relayed TCP connection of one client.
using PeerStreamId = StrongId<struct PeerStreamIdTag>;
/// A relayed TCP connection stands. `incoming`: the peer opened it.
struct PeerStreamOpened {
  PeerStreamId stream{};
  SocketAddress peer;
  bool incoming = false;
};
/// It has ended, or did not come about: everything that came before has been polled. `code` is 0
/// for one that ended after it stood, a STUN error code (446: there is one to that address, 447:
/// the peer does not answer, 403, ...), or 701 if the server could not be reached.
struct PeerStreamClosed {
  PeerStreamId stream{};
  SocketAddress peer;
  uint16_t code = 0;
  std::string text;
};
/// After a refused Client::sendStream: there is room again.
struct PeerStreamWritable {
  PeerStreamId stream{};
};
using ClientEvent = std::variant<std::monostate, Allocated, ClientFailed, ClientClosed,
                                 PeerStreamOpened, PeerStreamClosed, PeerStreamWritable>;

/// What a peer sent to the relayed address.
struct PeerData {
  SocketAddress peer;
  SocketAddress relayed;
  PacketBuf data;
  Ecn ecn = Ecn::NotEct;
};

struct ClientCounters {
  uint64_t requestsSent = 0;  ///< retransmissions included
  uint64_t malformed = 0;     ///< neither STUN nor ChannelData
  uint64_t unauthentic = 0;   ///< responses with a wrong or missing signature
  uint64_t unmatched = 0;     ///< responses to nothing that was asked
  uint64_t strayData = 0;     ///< from a peer without permission or on an unknown channel
  uint64_t icmpErrors = 0;    ///< told by the server; nothing follows from them
  uint64_t dataSent = 0;
  uint64_t dataReceived = 0;
  uint64_t dataDropped = 0;  ///< not sent: no permission in time, refused peer, queue full
};

/// One TURN allocation. A machine.
///
/// `send` takes data for a peer at any time once allocated: the permission is asked for by itself,
/// data waits for it (64 packets, further ones are dropped), and a channel is bound as soon as data
/// other than STUN flows. Permissions and channels are kept alive as long as the client lives.
///
/// With `ClientConfig::tcpRelay` there are connections instead (RFC 6062), each over a connection
/// to the server of its own: `connect` opens one to a peer, and those that permitted peers open
/// come by themselves (PeerStreamOpened); 64 at a time.
///
/// Queues: 512 packets, 512 pieces of data (the newest are dropped and counted), 256 events. A peer
/// stream that is not polled is not read from the network either.
class PARLEY_EXPORT Client {
 public:
  /// `ids` names sockets; both outlive the client.
  Client(Environment& environment, IdAllocator& ids, ClientConfig config);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  void start(Timestamp now);
  /// Gives the allocation up (LIFETIME 0) and closes the socket. Wants polling until ClientClosed.
  void close(Timestamp now);
  /// The machine's addresses changed: moves the allocation if the server gave a ticket, else makes
  /// sure that it is still reachable.
  void handleNetworkChange(Timestamp now);

  /// Asks the server by a Refresh whether the allocation still exists; one that does not ends as
  /// always. False where there is none.
  bool confirm(Timestamp now);
  bool isConfirming() const;

  bool owns(SocketId socket) const;
  void handleSocketOpened(const SocketOpened& opened, Timestamp now);
  void handleSocketFailed(const SocketFailed& failed, Timestamp now);
  void handleDatagram(Datagram&& datagram, Timestamp now);
  void handleStream(StreamBytes&& bytes, Timestamp now);
  void handlePressure(const StreamPressure& pressure, Timestamp now);

  /// Asks for the permission before there is data: saves a round trip then.
  void permit(const IpAddress& peer, Timestamp now);
  /// Sends `packet.data` to the peer `packet.to`; its socket is ignored. False if it is dropped.
  bool send(TxPacket&& packet, Timestamp now);

  /// Opens a connection from the relayed address to `peer`, answered by PeerStreamOpened or
  /// PeerStreamClosed. nullopt if there is no such allocation or there are too many connections.
  std::optional<PeerStreamId> connect(const SocketAddress& peer, Timestamp now);
  /// False, and nothing of it is taken, if the stream does not stand or its bytes pile up; in the
  /// second case a PeerStreamWritable follows.
  bool sendStream(PeerStreamId stream, PacketBuf&& bytes, Timestamp now);
  /// The next bytes of a peer's; false if there are none for now.
  bool pollStream(PeerStreamId stream, PacketBuf& out);
  /// Ends a connection, after what was sent; no event follows.
  void closeStream(PeerStreamId stream, Timestamp now);

  bool pollData(PeerData& out);
  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  bool pollEvent(ClientEvent& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  bool isAllocated() const;
  /// Closed or failed: nothing more will come of it.
  bool isDone() const;
  const std::vector<SocketAddress>& relayed() const;
  const ClientConfig& config() const;
  ClientCounters counters() const;

 private:
  std::unique_ptr<class ClientCore> core_;
};

}  // namespace parley::turn
