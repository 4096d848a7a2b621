#pragma once

#include <atomic>
#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "parley/api/data_channel.h"
#include "parley/api/peer_connection.h"

// For code that is written as coroutines. Header only, and the only header that needs them.
//
//     Task<> answer(PeerConnection pc, SessionDescription offer, Signaling& signaling) {
//       Result<void> taken = co_await setRemoteDescription(pc, std::move(offer));
//       if (taken) taken = co_await setLocalDescription(pc);
//       signaling.send(taken ? pc.localDescription()->sdp : taken.error().message);
//     }
//
//     spawn(answer(pc, offer, signaling));
//
// Every method that takes a Completion has a function here that can be awaited, in any coroutine
// type. It makes the call when it is awaited, and resumes where the completion would be called: on
// the loop's thread (or LoopOptions::executor), in the step that the call belongs to. Errors are
// those of the method.
//
// A call that is pending when its connection closes never completes (webrtc-pc section 4.4.1.2), so
// that the coroutine never goes on. It does not leak either: one that was spawned is destroyed with
// all that it awaits, as a callback is destroyed then that is never called: from the loop's next
// cycle, or with the loop. One of another type stays suspended until its owner destroys it; that is
// allowed on the loop's thread and after closeAndDrain(), and takes the wait back: nothing is
// resumed. The call itself cannot be taken back.

namespace parley {

namespace await_internal {

/// The spawned coroutine that runs `caller`; null if something else owns it.
template <class P>
std::coroutine_handle<> spawnedBy(std::coroutine_handle<P> caller) {
  if constexpr (requires { caller.promise().spawned(); }) {
    return caller.promise().spawned();
  } else {
    return {};
  }
}

/// One suspension, owned by the callbacks that may end it. When the last of them is gone and it has
/// not ended, nothing can end it any more.
class Wait {
 public:
  template <class P>
  explicit Wait(std::coroutine_handle<P> caller) : caller_(caller), spawned_(spawnedBy(caller)) {}
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;
  ~Wait() {
    if (spawned_ && end()) spawned_.destroy();
  }
  /// True for the first who asks.
  bool end() { return !over_.exchange(true); }
  /// After end().
  void resume() const { caller_.resume(); }

 private:
  const std::coroutine_handle<> caller_;
  const std::coroutine_handle<> spawned_;
  std::atomic<bool> over_{false};
};

/// In an awaiter: the coroutine may be destroyed while it is suspended there.
class Waiting {
 public:
  Waiting() = default;
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    if (const std::shared_ptr<Wait> wait = wait_.lock()) wait->end();
  }
  template <class P>
  std::shared_ptr<Wait> begin(std::coroutine_handle<P> caller) {
    auto wait = std::make_shared<Wait>(caller);
    wait_ = wait;
    return wait;
  }

 private:
  std::weak_ptr<Wait> wait_;
};

}  // namespace await_internal

/// What the functions below return: awaiting it makes the call and gives its Result.
template <class T>
class [[nodiscard]] CallAwaiter {
 public:
  /// `call` is called once, with what is to be called when it has completed.
  explicit CallAwaiter(std::function<void(Completion<T>)> call) : call_(std::move(call)) {}

  bool await_ready() const noexcept { return false; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> caller) {
    // Once the call is made nothing of this object may be touched: on the loop's thread the
    // coroutine may be over.
    const auto wait = waiting_.begin(caller);
    const auto call = call_;
    call([this, wait](Result<T> result) {
      if (!wait->end()) return;
      result_.emplace(std::move(result));
      wait->resume();
    });
  }
  Result<T> await_resume() { return *std::move(result_); }

 private:
  std::function<void(Completion<T>)> call_;
  std::optional<Result<T>> result_;
  await_internal::Waiting waiting_;
};

