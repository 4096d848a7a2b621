#pragma once

#include <memory>
#include <variant>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/time.h"
#include "parley/stun/transaction.h"

namespace parley::ice {

/// The name that a `Resolve` effect asks for the IPv4 address of this machine's router by.
constexpr const char* kGatewayName = "_gateway";

struct PortMapperConfig {
  /// Asked for; what is granted counts. Renewed when half of it is over.
  Duration lifetime = Duration::seconds(7200);
  /// Requests at 0, 0.25, 0.75 and 1.75 s: a router is one hop away, and gathering waits for it.
  stun::RetransmitPolicy policy{Duration::millis(250), 4, 4};
  Duration patience = Duration::seconds(5);  ///< for the router's address and our socket
};

/// The router forwards `external` to the socket from now on; anybody may send there.
struct PortMapped {
  SocketId socket{};
  SocketAddress external;
};
/// It does not any more, or may not: the mapping ran out and the router did not renew it.
struct PortUnmapped {
  SocketId socket{};
};
/// No mapping comes about in this way: refused, or nobody answered. Once for each socket.
struct PortRefused {
  SocketId socket{};
};
using PortMapperEvent = std::variant<std::monostate, PortMapped, PortUnmapped, PortRefused>;

struct PortMapperCounters {
  uint64_t malformed = 0;  ///< no answer of either protocol, or one with impossible contents
  uint64_t unmatched = 0;  ///< from elsewhere than the router, or to nothing that was asked
  uint64_t refused = 0;    ///< answers with an error
  uint64_t restarts = 0;   ///< of the router, seen by its epoch
};

/// Asks the router to forward UDP ports: PCP (RFC 6887), or NAT-PMP (RFC 6886) of routers that know
/// that only. A machine. IPv4 alone: an IPv6 address needs no translation.
///
/// Multicast announcements of restarted routers are not listened to: their port would have to be
/// shared with other programs. A restart shows in the epoch of the next answer; renewals then ask
/// for all mappings anew.
///
/// Queues: 64 packets, 64 effects, 64 events; at most 32 sockets are taken care of.
class PARLEY_EXPORT PortMapper {
 public:
  /// `ids` names sockets and look-ups; both outlive the mapper.
  PortMapper(Environment& environment, IdAllocator& ids, const PortMapperConfig& config = {});
  ~PortMapper();
  PortMapper(PortMapper&&) noexcept;
  PortMapper& operator=(PortMapper&&) noexcept;

  /// `internal` is where the socket is bound; others than IPv4 ones, and loopback, are passed over.
  void add(SocketId socket, const SocketAddress& internal, Timestamp now);
  /// Ends its mapping.
  void remove(SocketId socket, Timestamp now);
  /// Ends all. The last packets want to be polled; the sockets close a second later.
  void close(Timestamp now);

  // Each answers false if the id is not the mapper's.
  bool handleResolved(const Resolved& resolved, Timestamp now);
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram, Timestamp now);

  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  bool pollEvent(PortMapperEvent& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  /// Every socket has its mapping, or was refused it, or nobody answered.
  bool settled() const;
  const PortMapperCounters& counters() const;

 private:
  std::unique_ptr<class PortMapperCore> core_;
};

}  // namespace parley::ice
