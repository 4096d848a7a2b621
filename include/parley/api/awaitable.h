#pragma once

#include <atomic>
#include <coroutine>
#include <memory>
#include <utility>

#include "parley/api/data_channel.h"

// For code that is written as coroutines. Header only, and the only header that needs them.

namespace parley {

/// `co_await sendWhenWritable(channel, bytes)`: sends at once, or suspends until the buffer has
/// room and sends then. Resumes on the loop's thread, inside the channel's onWritable or onClose,
/// which it takes for itself; one at a time per channel. `data` must stay valid until then and be
/// no more than half of the buffer's bound. The result is that of DataChannel::send.
class SendAwaiter {
 public:
  SendAwaiter(DataChannel channel, ByteSpan data, bool isText)
      : channel_(std::move(channel)), data_(data), isText_(isText) {}

  bool await_ready() const {
    return channel_.readyState() != DataChannelState::Open || channel_.canSend(data_.size());
  }
  /// False: there is room meanwhile.
  bool await_suspend(std::coroutine_handle<> caller) {
    // Whichever comes first resumes; the others find nothing to do. Nothing of this object may be
    // touched once a callback can have run: the coroutine may be over.
    auto resumed = std::make_shared<std::atomic<bool>>(false);
    const auto resume = [caller, resumed] {
      if (!resumed->exchange(true)) caller.resume();
    };
    DataChannel channel = channel_;
    const size_t size = data_.size();
    channel.onClose(resume);
    channel.onWritable(resume);
    const bool waits = channel.readyState() == DataChannelState::Open && !channel.canSend(size);
    return waits || resumed->exchange(true);
  }
  Result<void> await_resume() {
    return isText_ ? channel_.send(asText(data_)) : channel_.send(data_);
  }

 private:
  DataChannel channel_;
  ByteSpan data_;
  bool isText_;
};

inline SendAwaiter sendWhenWritable(DataChannel channel, ByteSpan data) {
  return {std::move(channel), data, false};
}
inline SendAwaiter sendWhenWritable(DataChannel channel, std::string_view text) {
  return {std::move(channel), asBytes(text), true};
}

}  // namespace parley
