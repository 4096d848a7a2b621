#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/time.h"

namespace parley::codec {

/// How far a picture must be turned clockwise to be upright.
enum class VideoRotation : uint16_t {
  None = 0,
  Clockwise90 = 90,
  Clockwise180 = 180,
  Clockwise270 = 270
};

/// A picture in planar 4:2:0 with 8 bits per sample (full-size Y, then U and V at half size in both
/// directions, rounded up). Immutable once shared.
class PARLEY_EXPORT I420Buffer {
 public:
  /// Uninitialised samples. Both sides in 1..16384.
  static std::shared_ptr<I420Buffer> create(int width, int height);

  int width() const { return width_; }
  int height() const { return height_; }
  int chromaWidth() const { return (width_ + 1) / 2; }
  int chromaHeight() const { return (height_ + 1) / 2; }
  int strideY() const { return width_; }
  int strideU() const { return chromaWidth(); }
  int strideV() const { return chromaWidth(); }
  const uint8_t* dataY() const { return samples_.data(); }
  const uint8_t* dataU() const { return samples_.data() + ySize(); }
  const uint8_t* dataV() const { return samples_.data() + ySize() + chromaSize(); }
  uint8_t* mutableY() { return samples_.data(); }
  uint8_t* mutableU() { return samples_.data() + ySize(); }
  uint8_t* mutableV() { return samples_.data() + ySize() + chromaSize(); }

  void fill(uint8_t y, uint8_t u, uint8_t v);
  /// Copies planes of the same size that have other strides.
  void copyFrom(const uint8_t* y, int strideY, const uint8_t* u, int strideU, const uint8_t* v,
                int strideV);

  /// Use create(): public only for the shared pointer's sake.
  I420Buffer(int width, int height);

 private:
  size_t ySize() const { return static_cast<size_t>(width_) * static_cast<size_t>(height_); }
  size_t chromaSize() const {
    return static_cast<size_t>(chromaWidth()) * static_cast<size_t>(chromaHeight());
  }
  int width_;
  int height_;
  std::vector<uint8_t> samples_;
};

/// Hands out pictures and takes each back when its last reader lets go, so a steady stream does not
/// allocate. The pool belongs to one thread; the pictures may be released on any.
class PARLEY_EXPORT I420BufferPool {
 public:
  explicit I420BufferPool(size_t maxBuffers = 32) : maxBuffers_(maxBuffers) {}
  /// Null if all `maxBuffers` are in use.
  std::shared_ptr<I420Buffer> acquire(int width, int height);

 private:
  size_t maxBuffers_;
  std::vector<std::shared_ptr<I420Buffer>> buffers_;
};

/// A raw picture with its time.
struct VideoFrame {
  std::shared_ptr<const I420Buffer> buffer;
  Timestamp capture{};        ///< when the picture was taken (sender) or is due (receiver)
  uint32_t rtpTimestamp = 0;  ///< 90 kHz; set by decoders, ignored by encoders
  VideoRotation rotation = VideoRotation::None;

  int width() const { return buffer ? buffer->width() : 0; }
  int height() const { return buffer ? buffer->height() : 0; }
};

/// The 90 kHz media time of a capture time, without the random offset of RFC 3550 section 5.1,
/// which the send stream adds.
constexpr uint32_t videoRtpTimestamp(Timestamp capture) {
  return static_cast<uint32_t>(capture.nanos() / 100'000 * 9 +
                               capture.nanos() % 100'000 * 9 / 100'000);
}

/// Bilinear; any size to any size.
PARLEY_EXPORT std::shared_ptr<I420Buffer> scale(const I420Buffer& source, int width, int height);
/// The same into an existing picture of the wanted size.
PARLEY_EXPORT void scaleInto(const I420Buffer& source, I420Buffer& target);
/// Peak signal-to-noise ratio of the luma in dB, 100 for equal pictures, 0 if the sizes differ.
PARLEY_EXPORT double psnr(const I420Buffer& a, const I420Buffer& b);

}  // namespace parley::codec
