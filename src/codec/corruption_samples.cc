#include "parley/codec/corruption_samples.h"

#include <algorithm>
#include <cmath>

#include "parley/base/text.h"

namespace parley::codec {
namespace {

using Message = rtp::CorruptionDetectionValue;

constexpr uint32_t kIndexes = 1 << 14;
constexpr uint32_t kLowBits = 0x7f;
/// "A linear map: 0 = 0.0 to 255 = 40.0".
constexpr double kDeviationStep = 40.0 / 255;
/// Samples of less weight have no effect worth their cost.
constexpr double kLeastWeight = 0.2;
/// But so many in each direction count at least, however small the blur: libwebrtc does so, and
/// samples beside an edge would differ from its own without that.
constexpr int kLeastReach = 3;
constexpr Duration kInterval = Duration::seconds(1);
/// The draft leaves it open how differences become a likelihood. Squares, so that one sample that
/// is far off counts; halved, as the draft found to work; of the mean, because with 13 samples even
/// a good picture has one that is a little off now and then.
constexpr double kScoreDivisor = 2;

double halton(uint32_t index, uint32_t base) {
  double fraction = 1;
  double out = 0;
  for (; index > 0; index /= base) {
    fraction /= base;
    out += fraction * (index % base);
  }
  return out;
}

struct Plane {
  const uint8_t* data;
  int width;
  int height;
  int stride;
};

Plane planeOf(const I420Buffer& picture, int plane) {
  if (plane == 0) return {picture.dataY(), picture.width(), picture.height(), picture.strideY()};
  if (plane == 1)
    return {picture.dataU(), picture.chromaWidth(), picture.chromaHeight(), picture.strideU()};
  return {picture.dataV(), picture.chromaWidth(), picture.chromaHeight(), picture.strideV()};
}

/// How coarse the quantizer was, 0..1.
double coarseness(const EncodedVideoFrame& frame, std::string_view codecName) {
  constexpr double kUnknown = 0.8;
  if (frame.qp < 0) return kUnknown;
  const double most = equalsIgnoreCase(codecName, "VP8")   ? 127
                      : equalsIgnoreCase(codecName, "VP9") ? 255
                      : equalsIgnoreCase(codecName, "AV1") ? 255
                                                           : 51;
  return std::clamp(frame.qp / most, 0.0, 1.0);
}

}  // namespace

SamplePoint corruptionSamplePoint(uint32_t index, int width, int height) {
  const double row = halton(index, 2) * height;
  const double column = halton(index, 3) * width * 1.5;
  SamplePoint out;
  if (column < width) {
    out = {0, static_cast<int>(row), static_cast<int>(column)};
  } else if (row < height / 2.0) {
    out = {1, static_cast<int>(row), static_cast<int>(column - width)};
  } else {
    out = {2, static_cast<int>(row - height / 2.0), static_cast<int>(column - width)};
  }
  return out;
}

double blurredSample(const I420Buffer& picture, const SamplePoint& point, double deviation) {
  const Plane plane = planeOf(picture, point.plane);
  const int row = std::clamp(point.row, 0, plane.height - 1);
  const int column = std::clamp(point.column, 0, plane.width - 1);
  if (!(deviation > 0)) return plane.data[row * plane.stride + column];
  const double variance = deviation * deviation;
  const int reach =
      std::max(kLeastReach,
               static_cast<int>(std::ceil(std::sqrt(-2 * std::log(kLeastWeight) * variance))) - 1);
  double sum = 0;
  double weights = 0;
  for (int y = std::max(0, row - reach); y <= std::min(plane.height - 1, row + reach); ++y) {
    for (int x = std::max(0, column - reach); x <= std::min(plane.width - 1, column + reach); ++x) {
      const double distance = (y - row) * (y - row) + (x - column) * (x - column);
      const double weight = std::exp(-distance / (2 * variance));
      sum += weight * plane.data[y * plane.stride + x];
      weights += weight;
    }
  }
  return sum / weights;
}

bool CorruptionSampler::isDue(const EncodedVideoFrame& frame) const {
  // Frames that a server may leave out would carry the count away with them.
  return frame.keyFrame ||
         (frame.temporalId == 0 && (!last_ || frame.capture - *last_ >= kInterval));
}

std::optional<Message> CorruptionSampler::sample(const I420Buffer& input,
                                                 const EncodedVideoFrame& frame,
                                                 std::string_view codecName) {
  if (!isDue(frame)) return std::nullopt;
  if (input.width() != frame.width || input.height() != frame.height) return std::nullopt;
  last_ = frame.capture;
  Message out;
  if (frame.keyFrame) next_ = (next_ + kLowBits) & ~kLowBits & (kIndexes - 1);
  out.upperBits = frame.keyFrame;
  out.index = static_cast<uint8_t>(frame.keyFrame ? next_ >> 7 : next_ & kLowBits);
  // The coarser, the wider the blur and the larger the differences that coding alone explains;
  // measured with libvpx so that 99.5 % of the samples are within (corruption_samples_test).
  const double coarse = coarseness(frame, codecName);
  out.deviation = static_cast<uint8_t>((1 + 5 * coarse) / kDeviationStep);
  out.lumaError = static_cast<uint8_t>(std::lround(2 + 10 * coarse));
  out.chromaError = static_cast<uint8_t>(std::lround(2 + 6 * coarse));
  for (size_t i = 0; i < Message::kMaxSamples; ++i) {
    const SamplePoint point = corruptionSamplePoint(next_, input.width(), input.height());
    out.samples.push_back(
        static_cast<uint8_t>(blurredSample(input, point, out.deviation * kDeviationStep)));
    next_ = (next_ + 1) % kIndexes;
  }
  return out;
}

std::optional<double> CorruptionJudge::judge(const Message& message, const I420Buffer& picture) {
  uint32_t index = uint32_t{message.index} << 7;
  if (!message.upperBits) {
    if (!next_) return std::nullopt;
    // Frames between were left out: on to the next number that ends like this.
    index = (*next_ + ((message.index - *next_) & kLowBits)) % kIndexes;
  }
  next_ = (index + static_cast<uint32_t>(message.samples.size())) % kIndexes;
  if (message.samples.empty()) return std::nullopt;
  double sum = 0;
  for (const uint8_t expected : message.samples) {
    const SamplePoint point = corruptionSamplePoint(index, picture.width(), picture.height());
    // The sender's samples are floored: so are ours.
    const double sample =
        std::floor(blurredSample(picture, point, message.deviation * kDeviationStep));
    const double allowed = point.plane == 0 ? message.lumaError : message.chromaError;
    const double off = std::max(0.0, std::abs(sample - expected) - allowed);
    sum += off * off;
    index = (index + 1) % kIndexes;
  }
  return std::min(1.0, sum / static_cast<double>(message.samples.size()) / kScoreDivisor);
}

}  // namespace parley::codec
