#include "quality.h"

#include <string_view>

namespace loopback {

using namespace parley;

namespace {

constexpr size_t kKeptPictures = 150;  // five seconds: nothing comes later than that

uint64_t hashOf(const Bytes& data) {
  return std::hash<std::string_view>{}(asText(data));
}

}  // namespace

void QualityMeter::sent(const codec::VideoFrame& frame) {
  const std::lock_guard lock(mutex_);
  if (results_.empty()) first_ = frame.capture;
  recent_[frame.capture] = {frame.buffer, results_.size()};
  results_.emplace_back().timeS = (frame.capture - first_).seconds();
  if (recent_.size() > kKeptPictures) recent_.erase(recent_.begin());
}

FrameResult* QualityMeter::find(Timestamp capture) {
  const auto it = recent_.find(capture);
  return it == recent_.end() ? nullptr : &results_[it->second.index];
}

void QualityMeter::encoded(const codec::EncodedVideoFrame& frame) {
  const std::lock_guard lock(mutex_);
  captureOfHash_[hashOf(frame.data)] = frame.capture;
  FrameResult* result = find(frame.capture);
  if (!result) return;
  result->encoded = true;
  result->keyFrame = frame.keyFrame;
  result->bytes = frame.data.size();
  result->qp = frame.qp;
}

void QualityMeter::arrived(const codec::EncodedVideoFrame& frame) {
  const std::lock_guard lock(mutex_);
  const auto it = captureOfHash_.find(hashOf(frame.data));
  if (it != captureOfHash_.end()) captureOfRtp_[frame.rtpTimestamp] = it->second;
}

void QualityMeter::decoded(const codec::VideoFrame& frame, Timestamp now) {
  std::shared_ptr<const codec::I420Buffer> original;
  Timestamp capture;
  {
    const std::lock_guard lock(mutex_);
    const auto it = captureOfRtp_.find(frame.rtpTimestamp);
    const auto kept = it == captureOfRtp_.end() ? recent_.end() : recent_.find(it->second);
    if (kept == recent_.end()) {
      ++unmatched_;
      return;
    }
    capture = it->second;
    original = kept->second.picture;
  }
  const bool sameSize = frame.width() == original->width() && frame.height() == original->height();
  const double quality =
      sameSize ? codec::psnr(*original, *frame.buffer)
               : codec::psnr(*original,
                             *codec::scale(*frame.buffer, original->width(), original->height()));
  const std::lock_guard lock(mutex_);
  FrameResult* result = find(capture);
  if (!result) return;
  result->shown = true;
  result->psnrDb = quality;
  result->delayMs = (now - capture).seconds() * 1000;
}

std::vector<FrameResult> QualityMeter::results() const {
  const std::lock_guard lock(mutex_);
  return results_;
}

uint64_t QualityMeter::unmatched() const {
  const std::lock_guard lock(mutex_);
  return unmatched_;
}

}  // namespace loopback
