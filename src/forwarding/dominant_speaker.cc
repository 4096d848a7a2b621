#include "parley/forwarding/dominant_speaker.h"

#include <algorithm>
#include <cmath>

namespace parley::forwarding {
namespace {

constexpr Duration kStep = Duration::millis(20);
constexpr Duration kDecisionInterval = Duration::millis(300);
constexpr Duration kIdle = Duration::seconds(3);
constexpr Duration kFloorWindow = Duration::seconds(5);
// A level this much above the speaker's own noise is as loud as it counts; 13 grades in between.
constexpr int kFullAboveFloor = 39;
constexpr int kGrades = 13;
// What counts as active at each scale: of 13 grades, of 3 steps, of 5 parts.
constexpr int kActiveGrade = 4;
constexpr size_t kActiveSteps = 2;
constexpr size_t kActiveParts = 2;
// How far ahead of the present speaker somebody must be, as logarithms of likelihood ratios.
constexpr double kImmediateLead = 3.0;
constexpr double kMediumLead = 2.0;
constexpr double kLongLead = 0.0;
constexpr double kMinimum = 1e-10;

double logBinomial(size_t n, size_t k) {
  return std::lgamma(double(n) + 1) - std::lgamma(double(k) + 1) - std::lgamma(double(n - k) + 1);
}

/// The log of how much likelier `active` of `total` is in speech, where half of all are active,
/// than in its absence, where few are.
double speechScore(size_t active, size_t total, double absence) {
  const double speech = logBinomial(total, active) + double(total) * std::log(0.5);
  const double silence = std::log(absence) - absence * double(active);
  return std::max(speech - silence, kMinimum);
}

}  // namespace

DominantSpeaker::Speaker* DominantSpeaker::find(Key key) {
  for (Speaker& speaker : speakers_) {
    if (speaker.key == key) return &speaker;
  }
  return nullptr;
}

void DominantSpeaker::add(Key key) {
  if (find(key) != nullptr) return;
  speakers_.emplace_back();
  speakers_.back().key = key;
}

void DominantSpeaker::remove(Key key) {
  std::erase_if(speakers_, [key](const Speaker& speaker) { return speaker.key == key; });
  if (dominant_ == key) dominant_.reset();
}

void DominantSpeaker::fill(Speaker& speaker, Timestamp now) {
  // Who sends nothing is silent.
  const size_t most = speaker.steps.size();
  for (size_t n = 0; n < most && now - speaker.lastStep >= kStep; ++n) {
    speaker.steps[speaker.next++ % most] = 0;
    speaker.lastStep += kStep;
  }
  if (now - speaker.lastStep >= kStep) speaker.lastStep = now;
}

void DominantSpeaker::handleLevel(Key key, uint8_t level, Timestamp now) {
  Speaker* speaker = find(key);
  if (speaker == nullptr) return;
  lastLevel_ = now;
  level = std::min<uint8_t>(level, 127);
  if (!speaker->heard) {
    speaker->heard = true;
    speaker->lastStep = now;
    speaker->windowStart = now;
    speaker->floor = level;
  }
  // The quietest of the last seconds is what the room sounds like without speech: a hum that goes
  // on and on is no speaker.
  if (now - speaker->windowStart > kFloorWindow) {
    speaker->floorBefore = speaker->floor;
    speaker->floor = level;
    speaker->windowStart = now;
  }
  speaker->floor = std::max(speaker->floor, level);
  const int floor = std::max(speaker->floor, speaker->floorBefore);
  fill(*speaker, now - kStep);
  const int above = std::clamp(floor - level, 0, kFullAboveFloor);
  const auto grade = static_cast<uint8_t>(above * kGrades / kFullAboveFloor);
  const size_t most = speaker->steps.size();
  if (now - speaker->lastStep >= kStep || speaker->next == 0) {
    speaker->steps[speaker->next++ % most] = grade;
    speaker->lastStep = now;
  } else {
    uint8_t& last = speaker->steps[(speaker->next - 1) % most];
    last = std::max(last, grade);
  }
}

void DominantSpeaker::score(Speaker& speaker) {
  const size_t most = speaker.steps.size();
  const auto stepAt = [&](size_t back) {
    return speaker.steps[(speaker.next + most - 1 - back) % most];
  };
  size_t activeWords = 0;
  size_t recentParts = 0;
  for (size_t word = 0; word < kWords; ++word) {
    size_t activeParts = 0;
    for (size_t part = 0; part < kParts; ++part) {
      size_t activeSteps = 0;
      for (size_t step = 0; step < kSteps; ++step)
        activeSteps += stepAt((word * kParts + part) * kSteps + step) >= kActiveGrade;
      activeParts += activeSteps >= kActiveSteps;
    }
    if (word == 0) recentParts = activeParts;
    activeWords += activeParts >= kActiveParts;
  }
  size_t grades = 0;
  for (size_t back = 0; back < kSteps * kParts; ++back) grades += stepAt(back);
  const size_t mean = grades / (kSteps * kParts);
  speaker.immediate = speechScore(std::min<size_t>(mean, kGrades), kGrades, 0.78);
  speaker.medium = speechScore(recentParts, kParts, 24.0 / 25);
  speaker.longTerm = speechScore(activeWords, kWords, 47.0 / 48);
}

bool DominantSpeaker::decide(Timestamp now) {
  if (now < decideAt_) return false;
  decideAt_ = now + kDecisionInterval;
  Speaker* present = dominant_ ? find(*dominant_) : nullptr;
  for (Speaker& speaker : speakers_) {
    if (!speaker.heard) continue;
    fill(speaker, now);
    score(speaker);
  }
  Speaker* best = nullptr;
  double bestLead = 0;
  for (Speaker& speaker : speakers_) {
    if (!speaker.heard || &speaker == present) continue;
    const double immediate =
        std::log(speaker.immediate / (present ? present->immediate : kMinimum));
    const double medium = std::log(speaker.medium / (present ? present->medium : kMinimum));
    const double longTerm = std::log(speaker.longTerm / (present ? present->longTerm : kMinimum));
    if (immediate <= kImmediateLead || medium <= kMediumLead || longTerm <= kLongLead) continue;
    if (best != nullptr && medium <= bestLead) continue;
    best = &speaker;
    bestLead = medium;
  }
  if (best == nullptr) return false;
  dominant_ = best->key;
  return true;
}

Timestamp DominantSpeaker::nextDecision() const {
  if (lastLevel_.isNever() || decideAt_ > lastLevel_ + kIdle) return Timestamp::never();
  return decideAt_;
}

}  // namespace parley::forwarding
