#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/dtls/tls.h"
#include "parley/turn/address_range.h"
#include "parley/turn/credentials.h"
#include "parley/turn/transport.h"

namespace parley::turn {

/// Where clients come to. Dtls is not among the transports that can be listened on.
struct ServerListener {
  Transport transport = Transport::Udp;
  SocketAddress local;  ///< unspecified address: all of its family
};

/// An address of this machine that allocations get their ports on.
struct ServerRelay {
  IpAddress bind;
  /// What clients and peers are told, e.g. the outer address of a one-to-one NAT. Unset: `bind`.
  std::optional<IpAddress> advertised{};
};

/// Knows users. Called while a request is handled, so it must answer at once and from memory.
class PARLEY_EXPORT ServerUsers {
 public:
  virtual ~ServerUsers() = default;
  /// nullopt: no such user.
  virtual std::optional<std::string> password(std::string_view username) = 0;
};

/// Two addresses with two ports each, for clients that want to know how their NAT behaves (RFC
/// 5780). They differ in both.
struct ServerDiscovery {
  SocketAddress primary;
  SocketAddress alternate;
};

struct ServerConfig {
  std::vector<ServerListener> listeners;
  /// At most one per address family is used. Without any, only Binding requests are answered.
  std::vector<ServerRelay> relays;
  uint16_t minPort = 49152;  ///< of relayed addresses; RFC 8656 section 7.2 wants these
  uint16_t maxPort = 65535;
  std::string realm = "parley";
  std::string software{};  ///< SOFTWARE in answers to known clients; empty: none

  // Who may allocate: the union of the three. Nobody: every Allocate is refused.
  std::vector<Credentials> users{};
  /// Secrets of time-limited credentials (credentials.h); several, so that they can be changed.
  std::vector<std::string> secrets{};
  std::shared_ptr<ServerUsers> directory{};

  std::shared_ptr<const dtls::TlsContext> tls{};  ///< for Tls listeners

  // Limits. Beyond one the request is refused (486 for a user's own, 508 for the server's), or the
  // packet dropped and counted.
  size_t maxAllocations = 10'000;
  size_t maxAllocationsPerUser = 100;
  size_t maxPermissions = 128;  ///< per allocation
  size_t maxChannels = 128;     ///< per allocation
  /// Relayed TCP connections (RFC 6062) of one allocation. 0: none, and no such allocations.
  size_t maxConnections = 32;
  size_t maxStreams = 10'000;
  size_t maxStreamsPerAddress = 256;
  DataRate maxRatePerAllocation = DataRate::infinite();  ///< each way
  DataRate maxRatePerUser = DataRate::infinite();        ///< both ways together
  DataRate maxRate = DataRate::infinite();               ///< all that is relayed
  Duration maxLifetime = Duration::seconds(3600);
  Duration nonceLifetime = Duration::seconds(3600);
  /// A stream connection without an allocation is closed after so long.
  Duration streamIdle = Duration::seconds(10);

  // Whom may be relayed to. `allowedPeers` beats `deniedPeers` beats `denySpecialPeers`. Relayed
  // addresses of this server itself are always allowed: the packet then takes no detour.
  bool denySpecialPeers = true;  ///< see isSpecialPurpose
  std::vector<AddressRange> deniedPeers{};
  std::vector<AddressRange> allowedPeers{};

