#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "parley/api/encoded_transform.h"

namespace parley::api_internal {

/// What an app does with frames: at once, or in its own time. Empty: nothing.
struct AppTransform {
  FrameTransform now;
  FrameReader later;
  explicit operator bool() const { return now || later; }
};

/// An app's transform: held while it runs, so that it may be replaced at any time. Its owner's
/// mutex guards it.
class TransformSlot {
 public:
  using Held = std::shared_ptr<const AppTransform>;

  /// Gives the former one, to be destroyed without the mutex.
  [[nodiscard]] Held exchange(AppTransform transform) {
    return std::exchange(
        transform_,
        transform ? std::make_shared<const AppTransform>(std::move(transform)) : nullptr);
  }
  [[nodiscard]] Held exchange(Held transform) {
    return std::exchange(transform_, std::move(transform));
  }
  Held get() const { return transform_; }

 private:
  Held transform_;
};

}  // namespace parley::api_internal
