#include "parley/sim/queue.h"

#include <cmath>

namespace parley::sim {
namespace {

bool isEcnCapable(const Packet& packet) {
  return packet.ecn == Ecn::Ect0 || packet.ecn == Ecn::Ect1;
}

}  // namespace

bool PacketQueue::push(Packet&& packet, Timestamp now, const QueueConfig& config) {
  const size_t size = packet.wireSize();
  // An empty queue takes any packet, else a limit below the packet size would block for ever.
  if (!items_.empty() && bytes_ + size > config.limitBytes) return false;
  if (items_.full()) return false;
  bytes_ += size;
  items_.push({std::move(packet), now});
  return true;
}

bool PacketQueue::takeFront(Packet& out, Timestamp now) {
  if (items_.empty()) return false;
  Item item = items_.pop();
  bytes_ -= item.packet.wireSize();
  lastSojourn_ = now - item.queuedAt;
  out = std::move(item.packet);
  return true;
}

Duration PacketQueue::controlLaw(const QueueConfig& config) const {
  return Duration::nanos(static_cast<int64_t>(static_cast<double>(config.codelInterval.nanos()) /
                                              std::sqrt(static_cast<double>(dropCount_))));
}

/// "The dodequeue routine" of RFC 8289 section 5.6: has the sojourn time stayed above target for a
/// whole interval?
bool PacketQueue::shouldDrop(Timestamp now, const QueueConfig& config) {
  constexpr size_t kMaxPacket = 1500;
  if (lastSojourn_ < config.codelTarget || bytes_ <= kMaxPacket) {
    firstAboveTime_ = Timestamp::never();
    return false;
  }
  if (firstAboveTime_.isNever()) {
    firstAboveTime_ = now + config.codelInterval;
    return false;
  }
  return now >= firstAboveTime_;
}

bool PacketQueue::markInstead(Packet& packet, const QueueConfig& config) {
  if (!config.ecn || !isEcnCapable(packet)) return false;
  packet.ecn = Ecn::Ce;
  ++marked_;
  return true;
}

bool PacketQueue::pop(Packet& out, Timestamp now, const QueueConfig& config) {
  if (!takeFront(out, now)) {
    dropping_ = false;
    return false;
  }
  if (config.discipline == QueueDiscipline::CoDel) {
    bool above = shouldDrop(now, config);
    if (dropping_) {
      if (!above) dropping_ = false;
      while (dropping_ && now >= dropNext_) {
        ++dropCount_;
        const Duration next = controlLaw(config);
        if (markInstead(out, config)) {
          dropNext_ += next;
          break;
        }
        ++dropped_;
        if (!takeFront(out, now)) {
          dropping_ = false;
          return false;
        }
        above = shouldDrop(now, config);
        if (above) {
          dropNext_ += next;
        } else {
          dropping_ = false;
        }
      }
    } else if (above) {
      bool left = true;
      if (!markInstead(out, config)) {
        ++dropped_;
        left = takeFront(out, now);
        if (left) shouldDrop(now, config);
      }
      dropping_ = true;
      // Resume near the former drop rate if dropping stopped only a short while ago.
      const uint32_t delta = dropCount_ - lastDropCount_;
      const bool recent = now - dropNext_ < config.codelInterval * 16;
      dropCount_ = delta > 1 && recent ? delta : 1;
      dropNext_ = now + controlLaw(config);
      lastDropCount_ = dropCount_;
      if (!left) return false;
    }
  }
  if (lastSojourn_ > config.markAbove && isEcnCapable(out)) {
    out.ecn = Ecn::Ce;
    ++marked_;
  }
  return true;
}

}  // namespace parley::sim
