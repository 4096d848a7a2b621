#include "parley/stun/integrity.h"

#include <gtest/gtest.h>

#include "support/hex.h"

namespace parley::stun {
namespace {

TEST(NonceFeaturesTest, CookieAnnouncesBitsFromTheLowEnd) {
  EXPECT_FALSE(nonceFeatures("f//499k954d6OL34oL9FSTvy64sA"));
  EXPECT_FALSE(nonceFeatures("obMatJos2AA"));
  EXPECT_FALSE(nonceFeatures("obMatJos2AA!A"));
  const auto anonymity = nonceFeatures("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA");
  ASSERT_TRUE(anonymity);
  EXPECT_TRUE(anonymity->usernameAnonymity);
  EXPECT_FALSE(anonymity->passwordAlgorithms);
  EXPECT_TRUE(nonceFeatures("obMatJos2AAAB")->passwordAlgorithms);
}

TEST(KeyTest, UserhashIsSha256OfUserAndRealm) {
  EXPECT_EQ(userhash("user", "realm"), crypto::sha256(asBytes("user:realm")));
  EXPECT_EQ(longTermKey("user", "realm", "pass"), crypto::md5(asBytes("user:realm:pass")));
  EXPECT_EQ(longTermKeySha256("user", "realm", "pass"), crypto::sha256(asBytes("user:realm:pass")));
}

}  // namespace
}  // namespace parley::stun
