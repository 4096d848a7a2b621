#include "sources.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "content.h"

namespace parley::interop {
namespace {

constexpr size_t kKeptPictures = 120;
constexpr uint32_t kNumberMask = 0xffffff;
constexpr int kWidth = 640;
constexpr int kHeight = 360;

int sizeOf(const Json& request, const char* name, int usual) {
  return std::max(32, request.value(name, usual));
}

}  // namespace

NumberedSource::NumberedSource(const Json& request, const std::string& clipFile)
    : interval_(Duration::fromSeconds(1.0 / std::max(1.0, request.value("fps", 30.0)))),
      pattern_(sizeOf(request, "width", kWidth), sizeOf(request, "height", kHeight)) {
  if (!clipFile.empty()) {
    clip_ = std::make_unique<Clip>(clipFile, sizeOf(request, "width", kWidth),
                                   sizeOf(request, "height", kHeight));
  }
}

codec::VideoFrame NumberedSource::next(Timestamp capture) {
  codec::VideoFrame frame;
  if (clip_) {
    if (number_ == 0) first_ = capture;
    const auto film = clip_->at((capture - first_).seconds());
    auto picture = codec::I420Buffer::create(film->width(), film->height());
    picture->copyFrom(film->dataY(), film->strideY(), film->dataU(), film->strideU(), film->dataV(),
                      film->strideV());
    drawNumber(*picture, number_);
    frame.buffer = std::move(picture);
    frame.capture = capture;
  } else {
    // The pattern counts the same way and draws the same cells.
    frame = pattern_.next(capture);
  }
  const std::lock_guard lock(mutex_);
  kept_.push_back({number_, frame.buffer});
  if (kept_.size() > kKeptPictures) kept_.pop_front();
  number_ = (number_ + 1) & kNumberMask;
  return frame;
}

Json NumberedSource::frame(uint32_t number) const {
  std::shared_ptr<const codec::I420Buffer> picture;
  {
    const std::lock_guard lock(mutex_);
    for (const Kept& kept : kept_) {
      if (kept.number == number) picture = kept.picture;
    }
  }
  if (!picture) {
    throw std::runtime_error("source frame " + std::to_string(number) + " is not kept");
  }
  return describePicture(*picture);
}

}  // namespace parley::interop
