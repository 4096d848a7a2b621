#include "media/pacer.h"

#include <algorithm>

namespace parley::media {
namespace {

/// Checklist CC-10: no burst above 5 ms. Releasing that much at once, rather than packet by packet,
/// lets runs of equal packets leave in one system call.
constexpr Duration kBurst = Duration::millis(5);
/// A queue that would take longer than this to drain is sent faster than the rate.
constexpr Duration kMaxQueueTime = Duration::seconds(2);
constexpr Duration kProbeWaits = Duration::seconds(5);
/// A cluster interrupted for longer measures the interruption.
constexpr Duration kProbeLateness = Duration::millis(50);
constexpr Duration kMediaIsRecent = Duration::seconds(2);
constexpr Duration kProbeStep = Duration::millis(2);
constexpr int64_t kMaxPaddingStep = 1000;
/// With a full window and no word from the peer so much leaves, so that its reports, which need
/// arrivals, begin again when the path does: RATE_PACE_MIN of SCReAM.
constexpr DataRate kDespiteWindow = DataRate::kbps(50);

}  // namespace

RingQueue<PacedPacket>& Pacer::queueOf(PacketType type) {
  return type == PacketType::Audio            ? audio_
         : type == PacketType::Retransmission ? repeats_
                                              : video_;
}

size_t Pacer::room(PacketType type) const {
  const auto& queue = const_cast<Pacer*>(this)->queueOf(type);
  return queue.maxSize() - queue.size();
}

void Pacer::setRates(const congestion::PacerRates& rates, Timestamp now) {
  if (drained_ > now) {
    // What is owed stays owed in bytes, not in time.
    const bool comparable =
        !drained_.isNever() && !rates_.pacing.isZero() && !rates.pacing.isZero();
    drained_ = comparable ? now + (drained_ - now) * (rates_.pacing / rates.pacing) : now;
  }
  rates_ = rates;
}

void Pacer::addProbe(const congestion::ProbeCluster& probe, Timestamp now) {
  probes_.push({probe, now, {}, 0, 0});
}

bool Pacer::push(PacedPacket packet) {
  const int64_t size = packet.size;
  if (!queueOf(packet.type).push(std::move(packet))) return false;
  queuedBytes_ += size;
  return true;
}

Timestamp Pacer::nextDespiteWindow() const {
  return lastMedia_ ? *lastMedia_ + kDespiteWindow.timeFor(lastMediaBytes_) : Timestamp();
}

bool Pacer::pass(PacketType type, int64_t bytes, Timestamp now) {
  if (type == PacketType::Audio) {
    if (!audio_.empty()) return false;
  } else {
    if (windowFull() || mediaWaits() || !probes_.empty() || rates_.pacing.isZero() ||
        drained_ > now + kBurst)
      return false;
    lastMedia_ = now;
    lastMediaBytes_ = bytes;
  }
  account(bytes, now);
  return true;
}

void Pacer::prepareProbe(Timestamp now) {
  while (!probes_.empty()) {
    Probe& probe = probes_.front();
    if (probeActive_) {
      if (!probe.complete() && now - probe.next() <= kProbeLateness) return;
      probeActive_ = false;
      probes_.pop();
      continue;
    }
    if (now - probe.added > kProbeWaits) {
      probes_.pop();
      continue;
    }
    const bool recent = lastMedia_ && now - *lastMedia_ < kMediaIsRecent;
    if (!mediaWaits() && !(recent && paddingPossible_)) return;
    probe.started = now;
    probeActive_ = true;
    return;
  }
}

DataRate Pacer::effectiveRate() const {
  const auto needed = DataRate::bps(
      static_cast<int64_t>(static_cast<double>(queuedBytes_) * 8 / kMaxQueueTime.seconds()));
  return rates_.pacing.isZero() ? rates_.pacing : std::max(rates_.pacing, needed);
}

void Pacer::account(int64_t bytes, Timestamp now) {
  const DataRate rate = effectiveRate();
  if (!rate.isZero()) drained_ = std::max(drained_, now) + rate.timeFor(bytes);
  if (!rates_.padding.isZero())
    paddingDrained_ = std::max(paddingDrained_, now) + rates_.padding.timeFor(bytes);
}

void Pacer::accountProbe(int64_t bytes) {
  Probe& probe = probes_.front();
  ++probe.packets;
  probe.bytes += bytes;
}

bool Pacer::pop(PacedPacket& out, int32_t& probeId, Timestamp now) {
  probeId = -1;
  if (!audio_.empty()) {
    out = audio_.pop();
    queuedBytes_ -= out.size;
    account(out.size, now);
    return true;
  }
  if (rates_.pacing.isZero()) return false;
  if (windowFull() && nextDespiteWindow() > now) return false;
  prepareProbe(now);
  if (!mediaWaits()) return false;
  if (probeActive_) {
    if (probes_.front().next() > now) return false;
    probeId = probes_.front().cluster.id;
  } else if (drained_ > now + kBurst) {
    return false;
  }
  out = repeats_.empty() ? video_.pop() : repeats_.pop();
  queuedBytes_ -= out.size;
  lastMedia_ = now;
  lastMediaBytes_ = out.size;
  account(out.size, now);
  if (probeId >= 0) accountProbe(out.size);
  return true;
}

size_t Pacer::paddingDue(int32_t& probeId, Timestamp now) {
  probeId = -1;
  if (rates_.pacing.isZero() || !paddingPossible_ || mediaWaits() || windowFull()) return 0;
  prepareProbe(now);
  if (probeActive_) {
    const Probe& probe = probes_.front();
    if (probe.next() > now) return 0;
    probeId = probe.cluster.id;
    // Small enough for the wanted number of packets, large enough for few wake-ups.
    const int64_t share = std::max<int64_t>(1, probe.cluster.minBytes() / probe.cluster.minPackets);
    return static_cast<size_t>(std::clamp(std::max(share, probe.cluster.rate.bytesIn(kProbeStep)),
                                          int64_t{50}, kMaxPaddingStep));
  }
  if (rates_.padding.isZero() || !lastMedia_ || paddingDrained_ > now) return 0;
  return static_cast<size_t>(
      std::clamp(rates_.padding.bytesIn(kBurst), int64_t{50}, kMaxPaddingStep));
}

void Pacer::onPaddingSent(size_t bytes, int32_t probeId, Timestamp now) {
  account(static_cast<int64_t>(bytes), now);
  if (probeId >= 0 && probeActive_) accountProbe(static_cast<int64_t>(bytes));
}

void Pacer::abandonPadding() {
  if (probeActive_) probes_.pop();
  probeActive_ = false;
  paddingPossible_ = false;
}

void Pacer::removeFrom(RingQueue<PacedPacket>& queue, uint32_t stream, int64_t& bytes) {
  for (size_t left = queue.size(); left > 0; --left) {
    PacedPacket packet = queue.pop();
    if (packet.stream == stream) {
      bytes -= packet.size;
    } else {
      queue.push(std::move(packet));
    }
  }
}

void Pacer::removeStream(uint32_t stream) {
  removeFrom(audio_, stream, queuedBytes_);
  removeFrom(repeats_, stream, queuedBytes_);
  removeFrom(video_, stream, queuedBytes_);
}

Timestamp Pacer::nextDeadline() const {
  if (rates_.pacing.isZero()) return Timestamp::never();
  if (windowFull()) {
    // A report opens the window; what waits for it needs no time.
    if (!mediaWaits()) return Timestamp::never();
    return std::max(probeActive_ ? probes_.front().next() : drained_, nextDespiteWindow());
  }
  if (probeActive_ && (mediaWaits() || paddingPossible_)) return probes_.front().next();
  if (mediaWaits()) return drained_;
  if (!rates_.padding.isZero() && paddingPossible_ && lastMedia_) return paddingDrained_;
  return Timestamp::never();
}

}  // namespace parley::media
