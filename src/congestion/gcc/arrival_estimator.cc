#include "parley/congestion/arrival_estimator.h"

#include <algorithm>
#include <vector>

#include "parley/base/seq_num.h"

#include "base/ticks.h"
#include "congestion/foreign_queue.h"
#include "congestion/gcc/acked_bitrate.h"
#include "congestion/gcc/aimd.h"
#include "congestion/gcc/queue_delay.h"
#include "congestion/gcc/trendline.h"
#include "congestion/rate_bounds.h"

namespace parley::congestion {
namespace {

constexpr size_t kMaxSources = 16;
constexpr Duration kForget = Duration::seconds(2);
constexpr Duration kInterval = Duration::millis(50);
constexpr DataRate kLeast = DataRate::kbps(30);
/// Bad-input rule B40: what is said of a path stays believable.
constexpr DataRate kMost = kHighestRate;
/// Until the path was full for the first time the sender is let go as fast as it shows it can use:
/// what it sends is seen here, and it hears of it once a second.
constexpr double kFirstGrowth = 1.5;
// As in the controller of the sender's side.
constexpr Duration kNoQueue = Duration::millis(5);
constexpr Duration kLongQueue = Duration::millis(40);
constexpr Duration kLongQueueTime = Duration::millis(200);

constexpr unsigned kAbsSendTimeFraction = 18;
constexpr unsigned kAbsSendTimeUnused = 8;  ///< of 32 bits

}  // namespace

/// The delay of packets whose send times are of one clock.
class DelayTrack {
 public:
  explicit DelayTrack(std::optional<uint32_t> ssrc) : ssrc_(ssrc) {}

  /// Of an SSRC by its RTP timestamps; nothing: of all that tell a send time.
  const std::optional<uint32_t>& ssrc() const { return ssrc_; }
  Timestamp lastHeard() const { return lastHeard_; }
  DelaySignal state() const { return trend_.state(); }
  Duration queue() const { return queue_.value(); }

  void add(const ArrivedPacket& packet) {
    lastHeard_ = packet.arrival;
    if (!ssrc_) {
      // Aligned to 32 bits the 24 wrap by themselves.
      const int64_t ticks = clock_.unwrap(*packet.absSendTime << kAbsSendTimeUnused);
      addSent(ticksToTime(ticks, int64_t{1} << (kAbsSendTimeFraction + kAbsSendTimeUnused)),
              packet);
      return;
    }
    const std::optional<int64_t> newest = clock_.last();
    const int64_t ticks = clock_.unwrap(*packet.rtpTimestamp);
    // A frame is sent over some time, which its timestamp does not tell: its first packet counts.
    if (!packet.transmissionOffset && newest && ticks <= *newest) return;
    addSent(ticksToTime(ticks + packet.transmissionOffset.value_or(0), packet.clockRate), packet);
  }

  /// The end of an interval: the quickest packet of it tells how long the queue is.
  void process(Timestamp now) {
    if (quickest_) queue_.update({&*quickest_, 1}, now);
    quickest_.reset();
  }

 private:
  void addSent(Timestamp sent, const ArrivedPacket& packet) {
    if (const auto delta = groups_.add(sent, packet.arrival, packet.arrival))
      trend_.add(*delta, packet.arrival);
    if (quickest_ && packet.arrival - sent >= quickest_->receiveTime - quickest_->sent.sendTime)
      return;
    quickest_.emplace();
    quickest_->sent.sendTime = sent;
    quickest_->receiveTime = packet.arrival;
  }

  std::optional<uint32_t> ssrc_;
  Timestamp lastHeard_;
  SeqUnwrapper<uint32_t> clock_;
  gcc::PacketGroups groups_;
  gcc::TrendlineEstimator trend_;
  gcc::QueueDelay queue_;
  std::optional<PacketResult> quickest_;
};

class ArrivalEstimator::Impl {
 public:
  Impl() { tracks_.reserve(kMaxSources); }

  void onPacket(const ArrivedPacket& packet) {
    const Timestamp now = packet.arrival;
    if (lastHeard_ && now - *lastHeard_ > kForget) reset();
    lastHeard_ = now;
    incoming_.add(now, packet.size, false);
    if (packet.absSendTime || (packet.rtpTimestamp && packet.clockRate != 0))
      trackFor(packet).add(packet);
    if (now < nextProcess_) return;
    nextProcess_ = now + kInterval;
    process(now);
  }
  void setRtt(Duration rtt) { rtt_ = boundedRtt(rtt); }
  std::optional<DataRate> rate() const {
    return known_ ? std::optional(aimd_.estimate()) : std::nullopt;
  }

