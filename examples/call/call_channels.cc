// What goes over the data channels of a call: chat and files.

#include <utility>

#include "call.h"
#include "common/terminal.h"

namespace call {

using example::byteCount;
using example::format;
using example::printable;
using parley::DataChannel;
using parley::DataMessage;

namespace {

constexpr size_t kMaxChatBytes = 16 * 1024;
constexpr size_t kMaxUnsent = 100;   // what is typed before there is a channel
constexpr size_t kMaxTransfers = 8;  // files at the same time

}  // namespace

void Call::onChannel(DataChannel channel) {
  if (channel.label() == "chat") {
    startChat(std::move(channel), true);
  } else if (channel.protocol() == "parley-file" && transfers_.size() < kMaxTransfers) {
    startFile(std::move(channel));
  } else {
    channel.close();
  }
}

void Call::startChat(DataChannel channel, bool echo) {
  const auto weak = weak_from_this();
  channel.onMessage([weak, echo](const DataMessage& message) {
    if (const auto self = weak.lock()) self->onChat(message, echo);
  });
  channel.onClose([weak] {
    if (const auto self = weak.lock()) self->hangUp("the other side hung up");
  });
  channel.onOpen([weak] {
    if (const auto self = weak.lock()) self->flushChat();
  });
  {
    const std::lock_guard lock(mutex_);
    chat_ = std::move(channel);
  }
  flushChat();
}

void Call::onChat(const DataMessage& message, bool echo) {
  if (!message.isText || message.data.size() > kMaxChatBytes) return;
  DataChannel chat;
  {
    const std::lock_guard lock(mutex_);
    ++chatMessages_;
    chat = chat_;
  }
  note("chat: " + printable(message.text()));
  // A caller who does not read is not worth a queue: what does not fit is dropped.
  if (echo) (void)chat.send(message.text());
}

void Call::startFile(DataChannel channel) {
  const std::shared_ptr<Transfer> transfer(new Transfer{channel, FileReceiver(home_.files)});
  transfers_.push_back(transfer);
  const std::weak_ptr<Transfer> weakTransfer = transfer;
  const auto weak = weak_from_this();
  channel.onMessage([weak, weakTransfer](const DataMessage& message) {
    const auto self = weak.lock();
    const auto current = weakTransfer.lock();
    if (self && current) self->onFileMessage(*current, message);
  });
  channel.onClose([weak, weakTransfer] {
    const auto self = weak.lock();
    if (self) self->transfers_.remove(weakTransfer.lock());
  });
}

// Writing to disk on the loop's thread: short, as the system only takes the bytes into its cache.
void Call::onFileMessage(Transfer& transfer, const DataMessage& message) {
  const auto answer = transfer.receiver.take(message.data, message.isText);
  if (!answer) return;
  (void)transfer.channel.send(answer->dump());
  if (!transfer.receiver.complete()) return note("file refused: " + answer->value("error", ""));
  {
    const std::lock_guard lock(mutex_);
    ++filesReceived_;
    fileBytes_ += transfer.receiver.bytes();
  }
  note(format("file %s, %s, sha-256 %s", printable(transfer.receiver.path().string()).c_str(),
              byteCount(static_cast<double>(transfer.receiver.bytes())).c_str(),
              answer->value("sha256", "").c_str()));
}

void Call::say(const std::string& text) {
  {
    const std::lock_guard lock(mutex_);
    if (unsent_.size() < kMaxUnsent) unsent_.push_back(text);
  }
  flushChat();
}

void Call::flushChat() {
  const std::lock_guard lock(mutex_);
  if (!chat_ || chat_.readyState() != parley::DataChannelState::Open) return;
  for (const std::string& text : unsent_) (void)chat_.send(text);
  unsent_.clear();
}

}  // namespace call
