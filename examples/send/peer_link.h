#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "parley/parley.h"

#include "link.h"

namespace sending {

/// One connection to the other side and its data channel. The library's callbacks only put things
/// into a queue here; the thread that transfers takes them out and waits where it has to.
class PeerLink final : public Link, public std::enable_shared_from_this<PeerLink> {
 public:
  struct Setup {
    std::shared_ptr<parley::Loop> loop;
    std::vector<std::string> stun;
    bool sameMachine = false;  ///< loopback addresses are of use
  };
  static parley::Result<std::shared_ptr<PeerLink>> create(const Setup& setup);
  ~PeerLink() override;

  // Descriptions hold all candidates: one request carries the one, its answer the other. All wait.
  parley::Result<std::string> offer();
  parley::Result<std::string> answer(const std::string& offer);
  parley::Result<void> accept(const std::string& answer);
  /// Waits for the data channel.
  bool opened(std::chrono::milliseconds patience);

  // Link.
  std::optional<Message> next() override;
  bool hasMessages() const override;
  void wait(std::chrono::milliseconds patience, bool forRoom = false) override;
  bool hasRoom() const override;
  bool send(const Json& message) override;
  bool send(parley::ByteSpan content) override;
  void keepAlive() override;
  bool lost() const override;
  void close() override;

  /// "host 192.0.2.1 - host 192.0.2.7, udp"; empty if unknown. Waits.
  std::string path();

 private:
  using Clock = std::chrono::steady_clock;

  explicit PeerLink(parley::PeerConnection pc) : pc_(std::move(pc)) {}
  void watch();
  void adopt(parley::DataChannel channel);
  void onMessage(const parley::DataMessage& message);
  void onDrained();
  void setLost();
  bool sent(const parley::Result<void>& result);
  /// Our description with its candidates, once they are known.
  parley::Result<std::string> described();

  parley::PeerConnection pc_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  parley::DataChannel channel_;
  std::deque<Message> inbox_;
  size_t inboxBytes_ = 0;
  uint64_t drained_ = 0;  ///< how often what waited to be sent fell to the low mark
  bool open_ = false;
  bool lost_ = false;
  bool gathered_ = false;
  Clock::time_point heard_ = Clock::now();
  Clock::time_point spoke_ = Clock::now();  // of the transferring thread
};

}  // namespace sending
