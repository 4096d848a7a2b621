#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "link.h"

namespace sending {

/// The other side as a list of messages; the link is lost when who reads them waits for more.
class ScriptedLink final : public Link {
 public:
  ScriptedLink& says(const Json& message) {
    inbox_.push_back({true, parley::toBytes(message.dump())});
    return *this;
  }
  ScriptedLink& says(const char* text) {
    inbox_.push_back({true, parley::toBytes(std::string_view(text))});
    return *this;
  }
  ScriptedLink& brings(const std::string& content) {
    inbox_.push_back({false, parley::toBytes(content)});
    return *this;
  }

  std::optional<Message> next() override {
    if (inbox_.empty()) return std::nullopt;
    Message out = std::move(inbox_.front());
    inbox_.pop_front();
    return out;
  }
  bool hasMessages() const override { return !inbox_.empty(); }
  void wait(std::chrono::milliseconds, bool) override { waited_ = inbox_.empty(); }
  bool hasRoom() const override { return true; }
  bool send(const Json& message) override {
    heard.push_back(message);
    return true;
  }
  bool send(parley::ByteSpan bytes) override {
    content += parley::asText(bytes);
    return true;
  }
  void keepAlive() override {}
  bool lost() const override { return waited_; }
  void close() override { waited_ = true; }

  /// What it was told of that kind.
  std::vector<Json> heardOf(const std::string& kind) const {
    std::vector<Json> out;
    for (const Json& message : heard) {
      if (message.value("t", "") == kind) out.push_back(message);
    }
    return out;
  }

  std::vector<Json> heard;
  std::string content;

 private:
  std::deque<Message> inbox_;
  bool waited_ = false;
};

/// Two ends in one process, for a thread each. Lost after so many messages from one end, if set.
class PairedLink final : public Link {
 public:
  static std::pair<std::unique_ptr<PairedLink>, std::unique_ptr<PairedLink>> make(
      size_t contentBeforeLoss = SIZE_MAX) {
    auto shared = std::make_shared<Shared>();
    shared->contentLeft = contentBeforeLoss;
    return {std::unique_ptr<PairedLink>(new PairedLink(shared, 0)),
            std::unique_ptr<PairedLink>(new PairedLink(shared, 1))};
  }

  std::optional<Message> next() override {
    const std::lock_guard lock(shared_->mutex);
    auto& inbox = shared_->inbox[side_];
    if (inbox.empty()) return std::nullopt;
    Message out = std::move(inbox.front());
    inbox.pop_front();
    return out;
  }
  bool hasMessages() const override {
    const std::lock_guard lock(shared_->mutex);
    return !shared_->inbox[side_].empty();
  }
  void wait(std::chrono::milliseconds patience, bool) override {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait_for(lock, patience,
                              [&] { return !shared_->inbox[side_].empty() || shared_->lost; });
  }
  bool hasRoom() const override { return true; }
  bool send(const Json& message) override { return put({true, parley::toBytes(message.dump())}); }
  bool send(parley::ByteSpan content) override { return put({false, parley::toBytes(content)}); }
  void keepAlive() override {}
  bool lost() const override {
    const std::lock_guard lock(shared_->mutex);
    return shared_->lost;
  }
  void close() override {
    const std::lock_guard lock(shared_->mutex);
    shared_->lost = true;
    shared_->changed.notify_all();
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Message> inbox[2];
    size_t contentLeft = SIZE_MAX;
    bool lost = false;
  };

  PairedLink(std::shared_ptr<Shared> shared, int side) : shared_(std::move(shared)), side_(side) {}
  bool put(Message message) {
    const std::lock_guard lock(shared_->mutex);
    if (!message.isText && shared_->contentLeft-- == 0) shared_->lost = true;
    if (shared_->lost) return false;
    shared_->inbox[1 - side_].push_back(std::move(message));
    shared_->changed.notify_all();
    return true;
  }

  std::shared_ptr<Shared> shared_;
  int side_;
};

}  // namespace sending
