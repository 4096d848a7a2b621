#include "server.h"

#include <optional>
#include <utility>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "parley/base/text.h"

#include "common/terminal.h"
#include "common/web.h"
#include "switchboard.h"

namespace call {

using example::isLoopback;
using example::machineName;
using example::print;
using example::refuse;
using example::reply;
using httplib::Request;
using httplib::Response;
using Json = nlohmann::json;

namespace {

constexpr size_t kMaxBody = 256 * 1024;  // an offer with everything in it has about 10 KiB
constexpr int kMaxListeners = 2;         // event streams of a call: the old one may linger
constexpr std::chrono::seconds kHeartbeat{5};

}  // namespace

Server::Server(Switchboard& switchboard, const Options& options)
    : switchboard_(switchboard), options_(options), http_(std::make_unique<httplib::Server>()) {
  // Each call keeps one thread for its events; requests are short and take turns on the others.
  const size_t threads = options.maxCalls * kMaxListeners + 8;
  http_->new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  example::setUpWeb(*http_, options.host, kMaxBody, "media-src 'self' blob:; ");
  addApi();
}

Server::~Server() {
  stop();
}

void Server::addApi() {
  http_->Post("/api/calls", [this](const Request& request, Response& response) {
    const auto id = switchboard_.open(isLoopback(request.remote_addr));
    if (!id) return refuse(response, 503, id.error().message);
    Json servers = Json::array();
    if (!options_.stun.empty()) servers.push_back({{"urls", options_.stun}});
    reply(response, 201, {{"id", *id}, {"iceServers", servers}});
  });
  using Act = std::function<void(Call&, const Json&, Response&)>;
  const auto post = [this](const char* what, Act act) {
    const std::string pattern = std::string("/api/calls/([0-9a-f]{32})/") + what;
    http_->Post(pattern, [this, act](const Request& request, Response& response) {
      const auto call = switchboard_.find(request.matches[1]);
      if (!call || call->ended()) return refuse(response, 404, "there is no such call");
      const Json body =
          request.body.empty() ? Json::object() : Json::parse(request.body, nullptr, false);
      if (!body.is_object()) return refuse(response, 400, "JSON wanted");
      act(*call, body, response);
    });
  };
  post("offer", [](Call& call, const Json& body, Response& response) {
    const auto answer = call.answer(example::textOf(body, "sdp"));
    if (!answer) return refuse(response, 400, answer.error().message);
    reply(response, 200, {{"sdp", *answer}});
  });
  post("candidates", [](Call& call, const Json& body, Response& response) {
    if (!call.addCandidate(body.value("candidate", Json())))
      return refuse(response, 409, "a candidate after an offer wanted");
    reply(response, 200, Json::object());
  });
  post("bye", [](Call& call, const Json&, Response& response) {
    call.hangUp("the other side hung up");
    reply(response, 200, Json::object());
  });
  http_->Get("/api/calls/([0-9a-f]{32})/events",
             [this](const Request& request, Response& response) { events(request, response); });
}

// Server-sent events (HTML standard, section 9.2). A browser whose stream broke comes back and
// says what it had last.
void Server::events(const Request& request, Response& response) {
  const auto call = switchboard_.find(request.matches[1]);
  if (!call) return refuse(response, 404, "there is no such call");
  if (!call->addListener(kMaxListeners)) return refuse(response, 429, "too many event streams");
  const auto last = parley::parseNumber<size_t>(request.get_header_value("Last-Event-ID"));
  response.set_chunked_content_provider(
      "text/event-stream",
      [call, next = last ? *last + 1 : 0](size_t, httplib::DataSink& sink) mutable {
        std::string text = ": still here\n\n";
        if (const auto event = call->event(next, kHeartbeat)) {
          text = "id: " + std::to_string(next++) + "\ndata: " + event->dump() + "\n\n";
        } else if (call->ended()) {
          sink.done();
          return true;
        }
        return sink.write(text.data(), text.size());
      },
      [call](bool) { call->removeListener(); });
}

parley::Result<std::string> Server::start() {
  const auto port = example::bindWeb(*http_, options_.host, options_.port, options_.portGiven);
  if (!port) return parley::fail(port.error());
  thread_ = std::thread([this] { http_->listen_after_bind(); });
  if (options_.host != "0.0.0.0" && options_.host != "::")
    return example::webUrl(options_.host, *port);
  print("Other machines: " + example::webUrl(machineName(), *port));
  return example::webUrl("localhost", *port);
}

void Server::stop() {
  http_->stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace call
