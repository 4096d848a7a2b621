#include "switchboard.h"

#include <array>
#include <utility>

#include "parley/base/secure_random.h"

#include "common/terminal.h"

namespace call {

using example::format;

namespace {

std::string secretId() {
  std::array<uint8_t, 16> bytes{};
  parley::SecureRandom().fill(bytes);
  std::string out;
  for (const uint8_t byte : bytes) out += format("%02x", byte);
  return out;
}

}  // namespace

parley::Result<std::string> Switchboard::open(bool sameMachine) {
  const std::lock_guard lock(mutex_);
  if (calls_.size() >= home_.options.maxCalls)
    return parley::fail(parley::ErrorCode::ResourceExhausted, "all lines are busy");
  auto call = Call::create(home_, ++count_, sameMachine);
  if (!call) return parley::fail(call.error());
  const std::string id = secretId();
  calls_[id] = std::move(*call);
  return id;
}

std::shared_ptr<Call> Switchboard::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto it = calls_.find(id);
  return it == calls_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<Call>> Switchboard::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Call>> out;
  for (const auto& [id, call] : calls_) out.push_back(call);
  return out;
}

void Switchboard::say(const std::string& text) {
  for (const auto& call : all()) call->say(text);
}

void Switchboard::tick() {
  for (const auto& call : all()) call->measure();
  std::vector<std::shared_ptr<Call>> over;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = calls_.begin(); it != calls_.end();) {
      if (!it->second->ended()) {
        ++it;
        continue;
      }
      over.push_back(std::move(it->second));
      it = calls_.erase(it);
    }
  }
  for (const auto& call : over) {
    call->finish();
    const std::lock_guard lock(mutex_);
    constexpr size_t kRemembered = 1000;
    if (past_.size() >= kRemembered) past_.erase(past_.begin());
    past_.push_back(call->report());
  }
}

void Switchboard::hangUpAll() {
  for (const auto& call : all()) call->hangUp("the program ends");
  tick();
}

nlohmann::json Switchboard::reports() const {
  const std::lock_guard lock(mutex_);
  nlohmann::json out = past_;
  for (const auto& [id, call] : calls_) out.push_back(call->report());
  return out;
}

}  // namespace call
