#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "parley/api/forwarder.h"
#include "parley/forwarding/forwarder.h"
#include "parley/jsep/session.h"

namespace parley::api_internal {

class LoopCore;
class PeerConnectionCore;

/// One room: the machine, and which transceivers it is wired to.
class ForwarderCore : public std::enable_shared_from_this<ForwarderCore> {
 public:
  explicit ForwarderCore(const Environment& environment) : forwarder(environment) {}

  struct Source {
    PublicationId id{};
    PeerConnectionCore* pc = nullptr;
    uint32_t transceiver = 0;
    MediaKind kind{};
    std::string codec;  ///< empty before the negotiation
  };
  struct Sink {
    SubscriptionId id{};
    PublicationId publication{};
    PeerConnectionCore* pc = nullptr;
    uint32_t transceiver = 0;
    bool connected = false;  ///< before that a key frame would be lost on the way
  };
  struct Peer {
    PeerConnectionCore* pc = nullptr;
    forwarding::PeerId id{};
  };
  Source* source(PublicationId id);
  Sink* sink(SubscriptionId id);

  forwarding::Forwarder forwarder;
  std::vector<Source> sources;
  std::vector<Sink> sinks;
  std::vector<Peer> peers;
  bool loaded = false;  ///< see ForwardingRuntime::feed
  std::function<void(std::optional<PublicationId>)> dominantSpeaker;
  std::function<void(SubscriptionId, std::optional<forwarding::LayerChoice>)> layersChanged;
};

/// All rooms of a loop: moves packets from the sessions of publishers through the rooms to those of
/// subscribers. Every member function is called with the loop's lock held.
class ForwardingRuntime {
 public:
  explicit ForwardingRuntime(LoopCore& loop) : loop_(loop) {}

  std::shared_ptr<ForwarderCore> makeRoom();
  Result<PublicationId> publish(const std::shared_ptr<ForwarderCore>& room, PeerConnectionCore& pc,
                                uint32_t transceiver);
  void unpublish(ForwarderCore& room, PublicationId id);
  Result<SubscriptionId> subscribe(const std::shared_ptr<ForwarderCore>& room,
                                   PublicationId publication, PeerConnectionCore& pc,
                                   uint32_t transceiver);
  void unsubscribe(ForwarderCore& room, SubscriptionId id);

  bool isPublished(const PeerConnectionCore& pc, uint32_t transceiver) const {
    return sources_.contains({&pc, transceiver});
  }
  bool isSubscribed(const PeerConnectionCore& pc, uint32_t transceiver) const {
    return sinks_.contains({&pc, transceiver});
  }

  /// Takes what the session has for rooms, and for packet sinks.
  void collect(PeerConnectionCore& pc, jsep::Session& session);
  /// A description has changed what the transceiver receives, or sends.
  void receiverConfigured(PeerConnectionCore& pc, uint32_t transceiver);
  void senderConfigured(PeerConnectionCore& pc, uint32_t transceiver);
  /// False if what the transceiver sends comes from no room.
  bool requestKeyFrame(PeerConnectionCore& pc, uint32_t transceiver);
  void forget(PeerConnectionCore& pc);
  /// What rooms have to do from time to time; answers when again.
  Timestamp run(Timestamp now);
  /// Hands on all that a room has produced.
  void drain(ForwarderCore& room, Timestamp now);
  /// Hands on some of what the rooms have for their subscribers, about so many packets, so that
  /// they leave before the next are made: their memory is used again while it is near. False if
  /// there was nothing.
  bool feed(size_t packets, Timestamp now);
  bool hasPackets() const { return !loaded_.empty(); }

 private:
  using Key = std::pair<const PeerConnectionCore*, uint32_t>;
  struct Place {
    std::shared_ptr<ForwarderCore> room;
    uint32_t id = 0;  ///< of the publication or subscription
  };
  void noteConnected(PeerConnectionCore& pc);
  void syncSource(ForwarderCore& room, ForwarderCore::Source& source);
  void syncSink(ForwarderCore& room, ForwarderCore::Sink& sink);
  forwarding::PeerId peerOf(ForwarderCore& room, PeerConnectionCore& pc);
  void tell(const std::shared_ptr<ForwarderCore>& room, const forwarding::ForwarderEvent& event);
  void markDirty(PeerConnectionCore& pc);
  void flushDirty(Timestamp now);
  void drainNews(ForwarderCore& room, Timestamp now);
  size_t feedNext(ForwarderCore& room, Timestamp now);
  void wakeUp(Timestamp now);

  LoopCore& loop_;
  std::map<Key, Place> sources_;
  std::map<Key, Place> sinks_;
  std::vector<std::weak_ptr<ForwarderCore>> rooms_;
  std::vector<PeerConnectionCore*> dirty_;  ///< their sessions were given packets
  std::vector<std::shared_ptr<ForwarderCore>> touched_;
  std::vector<std::shared_ptr<ForwarderCore>> loaded_;  ///< they may have packets
  size_t unconnected_ = 0;                              ///< sinks
  media::ReceivedPacket packet_;
  std::vector<media::PreparedPacket> packets_;
  bool running_ = false;
};

}  // namespace parley::api_internal
