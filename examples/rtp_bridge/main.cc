// RTP of other programs in calls with browsers: see README.md. The web page and its one request are
// here, the calls in bridge.cc.

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>

#include <httplib.h>
#include <nlohmann/json.hpp>

#include "parley/parley.h"

#include "bridge.h"
#include "common/terminal.h"
#include "common/web.h"
#include "options.h"

namespace {

using Json = nlohmann::json;

std::atomic<bool> stopped{false};

///   POST /api/calls {"sdp"} -> {"sdp"}
void addApi(httplib::Server& http, Bridge& bridge) {
  http.Post("/api/calls", [&bridge](const httplib::Request& request, httplib::Response& response) {
    const Json body = Json::parse(request.body, nullptr, false);
    if (!body.is_object()) return example::refuse(response, 400, "JSON wanted");
    const auto answer = bridge.answer(example::textOf(body, "sdp"));
    if (!answer) return example::refuse(response, 400, answer.error().message);
    example::reply(response, 201, {{"sdp", *answer}});
  });
}

int failed(const std::string& why) {
  example::print(why);
  return 1;
}

}  // namespace

int main(int count, char** words) {
  const Options options = parseOptions(count, words);
  std::signal(SIGINT, [](int) { stopped = true; });
  std::signal(SIGTERM, [](int) { stopped = true; });
  std::signal(SIGPIPE, SIG_IGN);
  const std::shared_ptr<parley::Loop> loop = parley::Loop::create();
  if (const auto started = loop->startThread(); !started) return failed(started.error().message);
  const std::shared_ptr<Bridge> bridge = Bridge::create(options, loop);
  if (const auto opened = bridge->open(); !opened) return failed(opened.error().message);
  httplib::Server http;
  http.new_task_queue = [] { return new httplib::ThreadPool(4); };
  example::setUpWeb(http, options.host, 256 * 1024, "media-src 'self' blob:; ");
  addApi(http, *bridge);
  const auto port = example::bindWeb(http, options.host, options.port, options.portGiven);
  if (!port) return failed(port.error().message);
  std::thread web([&http] { http.listen_after_bind(); });
  example::print("Open in a browser: " + example::webUrl(options.host, *port));
  std::string shown;
  for (int i = 0; !stopped; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (i % 10 != 9) continue;
    const std::string line = bridge->tick();
    if (!line.empty() && line != shown) example::print(line);
    shown = line;
  }
  http.stop();
  web.join();
  bridge->close();
  loop->stop();
  return 0;
}
