// A STUN and TURN server: `turnserver --help`.
//
// The server itself is parley::turn::Server, a machine without sockets or threads; here it gets
// both from parley::io::EventLoop, a clock for the expiry of credentials, and a status line.

#include <csignal>
#include <cstdio>
#include <unistd.h>

#include "parley/base/secure_random.h"
#include "parley/io/clock.h"
#include "parley/io/event_loop.h"

#include "common/terminal.h"
#include "options.h"
#include "report.h"

namespace {

using example::print;
using parley::Duration;
using parley::Timestamp;
namespace turn = parley::turn;

parley::io::EventLoop* running = nullptr;

/// The server with what is around it: wakes up once a second to look at the wall clock and to tell
/// how things are.
class Program final : public parley::Driven {
 public:
  explicit Program(const Options& options)
      : options_(options),
        log_(options.verbose),
        environment_{random_, pool_, log_, parley::io::readWallClock()},
        server_(environment_, options.server),
        startedAt_(parley::io::monotonicNow()),
        tickAt_(startedAt_ + Duration::seconds(1)) {
    server_.start(startedAt_);
  }

  int run();

  void handle(parley::Input&& input, Timestamp now) override {
    server_.handle(std::move(input), now);
  }
  void advance(Timestamp now) override {
    server_.advance(now);
    if (now >= tickAt_) tick(now);
  }
  size_t pollTransmit(std::span<parley::TxPacket> out) override {
    return server_.pollTransmit(out);
  }
  bool pollEffect(parley::Effect& out) override { return server_.pollEffect(out); }
  Timestamp nextDeadline() const override { return earliest(server_.nextDeadline(), tickAt_); }
  parley::PacketPool& pool() override { return pool_; }
  void dispatch() override {
    turn::ServerEvent event;
    while (server_.pollEvent(event)) show(event);
  }

 private:
  void show(const turn::ServerEvent& event);
  void tick(Timestamp now);
  double seconds(Timestamp now) const { return (now - startedAt_).seconds(); }

  const Options& options_;
  example::ErrorLog log_;
  parley::SecureRandom random_;
  parley::PacketPool pool_;
  parley::Environment environment_;
  turn::Server server_;
  turn::ServerCounters before_;
  const Timestamp startedAt_;
  Timestamp tickAt_;
  bool failed_ = false;
};

void Program::show(const turn::ServerEvent& event) {
  const auto& listeners = options_.server.listeners;
  if (const auto* opened = std::get_if<turn::ListenerOpened>(&event)) {
    if (options_.verbose)
      print("listening on " + opened->local.toString() + " (" +
            turn::toString(listeners[opened->index].transport) + ")");
  } else if (const auto* failed = std::get_if<turn::ListenerFailed>(&event)) {
    const turn::ServerListener& listener = listeners[failed->index];
    std::fprintf(stderr, "turnserver: cannot listen on %s (%s)\n",
                 listener.local.toString().c_str(), turn::toString(listener.transport));
    // A machine without IPv6 is none that cannot serve.
    if (!listener.local.ip.isV6() || !listener.local.ip.isUnspecified()) {
      failed_ = true;
      running->stop();
    }
  }
}

void Program::tick(Timestamp now) {
  tickAt_ = now + Duration::seconds(1);
  environment_.wallClock = parley::io::readWallClock();
  if (!options_.quiet && isatty(STDOUT_FILENO)) {
    std::printf("\r\x1b[K%s", statusLine(server_, before_, 1).c_str());
    std::fflush(stdout);
  }
  before_ = server_.counters();
  if (options_.seconds > 0 && seconds(now) >= options_.seconds) running->stop();
}

int Program::run() {
  parley::io::EventLoopOptions loopOptions;
  loopOptions.log = &log_;
  loopOptions.maxAcceptedPerListener = options_.server.maxStreams;
  loopOptions.udp.coalescing = true;
  loopOptions.udp.receiveBufferBytes = 4 << 20;
  loopOptions.udp.sendBufferBytes = 4 << 20;
  parley::io::EventLoop loop(*this, loopOptions);
  running = &loop;
  struct sigaction action {};
  action.sa_handler = [](int) { running->stop(); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  for (const std::string& url : options_.urls) print(url);
  if (options_.guest)
    print("username: " + options_.guest->username + "\npassword: " + options_.guest->password);
  loop.run();
  const double duration = seconds(parley::io::monotonicNow());
  const auto counters = loop.counters();
  server_.close(parley::io::monotonicNow());
  loop.process();
  if (!options_.quiet)
    print((isatty(STDOUT_FILENO) ? "\r\x1b[K" : "") +
          statusLine(server_, turn::ServerCounters{}, duration));
  if (!options_.report.empty() && !writeReport(options_.report, server_, counters, duration)) {
    std::fprintf(stderr, "turnserver: cannot write %s\n", options_.report.c_str());
    return 1;
  }
  return failed_ ? 1 : 0;
}

}  // namespace

int main(int count, char** words) {
  const Options options = parseOptions(count, words);
  return Program(options).run();
}
