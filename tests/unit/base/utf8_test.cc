#include "base/utf8.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(Utf8, RepairsAsTheEncodingStandardDoes) {
  const auto repaired = [](std::string_view text) {
    Bytes data = toBytes(text);
    repairUtf8(data);
    EXPECT_TRUE(isValidUtf8(data));
    return std::string(asText(data));
  };
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(repaired("plain"), "plain");
  EXPECT_EQ(repaired("\xE2\x82\xAC"), "\xE2\x82\xAC");
  EXPECT_EQ(repaired("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(repaired("\xC0\x80"), bad + bad) << "longer than needed";
  EXPECT_EQ(repaired("\xED\xA0\x80"), bad + bad + bad) << "surrogate";
  EXPECT_EQ(repaired("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "beyond U+10FFFF";
  EXPECT_EQ(repaired("\xE2\x82"), bad) << "one for a truncated character";
  EXPECT_EQ(repaired("\xE2\x82x"), bad + "x");
  EXPECT_EQ(repaired("\x80"), bad);
}

}  // namespace
}  // namespace parley
