// The group of pictures that a VP9 encoder of temporal layers announces (RFC 9628 section 4.2.1).

#include <algorithm>

#include <gtest/gtest.h>

#include "parley/codec/factories.h"
#include "parley/codec/generators.h"
#include "parley/codec/video_codec.h"

namespace parley::codec {
namespace {

struct Case {
  int spatial;
  int temporal;
  int kbps;  ///< with the least, pictures are dropped
};

class Vp9Group : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (builtinVideoEncoders()->supportedFormats().empty()) GTEST_SKIP() << "built without libvpx";
  }
};

const Vp9Info& infoOf(const EncodedVideoFrame& frame) {
  return std::get<Vp9Info>(frame.info);
}

TEST_P(Vp9Group, IsWhatComes) {
  const Case& c = GetParam();
  VideoEncoderSettings settings;
  settings.width = 320;
  settings.height = 180;
  settings.spatialLayers = c.spatial;
  settings.temporalLayers = c.temporal;
  settings.startBitrate = settings.maxBitrate = DataRate::kbps(c.kbps);
  settings.minBitrate = DataRate::kbps(10);
  auto encoder = builtinVideoEncoders()->create({"VP9", {{"profile-id", "0"}}}, settings).value();
  TestPattern pattern(320, 180);
  InlineVector<rtp::Vp9ScalabilityStructure::Picture, 4> group;
  size_t picture = 0;
  int dropped = 0;
  for (int n = 0; n < 120; ++n) {
    ASSERT_TRUE(
        encoder->encode(pattern.next(Timestamp() + Duration::millis(33) * n), n == 0 || n == 61));
    bool any = false;
    EncodedVideoFrame frame;
    while (encoder->poll(frame)) {
      any = true;
      const Vp9Info& info = infoOf(frame);
      EXPECT_FALSE(info.flexibleMode);
      if (frame.keyFrame && frame.spatialId == 0) {
        group = info.group;
        picture = 0;
        ASSERT_EQ(group.size(), c.temporal == 1 ? 0u : c.temporal == 2 ? 2u : 4u);
      }
      if (group.empty()) continue;
      const auto& expected = group[picture % group.size()];
      EXPECT_EQ(frame.temporalId, expected.temporalId) << "picture " << n << " of " << dropped;
      if (!frame.keyFrame) {
        EXPECT_EQ(info.switchingPoint, expected.switchingUp) << n;
      }
      if (info.endOfPicture) ++picture;
    }
    dropped += !any;
  }
  if (c.kbps < 50) {
    EXPECT_GT(dropped, 5);
  }
}

// Whoever gets no more than the lower temporal layers can decode all he gets: nothing refers to
// what the group does not name.
TEST_P(Vp9Group, ReferencesAreEnough) {
  const Case& c = GetParam();
  if (c.spatial > 1 || c.temporal == 1) return;
  VideoEncoderSettings settings;
  settings.width = 320;
  settings.height = 180;
  settings.temporalLayers = c.temporal;
  settings.startBitrate = settings.maxBitrate = DataRate::kbps(c.kbps);
  settings.minBitrate = DataRate::kbps(10);
  const SdpVideoFormat format{"VP9", {{"profile-id", "0"}}};
  auto encoder = builtinVideoEncoders()->create(format, settings).value();
  auto all = builtinVideoDecoders()->create(format, {}).value();
  auto some = builtinVideoDecoders()->create(format, {}).value();
  TestPattern pattern(320, 180);
  InlineVector<rtp::Vp9ScalabilityStructure::Picture, 4> group;
  std::vector<bool> kept;
  for (int n = 0; n < 80; ++n) {
    ASSERT_TRUE(encoder->encode(pattern.next(Timestamp() + Duration::millis(33) * n), n == 0));
    EncodedVideoFrame frame;
    while (encoder->poll(frame)) {
      if (frame.keyFrame) group = infoOf(frame).group;
      // Every third picture above the base is lost, and with it what refers to it.
      const auto& entry = group[kept.size() % group.size()];
      const bool reachable =
          frame.keyFrame ||
          std::all_of(entry.referenceDiffs.begin(), entry.referenceDiffs.end(), [&](uint8_t diff) {
            return diff <= kept.size() && kept[kept.size() - diff];
          });
      const bool keeps = reachable && (entry.temporalId == 0 || n % 3 != 0);
      kept.push_back(keeps);
      EncodedVideoView view;
      view.data = frame.data;
      view.keyFrame = frame.keyFrame;
      VideoFrame whole, part;
      ASSERT_EQ(all->decode(view, whole), DecodeStatus::Ok);
      if (!keeps) continue;
      ASSERT_EQ(some->decode(view, part), DecodeStatus::Ok) << n;
      EXPECT_EQ(psnr(*whole.buffer, *part.buffer), 100) << n;
    }
  }
  EXPECT_GT(std::count(kept.begin(), kept.end(), true), 5);
}

INSTANTIATE_TEST_SUITE_P(Modes, Vp9Group,
                         ::testing::Values(Case{1, 1, 300}, Case{1, 2, 300}, Case{1, 2, 20},
                                           Case{1, 3, 300}, Case{1, 3, 20}, Case{3, 3, 500},
                                           Case{3, 3, 40}));

}  // namespace
}  // namespace parley::codec
