#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/environment.h"
#include "parley/ice/agent.h"

namespace parley::ice {

class AgentWorld;

/// One end: an agent with its own pool and randomness, and the events it raised.
class Peer {
 public:
  Peer(AgentWorld& world, std::string name, uint64_t seed, AgentConfig config);

  /// Opens a socket at `address`, optionally behind a NAT that shows it as `outside`, and adds it
  /// as a host candidate. Returns the candidate for signalling.
  Candidate addHost(const std::string& address, const std::string& outside = {},
                    uint16_t localPreference = 65535);

  std::string name;
  PacketPool pool;
  SeededRandom random;
  Environment env{random, pool};
  Agent agent;
  std::vector<Candidate> candidates;
  std::vector<IceConnectionState> states;
  std::vector<std::string> resolves;
  std::vector<ResolveId> resolveIds;
  size_t pairChanges = 0;
  size_t roleChanges = 0;
  size_t packetsSent = 0;
  std::vector<Timestamp> sentAt;

 private:
  friend class AgentWorld;
  AgentWorld& world_;
  uint32_t lastSocket_ = 0;
};

/// A network in virtual time between agents: delay, jitter (so reordering), loss, NATs with
/// port-restricted filtering, and a hook that sees and may drop every datagram. Whatever moves next
/// is always the earliest of deliveries and deadlines, so a run is a function of its seed.
class AgentWorld {
 public:
  explicit AgentWorld(uint64_t seed) : random_(seed) {}

  Peer& add(std::string name, AgentConfig config = {});

  /// Gives each of the two the other's credentials and candidates at the current time.
  void introduce(Peer& a, Peer& b);
  void signal(Peer& from, Peer& to);
  void run(Duration time) {
    runUntil([] { return false; }, time);
  }
  /// True if `done` became true within `limit`.
  bool runUntil(const std::function<bool()>& done, Duration limit);

  Timestamp now = Timestamp::seconds(100);
  Duration delay = Duration::millis(10);
  Duration jitter;
  double loss = 0;
  /// False drops the datagram.
  std::function<bool(const SocketAddress& from, const SocketAddress& to, ByteSpan)> pass;
  /// Advances every agent several times per step, also with times that have passed.
  bool nervous = false;
  struct Step {
    Timestamp at;
    SocketAddress from;
    SocketAddress to;
    size_t size;
    bool operator==(const Step&) const = default;
  };
  std::vector<Step> trace;
  size_t delivered = 0;
  size_t datagrams = 0;

 private:
  friend class Peer;
  struct Port {
    Peer* peer = nullptr;
    SocketId socket{};
    SocketAddress inside;
    bool nat = false;
    std::set<SocketAddress> contacted;
  };
  struct Flight {
    SocketAddress from;
    SocketAddress to;
    Bytes bytes;
  };

  void drain(Peer& peer);
  void send(Peer& peer, TxPacket packet);
  void deliver(const Flight& flight);

  SeededRandom random_;
  std::vector<std::unique_ptr<Peer>> peers_;
  std::map<SocketAddress, Port> ports_;  // by outside address
  std::map<std::pair<Peer*, SocketId>, SocketAddress> outside_;
  std::multimap<Timestamp, Flight> flights_;
};

}  // namespace parley::ice
