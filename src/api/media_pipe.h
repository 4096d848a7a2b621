#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "parley/api/encoded_transform.h"

#include "api/worker.h"

namespace parley::api_internal {

/// What all pipes between tracks and sessions have: a worker, a mutex for what other threads see,
/// an end.
class MediaPipe {
 protected:
  explicit MediaPipe(std::shared_ptr<Worker> worker) : worker_(std::move(worker)) {}

  bool isStopped() const {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

  /// For an app that takes its time with a frame (FrameReader): all of it but the bytes, which are
  /// the member `bytes`, is kept. When they are given back `goOn(pipe, frame)` runs on the worker,
  /// unless the pipe has stopped meanwhile, or is gone.
  template <class Pipe, class Frame, class GoOn>
  static FrameWriter giveBack(const std::shared_ptr<Pipe>& pipe, Frame frame, Bytes Frame::*bytes,
                              GoOn goOn) {
    const auto kept = std::make_shared<Frame>(std::move(frame));
    return [weak = std::weak_ptr(pipe), kept, bytes, goOn](Bytes data) {
      const std::shared_ptr<Pipe> self = weak.lock();
      if (!self) return;
      (*kept).*bytes = std::move(data);
      self->worker_->post([self, kept, goOn] {
        if (!self->isStopped()) goOn(*self, *kept);
      });
    };
  }

  const std::shared_ptr<Worker> worker_;
  mutable std::mutex mutex_;
  bool stopped_ = false;
};

}  // namespace parley::api_internal
