#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/ring_queue.h"
#include "parley/endpoint/unknown_ufrag.h"

namespace parley::endpoint {

struct SharedPortsCounters {
  uint64_t unknownTuple = 0;  ///< datagrams from where no session's peer is
  uint64_t unknownUfrag = 0;  ///< checks for nobody, raised as events or not
  uint64_t rebound = 0;       ///< a remote address changed from one session to another
};

/// The ports that all sessions of an endpoint share, UDP or TCP, and which datagram is whose. Knows
/// sessions by their slots, and neither opens nor sends anything itself.
///
/// Three ways lead to a session, each by one look into a hash table: a check names the user
/// fragment of the session (RFC 8445 section 7.3), the answer to a check has its transaction ID,
/// and for everything else the remote address counts, once the session's agent has seen an
/// authentic check or answer from there. TCP needs the first of them only, once per connection.
class PARLEY_EXPORT SharedPorts {
 public:
  explicit SharedPorts(std::vector<SocketAddress> addresses);

  size_t count() const { return ports_.size(); }
  const SocketAddress& wanted(size_t port) const { return ports_[port].wanted; }
  void setSocket(size_t port, SocketId socket) { ports_[port].socket = socket; }
  /// The address it is bound to; nullopt until the driver has opened it.
  const std::optional<SocketAddress>& bound(size_t port) const { return ports_[port].bound; }
  void setBound(size_t port, const SocketAddress& local) { ports_[port].bound = local; }
  bool failed(size_t port) const { return ports_[port].failed; }
  void setFailed(size_t port) { ports_[port].failed = true; }

  /// A socket that a session believes to be its own.
  struct Use {
    SocketId sessionSocket{};
    size_t port = 0;
    IpAddress local;
  };
  /// The port through which a session may use `local`; nullopt: none leads there.
  std::optional<size_t> portFor(const IpAddress& local) const;
  void add(size_t session, const Use& use);
  /// False if it is none of these.
  bool remove(size_t session, SocketId sessionSocket);
  const Use* find(size_t session, SocketId sessionSocket) const;
  std::span<const Use> usesOf(size_t session) const;
  SocketId socketOf(const Use& use) const { return socketOf(use.port); }
  SocketId socketOf(size_t port) const { return ports_[port].socket; }
  /// Forgets all about a session.
  void forget(size_t session);

  /// The user fragment of the session now. Former ones stay known, the last four in all: until the
  /// peer has heard of a restart it uses the one before.
  void setUfrag(size_t session, const std::string& ufrag);
  /// A packet that the session sends.
  void noteSent(size_t session, ByteSpan packet);
  /// The session's agent has proof that its peer is at `remote`.
  void bind(size_t session, size_t port, const SocketAddress& remote);

  struct Target {
    size_t session = 0;
    SocketId sessionSocket{};
    bool isCheck = false;  ///< a check or the answer to one: look whether it proves something
  };
  /// Whom a check is for, by the user fragment in it; nullopt (and an event) if nobody has that.
  std::optional<size_t> sessionOfCheck(ByteSpan packet, const SocketAddress& from,
                                       const SocketAddress& to);
  /// The session's part of a port at a local address, or else the first it has there.
  const Use* useOf(size_t session, size_t port, const IpAddress& local) const;
  /// Whose a datagram is.
  std::optional<Target> route(size_t port, const Datagram& datagram);
  /// STUN: the datagram's address alone does not tell whose it is.
  static bool needsLookUp(const Datagram& datagram);
  bool pollUnknownUfrag(UnknownUfrag& out);
  const SharedPortsCounters& counters() const { return counters_; }

 private:
  struct Port {
    SocketAddress wanted;
    SocketId socket{};
    std::optional<SocketAddress> bound{};
    bool failed = false;
  };
  struct Tuple {
    size_t port = 0;
    SocketAddress remote;
    bool operator==(const Tuple&) const = default;
  };
  struct TupleHash {
    size_t operator()(const Tuple& tuple) const noexcept {
      return std::hash<SocketAddress>()(tuple.remote) ^ (tuple.port * 0x9e3779b97f4a7c15u);
    }
  };
  struct Client {
    std::vector<Use> uses;
    std::deque<std::string> ufrags;
    std::deque<Tuple> tuples;
    std::deque<uint64_t> transactions;
  };
  Client& clientAt(size_t session);
  std::optional<size_t> sessionOf(size_t port, const Datagram& datagram, bool& isCheck);

  std::vector<Port> ports_;
  std::vector<Client> clients_;  ///< by slot
  std::unordered_map<Tuple, size_t, TupleHash> tuples_;
  std::unordered_map<std::string, size_t> ufrags_;
  std::unordered_map<uint64_t, size_t> transactions_;
  RingQueue<UnknownUfrag> unknown_;
  SharedPortsCounters counters_;
};

}  // namespace parley::endpoint
