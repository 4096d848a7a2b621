#include "sim/tcp_connection.h"

#include <algorithm>
#include <utility>

#include "sim/kernel.h"
#include "sim/tcp_stack.h"

namespace parley::sim {
namespace {

// Small enough for an IPv6 path of the minimum MTU (1280): nobody discovers path MTUs here.
constexpr uint64_t kSegmentSize = 1200;
constexpr uint64_t kInitialWindow = 10 * kSegmentSize;  // RFC 6928
constexpr uint64_t kMaxWindow = 1u << 20;
constexpr uint64_t kHeldRoom = 64u << 10;
/// Between two readings of what arrived together, and the generation of that timer.
constexpr Duration kReadInterval = Duration::micros(10);
constexpr uint32_t kReadAgain = 0;
constexpr Duration kProbeInterval = Duration::seconds(1);
constexpr size_t kMaxBuffer = kMaxWindow + (1u << 20);  // in flight, and what waits
constexpr size_t kMaxMediaBuffer = 256u << 10;
constexpr size_t kMaxEarlySegments = 1024;
constexpr uint32_t kMaxSynAttempts = 6;
constexpr uint32_t kMaxDataAttempts = 9;
constexpr Duration kMinTimeout = Duration::millis(200);  // RFC 6298 says 1 s; systems use 200 ms
constexpr Duration kMaxTimeout = Duration::seconds(60);

}  // namespace

TcpConnection::TcpConnection(TcpStack& stack, uint32_t id, StreamSink* sink, uint32_t token,
                             SocketAddress local, SocketAddress remote, State state)
    : stack_(stack),
      id_(id),
      sink_(sink),
      token_(token),
      local_(local),
      remote_(remote),
      state_(state),
      peerRoom_(kMaxWindow),
      window_(kInitialWindow),
      threshold_(kMaxWindow) {
  if (state == State::SynReceived) expected_ = 1;
}

void TcpConnection::start() {
  sendControl(true, false, false);
  next_ = 1;
  timedSequence_ = 1;
  timedAt_ = stack_.kernel().now();
  armTimer();
}

// ---- application side ----

bool TcpConnection::write(ByteSpan bytes, TxClass txClass) {
  const size_t limit = txClass == TxClass::Control ? kMaxBuffer : kMaxMediaBuffer;
  if (closing_ || isDead() || buffer_.size() - head_ + bytes.size() > limit) return false;
  if (head_ > kMaxBuffer) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(head_));
    head_ = 0;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (state_ == State::Open) transmitData();
  notePressure();
  return true;
}

void TcpConnection::notePressure() {
  const uint64_t waiting = endOfData() > next_ ? endOfData() - next_ : 0;
  const bool high = pressure_ ? waiting > kStreamPressureLow : waiting > kStreamPressureHigh;
  if (high == pressure_) return;
  pressure_ = high;
  if (sink_) sink_->streamPressure(token_, high);
}

void TcpConnection::close() {
  sink_ = nullptr;
  closing_ = true;
  if (state_ == State::SynSent) {
    state_ = State::Dead;
  } else if (state_ == State::Open) {
    transmitData();
  }
}

uint64_t TcpConnection::room() const {
  if (!held_) return kMaxWindow;
  return kHeldRoom > unread_.size() ? kHeldRoom - unread_.size() : 0;
}

void TcpConnection::hold(bool hold) {
  if (held_ == hold) return;
  held_ = hold;
  if (held_ || isDead()) return;
  const bool hasEnd = finAt_ != 0 && expected_ > finAt_;
  deliver();
  if (!hasEnd) sendControl(false, false, false);
}

