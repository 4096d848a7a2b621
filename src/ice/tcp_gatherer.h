#pragma once

#include <string>
#include <vector>

#include "parley/base/ring_queue.h"
#include "parley/ice/gatherer.h"

#include "ice/port_range.h"
#include "ice/tcp_links.h"

namespace parley::ice {

/// The TCP host candidates of a Gatherer (RFC 6544 section 5.1): per address one of each kind that
/// is configured. A passive candidate is a listening socket. An active one is a socket id that no
/// driver knows: it is there for the connections that TcpLinks opens.
class TcpGatherer {
 public:
  TcpGatherer(Environment& environment, IdAllocator& ids, const GathererConfig& config);

  /// The addresses of the machine that may be used. True: there are new candidates to wait for or
  /// to tell.
  bool setAddresses(const std::vector<IpAddress>& addresses, Timestamp now);
  /// Tells the candidates again; active ones with other sockets, whose connections are new. Those
  /// before go on while they are in use.
  void restart();
  void close();
  bool finished() const;

  TcpLinks& links() { return links_; }
  const TcpLinks& links() const { return links_; }
  bool handleOpened(const SocketOpened& opened, Timestamp now);
  bool handleFailed(const SocketFailed& failed, Timestamp now);
  bool pollTransmit(TxPacket& out) { return links_.pollTransmit(out); }
  bool pollEffect(Effect& out);
  bool pollEvent(GathererEvent& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

 private:
  struct Place {
    SocketId socket{};
    TcpType type;
    SocketAddress local;
    uint16_t rank = 0;
    bool open = false;
    PortChoice port;
    Timestamp giveUpAt;  ///< while it is not open
    std::vector<SocketAddress> told{};
  };

  void add(TcpType type, const IpAddress& ip, Timestamp now);
  void listen(Place& place, Timestamp now);
  void drop(SocketId socket, bool close);
  void tell(Place& place);
  void tell(Place& place, const SocketAddress& address);
  std::string foundation(const IpAddress& base);
  Place* find(SocketId socket);

  Environment& env_;
  IdAllocator& ids_;
  const GathererConfig& config_;
  TcpLinks links_;
  std::vector<Place> places_;
  std::vector<SocketId> former_;  ///< active candidates of generations before
  std::vector<IpAddress> foundations_;
  uint16_t nextRank_ = 0;
  RingQueue<Effect> effects_{128};
  RingQueue<GathererEvent> events_{128};
};

}  // namespace parley::ice
