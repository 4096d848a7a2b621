#pragma once

#include <memory>
#include <string>
#include <thread>

#include "parley/parley.h"

#include "options.h"

namespace httplib {
class Server;
struct Request;
struct Response;
}  // namespace httplib

namespace call {

class Switchboard;

/// The web server: the page, and the signaling of calls as JSON over HTTP.
///
///   POST /api/calls                        -> {"id", "iceServers"}
///   POST /api/calls/ID/offer {"sdp"}       -> {"sdp"}: the answer; again to renegotiate
///   POST /api/calls/ID/candidates {"candidate"}
///   GET  /api/calls/ID/events              -> server-sent events: {"candidate"}, {"bye"}
///   POST /api/calls/ID/bye
///
/// Errors are {"error"} with a status of 4xx. Only pages of this server may use it in a browser.
class Server {
 public:
  Server(Switchboard& switchboard, const Options& options);
  ~Server();

  /// Starts to listen; gives the URL of the page.
  parley::Result<std::string> start();
  /// Ends event streams of calls that are over, and stops. Hang up first.
  void stop();

 private:
  void addApi();
  void events(const httplib::Request& request, httplib::Response& response);

  Switchboard& switchboard_;
  const Options& options_;
  std::unique_ptr<httplib::Server> http_;
  std::thread thread_;
};

}  // namespace call
