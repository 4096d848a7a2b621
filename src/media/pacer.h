#pragma once

#include <cstdint>
#include <optional>

#include "parley/base/packet_buffer.h"
#include "parley/base/ring_queue.h"
#include "parley/base/time.h"
#include "parley/base/units.h"
#include "parley/congestion/controller.h"

namespace parley::media {

enum class PacketType : uint8_t { Audio, Retransmission, Video, Fec, Padding };

/// A packet on its way out. A retransmission carries no bytes: it is made from the history when its
/// turn comes.
struct PacedPacket {
  PacketBuf data;
  uint32_t stream = 0;
  int64_t sequence = 0;
  uint32_t size = 0;
  PacketType type = PacketType::Video;
  Timestamp queued;
};

/// Spreads packets over time. Audio never waits; repetitions go before new video; no burst exceeds
/// 5 ms of the pacing rate. Where the controller sets a window, media leaves only while less than
/// that is in flight. Probe clusters go out at their own rate, with padding where media lacks. Says
/// what may leave now; its owner moves the packets.
class Pacer {
 public:
  explicit Pacer(size_t maxQueued) : audio_(maxQueued), repeats_(maxQueued), video_(maxQueued) {}

  void setRates(const congestion::PacerRates& rates, Timestamp now);
  /// How much may be in flight; until it is told, there is no bound.
  void setWindow(int64_t bytes) { window_ = bytes; }
  void clearWindow() { window_.reset(); }
  /// What is in flight. To be told before anything is taken out.
  void setInFlight(int64_t bytes) { inFlight_ = bytes; }
  void addProbe(const congestion::ProbeCluster& probe, Timestamp now);
  /// Whether some stream can make padding.
  void setPaddingPossible(bool possible) { paddingPossible_ = possible; }

  /// False when its queue is full: the packet is gone.
  bool push(PacedPacket packet);
  /// Whether a packet of this size may leave at once, without having been in here: nothing is
  /// before it and nothing is measured with it. Then it counts as gone.
  bool pass(PacketType type, int64_t bytes, Timestamp now);
  size_t room(PacketType type) const;
  /// The next packet that may leave at `now`, with the cluster it belongs to or -1.
  bool pop(PacedPacket& out, int32_t& probeId, Timestamp now);
  /// How much padding may leave at `now`; 0 = none. Call when pop() gives nothing.
  size_t paddingDue(int32_t& probeId, Timestamp now);
  void onPaddingSent(size_t bytes, int32_t probeId, Timestamp now);
  /// No padding could be made: gives up what waits for it.
  void abandonPadding();
  void removeStream(uint32_t stream);

  /// Nothing waits, nor is anything to be made up: `pop` and `paddingDue` give nothing.
  bool isIdle() const {
    return audio_.empty() && !mediaWaits() && probes_.empty() && rates_.padding.isZero();
  }
  int64_t queuedBytes() const { return queuedBytes_; }
  Timestamp nextDeadline() const;
  DataRate rate() const { return rates_.pacing; }

 private:
  struct Probe {
    congestion::ProbeCluster cluster;
    Timestamp added;
    Timestamp started;
    int packets = 0;
    int64_t bytes = 0;
    bool complete() const { return packets >= cluster.minPackets && bytes >= cluster.minBytes(); }
    Timestamp next() const { return started + cluster.rate.timeFor(bytes); }
  };
  RingQueue<PacedPacket>& queueOf(PacketType type);
  bool mediaWaits() const { return !repeats_.empty() || !video_.empty(); }
  bool windowFull() const { return window_ && inFlight_ >= *window_; }
  /// When the next packet may leave although the window is full.
  Timestamp nextDespiteWindow() const;
  void prepareProbe(Timestamp now);
  void account(int64_t bytes, Timestamp now);
  void accountProbe(int64_t bytes);
  DataRate effectiveRate() const;
  static void removeFrom(RingQueue<PacedPacket>& queue, uint32_t stream, int64_t& bytes);

  RingQueue<PacedPacket> audio_;
  RingQueue<PacedPacket> repeats_;
  RingQueue<PacedPacket> video_;
  RingQueue<Probe> probes_{8};
  bool probeActive_ = false;
  bool paddingPossible_ = false;
  congestion::PacerRates rates_;
  /// When all that was sent will have passed at the pacing rate.
  Timestamp drained_;
  Timestamp paddingDrained_;
  std::optional<Timestamp> lastMedia_;
  int64_t lastMediaBytes_ = 0;
  int64_t queuedBytes_ = 0;
  std::optional<int64_t> window_;
  int64_t inFlight_ = 0;
};

}  // namespace parley::media
