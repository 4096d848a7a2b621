// What tells servers about layers: dependency descriptors as we write them, and the layers
// allocation.

#include <gtest/gtest.h>

#include "parley/base/random.h"
#include "parley/rtp/extensions/dependency_descriptor.h"
#include "parley/rtp/extensions/dependency_writer.h"
#include "parley/rtp/extensions/video_layers_allocation.h"

#include "support/hex.h"

namespace parley::rtp {
namespace {

using I = DecodeTargetIndication;
using test::fromHex;
using test::toHex;

Bytes written(const DependencyWriter& writer, const DependencyFrame& frame, bool first = true,
              bool last = true) {
  Bytes out(DependencyWriter::kMaxSize);
  out.resize(writer.write(frame, first, last, out));
  return out;
}

DependencyWriter writerOf(uint8_t spatial, uint8_t temporal) {
  DependencyWriter writer;
  DependencyLayers layers;
  layers.spatial = spatial;
  layers.temporal = temporal;
  for (uint16_t s = 0; s < spatial; ++s)
    layers.sizes.push_back({static_cast<uint16_t>(320 << s), static_cast<uint16_t>(180 << s)});
  writer.setLayers(layers);
  return writer;
}

DependencyFrame frameOf(uint16_t number, uint8_t spatial, uint8_t temporal, bool key,
                        std::initializer_list<uint16_t> diffs = {}) {
  DependencyFrame out;
  out.number = number;
  out.spatialId = spatial;
  out.temporalId = temporal;
  out.keyFrame = key;
  for (uint16_t d : diffs) out.frameDiffs.push_back(d);
  return out;
}

TEST(DependencyWriter, WhatItWritesCanBeRead) {
  for (uint8_t spatial = 1; spatial <= 3; ++spatial) {
    for (uint8_t temporal = 1; temporal <= 3; ++temporal) {
      const DependencyWriter writer = writerOf(spatial, temporal);
      std::optional<DependencyStructure> structure;
      DependencyDescriptorValue value;
      const Bytes key = written(writer, frameOf(500, 0, 0, true), true, false);
      ASSERT_TRUE(DependencyDescriptor::parse(key, structure, value));
      EXPECT_TRUE(value.hasStructure);
      EXPECT_TRUE(value.startOfFrame);
      EXPECT_FALSE(value.endOfFrame);
      EXPECT_EQ(value.frameNumber, 500);
      ASSERT_EQ(structure->targets.size(), size_t{spatial} * temporal);
      ASSERT_EQ(structure->sizes.size(), spatial);
      EXPECT_EQ(structure->sizes[spatial - 1u].width, 320 << (spatial - 1));
      for (size_t i = 0; i < structure->targets.size(); ++i) {
        EXPECT_EQ(structure->targets[i].spatialId, i / temporal);
        EXPECT_EQ(structure->targets[i].temporalId, i % temporal);
        EXPECT_EQ(value.targets[i], I::Switch);
      }
      if (spatial == 1) {
        EXPECT_LE(key.size(), 16u) << "fits the one-byte form";
      }
      for (uint8_t s = 0; s < spatial; ++s) {
        for (uint8_t t = 0; t < temporal; ++t) {
          const Bytes bytes = written(writer, frameOf(501, s, t, false, {1, 17, 300}));
          ASSERT_TRUE(DependencyDescriptor::parse(bytes, structure, value));
          EXPECT_EQ(value.spatialId, s);
          EXPECT_EQ(value.temporalId, t);
          EXPECT_FALSE(value.hasStructure);
          for (size_t i = 0; i < structure->targets.size(); ++i) {
            const bool within =
                s <= structure->targets[i].spatialId && t <= structure->targets[i].temporalId;
            EXPECT_EQ(value.targets[i] != I::NotPresent, within);
          }
          if (t > 0) {
            EXPECT_EQ(value.targets[size_t{s} * temporal + t], I::Discardable);
          }
        }
      }
    }
  }
}

TEST(DependencyWriter, LaterPacketsAreShort) {
  const DependencyWriter writer = writerOf(1, 2);
  EXPECT_EQ(toHex(written(writer, frameOf(7, 0, 0, true), false, true)), "400007");
  // Template 1, number 8, its own references: one frame back.
  EXPECT_EQ(toHex(written(writer, frameOf(8, 0, 0, false, {1}))), "c100081200");
  EXPECT_TRUE(written(writer, frameOf(9, 0, 2, false)).empty()) << "no such layer";
  EXPECT_TRUE(written(writer, frameOf(9, 1, 0, false)).empty());
}

VideoLayersAllocationValue::Layer layer(uint8_t stream, uint8_t spatial,
                                        std::initializer_list<uint32_t> rates) {
  VideoLayersAllocationValue::Layer out;
  out.stream = stream;
  out.spatial = spatial;
  for (uint32_t rate : rates) out.rates.push_back(rate);
  return out;
}

std::string bytesOf(const VideoLayersAllocationValue& value) {
  uint8_t out[VideoLayersAllocation::kMaxSize];
  return toHex(ByteSpan(out, VideoLayersAllocation::write(value, out)));
}

TEST(VideoLayersAllocation, LaysOutAsDescribed) {
  VideoLayersAllocationValue value;
  EXPECT_EQ(bytesOf(value), "00");
  // Three streams of one spatial layer each; this is the second.
  value.stream = 1;
  value.layers.push_back(layer(0, 0, {50, 100}));
  value.layers.push_back(layer(1, 0, {300}));
  value.layers.push_back(layer(2, 0, {1000}));
  EXPECT_EQ(bytesOf(value),
            "61"
            "40"
            "32"
            "64"
            "ac02"
            "e807");
  for (auto& l : value.layers) {
    l.size = {static_cast<uint16_t>(320 << l.stream), static_cast<uint16_t>(180 << l.stream)};
    l.framerate = 30;
  }
  EXPECT_EQ(bytesOf(value),
            "6140"
            "3264ac02e807"
            "013f00b31e"
            "027f01671e"
            "04ff02cf1e");
  // The middle one is off: the masks differ.
  VideoLayersAllocationValue uneven;
  uneven.layers.push_back(layer(0, 0, {50}));
  uneven.layers.push_back(layer(2, 0, {1000}));
  uneven.layers.push_back(layer(2, 1, {2000}));
  EXPECT_EQ(bytesOf(uneven),
            "20"
            "1030"
            "00"
            "32"
            "e807"
            "d00f");
}

TEST(VideoLayersAllocation, ReadsWhatItWrites) {
  SeededRandom random(4);
  for (int round = 0; round < 500; ++round) {
    VideoLayersAllocationValue value;
    const bool sized = random.below(2) != 0;
    for (uint8_t stream = 0; stream < 4; ++stream) {
      for (uint8_t spatial = 0; spatial < 4; ++spatial) {
        if (random.below(2) != 0) continue;
        VideoLayersAllocationValue::Layer l = layer(stream, spatial, {});
        for (size_t t = 1 + random.below(4); t > 0; --t)
          l.rates.push_back(static_cast<uint32_t>(random.below(5000)));
        if (sized) {
          l.size = {static_cast<uint16_t>(1 + random.below(4000)),
                    static_cast<uint16_t>(1 + random.below(4000))};
          l.framerate = static_cast<uint8_t>(random.below(61));
        }
        value.layers.push_back(l);
      }
    }
    if (value.layers.empty()) continue;
    value.stream = value.layers[0].stream;
    const auto read = VideoLayersAllocation::parse(fromHex(bytesOf(value)));
    ASSERT_TRUE(read);
    EXPECT_TRUE(*read == value);
  }
}

TEST(VideoLayersAllocation, RefusesMalformed) {
  for (const char* bad : {"", "61", "6140", "614032", "61403264ac02e8", "61403264ac02e80700",
                          "10ff", "1f00", "6140ffffffffffffffffff"})
    EXPECT_FALSE(VideoLayersAllocation::parse(fromHex(bad))) << bad;
  SeededRandom random(9);
  for (int i = 0; i < 3000; ++i) {
    Bytes junk(random.below(60));
    random.fill(junk);
    if (const auto value = VideoLayersAllocation::parse(junk)) {
      EXPECT_LE(value->layers.size(), 16u);
    }
  }
  VideoLayersAllocationValue disordered;
  disordered.layers.push_back(layer(1, 0, {5}));
  disordered.layers.push_back(layer(0, 0, {5}));
  EXPECT_EQ(bytesOf(disordered), "");
}

}  // namespace
}  // namespace parley::rtp