 private:
  void reset() {
    tracks_.clear();
    incoming_.reset();
    foreign_.reset();
    aimd_ = gcc::AimdRateControl(kLeast);
    queueLongSince_.reset();
    known_ = filled_ = false;
  }

  DelayTrack& trackFor(const ArrivedPacket& packet) {
    const std::optional<uint32_t> key =
        packet.absSendTime ? std::nullopt : std::optional(packet.ssrc);
    for (DelayTrack& track : tracks_) {
      if (track.ssrc() == key) return track;
    }
    if (tracks_.size() < kMaxSources) return tracks_.emplace_back(key);
    const auto oldest = std::min_element(
        tracks_.begin(), tracks_.end(),
        [](const DelayTrack& a, const DelayTrack& b) { return a.lastHeard() < b.lastHeard(); });
    *oldest = DelayTrack(key);
    return *oldest;
  }

  void process(Timestamp now) {
    DelaySignal signal = DelaySignal::Underusing;
    Duration queue;
    bool any = false;
    for (DelayTrack& track : tracks_) {
      if (now - track.lastHeard() > kForget) continue;
      track.process(now);
      queue = std::max(queue, track.queue());
      if (track.state() == DelaySignal::Overusing) signal = DelaySignal::Overusing;
      if (track.state() == DelaySignal::Normal && signal == DelaySignal::Underusing)
        signal = DelaySignal::Normal;
      any = true;
    }
    const auto incoming = incoming_.rate();
    if (!any || !incoming) return;
    if (!known_) {
      known_ = true;
      aimd_ = gcc::AimdRateControl(std::max(*incoming, kLeast));
      aimd_.setLimits(kLeast, kMost);
    }
    update(signal, *incoming, queue, now);
  }

  void update(DelaySignal signal, DataRate incoming, Duration queue, Timestamp now) {
    foreign_.update(queue, false, false, now);
    aimd_.setContested(foreign_.present(now));
    // A queue of others is no reason to be slow.
    aimd_.setRtt(std::max(Duration::millis(1), rtt_ - queue));
    if (queueStands(queue, now)) signal = DelaySignal::Overusing;
    // A trend without any queue is noise.
    if (signal == DelaySignal::Overusing && queue < kNoQueue) signal = DelaySignal::Normal;
    if (signal == DelaySignal::Overusing) {
      filled_ = true;
      if (!aimd_.mayDecreaseAgain(incoming, now)) return;
      foreign_.onCut(queue, now);
    } else if (!filled_) {
      const DataRate wanted = incoming * kFirstGrowth;
      if (wanted > aimd_.estimate()) aimd_.setEstimate(wanted, now);
      return;
    }
    aimd_.update(signal, incoming, false, queue, now);
  }

  /// The trend tells a queue that grows, not one that stands.
  bool queueStands(Duration queue, Timestamp now) {
    if (queue <= kLongQueue) {
      queueLongSince_.reset();
      return false;
    }
    if (!queueLongSince_) queueLongSince_ = now;
    if (foreign_.present(now) || aimd_.draining()) return false;
    return now - *queueLongSince_ >= kLongQueueTime;
  }

  std::vector<DelayTrack> tracks_;
  gcc::AckedBitrate incoming_;
  ForeignQueue foreign_;
  gcc::AimdRateControl aimd_{kLeast};
  std::optional<Timestamp> queueLongSince_;
  std::optional<Timestamp> lastHeard_;
  Timestamp nextProcess_;
  Duration rtt_ = Duration::millis(200);
  bool known_ = false;
  bool filled_ = false;  ///< the path has been full
};

ArrivalEstimator::ArrivalEstimator() : impl_(std::make_unique<Impl>()) {}
ArrivalEstimator::~ArrivalEstimator() = default;

void ArrivalEstimator::onPacket(const ArrivedPacket& packet) {
  impl_->onPacket(packet);
}
void ArrivalEstimator::setRtt(Duration rtt) {
  impl_->setRtt(rtt);
}
std::optional<DataRate> ArrivalEstimator::rate() const {
  return impl_->rate();
}

}  // namespace parley::congestion
