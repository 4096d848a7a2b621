#include "api/loop_core.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "parley/io/clock.h"

#include "api/configuration_check.h"
#include "api/forwarding_runtime.h"
#include "api/media_runtime.h"
#include "api/peer_connection_core.h"
#include "api/sframe_keys.h"

namespace parley::api_internal {
namespace {

constexpr Duration kWallClockRefresh = Duration::seconds(1);
// One dispatch delivers at most this many callbacks, so that a callback which keeps causing others
// cannot keep the loop from its sockets.
constexpr int kMaxCallbacksPerDispatch = 1024;
// Packets that are forwarded in one go: some 40 kB, which a core's first cache holds.
constexpr size_t kFeed = 32;

}  // namespace

const BuiltinCodecs& LoopCore::builtinCodecs() {
  if (!builtinCodecs_) builtinCodecs_ = std::make_unique<const BuiltinCodecs>();
  return *builtinCodecs_;
}

LoopCore::LoopCore(LoopOptions options)
    : options_(std::move(options)),
      endpoint_(options_.random ? *options_.random : static_cast<Random&>(systemRandom_),
                options_.log ? *options_.log : nullLog(), endpointConfig()),
      media_(std::make_unique<MediaRuntime>(*this)),
      sframeKeys_(std::make_shared<SframeKeys>()),
      forwarding_(std::make_unique<ForwardingRuntime>(*this)) {
  refreshWallClock(now());
}

LoopCore::~LoopCore() = default;

endpoint::EndpointConfig LoopCore::endpointConfig() {
  endpoint::EndpointConfig config;
  config.limits = options_.limits;
  config.memory = options_.memory;
  config.sharedPorts = options_.udpPorts;
  config.sharedTcpPorts = options_.tcpPorts;
  // The loop's thread receives into packets and drops sent ones outside the loop's lock, while
  // workers and callers of `send` make packets inside it.
  if (options_.threading == Threading::Serialized) config.poolLock = &poolMutex_;
  return config;
}

Timestamp LoopCore::now() const {
  return options_.clock ? options_.clock() : io::monotonicNow();
}

void LoopCore::refreshWallClock(Timestamp now) {
  if (now < wallClockDue_) return;
  wallClockDue_ = now + kWallClockRefresh;
  if (options_.wallClock) {
    endpoint_.setWallClock(options_.wallClock());
  } else if (!options_.clock) {
    endpoint_.setWallClock(io::readWallClock());
  }
}

void LoopCore::post(std::function<void()> fn) {
  {
    const std::lock_guard lock(postMutex_);
    posted_.push_back(std::move(fn));
  }
  wake();
}

void LoopCore::wake() const {
  std::shared_ptr<const std::function<void()>> waker;
  {
    const std::lock_guard lock(postMutex_);
    waker = waker_;
  }
  if (waker && *waker) (*waker)();
}

void LoopCore::flush() const {
  std::shared_ptr<const std::function<void()>> flusher;
  {
    const std::lock_guard lock(postMutex_);
    flusher = flusher_ ? flusher_ : waker_;
  }
  if (flusher && *flusher) (*flusher)();
}

void LoopCore::setWaker(std::function<void()> waker) {
  const std::lock_guard lock(postMutex_);
  waker_ = std::make_shared<const std::function<void()>>(std::move(waker));
}

void LoopCore::setFlusher(std::function<void()> flusher) {
  const std::lock_guard lock(postMutex_);
  flusher_ = std::make_shared<const std::function<void()>>(std::move(flusher));
}

void LoopCore::addConnection(endpoint::SessionId id, std::shared_ptr<PeerConnectionCore> core) {
  connections_.emplace(id.value, std::move(core));
}

void LoopCore::removeConnection(endpoint::SessionId id) {
  connections_.erase(id.value);
}

void LoopCore::markReady(const std::shared_ptr<PeerConnectionCore>& core) {
  ++core->turnsQueued;
  ready_.push_back(core);
}

void LoopCore::addSource(std::shared_ptr<TimedSource> source, Timestamp first) {
  sources_.push_back({std::move(source), first});
}

void LoopCore::handle(Input&& input, Timestamp now) {
  const Lock lock(*this);
  refreshWallClock(now);
  endpoint_.handle(std::move(input), now);
}

void LoopCore::handleDatagrams(std::span<Datagram> datagrams, Timestamp now) {
  const Lock lock(*this);
  refreshWallClock(now);
  endpoint_.handleDatagrams(datagrams, now);
}

void LoopCore::advance(Timestamp now) {
  const Lock lock(*this);
  lastNow_ = std::max(lastNow_, now);
  refreshWallClock(now);
  endpoint_.advance(now);
  std::erase_if(sources_, [&](SourceEntry& entry) {
    if (entry.next > now) return false;
    dueSources_.push_back(std::move(entry.source));
    return true;
  });
}

size_t LoopCore::pollTransmit(std::span<TxPacket> out) {
  const Lock lock(*this);
  // Messages leave first; what their sending caused is looked at when nothing is left to send.
  if (const size_t count = endpoint_.pollTransmit(out)) return count;
  if (!unpumped_.empty()) {
    pumpUnpumped();
    if (const size_t count = endpoint_.pollTransmit(out)) return count;
  }
  // Then what is forwarded, made a few receivers at a time.
  while (forwarding_->hasPackets() && forwarding_->feed(kFeed, now())) {
    if (const size_t count = endpoint_.pollTransmit(out)) return count;
  }
  return 0;
}

void LoopCore::pumpUnpumped() {
  const bool hadNothingToDeliver = ready_.empty();
  const Timestamp now = this->now();
  for (const auto& core : unpumped_) core->pump(now);
  unpumped_.clear();
  // This may be a caller's thread.
  if (hadNothingToDeliver && !ready_.empty()) wake();
}

bool LoopCore::pollEffect(Effect& out) {
  const Lock lock(*this);
  return endpoint_.pollEffect(out);
}

Timestamp LoopCore::nextDeadline() const {
  const Lock lock(*this);
  Timestamp next = endpoint_.nextDeadline();
  for (const SourceEntry& entry : sources_) next = earliest(next, entry.next);
  return next;
}

void LoopCore::setUnknownUfragHandler(std::function<void(const UnknownUfrag&)> handler) {
  auto shared =
      std::make_shared<const std::function<void(const UnknownUfrag&)>>(std::move(handler));
  const Lock lock(*this);
  unknownUfrag_.swap(shared);
}

void LoopCore::postUnknownUfrags() {
  if (options_.udpPorts.empty() && options_.tcpPorts.empty())
    return;  // most loops: without the lock
  const Lock lock(*this);
  if (!unknownUfrag_ || !*unknownUfrag_) return;
  UnknownUfrag unknown;
  while (endpoint_.pollUnknownUfrag(unknown)) {
    const std::lock_guard posting(postMutex_);
    posted_.push_back([handler = unknownUfrag_, unknown] { (*handler)(unknown); });
  }
}

void LoopCore::runPosted() {
  std::vector<std::function<void()>> batch;
  {
    const std::lock_guard lock(postMutex_);
    batch.swap(posted_);
  }
  // If one throws, the others keep their place.
  size_t next = 0;
  struct PutBack {
    LoopCore& loop;
    std::vector<std::function<void()>>& batch;
    size_t& next;
    ~PutBack() {
      if (next == batch.size()) return;
      const std::lock_guard lock(loop.postMutex_);
      loop.posted_.insert(loop.posted_.begin(),
                          std::make_move_iterator(batch.begin() + static_cast<long>(next)),
                          std::make_move_iterator(batch.end()));
    }
  } putBack{*this, batch, next};
  while (next < batch.size()) {
    std::function<void()> fn = std::move(batch[next++]);
    if (options_.executor) {
      options_.executor(std::move(fn));
    } else {
      fn();
    }
  }
}

void LoopCore::runSources() {
  std::vector<std::shared_ptr<TimedSource>> due;
  Timestamp now;
  {
    const Lock lock(*this);
    due.swap(dueSources_);
    now = lastNow_;
  }
  // If one throws, it and the others run again on the next cycle.
  size_t at = 0;
  struct PutBack {
    LoopCore& loop;
    std::vector<std::shared_ptr<TimedSource>>& due;
    size_t& at;
    Timestamp now;
    ~PutBack() {
      if (at == due.size()) return;
      const Lock lock(loop);
      for (; at < due.size(); ++at) loop.addSource(std::move(due[at]), now + Duration::micros(1));
    }
  } putBack{*this, due, at, now};
  for (; at < due.size(); ++at) {
    const Timestamp next = due[at]->run(now);
    if (next.isNever()) continue;
    const Lock lock(*this);
    // A source that asks for the past is late: it runs on the next cycle, not in this one (rule
    // M4).
    addSource(std::move(due[at]), std::max(next, now + Duration::micros(1)));
  }
}

void LoopCore::abandon() {
  std::unordered_map<uint32_t, std::shared_ptr<PeerConnectionCore>> connections;
  std::deque<std::shared_ptr<PeerConnectionCore>> ready;
  std::vector<std::function<void()>> garbage;
  std::vector<SourceEntry> sources;
  const Lock lock(*this);
  for (auto& [id, core] : connections_) core->close(PeerConnectionCore::Ending::Abandoned);
  connections.swap(connections_);
  ready.swap(ready_);
  garbage.swap(graveyard_);
  unpumped_.clear();
  sources.swap(sources_);
}

void LoopCore::finishClosing() {
  std::vector<std::function<void()>> garbage;
  std::vector<std::shared_ptr<PeerConnectionCore>> ended;
  const Lock lock(*this);
  garbage.swap(graveyard_);
  std::erase_if(closing_, [&](endpoint::SessionId id) {
    jsep::Session* session = endpoint_.session(id);
    if (session && !session->drained()) return false;
    endpoint_.destroySession(id);
    const auto it = connections_.find(id.value);
    if (it == connections_.end()) return true;
    ended.push_back(std::move(it->second));
    connections_.erase(it);
    return true;
  });
}

void LoopCore::waitUntilIdle(const PeerConnectionCore& core) {
  std::unique_lock lock(deliveryMutex_);
  PARLEY_CHECK(!(running_ == &core && runningOn_ == std::this_thread::get_id()));
  deliveryEnded_.wait(lock, [&] { return running_ != &core; });
}

LoopCore::Delivery LoopCore::beginDelivery(const PeerConnectionCore& core) {
  const std::lock_guard lock(deliveryMutex_);
  return {std::exchange(running_, &core), std::exchange(runningOn_, std::this_thread::get_id())};
}

void LoopCore::deliver(const Delivery& outer, std::function<void()> task) {
  // Also when the callback throws: the state is consistent and the exception is the embedder's.
  struct Ended {
    LoopCore& loop;
    const Delivery& outer;
    ~Ended() {
      const std::lock_guard lock(loop.deliveryMutex_);
      loop.running_ = outer.core;
      loop.runningOn_ = outer.thread;
      loop.deliveryEnded_.notify_all();
    }
  } ended{*this, outer};
  turn_.fetch_add(1, std::memory_order_relaxed);
  task();
}

bool LoopCore::deliverOne() {
  std::shared_ptr<PeerConnectionCore> core;
  std::function<void()> task;
  bool urgent = false;
  Delivery outer;
  {
    const Lock lock(*this);
    endpoint::SessionId id;
    while (endpoint_.pollReady(id)) {
      const auto it = connections_.find(id.value);
      if (it == connections_.end()) continue;
      const std::shared_ptr<PeerConnectionCore> ready = it->second;
      ready->collect();
    }
    if (ready_.empty()) return false;
    core = std::move(ready_.front());
    ready_.pop_front();
    --core->turnsQueued;
    if (!core->takeTask(task, urgent)) return true;
    // All connections share one queue of tasks, as in a browser (HTML's networking task source). A
    // settled call goes ahead and leaves the turn to the task that waits for it.
    if (urgent) {
      ++core->turnsQueued;
      ready_.push_front(core);
    } else if (core->turnsQueued == 0 && core->hasTasks()) {
      markReady(core);
    }
    if (!task) return true;
    if (!options_.executor) outer = beginDelivery(*core);
  }
  if (options_.executor) {
    options_.executor([self = shared_from_this(), core, urgent, task = std::move(task)]() mutable {
      Delivery before;
      {
        const Lock lock(*self);
        if (!urgent && core->closed()) return;
        before = self->beginDelivery(*core);
      }
      self->deliver(before, std::move(task));
    });
  } else {
    deliver(outer, std::move(task));
  }
  return true;
}

std::shared_ptr<PeerConnectionCore> LoopCore::takeSettled(std::function<void()>& task,
                                                          Delivery& outer) {
  const Lock lock(*this);
  for (const auto& core : ready_) {
    if (!core->takeUrgent(task)) continue;
    outer = beginDelivery(*core);
    return core;
  }
  return nullptr;
}

void LoopCore::deliverSettled() {
  std::function<void()> task;
  Delivery outer;
  while (const std::shared_ptr<PeerConnectionCore> core = takeSettled(task, outer)) {
    deliver(outer, std::move(task));
    task = {};
  }
}

bool LoopCore::onDeliveryThread() const {
  const std::lock_guard lock(deliveryMutex_);
  return deliveryThread_ == std::thread::id{} || deliveryThread_ == std::this_thread::get_id();
}

void LoopCore::dispatch() {
  // Also when a callback throws: what it sent before goes out.
  struct Dispatching {
    explicit Dispatching(LoopCore& core) : loop(core) {
      loop.dispatchingOn_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    }
    ~Dispatching() {
      loop.dispatchingOn_.store({}, std::memory_order_relaxed);
      const Lock flushing(loop);
    }
    LoopCore& loop;
  } const dispatching(*this);
  {
    const std::lock_guard lock(deliveryMutex_);
    deliveryThread_ = std::this_thread::get_id();
  }
  turn_.fetch_add(1, std::memory_order_relaxed);
  postUnknownUfrags();
  runPosted();
  runSources();
  finishClosing();
  int budget = kMaxCallbacksPerDispatch;
  while (budget-- > 0 && deliverOne()) {
  }
  if (budget < 0) wake();
}

}  // namespace parley::api_internal
