#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "parley/codec/generators.h"
#include "parley/parley.h"

#include "clip.h"
#include "wire.h"

namespace parley::interop {

/// A test pattern, a film or noise whose pictures carry numbers; keeps what it made lately, but for
/// noise.
class NumberedSource final : public VideoSource {
 public:
  /// Without a clip a pattern. `request` holds width, height and fps.
  NumberedSource(const Json& request, const std::string& clipFile);

  codec::VideoFrame next(Timestamp capture) override;
  Duration interval() const override { return interval_; }

  /// A picture by its number. Throws if it is not kept (any more).
  Json frame(uint32_t number) const;

 private:
  struct Kept {
    uint32_t number = 0;
    std::shared_ptr<const codec::I420Buffer> picture;
  };

  Duration interval_;
  bool noise_;
  int width_;
  int height_;
  codec::TestPattern pattern_;
  std::unique_ptr<Clip> clip_;
  uint32_t number_ = 0;
  Timestamp first_;
  mutable std::mutex mutex_;
  std::deque<Kept> kept_;
};

}  // namespace parley::interop
