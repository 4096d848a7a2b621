#include <map>

#include <gtest/gtest.h>

#include "parley/codec/factories.h"
#include "parley/codec/generators.h"
#include "parley/codec/video_codec.h"

namespace parley::codec {
namespace {

TEST(ScalabilityMode, NamesAreThoseOfWebrtcSvc) {
  EXPECT_EQ(parseScalabilityMode("L1T1"), (ScalabilityMode{1, 1, false}));
  EXPECT_EQ(parseScalabilityMode("L1T3"), (ScalabilityMode{1, 3, false}));
  EXPECT_EQ(parseScalabilityMode("L3T2_KEY"), (ScalabilityMode{3, 2, true}));
  EXPECT_EQ(parseScalabilityMode("S3T2"), (ScalabilityMode{3, 2, false, true, false}));
  EXPECT_EQ(parseScalabilityMode("L2T1h"), (ScalabilityMode{2, 1, false, false, true}));
  EXPECT_EQ(parseScalabilityMode("S2T3h"), (ScalabilityMode{2, 3, false, true, true}));
  for (const char* name :
       {"", "L", "S", "L4T1", "L1T4", "L0T1", "l1t1", "S1T1", "L1T1h", "L1T1_KEY", "S2T1_KEY",
        "L2T1h_KEY", "L2T1_KEYh", "L2T1_KEY_SHIFT", "L1T1 ", "TotalNonsense"}) {
    EXPECT_FALSE(parseScalabilityMode(name)) << name;
  }
}

TEST(ScalabilityMode, BuiltinCodecsListOnlyKnownOnes) {
  for (const SdpVideoFormat& format : builtinVideoEncoders()->supportedFormats()) {
    EXPECT_EQ(format.scalabilityModes.size(), format.name == "VP9" ? 25u : 3u);
    for (const std::string& mode : format.scalabilityModes)
      EXPECT_TRUE(parseScalabilityMode(mode)) << mode;
  }
}

struct Case {
  int spatial;
  int temporal;
  bool keyOnly;
  bool independent = false;
  bool smallSteps = false;
};

class SpatialLayers : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (builtinVideoEncoders()->supportedFormats().empty()) GTEST_SKIP() << "built without libvpx";
  }
};

const Vp9Info& infoOf(const EncodedVideoFrame& frame) {
  return std::get<Vp9Info>(frame.info);
}

// Any number of the lower spatial layers of a picture is a picture; the layers above may be
// dropped.
TEST_P(SpatialLayers, EachNumberOfLayersDecodes) {
  const Case& c = GetParam();
  VideoEncoderSettings settings;
  settings.width = 320;
  settings.height = 180;
  settings.spatialLayers = c.spatial;
  settings.temporalLayers = c.temporal;
  settings.keyOnly = c.keyOnly;
  settings.independent = c.independent;
  settings.smallSteps = c.smallSteps;
  settings.startBitrate = DataRate::kbps(600);
  settings.dropFrames = false;
  const SdpVideoFormat format{"VP9", {{"profile-id", "0"}}};
  auto encoder = builtinVideoEncoders()->create(format, settings).value();
  std::vector<std::unique_ptr<VideoDecoder>> decoders;
  for (int i = 0; i < c.spatial; ++i)
    decoders.push_back(builtinVideoDecoders()->create(format, {}).value());
  TestPattern pattern(320, 180);
  std::map<int, int> temporal;
  for (int n = 0; n < 12; ++n) {
    const bool key = n == 0 || n == 7;
    ASSERT_TRUE(encoder->encode(pattern.next(Timestamp() + Duration::millis(33) * n), key));
    std::vector<EncodedVideoFrame> layers;
    EncodedVideoFrame frame;
    while (encoder->poll(frame)) layers.push_back(std::move(frame));
    ASSERT_EQ(layers.size(), static_cast<size_t>(c.spatial)) << "picture " << n;
    ++temporal[layers[0].temporalId];
    for (int top = 0; top < c.spatial; ++top) {
      const EncodedVideoFrame& layer = layers[static_cast<size_t>(top)];
      EXPECT_EQ(layer.spatialId, top);
      EXPECT_EQ(layer.keyFrame, key);
      EXPECT_EQ(layer.temporalId, layers[0].temporalId);
      EXPECT_EQ(infoOf(layer).endOfPicture, top + 1 == c.spatial);
      EXPECT_EQ(infoOf(layer).interPicturePredicted, !key);
      EXPECT_EQ(infoOf(layer).interLayerPredicted,
                top > 0 && !c.independent && (key || !c.keyOnly));
      // With layers that build on each other only in key frames, the others are not needed.
      Bytes data;
      for (int i = c.keyOnly && !key ? top : 0; i <= top; ++i) {
        const Bytes& part = layers[static_cast<size_t>(i)].data;
        data.insert(data.end(), part.begin(), part.end());
      }
      EncodedVideoView view;
      view.data = data;
      view.keyFrame = key;
      VideoFrame out;
      ASSERT_EQ(decoders[static_cast<size_t>(top)]->decode(view, out), DecodeStatus::Ok)
          << "picture " << n << ", layers up to " << top;
      EXPECT_EQ(out.width(), layer.width);
      EXPECT_EQ(out.height(), layer.height);
      if (key) {
        EXPECT_EQ(infoOf(layers[0]).layerSizes[static_cast<size_t>(top)].width, out.width());
      }
    }
    EXPECT_EQ(layers.back().width, 320);
    if (c.spatial == 2) {
      EXPECT_EQ(layers.front().width, c.smallSteps ? 214 : 160);
    }
  }
  EXPECT_EQ(temporal.size(), static_cast<size_t>(c.temporal));
}

INSTANTIATE_TEST_SUITE_P(Modes, SpatialLayers,
                         ::testing::Values(Case{2, 1, false}, Case{3, 3, false}, Case{3, 3, true},
                                           Case{2, 2, true}, Case{2, 1, false, false, true},
                                           Case{3, 3, false, false, true},
                                           Case{2, 2, false, true, false},
                                           Case{2, 3, false, true, true}));

TEST(SpatialLayersTest, NoMoreThanTheCodecHas) {
  VideoEncoderSettings settings;
  settings.width = settings.height = 64;
  settings.spatialLayers = 2;
  EXPECT_FALSE(builtinVideoEncoders()->create({"VP8", {}}, settings));
  settings.spatialLayers = 4;
  EXPECT_FALSE(builtinVideoEncoders()->create({"VP9", {}}, settings));
}

}  // namespace
}  // namespace parley::codec
