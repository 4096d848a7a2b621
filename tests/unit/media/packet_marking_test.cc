#include "parley/media/packet_marking.h"

#include <gtest/gtest.h>

namespace parley::media {
namespace {

TEST(PacketMarking, FollowsTheTableOfRfc8837) {
  using enum NetworkPriority;
  EXPECT_EQ(dscpOf(MediaKind::Audio, VeryLow), 8) << "CS1";
  EXPECT_EQ(dscpOf(MediaKind::Audio, Low), 0) << "DF";
  EXPECT_EQ(dscpOf(MediaKind::Audio, Medium), 46) << "EF";
  EXPECT_EQ(dscpOf(MediaKind::Audio, High), 46) << "EF";
  EXPECT_EQ(dscpOf(MediaKind::Video, VeryLow), 8) << "CS1";
  EXPECT_EQ(dscpOf(MediaKind::Video, Low), 0) << "DF";
  EXPECT_EQ(dscpOf(MediaKind::Video, Medium), 36) << "AF42";
  EXPECT_EQ(dscpOf(MediaKind::Video, High), 34) << "AF41";
}

}  // namespace
}  // namespace parley::media
