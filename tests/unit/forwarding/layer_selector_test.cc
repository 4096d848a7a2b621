#include "forwarding/layer_selector.h"

#include <gtest/gtest.h>

namespace parley::forwarding {
namespace {

using Form = PacketLayers::Form;
using I = rtp::DecodeTargetIndication;

/// A stream of one-packet frames, one timestamp each unless told otherwise.
class Selector {
 public:
  bool take(PacketLayers layers, uint8_t encoding = 0, bool samePicture = false) {
    layers.frameStart = layers.frameEnd = true;
    if (!samePicture) timestamp += 3000;
    last = selector.decide(layers, encoding, timestamp, structure);
    return last.isOurs && last.forward;
  }
  static PacketLayers vp9(uint8_t spatial, uint8_t temporal, bool inter, bool up = false) {
    PacketLayers layers;
    layers.form = Form::Vp9;
    layers.spatial = spatial;
    layers.temporal = temporal;
    layers.interPicture = inter;
    layers.switchingUp = up;
    layers.keyFrame = !inter && spatial == 0;
    return layers;
  }
  static PacketLayers vp8(uint8_t temporal, bool key = false, bool sync = false) {
    PacketLayers layers;
    layers.form = Form::Vp8;
    layers.temporal = temporal;
    layers.keyFrame = key;
    layers.switchingUp = sync;
    return layers;
  }

