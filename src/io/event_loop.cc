#include "parley/io/event_loop.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "parley/base/check.h"
#include "parley/io/clock.h"
#include "parley/io/interfaces.h"
#include "parley/io/resolver.h"

#include "io/fd.h"
#include "io/poller.h"
#include "io/runner.h"

namespace parley::io {
namespace {

struct Answer {
  uint64_t runner;
  ResolveId id;
  std::vector<IpAddress> addresses;
};

/// The part of a loop that other threads touch. Shared, because a look-up may outlive its loop.
class Mailbox {
 public:
  Mailbox() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    PARLEY_CHECK(static_cast<bool>(event_));
  }
  int fd() const { return event_.get(); }

  void wake() {
    if (pending_.exchange(true)) return;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
  }
  /// Re-arms wake(). What was put in before the matching wake() is visible after it.
  void drain() {
    uint64_t count;
    [[maybe_unused]] const ssize_t got = ::read(event_.get(), &count, sizeof count);
    pending_.store(false);
  }
  void put(Answer answer) {
    {
      const std::lock_guard lock(mutex_);
      answers_.push_back(std::move(answer));
    }
    wake();
  }
  std::vector<Answer> takeAnswers() {
    const std::lock_guard lock(mutex_);
    return std::exchange(answers_, {});
  }

 private:
  Fd event_;
  std::atomic<bool> pending_{false};
  std::mutex mutex_;
  std::vector<Answer> answers_;
};

}  // namespace

struct EventLoop::State final : RunnerHost {
  explicit State(EventLoopOptions loopOptions) : settings(std::move(loopOptions)) {
    if (!settings.device.empty()) settings.udp.device = settings.device;
    poll.add(mailbox->fd(), EPOLLIN, wakeTarget);
  }

  // Targets of the two descriptors that belong to the loop itself.
  struct WakeTarget final : Pollable {
    explicit WakeTarget(State& owner) : state(owner) {}
    void ready(uint32_t, Timestamp now) override { state.woken(now); }
    State& state;
  };
  struct InterfaceTarget final : Pollable {
    explicit InterfaceTarget(State& owner) : state(owner) {}
    void ready(uint32_t, Timestamp now) override { state.interfacesReady(now); }
    State& state;
  };
  struct AlarmTarget final : Pollable {
    explicit AlarmTarget(State& owner) : state(owner) {}
    void ready(uint32_t, Timestamp) override {
      uint64_t count;
      [[maybe_unused]] const ssize_t got = ::read(state.alarm.get(), &count, sizeof count);
    }
    State& state;
  };
  struct Entry {
    uint64_t number;
    std::unique_ptr<Runner> runner;
    bool watchesInterfaces = false;
  };

  Poller& poller() override { return poll; }
  const EventLoopOptions& options() const override { return settings; }
  EventLoopCounters& counters() override { return counts; }
  void watchInterfaces(Runner& runner) override;
  void resolve(Runner& runner, ResolveId id, std::string host) override;

