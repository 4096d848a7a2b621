// Header extensions that tell of layers, of what a picture shows and of when it was taken.

#include <gtest/gtest.h>

#include "parley/rtp/extensions/all.h"

#include "media/send_stream_impl.h"

namespace parley::media {
namespace {

class LayerExtensions : public ::testing::Test {
 protected:
  LayerExtensions() {
    pacer_.setRates({DataRate::kbps(100'000), DataRate::zero()}, now_);
    config_.codec = "VP8";
    config_.payloadType = 96;
    config_.extensions.add(rtp::ExtensionKind::DependencyDescriptor, 12);
    config_.extensions.add(rtp::ExtensionKind::VideoLayersAllocation, 7);
    config_.extensions.add(rtp::ExtensionKind::ContentType, 6);
    stream_ = std::make_unique<SendStream>(environment_, SendStreamId{1}, config_, 1200);
  }
  void update() { stream_->update(config_); }

  std::vector<PacketBuf> send(const codec::EncodedVideoFrame& frame) {
    EXPECT_EQ(stream_->sendVideo(frame, pacer_, now_), SendStream::Accepted::Yes);
    std::vector<PacketBuf> out;
    PacedPacket paced;
    int32_t probe = -1;
    while (pacer_.queuedBytes() > 0) {
      while (pacer_.pop(paced, probe, now_)) out.push_back(std::move(paced.data));
      now_ += Duration::millis(1);
    }
    return out;
  }
  static codec::EncodedVideoFrame vp8(bool key, uint8_t temporal, bool sync = false,
                                      size_t size = 100) {
    codec::EncodedVideoFrame out;
    out.data = Bytes(size, 1);
    out.keyFrame = key;
    out.width = 640;
    out.height = 360;
    out.temporalId = temporal;
    out.temporalLayers = 3;
    codec::Vp8Info info;
    info.layerSync = sync;
    out.info = info;
    return out;
  }
  /// The descriptor of a packet; nothing without one.
  std::optional<rtp::DependencyDescriptorValue> descriptorOf(const PacketBuf& packet) {
    const auto view = rtp::PacketView::parse(packet.span());
    const auto bytes = view->extension(12);
    rtp::DependencyDescriptorValue value;
    if (!bytes || !rtp::DependencyDescriptor::parse(*bytes, structure_, value)) return std::nullopt;
    return value;
  }

  SeededRandom random_{1};
  PacketPool pool_;
  Environment environment_{random_, pool_};
  SendStreamConfig config_;
  Pacer pacer_{1000};
  std::unique_ptr<SendStream> stream_;
  std::optional<rtp::DependencyStructure> structure_;
  Timestamp now_ = Timestamp::seconds(10);
};

TEST_F(LayerExtensions, TemporalLayersAreDescribed) {
  const uint8_t pattern[] = {0, 2, 1, 2, 0, 2};
  for (size_t i = 0; i < 6; ++i) {
    const auto packets = send(vp8(i == 0, pattern[i], i == 1 || i == 2, 3000));
    ASSERT_EQ(packets.size(), 3u);
    for (size_t p = 0; p < packets.size(); ++p) {
      const auto value = descriptorOf(packets[p]);
      ASSERT_TRUE(value);
      EXPECT_EQ(value->hasStructure, i == 0 && p == 0);
      EXPECT_EQ(value->startOfFrame, p == 0);
      EXPECT_EQ(value->endOfFrame, p == 2);
      EXPECT_EQ(value->frameNumber, i);
      EXPECT_EQ(value->temporalId, pattern[i]);
    }
  }
  EXPECT_EQ(structure_->targets.size(), 3u);
}

TEST_F(LayerExtensions, ReferencesFollowTheLayers) {
  FrameReferences references;
  const auto diffs = [&](const codec::EncodedVideoFrame& frame) {
    const rtp::DependencyFrame out = references.next(frame);
    return std::vector<uint16_t>(out.frameDiffs.begin(), out.frameDiffs.end());
  };
  using List = std::vector<uint16_t>;
  EXPECT_EQ(diffs(vp8(true, 0)), List{});
  EXPECT_EQ(diffs(vp8(false, 2, true)), List{1});
  EXPECT_EQ(diffs(vp8(false, 1, true)), List{2});
  EXPECT_EQ(diffs(vp8(false, 2)), (List{3, 1, 2}));
  EXPECT_EQ(diffs(vp8(false, 0)), List{4});
  EXPECT_EQ(diffs(vp8(false, 1, true)), List{1});
  EXPECT_EQ(diffs(vp8(true, 0)), List{});
  codec::EncodedVideoFrame upper = vp8(false, 0);
  codec::Vp9Info info;
  info.spatialLayers = 2;
  info.interLayerPredicted = true;
  upper.spatialId = 1;
  upper.info = info;
  EXPECT_EQ(diffs(upper), List{1}) << "upper layer of a key picture";
}

TEST_F(LayerExtensions, StructuresOfSpatialLayersTakeTheTwoByteForm) {
  config_.codec = "VP9";
  config_.mixedForms = true;
  update();
  codec::EncodedVideoFrame frame = vp8(true, 0);
  codec::Vp9Info info;
  info.spatialLayers = 3;
  info.layerSizes = {{{160, 90}, {320, 180}, {640, 360}}};
  info.endOfPicture = false;
  frame.info = info;
  const auto packets = send(frame);
  const auto view = rtp::PacketView::parse(packets[0].span());
  EXPECT_EQ(view->extensionProfile(), rtp::ExtensionReader::kTwoByteProfile);
  const auto value = descriptorOf(packets[0]);
  ASSERT_TRUE(value && value->hasStructure);
  EXPECT_EQ(structure_->targets.size(), 9u);
  EXPECT_EQ(structure_->sizes[2].width, 640);
  frame.keyFrame = false;
  info.interPicturePredicted = true;
  frame.info = info;
  const auto delta = send(frame);
  EXPECT_EQ(rtp::PacketView::parse(delta[0].span())->extensionProfile(),
            rtp::ExtensionReader::kOneByteProfile);
}

TEST_F(LayerExtensions, TheAllocationIsToldWithKeyFramesAndChanges) {
  config_.mixedForms = true;
  update();
  rtp::VideoLayersAllocationValue layers;
  for (uint8_t i = 0; i < 3; ++i) {
    rtp::VideoLayersAllocationValue::Layer layer;
    layer.stream = i;
    layer.rates.push_back(100u << i);
    layer.size = {static_cast<uint16_t>(160 << i), static_cast<uint16_t>(90 << i)};
    layers.layers.push_back(layer);
  }
  stream_->setLayersAllocation(layers);
  const auto told = [&](const PacketBuf& packet) {
    return rtp::getExtension<rtp::VideoLayersAllocation>(*rtp::PacketView::parse(packet.span()),
                                                         config_.extensions);
  };
  const auto first = send(vp8(true, 0, false, 3000));
  ASSERT_TRUE(told(first[0]));
  EXPECT_TRUE(*told(first[0]) == layers);
  EXPECT_FALSE(told(first[1]));
  EXPECT_FALSE(told(send(vp8(false, 0))[0]));
  layers.layers.pop_back();
  stream_->setLayersAllocation(layers);
  EXPECT_TRUE(told(send(vp8(false, 0))[0]));
  EXPECT_FALSE(told(send(vp8(false, 0))[0]));
  now_ += Duration::seconds(3);
  EXPECT_TRUE(told(send(vp8(false, 0))[0])) << "for who missed it";
}

TEST_F(LayerExtensions, ScreensSayThatTheyAre) {
  const auto typeOf = [&](const PacketBuf& packet) {
    return rtp::getExtension<rtp::ContentType>(*rtp::PacketView::parse(packet.span()),
                                               config_.extensions);
  };
  codec::EncodedVideoFrame frame = vp8(true, 0, false, 3000);
  EXPECT_FALSE(typeOf(send(frame).back()));
  frame.screenContent = true;
  const auto packets = send(frame);
  EXPECT_FALSE(typeOf(packets.front()));
  EXPECT_EQ(typeOf(packets.back()), rtp::VideoContentType::Screenshare);
}

}  // namespace
}  // namespace parley::media
