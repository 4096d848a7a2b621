#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parley/base/seq_num.h"
#include "parley/forwarding/layer_allocator.h"
#include "parley/forwarding/types.h"

#include "forwarding/packet_cache.h"
#include "forwarding/packet_layers.h"

namespace parley::forwarding {

class Encoding;

/// The header of a packet as one receiver gets it; to others with the same extensions it differs in
/// numbers only.
struct WrittenHeader {
  static constexpr size_t kMaxSize = 96;

  std::array<uint8_t, kMaxSize> bytes;
  uint16_t size = 0;  ///< 0: there is none yet
  rtp::ExtensionMap extensions{};
  uint16_t transportSequenceAt = 0;
  uint16_t sendTimeAt = 0;
  uint16_t frameNumberAt = 0;  ///< in the dependency descriptor; 0: it has none
  uint16_t frameNumber = 0;    ///< there, as it arrived
};

/// A packet, and what it is: worked out once for all who get it.
struct Arrival {
  PacketBuf packet;
  rtp::PacketView view;  ///< of `packet`
  Encoding* source = nullptr;
  uint8_t encoding = 0;  ///< its number
  bool isReadable = false;
  int64_t sequence = 0;
  PacketLayers layers{};
  Timestamp time{};
  WrittenHeader written{};
};

/// One encoding of a publication: an SSRC of its own.
class Encoding {
 public:
  static constexpr size_t kSpatial = 4;
  static constexpr size_t kTemporal = 4;

  Encoding(uint32_t ssrc, std::string_view rid, const PublicationConfig& config,
           const PublicationConfig::Codec& codec);

  /// Of its codec.
  uint8_t payloadType() const { return codec_.payloadType; }
  const PublicationConfig::Codec& codec() const { return codec_; }
  /// Its packets come with another payload type, and count on: RFC 3550 section 5.1 lets the type
  /// change within a stream, and sound does so for every telephone event. True if what is known of
  /// its layers no longer holds.
  bool setCodec(const PublicationConfig& config, const PublicationConfig::Codec& codec);

  LayerReader::Reading read(const rtp::PacketView& view, PacketLayers& out) {
    return reader_.read(view, out);
  }
  bool takeStructureMissing() { return reader_.takeStructureMissing(); }
  bool bringsStructure(const rtp::PacketView& view) const { return reader_.bringsStructure(view); }
  /// The same for a packet of the cache: only the places of numbers in the payload.
  void reread(const rtp::PacketView& view, PacketLayers& out) const { reader_.reread(view, out); }
  int64_t note(const rtp::PacketView& view, const PacketLayers& layers, bool isVideo,
               Timestamp now);
  /// Moves the measuring window; to be called several times a second.
  void measure(Timestamp now);

  uint32_t ssrc() const { return ssrc_; }
  const std::string& rid() const { return rid_; }
  /// Its rates are known.
  bool isMeasured() const { return isMeasured_; }
  bool alive(Timestamp now) const { return now - lastPacket_ < Duration::seconds(2); }
  rtp::VideoSize size() const { return size_; }
  DataRate rate() const { return rateOf(kSpatial - 1, kTemporal - 1); }
  /// Of these layers and those below.
  DataRate rateOf(size_t spatial, size_t temporal) const;
  size_t spatialLayers() const { return spatialLayers_; }
  size_t temporalLayers() const { return temporalLayers_; }
  const std::optional<rtp::DependencyStructure>& structure() const { return reader_.structure(); }
  PacketCache& cache() { return *cache_; }

  // Requests for key frames, merged.
  void wantKeyFrame() { keyFrameWanted_ = true; }
  /// True if one is to be asked for now; counts it as asked.
  bool takeKeyFrameWish(Timestamp now);

 private:
  uint32_t ssrc_;
  std::string rid_;
  PublicationConfig::Codec codec_;
  LayerReader reader_;
  SeqUnwrapper<uint16_t> sequences_;
  std::unique_ptr<PacketCache> cache_;
  Timestamp lastPacket_;
  rtp::VideoSize size_;
  size_t spatialLayers_ = 1;
  size_t temporalLayers_ = 1;
  std::array<std::array<uint64_t, kTemporal>, kSpatial> bytes_{};
  std::array<std::array<double, kTemporal>, kSpatial> rates_{};
  Timestamp windowStart_;
  bool started_ = false;
  bool isMeasured_ = false;
  bool keyFrameWanted_ = false;
  Timestamp nextKeyFrameWish_;
};

/// One track that comes in, with all its encodings.
class Publication {
 public:
  static constexpr size_t kMaxEncodings = 4;

  Publication(PublicationId id, PublicationConfig config) : id_(id), config_(std::move(config)) {}

  PublicationId id() const { return id_; }
  const PublicationConfig& config() const { return config_; }
  bool isVideo() const { return config_.kind == media::MediaKind::Video; }
  /// Null if it is not known yet.
  const Encoding* find(const rtp::PacketView& packet) const;
  /// Known or new; null if there are too many, or for a payload type that is not configured.
  /// `isNew`: what was known under this number no longer holds.
  Encoding* encodingOf(const rtp::PacketView& packet, std::string_view rid, uint8_t& number,
                       bool& isNew, Timestamp now);
  void reconfigure(PublicationConfig config) { config_ = std::move(config); }
  /// Of the newest packet, but for telephone events, comfort noise and what else only accompanies a
  /// codec: the sound goes on after it as it was. Null until there is one.
  const PublicationConfig::Codec* codec() const { return codec_ ? &*codec_ : nullptr; }
  /// Whether a payload type means this codec, which may have several.
  bool isOfCodec(uint8_t payloadType, const PublicationConfig::Codec& codec) const;
  Encoding& encoding(uint8_t number) { return *encodings_[number]; }
  const std::vector<std::unique_ptr<Encoding>>& encodings() const { return encodings_; }
  void measure(Timestamp now);
  /// All ways to send it that are worth having, cheapest first, up to `limit`.
  void options(Timestamp now, const std::optional<uint32_t>& maxHeight,
               std::vector<LayerOption>& out) const;

 private:
  /// kMaxEncodings if there is none.
  size_t freePlace(Timestamp now) const;
  void noteCodec(const PublicationConfig::Codec& codec);

  PublicationId id_;
  PublicationConfig config_;
  std::vector<std::unique_ptr<Encoding>> encodings_;
  std::optional<PublicationConfig::Codec> codec_;
};

}  // namespace parley::forwarding