/// Passes on what arrived. As with real sockets, no more at once than HoldStream tells of: the
/// reader must have a chance to say stop.
void TcpConnection::deliver() {
  if (deliveredAt_ != stack_.kernel().now()) delivered_ = 0;
  deliveredAt_ = stack_.kernel().now();
  size_t taken = 0;
  while (!held_ && sink_ && taken < unread_.size() && delivered_ < kStreamPressureHigh) {
    const size_t size = std::min<size_t>(unread_.size() - taken, kSegmentSize);
    sink_->streamBytes(token_, ByteSpan(unread_).subspan(taken, size));
    taken += size;
    delivered_ += size;
  }
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<ptrdiff_t>(taken));
  if (held_ || !sink_) return;
  if (!unread_.empty()) {
    stack_.schedule(deliveredAt_ + kReadInterval, id_, kReadAgain);
  } else if (finAt_ != 0 && expected_ > finAt_) {
    end();
  }
}

void TcpConnection::notifyEnd(SocketFailure reason) {
  StreamSink* sink = sink_;
  sink_ = nullptr;
  // Until it was accepted the connection belongs to the listener, which need not know.
  if (sink && state_ != State::SynReceived) sink->streamEnded(token_, reason);
}

void TcpConnection::fail(SocketFailure reason) {
  notifyEnd(reason);
  state_ = State::Dead;
}

// ---- receiving ----

void TcpConnection::receive(Packet&& packet) {
  if (packet.tcp.rst) {
    fail(state_ == State::SynSent ? SocketFailure::Refused : SocketFailure::Reset);
    return;
  }
  if (state_ == State::SynSent || state_ == State::SynReceived) {
    handleHandshake(packet);
    if (state_ != State::Open) return;
  } else if (packet.tcp.syn) {
    sendControl(false, false, false);  // our last acknowledgement of the handshake was lost
    return;
  }
  if (packet.tcp.ack) handleAck(packet);
  if (isDead()) return;
  if (!packet.data.empty()) handleData(packet);
  if (packet.tcp.fin) {
    finAt_ = packet.tcp.sequence + packet.data.size();
    if (expected_ <= finAt_) handleFin();
    if (!isDead()) sendControl(false, false, false);
  }
}

void TcpConnection::handleHandshake(const Packet& packet) {
  if (state_ == State::SynSent) {
    // Both opened at once (RFC 9293 section 3.5): the peer's SYN has come, with or without the
    // acknowledgement of ours, or came before and now the acknowledgement is here.
    const bool isAnswered = packet.tcp.ack && packet.tcp.acknowledged >= 1;
    if (!packet.tcp.syn && expected_ == 0) return;
    expected_ = 1;
    if (isAnswered) {
      opened();
    } else if (packet.tcp.syn && !packet.tcp.ack) {
      sendControl(true, false, false);
    }
    return;
  }
  if (packet.tcp.syn) {
    sendControl(true, false, false);
  } else if (packet.tcp.ack && packet.tcp.acknowledged >= 1) {
    opened();
  }
}

void TcpConnection::opened() {
  const bool accepted = state_ == State::SynReceived;
  state_ = State::Open;
  if (timedSequence_ == 1 && attempts_ == 0) measure(stack_.kernel().now() - timedAt_);
  timedSequence_ = 0;
  attempts_ = 0;
  unacked_ = 1;
  if (!accepted) sendControl(false, false, false);
  if (sink_) {
    if (accepted) {
      token_ = sink_->streamAccepted(token_, id_, remote_, local_);
    } else {
      sink_->streamConnected(token_, local_);
    }
  }
  armTimer();
  transmitData();
}

void TcpConnection::handleAck(const Packet& packet) {
  const uint64_t acked = packet.tcp.acknowledged;
  if (acked > next_) {
    // After a timeout next_ went back; what was sent before it may still be acknowledged.
    next_ = std::min(acked, endOfData() + (finSent_ ? 1 : 0));
    if (acked > next_) return;
  }
  const bool hasGrown = packet.tcp.window > peerRoom_;
  if (acked >= unacked_) peerRoom_ = packet.tcp.window;
  if (acked == unacked_ && hasGrown) {
    transmitData();
    notePressure();
    return;
  }
  if (acked == unacked_) {
    const bool pure = packet.data.empty() && !packet.tcp.fin && !packet.tcp.syn;
    if (pure && inFlight() > 0) handleDuplicateAck();
    return;
  }
  if (acked < unacked_) return;
  const uint64_t progress = acked - unacked_;
  unacked_ = acked;
  probing_ = false;
  const uint64_t dataAcked = std::min(acked, endOfData()) - base_;
  head_ += dataAcked;
  base_ += dataAcked;
  attempts_ = 0;
  if (timedSequence_ != 0 && acked >= timedSequence_) {
    measure(stack_.kernel().now() - timedAt_);
    timedSequence_ = 0;
  }
  growWindow(progress);
  if (finSent_ && unacked_ == endOfData() + 1) {
    state_ = State::Dead;
    return;
  }
  armTimer();
  transmitData();
  notePressure();
}

