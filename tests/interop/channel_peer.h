#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "parley/parley.h"

#include "content.h"
#include "wire.h"

namespace parley::interop {

/// One data channel by name: what it does with messages, and what it has seen. Its commands block
/// the calling thread; the channel's events come on the loop's.
class ChannelPeer : public std::enable_shared_from_this<ChannelPeer> {
 public:
  /// Hooks the callbacks up.
  static std::shared_ptr<ChannelPeer> create(LineWriter& out, std::string pc, std::string name,
                                             DataChannel channel, std::string mode);

  Json describe() const;
  Json received() const;
  void setMode(const std::string& mode);
  void close() { channel_.close(); }

  void send(const Json& request);
  /// The tally that the receiver must come to.
  Json sendPlan(const Json& request);
  /// Round trips of messages that the other side echoes.
  Json ping(const Json& request);
  /// One-way throughput until the send buffer is empty; with `tally` of messages that differ.
  Json blast(const Json& request);

 private:
  ChannelPeer(LineWriter& out, std::string pc, std::string name, DataChannel channel,
              std::string mode);
  void attach();
  void onMessage(const DataMessage& message);
  void report(const DataMessage& message) const;
  /// Blocks until the channel is open and at most `below` bytes wait; throws when it has closed or
  /// nothing moves.
  void waitForRoom(uint64_t below);
  void transmit(ByteSpan bytes, bool text);
  void notify();

  LineWriter& out_;
  const std::string pc_;
  const std::string name_;
  DataChannel channel_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string mode_;
  Tally tally_;
  size_t awaited_ = 0;
  std::deque<Bytes> echoes_;
};

}  // namespace parley::interop
