#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "call.h"

namespace call {

/// All calls of the program by their ids. Any thread.
class Switchboard {
 public:
  explicit Switchboard(const Home& home) : home_(home) {}

  /// A new call; its id cannot be guessed, so only its caller can act on it. ResourceExhausted if
  /// there are too many.
  parley::Result<std::string> open(bool sameMachine);
  /// Null if there is none.
  std::shared_ptr<Call> find(const std::string& id) const;

  void say(const std::string& text);
  /// Once a second: status lines, and an end to calls that are over.
  void tick();
  void hangUpAll();
  /// Of all calls there were, the last thousand.
  nlohmann::json reports() const;

 private:
  std::vector<std::shared_ptr<Call>> all() const;

  const Home& home_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Call>> calls_;
  std::vector<nlohmann::json> past_;
  int count_ = 0;
};

}  // namespace call
