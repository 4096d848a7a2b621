#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "parley/base/driven.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"

namespace parley::endpoint {

/// One of WaitingStreams.
struct WaitingStream {
  SocketId socket{};  ///< the driver's number
  size_t port = 0;    ///< of the shared ones
  SocketAddress remote;
  SocketAddress local;
  Timestamp giveUpAt;
  PacketBuf held;  ///< what it has sent
};

/// Connections that were accepted on a shared TCP port and have not said whom they are for. All
/// that is known of them is what they have sent, at most one packet buffer, and how long they have
/// been there.
class WaitingStreams {
 public:
  /// The time to send a check. Peers do so as soon as they are connected.
  static constexpr Duration kPatience = Duration::seconds(5);
  /// Of one remote address, which may stand for many behind a NAT.
  static constexpr size_t kMaxPerAddress = 32;

  explicit WaitingStreams(size_t max) : max_(max) {}

  /// The stream that has to go in its place; with those that say nothing one cannot keep others
  /// out.
  std::optional<SocketId> add(WaitingStream&& stream);
  WaitingStream* find(SocketId socket);
  void remove(SocketId socket);

  enum class Verdict : uint8_t {
    Wait,   ///< not all of the first packet has come
    Check,  ///< it is there and looks like a STUN message: `firstPacket`
    Close,  ///< it cannot be one
  };
  /// Takes what has come.
  static Verdict take(WaitingStream& stream, ByteSpan bytes);
  /// The payload of the first RFC 4571 frame of what is held.
  static ByteSpan firstPacket(const WaitingStream& stream);
  /// The first packet was for nobody: on to what came after it.
  static Verdict skipFirst(WaitingStream& stream);

  /// The next whose time is over; the caller closes it.
  std::optional<SocketId> takeExpired(Timestamp now);
  Timestamp nextDeadline() const;
  size_t size() const { return streams_.size(); }

 private:
  static Verdict judge(const WaitingStream& stream);

  size_t max_;
  std::deque<WaitingStream> streams_;  ///< in the order in which their time ends
};

}  // namespace parley::endpoint
