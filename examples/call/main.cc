// A video call between web browsers and a native peer: `call --help`.
//
// Where to look: call.cc is the peer, with everything about the connection; server.cc and caller.cc
// carry offers, answers and candidates; source.cc and received.cc are the ends of the media.

#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>

#include "caller.h"
#include "common/terminal.h"
#include "server.h"
#include "switchboard.h"

namespace call {

using example::ErrorLog;
using example::Keyboard;
using example::print;

namespace {

volatile std::sig_atomic_t interrupted = 0;

void handleSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTTIN, SIG_IGN);  // in the background there is no keyboard
}

/// Runs until Ctrl+C, the end of --seconds, or until `over`.
void runUntilEnd(const Options& options, const std::function<void()>& everySecond,
                 const std::function<void(const std::string&)>& typed,
                 const std::function<bool()>& over) {
  using Clock = std::chrono::steady_clock;
  Keyboard keyboard;
  const auto began = Clock::now();
  auto second = began + std::chrono::seconds(1);
  while (!interrupted && !over()) {
    const auto now = Clock::now();
    if (options.seconds && std::chrono::duration<double>(now - began).count() >= *options.seconds)
      return;
    if (now >= second) {
      everySecond();
      second += std::chrono::seconds(1);
    }
    std::string line;
    if (keyboard.wait(100)) {
      while (keyboard.nextLine(line)) typed(line);
    }
  }
}

bool writeReport(const Options& options, const nlohmann::json& calls, double seconds) {
  if (options.report.empty()) return true;
  std::ofstream file(options.report);
  const nlohmann::json report{{"duration_s", seconds}, {"calls", calls}};
  file << report.dump(2) << '\n';
  file.close();
  if (!file) print("Cannot write " + options.report);
  return !file.fail();
}

int serve(const Home& home, nlohmann::json& calls) {
  Switchboard switchboard(home);
  Server server(switchboard, home.options);
  const auto url = server.start();
  if (!url) {
    print("Cannot start: " + url.error().message);
    return 1;
  }
  print("Showing " + home.source.description);
  print("Open this page to be in a call: " + *url);
  runUntilEnd(
      home.options, [&] { switchboard.tick(); },
      [&](const std::string& line) { switchboard.say(line); }, [] { return false; });
  switchboard.hangUpAll();
  server.stop();
  calls = switchboard.reports();
  return 0;
}

int connect(const Home& home, nlohmann::json& calls) {
  Caller caller(home, home.options.connect);
  print("Calling " + home.options.connect + ", showing " + home.source.description);
  if (const auto dialed = caller.dial(); !dialed) {
    print("No call: " + dialed.error().message);
    return 1;
  }
  Call& call = *caller.call();
  runUntilEnd(
      home.options, [&] { call.measure(); }, [&](const std::string& line) { call.say(line); },
      [&] { return call.ended(); });
  caller.stop();
  call.finish();
  calls = nlohmann::json::array({call.report()});
  return call.connected() ? 0 : 1;
}

int run(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  ErrorLog log(options.verbose);
  parley::LoopOptions loopOptions;
  loopOptions.log = &log;
  Home home{parley::Loop::create(loopOptions), options, {}, nullptr, nullptr};
  if (const auto started = home.loop->startThread(); !started) {
    print("Cannot start: " + started.error().message);
    return 1;
  }
  auto source = openSource(options, home.loop);
  if (!source) {
    print("Nothing to show: " + source.error().message);
    return 1;
  }
  home.source = std::move(*source);
  home.files = std::make_shared<FileFolder>(options.files, options.quotaBytes);
  if (options.window) {
    auto speaker = parley::devices::Speaker::open();
    if (speaker) home.speaker = std::move(*speaker);
    if (!speaker) print("No sound: " + speaker.error().message);
  }
  nlohmann::json calls = nlohmann::json::array();
  const int code = options.connect.empty() ? serve(home, calls) : connect(home, calls);
  const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - began;
  const bool written = writeReport(options, calls, lasted.count());
  home.source = {};
  home.loop->stop();
  return written ? code : 1;
}

}  // namespace
}  // namespace call

int main(int count, char** words) {
  const call::Options options = call::parseOptions(count, words);
  call::handleSignals();
  return call::run(options);
}
