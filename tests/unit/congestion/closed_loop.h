#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "parley/base/random.h"
#include "parley/base/seq_num.h"
#include "parley/congestion/controller.h"
#include "parley/congestion/feedback_adapter.h"
#include "parley/congestion/gcc.h"

namespace parley::congestion {

/// A controller at work: a 30 frames/s encoder that follows its target, a pacer in 5 ms steps with
/// probes, a drop-tail link, a receiver that reports every 50 ms.
class ClosedLoop {
 public:
  struct Link {
    DataRate rate = DataRate::kbps(1000);
    Duration delay = Duration::millis(25);
    Duration queue = Duration::millis(300);
    double loss = 0;
    Duration jitter = Duration::zero();
  };

  Link link;
  /// What the encoder produces at most.
  DataRate demand = DataRate::kbps(100'000);
  bool feedbackBlocked = false;
  /// The receiver looks at its socket only from then on: what came before arrives at once.
  Timestamp receiverBusyUntil;

  explicit ClosedLoop(RateConstraints constraints = {}, uint64_t seed = 1)
      : random_(seed), controller_(createGcc(constraints)) {
    StreamsConfig streams;
    streams.probeWhenApplicationLimited = true;
    apply(controller_->onStreamsConfig(streams));
    apply(controller_->onNetworkAvailability({now_, true}));
  }

  void run(Duration duration) {
    const Timestamp end = now_ + duration;
    delivered_ = 0;
    maxQueueDelay_ = Duration::zero();
    const Timestamp begin = now_;
    while (now_ < end) {
      now_ += Duration::millis(1);
      encode();
      pace();
      deliver();
      report();
      if (controller_->nextDeadline() <= now_) apply(controller_->onProcess({now_, backlog_}));
    }
    throughput_ = DataRate::bps(
        static_cast<int64_t>(static_cast<double>(delivered_) * 8 / (now_ - begin).seconds()));
  }

  Timestamp now() const { return now_; }
  DataRate target() const { return target_; }
  DataRate throughput() const { return throughput_; }
  double utilisation() const { return throughput_ / link.rate; }
  /// Longest wait in the link's queue during the last run.
  Duration maxQueueDelay() const { return maxQueueDelay_; }
  double lossFraction() const { return lossFraction_; }
  Controller& controller() { return *controller_; }
  void apply(const ControlUpdate& update) {
    if (update.target) {
      target_ = update.target->target;
      lossFraction_ = update.target->lossFraction;
    }
    if (update.pacer) pacing_ = update.pacer->pacing;
    for (const ProbeCluster& probe : update.probes()) probes_.push_back({probe, 0, 0, {}});
  }

 private:
  static constexpr int64_t kPacket = 1200;
  struct InFlight {
    uint16_t sequence;
    Timestamp arrival;
  };
  struct Probe {
    ProbeCluster cluster;
    int packets;
    int64_t bytes;
    Timestamp started;
  };
  struct Pending {
    Timestamp due;
    std::vector<InFlight> arrivals;
  };

  void encode() {
    if (now_ < nextFrame_) return;
    nextFrame_ = now_ + Duration::micros(33'333);
    backlog_ += std::min(target_, demand).bytesIn(Duration::micros(33'333));
  }

  void pace() {
    if (!probes_.empty()) {
      probe();
      return;
    }
    if (now_.millis() % 5 != 0) return;
    budget_ =
        std::min<double>(budget_, 0) + static_cast<double>(pacing_.bytesIn(Duration::millis(5)));
    while (backlog_ > 0 && budget_ > 0) {
      const int64_t size = std::min(backlog_, kPacket);
      backlog_ -= size;
      budget_ -= static_cast<double>(size);
      send(size, -1);
    }
  }

  /// Media if there is some, padding else, at the cluster's rate.
  void probe() {
    Probe& p = probes_.front();
    if (p.packets == 0) p.started = now_;
    const int64_t allowed = p.cluster.rate.bytesIn(now_ - p.started);
    while (p.bytes <= allowed &&
           (p.packets < p.cluster.minPackets || p.bytes < p.cluster.minBytes())) {
      int64_t size = std::clamp<int64_t>(p.cluster.minBytes() / p.cluster.minPackets, 200, kPacket);
      if (backlog_ > 0) {
        size = std::min(backlog_, kPacket);
        backlog_ -= size;
      }
      send(size, p.cluster.id);
      p.bytes += size;
      ++p.packets;
    }
    if (p.packets >= p.cluster.minPackets && p.bytes >= p.cluster.minBytes()) probes_.pop_front();
  }

  void send(int64_t size, int32_t probe) {
    const uint16_t sequence = adapter_.nextSequence();
    apply(controller_->onSentPacket(
        adapter_.onSent({static_cast<uint32_t>(size), probe, false}, now_)));
    if (random_.unit() < link.loss) return;
    linkFree_ = std::max(linkFree_, now_);
    const Duration wait = linkFree_ - now_;
    if (wait > link.queue) return;
    maxQueueDelay_ = std::max(maxQueueDelay_, wait);
    linkFree_ += link.rate.timeFor(size);
    Timestamp arrival = linkFree_ + link.delay;
    if (link.jitter > Duration::zero()) arrival += link.jitter * random_.unit();
    flying_.push_back({sequence, std::max(arrival, receiverBusyUntil)});
    sizes_[sequence] = size;
  }

  void deliver() {
    for (auto it = flying_.begin(); it != flying_.end();) {
      if (it->arrival > now_) {
        ++it;
        continue;
      }
      delivered_ += sizes_[it->sequence];
      received_.push_back(*it);
      it = flying_.erase(it);
    }
  }

  void report() {
    if (now_ >= nextReport_) {
      nextReport_ = now_ + Duration::millis(50);
      if (!received_.empty()) {
        reports_.push_back({now_ + link.delay, std::move(received_)});
        received_.clear();
      }
    }
    while (!reports_.empty() && reports_.front().due <= now_) {
      Pending pending = std::move(reports_.front());
      reports_.pop_front();
      if (!feedbackBlocked) feed(pending.arrivals);
    }
  }

  void feed(std::vector<InFlight>& arrivals) {
    // As a receiver writes it: a 64 ms reference, then 250 us steps, in order of sequence.
    std::vector<std::pair<int64_t, Timestamp>> sorted;
    for (const InFlight& a : arrivals)
      sorted.emplace_back(unwrapper_.unwrap(a.sequence), a.arrival);
    std::sort(sorted.begin(), sorted.end());
    const int64_t base = std::min(nextBase_.value_or(sorted.front().first), sorted.front().first);
    const int64_t reference = sorted.front().second.nanos() / 64'000'000;
    std::vector<FeedbackAdapter::Arrival> deltas;
    int64_t ticks = reference * 256;
    for (const auto& [sequence, arrival] : sorted) {
      const int64_t at = arrival.nanos() / 250'000;
      deltas.push_back({static_cast<uint16_t>(sequence), static_cast<int16_t>(at - ticks)});
      ticks = at;
    }
    FeedbackAdapter::Feedback feedback;
    feedback.baseSequence = static_cast<uint16_t>(base);
    feedback.statusCount = static_cast<uint16_t>(sorted.back().first - base + 1);
    feedback.referenceTime = static_cast<uint32_t>(reference & 0xffffff);
    feedback.arrivals = deltas;
    nextBase_ = sorted.back().first + 1;
    if (const auto report = adapter_.onFeedback(feedback, now_))
      apply(controller_->onTransportFeedback(*report));
  }

  SeededRandom random_;
  Timestamp now_ = Timestamp::seconds(100);
  std::unique_ptr<Controller> controller_;
  FeedbackAdapter adapter_;
  DataRate target_;
  DataRate pacing_;
  DataRate throughput_;
  double lossFraction_ = 0;
  std::deque<Probe> probes_;
  int64_t backlog_ = 0;
  double budget_ = 0;
  Timestamp nextFrame_;
  Timestamp nextReport_;
  Timestamp linkFree_;
  Duration maxQueueDelay_;
  int64_t delivered_ = 0;
  std::vector<int64_t> sizes_ = std::vector<int64_t>(65536);
  std::vector<InFlight> flying_;
  std::vector<InFlight> received_;
  std::deque<Pending> reports_;
  SeqUnwrapper<uint16_t> unwrapper_;
  std::optional<int64_t> nextBase_;
};

}  // namespace parley::congestion
