#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parley/base/ring_queue.h"
#include "parley/ice/gatherer.h"
#include "parley/ice/port_mapper.h"
#include "parley/ice/upnp_mapper.h"
#include "parley/stun/message.h"

#include "ice/pacing.h"
#include "ice/port_range.h"
#include "ice/relay_gatherer.h"
#include "ice/tcp_gatherer.h"

namespace parley::ice {

/// webrtc-pc section 4.8.2.1: no host candidate could reach the server.
inline constexpr uint16_t kNotReached = 701;
/// Requests that leave before the answers to earlier ones set the pace.
inline constexpr int kRequestBurst = 5;

/// What stands behind `Gatherer`: sockets x servers, one request each.
class GathererCore {
 public:
  GathererCore(Environment& environment, IdAllocator& ids, GathererConfig config);

  void start(Timestamp now);
  void restart(Timestamp now);
  void reconfigure(GathererConfig config);
  void close(Timestamp now);
  void stopKeepalives();
  void handleInterfaces(const InterfacesChanged& change, Timestamp now);
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleResolved(const Resolved& resolved, Timestamp now);
  bool handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram, Timestamp now);
  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  bool pollEvent(GathererEvent& out);
  bool pollName(HostName& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  bool done() const { return done_; }
  bool udpAnswered() const;
  bool handleStream(StreamBytes&& bytes, Timestamp now);
  bool handlePressure(const StreamPressure& pressure, Timestamp now);
  /// Datagrams and bytes of this socket are no peer's.
  bool leadsToServer(SocketId socket) const {
    return relays_.owns(socket) || (upnp_ && upnp_->owns(socket));
  }
  bool isEnding() const { return upnp_ && upnp_->isEnding(); }
  void handleFromServer(Datagram&& datagram, Timestamp now);
  RelayGatherer& relays() { return relays_; }
  TcpGatherer& tcp() { return tcp_; }
  void closeRelays(Timestamp now);

 private:
  static constexpr size_t kMaxNames = 64;
  struct Socket {
    SocketId id{};
    SocketAddress local;
    uint16_t rank = 0;  ///< lowers the local preference
    bool open = false;
    bool owned = true;
    Timestamp giveUpAt;  ///< while it is not open
    PortChoice port;
    std::vector<SocketAddress> mapped;       ///< reflexive addresses told already
    std::vector<SocketAddress> told;         ///< as host candidates
    std::optional<SocketAddress> forwarded;  ///< by the router
  };
  struct Server {
    StunServer config;
    ResolveId resolve{};
    bool pending = false;
    Timestamp giveUpAt;                    ///< while it is pending
    std::vector<SocketAddress> addresses;  ///< at most one per family
  };
  enum class RequestState : uint8_t { Queued, Sent, Answered, Failed };
  struct Request {
    SocketId socket{};
    size_t server = 0;
    SocketAddress to;
    RequestState state = RequestState::Queued;
    std::optional<stun::Transaction> transaction;
    Timestamp refreshAt = Timestamp::never();
    int redirects = 0;
    bool refresh = false;  ///< only keeps the binding alive: failure is of no interest
  };

  void pump(Timestamp now);
  void hide(Candidate& candidate);
  const std::string& nameOf(const IpAddress& address);
  void forgetNames(const std::vector<IpAddress>& addresses);
  void lookUp(Server& server, Timestamp now);
  void giveUp(Timestamp now);
  void openSockets(const std::vector<IpAddress>& addresses, Timestamp now);
  void dropSocket(SocketId id, bool close);
  void tellHost(Socket& socket);
  void tellHost(Socket& socket, const SocketAddress& address);
  bool tryAnotherPort(Socket& socket, Timestamp now);
  /// `server`: place among those that show addresses; `from` and `url` say which it is.
  void tellReflexive(Socket& socket, const SocketAddress& mapped, size_t server,
                     const std::string& from, const std::string& url);
  void tellForwarded(Socket& socket);
  void handleMapping(const PortMapperEvent& event);
  void pumpMappers();
  void queueRequests();
  void listServers();
  void send(Request& request);
  void runRequests(Timestamp now);
  void handleAnswer(const stun::Message& answer, Request& request, Timestamp now);
  void redirect(const stun::Message& answer, Request& request);
  void fail(Request& request, uint16_t code, std::string text);
  bool finished() const;
  Socket* findSocket(SocketId id);
  std::string foundation(CandidateType type, const IpAddress& base, const std::string& server);

  Environment& env_;
  IdAllocator& ids_;
  GathererConfig config_;
  RelayGatherer relays_;
  TcpGatherer tcp_;
  std::optional<PortMapper> mapper_;
  std::optional<UpnpMapper> upnp_;  ///< for the sockets that the other is refused
  bool reconfigured_ = false;       ///< since the last start
  MonotonicGuard clock_;
  std::vector<Socket> sockets_;
  std::vector<Server> servers_;
  std::vector<Request> requests_;
  std::vector<std::string> foundations_;  ///< foundation n stands for foundations_[n - 1]
  Pacing pacing_;
  uint16_t nextRank_ = 0;
  bool started_ = false;
  bool addressesKnown_ = false;
  Timestamp addressesBy_ = Timestamp::never();
  bool done_ = false;
  bool closed_ = false;
  bool keepalives_ = true;
  RingQueue<TxPacket> transmits_{64};
  RingQueue<Effect> effects_{256};
  RingQueue<GathererEvent> events_{256};
  std::vector<HostName> names_;  ///< in use
  RingQueue<HostName> nameChanges_{2 * kMaxNames};
};

}  // namespace parley::ice
