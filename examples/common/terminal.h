#pragma once

#include <string>
#include <string_view>

#include "parley/base/log.h"

namespace example {

/// Writes a line to standard output, whole. Any thread.
void print(const std::string& line);

/// Text of a caller's for the terminal: no control characters, which could do things to it.
std::string printable(std::string_view text, size_t maxLength = 500);

/// 1234567 bytes as "1.2 MiB".
std::string byteCount(double bytes);

/// printf into a string.
std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

/// The library's warnings, and with `verbose` more, on standard error.
class ErrorLog final : public parley::LogSink {
 public:
  explicit ErrorLog(bool verbose) : verbose_(verbose) {}
  parley::LogLevel level() const override;
  void write(parley::LogLevel level, std::string_view component, std::string_view line) override;

 private:
  bool verbose_;
};

/// Reads what is typed, without getting stuck if nothing is.
class Keyboard {
 public:
  /// Waits for input, at most `milliseconds`; false: none. At once if a signal comes.
  bool wait(int milliseconds);
  /// The next complete line, or false.
  bool nextLine(std::string& line);

 private:
  std::string pending_;
  bool ended_ = false;
};

}  // namespace example
