#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "parley/base/export.h"
#include "parley/base/random.h"
#include "parley/base/time.h"
#include "parley/sim/event_target.h"
#include "parley/sim/packet.h"
#include "parley/sim/queue.h"

namespace parley::sim {

class Kernel;
class Link;

/// Random loss: independent (Bernoulli) or in bursts (Gilbert-Elliott, two states with a loss
/// probability each, a transition drawn per packet).
struct PARLEY_EXPORT LossModel {
  double lossInGood = 0;
  double lossInBad = 0;
  double goodToBad = 0;
  double badToGood = 0;

  static LossModel none() { return {}; }
  static LossModel bernoulli(double probability) { return {probability, 0, 0, 0}; }
  static LossModel gilbertElliott(double goodToBad, double badToGood, double lossInBad = 1.0,
                                  double lossInGood = 0.0) {
    return {lossInGood, lossInBad, goodToBad, badToGood};
  }
  /// Gilbert-Elliott by its results: the average loss, and the mean length of a burst in packets.
  static LossModel bursts(double averageLoss, double meanBurst);
  bool isOff() const { return lossInGood <= 0 && goodToBad <= 0; }
};

/// How one direction of a link treats packets. All randomness comes from the link's own generator.
struct LinkConfig {
  Duration delay{};       ///< propagation
  Duration jitter{};      ///< more delay, uniform in [0, jitter]
  bool keepOrder = true;  ///< jitter does not let packets overtake each other
  LossModel loss{};
  double duplicate = 0;  ///< probability that a packet arrives twice
  double reorder = 0;    ///< probability that a packet is held back by `reorderBy`
  Duration reorderBy = Duration::millis(10);
  double corrupt = 0;     ///< probability that one bit of the payload flips
  QueueConfig queue{};    ///< rate, buffer, active queue management
  uint32_t mtu = 65'535;  ///< larger IP packets vanish, as with DF set and ICMP filtered
  /// Congestion marks are taken off, as old routers do that take them for a part of the DSCP.
  bool bleachEcn = false;
};

struct LinkCounters {
  uint64_t packetsIn = 0;
  uint64_t bytesIn = 0;  ///< wire bytes
  uint64_t packetsOut = 0;
  uint64_t bytesOut = 0;
  uint64_t lostRandomly = 0;
  uint64_t lostByScript = 0;
  uint64_t lostInQueue = 0;  ///< drop-tail and CoDel
  uint64_t lostDown = 0;     ///< sent while the link was down
  uint64_t lostTooBig = 0;   ///< above the MTU
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t corrupted = 0;
  uint64_t ecnMarked = 0;
  size_t maxQueueBytes = 0;
};

/// What stands at the far end of a link.
class LinkEnd {
 public:
  virtual void linkOutput(Link& link, Packet&& packet) = 0;

 protected:
  ~LinkEnd() = default;
};

/// What a script does with a packet.
enum class Verdict : uint8_t { Pass, Drop, Duplicate, Corrupt };

/// One direction of a link: script, then queue and rate, then loss and delay. Owned by a Port.
class PARLEY_EXPORT Link final : private EventTarget {
 public:
  Link(Kernel& kernel, LinkEnd& end, std::string name, LinkConfig config);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  const std::string& name() const { return name_; }
  const LinkConfig& config() const { return config_; }
  /// Takes effect for packets not yet on the wire; what waits in the queue stays there.
  void setConfig(const LinkConfig& config);
  /// A link that is down loses everything, also what its queue holds when it goes down.
  void setUp(bool up);
  bool isUp() const { return up_; }
  LinkCounters counters() const;
  size_t queueBytes() const { return queue_.bytes(); }

  /// Drops the n-th (from 1) packet that matches, counted from now.
  void dropNth(uint64_t n, PacketMatcher matches);
  /// Drops the next `count` packets that match.
  void dropNext(uint64_t count, PacketMatcher matches);
  /// Drops every packet that matches, until clearScript().
  void dropAll(PacketMatcher matches);
  /// Asks `rule` about every packet. Rules are asked in the order they were added; the first answer
  /// other than Pass counts.
  void script(std::function<Verdict(const Packet&)> rule);
  void clearScript() { rules_.clear(); }

  void send(Packet&& packet);

 private:
  void fire(uint64_t argument) override;
  Verdict askScript(const Packet& packet);
  bool drawLoss();
  void serveQueue();
  void propagate(Packet&& packet);
  void scheduleArrival(Packet&& packet);
  void flipBit(Packet& packet);
  void deliver(Packet&& packet);

  Kernel& kernel_;
  LinkEnd& end_;
  std::string name_;
  LinkConfig config_;
  SeededRandom random_;
  PacketQueue queue_;
  LinkCounters counters_;
  std::vector<std::function<Verdict(const Packet&)>> rules_;
  Timestamp lastArrival_;
  uint32_t epoch_ = 0;  ///< counts the times the link went down
  bool inBadState_ = false;
  bool serving_ = false;
  bool up_ = true;
};

}  // namespace parley::sim
