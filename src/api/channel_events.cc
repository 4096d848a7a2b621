// How the session's data-channel events and messages become steps of the facade.

#include <utility>

#include "api/peer_connection_core.h"
#include "api/steps.h"

namespace parley::api_internal {

namespace {

// One round of collecting takes at most this many messages, so that a flood on one connection
// cannot starve the others; what is left stays in the association and closes its receiver window.
constexpr size_t kMaxQueuedMessageTasks = 256;

}  // namespace

void PeerConnectionCore::onChannelEvent(const sctp::ChannelEvent& event) {
  if (const auto* e = std::get_if<sctp::ChannelIncoming>(&event)) {
    const auto body = adoptChannel(e->id, e->init);
    ++channelsOpened_;
    // W3C 6.1 "announcing a data channel as open": datachannel fires first, then open.
    queueStep([body](PeerConnectionCore&) { body->visibleState = DataChannelState::Open; },
              [body](PeerConnectionCore& c) {
                return bindCallback(c.callbacks.dataChannel, DataChannel(body));
              });
    queueStep([](PeerConnectionCore&) {},
              [body](PeerConnectionCore&) { return bindCallback(body->onOpen); });
  } else if (const auto* opened = std::get_if<sctp::ChannelOpened>(&event)) {
    const auto body = channel(opened->id);
    if (!body) return;
    ++channelsOpened_;
    if (sctp::DataChannels* channels = session()->dataChannels())
      body->streamId = channels->streamId(opened->id);
    queueStep(
        [body](PeerConnectionCore&) {
          if (body->visibleState == DataChannelState::Connecting)
            body->visibleState = DataChannelState::Open;
        },
        [body](PeerConnectionCore&) {
          return body->visibleState == DataChannelState::Open ? bindCallback(body->onOpen)
                                                              : std::function<void()>{};
        });
  } else if (const auto* closing = std::get_if<sctp::ChannelClosing>(&event)) {
    const auto body = channel(closing->id);
    if (!body) return;
    queueStep([body](PeerConnectionCore&) { body->visibleState = DataChannelState::Closing; },
              [body](PeerConnectionCore&) { return bindCallback(body->onClosing); });
  } else if (const auto* closed = std::get_if<sctp::ChannelClosed>(&event)) {
    const auto body = channel(closed->id);
    if (!body) return;
    channels_.erase(closed->id);
    ++channelsClosed_;
    queueStep([body](PeerConnectionCore&) { body->visibleState = DataChannelState::Closed; },
              [body](PeerConnectionCore&) { return bindCallback(body->onClose); });
  } else if (const auto* failed = std::get_if<sctp::ChannelFailed>(&event)) {
    const auto body = channel(failed->id);
    if (!body) return;
    queueStep([](PeerConnectionCore&) {},
              [body, error = Error{ErrorCode::Operation, failed->reason, {}}](PeerConnectionCore&) {
                return bindCallback(body->onError, error);
              });
  } else if (const auto* low = std::get_if<sctp::BufferedAmountLow>(&event)) {
    const auto body = channel(low->id);
    if (!body) return;
    queueStep([](PeerConnectionCore&) {},
              [body](PeerConnectionCore&) { return bindCallback(body->onLow); });
  }
}

void PeerConnectionCore::collectMessages() {
  sctp::ChannelMessage message;
  while (queuedMessages_ < kMaxQueuedMessageTasks && session()->pollMessage(message)) {
    const auto body = channel(message.channel);
    if (!body) continue;
    ++queuedMessages_;
    queueTask(
        [self = shared_from_this(), body, data = std::move(message.data), isText = message.isText] {
          std::function<void(const DataMessage&)> callback;
          {
            const LoopCore::Lock lock(*self->loop_);
            --self->queuedMessages_;
            if (self->closed_) return;
            callback = body->onMessage;
          }
          if (callback) callback(DataMessage{data, isText});
          const LoopCore::Lock lock(*self->loop_);
          // Room again: the association may hold more, and reading it opens the receiver window.
          if (!self->closed_ && self->queuedMessages_ == kMaxQueuedMessageTasks / 2)
            self->afterCall(self->loop_->now());
        });
    message = {};
  }
}

}  // namespace parley::api_internal
