#pragma once

#include <ctime>

namespace parley::test {

/// CPU time that this process has used since the object was made: what a bound on effort can be
/// checked against on a machine that does other things too.
class CpuTime {
 public:
  CpuTime() : start_(std::clock()) {}
  double seconds() const { return static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC; }

 private:
  std::clock_t start_;
};

/// How much slower than an ordinary build this one may be: sanitizers take their time.
constexpr double cpuAllowance() {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return 15;
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 15;
#else
  return 1;
#endif
}

}  // namespace parley::test
