#include "parley/base/boxed.h"

#include <string>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(Boxed, IsAbsentAtFirstAndCostsAPointer) {
  struct Large {
    char bytes[4096];
  };
  const Boxed<Large> none;
  EXPECT_FALSE(none);
  EXPECT_FALSE(none.has_value());
  EXPECT_EQ(sizeof none, sizeof(void*));
}

TEST(Boxed, CopiesAreDeep) {
  Boxed<std::string> a = std::string("one");
  Boxed<std::string> b = a;
  *b = "two";
  EXPECT_EQ(*a, "one");
  a = b;
  b->push_back('!');
  EXPECT_EQ(*a, "two");
  EXPECT_EQ(*b, "two!");
}

TEST(Boxed, MovedFromAndResetAreAbsent) {
  Boxed<std::string> a = std::string("one");
  const Boxed<std::string> b = std::move(a);
  EXPECT_FALSE(a.has_value());  // NOLINT(bugprone-use-after-move): documented, as unique_ptr's
  EXPECT_EQ(*b, "one");
  a = std::string("three");
  a.reset();
  EXPECT_FALSE(a);
}

TEST(Boxed, TakesAnOptional) {
  Boxed<int> a = std::optional<int>(4);
  EXPECT_EQ(*a, 4);
  a = std::optional<int>();
  EXPECT_FALSE(a);
}

TEST(Boxed, ComparesWhatIsInside) {
  const Boxed<int> four = 4, alsoFour = 4, five = 5, none;
  EXPECT_TRUE(four == alsoFour);
  EXPECT_FALSE(four == five);
  EXPECT_FALSE(four == none);
  EXPECT_TRUE(none == Boxed<int>());
}

TEST(BoxedDeath, ReadingWhatIsAbsentEndsTheProcess) {
  const Boxed<int> none;
  EXPECT_DEATH((void)*none, "");
}

}  // namespace
}  // namespace parley
