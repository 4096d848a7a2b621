// How the session's data-channel events and messages become steps of the facade.

#include <utility>
#include <variant>

#include "api/peer_connection_core.h"
#include "api/steps.h"

namespace parley::api_internal {

namespace {

// One round of collecting takes at most this many messages, so that a flood on one connection
// cannot starve the others; what is left stays in the association and closes its receiver window.
constexpr size_t kMaxQueuedMessageTasks = 256;
constexpr size_t kMaxQueuedMessageBytes = 4u << 20;
// The same for what happens to channels: an app that is slow to hear of it slows the peer down.
constexpr size_t kMaxQueuedChannelSteps = 256;
constexpr size_t kMaxHeldMessages = 256;

void fireOpen(Step& step, const std::shared_ptr<DataChannelCore>& body) {
  step.then([body](PeerConnectionCore&) -> Step::Call {
    if (body->visibleState != DataChannelState::Open) return {};  // closed by the event before
    body->openMissed = !body->onOpen;
    return bindCallback(body->onOpen);
  });
}

}  // namespace

// Events and messages have queues of their own, but a channel's end comes after its last message:
// it waits until the messages that are there have been read.
void PeerConnectionCore::onChannelEvent(const sctp::ChannelEvent& event) {
  const bool isEnd = std::holds_alternative<sctp::ChannelClosing>(event) ||
                     std::holds_alternative<sctp::ChannelClosed>(event) ||
                     std::holds_alternative<sctp::ChannelFailed>(event);
  if (isEnd) {
    heldEnds_.push_back(event);
  } else {
    dispatchChannelEvent(event);
  }
}

void PeerConnectionCore::dispatchChannelEvent(const sctp::ChannelEvent& event) {
  std::visit([this](const auto& e) { this->onChannel(e); }, event);
}

void PeerConnectionCore::onChannel(const sctp::ChannelIncoming& event) {
  using Core = PeerConnectionCore;
  const auto body = adoptChannel(event.id, event.init);
  ++channelsOpened_;
  // W3C 6.2 "announcing a data channel as open": datachannel fires first, then open, in one task.
  queueChannelStep([body](Step& step) {
    body->visibleState = DataChannelState::Open;
    step.then([body](Core& c) { return bindCallback(c.callbacks.dataChannel, DataChannel(body)); });
    fireOpen(step, body);
  });
}

void PeerConnectionCore::onChannel(const sctp::ChannelOpened& event) {
  const auto body = channel(event.id);
  if (!body) return;
  ++channelsOpened_;
  assignChannelIds();
  queueChannelStep([body](Step& step) {
    // W3C: not if it is closing or closed by now.
    if (body->visibleState != DataChannelState::Connecting) return;
    body->visibleState = DataChannelState::Open;
    fireOpen(step, body);
  });
}

void PeerConnectionCore::onChannel(const sctp::ChannelClosing& event) {
  const auto body = channel(event.id);
  if (!body) return;
  body->closingSeen = true;
  queueChannelStep([body](Step& step) {
    if (body->visibleState == DataChannelState::Closing) return;
    body->visibleState = DataChannelState::Closing;
    step.then([body](PeerConnectionCore&) { return bindCallback(body->onClosing); });
  });
}

void PeerConnectionCore::onChannel(const sctp::ChannelClosed& event) {
  const auto body = channel(event.id);
  if (!body) return;
  body->finalBufferedAmount = event.bufferedAmount;
  if (!body->closingSeen && !body->failure) {
    // W3C 6.2: nobody has closed the channel, its transport is gone under it.
    Error error{ErrorCode::Operation, "the peer has closed the connection"};
    error.detail = ErrorDetail::SctpFailure;
    body->failure = std::move(error);
  }
  channels_.erase(event.id);
  ++channelsClosed_;
  // W3C 6.2: the state, then the error if there is one, then close, in one task.
  queueChannelStep([body](Step& step) {
    body->visibleState = DataChannelState::Closed;
    step.then([body](PeerConnectionCore&) -> Step::Call {
      return body->failure ? bindCallback(body->onError, *body->failure) : Step::Call{};
    });
    step.then([body](PeerConnectionCore& c) {
      Step::Call call = bindCallback(body->onClose);
      // Nothing comes after this event.
      c.heldMessageBytes_ -= std::exchange(body->heldBytes, 0);
      c.loop().bury(body->takeCallbacks());
      return call;
    });
  });
}

void PeerConnectionCore::onChannel(const sctp::ChannelFailed& event) {
  const auto body = channel(event.id);
  if (!body) return;
  Error error{ErrorCode::Operation, event.reason};
  error.detail = event.causeCode ? ErrorDetail::SctpFailure : ErrorDetail::DataChannelFailure;
  error.sctpCauseCode = event.causeCode;
  body->failure = std::move(error);
}

void PeerConnectionCore::onChannel(const sctp::BufferedAmountLow& event) {
  const auto body = channel(event.id);
  if (!body) return;
  body->lowDue = false;
  queueLow(body);
}

void PeerConnectionCore::onChannel(const sctp::ChannelWritable& event) {
  const auto body = channel(event.id);
  if (!body) return;
  queueChannelStep([body](Step& step) {
    step.then([body](PeerConnectionCore&) { return bindCallback(body->onWritable); });
  });
}

void PeerConnectionCore::queueLow(const std::shared_ptr<DataChannelCore>& body) {
  queueChannelStep([body](Step& step) {
    step.then([body](PeerConnectionCore&) { return bindCallback(body->onLow); });
  });
}

// W3C 6.2: bufferedAmount only falls between tasks. Who fills up to what it shows waits for the
// event that says so, also if in truth the amount never was that high.
void PeerConnectionCore::showBuffered(const std::shared_ptr<DataChannelCore>& body,
                                      uint64_t amount) {
  if (!loop_->inTurn()) return;
  body->sentIn = loop_->turn();
  body->shownAmount = amount;
  const auto inTruth = [this, id = body->id] {
    sctp::DataChannels* channels = session() ? session()->dataChannels() : nullptr;
    return channels ? channels->bufferedAmount(id) : 0;
  };
  // Above the threshold the channel itself tells when it falls.
  if (body->lowDue || amount <= body->lowThreshold || inTruth() > body->lowThreshold) return;
  body->lowDue = true;
  queueTask([self = shared_from_this(), body, inTruth] {
    const LoopCore::Lock lock(*self->loop_);
    if (!std::exchange(body->lowDue, false) || inTruth() > body->lowThreshold) return;
    self->queueLow(body);
  });
  loop_->wake();
}

// W3C 4.4.1.5: channels made before the DTLS role was known get their ids with the description that
// settles it. Until a channel opens, other roles than a provisional answer's may give it another
// one.
void PeerConnectionCore::assignChannelIds() {
  sctp::DataChannels* channels = session() ? session()->dataChannels() : nullptr;
  if (!channels) return;
  for (const auto& [id, body] : channels_) {
    if (const auto stream = channels->streamId(id)) body->streamId = stream;
  }
}

void PeerConnectionCore::queueChannelStep(std::function<void(Step&)> body) {
  ++queuedChannelSteps_;
  queueStep([this, body = std::move(body)](Step& step) {
    const bool roomAgain = queuedChannelSteps_-- == kMaxQueuedChannelSteps / 2 + 1;
    body(step);
    if (roomAgain) afterCall(loop_->now());
  });
}

void PeerConnectionCore::collectChannels(jsep::Session& session) {
  sctp::ChannelEvent event;
  while (queuedChannelSteps_ < kMaxQueuedChannelSteps) {
    if (!session.pollChannelEvent(event)) {
      collectMessages(session);
      return;
    }
    onChannelEvent(event);
  }
}

/// Messages that are there together are delivered by one task: a task each would cost more than a
/// small message does. A few at a time, so that other connections get their turn. Only while no
/// event is left: the channel of a message might not be known yet.
void PeerConnectionCore::collectMessages(jsep::Session& session) {
  constexpr size_t kMaxRun = 64;
  std::shared_ptr<MessageRun> run;
  sctp::ChannelMessage message;
  while (queuedMessages_ < kMaxQueuedMessageTasks && queuedMessageBytes_ < kMaxQueuedMessageBytes) {
    if (!session.pollMessage(message)) {
      messagesWait_ = false;
      for (; !heldEnds_.empty(); heldEnds_.pop_front()) dispatchChannelEvent(heldEnds_.front());
      return;
    }
    auto body = channel(message.channel);
    if (!body) continue;
    ++queuedMessages_;
    queuedMessageBytes_ += message.data.size();
    if (!run || run->messages.size() == kMaxRun) {
      // Where one message comes alone, others will not follow; where a run is full, they do.
      const size_t expected = run ? kMaxRun : 4;
      run = std::make_shared<MessageRun>();
      run->messages.reserve(expected);
      queueTask([self = shared_from_this(), run] { self->deliverMessages(run); });
    }
    run->messages.push_back({std::move(body),
                             {std::move(message.data), message.isText, message.first, message.last,
                              message.abandoned}});
    message = {};
  }
  messagesWait_ = true;
}

// Runs as a task, without the lock.
void PeerConnectionCore::deliverMessages(const std::shared_ptr<MessageRun>& run) {
  // A callback that throws leaves those behind it to the next delivery.
  struct Rest {
    PeerConnectionCore& core;
    const std::shared_ptr<MessageRun>& run;
    ~Rest() {
      if (run->next == run->messages.size()) return;
      const LoopCore::Lock lock(*core.loop_);
      if (core.closed_) return;
      core.tasks_.push_front(
          [self = core.shared_from_this(), rest = run] { self->deliverMessages(rest); });
      core.loop_->markReady(core.shared_from_this());
    }
  } const rest{*this, run};
  while (run->next < run->messages.size()) {
    MessageRun::Message& message = run->messages[run->next++];
    std::function<void(const DataMessage&)> callback;
    {
      const LoopCore::Lock lock(*loop_);
      if (closed_) return;
      // Room again: the association may hold more, and reading it opens the receiver window.
      --queuedMessages_;
      queuedMessageBytes_ -= message.held.data.size();
      if (messagesWait_ && queuedMessages_ <= kMaxQueuedMessageTasks / 2 &&
          queuedMessageBytes_ <= kMaxQueuedMessageBytes / 2) {
        messagesWait_ = false;
        afterSend();
      }
      callback = message.body->onMessage;
      if (!callback) hold(*message.body, std::move(message.held));
    }
    if (callback) callback(message.held.view());
  }
}

/// Keeps a message for a callback that is not there yet, within what a peer may make us keep.
void PeerConnectionCore::hold(DataChannelCore& channel, DataChannelCore::Held&& message) {
  const size_t bytes = message.data.size();
  if (channel.held.size() >= kMaxHeldMessages ||
      heldMessageBytes_ + bytes > loop_->options().limits.maxKeptDataBytes) {
    return;
  }
  heldMessageBytes_ += bytes;
  channel.heldBytes += bytes;
  channel.held.push_back(std::move(message));
}

void PeerConnectionCore::deliverMissed(const std::shared_ptr<DataChannelCore>& body) {
  if (closed_) return;
  if (body->onMessage && !body->held.empty()) {
    auto held = std::make_shared<std::deque<DataChannelCore::Held>>(std::move(body->held));
    body->held.clear();
    heldMessageBytes_ -= std::exchange(body->heldBytes, 0);
    tasks_.push_front([self = shared_from_this(), body, held] {
      for (const DataChannelCore::Held& message : *held) {
        std::function<void(const DataMessage&)> callback;
        {
          const LoopCore::Lock lock(*self->loop_);
          if (self->closed_) return;
          callback = body->onMessage;
        }
        if (callback) callback(message.view());
      }
    });
  }
  if (body->onOpen && body->openMissed) {
    body->openMissed = false;
    tasks_.push_front([self = shared_from_this(), body] {
      std::function<void()> call;
      {
        const LoopCore::Lock lock(*self->loop_);
        if (!self->closed_) call = bindCallback(body->onOpen);
      }
      if (call) call();
    });
  }
  if (tasks_.empty()) return;
  loop_->markReady(shared_from_this());
  loop_->wake();
}

}  // namespace parley::api_internal
