#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "parley/api/loop.h"
#include "parley/base/secure_random.h"
#include "parley/endpoint/endpoint.h"

namespace parley::api_internal {

class PeerConnectionCore;
class ForwardingRuntime;
class MediaRuntime;
class SframeKeys;
struct BuiltinCodecs;

/// Something that wants to be called at a time, outside the lock: a generated media source.
class TimedSource {
 public:
  virtual ~TimedSource() = default;
  /// Runs on the loop's thread without the lock. Returns when to be called next; never() = remove.
  virtual Timestamp run(Timestamp now) = 0;
};

class PoolMutex final : public PoolLock {
 public:
  void lock() override { mutex_.lock(); }
  void unlock() override { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

/// What a Loop really is: an Endpoint, the mutex that serialises the facade, and the delivery of
/// callbacks. Order of locks: the loop's mutex first, then any leaf mutex (posted work, media
/// queues); user code runs with none of them held.
class LoopCore final : public Driven, public std::enable_shared_from_this<LoopCore> {
 public:
  explicit LoopCore(LoopOptions options);
  ~LoopCore() override;

  /// Holds the loop's mutex (nothing in an unlocked loop, and nothing by default).
  class Lock {
   public:
    Lock() = default;
    explicit Lock(const LoopCore& loop) : loop_(&loop), guard_(loop.mutex_, std::defer_lock) {
      if (loop.options_.threading == Threading::Serialized) guard_.lock();
    }
    Lock(Lock&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), guard_(std::move(other.guard_)) {}
    Lock& operator=(Lock&& other) noexcept {
      std::swap(loop_, other.loop_);
      std::swap(guard_, other.guard_);
      return *this;
    }
    ~Lock() {
      if (!loop_ || !loop_->flushWanted_ || loop_->dispatchingHere()) return;
      loop_->flushWanted_ = false;
      if (guard_) guard_.unlock();
      loop_->flush();
    }

   private:
    const LoopCore* loop_ = nullptr;
    std::unique_lock<std::mutex> guard_;
  };

  Timestamp now() const;
  endpoint::Endpoint& endpoint() { return endpoint_; }
  const LoopOptions& options() const { return options_; }
  MediaRuntime& media() { return *media_; }
  const std::shared_ptr<SframeKeys>& sframeKeys() const { return sframeKeys_; }
  ForwardingRuntime& forwarding() { return *forwarding_; }
  const BuiltinCodecs& builtinCodecs();  ///< with the lock held

  void post(std::function<void()> fn);
  void wake() const;
  void setWaker(std::function<void()> waker);
  /// Called instead of the waker, without the lock, when there are only packets to send.
  void setFlusher(std::function<void()> flusher);

  void setUnknownUfragHandler(std::function<void(const UnknownUfrag&)> handler);

  // All with the lock held.
  void addConnection(endpoint::SessionId id, std::shared_ptr<PeerConnectionCore> core);
  void removeConnection(endpoint::SessionId id);
  size_t connectionCount() const { return connections_.size(); }
  /// What this call has put into a machine is sent when the lock is released. Within a callback:
  /// when all callbacks have run, so that many small messages share packets.
  void flushAfterwards() { flushWanted_ = true; }
  /// The connection's machines want to run when the packets that it has now have been taken out.
  void pumpAfterSending(std::shared_ptr<PeerConnectionCore> core) {
    unpumped_.push_back(std::move(core));
  }
  /// Counts what is delivered, so that "in the same task" can be told.
  uint64_t turn() const { return turn_.load(std::memory_order_relaxed); }
  /// Whether the caller is in a task of this loop. Threads of the application's own are not: what
  /// they see moves on at any time.
  bool inTurn() const { return dispatchingHere() || options_.threading == Threading::Unlocked; }
  /// Whether the caller is a callback of this loop.
  bool dispatchingHere() const {
    return dispatchingOn_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  /// The connection has one more task to deliver.
  void markReady(const std::shared_ptr<PeerConnectionCore>& core);
  void addSource(std::shared_ptr<TimedSource> source, Timestamp first);
  /// Destroys what `garbage` owns in the next dispatch, outside the lock.
  void bury(std::function<void()> garbage) { graveyard_.push_back(std::move(garbage)); }
  /// Nobody drives the loop any more: lets go of its connections, which would keep it alive in
  /// turn.
  void abandon();
  /// The session says good-bye to its peer; it is destroyed once that has been sent.
  void closing(endpoint::SessionId id) { closing_.push_back(id); }
  /// See Loop::deliverSettled.
  void deliverSettled();
  /// Whether the caller is on the thread that delivers callbacks, or nobody has delivered any yet.
  bool onDeliveryThread() const;
  /// Waits, with `lock` on this loop released meanwhile, until no callback of `core` is running.
  void waitUntilIdle(const PeerConnectionCore& core);

  // Driven
  void handle(Input&& input, Timestamp now) override;
  void handleDatagrams(std::span<Datagram> datagrams, Timestamp now) override;
  void advance(Timestamp now) override;
  size_t pollTransmit(std::span<TxPacket> out) override;
  bool pollEffect(Effect& out) override;
  Timestamp nextDeadline() const override;
  void dispatch() override;
  PacketPool& pool() override { return endpoint_.pool(); }

 private:
  endpoint::EndpointConfig endpointConfig();
  void refreshWallClock(Timestamp now);
  void runPosted();
  void postUnknownUfrags();
  void runSources();
  void finishClosing();
  bool deliverOne();
  void flush() const;
  void pumpUnpumped();
  /// A callback of `core` is about to run on this thread. Said under the loop's lock together with
  /// the look at `closed()`, so that who closes the connection later finds it running.
  /// A callback may itself deliver what is settled (deliverSettled): answers with what was running.
  struct Delivery {
    const PeerConnectionCore* core = nullptr;
    std::thread::id thread;
  };
  Delivery beginDelivery(const PeerConnectionCore& core);
  /// Runs it; begun already. `outer` goes on afterwards.
  void deliver(const Delivery& outer, std::function<void()> task);
  std::shared_ptr<PeerConnectionCore> takeSettled(std::function<void()>& task, Delivery& outer);

  LoopOptions options_;
  SecureRandom systemRandom_;
  mutable std::mutex mutex_;
  PoolMutex poolMutex_;
  endpoint::Endpoint endpoint_;
  std::unique_ptr<MediaRuntime> media_;
  const std::shared_ptr<SframeKeys> sframeKeys_;
  std::unique_ptr<ForwardingRuntime> forwarding_;
  std::unique_ptr<const BuiltinCodecs> builtinCodecs_;
  std::unordered_map<uint32_t, std::shared_ptr<PeerConnectionCore>> connections_;
  std::deque<std::shared_ptr<PeerConnectionCore>> ready_;  ///< once for each of their tasks
  struct SourceEntry {
    std::shared_ptr<TimedSource> source;
    Timestamp next;
  };
  std::vector<SourceEntry> sources_;
  std::shared_ptr<const std::function<void(const UnknownUfrag&)>> unknownUfrag_;
  std::vector<std::shared_ptr<TimedSource>> dueSources_;
  std::vector<std::shared_ptr<PeerConnectionCore>> unpumped_;
  std::vector<std::function<void()>> graveyard_;
  std::vector<endpoint::SessionId> closing_;
  Timestamp lastNow_;
  Timestamp wallClockDue_;

  mutable bool flushWanted_ = false;
  std::atomic<std::thread::id> dispatchingOn_{};
  std::atomic<uint64_t> turn_{1};

  mutable std::mutex postMutex_;
  std::vector<std::function<void()>> posted_;
  std::shared_ptr<const std::function<void()>> waker_;
  std::shared_ptr<const std::function<void()>> flusher_;

  mutable std::mutex deliveryMutex_;
  std::thread::id deliveryThread_;  ///< of the newest dispatch()
  std::condition_variable deliveryEnded_;
  const PeerConnectionCore* running_ = nullptr;
  std::thread::id runningOn_;
};

}  // namespace parley::api_internal
