#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "parley/base/driven.h"
#include "parley/base/ring_queue.h"
#include "parley/forwarding/dominant_speaker.h"
#include "parley/forwarding/forwarder.h"
#include "parley/forwarding/layer_allocator.h"

#include "forwarding/subscription.h"

namespace parley::forwarding {

/// The owner of everything. forwarder.cc: control, and the division of rates.
/// forwarder_packets.cc: the way of packets.
class Forwarder::Impl {
 public:
  explicit Impl(const Environment& environment)
      : environment_(environment),
        maxWaiting_(environment.limits.maxQueuedTransmits),
        events_(environment.limits.maxQueuedEvents) {}

  struct Peer {
    PeerId id{};
    std::optional<DataRate> estimate;
    Duration rtt;
    std::optional<DataRate> maxRate{};
  };
  struct Track {
    std::unique_ptr<Publication> publication;
    std::vector<Subscription*> subscriptions;
    // What has come in a row waits and goes to one subscription after the other, when it is polled:
    // the memory that one uses is used again for the next while it is near.
    std::vector<Arrival> arrivals{};
    size_t served = 0;  ///< of `subscriptions`: they have been given `arrivals`
  };

  Track* track(PublicationId id) {
    for (Track& track : tracks_) {
      if (track.publication->id() == id) return &track;
    }
    return nullptr;
  }
  Peer* peer(PeerId id) {
    for (Peer& peer : peers_) {
      if (peer.id == id) return &peer;
    }
    return nullptr;
  }
  Subscription* subscription(SubscriptionId id) const {
    for (const auto& subscription : subscriptions_) {
      if (subscription->id() == id) return subscription.get();
    }
    return nullptr;
  }

  void drop(const Subscription* subscription);
  void forgetOutput(const Subscription& subscription);
  void push(Subscription& subscription, media::PreparedPacket packet);
  void handlePacket(PublicationId id, std::string_view rid, PacketBuf packet, Timestamp now);
  void read(const Track& track, Arrival& arrival);
  static bool isTarget(const Track& track, uint8_t encoding);
  void introduce(const Track& track, uint8_t encoding, Timestamp now);
  bool isNews(const Track& track, const rtp::PacketView& view) const;
  void add(Track& track, Arrival arrival);
  void give(Subscription& subscription, Arrival& arrival, std::vector<media::PreparedPacket>& out);
  bool serveNext(Track& track, std::vector<media::PreparedPacket>& out);
  bool serveNext(SubscriptionId& of, std::vector<media::PreparedPacket>& out);
  void release(Track& track);
  void settle(Track& track);
  void settle();
  void handleMissing(SubscriptionId id, std::span<const uint16_t> sequences, Timestamp now);
  void advance(Timestamp now);
  void divide(Peer& peer, Timestamp now);
  void apply(Subscription& subscription, Publication& publication, const LayerDemand& demand,
             Timestamp now);
  void announce(Subscription& subscription);
  void wishForKeyFrame(Subscription& subscription, Publication& publication, Timestamp now);
  void sendWishes(Publication& publication, Timestamp now);
  void noteLevel(const Publication& publication, const rtp::PacketView& view, Timestamp now);

  static constexpr size_t kMaxWishes = 1024;

  const Environment& environment_;
  MonotonicGuard clock_;
  std::vector<Track> tracks_;
  std::vector<Peer> peers_;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  DominantSpeaker speaker_;
  uint32_t lastId_ = 0;
  Timestamp nextRound_ = Timestamp::never();
  Timestamp lastPacket_;
  // What leaves stands with its subscription, so that it leaves together.
  const size_t maxWaiting_;
  size_t waitingPackets_ = 0;
  size_t pendingPackets_ = 0;           ///< what arrivals may become, at most
  std::vector<Subscription*> waiting_;  ///< those that have packets, in no order
  RingQueue<KeyFrameWish> wishes_{kMaxWishes};
  RingQueue<ForwarderEvent> events_;
  ForwarderCounters counters_;
  // Reused, so that steady state does not allocate.
  std::vector<LayerDemand> demands_;
  std::vector<Subscription*> demanding_;
  std::vector<media::PreparedPacket> served_;
};

}  // namespace parley::forwarding
