#include "media/protection_plan.h"

#include <algorithm>
#include <cmath>

namespace parley::media {
namespace {

constexpr double kMemorySeconds = 3;
constexpr double kFewPackets = 30;
constexpr Duration kDetailIsRecent = Duration::seconds(2);

constexpr double kNoLoss = 0.005;
// RFC 8854 section 7: FEC where the round trip is too long for retransmission. A repetition that
// comes within this time is hidden by the receiver's jitter buffer.
constexpr Duration kQuickRepetition = Duration::millis(45);
// Of groups of packets, so many may have to wait for a repetition on a path of kReferenceRtt.
constexpr double kTolerated = 0.005;
constexpr Duration kReferenceRtt = Duration::millis(300);
constexpr double kTolerateMost = 0.25;

/// The probability that more than `most` of `n` are lost, each for itself.
double moreThan(size_t most, size_t n, double p) {
  double term = std::pow(1 - p, static_cast<double>(n));
  double sum = term;
  for (size_t i = 0; i < most && i < n; ++i) {
    term *= static_cast<double>(n - i) / static_cast<double>(i + 1) * p / (1 - p);
    sum += term;
  }
  return std::max(0.0, 1 - sum);
}

}  // namespace

void LossMeter::age(Timestamp now) {
  if (updated_) {
    const double keep = std::exp(-std::max(0.0, (now - *updated_).seconds()) / kMemorySeconds);
    lost_ *= keep;
    runs_ *= keep;
    total_ *= keep;
  }
  updated_ = now;
}

void LossMeter::add(std::span<const congestion::PacketResult> packets, Timestamp now) {
  age(now);
  detailed_ = now;
  for (const congestion::PacketResult& packet : packets) {
    const bool lost = !packet.received();
    total_ += 1;
    lost_ += lost ? 1 : 0;
    runs_ += lost && !lastWasLost_ ? 1 : 0;
    lastWasLost_ = lost;
  }
}

void LossMeter::add(uint64_t lost, uint64_t received, Timestamp now) {
  if (detailed_ && now - *detailed_ < kDetailIsRecent) return;
  age(now);
  lost_ += static_cast<double>(lost);
  runs_ += static_cast<double>(lost);
  total_ += static_cast<double>(lost + received);
}

LossEstimate LossMeter::estimate() const {
  LossEstimate out;
  if (total_ < kFewPackets || lost_ <= 0) return out;
  out.fraction = std::min(lost_ / total_, 0.9);
  out.runLength = std::max(1.0, lost_ / std::max(runs_, 0.5));
  return out;
}

size_t repairsFor(size_t packets, const LossEstimate& loss, Duration rtt) {
  if (packets == 0 || loss.fraction < kNoLoss || rtt < kQuickRepetition) return 0;
  const double shorter = kReferenceRtt / rtt;
  const double tolerated =
      std::clamp(kTolerated * shorter * shorter, kTolerated / 4, kTolerateMost);
  // A run counts as one loss, which as many repair packets undo as it has packets.
  const bool bursts = loss.pattern() == LossPattern::Bursts;
  const auto run = bursts ? static_cast<size_t>(std::ceil(loss.runLength - 0.2)) : size_t{1};
  const double rate = loss.fraction / (bursts ? loss.runLength : 1);
  const size_t most = std::max<size_t>(1, (packets + 1) / 2);
  for (size_t losses = 0;; ++losses) {
    const size_t repairs = std::min(losses * run, most);
    if (repairs == most || moreThan(losses, packets + repairs, rate) <= tolerated) return repairs;
  }
}

size_t redundancyFor(const LossEstimate& loss) {
  // The third copy is for the worst of paths: at 20 % two of them still leave nearly 1 % lost.
  return loss.fraction < 0.015 ? 0 : loss.fraction < 0.06 ? 1 : loss.fraction < 0.14 ? 2 : 3;
}

}  // namespace parley::media
