#pragma once

#include <cstdint>
#include <map>

#include "parley/base/bytes.h"
#include "parley/sim/host.h"
#include "parley/sim/packet.h"

namespace parley::sim {

class TcpStack;

/// One end of a simulated TCP stream: handshake, cumulative acknowledgement, retransmission timer
/// (RFC 6298), NewReno congestion control (RFC 5681, RFC 6582), FIN and RST. The reader is quick,
/// so that there is always room, unless it holds the stream. Segments cross the same links as
/// datagrams do.
class TcpConnection {
 public:
  enum class State : uint8_t { SynSent, SynReceived, Open, Dead };

  TcpConnection(TcpStack& stack, uint32_t id, StreamSink* sink, uint32_t token, SocketAddress local,
                SocketAddress remote, State state);

  void start();
  void receive(Packet&& packet);
  void timer(uint32_t generation);
  bool write(ByteSpan bytes, TxClass txClass);
  void hold(bool hold);
  /// Ends politely; the sink hears nothing more.
  void close();
  void detach() { sink_ = nullptr; }
  bool isDead() const { return state_ == State::Dead; }
  StreamSink* sink() const { return sink_; }
  const SocketAddress& local() const { return local_; }
  const SocketAddress& remote() const { return remote_; }

 private:
  uint64_t endOfData() const { return base_ + (buffer_.size() - head_); }
  uint64_t inFlight() const { return next_ - unacked_; }
  void handleHandshake(const Packet& packet);
  void opened();
  void handleAck(const Packet& packet);
  void growWindow(uint64_t acked);
  void handleDuplicateAck();
  void handleData(const Packet& packet);
  uint64_t room() const;
  void probeRoom();
  void deliver();
  void takeInOrder(uint64_t sequence, ByteSpan bytes);
  void handleFin();
  void end();
  void transmitData();
  void sendSegment(uint64_t sequence, size_t size);
  void sendControl(bool syn, bool fin, bool rst);
  void retransmitFirst();
  void measure(Duration roundTrip);
  void armTimer();
  void notePressure();
  void fail(SocketFailure reason);
  void notifyEnd(SocketFailure reason);

  TcpStack& stack_;
  const uint32_t id_;
  StreamSink* sink_;
  uint32_t token_;
  const SocketAddress local_;
  const SocketAddress remote_;
  State state_;

  // Sending. The SYN has sequence 0, data starts at 1, the FIN follows the data.
  Bytes buffer_;
  size_t head_ = 0;    ///< start of what is unacknowledged in buffer_
  uint64_t base_ = 1;  ///< sequence of buffer_[head_]
  uint64_t unacked_ = 0;
  uint64_t next_ = 0;
  uint64_t peerRoom_;      ///< what the other end last said
  bool probing_ = false;   ///< a probe of a window that is shut is due
  bool pressure_ = false;  ///< told the sink that unsent bytes piled up
  bool closing_ = false;   ///< a FIN follows the data
  bool finSent_ = false;
  uint64_t window_;
  uint64_t threshold_;
  uint32_t duplicateAcks_ = 0;
  uint64_t recover_ = 0;  ///< end of the loss episode (RFC 6582)
  bool recovering_ = false;
  // The timer.
  Duration smoothed_{};
  Duration variation_{};
  Duration timeout_ = Duration::seconds(1);
  bool measured_ = false;
  uint64_t timedSequence_ = 0;  ///< acknowledging it gives a sample; 0: none is timed
  Timestamp timedAt_;
  uint32_t attempts_ = 0;
  uint32_t timerGeneration_ = 0;
  // Receiving.
  uint64_t expected_ = 0;
  std::map<uint64_t, Bytes> early_;
  uint64_t finAt_ = 0;  ///< sequence of the peer's FIN; 0: not seen
  bool held_ = false;
  Bytes unread_;           ///< what arrived and was not passed on yet
  Timestamp deliveredAt_;  ///< the last that was, and how much at that instant
  size_t delivered_ = 0;
};

}  // namespace parley::sim
