#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "parley/api/rtp_transceiver.h"
#include "parley/base/export.h"
#include "parley/base/result.h"
#include "parley/base/units.h"
#include "parley/forwarding/types.h"

namespace parley {

class Loop;
class PeerConnection;
namespace api_internal {
class LoopCore;
class ForwarderCore;
}  // namespace api_internal

/// One track that somebody sends to the room.
using PublicationId = forwarding::PublicationId;
/// One publication as one sender gets it.
using SubscriptionId = forwarding::SubscriptionId;

/// A room of a server: passes on what receivers of some connections get to senders of others,
/// without decoding, all on one loop. Each subscriber gets the simulcast encoding and the layers
/// that its own path carries, missing packets from a cache that all share, and key frames that are
/// asked for once for all who need one. (See parley/forwarding/forwarder.h, which does the work.)
///
///     Forwarder room(loop);
///     publisher.onTrack([&](const TrackEvent& e) { id = *room.publish(e.receiver); });
///     TransceiverInit init{.direction = TransceiverDirection::SendOnly};
///     RtpTransceiver transceiver = viewer.addTransceiver(MediaKind::Video, init).value();
///     auto subscription = room.subscribe(id, transceiver.sender());
///
/// A handle; the room lives on while something is published or subscribed in it. Thread rules:
/// those of its Loop. For many peers give the loop Threading::Unlocked.
class PARLEY_EXPORT Forwarder {
 public:
  /// An empty room. Without a loop nothing can be published in it (Type), nor anything else happen.
  explicit Forwarder(const std::shared_ptr<Loop>& loop);

  /// From now on what the receiver gets is forwarded: its track stays silent. InvalidState if it is
  /// published already or has a packet sink, the peer has taken it away, or its connection is
  /// closed or on another loop; Type for an empty handle, here and below.
  Result<PublicationId> publish(const RtpReceiver& receiver);
  /// The receiver's track plays again, and the subscriptions of the publication end. A publication
  /// ends with its connection as well.
  void unpublish(PublicationId id);
  /// From now on the sender sends the publication, once both have negotiated its codec; it needs no
  /// track. InvalidState if it is subscribed already or has a transform, its transceiver has been
  /// removed, or its connection is closed or on another loop; NotFound for an unknown publication;
  /// Type for one of the other kind.
  Result<SubscriptionId> subscribe(PublicationId publication, const RtpSender& sender);
  /// The sender is free again. Nothing happens for an unknown id, here and below.
  void unsubscribe(SubscriptionId id);
  /// Nothing is sent while paused; a key frame is asked for when it goes on. Not paused at first.
  void setPaused(SubscriptionId id, bool paused);
  /// The height of the window that shows it, in pixels: no encoding is sent whose shorter side is
  /// longer, but the smallest if all are. Nothing, as at first: no limit.
  void setMaxHeight(SubscriptionId id, std::optional<uint32_t> height);

  /// All that one connection is sent from here together, whatever its path carries; nothing: no
  /// limit. Without effect on a connection that is subscribed to nothing.
  void setMaxBitrate(const PeerConnection& subscriber, std::optional<DataRate> rate);

  /// Somebody else speaks; nothing: nobody has yet. On the loop's thread, as is the next; an empty
  /// function removes one.
  void onDominantSpeaker(std::function<void(std::optional<PublicationId>)> callback);
  /// What a subscription gets; nothing: it is paused.
  void onLayersChanged(
      std::function<void(SubscriptionId, std::optional<forwarding::LayerChoice>)> callback);

  /// What arrives of a publication, in the order that LayerChoice::encoding counts; empty for an
  /// unknown id.
  std::vector<forwarding::EncodingStats> encodings(PublicationId id) const;
  /// What a subscription gets; nothing for an unknown id.
  std::optional<forwarding::SubscriptionStats> stats(SubscriptionId id) const;
  /// Of the whole room, since it was made.
  forwarding::ForwarderCounters counters() const;

 private:
  std::shared_ptr<api_internal::LoopCore> loop_;
  std::shared_ptr<api_internal::ForwarderCore> core_;
};

}  // namespace parley
