#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/ring_queue.h"
#include "parley/stun/message.h"
#include "parley/stun/message_builder.h"
#include "parley/stun/transaction.h"
#include "parley/turn/client.h"

#include "turn/client_auth.h"
#include "turn/server_link.h"

namespace parley::turn {

/// What stands behind `Client`. Every public entry clamps the time, changes state and ends in
/// `pump`, which does all that is due.
///
/// Parts: client.cc (links and states), client_requests.cc (requests and what is answered),
/// client_data.cc (permissions, channels, data), client_streams.cc (relayed TCP connections).
class ClientCore {
 public:
  ClientCore(Environment& environment, IdAllocator& ids, ClientConfig config);

  void start(Timestamp now);
  void close(Timestamp now);
  void handleNetworkChange(Timestamp now);
  bool confirm(Timestamp now);
  bool isConfirming() const;
  bool owns(SocketId socket) const;
  void handleSocketOpened(const SocketOpened& opened, Timestamp now);
  void handleSocketFailed(const SocketFailed& failed, Timestamp now);
  void handleDatagram(Datagram&& datagram, Timestamp now);
  void handleStream(StreamBytes&& bytes, Timestamp now);
  void handlePressure(const StreamPressure& pressure);
  void permit(const IpAddress& peer, Timestamp now);
  bool send(TxPacket&& packet, Timestamp now);
  std::optional<PeerStreamId> connect(const SocketAddress& peer, Timestamp now);
  bool sendStream(PeerStreamId stream, PacketBuf&& bytes, Timestamp now);
  bool pollStream(PeerStreamId stream, PacketBuf& out);
  void closeStream(PeerStreamId stream, Timestamp now);
  bool pollData(PeerData& out);
  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  bool pollEvent(ClientEvent& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  bool isAllocated() const { return state_ == State::Allocated; }
  bool isDone() const { return state_ == State::Closed || state_ == State::Failed; }
  const std::vector<SocketAddress>& relayed() const { return relayed_; }
  const ClientConfig& config() const { return config_; }
  const ClientCounters& counters() const { return counters_; }

 private:
  enum class State : uint8_t { New, Connecting, Allocating, Allocated, Closing, Closed, Failed };
  enum class Kind : uint8_t {
    Allocate,
    Refresh,
    Release,
    Move,
    Permit,
    BindChannel,
    Connect,
    Claim  ///< ConnectionBind
  };

  struct Request {
    Kind kind;
    stun::Transaction transaction;
    Bytes wire;
    bool authenticated = false;
    int tries = 1;                   ///< answers of 401, 438 and their like to the same wish
    std::vector<IpAddress> peers{};  ///< Permit
    SocketAddress peer{};            ///< BindChannel, Connect
    uint16_t channel = 0;
    PeerStreamId stream{};  ///< Connect, Claim
  };
  /// What a request is about, to ask it again.
  struct Wish {
    Kind kind;
    int tries = 1;
    std::vector<IpAddress> peers{};
    SocketAddress peer{};
    uint16_t channel = 0;
    PeerStreamId stream{};
  };
  /// A relayed TCP connection. Ended ones remain until what they brought has been polled.
  struct PeerStream {
    enum class State : uint8_t { Asked, Linking, Claiming, Open, Ended };
    PeerStreamId id{};
    SocketAddress peer;
    State state = State::Asked;
    bool incoming = false;
    uint32_t connectionId = 0;
    std::unique_ptr<ServerLink> link{};
    bool refused = false;  ///< a sendStream was; PeerStreamWritable follows
    bool held = false;
    PeerStreamClosed end{};
    RingQueue<PacketBuf> in{512};
  };
  struct Permission {
    IpAddress ip;
    bool installed = false;
    bool refused = false;
    bool alone = false;  ///< ask without others: one of them was refused
    Timestamp expiresAt = Timestamp::never();
    Timestamp dueAt;  ///< when to ask (again); never while asked
    Timestamp usedAt;
  };
  enum class ChannelState : uint8_t { Asked, Bound, Refused };
  struct Channel {
    SocketAddress peer;
    uint16_t number;
    ChannelState state = ChannelState::Asked;
    Timestamp expiresAt = Timestamp::never();
    Timestamp dueAt = Timestamp::never();
  };

  // client.cc
  void pump(Timestamp now);
  void openLink(Timestamp now);
  ServerLink* linkOf(SocketId socket);
  LinkConfig linkConfig() const;
  void watchLinks(Timestamp now);
  void watchSecond(Timestamp now);
  void watchMove(Timestamp now);
  void fail(uint16_t code, std::string text, Timestamp now);
  void finishClosing(Timestamp now);
  void retire(std::unique_ptr<ServerLink>& link, Timestamp now);
  void keepAlive(Timestamp now);
  void raise(ClientEvent event);

  // client_requests.cc
  void ask(Wish wish, Timestamp now);
  void writeBody(stun::MessageBuilder& builder, const Wish& wish) const;
  void transmit(const Request& request, Timestamp now);
  void runRequests(Timestamp now);
  void timedOut(Request request, Timestamp now);
  void handleResponse(const stun::Message& response, Timestamp now);
  void handleSuccess(const stun::Message& response, const Request& request, Timestamp now);
  void handleAllocated(const stun::Message& response, Timestamp now);
  void handleError(const stun::Message& response, Request request, Timestamp now);
  bool challenged(const stun::Message& response, const Request& request, uint16_t code,
                  Timestamp now);
  void redirect(const stun::Message& response, Timestamp now);
  void refused(const Request& request, uint16_t code, std::string text, Timestamp now);
  void noteLifetime(const stun::Message& response, Timestamp now);
  bool asking(Kind kind) const;
  stun::RetransmitPolicy policy(Kind kind) const;
  static stun::Method methodOf(Kind kind);

  // client_data.cc
  void handleFrame(PacketBuf frame, Timestamp now);
  void handleChannelData(PacketBuf frame);
  void handleDataIndication(const stun::Message& message, PacketBuf frame);
  void deliver(const SocketAddress& peer, PacketBuf frame, size_t offset, size_t size);
  Permission& permissionFor(const IpAddress& ip, Timestamp now);
  Permission* findPermission(const IpAddress& ip);
  Channel* findChannel(const SocketAddress& peer);
  bool reaches(const IpAddress& peer) const;
  void askPermissions(Timestamp now);
  void askChannels(Timestamp now);
  void permitted(const Request& request, Timestamp now);
  void permissionRefused(const Request& request, Timestamp now, Duration again, bool final);
  void bound(const Request& request, Timestamp now);
  void bindingRefused(const Request& request, bool final, Timestamp now);
  bool sendNow(TxPacket&& packet, Timestamp now);
  void flushWaiting(Timestamp now);
  Timestamp dataDeadline() const;

  // client_streams.cc
  PeerStream* findStream(PeerStreamId id);
  PeerStream* newStream(const SocketAddress& peer);
  void openDataLink(PeerStream& stream, uint32_t connectionId, Timestamp now);
  void handleAttempt(const stun::Message& message, Timestamp now);
  void connected(const stun::Message& response, const Request& request, Timestamp now);
  void claimed(const Request& request);
  void endStream(PeerStreamId id, uint16_t code, std::string text, Timestamp now);
  void endAllStreams(Timestamp now);
  void retireStream(PeerStream& stream, Timestamp now);
  void watchStreams(Timestamp now);
  void watchStream(PeerStream& stream, Timestamp now);
  void handleOnDataLink(const PeerStream& stream, const stun::Message& message, Timestamp now);
  void takeBytes(PeerStream& stream);
  void noteWritable();
  void sweepStreams();
  bool pollStreamTransmit(TxPacket& out);
  bool pollStreamEffect(Effect& out);

  Environment& env_;
  IdAllocator& ids_;
  ClientConfig config_;
  MonotonicGuard clock_;
  State state_ = State::New;
  ClientAuth auth_;
  std::unique_ptr<ServerLink> link_;
  std::unique_ptr<ServerLink> second_;  ///< another try at a connection that does not come about
  Timestamp secondAt_ = Timestamp::never();  ///< never: not wanted, or made
  std::unique_ptr<ServerLink> moving_;       ///< the new socket of an allocation that moves
  std::unique_ptr<ServerLink> retired_;      ///< closed, but its last bytes and effects must go out
  SocketAddress server_;
  std::string serverName_;
  std::vector<SocketAddress> tried_;  ///< servers, in redirections
  int unansweredRefreshes_ = 0;
  int reopened_ = 0;  ///< fresh sockets after 437
  bool mobility_;
  RelayFamilies families_;
  Bytes ticket_;

  std::vector<Request> requests_;
  std::vector<SocketAddress> relayed_;
  Timestamp expiresAt_ = Timestamp::never();
  Timestamp refreshAt_ = Timestamp::never();
  Timestamp lastSentAt_;
  std::vector<Permission> permissions_;
  std::vector<Channel> channels_;
  uint16_t nextChannel_;
  std::vector<std::unique_ptr<PeerStream>> streams_;
  std::vector<std::unique_ptr<ServerLink>> leaving_;  ///< closed ones with last bytes to send
  uint32_t lastStream_ = 0;
  RingQueue<TxPacket> waiting_{64};  ///< data whose permission is under way
  RingQueue<PeerData> data_{512};
  RingQueue<Effect> effects_{32};
  RingQueue<ClientEvent> events_{256};
  ClientCounters counters_;
};

}  // namespace parley::turn
