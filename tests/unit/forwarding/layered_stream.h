#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "parley/rtp/extensions/dependency_descriptor.h"
#include "parley/rtp/extensions/dependency_writer.h"

#include "unit/forwarding/forwarding_fixture.h"

// A stream cut into layers with a dependency descriptor on every packet, and a receiver that knows
// of it nothing but what its packets say.

namespace parley::forwarding::test {

constexpr uint8_t kTheirDescriptor = 5;
constexpr uint8_t kOurDescriptor = 11;

inline rtp::ExtensionMap withDescriptor(rtp::ExtensionMap map, uint8_t id) {
  map.add(rtp::ExtensionKind::DependencyDescriptor, id);
  return map;
}

/// Pictures of some layers: each frame refers to the layer below in its picture and to the last
/// frame of its own spatial layer that is not above it in time.
class LayeredSender {
 public:
  LayeredSender(ForwardingWorld& world, uint32_t ssrc, std::string codec,
                rtp::DependencyLayers layers, uint16_t firstFrame = 65'530)
      : world_(world),
        ssrc_(ssrc),
        codec_(std::move(codec)),
        layers_(layers),
        packetizer_(rtp::createPacketizer(codec_, {1})),
        frame_(firstFrame),
        sequence_(static_cast<uint16_t>(65'500 + ssrc)),
        timestamp_(world.random.u32()) {
    writer_.setLayers(layers_);
  }

  std::vector<PacketBuf> picture(bool forceKey = false, std::optional<uint32_t> timestamp = {}) {
    const bool key = forceKey || pictures_++ == 0;
    if (key) phase_ = 0;
    static constexpr uint8_t kPattern[3][4] = {{0, 0, 0, 0}, {0, 1, 0, 1}, {0, 2, 1, 2}};
    const uint8_t temporal = kPattern[layers_.temporal - 1][phase_++ % 4];
    timestamp_ = timestamp.value_or(timestamp_ + 3000);
    std::vector<PacketBuf> out;
    for (uint8_t s = 0; s < layers_.spatial; ++s) addFrame(s, temporal, key, out);
    ++pictureId_;
    return out;
  }
  uint32_t ssrc() const { return ssrc_; }

 private:
  void addFrame(uint8_t spatial, uint8_t temporal, bool key, std::vector<PacketBuf>& out) {
    rtp::DependencyFrame frame;
    frame.number = frame_++;
    frame.keyFrame = key;
    frame.spatialId = spatial;
    frame.temporalId = temporal;
    if (spatial > 0) frame.frameDiffs.push_back(1);
    if (!key) {
      uint16_t nearest = 0;
      for (uint8_t t = 0; t <= std::min<uint8_t>(temporal, 1); ++t) {
        const auto distance = static_cast<uint16_t>(frame.number - last_[spatial][t]);
        // A base frame refers to base frames; what is above it, to the newest below the top.
        if ((t == 0 || temporal == 2) && (nearest == 0 || distance < nearest)) nearest = distance;
      }
      frame.frameDiffs.push_back(nearest);
    }
    if (temporal < 2) last_[spatial][temporal] = frame.number;
    if (key) last_[spatial][1] = frame.number;
    rtp::FrameDescription description;
    const Bytes data = bytes(spatial, key, description);
    const size_t count = packetizer_->begin(data, description, 900);
    ASSERT_GT(count, 0u);
    for (size_t i = 0; i < count; ++i) {
      const bool isEnd = i + 1 == count && spatial + 1 == layers_.spatial;
      out.push_back(packet(frame, i == 0, i + 1 == count, isEnd));
    }
  }
  PacketBuf packet(const rtp::DependencyFrame& frame, bool first, bool last, bool marker) {
    PacketBuf out = world_.pool.allocate();
    rtp::PacketWriter writer(out, {96, marker, sequence_++, timestamp_, ssrc_}, {},
                             rtp::ExtensionForm::TwoByte);
    writer.add<rtp::Mid>(publisherExtensions(), "v");
    uint8_t descriptor[rtp::DependencyWriter::kMaxSize];
    const size_t size = writer_.write(frame, first, last, descriptor);
    EXPECT_TRUE(writer.addRaw(kTheirDescriptor, {descriptor, size}));
    writer.finish(packetizer_->next(writer.beginPayload()));
    return out;
  }
  /// Some frame of the codec, of two packets.
  Bytes bytes(uint8_t spatial, bool key, rtp::FrameDescription& description) {
    description.keyFrame = key && spatial == 0;
    Bytes out;
    if (codec_ == "AV1") {
      out = {0x32, 0xdc, 0x0b};  // OBU_FRAME with a size of 1500
    } else if (codec_ == "H264") {
      if (key) out = {0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80};
      append(out, {0, 0, 0, 1, uint8_t{key ? uint8_t{0x65} : uint8_t{0x41}}, 0x9a});
    } else if (codec_ == "H265") {
      append(out, {0, 0, 0, 1, uint8_t{key ? uint8_t{19 << 1} : uint8_t{1 << 1}}, 1, 0x80});
    } else {
      rtp::Vp9Descriptor vp9;
      vp9.interPicturePredicted = !key;
      vp9.flexible = true;
      vp9.pictureId = static_cast<uint16_t>(pictureId_ & 0x7fff);
      vp9.hasLayers = true;
      vp9.spatialId = spatial;
      vp9.interLayerPredicted = spatial > 0;
      if (!key) vp9.referenceDiffs.push_back(1);
      description.codec = vp9;
    }
    out.resize(out.size() + 1500, 0x55);
    return out;
  }
  static void append(Bytes& out, const Bytes& more) {
    out.insert(out.end(), more.begin(), more.end());
  }

  ForwardingWorld& world_;
  uint32_t ssrc_;
  std::string codec_;
  rtp::DependencyLayers layers_;
  rtp::DependencyWriter writer_;
  std::unique_ptr<rtp::Packetizer> packetizer_;
  uint16_t frame_;
  uint16_t sequence_;
  uint32_t timestamp_;
  uint16_t pictureId_ = 32'765;
  uint16_t last_[3][2] = {};
  size_t phase_ = 0;
  size_t pictures_ = 0;
};

/// Puts frames together by their descriptors alone and counts those whose references it has.
class LayeredViewer {
 public:
  explicit LayeredViewer(const std::string& codec)
      : depacketizer_(rtp::createDepacketizer(codec)) {}

  void take(const PacketBuf& packet) {
    const auto view = rtp::PacketView::parse(packet.span());
    ASSERT_TRUE(view);
    const int64_t sequence = sequences_.unwrap(view->sequenceNumber());
    EXPECT_TRUE(seen_.insert(sequence).second) << "a number twice";
    if (view->payload().empty()) return;
    EXPECT_EQ(view->extensionProfile(), rtp::ExtensionReader::kTwoByteProfile);
    rtp::PayloadInfo info;
    ASSERT_TRUE(depacketizer_->parse(view->payload(), info));
    const auto bytes = view->extension(kOurDescriptor);
    ASSERT_TRUE(bytes);
    rtp::DependencyDescriptorValue value;
    ASSERT_TRUE(rtp::DependencyDescriptor::parse(*bytes, structure_, value));
    const int64_t number = numbers_.unwrap(value.frameNumber);
    Frame& frame = frames_[number];
    if (value.startOfFrame) {
      frame.first = sequence;
      frame.key = value.hasStructure;
    }
    if (value.endOfFrame) frame.last = sequence;
    frame.references = referencesOf(*bytes, value.hasStructure);
    frame.packets.insert(sequence);
    if (frame.last - frame.first + 1 != static_cast<int64_t>(frame.packets.size())) return;
    finish(number, frame, value);
    const int64_t time = timestamps_.unwrap(view->timestamp());
    if (newestTime_ && time != *newestTime_) EXPECT_TRUE(ended_) << "a picture without its end";
    newestTime_ = time;
    ended_ = view->marker();
  }
  size_t holes() const {
    if (seen_.empty()) return 0;
    return static_cast<size_t>(*seen_.rbegin() - *seen_.begin() + 1) - seen_.size();
  }
  /// Frames of (spatial, temporal) since the last call.
  std::map<std::pair<int, int>, size_t> takeDecoded() { return std::exchange(decoded_, {}); }

  size_t undecodable = 0;
  size_t keyFrames = 0;
  std::vector<int64_t> numbers;  ///< of frames, in order of their ends

 private:
  struct Frame {
    int64_t first = -1, last = -1;
    bool key = false;
    std::vector<uint16_t> references;
    std::set<int64_t> packets;
  };
  /// The syntax of appendix A.8 as DependencyWriter uses it: flags, then what the frame refers to.
  static std::vector<uint16_t> referencesOf(ByteSpan bytes, bool hasStructure) {
    std::vector<uint16_t> out;
    if (hasStructure || bytes.size() <= rtp::DependencyDescriptor::kMinSize) return out;
    size_t at = 24;
    const auto bits = [&](unsigned width) {
      unsigned value = 0;
      for (; width > 0; --width, ++at) value = value << 1 | (bytes[at / 8] >> (7 - at % 8) & 1u);
      return value;
    };
    bits(3);
    const bool refers = bits(1) != 0;
    bits(1);
    while (refers) {
      const unsigned octets = bits(2);
      if (octets == 0) break;
      out.push_back(static_cast<uint16_t>(bits(4 * octets) + 1));
    }
    return out;
  }
  void finish(int64_t number, const Frame& frame, const rtp::DependencyDescriptorValue& value) {
    numbers.push_back(number);
    bool decodable = frame.key || !frame.references.empty();
    for (const uint16_t distance : frame.references)
      decodable = decodable && complete_.contains(number - distance);
    if (!decodable) {
      ++undecodable;
      return;
    }
    if (frame.key) {
      ++keyFrames;
      complete_.clear();
    }
    complete_.insert(number);
    ++decoded_[{value.spatialId, value.temporalId}];
  }

  std::unique_ptr<rtp::Depacketizer> depacketizer_;
  std::optional<rtp::DependencyStructure> structure_;
  SeqUnwrapper<uint16_t> sequences_;
  SeqUnwrapper<uint16_t> numbers_;
  SeqUnwrapper<uint32_t> timestamps_;
  std::set<int64_t> seen_;
  std::map<int64_t, Frame> frames_;
  std::set<int64_t> complete_;
  std::optional<int64_t> newestTime_;
  bool ended_ = false;
  std::map<std::pair<int, int>, size_t> decoded_;
};

}  // namespace parley::forwarding::test
