#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "parley/base/check.h"

namespace parley {

/// A value that may be absent, like `std::optional`, but held on the heap: for large parts that
/// most objects lack most of the time, so that their absence costs a pointer. Copies are deep.
template <class T>
class Boxed {
 public:
  Boxed() = default;
  Boxed(T value) : held_(std::make_unique<T>(std::move(value))) {}
  Boxed(std::optional<T> value) : held_(value ? std::make_unique<T>(std::move(*value)) : nullptr) {}
  Boxed(const Boxed& other) : held_(other.held_ ? std::make_unique<T>(*other.held_) : nullptr) {}
  Boxed(Boxed&&) noexcept = default;
  Boxed& operator=(const Boxed& other) {
    if (this != &other) *this = Boxed(other);
    return *this;
  }
  Boxed& operator=(Boxed&&) noexcept = default;
  ~Boxed() = default;

  /// Both absent, or equal values.
  friend bool operator==(const Boxed& a, const Boxed& b) {
    return a.held_ && b.held_ ? *a.held_ == *b.held_ : a.held_ == b.held_;
  }

  explicit operator bool() const { return held_ != nullptr; }
  bool has_value() const { return held_ != nullptr; }
  void reset() { held_.reset(); }
  T& operator*() {
    PARLEY_CHECK(held_);
    return *held_;
  }
  const T& operator*() const {
    PARLEY_CHECK(held_);
    return *held_;
  }
  T* operator->() { return &**this; }
  const T* operator->() const { return &**this; }

 private:
  std::unique_ptr<T> held_;
};

}  // namespace parley
