// Parley as a forwarding server: everything on one unlocked loop with a
// thread and a UDP port of its own, as servers run it.

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "parley/api/forwarder.h"
#include "parley/parley.h"

#include "bench/peers/forwarding_main.h"

namespace parley::bench {
namespace {

class Server {
 public:
  Server() {
    LoopOptions options;
    options.threading = Threading::Unlocked;
    options.udpPorts = {*SocketAddress::parse("127.0.0.1:0")};
    loop_ = Loop::create(options);
    (void)loop_->startThread();
    onLoop([this] { room_.emplace(loop_); });
  }

  std::string join(const std::string& offer, bool publisher) {
    const auto gathered = std::make_shared<std::promise<std::string>>();
    loop_->post([=, this] { answer(offer, publisher, gathered); });
    return gathered->get_future().get();
  }
  uint64_t count() {
    uint64_t sum = 0;
    onLoop([&] {
      for (const SubscriptionId id : subscriptions_) sum += room_->stats(id)->packetsForwarded;
    });
    return sum;
  }

 private:
  void onLoop(const std::function<void()>& fn) {
    std::promise<void> done;
    loop_->post([&] {
      fn();
      done.set_value();
    });
    done.get_future().wait();
  }
  void answer(const std::string& offer, bool publisher,
              const std::shared_ptr<std::promise<std::string>>& gathered) {
    Configuration configuration;
    configuration.includeLoopback = true;
    configuration.minBitrate = configuration.startBitrate = DataRate::kbps(30'000);
    configuration.maxBitrate = DataRate::kbps(100'000);
    PeerConnection pc = PeerConnection::create(loop_, configuration).value();
    connections_.push_back(pc);
    pc.onIceGatheringStateChange([pc, gathered](IceGatheringState state) {
      if (state == IceGatheringState::Complete) gathered->set_value(pc.localDescription()->sdp);
    });
    pc.setRemoteDescription({SdpType::Offer, offer}, [this, pc, publisher](Result<void>) mutable {
      RtpTransceiver transceiver = pc.getTransceivers().front();
      if (publisher) {
        video_ = *room_->publish(transceiver.receiver());
        return;
      }
      (void)transceiver.setDirection(TransceiverDirection::SendOnly);
      subscriptions_.push_back(*room_->subscribe(*video_, transceiver.sender()));
    });
    pc.setLocalDescription([](Result<void>) {});
  }

  std::shared_ptr<Loop> loop_;
  std::optional<Forwarder> room_;
  std::vector<PeerConnection> connections_;
  std::vector<SubscriptionId> subscriptions_;
  std::optional<PublicationId> video_;
};

}  // namespace
}  // namespace parley::bench

int main() {
  parley::bench::Server server;
  return parley::bench::runServer(server);
}
