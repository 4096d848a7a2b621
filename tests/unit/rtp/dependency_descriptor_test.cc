#include "parley/rtp/extensions/dependency_descriptor.h"

#include <vector>

#include <gtest/gtest.h>

#include "parley/base/random.h"

namespace parley::rtp {
namespace {

using I = DecodeTargetIndication;

/// Writes bits as the syntax of the AV1 RTP payload format, appendix A.8, has them.
class Bits {
 public:
  Bits& put(unsigned width, uint32_t value) {
    for (unsigned i = width; i-- > 0;) {
      if (count_ % 8 == 0) bytes.push_back(0);
      if (value >> i & 1) bytes.back() |= static_cast<uint8_t>(0x80 >> count_ % 8);
      ++count_;
    }
    return *this;
  }
  Bytes bytes;

 private:
  size_t count_ = 0;
};

Bits mandatory(bool start, bool end, uint8_t id, uint16_t frame) {
  Bits bits;
  bits.put(1, start).put(1, end).put(6, id).put(16, frame);
  return bits;
}

/// One spatial layer, two temporal ones (L1T2): key frame, base, upper; two decode targets, one
/// chain.
Bytes keyFrame(uint16_t frame) {
  Bits bits = mandatory(true, false, 60, frame);
  bits.put(1, 1).put(1, 0).put(1, 0).put(1, 0).put(1, 0);
  bits.put(6, 60).put(5, 1);           // first template, two targets
  bits.put(2, 0).put(2, 1).put(2, 3);  // T0, T0, T1
  bits.put(2, 2).put(2, 2);            // S S
  bits.put(2, 2).put(2, 2);            // S S
  bits.put(2, 0).put(2, 1);            // - D
  bits.put(1, 0);                      // refers to nothing
  bits.put(1, 1).put(4, 1).put(1, 0);  // two back
  bits.put(1, 1).put(4, 0).put(1, 0);  // one back
  bits.put(2, 2);                      // ns(3): one chain
  // Each target by that chain: ns(1) takes no bits.
  bits.put(4, 0).put(4, 2).put(4, 1);
  bits.put(1, 1).put(16, 1279).put(16, 719);  // sizes
  return bits.bytes;
}

TEST(DependencyDescriptor, AStructureStaysInForceForWhatFollows) {
  std::optional<DependencyStructure> structure;
  DependencyDescriptorValue value;
  EXPECT_TRUE(DependencyDescriptor::bringsStructure(keyFrame(7)));
  ASSERT_TRUE(DependencyDescriptor::parse(keyFrame(7), structure, value));
  EXPECT_TRUE(value.startOfFrame);
  EXPECT_FALSE(value.endOfFrame);
  EXPECT_TRUE(value.hasStructure);
  EXPECT_EQ(value.frameNumber, 7);
  EXPECT_EQ(value.temporalId, 0);
  ASSERT_EQ(structure->targets.size(), 2u);
  EXPECT_EQ(structure->targets[0].temporalId, 0);
  EXPECT_EQ(structure->targets[1].temporalId, 1);
  ASSERT_EQ(structure->sizes.size(), 1u);
  EXPECT_EQ(structure->sizes[0].width, 1280);
  EXPECT_EQ(structure->sizes[0].height, 720);

  // Template ids wrap at 64: 60 + 2.
  const Bytes upper = mandatory(true, true, 62, 8).bytes;
  EXPECT_FALSE(DependencyDescriptor::bringsStructure(upper));
  ASSERT_TRUE(DependencyDescriptor::parse(upper, structure, value));
  EXPECT_EQ(value.temporalId, 1);
  EXPECT_EQ(value.targets[0], I::NotPresent);
  EXPECT_EQ(value.targets[1], I::Discardable);
  EXPECT_FALSE(value.hasStructure);
}

TEST(DependencyDescriptor, AFrameMayHaveIndicationsOfItsOwn) {
  std::optional<DependencyStructure> structure;
  DependencyDescriptorValue value;
  ASSERT_TRUE(DependencyDescriptor::parse(keyFrame(7), structure, value));
  Bits bits = mandatory(true, true, 62, 9);
  bits.put(1, 0).put(1, 1).put(1, 1).put(1, 0).put(1, 0).put(2, 2).put(2, 0).put(2, 2);
  ASSERT_TRUE(DependencyDescriptor::parse(bits.bytes, structure, value));
  EXPECT_EQ(value.targets[1], I::Switch);
  EXPECT_EQ(value.activeTargets, 2u);
}

TEST(DependencyDescriptor, ReferencesAreTheTemplatesOrTheFramesOwn) {
  using List = std::vector<uint16_t>;
  std::optional<DependencyStructure> structure;
  DependencyDescriptorValue value;
  const auto diffs = [&] { return List(value.frameDiffs.begin(), value.frameDiffs.end()); };
  ASSERT_TRUE(DependencyDescriptor::parse(keyFrame(7), structure, value));
  EXPECT_EQ(diffs(), List{});
  ASSERT_TRUE(DependencyDescriptor::parse(mandatory(true, true, 61, 8).bytes, *structure, value));
  EXPECT_EQ(diffs(), List{2});
  ASSERT_TRUE(DependencyDescriptor::parse(mandatory(true, true, 62, 9).bytes, *structure, value));
  EXPECT_EQ(diffs(), List{1});
  // frame_fdiffs(): 4, 8 and 12 bits wide.
  Bits own = mandatory(true, true, 62, 9);
  own.put(5, 0b00010).put(2, 1).put(4, 15).put(2, 2).put(8, 255).put(2, 3).put(12, 4095).put(2, 0);
  ASSERT_TRUE(DependencyDescriptor::parse(own.bytes, *structure, value));
  EXPECT_EQ(diffs(), (List{16, 256, 4096}));
  Bits many = mandatory(true, true, 62, 9);
  many.put(5, 0b00010);
  for (int i = 0; i < 9; ++i) many.put(2, 1).put(4, 0);
  many.put(2, 0);
  EXPECT_FALSE(DependencyDescriptor::parse(many.bytes, *structure, value))
      << "no codec has so many";
  EXPECT_FALSE(DependencyDescriptor::parse(keyFrame(7), *structure, value)) << "brings its own";
}

TEST(DependencyDescriptor, WithoutAStructureThereIsNothingToRead) {
  std::optional<DependencyStructure> structure;
  DependencyDescriptorValue value;
  EXPECT_FALSE(DependencyDescriptor::parse(mandatory(true, true, 1, 1).bytes, structure, value));
  ASSERT_TRUE(DependencyDescriptor::parse(keyFrame(1), structure, value));
  EXPECT_FALSE(DependencyDescriptor::parse(mandatory(true, true, 59, 1).bytes, structure, value));
}

TEST(DependencyDescriptor, CutsAndJunkChangeNothing) {
  std::optional<DependencyStructure> structure;
  DependencyDescriptorValue value;
  const Bytes whole = keyFrame(7);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(DependencyDescriptor::parse(ByteSpan(whole).first(size), structure, value))
        << size;
    EXPECT_FALSE(structure.has_value());
  }
  SeededRandom random(3);
  for (int i = 0; i < 5000; ++i) {
    Bytes junk(random.below(60));
    random.fill(junk);
    (void)DependencyDescriptor::parse(junk, structure, value);
  }
}

}  // namespace
}  // namespace parley::rtp
