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
  /// To carry bytes of a peer's in the end (RFC 6062): after each frame nothing more is taken from
  /// the stream until `goOn` tells how.
  bool isData = false;
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
  /// Of a link with `isData`: what follows are the peer's bytes, or another frame.
  void goOn(bool isRaw);
  /// The peer's bytes, as they are. False if nothing is taken because bytes pile up.
  bool sendBytes(PacketBuf&& bytes, Timestamp now);
  bool hasRoom() const;
  void hold(bool hold) { effects_.push(HoldStream{socket_, hold}); }
  bool pollFrame(PacketBuf& out);
  bool pollTransmit(TxPacket& out);
  bool hasOutput() const { return !transmits_.empty() || !effects_.empty(); }
  bool pollEffect(Effect& out);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

 private:
  void connected(Timestamp now);
  void startTls(Timestamp now);
  void pumpTls();
  void feedProxy(ByteSpan& input, Timestamp now);
  void feedFrames(ByteSpan input);
  void pushRaw(ByteSpan input);
  void pushFrame(PacketBuf frame);
  bool sendRaw(PacketBuf bytes, TxClass txClass);
  bool sendCopy(ByteSpan bytes);
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
  bool raw_ = false;    ///< a peer's bytes, no frames
  bool waits_ = false;  ///< for `goOn`
  Bytes rest_;          ///< what came meanwhile
  RingQueue<TxPacket> transmits_{512};
  RingQueue<PacketBuf> frames_{256};
  RingQueue<Effect> effects_{8};
};

}  // namespace parley::turn
