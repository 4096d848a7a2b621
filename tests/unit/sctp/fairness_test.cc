// Several associations through one bottleneck.

#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "unit/sctp/association_fixture.h"

namespace parley::sctp {
namespace {

/// Any number of senders whose packets share one queue; acknowledgements come back undisturbed.
class SharedLink {
 public:
  SharedLink(double megabits, Duration rtt, size_t queue)
      : rate_(megabits * 125'000), rtt_(rtt), queue_(queue) {}

  void add(Engine engine) {
    auto flow = std::make_unique<Flow>(flows_.size() * 2 + 1, engine);
    flow->a.association->connect(now_);
    flow->b.association->connect(now_);
    flows_.push_back(std::move(flow));
  }
  void run(Duration d) {
    const Timestamp end = now_ + d;
    for (;;) {
      Timestamp next = flight_.empty() ? Timestamp::never() : flight_.begin()->first.first;
      for (auto& f : flows_) {
        f->feed(now_);
        flush(*f);
        next = earliest(next, f->a.association->nextDeadline(), f->b.association->nextDeadline());
      }
      if (!flight_.empty()) next = earliest(next, flight_.begin()->first.first);
      if (next >= end) break;
      now_ = std::max(now_, next);
      clock_.set(now_);
      while (!flight_.empty() && flight_.begin()->first.first <= now_) {
        const Packet p = std::move(flight_.begin()->second);
        flight_.erase(flight_.begin());
        p.to->handlePacket(p.data, now_);
      }
      for (auto& f : flows_) {
        for (Association* e : {f->a.association.get(), f->b.association.get()}) {
          if (e->nextDeadline() <= now_) e->advance(now_);
        }
      }
    }
    now_ = end;
    clock_.set(now_);
  }
  /// Each flow's share of the payload delivered since the last call, in Mb/s.
  std::vector<double> rates(Duration over) {
    for (auto& f : flows_) f->received = 0;
    run(over);
    std::vector<double> out;
    for (auto& f : flows_) out.push_back(static_cast<double>(f->received) * 8e-6 / over.seconds());
    return out;
  }
  Duration rttOf(size_t i) const { return flows_[i]->a.association->stats().smoothedRtt; }

 private:
  struct Flow {
    Flow(uint64_t seed, Engine engine) : a(seed, {}, engine), b(seed + 1, {}, engine) {}
    void feed(Timestamp now) {
      a.drain();
      b.drain();
      for (const Inbound& in : b.inbound) received += in.data.size();
      b.inbound.clear();
      while (a.association->bufferedAmount() < 200'000 &&
             a.association->send(1, 53, message, {}, now)) {
      }
    }
    AssociationPeer a, b;
    Bytes message = Bytes(30'000);
    uint64_t received = 0;
  };
  struct Packet {
    Association* to;
    Bytes data;
  };
  void flush(Flow& f) {
    PacketBuf packet;
    while (f.a.association->pollTransmit(packet)) {
      const Duration wait = std::max(busyUntil_, now_) - now_;
      if (wait.seconds() * rate_ > static_cast<double>(queue_)) continue;
      busyUntil_ =
          now_ + wait + Duration::fromSeconds(static_cast<double>(packet.size() + 85) / rate_);
      put(busyUntil_ + rtt_ / 2, f.b.association.get(), packet);
    }
    while (f.b.association->pollTransmit(packet))
      put(now_ + rtt_ / 2, f.a.association.get(), packet);
  }
  void put(Timestamp at, Association* to, const PacketBuf& packet) {
    flight_.emplace(std::pair{at, order_++}, Packet{to, toBytes(packet.span())});
  }

  double rate_;
  Duration rtt_;
  size_t queue_;
  Timestamp now_ = Timestamp::seconds(50'000);
  sim::ClockScope clock_{now_};
  Timestamp busyUntil_;
  std::vector<std::unique_ptr<Flow>> flows_;
  std::map<std::pair<Timestamp, uint64_t>, Packet> flight_;
  uint64_t order_ = 0;
};

TEST(Fairness, EqualsShareALink) {
  SharedLink link(12, Duration::millis(40), 64 * 1024);
  link.add(Engine::Native);
  link.run(Duration::seconds(2));
  link.add(Engine::Native);  // a late comer
  link.add(Engine::Native);
  link.run(Duration::seconds(10));
  const std::vector<double> rates = link.rates(Duration::seconds(8));
  const double sum = rates[0] + rates[1] + rates[2];
  EXPECT_GT(sum, 0.8 * 12 * 0.9);
  for (const double r : rates) EXPECT_GT(r, sum / 3 * 0.5) << "of " << sum;
  EXPECT_LT(link.rttOf(0), Duration::millis(60));
}

TEST(Fairness, AWindowBasedSenderIsNeitherStarvedNorStarvesUs) {
  SharedLink link(12, Duration::millis(40), 96 * 1024);
  link.add(Engine::UsrSctp);
  link.run(Duration::seconds(3));
  link.add(Engine::Native);
  link.run(Duration::seconds(12));
  const std::vector<double> rates = link.rates(Duration::seconds(10));
  EXPECT_GT(rates[0], 1.5);
  EXPECT_GT(rates[1], 1.5);
}

}  // namespace
}  // namespace parley::sctp