/// As PeerConnection::createOffer.
inline CallAwaiter<SessionDescription> createOffer(PeerConnection pc, OfferOptions options = {}) {
  return CallAwaiter<SessionDescription>([pc = std::move(pc), options](auto done) mutable {
    pc.createOffer(options, std::move(done));
  });
}
/// As PeerConnection::createAnswer.
inline CallAwaiter<SessionDescription> createAnswer(PeerConnection pc) {
  return CallAwaiter<SessionDescription>(
      [pc = std::move(pc)](auto done) mutable { pc.createAnswer(std::move(done)); });
}
/// As PeerConnection::setLocalDescription, offer or answer as the state asks for.
inline CallAwaiter<void> setLocalDescription(PeerConnection pc) {
  return CallAwaiter<void>(
      [pc = std::move(pc)](auto done) mutable { pc.setLocalDescription(std::move(done)); });
}
/// As PeerConnection::setLocalDescription.
inline CallAwaiter<void> setLocalDescription(PeerConnection pc, SessionDescription description) {
  return CallAwaiter<void>(
      [pc = std::move(pc), description = std::move(description)](auto done) mutable {
        pc.setLocalDescription(description, std::move(done));
      });
}
/// As PeerConnection::setRemoteDescription.
inline CallAwaiter<void> setRemoteDescription(PeerConnection pc, SessionDescription description) {
  return CallAwaiter<void>(
      [pc = std::move(pc), description = std::move(description)](auto done) mutable {
        pc.setRemoteDescription(description, std::move(done));
      });
}
/// As PeerConnection::addIceCandidate.
inline CallAwaiter<void> addIceCandidate(PeerConnection pc, IceCandidate candidate) {
  return CallAwaiter<void>(
      [pc = std::move(pc), candidate = std::move(candidate)](auto done) mutable {
        pc.addIceCandidate(candidate, std::move(done));
      });
}
/// As PeerConnection::getStats: of the whole connection, or of whoever has the track.
inline CallAwaiter<StatsReport> getStats(PeerConnection pc, MediaStreamTrack track = {}) {
  return CallAwaiter<StatsReport>([pc = std::move(pc), track = std::move(track)](
                                      auto done) mutable { pc.getStats(track, std::move(done)); });
}
/// As RtpSender::getStats.
inline CallAwaiter<StatsReport> getStats(RtpSender sender) {
  return CallAwaiter<StatsReport>(
      [sender = std::move(sender)](auto done) { sender.getStats(std::move(done)); });
}
/// As RtpReceiver::getStats.
inline CallAwaiter<StatsReport> getStats(RtpReceiver receiver) {
  return CallAwaiter<StatsReport>(
      [receiver = std::move(receiver)](auto done) { receiver.getStats(std::move(done)); });
}
/// As RtpSender::replaceTrack.
inline CallAwaiter<void> replaceTrack(RtpSender sender, MediaStreamTrack track) {
  return CallAwaiter<void>([sender = std::move(sender), track = std::move(track)](
                               auto done) mutable { sender.replaceTrack(track, std::move(done)); });
}
/// As RtpSender::setParameters. The parameters are of one turn: no other wait may lie between
/// RtpSender::getParameters and this.
inline CallAwaiter<void> setParameters(RtpSender sender, RtpSendParameters parameters,
                                       SetParameterOptions options = {}) {
  return CallAwaiter<void>([sender = std::move(sender), parameters = std::move(parameters),
                            options = std::move(options)](auto done) mutable {
    sender.setParameters(parameters, std::move(done), options);
  });
}

/// `co_await opened(channel)`: resumes once the channel is open, at once if it is. InvalidState if
/// it closes instead. Resumes inside the channel's onOpen or onClose, which it takes for itself.
class [[nodiscard]] OpenAwaiter {
 public:
  /// See opened().
  explicit OpenAwaiter(DataChannel channel) : channel_(std::move(channel)) {}

  bool await_ready() const { return channel_.readyState() != DataChannelState::Connecting; }
  /// False: it is open, or closed, meanwhile.
  template <class P>
  bool await_suspend(std::coroutine_handle<P> caller) {
    // Nothing of this object may be touched once a callback can have run: the coroutine may be
    // over.
    const auto wait = waiting_.begin(caller);
    const auto resume = [wait] {
      if (wait->end()) wait->resume();
    };
    DataChannel channel = channel_;
    channel.onClose(resume);
    channel.onOpen(resume);
    return channel.readyState() == DataChannelState::Connecting || !wait->end();
  }
  Result<void> await_resume() const {
    if (channel_.readyState() == DataChannelState::Open) return ok();
    return fail(ErrorCode::InvalidState, "the channel has closed");
  }

 private:
  DataChannel channel_;
  await_internal::Waiting waiting_;
};

/// See OpenAwaiter.
inline OpenAwaiter opened(DataChannel channel) {
  return OpenAwaiter(std::move(channel));
}

