#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/machine.h"
#include "parley/base/ring_queue.h"
#include "parley/ice/upnp_mapper.h"

#include "ice/http_reader.h"
#include "ice/upnp_message.h"

namespace parley::ice {

/// Behind UpnpMapper. upnp_mapper_core.cc: what is wanted, the search for the router, time;
/// upnp_mapper_requests.cc: what is asked of the router, one request at a time.
class UpnpMapperCore {
 public:
  UpnpMapperCore(Environment& environment, IdAllocator& ids, const UpnpMapperConfig& config)
      : env_(environment), ids_(ids), config_(config) {}

  void prepare(const IpAddress& local, Timestamp now);
  void add(SocketId socket, const SocketAddress& internal, Timestamp now);
  void remove(SocketId socket, Timestamp now);
  void close(Timestamp now);
  bool owns(SocketId socket) const;
  bool handleSocketOpened(const SocketOpened& opened, Timestamp now);
  bool handleSocketFailed(const SocketFailed& failed, Timestamp now);
  bool handleDatagram(SocketId socket, const SocketAddress& from, ByteSpan datagram, Timestamp now);
  bool handleStream(SocketId socket, ByteSpan bytes, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;
  bool settled() const;
  bool isEnding() const { return closed_ && !gateways_.empty(); }

  RingQueue<TxPacket> transmits{64};
  RingQueue<Effect> effects{64};
  RingQueue<PortMapperEvent> events{64};
  UpnpMapperCounters counters;

 private:
  static constexpr size_t kMaxMappings = 32;

  /// One request over a connection of its own.
  struct Job {
    enum class Kind : uint8_t { Describe, Address, Map, Unmap };
    Kind kind{};
    SocketId mapping{};
    uint16_t port = 0;  ///< of Unmap
  };
  struct Running {
    Job job;
    SocketId socket{};
    bool open = false;
    Timestamp by;
    HttpReader reader;
  };
  /// What one address of this machine knows of its router.
  struct Gateway {
    enum class State : uint8_t { Opening, Searching, Ready, None };
    IpAddress local;
    State state = State::Opening;
    SocketId search{};  ///< none any more: its socket is closed
    int searches = 0;
    Timestamp searchAt = Timestamp::never();
    Timestamp giveUpAt;
    std::vector<upnp::Url> found;
    size_t tried = 0;  ///< of those
    std::optional<upnp::Service> service;
    IpAddress external;
    std::optional<Running> running;
    std::deque<Job> jobs;
  };
  struct Mapping {
    SocketId socket{};
    SocketAddress internal;
    uint16_t port = 0;  ///< asked for, then granted
    int ports = 0;      ///< tried
    bool permanent = false;
    bool told = false;
    bool settled = false;
    Timestamp renewAt = Timestamp::never();
    Timestamp expiresAt = Timestamp::never();
  };

  Gateway* gatewayOf(const IpAddress& local);
  Gateway* gatewayBySocket(SocketId socket, bool running);
  Mapping* mappingOf(SocketId socket);
  void search(Gateway& gateway, Timestamp now);
  void closeSearch(Gateway& gateway);
  void describeNext(Gateway& gateway);
  void giveUp(Gateway& gateway);
  void enqueue(Gateway& gateway, Job job);
  void startJob(Gateway& gateway, Timestamp now);
  std::string requestOf(const Gateway& gateway, const Job& job);
  void endJob(Gateway& gateway, bool answered, bool socketGone, Timestamp now);
  void jobDone(Gateway& gateway, const Job& job, int code, const std::string& body, Timestamp now);
  void jobFailed(Gateway& gateway, const Job& job, Timestamp now);
  void described(Gateway& gateway, const std::string& body);
  void addressTold(Gateway& gateway, const IpAddress& address);
  void mapped(Gateway& gateway, Mapping& mapping, const upnp::Answer& answer, Timestamp now);
  void refused(Mapping& mapping, Timestamp now);
  void lose(Mapping& mapping);
  void run(Gateway& gateway, Timestamp now);
  void finishClosing();
  bool drained() const;

  Environment& env_;
  IdAllocator& ids_;
  const UpnpMapperConfig config_;
  MonotonicGuard clock_;
  std::vector<Gateway> gateways_;
  std::vector<Mapping> mappings_;
  bool closed_ = false;
  Timestamp closedBy_ = Timestamp::never();
};

}  // namespace parley::ice
