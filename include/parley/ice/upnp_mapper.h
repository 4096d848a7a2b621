#pragma once

#include <memory>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/id_allocator.h"
#include "parley/base/time.h"
#include "parley/ice/port_mapper.h"

namespace parley::ice {

struct UpnpMapperConfig {
  /// Asked for; renewed when half of it is over.
  Duration lifetime = Duration::seconds(3600);
  /// From the first search to the end of hope that a gateway answers.
  Duration search = Duration::millis(2500);
  Duration request = Duration::seconds(3);   ///< for one request over TCP
  Duration patience = Duration::seconds(5);  ///< for our socket
};

struct UpnpMapperCounters {
  uint64_t malformed = 0;  ///< answers that make no sense, or lead to another host
  uint64_t refused = 0;    ///< answers with an error
  uint64_t failed = 0;     ///< requests without an answer
};

/// Asks home routers to forward UDP ports in the way of UPnP: the Internet Gateway Device protocol,
/// versions 1 and 2. For routers that speak neither PCP nor NAT-PMP (port_mapper.h). A machine.
///
/// It searches by multicast (SSDP), reads the router's description over HTTP and asks by SOAP, one
/// connection at a time. Whoever answers a search must describe itself on the address that it
/// answers from; names, other hosts, and document types in XML are refused, and every answer is
/// bounded (72 KiB). IPv4 alone.
///
/// Queues: 64 packets, 64 effects, 64 events; 8 local addresses, 32 sockets.
class PARLEY_EXPORT UpnpMapper {
 public:
  /// `ids` names sockets; both outlive the mapper.
  UpnpMapper(Environment& environment, IdAllocator& ids, const UpnpMapperConfig& config = {});
  ~UpnpMapper();
  UpnpMapper(UpnpMapper&&) noexcept;
  UpnpMapper& operator=(UpnpMapper&&) noexcept;

  /// Searches from this address, and maps nothing yet.
  void prepare(const IpAddress& local, Timestamp now);
  /// `internal` is where the socket is bound; others than IPv4 ones, and loopback, are passed over.
  void add(SocketId socket, const SocketAddress& internal, Timestamp now);
  /// Ends its mapping.
  void remove(SocketId socket, Timestamp now);
  /// Ends all mappings, for which it has to go on for up to three seconds.
  void close(Timestamp now);

  /// Closed, and mappings are still being ended.
  bool isEnding() const;

  bool owns(SocketId socket) const;
  // Each answers false if the id is not the mapper's.
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram, Timestamp now);
  bool handleStream(SocketId socket, ByteSpan bytes, Timestamp now);

  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  /// PortMapped and PortUnmapped.
  bool pollEvent(PortMapperEvent& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  /// Every socket has its mapping, or there is no way to one.
  bool settled() const;
  const UpnpMapperCounters& counters() const;

 private:
  std::unique_ptr<class UpnpMapperCore> core_;
};

}  // namespace parley::ice
