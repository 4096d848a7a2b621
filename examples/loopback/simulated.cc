#include <algorithm>
#include <cstdio>

#include "parley/testing/pair.h"

#include "play.h"

namespace loopback {

using namespace parley;

namespace {

testing::PairOptions worldOf(const Simulation& simulation, const Configuration& sender) {
  testing::PairOptions world;
  world.seed = simulation.seed;
  world.configurationA = sender;
  sim::LinkConfig& link = world.aToB;
  link.loss = sim::LossModel::bernoulli(simulation.lossPercent / 100);
  link.delay = Duration::fromSeconds(simulation.rttMs / 2000);
  link.jitter = Duration::fromSeconds(simulation.jitterMs / 1000);
  link.reorder = simulation.reorderPercent / 100;
  if (simulation.rateKbps > 0) {
    link.queue.rate = DataRate::kbps(static_cast<int64_t>(simulation.rateKbps));
    // A home router's buffer: about 300 ms.
    link.queue.limitBytes =
        static_cast<size_t>(std::max(simulation.rateKbps * 1000 / 8 * 0.3, 10'000.0));
  }
  world.signalingDelay = Duration::fromSeconds(simulation.rttMs / 2000);
  return world;
}

}  // namespace

Result<Outcome> playSimulated(const Options& options) {
  auto created = Play::create(options);
  if (!created) return fail(created.error());
  Play& play = **created;
  testing::Pair pair(worldOf(*options.simulation, play.senderConfiguration()));
  play.addReceiver(pair.b(), pair.loopB());
  if (Result<void> added = play.addSender(pair.a(), pair.loopA()); !added)
    return fail(added.error());
  const Timestamp begin = pair.world().now();
  if (!pair.connect()) {
    return fail(ErrorCode::Network,
                pair.errors().empty() ? "the peers did not connect" : pair.errors().front());
  }
  Outcome outcome;
  outcome.connectMs = (pair.world().now() - begin).seconds() * 1000;
  play.start(pair.world().now());
  const Timestamp end = pair.world().now() + Duration::fromSeconds(play.seconds());
  for (int i = 1; pair.world().now() < end; ++i) {
    pair.run(Duration::millis(250));
    pair.a().getStats([&](Result<StatsReport> report) {
      if (report) play.sample(*report, pair.world().now());
    });
    pair.run(Duration::zero());
    if (i % 4 == 0) std::printf("%s\n", play.statusLine().c_str());
  }
  play.stopSource();
  pair.run(Duration::millis(700) + Duration::fromSeconds(options.simulation->rttMs / 1000));
  pair.a().getStats([&](Result<StatsReport> r) { outcome.sender = r.value_or(StatsReport{}); });
  pair.b().getStats([&](Result<StatsReport> r) { outcome.receiver = r.value_or(StatsReport{}); });
  pair.run(Duration::millis(1));
  pair.a().close();
  pair.b().close();
  if (Result<void> finished = play.finish(outcome); !finished) return fail(finished.error());
  return outcome;
}

}  // namespace loopback
