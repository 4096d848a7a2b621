#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "parley/base/environment.h"
#include "parley/forwarding/types.h"
#include "parley/rtp/packet_writer.h"

#include "forwarding/layer_selector.h"
#include "forwarding/publication.h"
#include "forwarding/sequence_map.h"

namespace parley::forwarding {

/// A publication on its way to one peer: which packets, under which numbers. Their bytes stay in
/// the publication's cache; what is kept here of a packet is what differs for this peer.
class Subscription {
 public:
  Subscription(const Environment& environment, SubscriptionId id, PeerId peer,
               Publication& publication, SubscriptionConfig config);

  SubscriptionId id() const { return id_; }
  PeerId peer() const { return peer_; }
  PublicationId publication() const { return publication_; }
  const SubscriptionConfig& config() const { return config_; }
  LayerSelector& selector() { return selector_; }
  const LayerSelector& selector() const { return selector_; }

  enum class Outcome : uint8_t { NotOurs, LeftOut, Written, NoBuffer };
  /// Writes the packet as this peer is to get it.
  Outcome forward(Arrival& arrival, media::PreparedPacket& out);

  /// The packet is of no use to anybody: takes no number.
  Outcome leaveOut(const Arrival& arrival);
  void mapExtensions(const PublicationConfig& source);
  void reconfigure(const SubscriptionConfig& config, const PublicationConfig& source);
  /// Another source has taken the place of this encoding: its numbers are others.
  void forget(uint8_t encoding);

  enum class Answer : uint8_t { Written, Gone, Refused };
  /// Writes again what the peer misses. `source` is the publication's.
  Answer repeat(uint16_t sequence, Publication& source, Duration rtt, Timestamp now,
                media::PreparedPacket& out);

  SubscriptionStats& stats() { return stats_; }
  const SubscriptionStats& stats() const { return stats_; }

  // What the app wants.
  bool paused = false;
  std::optional<uint32_t> maxHeight;
  // The last division of the peer's rate.
  Timestamp loweredAt;
  bool wasLowered = false;
  std::optional<LayerChoice> announced;
  // What waits to be polled.
  std::vector<media::PreparedPacket> output;
  size_t outputTaken = 0;

 private:
  static constexpr size_t kSent = 1024;
  static constexpr uint32_t kMidPackets = 64;
  /// How the numbers of a packet differ from those it came with.
  struct Rewrite {
    uint32_t timestampOffset = 0;
    uint16_t pictureIdOffset = 0;
    uint8_t tl0Offset = 0;
    uint16_t frameOffset = 0;
  };
  struct Sent {
    int64_t out = -1;
    int64_t source = 0;
    Rewrite rewrite;
    uint32_t ssrc = 0;  ///< the source's: another one may have taken the place of the encoding
    uint8_t encoding = 0;
    bool marker = false;
    bool isFiller = false;
    bool badDescriptor = false;
    Timestamp last;
  };
  void goOnAfter(const std::optional<media::SentPosition>& position);
  void beginEncoding(const Arrival& arrival);
  void noteFrame(const Arrival& arrival, const LayerSelector::Decision& decision);
  void noteFiller(int64_t out, const Arrival& arrival);
  bool write(const rtp::PacketView& view, const PacketLayers& layers, const Sent& sent,
             media::PreparedPacket& out, WrittenHeader* written);
  bool copy(const WrittenHeader& written, const rtp::PacketView& view, const PacketLayers& layers,
            const Sent& sent, media::PreparedPacket& out);
  void reserveSendTimes(rtp::PacketWriter& writer, media::PreparedPacket& prepared) const;
  void passOnExtensions(rtp::PacketWriter& writer, const rtp::PacketView& view,
                        bool withoutDescriptor) const;
  static void rewritePayload(const PacketLayers& layers, const Rewrite& rewrite, uint8_t* payload);
  void rewriteFrameNumber(MutableByteSpan packet, const Rewrite& rewrite,
                          WrittenHeader& done) const;
  /// Whether the peer has negotiated it.
  bool takesCodec(const PublicationConfig::Codec& codec);
  Sent& sentAt(int64_t out) { return sent_[static_cast<size_t>(out) & (kSent - 1)]; }

  const Environment& environment_;
  SubscriptionId id_;
  PeerId peer_;
  PublicationId publication_;
  SubscriptionConfig config_;
  media::MediaKind kind_;
  rtp::ExtensionForm form_ = rtp::ExtensionForm::OneByte;
  /// By the publisher's id: ours, 0 to leave it out.
  std::array<uint8_t, 256> extensionIds_{};
  uint8_t sourceDescriptorId_ = 0;
  // The codec that came last, by its payload type, and what became of it.
  std::optional<uint8_t> knownCodec_;
  bool takesKnownCodec_ = false;
  LayerSelector selector_;
  SequenceMap sequences_;
  std::vector<Sent> sent_;
  Rewrite rewrite_;
  std::array<Rewrite, LayerSelector::kFrames> frameRewrites_{};
  bool started_ = false;
  // The newest that went out, for the next encoding to follow.
  uint32_t lastTimestamp_ = 0;
  Timestamp lastTime_;
  uint16_t lastPictureId_ = 0;
  uint8_t lastTl0_ = 0;
  uint16_t lastFrame_ = 0;
  uint32_t lastSourceTimestamp_ = 0;
  uint32_t packets_ = 0;
  double repeatBudget_ = 0;
  Timestamp budgetTime_;
  SubscriptionStats stats_;
};

}  // namespace parley::forwarding
