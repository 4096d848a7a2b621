#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "parley/sim/world.h"

#include "support/congestion/constant_flow.h"
#include "support/congestion/media_end.h"
#include "support/congestion/tcp_flow.h"

namespace parley::test {

/// From a time on the bottleneck carries so much.
struct Capacity {
  double from = 0;  ///< s
  double kbps = 0;
};

struct PathOptions {
  std::vector<Capacity> capacity{{0, 3000}};
  Duration queue = Duration::millis(300);  ///< what the bottleneck's buffer holds at its rate
  size_t queueBytes = 0;                   ///< the same, whatever its rate; 0 = by `queue`
  sim::LossModel loss{};
  Duration markAbove = Duration::infinite();  ///< L4S: packets that waited longer get CE
  sim::QueueDiscipline discipline = sim::QueueDiscipline::DropTail;
  bool ecn = false;
};

struct FlowOptions {
  std::string name;
  double start = 0;  ///< s
  double stop = 1e9;
  Duration delay = Duration::millis(50);  ///< one way
  Duration jitter{};
  bool reverse = false;  ///< from right to left
  MediaEnd::Options end{};
};

/// Senders and receivers left and right of one bottleneck (RFC 8867 section 3), in virtual time.
/// Everything is measured at the receivers.
class Dumbbell {
 public:
  struct Sample {
    double at;
    double targetKbps;
  };
  struct MediaFlow {
    FlowOptions options;
    std::unique_ptr<MediaEnd> sender;
    std::unique_ptr<MediaEnd> receiver;
    std::vector<Sample> targets;
  };
  struct TcpFlow {
    std::string name;
    std::unique_ptr<TcpSender> sender;
    std::unique_ptr<TcpReceiver> receiver;
  };

  explicit Dumbbell(uint64_t seed, PathOptions forward, PathOptions backward = wide())
      : forward_(std::move(forward)),
        backward_(std::move(backward)),
        world_(seed),
        left_(world_.addSegment("left")),
        right_(world_.addSegment("right")),
        router_(world_.addRouter("bottleneck", left_, right_)) {
    follow(forward_, router_.outside().up);
    follow(backward_, router_.inside().up);
  }
  ~Dumbbell() {
    for (sim::Node* node : nodes_) world_.removeNode(*node);
  }
  Dumbbell(const Dumbbell&) = delete;
  Dumbbell& operator=(const Dumbbell&) = delete;

