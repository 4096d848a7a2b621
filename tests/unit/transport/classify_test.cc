#include "parley/transport/classify.h"

#include <gtest/gtest.h>

namespace parley::transport {
namespace {

TEST(Classify, TheFirstByteDecides) {
  // RFC 7983 section 7, with the ranges of RFC 9443.
  for (int first = 0; first < 256; ++first) {
    const uint8_t datagram[20] = {static_cast<uint8_t>(first)};
    PacketClass expected = PacketClass::Unknown;
    if (first <= 3) expected = PacketClass::Stun;
    if (first >= 20 && first <= 63) expected = PacketClass::Dtls;
    if (first >= 128 && first <= 191) expected = PacketClass::Rtp;
    EXPECT_EQ(classify(datagram), expected) << first;
  }
}

TEST(Classify, AnEmptyDatagramIsNothing) {
  EXPECT_EQ(classify({}), PacketClass::Unknown);
}

TEST(Classify, TheSecondByteTellsRtcpFromRtp) {
  // RFC 5761 section 4: RTCP packet types 192 to 223; payload types 64 to 95 are not used for RTP.
  for (int second = 0; second < 256; ++second) {
    const uint8_t packet[12] = {0x80, static_cast<uint8_t>(second)};
    EXPECT_EQ(isRtcp(packet), second >= 192 && second <= 223) << second;
  }
  const uint8_t one[1] = {0x80};
  EXPECT_FALSE(isRtcp(one));
  EXPECT_FALSE(isRtcp({}));
}

}  // namespace
}  // namespace parley::transport
