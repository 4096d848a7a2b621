#include "parley/base/text.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "parley/base/log.h"
#include "parley/base/result.h"

namespace parley {
namespace {

TEST(ParseNumber, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(parseNumber<uint16_t>("0"), 0);
  EXPECT_EQ(parseNumber<uint16_t>("65535"), 65535);
  EXPECT_EQ(parseNumber<int>("-12"), -12);
  EXPECT_EQ(parseNumber<uint8_t>("007"), 7);
  for (const char* text : {"", " 1", "1 ", "+1", "-1", "1a", "0x10", "65536", "1.0", "99999999999"})
    EXPECT_FALSE(parseNumber<uint16_t>(text)) << text;
  EXPECT_FALSE(parseNumber<int8_t>("128"));
}

TEST(Ascii, CaseIsFoldedWithoutALocale) {
  EXPECT_TRUE(equalsIgnoreCase("Opus/48000", "oPUS/48000"));
  EXPECT_FALSE(equalsIgnoreCase("opus", "opu"));
  EXPECT_FALSE(equalsIgnoreCase("[", "{")) << "only letters have a case";
  EXPECT_FALSE(equalsIgnoreCase("\xC3\x84", "\xC3\xA4"));
  EXPECT_EQ(toLower("AbZ[@"), "abz[@");
}

TEST(CutToken, YieldsEveryPieceOnce) {
  std::string_view rest = "a,,b";
  EXPECT_EQ(cutToken(rest, ','), "a");
  EXPECT_EQ(cutToken(rest, ','), "");
  EXPECT_EQ(cutToken(rest, ','), "b");
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(cutToken(rest, ','), "");
}

class Lines final : public LogSink {
 public:
  explicit Lines(LogLevel level) : level_(level) {}
  LogLevel level() const override { return level_; }
  void write(LogLevel level, std::string_view component, std::string_view line) override {
    levels.push_back(level);
    lines.push_back(std::string(component) + ": " + std::string(line));
  }
  std::vector<LogLevel> levels;
  std::vector<std::string> lines;

 private:
  LogLevel level_;
};

TEST(Log, APeersTextCannotStartALineOrDriveATerminal) {
  Lines sink(LogLevel::Trace);
  const char* hostile =
      "a\nb\rc\x1B[2Jd\x7F\te\xC2\x9B"
      "f";
  PARLEY_LOG(sink, Warning, "sdp", "line '%s'", hostile);
  ASSERT_EQ(sink.lines.size(), 1u);
  EXPECT_EQ(sink.lines[0], "sdp: line 'a?b?c?[2Jd??e??f'");
  EXPECT_EQ(sink.levels[0], LogLevel::Warning);
}

TEST(Log, LinesAreBounded) {
  Lines sink(LogLevel::Trace);
  const std::string endless(100'000, 'x');
  PARLEY_LOG(sink, Error, "x", "%s", endless.c_str());
  ASSERT_EQ(sink.lines.size(), 1u);
  EXPECT_LT(sink.lines[0].size(), 1024u);
}

TEST(Log, LinesBelowTheLevelAreNotEvenFormatted) {
  Lines sink(LogLevel::Warning);
  int formatted = 0;
  const auto argument = [&] { return ++formatted; };
  PARLEY_LOG(sink, Info, "x", "%d", argument());
  EXPECT_EQ(formatted, 0);
  PARLEY_LOG(sink, Warning, "x", "%d", argument());
  PARLEY_LOG(nullLog(), Error, "x", "%d", argument());
  EXPECT_EQ(formatted, 1);
  EXPECT_EQ(sink.lines, std::vector<std::string>{"x: 1"});
}

Result<std::string> halve(int value) {
  if (value % 2 != 0) return fail(ErrorCode::Range, "odd");
  return std::to_string(value / 2);
}

TEST(Result, IsAValueOrAnError) {
  Result<std::string> good = halve(4);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, "2");
  EXPECT_EQ(good->size(), 1u);
  EXPECT_EQ(*std::move(good), "2");
  const Result<std::string> bad = halve(3);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, ErrorCode::Range);
  EXPECT_EQ(bad.error().message, "odd");
  EXPECT_EQ(bad.value_or("none"), "none");
}

TEST(Result, ErrorsPassThroughResultsOfOtherTypes) {
  const auto outer = []() -> Result<void> {
    Result<std::string> inner = halve(1);
    if (!inner) return fail(std::move(inner).error());
    return ok();
  };
  const Result<void> result = outer();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "odd");
  EXPECT_TRUE(ok());
}

TEST(Result, CarriesWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 5);
}

TEST(ResultDeathTest, ReadingTheWrongAlternativeIsABug) {
  EXPECT_DEATH((void)halve(3).value(), "has_value");
  EXPECT_DEATH((void)halve(4).error(), "has_value");
}

TEST(ErrorCode, NamesAreThoseOfTheW3c) {
  EXPECT_STREQ(toString(ErrorCode::InvalidState), "InvalidStateError");
  EXPECT_STREQ(toString(ErrorCode::Type), "TypeError");
  EXPECT_STREQ(toString(ErrorCode::ResourceExhausted), "QuotaExceededError");
  EXPECT_STREQ(toString(ErrorDetail::SdpSyntaxError), "sdp-syntax-error");
}

}  // namespace
}  // namespace parley
