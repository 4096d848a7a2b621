#include "server.h"

#include <optional>
#include <unistd.h>
#include <utility>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "parley/base/address.h"
#include "parley/base/text.h"

#include "page_files.h"
#include "switchboard.h"
#include "terminal.h"

namespace call {

using httplib::Request;
using httplib::Response;
using Json = nlohmann::json;

namespace {

constexpr size_t kMaxBody = 256 * 1024;  // an offer with everything in it has about 10 KiB
constexpr int kMaxListeners = 2;         // event streams of a call: the old one may linger
constexpr std::chrono::seconds kHeartbeat{5};

void reply(Response& response, int status, const Json& body) {
  response.status = status;
  response.set_content(body.dump(), "application/json");
}

void refuse(Response& response, int status, const std::string& reason) {
  reply(response, status, {{"error", reason}});
}

bool isLoopback(const std::string& address) {
  return address == "::1" || address.starts_with("127.") || address.starts_with("::ffff:127.");
}

/// The name in a Host header, without the port.
std::string hostName(std::string_view host) {
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

std::string machineName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

Server::Server(Switchboard& switchboard, const Options& options)
    : switchboard_(switchboard), options_(options), http_(std::make_unique<httplib::Server>()) {
  // Each call keeps one thread for its events; requests are short and take turns on the others.
  const size_t threads = options.maxCalls * kMaxListeners + 8;
  http_->new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  http_->set_keep_alive_max_count(1);  // an idle connection would keep a thread
  http_->set_read_timeout(5, 0);
  http_->set_payload_max_length(kMaxBody);
  http_->set_default_headers({
      {"Cache-Control", "no-store"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Content-Security-Policy",
       "default-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; "
       "form-action 'none'"},
  });
  http_->set_pre_routing_handler([this](const Request& request, Response& response) {
    if (trusted(request)) return httplib::Server::HandlerResponse::Unhandled;
    refuse(response, 403, "this address belongs to another page");
    return httplib::Server::HandlerResponse::Handled;
  });
  http_->set_exception_handler([](const Request&, Response& response, std::exception_ptr) {
    refuse(response, 400, "the request is not as it should be");
  });
  addPage();
  addApi();
}

Server::~Server() {
  stop();
}

// Pages of other origins must not use us through the browser of someone who can reach us. Browsers
// put the Origin on every POST. And a page whose own name was turned into our address (DNS
// rebinding) shows by the Host: we know our names, and addresses cannot be rebound.
bool Server::trusted(const Request& request) const {
  const std::string host = request.get_header_value("Host");
  const std::string name = hostName(host);
  const std::string machine = machineName();
  const bool ours = parley::IpAddress::parse(name) || parley::equalsIgnoreCase(name, "localhost") ||
                    parley::equalsIgnoreCase(name, options_.host) ||
                    (!machine.empty() && (parley::equalsIgnoreCase(name, machine) ||
                                          parley::equalsIgnoreCase(name, machine + ".local")));
  if (!ours) return false;
  if (request.method == "GET" || !request.has_header("Origin")) return true;
  const std::string origin = request.get_header_value("Origin");
  return origin == "http://" + host || origin == "https://" + host;
}

// Only files that are in the program can be asked for.
void Server::addPage() {
  for (const PageFile& file : pageFiles()) {
    http_->Get(file.path, [&file](const Request&, Response& response) {
      response.set_content(file.content.data(), file.content.size(), file.type);
    });
  }
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
    const auto answer = call.answer(body.value("sdp", ""));
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
  const bool any = options_.port == 0;
  int port = options_.port;
  if (any || !http_->bind_to_port(options_.host, port)) {
    if (options_.portGiven && !any)
      return parley::fail(parley::ErrorCode::Network, "port " + std::to_string(port) + " of " +
                                                          options_.host + " cannot be had");
    port = http_->bind_to_any_port(options_.host);
    if (port < 0)
      return parley::fail(parley::ErrorCode::Network, "cannot listen on " + options_.host);
  }
  thread_ = std::thread([this] { http_->listen_after_bind(); });
  std::string host = options_.host;
  if (host == "0.0.0.0" || host == "::") {
    host = "localhost";
    print("Other machines: http://" + machineName() + ":" + std::to_string(port) + "/");
  }
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(port) + "/";
}

void Server::stop() {
  http_->stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace call
