#include "words.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "parley/base/secure_random.h"

namespace sending {
namespace {

TEST(CodePhraseTest, HasFourWordsThatParse) {
  parley::SecureRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    const CodePhrase made = CodePhrase::make(random);
    EXPECT_EQ(std::count(made.text.begin(), made.text.end(), '-'), 3);
    const auto parsed = CodePhrase::parse(made.text);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->text, made.text);
    EXPECT_EQ(parsed->name, made.name);
    EXPECT_TRUE(made.text.starts_with(made.name + "-"));
    seen.insert(made.text);
  }
  EXPECT_GT(seen.size(), 45u);
}

TEST(CodePhraseTest, IsTheSameHoweverItIsTyped) {
  for (const char* typed : {"river-amber-otter-cedar", "River Amber  Otter Cedar",
                            " RIVER-amber otter- cedar\n", "river - amber - otter - cedar"}) {
    const auto parsed = CodePhrase::parse(typed);
    ASSERT_TRUE(parsed) << typed;
    EXPECT_EQ(parsed->text, "river-amber-otter-cedar");
    EXPECT_EQ(parsed->name, "river");
  }
}

TEST(CodePhraseTest, RefusesWhatIsNone) {
  for (const char* typed : {"", "river", "river-amber-otter", "---",
                            "river-amber-otter-c\xc3\xa9"
                            "dar",
                            "a/b-c-d-e"}) {
    EXPECT_FALSE(CodePhrase::parse(typed)) << typed;
  }
}

}  // namespace
}  // namespace sending
