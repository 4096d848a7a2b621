#include "parley/base/shared_list.h"

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(SharedList, CopiesShareUntilOneIsEdited) {
  SharedList<int> a{1, 2, 3};
  SharedList<int> b = a;
  EXPECT_TRUE(b.sharesWith(a));
  b.edit([](std::vector<int>& items) { items[0] = 7; });
  EXPECT_FALSE(b.sharesWith(a));
  EXPECT_EQ(a[0], 1) << "the others keep theirs";
  EXPECT_EQ(b.get(), (std::vector<int>{7, 2, 3}));
}

TEST(SharedList, EqualItemsMakeEqualLists) {
  const SharedList<int> a{1, 2};
  const SharedList<int> b{1, 2};
  EXPECT_EQ(a, b);
  EXPECT_FALSE(a.sharesWith(b));
  EXPECT_FALSE(a == (SharedList<int>{1}));
}

TEST(SharedList, AnEmptyOneIsAnEmptyVector) {
  SharedList<int> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list, SharedList<int>(std::vector<int>{}));
  list.edit([](std::vector<int>& items) { items.push_back(4); });
  EXPECT_EQ(list.size(), 1u);
  list.edit([](std::vector<int>& items) { items.clear(); });
  EXPECT_EQ(list.begin(), list.end());
}

}  // namespace
}  // namespace parley
