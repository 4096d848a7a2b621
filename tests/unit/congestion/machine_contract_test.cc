// The rules of every machine (support/machine_contract.h), for the controller of congestion. It has
// no wire: what it decides counts as its output.

#include "support/machine_contract.h"

#include <deque>
#include <memory>

#include "parley/congestion/gcc.h"
#include "parley/congestion/scream.h"

namespace parley::congestion {
namespace {

using namespace parley::test;

class ControllerContract final : public Contracted {
 public:
  explicit ControllerContract(std::unique_ptr<Controller> controller)
      : controller_(std::move(controller)) {}
  void start(Timestamp now) override { take(controller_->onNetworkAvailability({now, true})); }
  void work(int round, Timestamp now) override {
    advance(now);
    take(controller_->onRoundTripTime({now, Duration::millis(50 + round % 3)}));
    take(controller_->onLossReport({now, round % 10 == 0 ? 1u : 0u, 20}));
  }
  void handle(ByteSpan, Timestamp) override {}
  bool pollDatagram(Bytes& out) override {
    if (decisions_.empty()) return false;
    out = toBytes(asBytes(decisions_.front()));
    decisions_.pop_front();
    return true;
  }
  void advance(Timestamp now) override {
    if (controller_->nextDeadline() <= now) take(controller_->onProcess({now, 0}));
  }
  Timestamp nextDeadline() const override { return controller_->nextDeadline(); }

 private:
  void take(const ControlUpdate& update) {
    if (!update.target) return;
    decisions_.push_back(std::to_string(update.target->target.bps()) + " " +
                         std::to_string(update.probeCount));
  }
  std::unique_ptr<Controller> controller_;
  std::deque<std::string> decisions_;
};

ContractedPair contracted(std::unique_ptr<Controller> controller) {
  return {std::make_unique<ControllerContract>(std::move(controller)), nullptr};
}

PARLEY_MACHINES(Congestion,
                MachineCase{"GccController", [](uint64_t) { return contracted(createGcc({})); }},
                MachineCase{"ScreamController",
                            [](uint64_t) { return contracted(createScream({})); }});

}  // namespace
}  // namespace parley::congestion
