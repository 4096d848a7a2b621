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

/// The same picture as `noiseLevels` of page/content.js, in blocks of 4x2.
std::shared_ptr<codec::I420Buffer> noise(int width, int height, uint32_t number) {
  constexpr int kBlockWidth = 4;
  constexpr int kBlockHeight = 2;
  auto picture = codec::I420Buffer::create(width, height);
  uint32_t state = (number + 1) * 0x9e3779b1u;
  if (state == 0) state = 1;
  for (int y = 0; y + kBlockHeight <= height; y += kBlockHeight) {
    uint8_t* row = picture->mutableY() + static_cast<ptrdiff_t>(y) * picture->strideY();
    for (int x = 0; x + kBlockWidth <= width; x += kBlockWidth) {
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      // A canvas is full range; this is what becomes of its levels in BT.601.
      const int level = 104 + static_cast<int>((state >> 8) & 31);
      std::fill_n(row + x, kBlockWidth, static_cast<uint8_t>(16 + level * 219 / 255));
    }
    for (int below = 1; below < kBlockHeight; ++below)
      std::copy_n(row, width, row + static_cast<ptrdiff_t>(below) * picture->strideY());
  }
  for (int y = 0; y < picture->chromaHeight(); ++y) {
    std::fill_n(picture->mutableU() + static_cast<ptrdiff_t>(y) * picture->strideU(),
                picture->chromaWidth(), uint8_t{128});
    std::fill_n(picture->mutableV() + static_cast<ptrdiff_t>(y) * picture->strideV(),
                picture->chromaWidth(), uint8_t{128});
  }
  drawNumber(*picture, number);
  return picture;
}

int sizeOf(const Json& request, const char* name, int usual) {
  return std::max(32, request.value(name, usual));
}

}  // namespace

NumberedSource::NumberedSource(const Json& request, const std::string& clipFile)
    : interval_(Duration::fromSeconds(1.0 / std::max(1.0, request.value("fps", 30.0)))),
      noise_(request.value("source", "pattern") == "noise"),
      width_(sizeOf(request, "width", kWidth)),
      height_(sizeOf(request, "height", kHeight)),
      pattern_(width_, height_) {
  if (!clipFile.empty()) {
    clip_ = std::make_unique<Clip>(clipFile, sizeOf(request, "width", kWidth),
                                   sizeOf(request, "height", kHeight));
  }
}

codec::VideoFrame NumberedSource::next(Timestamp capture) {
  codec::VideoFrame frame;
  if (noise_) {
    frame.buffer = noise(width_, height_, number_);
    frame.capture = capture;
    number_ = (number_ + 1) & kNumberMask;
    return frame;
  }
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
