#include "parley/sim/link.h"

#include <algorithm>

#include "sim/kernel.h"

namespace parley::sim {
namespace {

// Event arguments: the packet's slot in the lower half; above it whether it left the queue or the
// wire, and the epoch in which it was sent.
constexpr uint64_t kServedFlag = uint64_t{1} << 63;
constexpr uint64_t kEpochMask = 0x7fffffff;

uint64_t eventArgument(uint32_t slot, uint32_t epoch, bool served) {
  return (served ? kServedFlag : 0) | (epoch & kEpochMask) << 32 | slot;
}

}  // namespace

LossModel LossModel::bursts(double averageLoss, double meanBurst) {
  // Every packet of the bad state is lost: it lasts meanBurst packets, and the share of time spent
  // in it is goodToBad / (goodToBad + badToGood).
  const double leave = 1.0 / std::max(meanBurst, 1.0);
  return gilbertElliott(leave * averageLoss / (1.0 - averageLoss), leave);
}

Link::Link(Kernel& kernel, LinkEnd& end, std::string name, LinkConfig config)
    : kernel_(kernel),
      end_(end),
      name_(std::move(name)),
      config_(config),
      random_(splitSeed(kernel.seed(), name_)) {}

void Link::setConfig(const LinkConfig& config) {
  config_ = config;
  if (!serving_) serveQueue();
}

void Link::setUp(bool up) {
  if (up_ == up) return;
  up_ = up;
  if (up) {
    if (!serving_) serveQueue();
    return;
  }
  ++epoch_;
  serving_ = false;
  Packet lost;
  QueueConfig plain;
  while (queue_.pop(lost, kernel_.now(), plain)) ++counters_.lostDown;
}

LinkCounters Link::counters() const {
  LinkCounters counters = counters_;
  counters.lostInQueue += queue_.dropped();
  counters.ecnMarked = queue_.marked();
  return counters;
}

void Link::dropNth(uint64_t n, PacketMatcher matches) {
  script([n, seen = uint64_t{0}, matches = std::move(matches)](const Packet& packet) mutable {
    return matches(packet) && ++seen == n ? Verdict::Drop : Verdict::Pass;
  });
}

void Link::dropNext(uint64_t count, PacketMatcher matches) {
  script([left = count, matches = std::move(matches)](const Packet& packet) mutable {
    if (left == 0 || !matches(packet)) return Verdict::Pass;
    --left;
    return Verdict::Drop;
  });
}

void Link::dropAll(PacketMatcher matches) {
  script([matches = std::move(matches)](const Packet& packet) {
    return matches(packet) ? Verdict::Drop : Verdict::Pass;
  });
}

void Link::script(std::function<Verdict(const Packet&)> rule) {
  rules_.push_back(std::move(rule));
}

Verdict Link::askScript(const Packet& packet) {
  for (auto& rule : rules_) {
    const Verdict verdict = rule(packet);
    if (verdict != Verdict::Pass) return verdict;
  }
  return Verdict::Pass;
}

void Link::send(Packet&& packet) {
  ++counters_.packetsIn;
  counters_.bytesIn += packet.wireSize();
  if (!up_) {
    ++counters_.lostDown;
    return;
  }
  if (packet.wireSize() > config_.mtu) {
    ++counters_.lostTooBig;
    return;
  }
  if (config_.bleachEcn) packet.ecn = Ecn::NotEct;
  const Verdict verdict = askScript(packet);
  if (verdict == Verdict::Drop) {
    ++counters_.lostByScript;
    return;
  }
  if (verdict == Verdict::Corrupt) flipBit(packet);
  if (verdict == Verdict::Duplicate) {
    ++counters_.duplicated;
    propagate(kernel_.duplicate(packet));
  }
  if (config_.queue.rate.isInfinite() && queue_.empty() && !serving_) {
    propagate(std::move(packet));
    return;
  }
  if (!queue_.push(std::move(packet), kernel_.now(), config_.queue)) {
    ++counters_.lostInQueue;
    return;
  }
  counters_.maxQueueBytes = std::max(counters_.maxQueueBytes, queue_.bytes());
  if (!serving_) serveQueue();
}

void Link::serveQueue() {
  serving_ = false;
  if (!up_ || queue_.empty()) return;
  if (!config_.queue.rate.isInfinite() && config_.queue.rate.bps() <= 0) return;
  Packet packet;
  if (!queue_.pop(packet, kernel_.now(), config_.queue)) return;
  serving_ = true;
  const Duration busy = config_.queue.rate.isInfinite()
                            ? Duration::zero()
                            : config_.queue.rate.timeFor(packet.wireSize());
  const Timestamp done = kernel_.now() + busy;
  kernel_.schedule(done, *this, eventArgument(kernel_.park(std::move(packet)), epoch_, true));
}

void Link::fire(uint64_t argument) {
  Packet packet = kernel_.unpark(static_cast<uint32_t>(argument));
  const uint32_t epoch = static_cast<uint32_t>(argument >> 32 & kEpochMask);
  if (epoch != (epoch_ & kEpochMask)) {
    ++counters_.lostDown;
    return;
  }
  if (argument & kServedFlag) {
    propagate(std::move(packet));
    serveQueue();
  } else {
    deliver(std::move(packet));
  }
}

bool Link::drawLoss() {
  const LossModel& loss = config_.loss;
  if (loss.isOff()) return false;
  if (loss.goodToBad > 0) {
    const double change = inBadState_ ? loss.badToGood : loss.goodToBad;
    if (random_.unit() < change) inBadState_ = !inBadState_;
  }
  const double probability = inBadState_ ? loss.lossInBad : loss.lossInGood;
  return probability > 0 && random_.unit() < probability;
}

void Link::flipBit(Packet& packet) {
  if (packet.data.empty()) return;
  const uint64_t bit = random_.below(packet.data.size() * 8);
  packet.data.data()[bit / 8] ^= static_cast<uint8_t>(1u << (bit % 8));
  ++counters_.corrupted;
}

void Link::propagate(Packet&& packet) {
  if (drawLoss()) {
    ++counters_.lostRandomly;
    return;
  }
  if (config_.corrupt > 0 && random_.unit() < config_.corrupt) flipBit(packet);
  if (config_.duplicate > 0 && random_.unit() < config_.duplicate) {
    ++counters_.duplicated;
    scheduleArrival(kernel_.duplicate(packet));
  }
  scheduleArrival(std::move(packet));
}

void Link::scheduleArrival(Packet&& packet) {
  Duration delay = config_.delay;
  if (config_.jitter > Duration::zero()) {
    delay += Duration::nanos(
        static_cast<int64_t>(random_.below(static_cast<uint64_t>(config_.jitter.nanos()) + 1)));
  }
  Timestamp arrival = kernel_.now() + delay;
  if (config_.reorder > 0 && random_.unit() < config_.reorder) {
    ++counters_.reordered;
    arrival += config_.reorderBy;
  } else if (config_.keepOrder) {
    arrival = std::max(arrival, lastArrival_);
    lastArrival_ = arrival;
  }
  kernel_.schedule(arrival, *this, eventArgument(kernel_.park(std::move(packet)), epoch_, false));
}

void Link::deliver(Packet&& packet) {
  ++counters_.packetsOut;
  counters_.bytesOut += packet.wireSize();
  end_.linkOutput(*this, std::move(packet));
}

}  // namespace parley::sim
