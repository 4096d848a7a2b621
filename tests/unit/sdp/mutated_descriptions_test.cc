// Real descriptions, damaged: rules B49 to B58 of what a parser owes to hostile text.

#include <gtest/gtest.h>

#include "parley/sdp/parser.h"
#include "parley/sdp/writer.h"

#include "unit/sdp/mutation.h"

namespace parley::sdp {
namespace {

TEST(MutatedDescriptions, WhatParsesComesBackTheSame) {
  test::Mutator mutator(1);
  uint64_t parsed = 0;
  for (uint64_t i = test::mutationCount(300); i > 0; --i) {
    const std::string text = mutator.next();
    const auto once = parse(text);
    if (!once) {
      ASSERT_FALSE(once.error().message.empty());
      ASSERT_TRUE(once.error().message.starts_with("line ") || text.size() > (1u << 20))
          << once.error().message;
      continue;
    }
    ++parsed;
    const auto written = write(*once);
    ASSERT_TRUE(written) << written.error().message << "\n" << text;
    const auto twice = parse(*written);
    ASSERT_TRUE(twice) << twice.error().message << "\n" << *written;
    ASSERT_TRUE(*twice == *once) << text << "\n--- became\n" << *written;
  }
  EXPECT_GT(parsed, 0u);
}

}  // namespace
}  // namespace parley::sdp