void TcpConnection::growWindow(uint64_t acked) {
  duplicateAcks_ = 0;
  if (recovering_) {
    if (unacked_ >= recover_) {
      recovering_ = false;
      window_ = threshold_;
    } else {
      retransmitFirst();  // a partial acknowledgement shows the next hole (RFC 6582 section 3.2)
    }
    return;
  }
  if (window_ < threshold_) {
    window_ += std::min(acked, kSegmentSize);
  } else {
    window_ += std::max<uint64_t>(1, kSegmentSize * kSegmentSize / window_);
  }
  window_ = std::min(window_, kMaxWindow);
}

void TcpConnection::handleDuplicateAck() {
  ++duplicateAcks_;
  if (recovering_) {
    window_ += kSegmentSize;
    transmitData();
    return;
  }
  if (duplicateAcks_ != 3) return;
  threshold_ = std::max(inFlight() / 2, 2 * kSegmentSize);
  window_ = threshold_ + 3 * kSegmentSize;
  recover_ = next_;
  recovering_ = true;
  timedSequence_ = 0;  // Karn: no sample from what is sent twice
  retransmitFirst();
}

void TcpConnection::handleData(const Packet& packet) {
  const uint64_t sequence = packet.tcp.sequence;
  if (sequence > expected_) {
    if (early_.size() < kMaxEarlySegments)
      early_.try_emplace(sequence, toBytes(packet.data.span()));
  } else {
    takeInOrder(sequence, packet.data.span());
    while (!early_.empty() && early_.begin()->first <= expected_) {
      takeInOrder(early_.begin()->first, early_.begin()->second);
      early_.erase(early_.begin());
    }
    if (finAt_ != 0 && expected_ == finAt_) handleFin();
  }
  if (!isDead()) sendControl(false, false, false);
}

void TcpConnection::takeInOrder(uint64_t sequence, ByteSpan bytes) {
  const uint64_t known = expected_ - sequence;
  if (known >= bytes.size()) return;
  const ByteSpan fresh = bytes.subspan(known);
  expected_ += fresh.size();
  if (sink_) {
    unread_.insert(unread_.end(), fresh.begin(), fresh.end());
    if (unread_.size() == fresh.size()) deliver();  // else it is being waited for
  } else {
    // Nobody reads any more: the peer should stop sending.
    sendControl(false, false, true);
    state_ = State::Dead;
  }
}

void TcpConnection::handleFin() {
  if (expected_ != finAt_) return;
  ++expected_;
  if (unread_.empty() || !sink_) end();
}

/// The reader has come to the end of what the peer sent.
void TcpConnection::end() {
  notifyEnd(SocketFailure::Closed);
  closing_ = true;
  transmitData();
}

// ---- sending ----

void TcpConnection::transmitData() {
  while (state_ == State::Open && next_ < endOfData()) {
    const uint64_t size = std::min(kSegmentSize, endOfData() - next_);
    if (inFlight() + size > peerRoom_ && inFlight() == 0) probeRoom();
    if (inFlight() + size > std::min(window_, peerRoom_)) return;
    sendSegment(next_, size);
    const bool idle = inFlight() == 0;
    next_ += size;
    if (timedSequence_ == 0 && attempts_ == 0 && !recovering_) {
      timedSequence_ = next_;
      timedAt_ = stack_.kernel().now();
    }
    if (idle) armTimer();
  }
  if (closing_ && state_ == State::Open && next_ == endOfData()) {
    finSent_ = true;
    sendControl(false, true, false);
    next_ = endOfData() + 1;
    armTimer();
  }
}

