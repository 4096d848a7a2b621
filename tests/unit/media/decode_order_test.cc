#include "media/decode_order.h"

#include <gtest/gtest.h>

namespace parley::media {
namespace {

using Verdict = DecodeOrder::Verdict;

AssembledFrame vp8(int64_t sequence, bool key, uint16_t pictureId, bool longId = true) {
  AssembledFrame f;
  f.firstSequence = f.lastSequence = sequence;
  f.keyFrame = key;
  rtp::Vp8Descriptor d;
  d.pictureId = pictureId;
  d.longPictureId = longId;
  f.descriptor = d;
  return f;
}

AssembledFrame vp8Layer(int64_t sequence, bool key, uint16_t pictureId, uint8_t layer, uint8_t tl0,
                        bool sync = false) {
  AssembledFrame f = vp8(sequence, key, pictureId);
  auto& d = std::get<rtp::Vp8Descriptor>(f.descriptor);
  d.temporalId = layer;
  d.tl0PicIdx = tl0;
  d.layerSync = sync;
  return f;
}

AssembledFrame vp9(int64_t sequence, bool key, uint16_t pictureId,
                   std::initializer_list<uint8_t> diffs) {
  AssembledFrame f;
  f.firstSequence = f.lastSequence = sequence;
  f.keyFrame = key;
  rtp::Vp9Descriptor d;
  d.flexible = true;
  d.interPicturePredicted = !key;
  d.pictureId = pictureId;
  for (uint8_t diff : diffs) d.referenceDiffs.push_back(diff);
  f.descriptor = d;
  return f;
}

Verdict tryCommit(DecodeOrder& order, AssembledFrame f, bool adjacent = false) {
  const Verdict v = order.check(f, adjacent);
  if (v == Verdict::Decodable) order.commit(f, adjacent);
  return v;
}

TEST(DecodeOrder, StartsWithAKeyFrame) {
  DecodeOrder order;
  EXPECT_TRUE(order.needsKeyFrame());
  EXPECT_EQ(tryCommit(order, vp8(1, false, 1)), Verdict::Waiting);
  EXPECT_EQ(tryCommit(order, vp8(2, true, 2)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8(1, false, 1)), Verdict::Stale);
  EXPECT_EQ(tryCommit(order, vp8(3, false, 3)), Verdict::Decodable);
  order.reset();
  EXPECT_EQ(tryCommit(order, vp8(4, false, 4), true), Verdict::Waiting);
}

TEST(DecodeOrder, PictureIdsBridgeGapsInSequenceNumbersAndWrap) {
  DecodeOrder order;
  EXPECT_EQ(tryCommit(order, vp8(1, true, 0x7fff)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8(9, false, 0)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8(10, false, 2)), Verdict::Waiting) << "picture 1 is missing";
  EXPECT_EQ(tryCommit(order, vp8(10, false, 2), true), Verdict::Decodable)
      << "adjacent packets: the sender skipped the number";
  DecodeOrder seven;
  EXPECT_EQ(tryCommit(seven, vp8(1, true, 127, false)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(seven, vp8(3, false, 0, false)), Verdict::Decodable);
}

TEST(DecodeOrder, TheWidthOfPictureIdsMayChange) {
  DecodeOrder order;
  EXPECT_EQ(tryCommit(order, vp8(1, true, 0x1234)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8(2, false, 0x35, false)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8(3, false, 0x1236)), Verdict::Decodable);
}

TEST(DecodeOrder, UpperTemporalLayersMayBeMissing) {
  DecodeOrder order;
  EXPECT_EQ(tryCommit(order, vp8Layer(1, true, 1, 0, 255)), Verdict::Decodable);
  // Picture 2 of layer 1 is lost; the base layer goes on.
  EXPECT_EQ(tryCommit(order, vp8Layer(3, false, 3, 0, 0)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8Layer(4, false, 4, 1, 0)), Verdict::Waiting)
      << "its layer is broken";
  EXPECT_EQ(tryCommit(order, vp8Layer(5, false, 5, 0, 1)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8Layer(6, false, 6, 1, 1, true)), Verdict::Decodable)
      << "a sync point";
  EXPECT_EQ(tryCommit(order, vp8Layer(7, false, 7, 0, 2)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8Layer(8, false, 8, 1, 2)), Verdict::Decodable);
}

TEST(DecodeOrder, AMissingBaseLayerFrameStopsAll) {
  DecodeOrder order;
  EXPECT_EQ(tryCommit(order, vp8Layer(1, true, 1, 0, 10)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8Layer(3, false, 3, 0, 12)), Verdict::Waiting);
  EXPECT_EQ(tryCommit(order, vp8Layer(4, false, 4, 1, 12, true)), Verdict::Waiting);
  EXPECT_EQ(tryCommit(order, vp8Layer(2, false, 2, 0, 11)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp8Layer(3, false, 3, 0, 12)), Verdict::Decodable);
}

TEST(DecodeOrder, FlexibleModeFollowsTheReferences) {
  DecodeOrder order;
  EXPECT_EQ(tryCommit(order, vp9(1, true, 0x7ffe, {})), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp9(4, false, 0, {2})), Verdict::Decodable) << "0x7fff is not needed";
  EXPECT_EQ(tryCommit(order, vp9(5, false, 1, {2})), Verdict::Waiting) << "0x7fff is";
  EXPECT_EQ(tryCommit(order, vp9(6, false, 2, {2, 4})), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp9(7, true, 3, {})), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, vp9(8, false, 4, {2})), Verdict::Waiting)
      << "a key frame ends all references";
}

