#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "parley/parley.h"

#include "call.h"

namespace httplib {
class Client;
}

namespace call {

/// Calls another native peer: does over HTTP what the page does in a browser (server.h).
class Caller {
 public:
  Caller(const Home& home, std::string url);
  ~Caller();

  /// Waits until the offer is answered.
  parley::Result<void> dial();
  /// Null before.
  const std::shared_ptr<Call>& call() const { return call_; }
  void stop();

 private:
  parley::Result<nlohmann::json> post(const std::string& path, const nlohmann::json& body);
  void listen();
  void onEvent(const nlohmann::json& event);
  void tell();

  const Home& home_;
  std::string url_;
  std::string path_;  ///< /api/calls/ID
  std::shared_ptr<Call> call_;
  std::unique_ptr<httplib::Client> events_;
  std::atomic<bool> stopping_{false};
  std::thread listening_;
  std::thread telling_;
};

}  // namespace call
