// The rules of every machine (support/machine_contract.h), for the forwarder.

#include "support/machine_contract.h"

#include "unit/forwarding/forwarding_fixture.h"

namespace parley::forwarding {
namespace {

using namespace parley::test;

/// Forwards a video of two layers to two peers.
class ForwarderContract final : public Contracted {
 public:
  ForwarderContract(uint64_t seed, bool) : world_(seed), forwarder_(world_.environment) {}
  static void introduce(ForwarderContract&, ForwarderContract&) {}

  void start(Timestamp now) override {
    publication_ = forwarder_.addPublication(test::videoPublication());
    for (uint32_t i = 0; i < 2; ++i) {
      const PeerId peer = forwarder_.addPeer();
      forwarder_.handleEstimate(peer, DataRate::kbps(200 + 300 * i), now);
      subscriptions_[i] =
          forwarder_.subscribe(peer, publication_, test::videoSubscription(i + 1), now).value();
    }
  }
  void work(int round, Timestamp now) override {
    for (PacketBuf& packet : sender_.frame(round % 10 == 0))
      forwarder_.handlePacket(publication_, "", std::move(packet), now);
    const uint16_t missing[] = {static_cast<uint16_t>(round), 7};
    forwarder_.handleMissing(subscriptions_[0], missing, now);
    if (round % 5 == 0) forwarder_.handleKeyFrameRequest(subscriptions_[1], now);
  }
  void handle(ByteSpan bytes, Timestamp now) override {
    forwarder_.handlePacket(publication_, "", world_.pool.copyOf(bytes), now);
  }
  bool pollDatagram(Bytes& out) override {
    ForwardedPacket packet;
    if (!forwarder_.pollPacket(packet)) return false;
    out = toBytes(packet.data.span());
    return true;
  }
  bool pollEvent(std::string& out) override {
    KeyFrameWish wish;
    if (forwarder_.pollKeyFrameWish(wish)) {
      out = "key frame of " + std::to_string(wish.ssrc);
      return true;
    }
    ForwarderEvent event;
    if (!forwarder_.pollEvent(event)) return false;
    out = "event " + std::to_string(event.index());
    return true;
  }
  void advance(Timestamp now) override { forwarder_.advance(now); }
  Timestamp nextDeadline() const override { return forwarder_.nextDeadline(); }

 private:
  ContractWorld world_;
  test::ForwardingWorld senderWorld_;
  test::Vp8Sender sender_{senderWorld_, 5, 2, 320, 2};
  Forwarder forwarder_;
  PublicationId publication_{};
  SubscriptionId subscriptions_[2];
};

// RTP without SRTP cannot tell a cut packet from a short one.
PARLEY_MACHINES(Forwarding, MachineCase{"Forwarder", pairOf<ForwarderContract>(), true, false});

}  // namespace
}  // namespace parley::forwarding
