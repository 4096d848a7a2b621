#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "parley/base/result.h"

#include "pake.h"
#include "peer_link.h"
#include "words.h"

namespace httplib {
class Server;
}

namespace sending {

/// Where the other side comes to: the page, and the exchange of descriptions as JSON over HTTP.
///
///   POST /api/NAME/join {"share"}          -> {"id", "share", "sends", "iceServers"}
///   POST /api/NAME/ID/offer {"body", "mac"} -> {"body", "mac"}
///
/// `body` is JSON in a string, {"sdp", "sends"}, and `mac` authenticates it by what both sides made
/// of the phrase (pake.h). An answer is only given to an offer that is authentic. Errors are
/// {"error"} with a status of 4xx.
class Rendezvous {
 public:
  struct Setup {
    std::shared_ptr<parley::Loop> loop;
    CodePhrase phrase;
    bool sends = false;  ///< this side
    std::string host;
    int port = 0;
    bool portGiven = false;
    std::vector<std::string> stun;
  };

  explicit Rendezvous(Setup setup);
  ~Rendezvous();

  /// Starts to listen; gives the port.
  parley::Result<int> start();
  void stop();

  /// The link that came last, once; waits for it.
  std::shared_ptr<PeerLink> next(std::chrono::milliseconds patience);
  /// Whether there is one: who knows the phrase and comes again has lost the link before.
  bool hasNext() const;
  /// So many came with a wrong phrase that nobody is let in any more.
  bool exhausted() const;

 private:
  struct Guest {
    std::unique_ptr<Pake> pake;
    std::chrono::steady_clock::time_point since;
    bool sameMachine = false;
  };
  struct Answer {
    int status = 200;
    Json body;
  };

  void addApi();
  Answer join(const Json& request, bool sameMachine);
  Answer offer(const std::string& id, const Json& request);

  const Setup setup_;
  std::unique_ptr<httplib::Server> http_;
  std::thread thread_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Guest> guests_;
  int wrong_ = 0;
  std::shared_ptr<PeerLink> waiting_;
};

}  // namespace sending
