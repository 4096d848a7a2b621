// Video rooms for browsers: see README.md. The web page and how one joins are here, a room in
// room.cc, somebody in it in member.cc.

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <memory>
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
    R"(Video rooms for browsers: each sends once, to this server, which forwards to all others.

  examples/run sfu [OPTIONS]

  --host ADDRESS      where the page is served (default localhost)
  --port N            of the page (default 8090; 0: any)
  --media-port N      the one UDP port of all media (default: any)
  --max-members N     in a room (default 50)
  --max-rooms N       (default 100)
  --report FILE       figures at the end, as JSON, room by room
)";

constexpr size_t kMaxName = 40;
std::atomic<bool> stopped{false};

struct Options {
  std::string host = "localhost";
  int port = 8090;
  bool portGiven = false;
  uint16_t mediaPort = 0;
  size_t maxMembers = 50;
  size_t maxRooms = 100;
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
  arguments.values["--max-rooms"] = [&](const std::string& text) {
    options.maxRooms = arguments.number<size_t>("--max-rooms", text, 1, 100'000);
  };
  arguments.values["--report"] = [&](const std::string& text) { options.report = text; };
  arguments.parse(count, words);
  return options;
}

using Rooms = std::map<std::string, std::unique_ptr<sfu::Room>>;

/// Runs `fn` on the loop's thread, where everything of the rooms lives, and waits for it to tell.
template <class T>
parley::Result<T> onLoop(parley::Loop& loop,
                         std::function<void(std::function<void(parley::Result<T>)>)> fn) {
  const auto told = std::make_shared<std::promise<parley::Result<T>>>();
  const auto once = std::make_shared<std::atomic<bool>>(false);
  auto outcome = told->get_future();
  loop.post([fn = std::move(fn), told, once] {
    fn([told, once](parley::Result<T> result) {
      if (!once->exchange(true)) told->set_value(std::move(result));
    });
  });
  if (outcome.wait_for(std::chrono::seconds(10)) != std::future_status::ready)
    return parley::fail(parley::ErrorCode::Operation, "no answer in time");
  return outcome.get();
}

///   POST /api/rooms/ROOM/members {"name", "sdp"} -> {"number", "sdp"}; the rest goes over the
///   connection's data channel (member.h).
void addApi(httplib::Server& http, parley::Loop& loop, Rooms& rooms, const Options& options) {
  http.Post("/api/rooms/([\\w-]{1,40})/members", [&loop, &rooms, &options,
                                                  lp = loop.weak_from_this()](
                                                     const Request& request, Response& response) {
    const Json body = Json::parse(request.body, nullptr, false);
    if (!body.is_object()) return refuse(response, 400, "JSON wanted");
    const std::string offer = example::textOf(body, "sdp");
    const std::string name = example::textOf(body, "name").substr(0, kMaxName);
    const std::string place = request.matches[1];
    const auto joined = onLoop<Json>(loop, [&, offer, name, place, lp](auto done) {
      const bool known = rooms.contains(place);
      if (!known && rooms.size() >= options.maxRooms)
        return done(parley::fail(parley::ErrorCode::ResourceExhausted, "there are too many rooms"));
      auto& room = rooms[place];
      if (!room) room = std::make_unique<sfu::Room>(lp.lock(), options.maxMembers);
      room->join(name, offer, done);
    });
    if (!joined) return refuse(response, 400, joined.error().message);
    reply(response, 201, *joined);
  });
}

}  // namespace

int main(int count, char** words) {
  const Options options = parse(count, words);
  std::signal(SIGINT, [](int) { stopped = true; });
  std::signal(SIGTERM, [](int) { stopped = true; });
  std::signal(SIGPIPE, SIG_IGN);

  parley::LoopOptions loopOptions;
  loopOptions.threading = parley::Threading::Unlocked;
  loopOptions.udpPorts = {
      *parley::SocketAddress::parse("0.0.0.0:" + std::to_string(options.mediaPort))};
  const std::shared_ptr<parley::Loop> loop = parley::Loop::create(loopOptions);
  if (const auto started = loop->startThread(); !started) {
    example::print(started.error().message);
    return 1;
  }
  Rooms rooms;
  Json report = Json::object();
  httplib::Server http;
  http.new_task_queue = [] { return new httplib::ThreadPool(16); };
  example::setUpWeb(http, options.host, 256 * 1024, "media-src 'self' blob:; ");
  addApi(http, *loop, rooms, options);
  const auto port = example::bindWeb(http, options.host, options.port, options.portGiven);
  if (!port) {
    example::print(port.error().message);
    return 1;
  }
  std::thread web([&http] { http.listen_after_bind(); });
  example::print("Open in several browsers: " + example::webUrl(options.host, *port));
  while (!stopped) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    loop->post([&rooms, &report] {
      for (auto& [name, room] : rooms) {
        room->tick();
        report[name] = room->report();
      }
      std::erase_if(rooms, [](const auto& entry) { return entry.second->empty(); });
    });
  }
  http.stop();
  web.join();
  (void)onLoop<int>(*loop, [&](auto done) {
    for (auto& [name, room] : rooms) report[name] = room->report();
    rooms.clear();
    done(0);
  });
  if (!options.report.empty()) std::ofstream(options.report) << report.dump(2) << '\n';
  loop->stop();
  return 0;
}
