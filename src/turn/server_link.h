#pragma once

#include <memory>
#include <optional>
#include <string>

#include "parley/base/driven.h"
#include "parley/base/environment.h"
#include "parley/base/id_allocator.h"
#include "parley/base/ring_queue.h"
#include "parley/dtls/tls.h"
#include "parley/turn/transport.h"

#include "turn/proxy_handshake.h"
#include "turn/stream_framer.h"

namespace parley::turn {

struct LinkConfig {
  Transport transport = Transport::Udp;
  SocketAddress connectTo;  ///< the server, or the proxy before it
  IpAddress local;          ///< unspecified: the system's choice
  std::string serverName;   ///< what the server's certificate is for
  std::string targetHost;   ///< where a proxy is to connect to
  uint16_t targetPort = 0;
  std::optional<Proxy> proxy;
  std::shared_ptr<const dtls::TlsContext> tls;  ///< for Tls and Dtls
};

/// A client's connection to its server, whatever lies between: socket, proxy, TLS, framing. Whole
/// STUN messages and ChannelData go in and come out. A machine.
///
/// Queues: 512 packets and 256 frames; beyond them datagrams are lost. A stream whose bytes pile up
/// loses frames other than `TxClass::Control`, whole ones and before they are encrypted.
class ServerLink {
 public:
  enum class State : uint8_t { Idle, Opening, Ready, Failed, Closed };

  ServerLink(Environment& environment, IdAllocator& ids, LinkConfig config);

  void open(Timestamp now);
  void close(Timestamp now);
  bool owns(SocketId socket) const { return socket == socket_ && socket != SocketId{}; }
  const LinkConfig& config() const { return config_; }
  State state() const { return state_; }
  const std::string& error() const { return error_; }
  /// Failed because a connection that was there, or about to be, was cut.
  bool wasCut() const { return wasCut_; }
  const SocketAddress& local() const { return local_; }

  void handleOpened(const SocketOpened& opened, Timestamp now);
  void handleFailed(const SocketFailed& failed, Timestamp now);
  void handleDatagram(Datagram&& datagram, Timestamp now);
  void handleStream(StreamBytes&& bytes, Timestamp now);
  void handlePressure(const StreamPressure& pressure) { pressure_ = pressure.high; }

  /// Takes one frame; `to` and `socket` are set here. False if it was dropped.
  bool send(TxPacket&& frame, Timestamp now);
  bool pollFrame(PacketBuf& out);
  bool pollTransmit(TxPacket& out);
  bool pollEffect(Effect& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

 private:
  void connected(Timestamp now);
  void startTls(Timestamp now);
  void pumpTls();
  void feedProxy(ByteSpan& input, Timestamp now);
  void feedFrames(ByteSpan input);
  void pushFrame(PacketBuf frame);
  bool sendRaw(PacketBuf bytes, TxClass txClass);
  bool sendBytes(ByteSpan bytes);
  void fail(std::string reason);

  Environment& env_;
  IdAllocator& ids_;
  LinkConfig config_;
  MonotonicGuard clock_;
  State state_ = State::Idle;
  std::string error_;
  bool wasCut_ = false;
  SocketId socket_{};
  SocketAddress local_;
  std::optional<ProxyHandshake> proxy_;
  std::optional<dtls::TlsSession> tls_;
  StreamFramer framer_;
  Timestamp openDeadline_ = Timestamp::never();
  bool pressure_ = false;
  RingQueue<TxPacket> transmits_{512};
  RingQueue<PacketBuf> frames_{256};
  RingQueue<Effect> effects_{8};
};

}  // namespace parley::turn
