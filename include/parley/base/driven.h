#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/address.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/strong_id.h"
#include "parley/base/time.h"

// The seam between protocol logic and the outside world. `io` (real sockets) and `sim` (virtual
// network) run anything that is `Driven`; nothing else about the stack is known to them.

namespace parley {

/// Names a socket. Chosen by the machine that asks for it; unique within one Driven.
using SocketId = StrongId<struct SocketIdTag>;
/// Names a name look-up.
using ResolveId = StrongId<struct ResolveIdTag>;

/// The ECN field of the IP header (RFC 3168 section 5).
enum class Ecn : uint8_t { NotEct = 0, Ect1 = 1, Ect0 = 2, Ce = 3 };

/// Drives how packets queue when a socket would block: lower goes first.
enum class TxClass : uint8_t { Control = 0, Audio = 1, Media = 2, Bulk = 3 };

/// A datagram (or, on a stream socket, a run of bytes) to send.
struct TxPacket {
  SocketId socket{};
  SocketAddress to{};  ///< ignored on stream sockets
  IpAddress from{};    ///< source address to use; unspecified = the system's choice
  PacketBuf data;
  uint8_t dscp = 0;  ///< 6 bits
  Ecn ecn = Ecn::NotEct;
  TxClass txClass = TxClass::Control;
  /// A datagram that must arrive whole or not at all: a question about the size that passes.
  bool dontFragment = false;
};

struct NetworkInterface {
  std::string name;
  uint32_t index = 0;
  std::vector<IpAddress> addresses;
  bool isLoopback = false;
  bool isUp = true;
  uint32_t mtu = 1500;
  bool operator==(const NetworkInterface&) const = default;
};

// What a machine wants done. Each effect is answered by an Input sooner or later, or never.
struct WatchInterfaces {};
struct OpenUdp {
  SocketId socket{};
  SocketAddress local{};  ///< port 0 = any; unspecified address = any
  bool reuseAddress = false;
  /// It need not be a socket of its own: who runs several machines may give them all the same, and
  /// tell apart what arrives.
  bool mayShare = false;
};
struct OpenTcp {
  SocketId socket{};
  SocketAddress remote{};
  IpAddress local{};
  /// 0: any. Else `local` and this are the address of a listening socket with `mayConnect`.
  uint16_t localPort = 0;
  /// A connection that is not there by then is given up. Zero: a limit of the driver's.
  Duration timeout{};
};
/// Stops reading from a stream, or goes on: its sender is slowed down, and nothing is lost. What
/// has been read already may still arrive, kStreamPressureHigh bytes at most; and the end of a
/// stream is seen when its last byte has been read.
struct HoldStream {
  SocketId socket{};
  bool hold = false;
};
/// Listens; each accepted connection arrives as `TcpAccepted` with a fresh id from the driver's
/// range.
struct ListenTcp {
  SocketId socket{};
  SocketAddress local{};
  /// As OpenUdp::mayShare.
  bool mayShare = false;
  /// Connections will also be opened from its address (OpenTcp::localPort).
  bool mayConnect = false;
  /// Accepted connections at a time, further ones are closed at once; 0: a limit of the driver's.
  uint32_t maxAccepted = 0;
};
struct CloseSocket {
  SocketId socket{};
};
struct Resolve {
  ResolveId id{};
  std::string host;
};
struct JoinMulticast {
  SocketId socket{};
  IpAddress group{};
  uint32_t interfaceIndex = 0;
};
using Effect = std::variant<std::monostate, WatchInterfaces, OpenUdp, OpenTcp, ListenTcp,
                            HoldStream, CloseSocket, Resolve, JoinMulticast>;

// What the world tells a machine.
struct Datagram {
  SocketId socket{};
  SocketAddress from{};
  SocketAddress to{};  ///< local address it arrived at; port = the socket's
  PacketBuf data;
  Ecn ecn = Ecn::NotEct;
};
struct StreamBytes {
  SocketId socket{};
  PacketBuf data;
};
/// Bytes written to a stream have piled up (`high`), or have drained. A machine whose stream must
/// not lose a byte in its middle (TLS) holds back or drops what can be dropped meanwhile; elsewhere
/// the driver drops whole packets of media itself.
struct StreamPressure {
  SocketId socket{};
  bool high = false;
};
/// What "piled up" and "drained" mean: bytes that wait in the driver.
constexpr size_t kStreamPressureHigh = 64 * 1024;
constexpr size_t kStreamPressureLow = 16 * 1024;
struct SocketOpened {
  SocketId socket{};
  SocketAddress local{};  ///< the bound address
};
enum class SocketFailure : uint8_t {
  AddressInUse,
  AddressNotAvailable,
  Refused,
  Unreachable,
  Reset,
  Closed,
  Denied,
  Other
};
struct SocketFailed {
  SocketId socket{};
  SocketFailure reason = SocketFailure::Other;
};
struct TcpAccepted {
  SocketId listener{};
  SocketId socket{};
  SocketAddress remote{};
  SocketAddress local{};
};
struct Resolved {
  ResolveId id{};
  std::vector<IpAddress> addresses;  ///< empty: the name does not resolve
};
struct InterfacesChanged {
  std::vector<NetworkInterface> interfaces;
};
using Input = std::variant<Datagram, StreamBytes, StreamPressure, SocketOpened, SocketFailed,
                           TcpAccepted, Resolved, InterfacesChanged>;

/// Anything that a driver can run. The driver calls, in any order and number: `handle` for what
/// came in, `advance` when `nextDeadline` is reached, and drains `pollTransmit` and `pollEffect`
/// after either. No call blocks, none calls back.
class PARLEY_EXPORT Driven {
 public:
  virtual ~Driven() = default;
  virtual void handle(Input&& input, Timestamp now) = 0;
  /// Several datagrams that arrived together: the same as `handle` for each, perhaps cheaper. Their
  /// buffers are moved out.
  virtual void handleDatagrams(std::span<Datagram> datagrams, Timestamp now) {
    for (Datagram& datagram : datagrams) handle(std::move(datagram), now);
  }
  /// Runs everything due at or before `now`. Afterwards `nextDeadline() > now` (machine rule M4).
  virtual void advance(Timestamp now) = 0;
  /// Moves up to out.size() packets out, in the order to send them; 0 = nothing waits.
  virtual size_t pollTransmit(std::span<TxPacket> out) = 0;
  /// False if nothing is wished for.
  virtual bool pollEffect(Effect& out) = 0;
  virtual Timestamp nextDeadline() const = 0;
  /// The driver calls it in every cycle, outside any lock: user callbacks run here.
  virtual void dispatch() {}
  /// The pool that received datagrams are to be allocated from.
  virtual PacketPool& pool() = 0;
};

}  // namespace parley
