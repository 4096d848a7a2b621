// A video room for browsers: see README.md. The web page and the signaling are here, the room in
// room.cc.

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "parley/parley.h"

#include "common/arguments.h"
#include "common/terminal.h"
#include "common/web.h"
#include "room.h"

namespace {

using example::refuse;
using example::reply;
using httplib::Request;
using httplib::Response;
using Json = nlohmann::json;

constexpr char kHelp[] =
    R"(A video room for browsers: each sends once, to this server, which forwards to all others.

  examples/run sfu [OPTIONS]

  --host ADDRESS      where the page is served (default localhost)
  --port N            of the page (default 8090; 0: any)
  --media-port N      the one UDP port of all media (default: any)
  --max-members N     in the room (default 50)
  --report FILE       figures at the end, as JSON
)";

std::atomic<bool> stopped{false};

struct Options {
  std::string host = "localhost";
  int port = 8090;
  bool portGiven = false;
  uint16_t mediaPort = 0;
  size_t maxMembers = 50;
  std::string report;
};

Options parse(int count, char** words) {
  Options options;
  example::Arguments arguments;
  arguments.program = "sfu";
  arguments.help = kHelp;
  arguments.values["--host"] = [&](const std::string& text) { options.host = text; };
  arguments.values["--port"] = [&](const std::string& text) {
    options.port = arguments.number<int>("--port", text, 0, 65535);
    options.portGiven = true;
  };
  arguments.values["--media-port"] = [&](const std::string& text) {
    options.mediaPort = arguments.number<uint16_t>("--media-port", text, 0, 65535);
  };
  arguments.values["--max-members"] = [&](const std::string& text) {
    options.maxMembers = arguments.number<size_t>("--max-members", text, 1, 500);
  };
  arguments.values["--report"] = [&](const std::string& text) { options.report = text; };
  arguments.parse(count, words);
  return options;
}

///   POST /api/members                       -> {"id", "number"}
///   POST /api/members/ID/publish {"sdp"}    -> {"sdp"}: what the member sends
///   POST /api/members/ID/watch/NUMBER {"sdp"}   -> {"sdp"}: what another one sends
///   POST /api/members/ID/size/NUMBER {"height"}
///   GET  /api/members/ID                    -> {"members": [{"number", "speaks", "encoding"}]}
///   POST /api/members/ID/bye
void addApi(httplib::Server& http, sfu::Room& room) {
  const auto bodyOf = [](const Request& request) {
    Json body = Json::parse(request.body, nullptr, false);
    return body.is_object() ? body : Json::object();
  };
  const auto answer = [](Response& response, const parley::Result<std::string>& sdp) {
    if (!sdp) return refuse(response, 400, sdp.error().message);
    reply(response, 200, {{"sdp", *sdp}});
  };
  http.Post("/api/members", [&room](const Request&, Response& response) {
    const auto member = room.join();
    if (!member) return refuse(response, 503, member.error().message);
    reply(response, 201, *member);
  });
  const std::string one = "/api/members/([0-9a-f]{32})";
  http.Post(one + "/publish", [&room, bodyOf, answer](const Request& request, Response& response) {
    answer(response, room.publish(request.matches[1], example::textOf(bodyOf(request), "sdp")));
  });
  http.Post(one + "/watch/([0-9]{1,6})",
            [&room, bodyOf, answer](const Request& request, Response& response) {
              answer(response, room.watch(request.matches[1], std::stoi(request.matches[2]),
                                          example::textOf(bodyOf(request), "sdp")));
            });
  http.Post(
      one + "/size/([0-9]{1,6})", [&room, bodyOf](const Request& request, Response& response) {
        const Json body = bodyOf(request);
        const auto height = body.find("height");
        if (height == body.end() || !height->is_number_unsigned())
          return refuse(response, 400, "a height wanted");
        room.resize(request.matches[1], std::stoi(request.matches[2]), height->get<uint32_t>());
        reply(response, 200, Json::object());
      });
  http.Get(one, [&room](const Request& request, Response& response) {
    const auto state = room.state(request.matches[1]);
    if (!state) return refuse(response, 404, "no such member");
    reply(response, 200, *state);
  });
  http.Post(one + "/bye", [&room](const Request& request, Response& response) {
    room.leave(request.matches[1]);
    reply(response, 200, Json::object());
  });
}

}  // namespace

int main(int count, char** words) {
  const Options options = parse(count, words);
  std::signal(SIGINT, [](int) { stopped = true; });
  std::signal(SIGTERM, [](int) { stopped = true; });

  parley::LoopOptions loopOptions;
  loopOptions.udpPorts = {
      *parley::SocketAddress::parse("0.0.0.0:" + std::to_string(options.mediaPort))};
  const std::shared_ptr<parley::Loop> loop = parley::Loop::create(loopOptions);
  if (const auto started = loop->startThread(); !started) {
    example::print(started.error().message);
    return 1;
  }
  sfu::Room room(loop, options.maxMembers);
  httplib::Server http;
  http.new_task_queue = [] { return new httplib::ThreadPool(16); };
  example::setUpWeb(http, options.host, 256 * 1024, "media-src 'self' blob:; ");
  addApi(http, room);
  const auto port = example::bindWeb(http, options.host, options.port, options.portGiven);
  if (!port) {
    example::print(port.error().message);
    return 1;
  }
  std::thread web([&http] { http.listen_after_bind(); });
  example::print("Open in several browsers: " + example::webUrl(options.host, *port));
  while (!stopped) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    room.tick();
  }
  http.stop();
  web.join();
  if (!options.report.empty()) std::ofstream(options.report) << room.report().dump(2) << '\n';
  return 0;
}