  LayerSelector selector;
  LayerSelector::Decision last;
  std::optional<rtp::DependencyStructure> structure;
  uint32_t timestamp = 0;
};

TEST(LayerSelector, NothingBeforeAKeyFrame) {
  Selector s;
  EXPECT_FALSE(s.take(Selector::vp8(0, true)));
  s.selector.setTarget(LayerChoice{});
  EXPECT_EQ(s.selector.wantsKeyFrame(), 0);
  EXPECT_FALSE(s.take(Selector::vp8(0)));
  EXPECT_TRUE(s.take(Selector::vp8(0, true)));
  EXPECT_TRUE(s.last.isSwitch);
  EXPECT_TRUE(s.take(Selector::vp8(0)));
  EXPECT_FALSE(s.last.isSwitch);
  EXPECT_EQ(s.selector.wantsKeyFrame(), std::nullopt);
}

TEST(LayerSelector, AnotherEncodingOnlyWithItsKeyFrameAndTheOldOneUntilThen) {
  Selector s;
  s.selector.setTarget(LayerChoice{0, 0, 2});
  EXPECT_TRUE(s.take(Selector::vp8(0, true), 0));
  s.selector.setTarget(LayerChoice{1, 0, 2}, true);
  EXPECT_EQ(s.selector.wantsKeyFrame(), 1);
  EXPECT_TRUE(s.take(Selector::vp8(2), 0));
  EXPECT_FALSE(s.take(Selector::vp8(0), 1));
  EXPECT_TRUE(s.take(Selector::vp8(0, true), 1));
  EXPECT_FALSE(s.take(Selector::vp8(0), 0));
  // On the way down, what is left of the old one is kept small at once.
  s.selector.setTarget(LayerChoice{0, 0, 2}, false);
  EXPECT_FALSE(s.take(Selector::vp8(1), 1));
  EXPECT_TRUE(s.take(Selector::vp8(0), 1));
}

TEST(LayerSelector, Vp8GoesUpAtASyncFrameOfTheLayer) {
  Selector s;
  s.selector.setTarget(LayerChoice{0, 0, 2});
  s.take(Selector::vp8(0, true));
  s.selector.setTarget(LayerChoice{0, 0, 0});
  EXPECT_FALSE(s.take(Selector::vp8(1)));
  s.selector.setTarget(LayerChoice{0, 0, 2});
  EXPECT_FALSE(s.take(Selector::vp8(2)));
  EXPECT_TRUE(s.take(Selector::vp8(0)));
  EXPECT_TRUE(s.take(Selector::vp8(1, false, true)));
  EXPECT_FALSE(s.take(Selector::vp8(2)));
  EXPECT_TRUE(s.take(Selector::vp8(2, false, true)));
}

TEST(LayerSelector, TheRestOfAFrameFollowsItsFirstPacket) {
  Selector s;
  s.selector.setTarget(LayerChoice{0, 0, 1});
  s.take(Selector::vp8(0, true));
  EXPECT_TRUE(s.take(Selector::vp8(1)));
  s.selector.setTarget(LayerChoice{0, 0, 0});
  EXPECT_TRUE(s.take(Selector::vp8(1), 0, true));
  EXPECT_FALSE(s.take(Selector::vp8(1)));
}

TEST(LayerSelector, Vp9SpatialLayersEndThePictureWhereTheyEnd) {
  Selector s;
  s.selector.setTarget(LayerChoice{0, 1, 0});
  EXPECT_TRUE(s.take(Selector::vp9(0, 0, false)));
  EXPECT_FALSE(s.last.endsPicture);
  EXPECT_TRUE(s.take(Selector::vp9(1, 0, false), 0, true));
  EXPECT_TRUE(s.last.endsPicture);
  EXPECT_FALSE(s.take(Selector::vp9(2, 0, false), 0, true));
  // Down with the next picture.
  s.selector.setTarget(LayerChoice{0, 0, 0});
  EXPECT_TRUE(s.take(Selector::vp9(0, 0, true)));
  EXPECT_TRUE(s.last.endsPicture);
  EXPECT_FALSE(s.take(Selector::vp9(1, 0, true), 0, true));
  // Up where the layer needs no earlier picture.
  s.selector.setTarget(LayerChoice{0, 1, 0});
  EXPECT_EQ(s.selector.wantsKeyFrame(), 0);
  EXPECT_TRUE(s.take(Selector::vp9(0, 0, true)));
  EXPECT_FALSE(s.take(Selector::vp9(1, 0, true), 0, true));
  EXPECT_TRUE(s.take(Selector::vp9(0, 0, true)));
  EXPECT_TRUE(s.take(Selector::vp9(1, 0, false), 0, true));
}

TEST(LayerSelector, DecodeTargetsAreLeftAtOnceAndEnteredAtASwitch) {
  Selector s;
  s.structure.emplace();
  s.structure->targets.push_back({0, 0});
  s.structure->targets.push_back({0, 1});
  s.structure->templates.push_back({0, 0, {I::Switch, I::Switch}});
  s.structure->templates.push_back({0, 1, {I::NotPresent, I::Discardable}});
  const auto frame = [](uint8_t temporal, I base, I upper, bool key = false) {
    PacketLayers layers;
    layers.form = Form::Dependencies;
    layers.temporal = temporal;
    layers.keyFrame = key;
    layers.targets[0] = base;
    layers.targets[1] = upper;
    return layers;
  };
  s.selector.setTarget(LayerChoice{0, 0, 1});
  EXPECT_TRUE(s.take(frame(0, I::Switch, I::Switch, true)));
  EXPECT_TRUE(s.take(frame(1, I::NotPresent, I::Discardable)));
  s.selector.setTarget(LayerChoice{0, 0, 0});
  EXPECT_FALSE(s.take(frame(1, I::NotPresent, I::Discardable)));
  EXPECT_TRUE(s.take(frame(0, I::Switch, I::Required)));
  s.selector.setTarget(LayerChoice{0, 0, 1});
  EXPECT_FALSE(s.take(frame(1, I::NotPresent, I::Required)));
  EXPECT_TRUE(s.take(frame(0, I::Switch, I::Switch)));
  EXPECT_TRUE(s.take(frame(1, I::NotPresent, I::Discardable)));
}

TEST(LayerSelector, ALayerInSpaceIsEnteredWithAKeyFrameThoughItsFramesAreSwitches) {
  Selector s;
  s.structure.emplace();
  s.structure->targets.push_back({0, 0});
  s.structure->targets.push_back({1, 0});
  s.structure->templates.push_back({0, 0, {I::Switch, I::Required}});
  s.structure->templates.push_back({1, 0, {I::NotPresent, I::Switch}});
  const auto picture = [&](bool key) {
    PacketLayers layers;
    layers.form = Form::Dependencies;
    layers.keyFrame = key;
    layers.targets = {I::Switch, key ? I::Switch : I::Required};
    EXPECT_TRUE(s.take(layers));
    layers.keyFrame = false;
    layers.spatial = 1;
    layers.targets = {I::NotPresent, I::Switch};
    return s.take(layers, 0, true);
  };
  s.selector.setTarget(LayerChoice{0, 0, 0});
  EXPECT_FALSE(picture(true));
  s.selector.setTarget(LayerChoice{0, 1, 0});
  EXPECT_FALSE(picture(false));
  EXPECT_EQ(s.selector.wantsKeyFrame(), 0);
  EXPECT_TRUE(picture(true));
  EXPECT_EQ(s.selector.wantsKeyFrame(), std::nullopt);
  s.selector.setTarget(LayerChoice{0, 0, 0});
  EXPECT_FALSE(picture(false)) << "down at once";
}

// Where the upper layer refers to the lower one in key pictures alone, who gets it is not given the
// lower one between, and could not go on with it.
TEST(LayerSelector, ALowerLayerThatWasNotPartOfTheUpperOneIsEnteredWithAKeyFrame) {
  Selector s;
  s.structure.emplace();
  s.structure->targets.push_back({0, 0});
  s.structure->targets.push_back({1, 0});
  s.structure->templates.push_back({0, 0, {I::Switch, I::Switch}});
  s.structure->templates.push_back({0, 0, {I::Switch, I::NotPresent}});
  s.structure->templates.push_back({1, 0, {I::NotPresent, I::Switch}});
  const auto picture = [&](bool key) {
    PacketLayers layers;
    layers.form = Form::Dependencies;
    layers.keyFrame = key;
    layers.targets = {I::Switch, key ? I::Switch : I::NotPresent};
    const bool lower = s.take(layers);
    layers.keyFrame = false;
    layers.spatial = 1;
    layers.targets = {I::NotPresent, I::Switch};
    return std::pair(lower, s.take(layers, 0, true));
  };
  s.selector.setTarget(LayerChoice{0, 1, 0});
  EXPECT_EQ(picture(true), std::pair(true, true));
  EXPECT_EQ(picture(false), std::pair(false, true));
  s.selector.setTarget(LayerChoice{0, 0, 0});
  EXPECT_EQ(picture(false), std::pair(false, true));
  EXPECT_EQ(s.selector.wantsKeyFrame(), 0);
  EXPECT_EQ(picture(true), std::pair(true, false));
  EXPECT_EQ(picture(false), std::pair(true, false));
  EXPECT_EQ(s.selector.wantsKeyFrame(), std::nullopt);
}

TEST(LayerSelector, APauseWantsAKeyFrame) {
  Selector s;
  s.selector.setTarget(LayerChoice{});
  s.take(Selector::vp8(0, true));
  s.selector.setTarget(std::nullopt);
  EXPECT_FALSE(s.take(Selector::vp8(0)));
  s.selector.setTarget(LayerChoice{});
  EXPECT_EQ(s.selector.wantsKeyFrame(), 0);
  EXPECT_FALSE(s.take(Selector::vp8(0)));
}

}  // namespace
}  // namespace parley::forwarding
