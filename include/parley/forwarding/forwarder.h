#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "parley/base/environment.h"
#include "parley/base/export.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/result.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/forwarding/types.h"

// forwarding: what a server needs to pass on media without decoding it: receive once, send to many.
// May use base, rtp and media's value types; knows nothing of connections. Whoever has them puts
// packets in and takes packets out (api does it for PeerConnections).
//
// In:  handlePacket -> Encoding (layers, rates, cache) -> every Subscription: LayerSelector
// Out: pollPacket, rewritten per peer; one copy of the bytes for each, one in the cache for all

namespace parley::forwarding {

/// Forwards any number of publications to any number of peers.
///
/// A machine (src/README.md, rules M1 to M10). Thread-compatible. Steady-state packets do not
/// allocate. Bounds: four encodings per publication (a silent one makes room), the last 1024
/// packets of each for a second (64 of sound), Limits::maxQueuedTransmits packets and
/// Limits::maxQueuedEvents events that wait to be polled (then the newest are dropped and counted),
/// one key frame request per 300 ms and encoding, 250 kB of repetitions per second and
/// subscription.
class PARLEY_EXPORT Forwarder {
 public:
  explicit Forwarder(const Environment& environment);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // --- control
  PublicationId addPublication(const PublicationConfig& config);
  /// With all its subscriptions.
  void removePublication(PublicationId id);
  PeerId addPeer();
  /// With all its subscriptions.
  void removePeer(PeerId id);
  /// Errors: NotFound.
  Result<SubscriptionId> subscribe(PeerId peer, PublicationId publication,
                                   const SubscriptionConfig& config, Timestamp now);
  void unsubscribe(SubscriptionId id);
  /// Payload type, extensions and so on after a renegotiation; the numbering goes on. Errors:
  /// NotFound.
  Result<void> reconfigure(SubscriptionId id, const SubscriptionConfig& config, Timestamp now);
  /// The same for a publication. Encodings heard before stay. Errors: NotFound.
  Result<void> reconfigure(PublicationId id, const PublicationConfig& config);
  void setPaused(SubscriptionId id, bool paused, Timestamp now);
  /// Encodings whose shorter side is longer are not chosen; if all are, the smallest is.
  void setMaxHeight(SubscriptionId id, std::optional<uint32_t> height, Timestamp now);
  /// All that the peer gets together, whatever its path carries; nothing: no limit.
  void setMaxRate(PeerId id, std::optional<DataRate> rate, Timestamp now);

  // --- input
  /// A packet as decrypted, with retransmission undone. `rid` may be empty.
  void handlePacket(PublicationId publication, std::string_view rid, PacketBuf packet,
                    Timestamp now);
  /// What the peer's path carries of ours, all subscriptions together; nothing is known before the
  /// first call, and all is sent. Sound is taken off it first.
  void handleEstimate(PeerId peer, DataRate rate, Timestamp now);
  void handleRoundTrip(PeerId peer, Duration rtt);
  /// The peer asks for packets again (RFC 4585 section 6.2.1).
  void handleMissing(SubscriptionId subscription, std::span<const uint16_t> sequences,
                     Timestamp now);
  /// The peer cannot go on without a key frame.
  void handleKeyFrameRequest(SubscriptionId subscription, Timestamp now);
  void advance(Timestamp now);
  Timestamp nextDeadline() const;

  // --- output
  /// For each subscription in order.
  bool pollPacket(ForwardedPacket& out);
  /// All that waits for one subscription; `out` is replaced. To be given the same one again, so
  /// that its memory goes round.
  bool pollPackets(SubscriptionId& of, std::vector<media::PreparedPacket>& out);
  /// So much waits that the next packets may be dropped.
  bool isCrowded() const;
  bool pollKeyFrameWish(KeyFrameWish& out);
  bool pollEvent(ForwarderEvent& out);

  // --- observation
  std::optional<PublicationId> dominantSpeaker() const;
  void encodings(PublicationId id, Timestamp now, std::vector<EncodingStats>& out) const;
  std::optional<SubscriptionStats> stats(SubscriptionId id) const;
  /// The codec of what came last, its name as configured: not of what only accompanies a codec, as
  /// telephone events and comfort noise do.
  std::optional<std::string> codecOf(PublicationId id) const;
  const ForwarderCounters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace parley::forwarding