  bool sha256 = true;     ///< offer PASSWORD-ALGORITHMS (RFC 8489); MD5 stays accepted
  bool mobility = false;  ///< MOBILITY-TICKET (RFC 8016)
  /// Sends every new client there (300 Try Alternate), e.g. before maintenance.
  std::optional<SocketAddress> alternateServer{};
  /// Answers CHANGE-REQUEST and tells OTHER-ADDRESS. All four combinations of the two addresses and
  /// ports must be among the UDP `listeners`, word for word.
  std::optional<ServerDiscovery> discovery{};
};

/// The four listeners that `ServerConfig::discovery` wants.
PARLEY_EXPORT std::vector<ServerListener> discoveryListeners(const ServerDiscovery& discovery);

struct ServerCounters {
  uint64_t bindingRequests = 0;
  uint64_t allocationsMade = 0;
  uint64_t allocationsRefused = 0;
  uint64_t allocationsExpired = 0;
  uint64_t challenges = 0;      ///< 401 and 438 sent
  uint64_t unauthentic = 0;     ///< requests with wrong credentials
  uint64_t malformed = 0;       ///< neither STUN nor ChannelData, or unusable
  uint64_t overBudget = 0;      ///< answers to unproven sources that were not sent
  uint64_t forbiddenPeers = 0;  ///< 403 for an address that must not be reached
  uint64_t packetsToPeers = 0;
  uint64_t bytesToPeers = 0;
  uint64_t packetsToClients = 0;
  uint64_t bytesToClients = 0;
  uint64_t droppedNoPermission = 0;
  uint64_t droppedRate = 0;  ///< above a bandwidth cap
  uint64_t droppedFull = 0;  ///< no buffer, or the queue to the driver was full
  uint64_t streamsAccepted = 0;
  uint64_t streamsRefused = 0;
  // Relayed TCP connections.
  uint64_t connectionsMade = 0;       ///< to peers and from them
  uint64_t connectionsFailed = 0;     ///< not made: 447
  uint64_t connectionsRefused = 0;    ///< a peer's, without permission or above the limit
  uint64_t connectionsUnclaimed = 0;  ///< no ConnectionBind within 30 s
};

/// One allocation, for status displays.
struct AllocationInfo {
  std::string username;
  Transport transport = Transport::Udp;
  SocketAddress client;
  std::vector<SocketAddress> relayed;
  bool tcp = false;        ///< relays TCP connections (RFC 6062), not datagrams
  size_t connections = 0;  ///< of these, at this moment
  uint64_t bytesToPeers = 0;
  uint64_t bytesToClient = 0;
  Duration age;
};

struct ListenerOpened {
  size_t index = 0;  ///< in ServerConfig::listeners
  SocketAddress local;
};
struct ListenerFailed {
  size_t index = 0;
  SocketFailure reason = SocketFailure::Other;
};
using ServerEvent = std::variant<std::monostate, ListenerOpened, ListenerFailed>;

/// A STUN and TURN server (RFC 8489, RFC 8656, RFC 6062): a machine that anything which runs a
/// `Driven` can run: io::EventLoop on real sockets, the simulator in virtual time. The
/// environment's wall clock must be right for time-limited credentials.
///
/// A source that has not proved that it is where it claims to be gets a budget: over time at most
/// as many bytes as it sent, and a small advance (a few answers), so that nobody can be flooded
/// through this server. Binding success and 401 cannot be shorter than a minimal request; the
/// advance is what lets them out. Junk leaves no state behind.
///
/// Relayed TCP connections are never buffered beyond kStreamPressureHigh and what one reading
/// brings: whoever sends faster than the other end takes is not read from (HoldStream). Bandwidth
/// caps work in the same way; they drop nothing here.
///
/// Queues: `Limits::maxQueuedTransmits` packets (the newest are dropped and counted), 256 events.
class PARLEY_EXPORT Server final : public Driven {
 public:
  Server(Environment& environment, ServerConfig config);
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Range, Type or InvalidAccess for what cannot work: no listeners, a TLS listener without
  /// certificate, an empty port range, a relay without an address to tell.
  static Result<void> check(const ServerConfig& config);

  /// Opens the listeners; each is answered by an event.
  void start(Timestamp now);
  /// Closes all sockets, after their last packets.
  void close(Timestamp now);
  bool pollEvent(ServerEvent& out);

  // Driven
  void handle(Input&& input, Timestamp now) override;
  void advance(Timestamp now) override;
  size_t pollTransmit(std::span<TxPacket> out) override;
  bool pollEffect(Effect& out) override;
  Timestamp nextDeadline() const override;
  PacketPool& pool() override;

  const ServerCounters& counters() const;
  size_t allocationCount() const;
  size_t streamCount() const;
  std::vector<AllocationInfo> allocations(Timestamp now) const;

 private:
  std::unique_ptr<class ServerCore> core_;
};

}  // namespace parley::turn
