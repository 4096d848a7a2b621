#pragma once

#include <vector>

#include "parley/base/driven.h"
#include "parley/base/packet_buffer.h"
#include "parley/base/units.h"

namespace parley::test {

/// Packets of 1000 bytes at a constant rate, whatever becomes of them (RFC 8869 section 4.1). Its
/// other end is one that never starts.
class ConstantSender final : public Driven {
 public:
  static constexpr size_t kPacket = 1000;
  static constexpr uint16_t kPort = 7000;

  explicit ConstantSender(DataRate rate) : interval_(rate.timeFor(kPacket + 28)) {
    effects_.push_back(OpenUdp{SocketId(1), SocketAddress{IpAddress::v4(0, 0, 0, 0), kPort}});
  }
  void setPeer(const SocketAddress& peer) { peer_ = peer; }
  void start(Timestamp now) { next_ = now; }
  void stop() { next_ = Timestamp::never(); }

  void handle(Input&&, Timestamp) override {}
  void advance(Timestamp now) override {
    for (; next_ <= now; next_ += interval_) ++ready_;
  }
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    for (; count < out.size() && ready_ > 0; --ready_) {
      TxPacket& tx = out[count++];
      tx.socket = SocketId(1);
      tx.to = peer_;
      tx.txClass = TxClass::Bulk;
      tx.data = pool_.allocate();
      tx.data.resize(kPacket);
    }
    return count;
  }
  bool pollEffect(Effect& out) override {
    if (effects_.empty()) return false;
    out = std::move(effects_.back());
    effects_.pop_back();
    return true;
  }
  Timestamp nextDeadline() const override { return next_; }
  PacketPool& pool() override { return pool_; }

 private:
  PacketPool pool_;
  Duration interval_;
  SocketAddress peer_;
  std::vector<Effect> effects_;
  Timestamp next_ = Timestamp::never();
  int ready_ = 0;
};

}  // namespace parley::test
