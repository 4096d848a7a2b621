#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "parley/base/driven.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/time.h"

namespace parley::io {

/// A non-blocking TCP connection as a raw byte stream; framing (RFC 4571, TLS) is done above.
class PARLEY_EXPORT TcpStream {
 public:
  /// Bytes that wait for the socket: above the first limit media is dropped (whole packets), above
  /// the second the stream fails, for control bytes must not be lost from its middle.
  static constexpr size_t kMaxQueuedMedia = 256 * 1024;
  static constexpr size_t kMaxQueued = 1024 * 1024;
  static constexpr size_t kMaxQueuedPackets = 4096;
  /// A connection that is not there by then is given up, unless OpenTcp says otherwise.
  static constexpr Duration kConnectTimeout = Duration::seconds(5);
  /// How long a closed stream may take to send what was queued.
  static constexpr Duration kLingerTimeout = Duration::seconds(5);

  /// Starts to connect; null and the reason if that fails at once. `device`: as in
  /// EventLoopOptions.
  static std::unique_ptr<TcpStream> connect(const OpenTcp& request, Timestamp now,
                                            SocketFailure& failure, const std::string& device = {});
  /// Takes an accepted socket.
  static std::unique_ptr<TcpStream> adopt(int fd);
  ~TcpStream();
  TcpStream(const TcpStream&) = delete;
  TcpStream& operator=(const TcpStream&) = delete;

  int fd() const;
  SocketAddress local() const;
  bool isConnecting() const;
  /// While connecting: true when the connection stands; a failure if it cannot.
  bool finishConnecting(std::optional<SocketFailure>& failure);
  /// Reads up to one buffer's worth. Empty without failure: nothing there now.
  PacketBuf read(PacketPool& pool, std::optional<SocketFailure>& failure);
  /// Writes or queues. A failure ends the stream.
  std::optional<SocketFailure> write(TxPacket&& packet);
  std::optional<SocketFailure> flush();
  bool wantsWritable() const;
  /// See StreamPressure (base/driven.h): a value each time that it changed since the last call.
  std::optional<bool> takePressureChange();
  /// Nothing more will be written: sends FIN when the queue has gone out.
  void close(Timestamp now);
  bool isClosing() const;
  /// Closing and nothing left to send.
  bool isDone() const;
  /// When connecting or closing has taken too long.
  Timestamp deadline() const;
  uint64_t droppedMedia() const;

 private:
  struct State;
  explicit TcpStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A listening TCP socket.
class PARLEY_EXPORT TcpListener {
 public:
  static std::unique_ptr<TcpListener> listen(const ListenTcp& request, SocketFailure& failure,
                                             const std::string& device = {});
  ~TcpListener();
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;

  int fd() const { return fd_; }
  SocketAddress local() const;
  /// The next connection, null if none waits.
  std::unique_ptr<TcpStream> accept(SocketAddress& remote);

 private:
  explicit TcpListener(int fd);
  int fd_;
  int reserve_;
};

}  // namespace parley::io
