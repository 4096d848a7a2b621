// Parley as a forwarding server: everything on one unlocked loop with a thread of its own.

#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "parley/api/forwarder.h"
#include "parley/parley.h"

#include "bench/peers/forwarding_main.h"

namespace parley::bench {
namespace {

class Server {
 public:
  Server() : loop_(Loop::create()), room_(loop_) { (void)loop_->startThread(); }

  std::string join(const std::string& offer, bool publisher) {
    Configuration configuration;
    configuration.includeLoopback = true;
    configuration.useAddress = [](const NetworkInterface&, const IpAddress& address) {
      return address.isV4();
    };
    configuration.minBitrate = configuration.startBitrate = DataRate::kbps(30'000);
    configuration.maxBitrate = DataRate::kbps(100'000);
    PeerConnection pc = PeerConnection::create(loop_, configuration).value();
    connections_.push_back(pc);
    gathered_ = false;
    pc.onIceGatheringStateChange([this](IceGatheringState state) {
      if (state != IceGatheringState::Complete) return;
      const std::lock_guard lock(mutex_);
      gathered_ = true;
      changed_.notify_all();
    });
    pc.setRemoteDescription({SdpType::Offer, offer}, [this, pc, publisher](Result<void>) mutable {
      RtpTransceiver transceiver = pc.getTransceivers().front();
      if (publisher) {
        video_ = *room_.publish(transceiver.receiver());
        return;
      }
      (void)transceiver.setDirection(TransceiverDirection::SendOnly);
      subscriptions_.push_back(*room_.subscribe(*video_, transceiver.sender()));
    });
    pc.setLocalDescription([](Result<void>) {});
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return gathered_; });
    return pc.localDescription()->sdp;
  }
  uint64_t count() {
    uint64_t sum = 0;
    for (const SubscriptionId id : subscriptions_) sum += room_.stats(id)->packetsForwarded;
    return sum;
  }

 private:
  std::shared_ptr<Loop> loop_;
  Forwarder room_;
  std::vector<PeerConnection> connections_;
  std::vector<SubscriptionId> subscriptions_;
  std::optional<PublicationId> video_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool gathered_ = false;
};

}  // namespace
}  // namespace parley::bench

int main() {
  parley::bench::Server server;
  return parley::bench::runServer(server);
}