TEST(DecodeOrder, NonFlexibleLayersUseTheSwitchingUpPoint) {
  DecodeOrder order;
  auto frame = [](int64_t seq, bool key, uint16_t id, uint8_t layer, uint8_t tl0, bool up) {
    AssembledFrame f = vp9(seq, key, id, {});
    auto& d = std::get<rtp::Vp9Descriptor>(f.descriptor);
    d.flexible = false;
    d.hasLayers = true;
    d.temporalId = layer;
    d.tl0PicIdx = tl0;
    d.switchingUp = up;
    return f;
  };
  EXPECT_EQ(tryCommit(order, frame(1, true, 1, 0, 1, false)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, frame(3, false, 3, 0, 2, false)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, frame(4, false, 4, 1, 2, false)), Verdict::Waiting);
  EXPECT_EQ(tryCommit(order, frame(5, false, 5, 0, 3, true)), Verdict::Decodable);
  EXPECT_EQ(tryCommit(order, frame(6, false, 6, 1, 3, false)), Verdict::Decodable);
}

TEST(DecodeOrder, WithoutDescriptorsOnlyAdjacencyCounts) {
  DecodeOrder order;
  AssembledFrame f;
  f.firstSequence = 1;
  f.lastSequence = 3;
  f.keyFrame = true;
  EXPECT_EQ(tryCommit(order, f), Verdict::Decodable);
  f.keyFrame = false;
  f.firstSequence = 5;
  f.lastSequence = 6;
  EXPECT_EQ(tryCommit(order, f, false), Verdict::Waiting);
  EXPECT_EQ(tryCommit(order, f, true), Verdict::Decodable);
}

TEST(DecodeOrder, HostilePictureIdsDoNotUpsetIt) {
  DecodeOrder order;
  uint32_t x = 1;
  tryCommit(order, vp9(0, true, 0, {}));
  for (int i = 1; i < 5000; ++i) {
    x = x * 1664525 + 1013904223;
    auto f = vp9(i, x % 97 == 0, static_cast<uint16_t>(x >> 8), {static_cast<uint8_t>(x >> 25)});
    std::get<rtp::Vp9Descriptor>(f.descriptor).longPictureId = (x & 2) != 0;
    tryCommit(order, f, (x & 1) != 0);
  }
}

}  // namespace
}  // namespace parley::media