/// `co_await sendWhenWritable(channel, bytes)`: sends at once, or suspends until the buffer has
/// room and sends then. Resumes on the loop's thread, inside the channel's onWritable or onClose,
/// which it takes for itself; one at a time per channel. `data` must stay valid until then and be
/// no more than half of the buffer's bound. The result is that of DataChannel::send.
class [[nodiscard]] SendAwaiter {
 public:
  /// See sendWhenWritable().
  SendAwaiter(DataChannel channel, ByteSpan data, bool isText)
      : channel_(std::move(channel)), data_(data), isText_(isText) {}

  bool await_ready() const {
    return channel_.readyState() != DataChannelState::Open || channel_.canSend(data_.size());
  }
  /// False: there is room meanwhile.
  template <class P>
  bool await_suspend(std::coroutine_handle<P> caller) {
    // Whichever comes first resumes; the others find nothing to do. As OpenAwaiter.
    const auto wait = waiting_.begin(caller);
    const auto resume = [wait] {
      if (wait->end()) wait->resume();
    };
    DataChannel channel = channel_;
    const size_t size = data_.size();
    channel.onClose(resume);
    channel.onWritable(resume);
    const bool waits = channel.readyState() == DataChannelState::Open && !channel.canSend(size);
    return waits || !wait->end();
  }
  Result<void> await_resume() {
    return isText_ ? channel_.send(asText(data_)) : channel_.send(data_);
  }

 private:
  DataChannel channel_;
  ByteSpan data_;
  bool isText_;
  await_internal::Waiting waiting_;
};

/// See SendAwaiter.
inline SendAwaiter sendWhenWritable(DataChannel channel, ByteSpan data) {
  return {std::move(channel), data, false};
}
/// The same with a text message.
inline SendAwaiter sendWhenWritable(DataChannel channel, std::string_view text) {
  return {std::move(channel), asBytes(text), true};
}

namespace await_internal {

class PromiseBase {
 public:
  struct Back {
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> ended) const noexcept {
      return ended.promise().caller_;
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  Back final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  template <class P>
  void awaitedBy(std::coroutine_handle<P> caller) {
    caller_ = caller;
    spawned_ = spawnedBy(caller);
  }
  std::coroutine_handle<> spawned() const { return spawned_; }
  void rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::coroutine_handle<> caller_;
  std::coroutine_handle<> spawned_;
  std::exception_ptr exception_;
};

template <class T>
class Promise : public PromiseBase {
 public:
  template <std::convertible_to<T> U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow();
    return *std::move(value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  void return_void() const noexcept {}
  void take() const { rethrow(); }
};

}  // namespace await_internal

/// A coroutine that does nothing until it is awaited, once, or spawned; what it returns is the
/// result of awaiting it. It owns the coroutine: destroyed while that is suspended, it ends it. An
/// exception in it reaches who awaits it.
template <class T = void>
class [[nodiscard]] Task {
 public:
  struct promise_type : await_internal::Promise<T> {
    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
  };

  /// Tasks are moved, not copied; what is left behind is empty.
  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Task() {
    if (frame_) frame_.destroy();
  }

  /// Runs it, and resumes with its result. The Task must outlive that.
  auto operator co_await() && noexcept { return Awaiter{frame_}; }

 private:
  struct Awaiter {
    std::coroutine_handle<promise_type> frame;
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> caller) const {
      frame.promise().awaitedBy(caller);
      return frame;
    }
    T await_resume() const { return frame.promise().take(); }
  };

  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

namespace await_internal {

/// Owns itself.
struct Spawned {
  struct promise_type {
    Spawned get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
    std::coroutine_handle<> spawned() {
      return std::coroutine_handle<promise_type>::from_promise(*this);
    }
  };
};

inline Spawned run(Task<void> task) {
  co_await std::move(task);
}

template <class T>
Spawned runThen(Task<T> task, std::function<void(T)> done) {
  done(co_await std::move(task));
}

}  // namespace await_internal

/// Starts a task and leaves it to itself: it runs at once, on this thread, to where it first waits.
/// It is destroyed when it has ended, and when it waits for what can no longer come (see above): do
/// not keep handles or references to it. An exception that leaves it terminates the program.
inline void spawn(Task<void> task) {
  await_internal::run(std::move(task));
}
/// The same; `done` is called with what it returns, where it ends, and never if it does not end.
template <class T>
void spawn(Task<T> task, std::type_identity_t<std::function<void(T)>> done) {
  await_internal::runThen<T>(std::move(task), std::move(done));
}

}  // namespace parley
