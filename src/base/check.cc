#include "parley/base/check.h"

#include <atomic>
#include <cstdlib>
#include <string>
#include <unistd.h>

namespace parley {
namespace {

void writeToStderr(const char* condition, const char* file, int line) {
  const std::string text = std::string("parley: check failed: ") + condition + " at " + file + ":" +
                           std::to_string(line) + "\n";
  [[maybe_unused]] const ssize_t written = ::write(2, text.data(), text.size());
}

// Recorded exception to machine rule M7: the handler says how the process dies, which is a property
// of the process and of no machine.
std::atomic<CheckHandler> currentHandler{&writeToStderr};

}  // namespace

CheckHandler setCheckHandler(CheckHandler handler) {
  return currentHandler.exchange(handler ? handler : &writeToStderr);
}

namespace internal {

void checkFailed(const char* condition, const char* file, int line) {
  currentHandler.load()(condition, file, line);
  std::abort();
}

}  // namespace internal
}  // namespace parley
