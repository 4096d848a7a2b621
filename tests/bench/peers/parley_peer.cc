// Parley as a peer of the comparing benchmarks, through its public API.

#include <condition_variable>
#include <mutex>

#include "parley/parley.h"

#include "bench/peers/end.h"

namespace parley::bench {
namespace {

/// One loop per lane, with a thread of its own.
std::shared_ptr<Loop> loopOf(int lane) {
  static const std::shared_ptr<Loop> loops[] = {Loop::create(), Loop::create()};
  (void)loops[lane]->startThread();  // refused from the second call on
  return loops[lane];
}

class ParleyEnd final : public End {
 public:
  ParleyEnd(int lane, EndEvents events) : events_(std::move(events)) {
    Configuration configuration;
    configuration.includeLoopback = true;
    connection_ = PeerConnection::create(loopOf(lane), configuration).value();
    connection_.onIceGatheringStateChange([this](IceGatheringState state) {
      if (state != IceGatheringState::Complete) return;
      const std::lock_guard lock(mutex_);
      gathered_ = true;
      changed_.notify_all();
    });
    connection_.onDataChannel([this](DataChannel channel) { adopt(std::move(channel)); });
  }
  ~ParleyEnd() override { connection_.closeAndDrain(); }

  std::string offer() override {
    adopt(connection_.createDataChannel("bench").value());
    return describe();
  }
  std::string answer(const std::string& offer) override {
    connection_.setRemoteDescription({SdpType::Offer, offer}, {});
    return describe();
  }
  void accept(const std::string& answer) override {
    connection_.setRemoteDescription({SdpType::Answer, answer}, {});
  }
  bool send(const uint8_t* data, size_t size) override {
    return channel_.send(ByteSpan(data, size)).has_value();
  }
  size_t buffered() override { return channel_.bufferedAmount(); }

 private:
  std::string describe() {
    connection_.setLocalDescription({});
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return gathered_; });
    return connection_.localDescription()->sdp;
  }
  void adopt(DataChannel channel) {
    channel_ = std::move(channel);
    channel_.setBufferedAmountLowThreshold(kLowBytes);
    channel_.onMessage(
        [this](const DataMessage& m) { events_.message(m.data.data(), m.data.size()); });
    channel_.onBufferedAmountLow(events_.low);
    channel_.onOpen(events_.open);
  }

  EndEvents events_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool gathered_ = false;
  PeerConnection connection_;
  DataChannel channel_;
};

}  // namespace

std::unique_ptr<End> makeEnd(int lane, EndEvents events) {
  return std::make_unique<ParleyEnd>(lane, std::move(events));
}

}  // namespace parley::bench