/// Word of a window that opens again may get lost (RFC 9293 section 3.8.6.1): a byte asks.
void TcpConnection::probeRoom() {
  if (probing_) return;
  probing_ = true;
  ++timerGeneration_;
  stack_.schedule(stack_.kernel().now() + kProbeInterval, id_, timerGeneration_);
}

void TcpConnection::sendSegment(uint64_t sequence, size_t size) {
  Packet packet;
  packet.from = local_;
  packet.to = remote_;
  packet.protocol = Protocol::Tcp;
  packet.packetClass = PacketClass::Tcp;
  packet.txClass = TxClass::Bulk;
  const size_t at = head_ + static_cast<size_t>(sequence - base_);
  packet.data = stack_.kernel().pool().copyOf(ByteSpan(buffer_).subspan(at, size));
  packet.tcp = {.sequence = sequence, .acknowledged = expected_, .window = room(), .ack = true};
  stack_.transmit(std::move(packet));
}

void TcpConnection::sendControl(bool syn, bool fin, bool rst) {
  Packet packet;
  packet.from = local_;
  packet.to = remote_;
  packet.protocol = Protocol::Tcp;
  packet.packetClass = PacketClass::Tcp;
  packet.data = stack_.kernel().pool().allocate();
  packet.tcp.sequence = syn ? 0 : fin ? endOfData() : next_;
  packet.tcp.syn = syn;
  packet.tcp.fin = fin;
  packet.tcp.rst = rst;
  packet.tcp.ack = expected_ > 0;
  packet.tcp.acknowledged = expected_;
  packet.tcp.window = room();
  stack_.transmit(std::move(packet));
}

void TcpConnection::retransmitFirst() {
  if (unacked_ < endOfData()) {
    sendSegment(unacked_, std::min<uint64_t>(kSegmentSize, endOfData() - unacked_));
  } else if (finSent_) {
    sendControl(false, true, false);
  }
}

// ---- the timer (RFC 6298) ----

void TcpConnection::measure(Duration roundTrip) {
  if (!measured_) {
    measured_ = true;
    smoothed_ = roundTrip;
    variation_ = roundTrip / 2;
  } else {
    const Duration error = smoothed_ > roundTrip ? smoothed_ - roundTrip : roundTrip - smoothed_;
    variation_ = (variation_ * 3 + error) / 4;
    smoothed_ = (smoothed_ * 7 + roundTrip) / 8;
  }
  timeout_ = std::clamp(smoothed_ + variation_ * 4, kMinTimeout, kMaxTimeout);
}

void TcpConnection::armTimer() {
  ++timerGeneration_;
  if (inFlight() == 0) return;
  Duration wait = timeout_;
  for (uint32_t i = 0; i < attempts_ && wait < kMaxTimeout; ++i) wait = wait * 2;
  stack_.schedule(stack_.kernel().now() + std::min(wait, kMaxTimeout), id_, timerGeneration_);
}

void TcpConnection::timer(uint32_t generation) {
  if (generation == kReadAgain) {
    deliver();
    return;
  }
  if (generation != timerGeneration_ || isDead()) return;
  if (std::exchange(probing_, false) && inFlight() == 0 && next_ < endOfData()) {
    sendSegment(next_++, 1);
    armTimer();
    return;
  }
  if (inFlight() == 0) return;
  ++attempts_;
  if (state_ != State::Open) {
    if (attempts_ >= kMaxSynAttempts) {
      fail(SocketFailure::Unreachable);
      return;
    }
    sendControl(true, false, false);
    armTimer();
    return;
  }
  if (attempts_ >= kMaxDataAttempts) {
    fail(SocketFailure::Unreachable);
    return;
  }
  threshold_ = std::max(inFlight() / 2, 2 * kSegmentSize);
  window_ = kSegmentSize;
  recovering_ = false;
  duplicateAcks_ = 0;
  timedSequence_ = 0;
  next_ = unacked_;
  finSent_ = false;
  transmitData();
  armTimer();
}

}  // namespace parley::sim
