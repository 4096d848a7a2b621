#include "parley/base/random.h"

#include <array>
#include <set>

#include <gtest/gtest.h>

#include "parley/base/secure_random.h"

#include "support/hex.h"

namespace parley {
namespace {

// RFC 8439 appendix A.1, test vectors 1 and 2: key and nonce zero, counter 0 and 1.
TEST(SeededRandom, IsTheChaCha20Stream) {
  SeededRandom random(0);
  Bytes stream(128);
  random.fill(stream);
  EXPECT_EQ(stream,
            test::fromHex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                          "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
                          "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                          "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"));
}

TEST(SeededRandom, PiecesMakeTheSameStreamAsTheWhole) {
  SeededRandom whole(42), pieces(42), other(43);
  Bytes a(1000), b(1000), c(1000);
  whole.fill(a);
  for (size_t at = 0, n = 1; at < b.size(); at += n, n = n % 90 + 1) {
    n = std::min(n, b.size() - at);
    pieces.fill(MutableByteSpan(b).subspan(at, n));
  }
  other.fill(c);
  EXPECT_EQ(a, b);
  EXPECT_NE(a, c);
  pieces.fill({});
}

TEST(Random, BelowStaysBelowAndReachesEverything) {
  SeededRandom random(1);
  std::set<uint64_t> seen;
  for (int i = 0; i < 500; ++i) {
    const uint64_t value = random.below(7);
    ASSERT_LT(value, 7u);
    seen.insert(value);
  }
  EXPECT_EQ(seen.size(), 7u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(random.below(1), 0u);
  for (int i = 0; i < 10; ++i) EXPECT_LT(random.below(UINT64_MAX), UINT64_MAX);
}

// A plain modulo would make the lower half twice as likely here.
TEST(Random, BelowIsUniformAlsoForAwkwardBounds) {
  SeededRandom random(2);
  const uint64_t bound = (uint64_t{1} << 63) + (uint64_t{1} << 62);
  int lower = 0;
  for (int i = 0; i < 4000; ++i) lower += random.below(bound) < bound / 2;
  EXPECT_NEAR(lower, 2000, 150);
}

TEST(Random, UnitLiesInTheHalfOpenInterval) {
  SeededRandom random(3);
  double sum = 0;
  for (int i = 0; i < 2000; ++i) {
    const double value = random.unit();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
  }
  EXPECT_NEAR(sum / 2000, 0.5, 0.03);
}

TEST(Random, IceCharsUseTheWholeAlphabetAndNothingElse) {
  SeededRandom random(4);
  const std::string text = random.iceChars(4000);
  EXPECT_EQ(text.size(), 4000u);
  const std::set<char> seen(text.begin(), text.end());
  EXPECT_EQ(seen.size(), 64u);
  for (const char c : seen) EXPECT_TRUE(std::isalnum(c) || c == '+' || c == '/') << c;
  EXPECT_TRUE(random.iceChars(0).empty());
}

TEST(Random, UuidsAreOfVersion4) {
  SeededRandom random(5);
  for (int i = 0; i < 20; ++i) {
    const std::string uuid = random.uuid();
    ASSERT_EQ(uuid.size(), 36u);
    for (size_t at = 0; at < uuid.size(); ++at) {
      const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
      EXPECT_EQ(uuid[at] == '-', dash);
      EXPECT_TRUE(dash || (std::isxdigit(uuid[at]) && !std::isupper(uuid[at])));
    }
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
  }
}

TEST(SecureRandom, FillsEverythingDifferentlyEachTime) {
  SecureRandom random;
  Bytes a(1024), b(1024);
  random.fill(a);
  random.fill(b);
  EXPECT_NE(a, b);
  EXPECT_GT(std::set<uint8_t>(a.begin(), a.end()).size(), 200u);
}

}  // namespace
}  // namespace parley
