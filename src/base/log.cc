#include "parley/base/log.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace parley {
namespace {

class NullLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view, std::string_view) override {}
};

}  // namespace

LogSink& nullLog() {
  static NullLog sink;
  return sink;
}

namespace internal {

void logFormatted(LogSink& sink, LogLevel level, const char* component, const char* format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  const int n = std::vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (n < 0) return;
  const size_t length = std::min(static_cast<size_t>(n), sizeof line - 1);
  // A peer's text must not be able to start a new log line or drive a terminal, be it by the
  // control characters that UTF-8 has beyond ASCII.
  for (size_t i = 0; i < length; ++i) {
    if (line[i] < 0x20 || line[i] > 0x7e) line[i] = '?';
  }
  sink.write(level, component, {line, length});
}

}  // namespace internal
}  // namespace parley
