#include "api/json_text.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace parley::api_internal {
namespace {

std::string json(std::string_view text) {
  std::string out;
  appendJson(out, text);
  return out;
}

TEST(JsonText, IsUtf8WhateverThePeerHasNamed) {
  EXPECT_EQ(json("x=\xff"), "\"x=\xEF\xBF\xBD\"");
  EXPECT_EQ(json("\xE2\x82"), "\"\xEF\xBF\xBD\"") << "ends within a character";
  EXPECT_EQ(json("\xE2\"\n"), "\"\xEF\xBF\xBD\\\"\\u000a\"") << "what follows is escaped";
  EXPECT_EQ(json("\xE2\x82\xAC \xF0\x9F\x98\x80"), "\"\xE2\x82\xAC \xF0\x9F\x98\x80\"");
}

}  // namespace
}  // namespace parley::api_internal