  static PathOptions wide() {
    PathOptions path;
    path.capacity = {{0, 100'000}};
    return path;
  }

  /// Called every 100 ms.
  std::function<void()> onStep;

  sim::World& world() { return world_; }
  sim::Link& bottleneck() { return router_.outside().up; }
  double now() const { return world_.now().seconds() - start_; }

  MediaFlow& addMedia(const FlowOptions& options) {
    flows_.push_back(std::make_unique<MediaFlow>());
    MediaFlow& flow = *flows_.back();
    flow.options = options;
    MediaEnd::Options receiving = options.end;
    MediaEnd::Options sending = options.end;
    sending.feedback = media::ArrivalFeedback::None;
    sending.peerReportsRfc8888 = receiving.feedback == media::ArrivalFeedback::Rfc8888;
    flow.sender = std::make_unique<MediaEnd>(options.name + "-sender", sending, world_);
    flow.receiver = std::make_unique<MediaEnd>(options.name + "-receiver", receiving, world_);
    sim::LinkConfig access;
    access.delay = options.delay;
    access.jitter = options.jitter;
    sim::Host& from = world_.addHost(options.name + "-from", options.reverse ? right_ : left_,
                                     sim::PortConfig{.up = access});
    sim::Host& to = world_.addHost(options.name + "-to", options.reverse ? left_ : right_,
                                   sim::PortConfig{.up = access});
    flow.sender->setPeer({*to.address(), MediaEnd::kPort});
    flow.receiver->setPeer({*from.address(), MediaEnd::kPort});
    nodes_.push_back(&world_.addNode(from, *flow.sender));
    nodes_.push_back(&world_.addNode(to, *flow.receiver));
    at(options.start, [this, &flow] {
      const Timestamp time = world_.now();
      flow.sender->addVideoSender(time);
      flow.receiver->addVideoReceiver(time);
      flow.sender->connect(time);
      flow.receiver->connect(time);
      flow.sender->startVideo(time);
    });
    if (options.stop < 1e8) at(options.stop, [&flow] { flow.sender->stopVideo(); });
    return flow;
  }
  TcpFlow& addTcp(const std::string& name, TcpSender::Kind kind, int64_t bytes, double start,
                  Duration delay = Duration::millis(50), bool reverse = false) {
    tcp_.push_back(std::make_unique<TcpFlow>());
    TcpFlow& flow = *tcp_.back();
    flow.name = name;
    flow.sender = std::make_unique<TcpSender>(kind, bytes);
    flow.receiver = std::make_unique<TcpReceiver>();
    sim::LinkConfig access;
    access.delay = delay;
    sim::Host& from =
        world_.addHost(name + "-from", reverse ? right_ : left_, sim::PortConfig{.up = access});
    sim::Host& to =
        world_.addHost(name + "-to", reverse ? left_ : right_, sim::PortConfig{.up = access});
    flow.sender->setPeer({*to.address(), TcpSender::kPort});
    nodes_.push_back(&world_.addNode(from, *flow.sender));
    nodes_.push_back(&world_.addNode(to, *flow.receiver));
    at(start, [this, &flow] { flow.sender->start(world_.now()); });
    return flow;
  }
  /// Until `stop` the transfer has as much to send as there is time for; then it has ended.
  void stopTcp(TcpFlow& flow, double stop) {
    at(stop, [this, &flow] { flow.sender->restart(0, world_.now()); });
  }
  void addConstant(const std::string& name, DataRate rate, double start, double stop,
                   bool reverse = false) {
    for (const bool sends : {true, false}) {
      constants_.push_back(std::make_unique<ConstantSender>(rate));
      sim::LinkConfig access;
      access.delay = Duration::millis(50);
      sim::Host& host =
          world_.addHost(name + (sends ? "-from" : "-to"), sends != reverse ? left_ : right_,
                         sim::PortConfig{.up = access});
      nodes_.push_back(&world_.addNode(host, *constants_.back()));
      if (!sends)
        constants_[constants_.size() - 2]->setPeer({*host.address(), ConstantSender::kPort});
    }
    ConstantSender* sender = constants_[constants_.size() - 2].get();
    at(start, [this, sender] { sender->start(world_.now()); });
    at(stop, [sender] { sender->stop(); });
  }
  void at(double seconds, std::function<void()> fn) {
    world_.at(Timestamp() + Duration::fromSeconds(start_ + seconds), std::move(fn));
  }

  void run(double seconds) {
    const double end = now() + seconds;
    while (now() < end - 1e-6) {
      world_.run(Duration::millis(100));
      for (auto& flow : flows_) {
        flow->targets.push_back({now(), flow->sender->session().bandwidth().target.kbps()});
      }
      if (onStep) onStep();
    }
  }

  // --- measurements

  const std::vector<std::unique_ptr<MediaFlow>>& flows() const { return flows_; }
  const std::vector<std::unique_ptr<TcpFlow>>& tcp() const { return tcp_; }

  static double capacityAt(const PathOptions& path, double seconds) {
    double kbps = 0;
    for (const Capacity& c : path.capacity) {
      if (c.from <= seconds + 1e-9) kbps = c.kbps;
    }
    return kbps;
  }
  const PathOptions& pathOf(const MediaFlow& flow) const {
    return flow.options.reverse ? backward_ : forward_;
  }
  /// kb/s on the wire.
  static double rate(const std::vector<Arrival>& arrivals, double from, double to) {
    double bits = 0;
    for (const Arrival& a : arrivals) {
      if (a.at >= from && a.at < to) bits += a.bytes * 8.0;
    }
    return bits / (to - from) / 1000;
  }
  double rate(const MediaFlow& flow, double from, double to) const {
    return rate(flow.receiver->arrivals(), from + start_, to + start_);
  }
  /// Of what the path carries, or of what the flows may send if that is less.
  double utilisation(double from, double to, bool reverse = false) const {
    double sent = 0;
    double most = 0;
    const PathOptions& path = reverse ? backward_ : forward_;
    for (const auto& flow : flows_) {
      if (flow->options.reverse != reverse) continue;
      sent += rate(*flow, from, to);
      most += flow->options.end.max.kbps();
    }
    double could = 0;
    for (double t = from; t < to; t += 0.1) could += std::min(most, capacityAt(path, t)) * 0.1;
    return sent * (to - from) / could;
  }
  /// What packets waited beyond propagation and their own transmission, in ms.
  std::vector<double> queueDelays(const MediaFlow& flow, double from, double to) const {
    std::vector<double> delays;
    for (const Arrival& a : flow.receiver->arrivals()) {
      const double at = a.at - start_;
      if (at < from || at >= to) continue;
      const double own = a.bytes * 8.0 / std::max(1.0, capacityAt(pathOf(flow), at));
      delays.push_back(std::max(0.0, a.delayMs - flow.options.delay.seconds() * 1000 - own));
    }
    return delays;
  }
  double queueDelay(double percentile, double from, double to) const {
    std::vector<double> all;
    for (const auto& flow : flows_) {
      const auto delays = queueDelays(*flow, from, to);
      all.insert(all.end(), delays.begin(), delays.end());
    }
    if (all.empty()) return 0;
    const auto at = static_cast<size_t>(percentile * static_cast<double>(all.size() - 1));
    std::nth_element(all.begin(), all.begin() + static_cast<ptrdiff_t>(at), all.end());
    return all[at];
  }
  double loss() const {
    uint64_t sent = 0;
    uint64_t arrived = 0;
    for (const auto& flow : flows_) {
      sent += flow->sender->packetsSent();
      arrived += flow->receiver->arrivals().size();
    }
    return sent == 0 ? 0 : 1 - static_cast<double>(arrived) / static_cast<double>(sent);
  }
  /// Seconds from `from` until half a second has passed at `kbps` or more.
  double timeToRate(const MediaFlow& flow, double from, double kbps, double limit) const {
    constexpr double kWindow = 0.5;
    for (double t = from; t < limit; t += 0.05) {
      if (rate(flow, t, t + kWindow) >= kbps) return t + kWindow - from;
    }
    return limit - from;
  }
  /// Seconds from `from` until packets have not waited longer than `ms` for half a second.
  double timeToShortQueue(const MediaFlow& flow, double from, double ms, double limit) const {
    double since = from;
    for (const Arrival& a : flow.receiver->arrivals()) {
      const double at = a.at - start_;
      if (at < from) continue;
      if (at >= limit) break;
      const double own = a.bytes * 8.0 / std::max(1.0, capacityAt(pathOf(flow), at));
      const double waited = a.delayMs - flow.options.delay.seconds() * 1000 - own;
      if (waited > ms) {
        since = at;
      } else if (at - since > 0.5) {
        return since - from;
      }
    }
    return limit - from;
  }
  /// Of all media flows: the smallest and the largest share of their sum.
  std::pair<double, double> shares(double from, double to) const {
    double sum = 0;
    std::vector<double> rates;
    for (const auto& flow : flows_) {
      rates.push_back(rate(*flow, from, to));
      sum += rates.back();
    }
    const auto [low, high] = std::minmax_element(rates.begin(), rates.end());
    return {*low / sum, *high / sum};
  }
  double start() const { return start_; }

 private:
  sim::LinkConfig linkOf(const PathOptions& path, double kbps) const {
    sim::LinkConfig link;
    link.loss = path.loss;
    link.queue.rate = DataRate::bps(static_cast<int64_t>(kbps * 1000));
    link.queue.limitBytes =
        path.queueBytes > 0
            ? path.queueBytes
            : static_cast<size_t>(std::max<int64_t>(3000, link.queue.rate.bytesIn(path.queue)));
    link.queue.markAbove = path.markAbove;
    link.queue.discipline = path.discipline;
    link.queue.ecn = path.ecn;
    return link;
  }
  void follow(const PathOptions& path, sim::Link& link) {
    start_ = world_.now().seconds();
    for (const Capacity& c : path.capacity) {
      if (c.from <= 0) {
        link.setConfig(linkOf(path, c.kbps));
      } else {
        at(c.from, [this, &path, &link, kbps = c.kbps] { link.setConfig(linkOf(path, kbps)); });
      }
    }
  }

  PathOptions forward_;
  PathOptions backward_;
  sim::World world_;
  sim::Segment& left_;
  sim::Segment& right_;
  sim::Router& router_;
  double start_ = 0;
  std::vector<std::unique_ptr<MediaFlow>> flows_;
  std::vector<std::unique_ptr<TcpFlow>> tcp_;
  std::vector<std::unique_ptr<ConstantSender>> constants_;
  std::vector<sim::Node*> nodes_;
};

}  // namespace parley::test
