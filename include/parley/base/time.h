#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace parley {

/// A span of time in nanoseconds. May be negative. `infinite()` compares above every other value.
class Duration {
 public:
  constexpr Duration() = default;
  static constexpr Duration nanos(int64_t n) { return Duration(n); }
  static constexpr Duration micros(int64_t us) { return Duration(us * 1'000); }
  static constexpr Duration millis(int64_t ms) { return Duration(ms * 1'000'000); }
  static constexpr Duration seconds(int64_t s) { return Duration(s * 1'000'000'000); }
  static constexpr Duration fromSeconds(double s) {
    return Duration(static_cast<int64_t>(s * 1e9));
  }
  static constexpr Duration infinite() { return Duration(std::numeric_limits<int64_t>::max()); }
  static constexpr Duration zero() { return Duration(); }

  constexpr int64_t nanos() const { return ns_; }
  constexpr int64_t micros() const { return ns_ / 1'000; }
  constexpr int64_t millis() const { return ns_ / 1'000'000; }
  constexpr double seconds() const { return static_cast<double>(ns_) * 1e-9; }
  constexpr bool isInfinite() const { return ns_ == std::numeric_limits<int64_t>::max(); }

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration o) const { return Duration(ns_ + o.ns_); }
  constexpr Duration operator-(Duration o) const { return Duration(ns_ - o.ns_); }
  constexpr Duration operator-() const { return Duration(-ns_); }
  constexpr Duration operator*(int64_t k) const { return Duration(ns_ * k); }
  constexpr Duration operator*(double k) const {
    return Duration(static_cast<int64_t>(static_cast<double>(ns_) * k));
  }
  constexpr Duration operator*(int k) const { return *this * static_cast<int64_t>(k); }
  constexpr Duration operator/(int64_t k) const { return Duration(ns_ / k); }
  constexpr double operator/(Duration o) const {
    return static_cast<double>(ns_) / static_cast<double>(o.ns_);
  }
  constexpr Duration& operator+=(Duration o) {
    ns_ += o.ns_;
    return *this;
  }
  constexpr Duration& operator-=(Duration o) {
    ns_ -= o.ns_;
    return *this;
  }

 private:
  explicit constexpr Duration(int64_t ns) : ns_(ns) {}
  int64_t ns_ = 0;
};

/// A point on a monotonic time line with an arbitrary origin, in nanoseconds. Machines are told the
/// time; they never ask for it (machine rule M1). `never()` compares above every other value and
/// means "no deadline".
class Timestamp {
 public:
  constexpr Timestamp() = default;
  static constexpr Timestamp nanos(int64_t n) { return Timestamp(n); }
  static constexpr Timestamp micros(int64_t us) { return Timestamp(us * 1'000); }
  static constexpr Timestamp millis(int64_t ms) { return Timestamp(ms * 1'000'000); }
  static constexpr Timestamp seconds(int64_t s) { return Timestamp(s * 1'000'000'000); }
  static constexpr Timestamp never() { return Timestamp(std::numeric_limits<int64_t>::max()); }

  constexpr int64_t nanos() const { return ns_; }
  constexpr int64_t micros() const { return ns_ / 1'000; }
  constexpr int64_t millis() const { return ns_ / 1'000'000; }
  constexpr double seconds() const { return static_cast<double>(ns_) * 1e-9; }
  constexpr bool isNever() const { return ns_ == std::numeric_limits<int64_t>::max(); }

  constexpr auto operator<=>(const Timestamp&) const = default;
  /// `never()` plus anything, and anything plus `Duration::infinite()`, stays `never()`.
  constexpr Timestamp operator+(Duration d) const {
    return isNever() || d.isInfinite() ? never() : Timestamp(ns_ + d.nanos());
  }
  constexpr Timestamp operator-(Duration d) const {
    return isNever() ? never() : Timestamp(ns_ - d.nanos());
  }
  constexpr Duration operator-(Timestamp o) const { return Duration::nanos(ns_ - o.ns_); }
  constexpr Timestamp& operator+=(Duration d) { return *this = *this + d; }

 private:
  explicit constexpr Timestamp(int64_t ns) : ns_(ns) {}
  int64_t ns_ = 0;
};

constexpr Timestamp earliest(Timestamp a, Timestamp b) {
  return a < b ? a : b;
}
template <class... T>
constexpr Timestamp earliest(Timestamp a, Timestamp b, T... rest) {
  return earliest(earliest(a, b), rest...);
}

/// Keeps a machine's clock from running backwards (machine rule M1): `now` older than the last one
/// seen is clamped to it.
class MonotonicGuard {
 public:
  constexpr Timestamp clamp(Timestamp now) {
    if (!seen_ || now > last_) last_ = now;
    seen_ = true;
    return last_;
  }
  constexpr Timestamp last() const { return last_; }

 private:
  Timestamp last_;
  bool seen_ = false;
};

/// 64-bit NTP time: seconds since 1900 in the upper half, fraction in the lower (RFC 5905 section
/// 6).
struct NtpTime {
  uint64_t value = 0;
  constexpr uint32_t seconds() const { return static_cast<uint32_t>(value >> 32); }
  constexpr uint32_t fraction() const { return static_cast<uint32_t>(value); }
  /// The middle 32 bits, as RTCP's LSR field carries them (RFC 3550 section 6.4.1).
  constexpr uint32_t compact() const { return static_cast<uint32_t>(value >> 16); }
  constexpr auto operator<=>(const NtpTime&) const = default;
};

/// Ties monotonic time to wall time. The driver refreshes it; only RTCP sender reports,
/// abs-capture-time, SDP session ids and certificates read it.
struct WallClock {
  Timestamp anchor;       ///< monotonic time of the anchor
  int64_t unixNanos = 0;  ///< wall time at the anchor, nanoseconds since 1970

  constexpr int64_t unixNanosAt(Timestamp t) const { return unixNanos + (t - anchor).nanos(); }
  constexpr NtpTime ntpAt(Timestamp t) const {
    constexpr uint64_t kNtpUnixOffsetSeconds =
        2'208'988'800;  // 1900 to 1970: 70 years, 17 leap days
    const int64_t ns = unixNanosAt(t);
    const uint64_t s = static_cast<uint64_t>(ns / 1'000'000'000) + kNtpUnixOffsetSeconds;
    const uint64_t f = (static_cast<uint64_t>(ns % 1'000'000'000) << 32) / 1'000'000'000;
    return NtpTime{(s << 32) | f};
  }
};

}  // namespace parley
