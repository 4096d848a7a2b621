#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/sim/pcapng.h"
#include "parley/sim/segment.h"

namespace parley::sim {

class TcpStack;

/// Receives what arrives at a host's UDP sockets. `token` is what the socket was bound with.
class UdpSink {
 public:
  virtual void udpArrived(uint32_t token, Packet&& packet) = 0;

 protected:
  ~UdpSink() = default;
};

/// Receives what happens on a host's TCP streams.
class StreamSink {
 public:
  virtual void streamConnected(uint32_t token, const SocketAddress& local) = 0;
  virtual void streamBytes(uint32_t token, ByteSpan bytes) = 0;
  /// See StreamPressure (base/driven.h).
  virtual void streamPressure(uint32_t token, bool high) = 0;
  /// The stream is gone; nothing follows for this token.
  virtual void streamEnded(uint32_t token, SocketFailure reason) = 0;
  /// A listener got a connection; the answer is the new stream's token.
  virtual uint32_t streamAccepted(uint32_t listenerToken, uint32_t stream,
                                  const SocketAddress& remote, const SocketAddress& local) = 0;

 protected:
  ~StreamSink() = default;
};

/// The answer of bind, listen and connect.
struct SocketResult {
  uint32_t handle = 0;  ///< 0: failed
  SocketAddress local{};
  SocketFailure failure = SocketFailure::Other;
};

struct HostCounters {
  uint64_t sent = 0;
  uint64_t received = 0;
  uint64_t noRoute = 0;   ///< sends without an interface to leave by
  uint64_t tooBig = 0;    ///< sends above the interface's MTU
  uint64_t noSocket = 0;  ///< arrivals that nobody waits for
};

/// A computer: interfaces, UDP sockets, TCP streams. Nodes and servers live on it.
class PARLEY_EXPORT Host final : public Device, private EventTarget {
 public:
  Host(Kernel& kernel, std::string name);
  ~Host() override;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const std::string& name() const { return name_; }
  /// Plugs the host into a segment. The first port is where packets go by default.
  Port& attach(Segment& segment, PortConfig config = {});
  Port& port(size_t index) { return *ports_[index]; }
  size_t portCount() const { return ports_.size(); }
  /// The first address of the family on an interface that is up.
  std::optional<IpAddress> address(AddressFamily family = AddressFamily::V4) const;
  /// As the operating system would list them, loopback first.
  std::vector<NetworkInterface> interfaces() const;
  /// Pulls the plug or puts it back. Nodes that watch interfaces learn of it.
  void setUp(Port& port, bool up);
  /// DHCP gave other addresses. Sockets stay bound to the old ones.
  void changeAddresses(Port& port, std::vector<IpAddress> addresses);
  /// Counts changes of interfaces and addresses.
  uint64_t interfaceGeneration() const { return interfaceGeneration_; }

  /// Binds a UDP socket. Port 0: an ephemeral one. Unspecified address: all of that family.
  SocketResult bindUdp(const SocketAddress& local, bool reuseAddress, UdpSink& sink,
                       uint32_t token);
  void closeUdp(uint32_t handle);
  bool joinMulticast(uint32_t handle, const IpAddress& group, uint32_t interfaceIndex);
  struct SendOptions {
    IpAddress from{};  ///< unspecified: the bound address or the route's
    uint8_t dscp = 0;
    Ecn ecn = Ecn::NotEct;
    TxClass txClass = TxClass::Control;
  };
  /// False if it could not leave the host (no route, above the MTU).
  bool sendUdp(uint32_t handle, const SocketAddress& to, ByteSpan payload,
               const SendOptions& options);
  bool sendUdp(uint32_t handle, const SocketAddress& to, ByteSpan payload) {
    return sendUdp(handle, to, payload, SendOptions{});
  }

  SocketResult listenTcp(const SocketAddress& local, StreamSink& sink, uint32_t token);
  /// `local`: address unspecified means the route's, port 0 an ephemeral one; another may be that
  /// of a listener.
  SocketResult connectTcp(const SocketAddress& remote, const SocketAddress& local, StreamSink& sink,
                          uint32_t token);
  /// False if the stream is gone or its buffer full; nothing of `bytes` is taken then. Media is
  /// refused earlier than control, so that a slow stream keeps signalling alive.
  bool sendTcp(uint32_t stream, ByteSpan bytes, TxClass txClass = TxClass::Control);
  /// Whether a stream's bytes wait at this host instead of going to its sink: then the sender is
  /// told of ever less room.
  void holdTcp(uint32_t stream, bool hold);
  /// Ends a stream after what was written has arrived, or a listener at once.
  void closeTcp(uint32_t handle);
  /// Forgets a sink: its sockets close.
  void dropSinks(const UdpSink* udp, const StreamSink* stream);

  HostCounters counters() const { return counters_; }
  /// Records everything from now on.
  void startCapture();
  /// The recording as a pcapng file; empty if none was started.
  ByteSpan capture() const;

  void receive(Port& port, Packet&& packet) override;
  bool wantsMulticast(const Port& port, const IpAddress& group) const override;

 private:
  friend class TcpStack;
  struct Membership {
    IpAddress group;
    const Port* port;
  };
  struct UdpSocket {
    uint32_t handle;
    uint32_t token;
    SocketAddress local;
    bool reuseAddress;
    UdpSink* sink;
    std::vector<Membership> memberships;
  };
  void fire(uint64_t argument) override;
  bool ownsAddress(const IpAddress& address) const;
  Port* route(const IpAddress& to, const IpAddress& from) const;
  std::optional<IpAddress> sourceFor(const IpAddress& to) const;
  UdpSocket* findSocket(uint32_t handle);
  bool udpPortTaken(const SocketAddress& local, bool reuseAddress) const;
  uint16_t ephemeralPort();
  /// Sends a packet whose addresses are set. False: no route or too big.
  bool transmit(Packet&& packet);
  void arrive(const Port* port, Packet&& packet);
  void deliverUdp(const Port* port, Packet&& packet);
  void observe(const Packet& packet, bool arrival);

  Kernel& kernel_;
  std::string name_;
  SeededRandom random_;
  std::vector<std::unique_ptr<Port>> ports_;
  std::vector<UdpSocket> udp_;
  std::unique_ptr<TcpStack> tcp_;
  std::unique_ptr<PcapngWriter> capture_;
  HostCounters counters_;
  uint32_t nextHandle_ = 1;
  uint16_t nextEphemeral_;
  uint64_t interfaceGeneration_ = 0;
};

}  // namespace parley::sim
