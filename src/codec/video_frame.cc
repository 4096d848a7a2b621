#include "parley/codec/video_frame.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "parley/base/check.h"

#include "codec/plane_psnr.h"

namespace parley::codec {
namespace {

constexpr int kMaxSide = 16384;

void copyPlane(const uint8_t* from, int fromStride, uint8_t* to, int toStride, int width,
               int height) {
  for (int row = 0; row < height; ++row) {
    std::memcpy(to, from, static_cast<size_t>(width));
    from += fromStride;
    to += toStride;
  }
}

void scalePlane(const uint8_t* from, int fromWidth, int fromHeight, int fromStride, uint8_t* to,
                int toWidth, int toHeight, int toStride) {
  // 16.16 fixed point, sampling at pixel centres.
  const int64_t stepX = (static_cast<int64_t>(fromWidth) << 16) / toWidth;
  const int64_t stepY = (static_cast<int64_t>(fromHeight) << 16) / toHeight;
  for (int y = 0; y < toHeight; ++y) {
    const int64_t posY = std::max<int64_t>(0, y * stepY + stepY / 2 - 0x8000);
    const int y0 = std::min(static_cast<int>(posY >> 16), fromHeight - 1);
    const int y1 = std::min(y0 + 1, fromHeight - 1);
    const int fy = static_cast<int>((posY & 0xffff) >> 8);
    const uint8_t* upper = from + static_cast<ptrdiff_t>(y0) * fromStride;
    const uint8_t* lower = from + static_cast<ptrdiff_t>(y1) * fromStride;
    uint8_t* out = to + static_cast<ptrdiff_t>(y) * toStride;
    for (int x = 0; x < toWidth; ++x) {
      const int64_t posX = std::max<int64_t>(0, x * stepX + stepX / 2 - 0x8000);
      const int x0 = std::min(static_cast<int>(posX >> 16), fromWidth - 1);
      const int x1 = std::min(x0 + 1, fromWidth - 1);
      const int fx = static_cast<int>((posX & 0xffff) >> 8);
      const int top = upper[x0] * (256 - fx) + upper[x1] * fx;
      const int bottom = lower[x0] * (256 - fx) + lower[x1] * fx;
      out[x] = static_cast<uint8_t>((top * (256 - fy) + bottom * fy + 0x8000) >> 16);
    }
  }
}

}  // namespace

I420Buffer::I420Buffer(int width, int height) : width_(width), height_(height) {
  PARLEY_CHECK(width >= 1 && width <= kMaxSide && height >= 1 && height <= kMaxSide);
  samples_.resize(ySize() + 2 * chromaSize());
}

std::shared_ptr<I420Buffer> I420Buffer::create(int width, int height) {
  return std::make_shared<I420Buffer>(width, height);
}

void I420Buffer::fill(uint8_t y, uint8_t u, uint8_t v) {
  std::memset(mutableY(), y, ySize());
  std::memset(mutableU(), u, chromaSize());
  std::memset(mutableV(), v, chromaSize());
}

void I420Buffer::copyFrom(const uint8_t* y, int fromStrideY, const uint8_t* u, int fromStrideU,
                          const uint8_t* v, int fromStrideV) {
  copyPlane(y, fromStrideY, mutableY(), strideY(), width_, height_);
  copyPlane(u, fromStrideU, mutableU(), strideU(), chromaWidth(), chromaHeight());
  copyPlane(v, fromStrideV, mutableV(), strideV(), chromaWidth(), chromaHeight());
}

std::shared_ptr<I420Buffer> I420BufferPool::acquire(int width, int height) {
  std::shared_ptr<I420Buffer>* reusable = nullptr;
  for (auto& buffer : buffers_) {
    if (buffer.use_count() != 1) continue;
    // The last reader may have been another thread: its reads happen before our writes.
    std::atomic_thread_fence(std::memory_order_acquire);
    if (buffer->width() == width && buffer->height() == height) return buffer;
    reusable = &buffer;
  }
  if (buffers_.size() < maxBuffers_)
    return buffers_.emplace_back(I420Buffer::create(width, height));
  if (reusable == nullptr) return nullptr;
  *reusable = I420Buffer::create(width, height);
  return *reusable;
}

void scaleInto(const I420Buffer& source, I420Buffer& target) {
  scalePlane(source.dataY(), source.width(), source.height(), source.strideY(), target.mutableY(),
             target.width(), target.height(), target.strideY());
  scalePlane(source.dataU(), source.chromaWidth(), source.chromaHeight(), source.strideU(),
             target.mutableU(), target.chromaWidth(), target.chromaHeight(), target.strideU());
  scalePlane(source.dataV(), source.chromaWidth(), source.chromaHeight(), source.strideV(),
             target.mutableV(), target.chromaWidth(), target.chromaHeight(), target.strideV());
}

std::shared_ptr<I420Buffer> scale(const I420Buffer& source, int width, int height) {
  auto target = I420Buffer::create(width, height);
  scaleInto(source, *target);
  return target;
}

double psnr(const I420Buffer& a, const I420Buffer& b) {
  if (a.width() != b.width() || a.height() != b.height()) return 0;
  return planePsnr({a.dataY(), a.strideY()}, {b.dataY(), b.strideY()}, a.width(), a.height());
}

}  // namespace parley::codec
