#pragma once

#include <cstdint>
#include <string_view>

#include "parley/base/export.h"

namespace parley {

enum class LogLevel : uint8_t { Trace, Debug, Info, Warning, Error, Silent };

/// Where log lines go. The default of the library is silence. Never receives keys, passwords or
/// media. Thread rule: called on the loop's thread; must be thread-safe if several loops share it.
class PARLEY_EXPORT LogSink {
 public:
  virtual ~LogSink() = default;
  /// Lines below this level are not even formatted.
  virtual LogLevel level() const { return LogLevel::Silent; }
  virtual void write(LogLevel level, std::string_view component, std::string_view line) = 0;
};

/// Swallows everything.
PARLEY_EXPORT LogSink& nullLog();

namespace internal {
PARLEY_EXPORT void logFormatted(LogSink& sink, LogLevel level, const char* component,
                                const char* format, ...) __attribute__((format(printf, 4, 5)));
}

}  // namespace parley

/// PARLEY_LOG(sink, Info, "ice", "selected pair %d", n): formatted only if the sink wants the
/// level.
#define PARLEY_LOG(sink, lvl, component, ...)                                             \
  do {                                                                                    \
    ::parley::LogSink& parleyLogSink = (sink);                                            \
    if (::parley::LogLevel::lvl >= parleyLogSink.level())                                 \
      ::parley::internal::logFormatted(parleyLogSink, ::parley::LogLevel::lvl, component, \
                                       __VA_ARGS__);                                      \
  } while (false)
