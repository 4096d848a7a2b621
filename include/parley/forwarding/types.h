#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/strong_id.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/media/prepared_packet.h"
#include "parley/media/send_stream.h"
#include "parley/media/types.h"
#include "parley/rtp/extension_map.h"

namespace parley::forwarding {

/// One track that somebody sends to us.
using PublicationId = StrongId<struct PublicationIdTag>;
/// Somebody we send to, with a way through the network of their own.
using PeerId = StrongId<struct PeerIdTag>;
/// One publication as it is sent to one peer.
using SubscriptionId = StrongId<struct SubscriptionIdTag>;

/// Which part of a publication. Encodings (simulcast) are numbered as they appeared: see
/// Forwarder::encodings.
struct LayerChoice {
  uint8_t encoding = 0;
  uint8_t spatial = 0;  ///< of an encoding with spatial layers (SVC)
  uint8_t temporal = 0;
  bool operator==(const LayerChoice&) const = default;
};

/// What a publication brings.
struct PublicationConfig {
  media::MediaKind kind = media::MediaKind::Video;
  struct Codec {
    uint8_t payloadType = 0;
    std::string name;  ///< encoding name of SDP: "VP8"
    uint32_t clockRate = 90'000;
  };
  /// What may come.
  std::vector<Codec> codecs;
  /// As the sender writes them.
  rtp::ExtensionMap extensions;
};

/// How one peer takes a publication.
struct SubscriptionConfig {
  /// Packets of other codecs are left out.
  std::string codec;
  uint8_t payloadType = 0;
  uint32_t ssrc = 0;  ///< 0: not yet known; nothing is sent
  /// As the peer reads them. Of the publisher's, those that both have are passed on: audio levels,
  /// orientation, content type, playout delay, capture time, colour space, dependency descriptor.
  /// Transport sequence number and send time are reserved, for the sender of the packets to fill.
  rtp::ExtensionMap extensions;
  /// What the peer got last with this SSRC, from another subscription or from frames: the numbers
  /// go on from there, for SRTP and receivers take a jump back for packets that are too late.
  std::optional<media::SentPosition> after{};
  std::string mid;      ///< sent with the first packets
  double priority = 1;  ///< whose quality is raised first when the rate does not do for all
};

/// A packet for one peer, complete but for the send-time extensions.
struct ForwardedPacket : media::PreparedPacket {
  SubscriptionId subscription{};
};

/// To be asked of a publisher. At most one per 300 ms and encoding, however many want one.
struct KeyFrameWish {
  PublicationId publication{};
  uint32_t ssrc = 0;
};

/// Somebody else speaks; nothing: nobody has yet.
struct DominantSpeakerChanged {
  std::optional<PublicationId> publication;
};
/// What a subscription gets; nothing: paused, for there is no room for it or the app wants none.
struct LayersChanged {
  SubscriptionId subscription{};
  std::optional<LayerChoice> layers;
};
using ForwarderEvent = std::variant<std::monostate, DominantSpeakerChanged, LayersChanged>;

/// What arrives of one encoding.
struct EncodingStats {
  uint32_t ssrc = 0;    ///< of the publisher's
  std::string rid;      ///< empty unless the publisher names it so
  uint16_t width = 0;   ///< of its pictures; 0: not known
  uint16_t height = 0;  ///< likewise
  DataRate rate;        ///< all layers together, over the last second
  bool alive = false;   ///< packets came lately
};

/// What one subscription gets. Counts only grow.
struct SubscriptionStats {
  std::optional<LayerChoice> target;   ///< what it is to get; nothing: it is paused
  std::optional<LayerChoice> current;  ///< what it gets at present
  uint64_t packetsForwarded = 0;
  uint64_t bytesForwarded = 0;
  uint64_t packetsRepeated = 0;
  uint64_t packetsNotCached = 0;  ///< asked for again when they were gone
  uint64_t switches = 0;          ///< of encodings
};

/// Packets and requests that came to nothing, since the forwarder was made.
struct ForwarderCounters {
  uint64_t malformedPackets = 0;
  uint64_t badDescriptors = 0;      ///< dependency descriptors: malformed, or without a structure
  uint64_t unknownEncodings = 0;    ///< further SSRCs of a publication that has all it may
  uint64_t droppedNoBuffer = 0;     ///< the packet pool was empty
  uint64_t droppedQueueFull = 0;    ///< nobody polled
  uint64_t repetitionsRefused = 0;  ///< too many, or too soon after the last
};

}  // namespace parley::forwarding
