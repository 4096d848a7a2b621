#include "content.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numbers>

#include "parley/codec/generators.h"

namespace parley::interop {

uint32_t fnv1a(ByteSpan bytes, uint32_t hash) {
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 16777619u;
  return hash;
}

Bytes payload(size_t size, uint32_t index, bool text) {
  Bytes out(size);
  for (size_t j = 0; j < size; ++j) {
    const size_t value = j * 31 + static_cast<size_t>(index) * 7;
    out[j] = static_cast<uint8_t>(text ? 32 + value % 95 : value);
  }
  return out;
}

MessagePlan::MessagePlan(const Json& request)
    : state_(request.value("seed", uint32_t{1})),
      count_(request.value("count", uint32_t{1000})),
      max_(request.value("max", uint32_t{262144})) {
  if (state_ == 0) state_ = 1;
}

uint32_t MessagePlan::draw() {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 17;
  state_ ^= state_ << 5;
  return state_;
}

bool MessagePlan::next(Message& out) {
  if (index_ == count_) return false;
  const uint32_t kind = draw();
  const uint32_t power = uint32_t{1} << (draw() % 19);
  out.index = index_;
  out.size = std::min(max_, power - 1 + draw() % power);
  if (index_ % 50 == 0) out.size = 0;
  if (index_ % 50 == 1) out.size = max_;
  out.text = (kind >> 8 & 1) == 1;
  ++index_;
  return true;
}

void Tally::add(ByteSpan bytes, bool text) {
  ++messages_;
  if (text) ++textMessages_;
  bytes_ += bytes.size();
  const auto size = static_cast<uint32_t>(bytes.size());
  const std::array<uint8_t, 5> header{
      text ? uint8_t{1} : uint8_t{0}, static_cast<uint8_t>(size), static_cast<uint8_t>(size >> 8),
      static_cast<uint8_t>(size >> 16), static_cast<uint8_t>(size >> 24)};
  hash_ = fnv1a(bytes, fnv1a(header, hash_));
}

Json Tally::result() const {
  return {{"messages", messages_},
          {"textMessages", textMessages_},
          {"binaryMessages", messages_ - textMessages_},
          {"bytes", bytes_},
          {"hash", hash_}};
}

namespace {

constexpr int kColumns = 16;
constexpr int kRows = 2;
constexpr uint8_t kBlack = 16;
constexpr uint8_t kWhite = 235;

uint32_t protect(uint32_t number) {
  uint32_t check = 0xa5;
  for (int shift = 0; shift < 24; shift += 8) check = (check * 31 ^ number >> shift) & 0xff;
  return number << 8 | check;
}

}  // namespace

void drawNumber(codec::I420Buffer& picture, uint32_t number) {
  const uint32_t field = protect(number);
  const int tall = std::max(4, picture.height() / 12);
  const int lines = std::min(kRows * tall, picture.height());
  for (int y = 0; y < lines; ++y) {
    uint8_t* row = picture.mutableY() + static_cast<ptrdiff_t>(y) * picture.strideY();
    for (int x = 0; x < picture.width(); ++x) {
      const int cell = y / tall * kColumns + x * kColumns / picture.width();
      row[x] = field >> (31 - cell) & 1 ? kWhite : kBlack;
    }
  }
  for (int y = 0; y < (lines + 1) / 2; ++y) {
    const auto width = static_cast<size_t>(picture.chromaWidth());
    std::memset(picture.mutableU() + static_cast<ptrdiff_t>(y) * picture.strideU(), 128, width);
    std::memset(picture.mutableV() + static_cast<ptrdiff_t>(y) * picture.strideV(), 128, width);
  }
}

Json describePicture(const codec::I420Buffer& picture) {
  const auto size = static_cast<size_t>(picture.width()) * static_cast<size_t>(picture.height());
  // The library's test pattern carries its number in the same cells.
  return {{"width", picture.width()},
          {"height", picture.height()},
          {"number", orNull(codec::TestPattern::readFrameNumber(picture))},
          {"luma", toBase64({picture.dataY(), size})}};
}

Sound analyse(std::span<const int16_t> samples, double sampleRate) {
  Sound out;
  if (samples.empty()) return out;
  double energy = 0;
  for (const int16_t sample : samples) energy += static_cast<double>(sample) * sample;
  out.rms = std::sqrt(energy / static_cast<double>(samples.size())) / 32768;
  double best = -1;
  for (double hz = 50; hz <= 4000; hz += 10) {
    // Goertzel's algorithm.
    const double factor = 2 * std::cos(2 * std::numbers::pi * hz / sampleRate);
    double s1 = 0;
    double s2 = 0;
    for (const int16_t sample : samples) {
      const double s0 = sample + factor * s1 - s2;
      s2 = s1;
      s1 = s0;
    }
    const double power = s1 * s1 + s2 * s2 - factor * s1 * s2;
    if (power <= best) continue;
    best = power;
    out.peakHz = hz;
  }
  return out;
}

}  // namespace parley::interop
