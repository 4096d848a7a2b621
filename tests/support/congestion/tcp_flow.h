#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "parley/base/bytes.h"
#include "parley/sim/world.h"

#include "support/congestion/media_end.h"

namespace parley::test {

/// A transfer as TCP would do it, for competition: a window moved by acknowledgements, Reno (RFC
/// 5681) or CUBIC (RFC 9438) in congestion avoidance, selective acknowledgements, one reduction a
/// round trip, a retransmission timer. Numbers are packets: what a lost one carried goes out again
/// under another number, since only the amount matters.
class TcpSender final : public Driven {
 public:
  enum class Kind : uint8_t { Reno, Cubic };
  static constexpr size_t kPacket = 1448;
  static constexpr uint16_t kPort = 6000;

  /// `bytes` < 0: as much as there is time for.
  TcpSender(Kind kind, int64_t bytes) : kind_(kind), left_(bytes) {
    effects_.push_back(OpenUdp{SocketId(1), SocketAddress{IpAddress::v4(0, 0, 0, 0), kPort}});
  }
  void setPeer(const SocketAddress& peer) { peer_ = peer; }
  void start(Timestamp now) {
    started_ = true;
    wake_ = now;
  }
  bool finished() const { return left_ == 0 && flying_.empty(); }
  /// The source's next transfer, by a new connection.
  void restart(int64_t bytes, Timestamp now) {
    left_ = bytes;
    window_ = 10;
    threshold_ = 1e9;
    recover_ = next_;
    epoch_.reset();
    start(now);
  }

  void handle(Input&& input, Timestamp now) override {
    const auto* datagram = std::get_if<Datagram>(&input);
    if (datagram == nullptr || datagram->data.size() < 8) return;
    ByteReader reader(datagram->data.span());
    onAck(static_cast<int64_t>(reader.u64()), now);
    now_ = now;
    fill();
  }
  void advance(Timestamp now) override {
    now_ = now;
    wake_ = Timestamp::never();
    if (!flying_.empty() && now >= timer_) onTimeout();
    fill();
  }
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && !ready_.empty()) {
      TxPacket& tx = out[count++];
      tx.socket = SocketId(1);
      tx.to = peer_;
      tx.txClass = TxClass::Bulk;
      tx.data = pool_.allocate();
      tx.data.resize(kPacket);
      ByteWriter writer(tx.data.mutableSpan());
      writer.u64(static_cast<uint64_t>(ready_.front()));
      writer.zeros(kPacket - 8);
      ready_.pop_front();
    }
    return count;
  }
  bool pollEffect(Effect& out) override {
    if (effects_.empty()) return false;
    out = std::move(effects_.back());
    effects_.pop_back();
    return true;
  }
  Timestamp nextDeadline() const override {
    return earliest(wake_, flying_.empty() ? Timestamp::never() : timer_);
  }
  PacketPool& pool() override { return pool_; }

 private:
  struct Flying {
    int64_t number;
    Timestamp sent;
  };
  static constexpr double kBetaCubic = 0.7;
  static constexpr double kCubicC = 0.4;

  void fill() {
    if (!started_) return;
    while (static_cast<double>(flying_.size()) < window_ && left_ != 0) {
      if (left_ > 0) left_ = std::max<int64_t>(0, left_ - static_cast<int64_t>(kPacket));
      flying_.push_back({next_, now_});
      ready_.push_back(next_++);
      if (flying_.size() == 1) timer_ = now_ + timeout_;
    }
  }
  void onAck(int64_t number, Timestamp now) {
    const auto at = std::find_if(flying_.begin(), flying_.end(),
                                 [number](const Flying& f) { return f.number == number; });
    if (at == flying_.end()) return;
    measure(now - at->sent);
    flying_.erase(at);
    backoff_ = 0;
    timer_ = now + timeout_;
    grow(now);
    // Three later ones were acknowledged.
    while (!flying_.empty() && flying_.front().number + 3 <= number) {
      const Flying lost = flying_.front();
      flying_.pop_front();
      if (left_ >= 0) left_ += static_cast<int64_t>(kPacket);
      if (lost.number >= recover_) reduce(now);
    }
  }
  void measure(Duration rtt) {
    smoothed_ = smoothed_ == Duration::zero() ? rtt : smoothed_ * 0.875 + rtt * 0.125;
    const Duration off = rtt > smoothed_ ? rtt - smoothed_ : smoothed_ - rtt;
    variation_ = variation_ * 0.75 + off * 0.25;
    timeout_ = std::max(Duration::millis(200), smoothed_ + variation_ * 4);
  }
  void grow(Timestamp now) {
    if (window_ < threshold_) {
      window_ += 1;
      return;
    }
    if (kind_ == Kind::Reno) {
      window_ += 1 / window_;
      return;
    }
    if (!epoch_) {
      epoch_ = now;
      k_ = std::cbrt(std::max(0.0, maxWindow_ - window_) / kCubicC);
      friendly_ = window_;
    }
    const double t = (now - *epoch_ + smoothed_).seconds();
    const double cubic = kCubicC * std::pow(t - k_, 3) + std::max(maxWindow_, window_ * 0.999);
    friendly_ += 3 * (1 - kBetaCubic) / (1 + kBetaCubic) / window_;
    const double wanted = std::max(std::min(cubic, window_ * 1.5), friendly_);
    if (wanted > window_) window_ += (wanted - window_) / window_;
  }
  void reduce(Timestamp) {
    recover_ = next_;
    maxWindow_ = window_;
    epoch_.reset();
    window_ = std::max(2.0, window_ * (kind_ == Kind::Reno ? 0.5 : kBetaCubic));
    threshold_ = window_;
  }
  void onTimeout() {
    if (left_ >= 0) left_ += static_cast<int64_t>(kPacket * flying_.size());
    threshold_ = std::max(2.0, static_cast<double>(flying_.size()) / 2);
    flying_.clear();
    recover_ = next_;
    window_ = 1;
    epoch_.reset();
    backoff_ = std::min(backoff_ + 1, 6);
    timeout_ = std::max(timeout_, Duration::millis(200)) * (1 << backoff_);
    timeout_ = std::min(timeout_, Duration::seconds(10));
    timer_ = now_ + timeout_;
  }

  PacketPool pool_;
  Kind kind_;
  int64_t left_;
  bool started_ = false;
  SocketAddress peer_;
  std::vector<Effect> effects_;
  std::deque<int64_t> ready_;
  std::deque<Flying> flying_;
  int64_t next_ = 0;
  int64_t recover_ = 0;
  double window_ = 10;  // RFC 6928
  double threshold_ = 1e9;
  double maxWindow_ = 0;
  double friendly_ = 0;
  double k_ = 0;
  std::optional<Timestamp> epoch_;
  Duration smoothed_;
  Duration variation_;
  Duration timeout_ = Duration::seconds(1);
  int backoff_ = 0;
  Timestamp timer_;
  Timestamp wake_ = Timestamp::never();
  Timestamp now_;
};

