#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "parley/base/ring_queue.h"
#include "parley/ice/gatherer.h"
#include "parley/turn/client.h"

namespace parley::ice {

/// The relayed candidates of a Gatherer: one TURN allocation per server and IP family that it can
/// be reached by. Each relayed address has a socket id of its own, which no driver knows: what is
/// sent on it goes through `send`, what comes in out of `pollRelayed`.
///
/// The client's own socket is bound to no address: the system chooses the way to the server. So
/// there is one allocation per server and family and not one per interface, and a machine that
/// hides its addresses (RFC 8828) need not look at them.
class RelayGatherer {
 public:
  RelayGatherer(Environment& environment, IdAllocator& ids, const GathererConfig& config);

  bool empty() const { return servers_.empty(); }
  /// With `waitForInterfaces` nothing is asked before handleInterfaces or goOnWithoutInterfaces.
  void start(bool waitForInterfaces, Timestamp now);
  void goOnWithoutInterfaces(Timestamp now);
  /// The configuration has other servers. Allocations at those that are gone stay, for the path
  /// that may lead through them, but are told no more.
  void reconfigure();
  /// Tells what stands again, and asks anew where something failed.
  void restart(Timestamp now);
  void close(Timestamp now);
  /// A change may have cut the way to the servers, or opened one.
  void handleInterfaces(const std::vector<NetworkInterface>& interfaces, Timestamp now);

  bool owns(SocketId socket) const;
  bool isRelay(SocketId socket) const;
  bool handleOpened(const SocketOpened& opened, Timestamp now);
  bool handleFailed(const SocketFailed& failed, Timestamp now);
  bool handleResolved(const Resolved& resolved, Timestamp now);
  void handleDatagram(Datagram&& datagram, Timestamp now);
  bool handleStream(StreamBytes&& bytes, Timestamp now);
  bool handlePressure(const StreamPressure& pressure, Timestamp now);
  void permit(const IpAddress& peer, Timestamp now);
  bool send(TxPacket&& packet, Timestamp now);

  bool pollRelayed(Datagram& out);
  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  bool pollEvent(GathererEvent& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  /// Every server was asked and has answered or was given up.
  bool finished() const;

 private:
  struct Server {
    TurnServer config;
    ResolveId resolve{};
    bool pending = false;
    bool asked = false;
    bool unusable = false;  ///< told that no address leads there
    bool retired = false;   ///< no longer in the configuration
    Timestamp giveUpAt;
    std::vector<IpAddress> addresses;
  };
  struct Relay {
    size_t server = 0;
    AddressFamily via = AddressFamily::V4;
    std::vector<IpAddress> addresses;  ///< of the server, of that family; failed ones are cut off
    std::unique_ptr<turn::Client> client;
    std::array<SocketId, 2> sockets{};
    std::vector<SocketAddress> relayed;
    SocketAddress mapped;
    IpAddress answeredBy;
    bool asking = true;       ///< holds up the end of gathering
    bool confirming = false;  ///< so does this: asking after a restart whether it still exists
    int failures = 0;
    Timestamp retryAt = Timestamp::never();
  };

  void pump(Timestamp now);
  void lookUp(Server& server, Timestamp now);
  void addRelays(size_t server, Timestamp now);
  void allocate(Relay& relay, Timestamp now);
  void pumpClient(Relay& relay, Timestamp now);
  void failed(Relay& relay, turn::ClientFailed&& failure, Timestamp now);
  void tell(const Relay& relay);
  void dropSockets(Relay& relay);
  bool familyUsable(const IpAddress& server) const;
  const std::string& connectHost(const TurnServer& server) const;
  Relay* relayOf(SocketId socket);

  Environment& env_;
  IdAllocator& ids_;
  const GathererConfig& config_;
  std::vector<Server> servers_;
  std::vector<Relay> relays_;
  std::vector<std::unique_ptr<turn::Client>>
      ending_;  ///< failed ones whose last wishes are unheard
  std::vector<NetworkInterface> interfaces_;
  bool interfacesKnown_ = false;
  bool waiting_ = false;  ///< for the interfaces
  std::vector<IpAddress> peers_;
  std::vector<std::string> foundations_;
  bool started_ = false;
  bool closed_ = false;
  RingQueue<Effect> effects_{64};
  RingQueue<GathererEvent> events_{128};
};

}  // namespace parley::ice
