#include "common/arguments.h"

#include <cstdio>
#include <cstdlib>

namespace example {

void Arguments::refuse(const std::string& problem) const {
  std::fprintf(stderr, "%s: %s (%s --help tells the options)\n", program, problem.c_str(), program);
  std::exit(2);
}

double Arguments::positive(const std::string& option, const std::string& text) const {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value > 0)) refuse(option + " wants a number above 0");
  return value;
}

void Arguments::parse(int count, char** words) const {
  bool onlyWords = false;  // after "--"
  for (int i = 1; i < count; ++i) {
    const std::string given = words[i];
    if (onlyWords || !given.starts_with('-') || given == "-") {
      if (!word) refuse("there is no option " + given);
      word(given);
      continue;
    }
    if (given == "--help" || given == "-h") {
      std::fputs(help, stdout);
      std::exit(0);
    }
    if (given == "--" && word) {
      onlyWords = true;
      continue;
    }
    const size_t equals = given.find('=');
    const std::string name = given.substr(0, equals);
    const auto value = values.find(name);
    if (equals != std::string::npos && value != values.end()) {
      value->second(given.substr(equals + 1));
    } else if (const auto flag = flags.find(given); flag != flags.end()) {
      flag->second();
    } else if (value == values.end()) {
      refuse("there is no option " + given);
    } else if (i + 1 == count) {
      refuse(given + " wants a value");
    } else {
      value->second(words[++i]);
    }
  }
}

}  // namespace example