  void woken(Timestamp now);
  void interfacesReady(Timestamp now);
  void cycle(bool mayWait);
  void add(Driven& driven);
  bool setAlarm(Timestamp at);
  struct CyclingHere;
  bool cyclingHere() const {
    return cyclingOn.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  /// Against flush() on another thread.
  std::unique_lock<std::mutex> lockOutOfCycle() {
    return cyclingHere() ? std::unique_lock<std::mutex>() : std::unique_lock(cycleMutex);
  }
  std::vector<NetworkInterface> shownInterfaces() const;
  Timestamp nextDeadline() const;
  Entry* find(const Runner& runner);

  EventLoopOptions settings;
  EventLoopCounters counts;
  Poller poll;
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  WakeTarget wakeTarget{*this};
  InterfaceTarget interfaceTarget{*this};
  std::unique_ptr<InterfaceWatcher> watcher;
  std::vector<Entry> entries;
  UdpCounters removedUdp;
  uint64_t nextNumber = 1;
  std::atomic<bool> stopped{false};
  /// Held but while the loop sleeps: who has it may use everything above.
  std::mutex cycleMutex;
  std::atomic<std::thread::id> cyclingOn{};  ///< the thread inside of a cycle
  Timestamp sleepsUntil;
  Fd alarm;  ///< a timer that ends the sleep earlier than it was meant to
  AlarmTarget alarmTarget{*this};
};

EventLoop::State::Entry* EventLoop::State::find(const Runner& runner) {
  for (Entry& entry : entries) {
    if (entry.runner.get() == &runner) return &entry;
  }
  return nullptr;
}

/// Of a loop that is bound to one device all others are out of reach.
std::vector<NetworkInterface> EventLoop::State::shownInterfaces() const {
  std::vector<NetworkInterface> shown = watcher->interfaces();
  if (settings.device.empty()) return shown;
  std::erase_if(shown, [this](const auto& each) { return each.name != settings.device; });
  return shown;
}

void EventLoop::State::watchInterfaces(Runner& runner) {
  if (!watcher) {
    watcher = std::make_unique<InterfaceWatcher>();
    if (watcher->fd() >= 0) poll.add(watcher->fd(), EPOLLIN, interfaceTarget);
  }
  find(runner)->watchesInterfaces = true;
  runner.feed(InterfacesChanged{shownInterfaces()}, monotonicNow());
}

void EventLoop::State::interfacesReady(Timestamp now) {
  if (!watcher->refresh()) return;
  for (Entry& entry : entries) {
    if (entry.watchesInterfaces) entry.runner->feed(InterfacesChanged{shownInterfaces()}, now);
  }
}

void EventLoop::State::resolve(Runner& runner, ResolveId id, std::string host) {
  const uint64_t number = find(runner)->number;
  Resolver::resolve(std::move(host), [box = mailbox, number, id](std::vector<IpAddress> addresses) {
    box->put({number, id, std::move(addresses)});
  });
}

void EventLoop::State::woken(Timestamp now) {
  ++counts.wakes;
  mailbox->drain();
  for (Answer& answer : mailbox->takeAnswers()) {
    for (Entry& entry : entries) {
      if (entry.number == answer.runner)
        entry.runner->feed(Resolved{answer.id, std::move(answer.addresses)}, now);
    }
  }
}

Timestamp EventLoop::State::nextDeadline() const {
  Timestamp next = Timestamp::never();
  for (const Entry& entry : entries) {
    if (entry.runner->wantsMore()) return Timestamp{};
    next = earliest(next, entry.runner->nextDeadline());
  }
  return next;
}

/// Marks the thread that is inside of a cycle, also when a callback throws out of it.
struct EventLoop::State::CyclingHere {
  explicit CyclingHere(State& owner) : state(owner) {
    state.cyclingOn.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  ~CyclingHere() { state.cyclingOn.store({}, std::memory_order_relaxed); }
  State& state;
};

void EventLoop::State::cycle(bool mayWait) {
  std::unique_lock lock(cycleMutex);
  ++counts.cycles;
  const Timestamp deadline = mayWait ? nextDeadline() : Timestamp{};
  // Nested in another loop: nobody here knows how long that one sleeps.
  sleepsUntil = mayWait ? deadline : Timestamp::never();
  lock.unlock();
  const auto events = poll.wait(monotonicNow(), deadline);
  lock.lock();
  const CyclingHere here(*this);
  // The one reading of the clock for everything in this cycle.
  const Timestamp now = monotonicNow();
  for (const epoll_event& event : events)
    static_cast<Pollable*>(event.data.ptr)->ready(event.events, now);
  for (size_t i = 0; i < entries.size(); ++i) entries[i].runner->pump(now);
  for (Entry& entry : entries) entry.runner->sweep();
}

EventLoop::EventLoop(Driven& driven, EventLoopOptions options)
    : state_(std::make_unique<State>(std::move(options))) {
  state_->add(driven);  // nobody else knows of the loop yet
}

EventLoop::~EventLoop() = default;

void EventLoop::add(Driven& driven) {
  const auto lock = state_->lockOutOfCycle();
  state_->add(driven);
}

void EventLoop::State::add(Driven& driven) {
  entries.push_back({nextNumber++, std::make_unique<Runner>(*this, driven)});
  mailbox->wake();
}

void EventLoop::remove(Driven& driven) {
  const auto lock = state_->lockOutOfCycle();
  auto& entries = state_->entries;
  const auto at = std::find_if(entries.begin(), entries.end(), [&driven](const auto& entry) {
    return &entry.runner->driven() == &driven;
  });
  if (at == entries.end()) return;
  at->runner->addUdpCounters(state_->removedUdp);
  entries.erase(at);
}

void EventLoop::run() {
  do {
    state_->cycle(true);
  } while (!state_->stopped.exchange(false));
}

void EventLoop::stop() {
  state_->stopped.store(true);
  wake();
}

void EventLoop::forgetStop() {
  state_->stopped.store(false);
}

void EventLoop::wake() {
  state_->mailbox->wake();
}
void EventLoop::flush() {
  State& state = *state_;
  if (state.cyclingHere()) {
    // A runner goes on until its callbacks put nothing in any more; another's may have had its
    // turn.
    if (state.entries.size() > 1) wake();
    return;
  }
  const std::unique_lock lock(state.cycleMutex, std::try_to_lock);
  if (!lock) {
    wake();
    return;
  }
  const Timestamp now = monotonicNow();
  for (const auto& entry : state.entries) entry.runner->flush(now);
  const Timestamp next = state.nextDeadline();
  if (next < state.sleepsUntil && !state.setAlarm(next)) wake();
}

/// Setting a timer is cheaper than waking a thread up to see that nothing is due yet.
bool EventLoop::State::setAlarm(Timestamp at) {
  if (!alarm) {
    alarm = Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!alarm) return false;
    poll.add(alarm.get(), EPOLLIN, alarmTarget);
  }
  itimerspec when{};
  const int64_t nanos = std::max<int64_t>(at.nanos(), 1);  // zero would disarm it
  when.it_value = {nanos / 1'000'000'000, nanos % 1'000'000'000};
  if (::timerfd_settime(alarm.get(), TFD_TIMER_ABSTIME, &when, nullptr) != 0) return false;
  sleepsUntil = at;
  return true;
}

int EventLoop::fd() const {
  return state_->poll.fd();
}
void EventLoop::process() {
  state_->cycle(false);
}
Timestamp EventLoop::nextDeadline() const {
  return state_->nextDeadline();
}

int EventLoop::timeoutMillis() const {
  const Timestamp next = nextDeadline();
  return next.isNever() ? -1 : toPollMillis(next - monotonicNow());
}

EventLoopCounters EventLoop::counters() const {
  EventLoopCounters counters = state_->counts;
  counters.udp = state_->removedUdp;
  for (const auto& entry : state_->entries) entry.runner->addUdpCounters(counters.udp);
  return counters;
}

}  // namespace parley::io
