#include "media/quality_scaler.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "parley/base/text.h"

namespace parley::media {
namespace {

constexpr size_t kMaxSteps = 24;
constexpr Duration kRateWindow = Duration::seconds(2);
constexpr Duration kTimeWindow = Duration::seconds(5);
/// The first pictures of a new size have quantizers of no meaning.
constexpr Duration kSettling = Duration::millis(500);
/// Pictures that come more rarely than this say nothing of each other.
constexpr Duration kInterruption = Duration::seconds(2);
constexpr int kMinSamples = 8;
constexpr double kTooManyDropped = 0.6;
// Of the time between pictures. A step up takes up to 16/9 of the time.
constexpr double kOverused = 0.85;
constexpr double kUnderused = 0.42;
constexpr double kTooManyBusy = 0.1;
/// In windows: 4 s before the next step up for the rate, 10 s for the time, once there was one
/// down.
constexpr int kCalmWindows = 2;
constexpr int kMaxCalmWindows = 32;
/// A step down so soon after one up says that the step up was one too many.
constexpr Duration kRegret = Duration::seconds(15);
constexpr double kHopefulGrowth = 1.3;
/// For so long after the first picture the size follows the target.
constexpr Duration kStart = Duration::seconds(10);
/// From here on pictures begin as large as they come.
constexpr DataRate kFullSizeRate = DataRate::kbps(1000);
/// At the start: bits per second for a pixel, 640x480 at 300 kb/s; and for the next larger size.
constexpr double kBitsPerPixel = 0.95;
constexpr double kBitsPerPixelToGrow = 1.25;

/// Both sides are divided by 1, 4/3, 2, 8/3, 4, ...
double scaleAfter(size_t steps) {
  return std::ldexp(steps % 2 == 0 ? 1.0 : 4.0 / 3.0, static_cast<int>(steps / 2));
}

/// Balanced: below which frame rate pictures of so many pixels rather get smaller; nothing: always.
std::optional<double> leastFramerate(double pixels) {
  if (pixels <= 320 * 240) return 7;
  if (pixels <= 480 * 360) return 10;
  if (pixels <= 640 * 480) return 15;
  return std::nullopt;
}

}  // namespace

std::optional<QpRange> qpRangeOf(std::string_view codec) {
  struct Known {
    std::string_view codec;
    QpRange range;
  };
  // VP8 counts to 127, VP9 and AV1 to 255, H.264 and H.265 to 51.
  static constexpr std::array<Known, 5> kKnown = {{{"VP8", {29, 95}},
                                                   {"VP9", {149, 205}},
                                                   {"AV1", {145, 205}},
                                                   {"H264", {24, 37}},
                                                   {"H265", {24, 37}}}};
  for (const Known& known : kKnown) {
    if (equalsIgnoreCase(codec, known.codec)) return known.range;
  }
  return std::nullopt;
}

void QualityScaler::setDegradation(Degradation degradation) {
  if (degradation == degradation_) return;
  degradation_ = degradation;
  steps_.clear();
  started_.reset();
  restartWindows({});
}

void QualityScaler::setQpRange(std::optional<QpRange> range) {
  if (range == range_) return;
  range_ = range;
  std::erase_if(steps_, [](const Step& step) { return step.reason == Reason::Bandwidth; });
  started_.reset();
  restartWindows({});
}

// --- what is in force

size_t QualityScaler::resolutionSteps() const {
  return static_cast<size_t>(std::count_if(steps_.begin(), steps_.end(),
                                           [](const Step& step) { return step.resolution; }));
}

double QualityScaler::pixelsAt(size_t steps) const {
  const double scale = scaleAfter(steps);
  return static_cast<double>(width_) * height_ / (scale * scale);
}

/// A smaller source may not bear all of the steps.
size_t QualityScaler::usableSteps() const {
  size_t steps = resolutionSteps();
  while (steps > 0 && pixelsAt(steps) < kMinPixels) --steps;
  return steps;
}

double QualityScaler::scale() const {
  return scaleAfter(usableSteps());
}

std::optional<double> QualityScaler::maxFramerate() const {
  std::optional<double> out;
  for (const Step& step : steps_) {
    if (!step.resolution) out = std::min(out.value_or(step.framerate), step.framerate);
  }
  return out;
}

double QualityScaler::framerate() const {
  return std::min(sourceFramerate_, maxFramerate().value_or(sourceFramerate_));
}

bool QualityScaler::isLimitedBy(Reason reason) const {
  return std::any_of(steps_.begin(), steps_.end(),
                     [reason](const Step& step) { return step.reason == reason; });
}

// --- what is seen

void QualityScaler::restartWindows(Timestamp begin) {
  for (Window* window : {&rate_, &time_}) {
    *window = {};
    window->begin = begin;
  }
}

void QualityScaler::handlePicture(int width, int height, Timestamp now) {
  const double before = static_cast<double>(width_) * height_;
  const double pixels = static_cast<double>(width) * height;
  // Another source, which has to find its own size.
  const bool another = pixels > 2 * before || before > 2 * pixels;
  width_ = width;
  height_ = height;
  if (lastPicture_ && now - *lastPicture_ < kInterruption) {
    const double interval = std::max((now - *lastPicture_).seconds(), 0.001);
    sourceFramerate_ += (std::min(1 / interval, 240.0) - sourceFramerate_) * 0.05;
  } else {
    restartWindows(now + kSettling);
  }
  lastPicture_ = now;
  if (!started_ || another) {
    if (target_.isZero()) return;
    started_ = now;
    begin();
    restartWindows(now + kSettling);
  }
  growWithTarget(now);
  ++time_.pictures;
}

void QualityScaler::begin() {
  std::erase_if(steps_, [](const Step& step) { return step.reason == Reason::Bandwidth; });
  patience_[0] = {};
  const bool may = degradation_ == Degradation::Resolution || degradation_ == Degradation::Balanced;
  if (!may || !range_ || target_ >= kFullSizeRate) return;
  while (pixelsAt(usableSteps()) * kBitsPerPixel > static_cast<double>(target_.bps())) {
    if (!mayLowerResolution() || !push({Reason::Bandwidth, true, true, 0})) return;
  }
}

void QualityScaler::growWithTarget(Timestamp now) {
  while (!steps_.empty() && steps_.back().initial && now - *started_ < kStart) {
    const size_t steps = usableSteps();
    const double needed = steps == 0 ? 0 : pixelsAt(steps - 1) * kBitsPerPixelToGrow;
    if (target_ < kFullSizeRate && static_cast<double>(target_.bps()) < needed) return;
    steps_.pop_back();
    restartWindows(now + kSettling);
  }
}

void QualityScaler::handleEncoded(int qp, Duration took, Timestamp now) {
  ++rate_.encoded;
  if (qp >= 0 && rate_.begin && now >= *rate_.begin) {
    ++rate_.withQp;
    rate_.qpSum += qp;
  }
  time_.busy = time_.busy + took;
  judgeBandwidth(now);
  judgeCpu(now);
}

void QualityScaler::handleDropped(Reason reason, Timestamp now) {
  ++(reason == Reason::Cpu ? time_ : rate_).dropped;
  judgeBandwidth(now);
  judgeCpu(now);
}

// --- what follows from it

void QualityScaler::judgeBandwidth(Timestamp now) {
  if (!rate_.begin || now - *rate_.begin < kRateWindow) return;
  const int samples = rate_.encoded + rate_.dropped;
  if (samples < kMinSamples) return;
  const Window seen = rate_;
  rate_ = {};
  rate_.begin = now;
  if (!range_ || degradation_ == Degradation::Framerate) return;
  Patience& patience = patienceOf(Reason::Bandwidth);
  const bool knowsQp = seen.withQp > 0;
  const double qp = knowsQp ? static_cast<double>(seen.qpSum) / seen.withQp : 0;
  if (seen.dropped >= kTooManyDropped * samples || (knowsQp && qp > range_->high)) {
    patience.calm = 0;
    lower(Reason::Bandwidth, now);
    return;
  }
  // An encoder that does not tell: what the size would be at the start.
  const size_t steps = usableSteps();
  const bool roomy =
      steps == 0 || static_cast<double>(target_.bps()) >= pixelsAt(steps - 1) * kBitsPerPixelToGrow;
  const bool calm = seen.dropped == 0 && (knowsQp ? qp <= range_->low : roomy);
  patience.calm = calm ? patience.calm + 1 : 0;
  if (target_ > patience.failedAt * kHopefulGrowth && !patience.failedAt.isZero()) {
    patience.failedAt = DataRate::zero();
    patience.wanted = kCalmWindows;
  }
  if (patience.calm < patience.wanted) return;
  patience.calm = 0;
  raise(Reason::Bandwidth, now);
}

void QualityScaler::judgeCpu(Timestamp now) {
  if (!time_.begin || now - *time_.begin < kTimeWindow) return;
  const Window seen = time_;
  time_ = {};
  time_.begin = now;
  if (seen.pictures < kMinSamples) return;
  const double usage = seen.busy / (now - *seen.begin);
  const bool overused = usage > kOverused || seen.dropped > kTooManyBusy * seen.pictures;
  Patience& patience = patienceOf(Reason::Cpu);
  patience.wanted = std::max(patience.wanted, kCalmWindows);
  patience.calm = usage < kUnderused && seen.dropped == 0 ? patience.calm + 1 : 0;
  // One window may be another program's doing.
  if (overused && overused_) {
    lower(Reason::Cpu, now);
    overused_ = false;
    return;
  }
  overused_ = overused;
  if (patience.calm < patience.wanted) return;
  patience.calm = 0;
  raise(Reason::Cpu, now);
}

bool QualityScaler::lower(Reason reason, Timestamp now) {
  bool done = false;
  switch (degradation_) {
    case Degradation::Nothing:
      return false;
    case Degradation::Resolution:
      done = lowerResolution(reason);
      break;
    case Degradation::Framerate:
      done = lowerFramerate(reason, std::max(framerate() * 2 / 3, kMinFramerate));
      break;
    case Degradation::Balanced: {
      const auto least = leastFramerate(pixelsAt(usableSteps()));
      done = (least && lowerFramerate(reason, std::max(framerate() * 2 / 3, *least))) ||
             lowerResolution(reason);
      break;
    }
  }
  if (!done) return false;
  Patience& patience = patienceOf(reason);
  const bool regrets = patience.raised && now - *patience.raised < kRegret;
  patience.wanted = regrets ? std::min(patience.wanted * 2, kMaxCalmWindows) : kCalmWindows;
  if (regrets) patience.failedAt = target_;
  patience.raised.reset();
  restartWindows(now + kSettling);
  return true;
}

bool QualityScaler::raise(Reason reason, Timestamp now) {
  const auto last = std::find_if(steps_.rbegin(), steps_.rend(),
                                 [reason](const Step& step) { return step.reason == reason; });
  if (last == steps_.rend()) return false;
  steps_.erase(std::next(last).base());
  patienceOf(reason).raised = now;
  restartWindows(now + kSettling);
  return true;
}

bool QualityScaler::push(Step step) {
  if (steps_.size() >= kMaxSteps) return false;
  steps_.push_back(step);
  return true;
}

bool QualityScaler::mayLowerResolution() const {
  return pixelsAt(usableSteps() + 1) >= kMinPixels;
}

bool QualityScaler::lowerResolution(Reason reason) {
  return mayLowerResolution() && push({reason, true, false, 0});
}

bool QualityScaler::lowerFramerate(Reason reason, double framerate) {
  // A little less is not worth a step.
  if (framerate > this->framerate() * 0.9) return false;
  return push({reason, false, false, framerate});
}

}  // namespace parley::media