/// Acknowledges every packet at once.
class TcpReceiver final : public Driven {
 public:
  TcpReceiver() {
    effects_.push_back(
        OpenUdp{SocketId(1), SocketAddress{IpAddress::v4(0, 0, 0, 0), TcpSender::kPort}});
  }
  const std::vector<Arrival>& arrivals() const { return arrivals_; }

  void handle(Input&& input, Timestamp now) override {
    auto* datagram = std::get_if<Datagram>(&input);
    if (datagram == nullptr || datagram->data.size() < 8) return;
    arrivals_.push_back(
        {now.seconds(), 0, static_cast<uint32_t>(datagram->data.size() + 28), false});
    TxPacket tx;
    tx.socket = SocketId(1);
    tx.to = datagram->from;
    tx.data = pool_.copyOf(datagram->data.span().first(8));
    acks_.push_back(std::move(tx));
  }
  void advance(Timestamp) override {}
  size_t pollTransmit(std::span<TxPacket> out) override {
    size_t count = 0;
    while (count < out.size() && !acks_.empty()) {
      out[count++] = std::move(acks_.front());
      acks_.pop_front();
    }
    return count;
  }
  bool pollEffect(Effect& out) override {
    if (effects_.empty()) return false;
    out = std::move(effects_.back());
    effects_.pop_back();
    return true;
  }
  Timestamp nextDeadline() const override { return Timestamp::never(); }
  PacketPool& pool() override { return pool_; }

 private:
  PacketPool pool_;
  std::vector<Effect> effects_;
  std::deque<TxPacket> acks_;
  std::vector<Arrival> arrivals_;
};

}  // namespace parley::test
