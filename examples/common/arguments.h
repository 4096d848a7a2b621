#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "parley/base/text.h"

namespace example {

/// The command line of a program: options without and with a value, and words that are neither.
struct Arguments {
  const char* program = "";
  const char* help = "";
  std::map<std::string, std::function<void()>, std::less<>> flags;
  std::map<std::string, std::function<void(const std::string&)>, std::less<>> values;
  /// Takes a word without dashes. Null: there are none.
  std::function<void(const std::string&)> word;

  /// Reads the command line; "--option=value" works too. Prints help, or what is wrong, and ends
  /// the process if there is nothing to run.
  void parse(int count, char** words) const;
  [[noreturn]] void refuse(const std::string& problem) const;

  template <class T>
  T number(const std::string& option, const std::string& text, T least, T most) const {
    const auto value = parley::parseNumber<T>(text);
    if (!value || *value < least || *value > most) {
      refuse(option + " wants a number from " + std::to_string(least) + " to " +
             std::to_string(most));
    }
    return *value;
  }
  /// A number above 0.
  double positive(const std::string& option, const std::string& text) const;
};

}  // namespace example
